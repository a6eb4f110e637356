"""The smallest value of a convex function of weights that are not negative and add up to one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Function = Callable[[FloatArray], tuple[float, FloatArray, FloatArray]]

ENOUGH = 1e-10  # violation of the conditions of optimality
MOST_STEPS = 500
NOTHING = 1e-14


def smallest_on_simplex(function: Function, size: int) -> FloatArray:
    """Weights where a convex function is smallest, by Newton's steps among weights that are not 0.

    Started from equal weights; where weights of several forecasts may be exchanged, as of identical ones, the step of
    least length leaves them equal.

    Parameters
    ----------
    function : callable
        Of weights, shape (size,): value, gradient, Hessian.
    size : int

    Returns
    -------
    ndarray, shape (size,)
    """
    w = np.full(size, 1.0 / size)
    value, gradient, hessian = function(w)
    shut: set[int] = set()  # weights that a step wanted below zero at once
    for _ in range(MOST_STEPS):
        multiplier = float(w @ gradient)
        if violation(w, gradient) < ENOUGH:
            return w
        free = w > 0.0
        lowest = int(np.argmin(np.where(free | np.isin(np.arange(size), list(shut)), np.inf, gradient)))
        if not free[lowest] and gradient[lowest] < multiplier - ENOUGH and lowest not in shut:
            free[lowest] = True
        places = np.flatnonzero(free)
        step = np.zeros(size)
        step[places] = _newton(gradient[places], hessian[np.ix_(places, places)])
        down = step < 0.0
        reach = np.min(np.where(down, -w / np.where(down, step, -1.0), np.inf))
        if reach <= 0.0:
            shut |= {int(place) for place in np.flatnonzero(down & (w == 0.0))}
            continue
        w, value, gradient, hessian, moved = _along(function, w, step, min(1.0, float(reach)), value, gradient)
        if not moved:
            return w
        shut = set()
    return w


def violation(w: FloatArray, gradient: FloatArray) -> float:
    """How far weights are from the conditions of optimality (Karush, Kuhn and Tucker): 0 at the smallest value.

    The gradient is the same wherever a weight is positive, and nowhere smaller.
    """
    multiplier = float(w @ gradient)
    used = w > 0.0
    return max(float(np.abs(gradient[used] - multiplier).max()), float(np.max(multiplier - gradient)))


def _newton(gradient: FloatArray, hessian: FloatArray) -> FloatArray:
    """The shortest step to the minimum of the quadratic that leaves the sum as it is."""
    size = gradient.size
    basis = np.eye(size) - 1.0 / size
    inside = basis @ hessian @ basis
    step = np.linalg.lstsq(inside, -basis @ gradient, rcond=1e-12)[0]
    return np.asarray(basis @ step)


def _along(
    function: Function, w: FloatArray, step: FloatArray, reach: float, value: float, gradient: FloatArray
) -> tuple[FloatArray, float, FloatArray, FloatArray, bool]:
    """A point along the step that is lower, no further than `reach`."""
    length, slope = reach, float(gradient @ step)
    for _ in range(60):
        new = w + length * step
        new[new < NOTHING] = 0.0
        new /= new.sum()
        found = function(new)
        if np.isfinite(found[0]) and found[0] <= value + 1e-4 * length * min(slope, 0.0) + 1e-15 * abs(value):
            return (new, *found, True)
        length *= 0.5
    return (w, *function(w), False)
