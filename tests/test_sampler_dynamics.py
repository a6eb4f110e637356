"""Metrics against NumPy; the leapfrog integrator: reversible, volume preserving, of second order."""

from __future__ import annotations

import functools

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types
from sampler_targets import correlated_normal, light_funnel

from nutslite._numba import MATRIX, VECTOR, jit_disabled, kernel, kernel_with_signature
from nutslite.exceptions import SamplingError
from nutslite.sampler import (
    arrowhead_metric,
    centred_at,
    dense_metric,
    diagonal_metric,
    inverse_mass_matrix,
    low_rank_metric,
    normal_draws,
    sample,
)
from nutslite.sampler.transition.hamiltonian import LONGEST_ROTATION, kinetic_energy, leapfrog
from nutslite.sampler.transition.logdensity import compiled_logdensity, data_type_of, logdensity_signature
from nutslite.sampler.transition.metric import draw_momentum, set_momentum, set_velocity


@kernel
def velocity_of(metric, momentum, velocity):
    set_velocity(metric, momentum, velocity)


@kernel
def momentum_of(metric, velocity, momentum):
    set_momentum(metric, velocity, momentum)


@kernel
def draw_momenta(metric, rng, momenta):
    for row in range(momenta.shape[0]):
        draw_momentum(metric, rng, momenta[row])


def integrate(logdensity, data, metric, position, momentum, gradient, velocity, step_size, n_steps, path):
    """`n_steps` leapfrogs in place; `path` (n_steps + 1, 1) is overwritten with the energies."""
    logp = logdensity(position, gradient, data)
    set_velocity(metric, momentum, velocity)
    path[0, 0] = kinetic_energy(momentum, velocity) - logp
    for step in range(n_steps):
        logp = leapfrog(logdensity, data, metric, position, momentum, gradient, velocity, step_size)
        path[step + 1, 0] = kinetic_energy(momentum, velocity) - logp


@functools.cache
def compiled_integrate(data_type):
    if jit_disabled():
        return integrate
    signature = types.void(
        types.FunctionType(logdensity_signature(data_type)),
        data_type,
        numba.typeof(diagonal_metric([1.0])),
        VECTOR,
        VECTOR,
        VECTOR,
        VECTOR,
        types.float64,
        types.int64,
        MATRIX,
    )
    return kernel_with_signature(integrate, signature)


def flow(logdensity, data, metric, position, momentum, step_size, n_steps):
    """Positions, momenta and energies after `n_steps` from copies of the phase point."""
    data_type = data_type_of(data)
    position, momentum = position.copy(), momentum.copy()
    energies = np.zeros((n_steps + 1, 1))
    compiled_integrate(data_type)(
        compiled_logdensity(logdensity, data_type),
        data,
        metric,
        position,
        momentum,
        np.zeros_like(position),
        np.zeros_like(position),
        step_size,
        n_steps,
        energies,
    )
    return position, momentum, energies[:, 0]


def random_covariance(rng, n):
    factor = rng.normal(size=(n, n))
    return factor @ factor.T + 0.5 * np.eye(n)


def random_arrowhead(rng, m, n_blocks, q):
    """Parts of a positive definite arrowhead matrix, and the whole."""
    dimension = m + n_blocks * q
    whole = np.zeros((dimension, dimension))
    for block in range(n_blocks):  # the information of one group about its own coordinates and the border
        own = [*range(m), *range(m + block * q, m + (block + 1) * q)]
        rows = rng.normal(size=(len(own) + 2, len(own)))
        whole[np.ix_(own, own)] += rows.T @ rows
    whole += 0.3 * np.eye(dimension)
    blocks = np.array([whole[m + b * q : m + (b + 1) * q, m + b * q : m + (b + 1) * q] for b in range(n_blocks)])
    return whole[:m, :m], whole[m:, :m], blocks.reshape(n_blocks, q, q), whole


ARROWHEADS = [(3, 4, 2), (1, 5, 1), (2, 1, 3), (4, 0, 1), (0, 3, 2), (6, 7, 1)]


