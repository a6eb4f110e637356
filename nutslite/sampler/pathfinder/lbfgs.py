"""The way of L-BFGS up to a mode, with the normal distribution that its curvature makes at each of its points.

Liu and Nocedal (1989), Mathematical Programming 45:503-528, with a diagonal that is updated after Gilbert and
Lemarechal (1989), Mathematical Programming 45:407-435. Steps satisfy the strong Wolfe conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite.sampler.pathfinder.low_rank_normal import LowRankNormal, from_steps

FloatArray = NDArray[np.float64]
Evaluate = Callable[[FloatArray], tuple[float, FloatArray]]
"""Log density and gradient at a position."""
End = tuple[float, float, float]
"""A length along a direction, the log density there, and its slope."""

HISTORY = 6
MOST_ITERATIONS = 1000
MOST_TRIALS = 30  # of lengths, for each step
ENOUGH, FLAT = 1e-4, 0.1  # of Wolfe's conditions: of the rise that the slope promises; of the slope that may be left
LEAST_CURVATURE = 1e-12  # of a step, relative
RISEN = 1e-13  # the log density by no more than this, relative to its size: it has converged
LONGEST = 10.0  # times longer that the next trial may be


@dataclass(frozen=True)
class Point:
    """A position with its log density and gradient."""

    position: FloatArray
    value: float
    gradient: FloatArray


def climb(evaluate: Evaluate, start: FloatArray, history: int = HISTORY) -> Iterator[tuple[Point, LowRankNormal]]:
    """The points of the way and their normals, each centred one Newton step further; nothing where there is no density.

    Parameters
    ----------
    evaluate : callable
    start : ndarray, shape (dimension,)
    history : int
        How many steps the curvature is made of.
    """
    point = _at(evaluate, start)
    if point is None:
        return
    variances = np.ones(start.size)
    steps, changes = np.empty((0, start.size)), np.empty((0, start.size))
    for _ in range(MOST_ITERATIONS):
        normal = from_steps(point.position, variances, steps, changes)
        if normal is None:  # rounding has the better of it: begin again from the diagonal
            steps, changes = steps[:0], changes[:0]
            normal = from_steps(point.position, variances, steps, changes)
        if normal is None:
            return
        normal = normal.moved(point.gradient)
        yield point, normal
        before, point = point, _step(evaluate, point, normal.center - point.position, begun=bool(len(steps)))
        if point is None:
            return
        step, change = point.position - before.position, before.gradient - point.gradient
        if step @ change > LEAST_CURVATURE * (change @ change):
            variances = _diagonal(variances, step, change)
            steps = np.concatenate([steps, step[None]])[-history:]
            changes = np.concatenate([changes, change[None]])[-history:]
        if point.value - before.value <= RISEN * max(1.0, abs(point.value)):
            return


def _at(evaluate: Evaluate, position: FloatArray) -> Point | None:
    value, gradient = evaluate(position)
    return Point(position, value, gradient) if np.isfinite(value) and np.isfinite(gradient).all() else None


def _diagonal(variances: FloatArray, step: FloatArray, change: FloatArray) -> FloatArray:
    """The diagonal that goes on from `variances` and has the curvature of the step.

    That of the BFGS update of the precision P = diag(1 / variances), P + y y' / (s'y) - P s s'P / (s'P s), for the step
    s and the change y; P is first multiplied by (y'P^-1 y) / (s'y), so that it has the size of the curvature along y.
    """
    along, of_change, of_step = change @ step, change @ (variances * change), step @ (step / variances)
    precisions = of_change / (along * variances) + change**2 / along
    precisions -= of_change * (step / variances) ** 2 / (along * of_step)
    return np.asarray(np.where(precisions > 0.0, 1.0 / precisions, variances))


def _step(evaluate: Evaluate, point: Point, direction: FloatArray, begun: bool) -> Point | None:
    """A point along the direction that satisfies both conditions, or the highest that was found; None where none is.

    The interval from `low`, where the density still rises, to `high` is made smaller by cubic interpolation.
    """
    slope = float(point.gradient @ direction)
    if not slope > 0.0:
        return None
    before = low = (0.0, point.value, slope)
    high: End | None = None
    best, length = None, 1.0 if begun else min(1.0, 1.0 / float(np.linalg.norm(direction)))
    for _ in range(MOST_TRIALS):
        found = _at(evaluate, point.position + length * direction)
        if found is None:
            high = (length, -np.inf, np.nan)
        else:
            here = (length, found.value, float(found.gradient @ direction))
            rises = found.value >= point.value + ENOUGH * length * slope
            if rises and (best is None or found.value > best.value):
                best = found
            if rises and abs(here[2]) <= FLAT * slope:
                return found
            if rises and here[2] > 0.0 and found.value >= low[1]:
                before, low = low, here
            else:
                high = here
        length = _between(low, high) if high is not None else _beyond(before, low)
    return best


def _beyond(before: End, low: End) -> float:
    """The next length to try where the density still rises: where the slope would be zero if it went on as it does."""
    bend = (before[2] - low[2]) / (low[0] - before[0])
    further = low[2] / bend if bend > 0.0 else np.inf
    return low[0] + float(np.clip(further, 0.1 * low[0], LONGEST * low[0]))


def _between(low: End, high: End) -> float:
    """The next length to try: where the cubic through both ends is highest, well inside."""
    width = high[0] - low[0]
    if not np.isfinite(high[2]):
        return low[0] + 0.1 * width
    middle = low[2] + high[2] - 3.0 * (high[1] - low[1]) / width
    root = np.sqrt(max(middle * middle - low[2] * high[2], 0.0))
    bottom = low[2] - high[2] + 2.0 * root
    share = (low[2] + root - middle) / bottom if bottom != 0.0 else 0.5
    return low[0] + width * float(np.clip(share if np.isfinite(share) else 0.5, 0.02, 0.98))
