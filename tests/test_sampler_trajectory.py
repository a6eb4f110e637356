"""Turning and trajectories: the iterative scheme against a recursive textbook NUTS, with scripted directions."""

from __future__ import annotations

import functools

import numba
import numpy as np
import pytest
from numba import types
from sampler_targets import RecursiveNuts, new_recording, recording_normal
from scipy import stats

from nutslite._numba import MATRIX, VECTOR, jit_disabled, kernel_with_signature
from nutslite.sampler import diagonal_metric, inverse_mass_matrix
from nutslite.sampler.transition.hamiltonian import GRADIENT, MOMENTUM, POSITION, VELOCITY
from nutslite.sampler.transition.logdensity import compiled_logdensity, data_type_of, logdensity_signature
from nutslite.sampler.transition.metric import dense_metric
from nutslite.sampler.transition.trajectory import (
    DIVERGING,
    INDEX,
    LOGP,
    N_STEPS,
    REACHED_MAX_TREEDEPTH,
    SELECTED,
    TREE_DEPTH,
    new_workspace,
    sample_trajectory,
)
from nutslite.sampler.transition.turning import FIRST_MOMENTUM, LAST_MOMENTUM, RHO, add_leaf

MAX_TREEDEPTH = 6

ISOTROPIC = np.eye(2)
STRETCHED = np.diag([1.0, 25.0, 0.04])
CORRELATED = np.array([[2.0, 0.9, 0.0], [0.9, 1.0, -0.3], [0.0, -0.3, 0.5]])


def repeat_trajectory(logdensity, data, rng, metric, workspace, start, step_size, directions, indices):
    """Run the same scripted trajectory as often as `indices` is long; keep the index of each selected point."""
    points = workspace.points
    for repetition in range(indices.shape[0]):
        for row in range(start.shape[0]):
            for i in range(start.shape[1]):
                points[SELECTED, row, i] = start[row, i]
        workspace.values[SELECTED, LOGP] = logdensity(start[POSITION], points[SELECTED, GRADIENT], data)
        sample_trajectory(logdensity, data, rng, metric, workspace, step_size, directions, MAX_TREEDEPTH)
        indices[repetition] = workspace.values[SELECTED, INDEX]


@functools.cache
def compiled_repeat(data_type):
    if jit_disabled():
        return repeat_trajectory
    signature = types.void(
        types.FunctionType(logdensity_signature(data_type)),
        data_type,
        numba.typeof(np.random.default_rng(0)),
        numba.typeof(diagonal_metric([1.0])),
        numba.typeof(new_workspace(1, 1)),
        MATRIX,
        types.float64,
        types.int64,
        VECTOR,
    )
    return kernel_with_signature(repeat_trajectory, signature)


def run_both(precision, metric, step_size, directions, seed, repetitions=1):
    """The package's trajectory and the textbook's, from the same random phase point."""
    rng = np.random.default_rng(seed)
    dimension = precision.shape[0]
    inverse_mass = inverse_mass_matrix(metric)
    position = rng.multivariate_normal(np.zeros(dimension), np.linalg.inv(precision))
    momentum = rng.multivariate_normal(np.zeros(dimension), np.linalg.inv(inverse_mass))
    start = np.zeros((4, dimension))
    start[POSITION], start[MOMENTUM], start[VELOCITY] = position, momentum, inverse_mass @ momentum
    data = new_recording(precision)
    data_type = data_type_of(data)
    workspace, indices = new_workspace(dimension, MAX_TREEDEPTH), np.zeros(repetitions)
    compiled_repeat(data_type)(
        compiled_logdensity(recording_normal, data_type),
        data,
        rng,
        metric,
        workspace,
        start,
        step_size,
        directions,
        indices,
    )
    reference = RecursiveNuts(precision, inverse_mass, step_size, MAX_TREEDEPTH).run(position, momentum, directions)
    return workspace, data[1][1 : data[2][0]], indices, reference


METRICS = {
    "isotropic": (ISOTROPIC, diagonal_metric([1.0, 1.0])),
    "stretched": (STRETCHED, diagonal_metric([1.0, 0.2, 5.0])),
    "correlated": (CORRELATED, diagonal_metric([0.5, 1.5, 2.0])),
    "dense": (CORRELATED, dense_metric(np.linalg.inv(CORRELATED) + 0.3 * np.eye(3))),
}


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("step_size", [0.05, 0.25, 0.6, 1.1])
def test_trajectory_visits_the_leaves_of_the_recursive_algorithm(name, step_size):
    precision, metric = METRICS[name]
    depths = set()
    for seed in range(25):
        directions = int(np.random.default_rng(seed).integers(0, 2**MAX_TREEDEPTH))
        workspace, visited, _, reference = run_both(precision, metric, step_size, directions, seed)
        np.testing.assert_allclose(visited, np.array(reference.visited), rtol=1e-9, atol=1e-10)
        tally = workspace.tally
        assert tally[TREE_DEPTH] == reference.depth
        assert tally[N_STEPS] == len(reference.visited)
        assert bool(tally[REACHED_MAX_TREEDEPTH]) == (not reference.finished)
        assert bool(tally[DIVERGING]) == reference.diverged
        depths.add(reference.depth)
    assert max(depths) >= 1  # the scripts did grow trees