@pytest.mark.parametrize(("m", "n_blocks", "q"), ARROWHEADS)
def test_arrowhead_metric_is_the_inverse_of_its_mass_matrix(m, n_blocks, q):
    rng = np.random.default_rng(m + 10 * n_blocks + 100 * q)
    border, coupling, blocks, whole = random_arrowhead(rng, m, n_blocks, q)
    metric = arrowhead_metric(border, coupling, blocks)
    inverse = np.linalg.inv(whole)
    np.testing.assert_allclose(inverse_mass_matrix(metric), inverse, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(metric.variances, np.diag(inverse), rtol=1e-9)
    momentum, velocity = rng.normal(size=whole.shape[0]), np.full(whole.shape[0], np.nan)
    velocity_of(metric, momentum, velocity)
    np.testing.assert_allclose(velocity, inverse @ momentum, rtol=1e-9, atol=1e-12)
    back = np.full(whole.shape[0], np.nan)
    momentum_of(metric, velocity, back)
    np.testing.assert_allclose(back, momentum, rtol=1e-9, atol=1e-12)


@settings(max_examples=30)
@given(n=st.integers(1, 8), seed=st.integers(0, 2**32 - 1))
def test_dense_and_diagonal_velocities(n, seed):
    rng = np.random.default_rng(seed)
    covariance, variances = random_covariance(rng, n), rng.gamma(2.0, size=n) + 1e-3
    momentum, velocity = rng.normal(size=n), np.zeros(n)
    velocity_of(dense_metric(covariance), momentum, velocity)
    np.testing.assert_allclose(velocity, covariance @ momentum, rtol=1e-9, atol=1e-12)
    velocity_of(diagonal_metric(variances), momentum, velocity)
    np.testing.assert_allclose(velocity, variances * momentum, rtol=1e-12)
    momentum_of(diagonal_metric(variances), velocity, momentum)
    np.testing.assert_allclose(momentum, velocity / variances, rtol=1e-12)
    velocity = rng.normal(size=n)
    momentum_of(dense_metric(covariance), velocity, momentum)
    np.testing.assert_allclose(covariance @ momentum, velocity, rtol=1e-7, atol=1e-9)
    factor = dense_metric(covariance).factor
    np.testing.assert_allclose(factor @ factor.T @ covariance, np.eye(n), atol=1e-7)


@pytest.mark.parametrize("kind", ["diagonal", "dense", "arrowhead"])
def test_momenta_have_the_mass_matrix_as_covariance(kind):
    rng = np.random.default_rng(7)
    border, coupling, blocks, whole = random_arrowhead(rng, 2, 3, 2)
    if kind == "diagonal":
        metric, mass = diagonal_metric([0.01, 1.0, 4.0]), np.diag([100.0, 1.0, 0.25])
    elif kind == "dense":
        metric, mass = dense_metric(np.linalg.inv(whole)), whole
    else:
        metric, mass = arrowhead_metric(border, coupling, blocks), whole
    n = 60_000
    momenta = np.zeros((n, mass.shape[0]))
    draw_momenta(metric, rng, momenta)
    scale = np.sqrt(np.outer(np.diag(mass), np.diag(mass)))
    # an entry of a sample correlation has standard error at most sqrt(2 / n)
    assert np.abs((momenta.T @ momenta / n - mass) / scale).max() < 5.0 * np.sqrt(2.0 / n)
    assert np.abs(momenta.mean(axis=0) / np.sqrt(np.diag(mass))).max() < 5.0 / np.sqrt(n)


@pytest.mark.parametrize("kind", ["diagonal", "dense", "arrowhead"])
def test_normal_draws_have_the_inverse_mass_matrix_as_covariance(kind):
    border, coupling, blocks, whole = random_arrowhead(np.random.default_rng(4), 2, 3, 2)
    inverse = np.linalg.inv(whole)
    metric = {
        "diagonal": lambda: diagonal_metric(np.diag(inverse)),
        "dense": lambda: dense_metric(inverse),
        "arrowhead": lambda: arrowhead_metric(border, coupling, blocks),
    }[kind]()
    expected = np.diag(np.diag(inverse)) if kind == "diagonal" else inverse
    n = 60_000
    draws = normal_draws(metric, np.random.default_rng(9), n)
    scale = np.sqrt(np.outer(np.diag(inverse), np.diag(inverse)))
    assert np.abs((draws.T @ draws / n - expected) / scale).max() < 5.0 * np.sqrt(2.0 / n)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: diagonal_metric([1.0, -2.0]), "number 1 is"),
        (lambda: diagonal_metric([[1.0]]), "vector of variances"),
        (lambda: dense_metric([[1.0, 2.0], [2.0, 1.0]]), "positive definite"),
        (lambda: dense_metric([[1.0, 0.5], [0.0, 1.0]]), "symmetric"),
        (lambda: dense_metric([1.0, 2.0]), "square"),
        (lambda: arrowhead_metric(np.eye(2), np.zeros((3, 2)), np.ones((4, 1, 1))), "coupling"),
        (lambda: arrowhead_metric([[1.0]], [[2.0]], [[[1.0]]]), "eliminated"),
        (lambda: centred_at(diagonal_metric([1.0, 1.0]), [0.0]), "vector of 2 finite numbers"),
        (lambda: centred_at(diagonal_metric([1.0]), [np.nan]), "finite numbers"),
        (lambda: centred_at(low_rank_metric(np.ones(2), np.eye(2)[:, :1], [2.0]), [0.0, 0.0]), "can have a centre"),
    ],
)
def test_impossible_metrics_are_refused(build, words):
    with pytest.raises(SamplingError, match=words):
        build()


