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
from nutslite.sampler import arrowhead_metric, dense_metric, diagonal_metric, inverse_mass_matrix, normal_draws
from nutslite.sampler.transition.hamiltonian import kinetic_energy, leapfrog
from nutslite.sampler.transition.logdensity import compiled_logdensity, data_type_of, logdensity_signature
from nutslite.sampler.transition.metric import draw_momentum, set_velocity


@kernel
def velocity_of(metric, momentum, velocity):
    set_velocity(metric, momentum, velocity)


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


@pytest.fixture(params=["diagonal", "dense", "arrowhead"])
def metric(request):
    rng = np.random.default_rng(11)
    if request.param == "diagonal":
        return diagonal_metric([0.5, 1.5, 1.0])
    if request.param == "dense":
        return dense_metric(random_covariance(rng, 3) / 4.0)
    border, coupling, blocks, _ = random_arrowhead(rng, 1, 2, 1)
    return arrowhead_metric(border, coupling, blocks)


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
