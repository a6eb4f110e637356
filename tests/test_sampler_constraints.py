"""Constraints of users' densities: round trips, log-Jacobians, pull-backs; blocks are tested in test_transforms.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nutslite._numba import jit_disabled
from nutslite.sampler import DifferentiatedDensity, constraints
from nutslite.sampler.densities.differences import differences_of
from nutslite.sampler.densities.differentiated import _ByDuals

BOUNDED = {
    "positive": ((), 0.0, math.inf),
    "lower": ((-2.5,), -2.5, math.inf),
    "upper": ((1.5,), -math.inf, 1.5),
    "interval": ((-3.0, 40.0), -3.0, 40.0),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_numbers_with_bounds(name):
    bounds, lowest, highest = BOUNDED[name]
    constrain, pull_back, unconstrain = (
        getattr(constraints, f"{name}_{what}") for what in ("constrain", "pull_back", "unconstrain")
    )
    step = 1e-5
    for u in (-9.0, -1.3, 0.0, 0.4, 6.0):
        x, log_jacobian = constrain(u, *bounds)
        assert lowest < x < highest
        assert unconstrain(x, *bounds) == pytest.approx(u, rel=1e-8, abs=1e-8)
        (above, log_above), (below, log_below) = constrain(u + step, *bounds), constrain(u - step, *bounds)
        slope = (above - below) / (2.0 * step)
        assert log_jacobian == pytest.approx(math.log(abs(slope)), abs=1e-6)
        rise = (log_above - log_below) / (2.0 * step)
        assert pull_back(u, *bounds, 0.7) == pytest.approx(0.7 * slope + rise, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("u", [-745.0, 700.0])
def test_an_interval_far_out(u):
    x, log_jacobian = constraints.interval_constrain(u, 0.0, 1.0)
    assert 0.0 <= x <= 1.0
    assert log_jacobian == pytest.approx(-abs(u), rel=1e-12)


def test_vectors_that_increase():
    u = np.array([0.4, -1.0, 2.0, 0.1])
    x, back, gradient = np.empty(4), np.empty(4), np.full(4, 0.25)
    log_jacobian = constraints.ordered_constrain(u, x)
    assert np.all(np.diff(x) > 0.0)
    constraints.ordered_unconstrain(x, back)
    np.testing.assert_allclose(back, u, rtol=1e-12)
    assert log_jacobian == pytest.approx(u[1:].sum())
    adjoint = np.array([0.3, -2.0, 1.0, 0.5])

    def whole(at):
        out = np.empty(4)
        return constraints.ordered_constrain(at, out) + float(adjoint @ out)

    constraints.ordered_pull_back(u, adjoint, gradient)
    np.testing.assert_allclose(gradient - 0.25, differences_of(whole)(u)[1], rtol=1e-9)


def of_everything(position):
    """A density that uses every constraint, whose gradient dual numbers find."""
    scale, total = constraints.positive_constrain(position[0])
    share, log_jacobian = constraints.interval_constrain(position[1], -1.0, 3.0)
    total = total + log_jacobian + scale * share
    parts = constraints.vector_like(position, 3)
    total += constraints.simplex_constrain(position[2:4], parts)
    cuts = constraints.vector_like(position, 2)
    total += constraints.ordered_constrain(position[4:6], cuts)
    factor = constraints.matrix_like(position, 2, 2)
    total += constraints.cholesky_constrain(position[6:7], factor)
    total += math.log(parts[0]) - 0.5 * parts[1] * parts[2] - cuts[0] * cuts[1] ** 2
    for i in range(2):
        for j in range(i + 1):
            total += (i + 2 * j + 1) * factor[i, j] ** 2
    return total


AT = np.array([0.3, -0.8, 0.5, -1.1, 0.2, -0.4, 0.9])


def test_dual_arrays_go_through_all_constraints():
    value, gradient = _ByDuals(of_everything, ())(AT)
    expected, slopes = differences_of(of_everything)(AT)
    assert value == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-8, atol=1e-9)


@pytest.mark.slow  # compiles every constraint once more, with dual numbers
@pytest.mark.skipif(jit_disabled(), reason="nothing compiles")
def test_compiled_dual_numbers_go_through_all_constraints():
    density = DifferentiatedDensity(of_everything)
    value, gradient = density.evaluate(AT)
    assert density.method == "compiled"
    expected, slopes = _ByDuals(of_everything, ())(AT)
    assert value == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-12)
