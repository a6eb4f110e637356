"""Transforms: round trips, log-Jacobians against numerical determinants, pull-backs against central differences."""

from __future__ import annotations

import numpy as np
import pytest

from nutslite.posterior.record import transforms as tr
from nutslite.sampler import constraints

ELEMENTWISE = [
    (tr.IDENTITY, -np.inf, np.inf),
    (tr.LOG, 0.0, np.inf),
    (tr.LOG, -2.5, np.inf),
    (tr.LOGIT_INTERVAL, 0.0, 1.0),
    (tr.LOGIT_INTERVAL, -3.0, 40.0),
    (tr.NEGATIVE_LOG, -np.inf, 1.5),
]


def jacobian(function, u, size):
    """Central differences of a vector function, one column per element of u."""
    columns = []
    for i in range(len(u)):
        step = 1e-5 * max(1.0, abs(u[i]))
        up, down = u.copy(), u.copy()
        up[i] += step
        down[i] -= step
        columns.append((function(up)[:size] - function(down)[:size]) / (2.0 * step))
    return np.array(columns).T


@pytest.mark.parametrize(("code", "lower", "upper"), ELEMENTWISE)
def test_elementwise_code_and_round_trip(code, lower, upper):
    assert tr.transform_code(lower, upper) == code
    for u in np.linspace(-12.0, 12.0, 49):
        x = tr.constrain(code, u, lower, upper)
        assert lower < x < upper
        assert tr.unconstrain(code, x, lower, upper) == pytest.approx(u, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize(("code", "lower", "upper"), ELEMENTWISE)
def test_elementwise_derivatives(code, lower, upper):
    step = 1e-5
    for u in np.linspace(-8.0, 8.0, 33):
        slope = tr.constrain_derivative(code, u, lower, upper)
        rise = tr.constrain(code, u + step, lower, upper) - tr.constrain(code, u - step, lower, upper)
        assert slope == pytest.approx(rise / (2 * step), rel=1e-6, abs=1e-9)
        assert tr.log_jacobian(code, u, lower, upper) == pytest.approx(np.log(abs(slope)), rel=1e-12, abs=1e-12)
        rise = tr.log_jacobian(code, u + step, lower, upper) - tr.log_jacobian(code, u - step, lower, upper)
        assert tr.log_jacobian_derivative(code, u, lower, upper) == pytest.approx(rise / (2 * step), abs=1e-8)


@pytest.mark.parametrize("size", [1e-3, 1.0, 250.0])
def test_fold_is_even_linear_at_zero_and_a_logarithm_far_out(size):
    step = 1e-6
    for u in (-30.0, -3.0, -0.1, 1e-9, 0.4, 2.5, 30.0):
        x = tr.constrain(tr.FOLD, u, 0.0, size)
        assert x == tr.constrain(tr.FOLD, -u, 0.0, size)
        assert tr.unconstrain(tr.FOLD, x, 0.0, size) == pytest.approx(abs(u), rel=1e-12)
        slope = tr.constrain_derivative(tr.FOLD, u, 0.0, size)
        if abs(u) > 0.01:
            rise = tr.constrain(tr.FOLD, u + step, 0.0, size) - tr.constrain(tr.FOLD, u - step, 0.0, size)
            assert slope == pytest.approx(rise / (2 * step), rel=1e-6)
        assert tr.log_jacobian(tr.FOLD, u, 0.0, size) == pytest.approx(np.log(abs(slope)), rel=1e-12)
        rise = tr.log_jacobian(tr.FOLD, u + step, 0.0, size) - tr.log_jacobian(tr.FOLD, u - step, 0.0, size)
        assert tr.log_jacobian_derivative(tr.FOLD, u, 0.0, size) == pytest.approx(rise / (2 * step), abs=1e-6)
    assert tr.constrain(tr.FOLD, 1e-5, 0.0, size) == pytest.approx(size * 1e-5, rel=1e-9)
    assert np.log(tr.constrain(tr.FOLD, 20.0, 0.0, size)) == pytest.approx(20.0 + np.log(size / 2), rel=1e-12)


@pytest.mark.parametrize(("lower", "size"), [(0.0, 1e-3), (0.0, 250.0), (1.5, 0.4)])
def test_bent_logarithm_and_its_derivatives(lower, size):
    step = 1e-5
    for u in np.linspace(-8.0, 12.0, 41):
        x = tr.constrain(tr.BENT_LOG, u, lower, size)
        assert x > lower or lower > 0.0
        if lower == 0.0:
            assert tr.unconstrain(tr.BENT_LOG, x, lower, size) == pytest.approx(u, rel=1e-10, abs=1e-10)
        slope = tr.constrain_derivative(tr.BENT_LOG, u, lower, size)
        assert tr.log_jacobian(tr.BENT_LOG, u, lower, size) == pytest.approx(np.log(slope), rel=1e-12, abs=1e-12)
        rise = tr.constrain(tr.BENT_LOG, u + step, 0.0, size) - tr.constrain(tr.BENT_LOG, u - step, 0.0, size)
        assert slope == pytest.approx(rise / (2 * step), rel=1e-6)
        rise = tr.log_jacobian(tr.BENT_LOG, u + step, lower, size) - tr.log_jacobian(tr.BENT_LOG, u - step, lower, size)
        assert tr.log_jacobian_derivative(tr.BENT_LOG, u, lower, size) == pytest.approx(rise / (2 * step), abs=1e-6)


def test_bent_logarithm_has_a_normal_tail_to_the_left_and_is_a_logarithm_to_the_right():
    assert np.log(tr.constrain(tr.BENT_LOG, 30.0, 0.0, 2.0)) == pytest.approx(30.0 + np.log(2.0), rel=1e-5)
    for u in (-10.0, -20.0):
        assert np.log(tr.constrain(tr.BENT_LOG, u, 0.0, 1.0)) == pytest.approx(u - u * u - 0.125, rel=1e-4)
    for x in (1e-300, 1e-30, 1e30):
        u = tr.unconstrain(tr.BENT_LOG, x, 0.0, 1.0)
        assert np.log(tr.constrain(tr.BENT_LOG, u, 0.0, 1.0)) == pytest.approx(np.log(x), rel=1e-12)
    assert tr.unconstrain(tr.BENT_LOG, 0.0, 0.0, 1.0) == -np.inf
    assert np.isnan(tr.unconstrain(tr.BENT_LOG, -1.0, 0.0, 1.0))


@pytest.mark.parametrize("u", [-745.0, -200.0, 200.0, 700.0])
def test_interval_transform_far_out(u):
    assert 0.0 <= tr.constrain(tr.LOGIT_INTERVAL, u, 0.0, 1.0) <= 1.0
    assert tr.log_jacobian(tr.LOGIT_INTERVAL, u, 0.0, 1.0) == pytest.approx(-abs(u), rel=1e-12)
    assert tr.log_jacobian_derivative(tr.LOGIT_INTERVAL, u, 0.0, 1.0) == -np.sign(u)


def constrain_with(constrain, shape):
    def call(u):
        out = np.full(shape, np.nan)
        value = constrain(u, out)
        return out, value

    return call


def check_block(call, free, pull_back, unconstrain, u, atol=1e-6):
    """`free` picks the entries that a block has as many of as u, in order; pull_back(u, x, adjoint, gradient)."""
    x, value = call(u)
    back = np.full(u.shape, np.nan)
    unconstrain(x, back)
    np.testing.assert_allclose(back, u, rtol=1e-9, atol=1e-9)

    matrix = jacobian(lambda v: free(call(v)[0]), u, len(u))
    sign, log_determinant = np.linalg.slogdet(matrix)
    assert sign != 0
    assert value == pytest.approx(log_determinant, abs=1e-6)

    adjoint = np.random.default_rng(1).normal(size=x.shape)
    gradient = np.full(u.shape, 0.25)  # added to, not overwritten
    pull_back(u, x, adjoint, gradient)
    numeric = jacobian(lambda v: np.array([np.sum(adjoint * call(v)[0]) + call(v)[1]]), u, 1)[0]
    np.testing.assert_allclose(gradient - 0.25, numeric, rtol=1e-6, atol=atol)


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("scale", [0.3, 1.2])
def test_cholesky_of_a_correlation_matrix(size, scale):
    u = scale * np.random.default_rng(size).normal(size=size * (size - 1) // 2)
    call = constrain_with(constraints.cholesky_constrain, (size, size))
    factor, _ = call(u)
    assert np.array_equal(factor, np.tril(factor))
    assert np.all(np.diag(factor) > 0)
    np.testing.assert_allclose(np.diag(factor @ factor.T), 1.0, rtol=1e-13)
    below = np.tril_indices(size, -1)
    check_block(call, lambda x: x[below], constraints.cholesky_pull_back, constraints.cholesky_unconstrain, u)


def test_cholesky_of_one_row_has_nothing_to_move():
    factor, value = constrain_with(constraints.cholesky_constrain, (1, 1))(np.empty(0))
    assert factor[0, 0] == 1.0
    assert value == 0.0


def test_cholesky_far_out_stays_finite():
    u = np.array([25.0, -30.0, 19.0])
    factor, value = constrain_with(constraints.cholesky_constrain, (3, 3))(u)
    assert np.isfinite(value)
    assert np.all(np.diag(factor) > 0)
    back = np.empty(3)
    constraints.cholesky_unconstrain(factor, back)
    np.testing.assert_allclose(back, u, rtol=1e-6)
    gradient = np.zeros(3)
    constraints.cholesky_pull_back(u, factor, np.ones((3, 3)), gradient)
    assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("size", [2, 3, 6])
@pytest.mark.parametrize("scale", [0.3, 2.0])
def test_simplex(size, scale):
    u = scale * np.random.default_rng(size).normal(size=size - 1)
    call = constrain_with(constraints.simplex_constrain, (size,))
    x, _ = call(u)
    assert np.all(x > 0)
    assert np.sum(x) == pytest.approx(1.0, abs=1e-14)
    check_block(
        call,
        lambda x: x[:-1],
        lambda u, x, a, g: constraints.simplex_pull_back(x, a, g),
        constraints.simplex_unconstrain,
        u,
    )


def test_simplex_at_zero_is_uniform():
    x, _ = constrain_with(constraints.simplex_constrain, (4,))(np.zeros(3))
    np.testing.assert_allclose(x, 0.25, rtol=1e-15)