def test_directions_are_heeded():
    """All forwards and all backwards from the same point visit mirror images in time."""
    precision, metric = METRICS["isotropic"]
    for directions, sign in ((2**MAX_TREEDEPTH - 1, 1.0), (0, -1.0)):
        _, _, indices, _ = run_both(precision, metric, 0.2, directions, seed=4, repetitions=50)
        assert np.all(sign * indices >= 0)
        assert np.any(indices != 0)


def test_a_divergence_ends_the_trajectory():
    precision, metric = np.diag([1.0, 1e6]), diagonal_metric([1.0, 1.0])
    workspace, visited, indices, reference = run_both(precision, metric, 0.5, 0b101010, seed=1)
    assert reference.diverged
    assert workspace.tally[DIVERGING] == 1.0
    assert len(visited) == len(reference.visited)
    assert indices[0] in reference.probabilities


@pytest.mark.parametrize(
    ("name", "step_size", "seed"), [("isotropic", 0.2, 6), ("stretched", 0.1, 5), ("dense", 0.5, 8)]
)
def test_points_are_selected_with_the_weights_of_the_recursive_algorithm(name, step_size, seed):
    precision, metric = METRICS[name]
    _, _, indices, reference = run_both(precision, metric, step_size, 0b011010, seed, repetitions=40_000)
    expected = {index: p for index, p in reference.probabilities.items() if p > 0}
    observed = {int(index): int(np.sum(indices == index)) for index in np.unique(indices)}
    assert set(observed) <= set(expected)
    assert len(expected) > 3
    # points too rare for a chi-squared statistic are counted together
    often = [index for index, p in expected.items() if p * indices.size >= 10]
    seen = np.array([observed.get(index, 0) for index in often])
    hoped = np.array([expected[index] for index in often]) * indices.size
    rest = indices.size - hoped.sum()
    if rest > 5:
        seen, hoped = np.append(seen, indices.size - seen.sum()), np.append(hoped, rest)
        assert stats.chisquare(seen, hoped).pvalue > 1e-4
    else:
        assert stats.chisquare(seen, hoped * seen.sum() / hoped.sum()).pvalue > 1e-4


def test_leaves_join_like_the_bits_of_their_number():
    """Momenta that always point the same way never turn; rho and the ends tell which leaves each span holds."""
    spans = np.zeros((8, 5, 1))
    for leaf in range(32):
        momentum = np.array([1.0 + leaf])
        assert not add_leaf(spans, 1, leaf, momentum, momentum)
        first, row = 0, 1
        for bit in reversed(range(6)):
            if ((leaf + 1) >> bit) & 1:
                last = first + (1 << bit) - 1
                assert spans[row, FIRST_MOMENTUM, 0] == 1.0 + first
                assert spans[row, LAST_MOMENTUM, 0] == 1.0 + last
                assert spans[row, RHO, 0] == sum(range(1 + first, 2 + last))
                first, row = last + 1, row + 1
    assert not spans[0].any()  # rows below the bottom belong to the caller


def test_a_scripted_turn_is_found_at_the_join_that_completes_it():
    # the third pair of leaves (4 and 5) moves apart; until then all is well
    momenta = [1.0, 1.0, 1.0, 1.0, 1.0, -3.0]
    spans = np.zeros((8, 5, 1))
    turned = [add_leaf(spans, 0, leaf, np.array([p]), np.array([p])) for leaf, p in enumerate(momenta)]
    assert turned == [False] * 5 + [True]


def test_the_seam_of_two_spans_is_checked():
    """Two spans that go on as a whole but turn between them: only the further checks see it."""
    momenta = [(1.0, 0.0), (0.0, 3.0), (0.9, -2.0), (1.0, 0.1)]
    spans = np.zeros((4, 5, 2))
    turned = [add_leaf(spans, 0, leaf, np.array(p), np.array(p)) for leaf, p in enumerate(momenta)]
    p = np.array(momenta)
    assert min(p[0] @ p.sum(axis=0), p[3] @ p.sum(axis=0)) > 0  # as a whole it goes on
    assert (
        min(p[0] @ p[:2].sum(axis=0), p[1] @ p[:2].sum(axis=0), p[2] @ p[2:].sum(axis=0), p[3] @ p[2:].sum(axis=0)) > 0
    )
    assert turned == [False, False, False, True]