TARGETS = {
    "normal": (
        correlated_normal,
        (np.array([1.0, -2.0, 0.5]), np.array([[3.0, 1.0, 0.2], [1, 2, 0.1], [0.2, 0.1, 0.7]])),
    ),
    "funnel": (light_funnel, 0.0),
}


def phase_point(seed=0, n=3):
    rng = np.random.default_rng(seed)
    return 0.5 * rng.normal(size=n), rng.normal(size=n)


@pytest.fixture(params=["diagonal", "dense", "arrowhead", "diagonal, centred", "dense, centred", "arrowhead, centred"])
def metric(request):
    rng = np.random.default_rng(11)
    kind, *centre = request.param.split(", ")
    if kind == "diagonal":
        found = diagonal_metric([0.5, 1.5, 1.0])
    elif kind == "dense":
        found = dense_metric(random_covariance(rng, 3) / 4.0)
    else:
        border, coupling, blocks, _ = random_arrowhead(rng, 1, 2, 1)
        found = arrowhead_metric(border, coupling, blocks)
    return centred_at(found, [0.4, -0.7, 0.2]) if centre else found


@pytest.mark.parametrize("name", TARGETS)
def test_leapfrog_is_reversible(name, metric):
    logdensity, data = TARGETS[name]
    position, momentum = phase_point()
    there = flow(logdensity, data, metric, position, momentum, 0.1, 30)
    for step_size, sign in ((-0.1, 1.0), (0.1, -1.0)):  # back in time, or with the momentum turned round
        back = flow(logdensity, data, metric, there[0], sign * there[1], step_size, 30)
        np.testing.assert_allclose(back[0], position, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(sign * back[1], momentum, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", TARGETS)
def test_leapfrog_preserves_volume(name, metric):
    """The Jacobian of the flow, by central differences, has determinant one."""
    logdensity, data = TARGETS[name]
    position, momentum = phase_point(seed=1)
    point, h = np.concatenate([position, momentum]), 1e-5
    jacobian = np.zeros((6, 6))
    for column in range(6):
        ends = []
        for sign in (1.0, -1.0):
            moved = point.copy()
            moved[column] += sign * h
            ends.append(np.concatenate(flow(logdensity, data, metric, moved[:3], moved[3:], 0.3, 3)[:2]))
        jacobian[:, column] = (ends[0] - ends[1]) / (2.0 * h)
    assert abs(np.linalg.det(jacobian) - 1.0) < 1e-6


@pytest.mark.parametrize("name", TARGETS)
def test_energy_error_is_of_second_order(name, metric):
    """Over the same time, half the step size leaves a quarter of the energy error."""
    logdensity, data = TARGETS[name]
    position, momentum = phase_point(seed=2)
    errors = []
    for halvings in range(3):
        n_steps = 20 * 2**halvings
        energies = flow(logdensity, data, metric, position, momentum, 1.0 / n_steps, n_steps)[2]
        errors.append(np.abs(energies - energies[0]).max())
    assert errors[0] > 1e-6  # there is an error to measure
    ratios = np.array(errors[:-1]) / np.array(errors[1:])
    np.testing.assert_allclose(ratios, 4.0, rtol=0.15)


@pytest.mark.parametrize("kind", ["diagonal", "dense", "arrowhead"])
@pytest.mark.parametrize("step_size", [0.3, 1.2, -2.5])
def test_motion_around_the_centre_is_exact_in_the_metrics_own_normal(kind, step_size):
    """After steps of any length the point is where the harmonic oscillator is, and the energy what it was."""
    rng = np.random.default_rng(5)
    border, coupling, blocks, whole = random_arrowhead(rng, 1, 2, 2)
    precision = np.diag(np.diag(whole)) if kind == "diagonal" else whole
    metric = {
        "diagonal": lambda: diagonal_metric(1.0 / np.diag(whole)),
        "dense": lambda: dense_metric(np.linalg.inv(whole)),
        "arrowhead": lambda: arrowhead_metric(border, coupling, blocks),
    }[kind]()
    mean = rng.normal(size=5)
    position, momentum = phase_point(seed=3, n=5)
    data = (mean, np.ascontiguousarray(precision))
    end, moved, energies = flow(correlated_normal, data, centred_at(metric, mean), position, momentum, step_size, 4)
    time = 4 * step_size
    velocity = np.linalg.solve(precision, momentum)
    np.testing.assert_allclose(end, mean + np.cos(time) * (position - mean) + np.sin(time) * velocity, atol=1e-9)
    expected = np.cos(time) * momentum - np.sin(time) * precision @ (position - mean)
    np.testing.assert_allclose(moved, expected, atol=1e-8)
    np.testing.assert_allclose(energies, energies[0], atol=1e-8)


def test_a_centre_leaves_the_posterior_as_it_is():
    """A normal whose metric and centre are both off is drawn as it is; steps do not grow beyond their limit."""
    mean, covariance = np.array([1.0, -2.0, 0.5]), np.array([[1.0, 0.6, 0.0], [0.6, 2.0, 0.3], [0.0, 0.3, 0.5]])
    metric = centred_at(dense_metric(0.7 * covariance), mean + np.array([0.5, 0.5, -0.3]))
    data = (mean, np.linalg.inv(covariance))
    drawn = sample(correlated_normal, data, initial=mean, draws=4000, chains=4, random_seed=1, metric=metric)
    assert drawn.stats["step_size"].max() <= LONGEST_ROTATION
    positions = drawn.positions.reshape(-1, 3)
    errors = (positions.mean(axis=0) - mean) / np.sqrt(np.diag(covariance))
    assert np.abs(errors).max() < 0.04
    np.testing.assert_allclose(np.cov(positions.T) / covariance.max(), covariance / covariance.max(), atol=0.04)


def test_longest_steps_are_those_of_the_normal_itself():
    """Where the rest is nothing, the first search and the adaptation both end at the limit."""
    metric = centred_at(diagonal_metric(np.ones(3)), np.zeros(3))
    data = (np.zeros(3), np.eye(3))
    drawn = sample(correlated_normal, data, initial=np.zeros(3), draws=50, tune=50, random_seed=1, metric=metric)
    np.testing.assert_allclose(drawn.stats["step_size"], LONGEST_ROTATION, rtol=1e-12)
    assert drawn.stats["n_steps"].max() == 3


@pytest.mark.parametrize("part", [{"integrator": "two_stage"}, {"trajectory": "static"}])
def test_other_parts_refuse_a_centre(part):
    metric = centred_at(diagonal_metric([1.0]), [0.0])
    with pytest.raises(SamplingError, match="around a metric's centre"):
        sample(correlated_normal, (np.zeros(1), np.eye(1)), initial=[0.0], metric=metric, **part)
