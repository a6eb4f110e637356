"""The mode of a log density of few dimensions, and the curvature there: where chains start and how they are scaled.

By values alone, many at once: gradients would have to be compiled, which takes longer than all of this.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
LogDensities: TypeAlias = Callable[[FloatArray], FloatArray]

DIFFERENCE = 1e-3  # first step of the central differences, where no scale is known ...
DIFFERENCE_SDS = 0.1  # ... and in standard deviations afterwards: far above rounding, below the density's shape
MAX_NEWTON_STEPS = 50
LARGEST_STEP = 5.0  # per coordinate, on the unconstrained scale
HALVINGS = 30
ROUGHLY = 1e-3  # of a log density
SETTLED = 1e-3  # by which the log density may still rise, twice, at a mode that was found


@dataclass(frozen=True)
class Mode:
    """A mode and the covariance that the curvature there implies.

    Attributes
    ----------
    position : ndarray, shape (d,)
    covariance : ndarray, shape (d, d)
        Inverse of the negative Hessian.
    logdensity : float
    evaluations : int
        Of the log density, that it took.
    settled : bool
        Whether another step of Newton's would hardly rise, and the search has not just run out of steps.
    """

    position: FloatArray
    covariance: FloatArray
    logdensity: float
    evaluations: int = 0
    settled: bool = True


def find_mode(
    log_densities: LogDensities, start: FloatArray, scales: FloatArray | None = None, roughly: bool = False
) -> Mode | None:
    """Newton's method with step halving, on a parabola through points around the present one.

    Parameters
    ----------
    log_densities : callable
        Values (m,) at positions (m, d).
    start : ndarray, shape (d,)
    scales : ndarray, shape (d,), optional
        Rough standard deviations, where they are known beforehand.
    roughly : bool
        Stop when the log density rises by less than `ROUGHLY`, and turn negative curvature around: for coordinates,
        which need no exact mode.

    Returns
    -------
    Mode or None
        None where no mode with a positive definite curvature was found: the caller then adapts while sampling.
    """
    position, evaluations = np.array(start, dtype=float), 0

    def counted(positions: FloatArray) -> FloatArray:
        nonlocal evaluations
        evaluations += len(positions)
        return log_densities(positions)

    steps = np.full(position.size, DIFFERENCE) if scales is None else DIFFERENCE_SDS * scales
    local = parabola(counted, position, steps)
    for _ in range(MAX_NEWTON_STEPS):
        if local is None:
            return None
        value, gradient, precision = local
        step, steps = _newton(precision, gradient, steps)
        decrement = float(gradient @ step)
        moved = _line_search(counted, position, value, step, decrement)
        if moved is not None:
            position = moved
        local = parabola(counted, position, steps)
        if moved is None or decrement < 1e-6 or (roughly and local is not None and local[0] < value + ROUGHLY):
            break
    if local is None:
        return None
    try:
        covariance: FloatArray = np.asarray(np.linalg.inv(_turned(local[2]) if roughly else local[2]), dtype=float)
        np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return None
    settled = float(local[1] @ covariance @ local[1]) < SETTLED
    position, covariance = rounded(position, covariance)
    return Mode(position, covariance, local[0], evaluations, settled)


def rounded(position: FloatArray, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A position and a covariance to about six digits, relative to the standard deviations.

    A metric needs no more; and what the last bits of a finite difference say, which differ between processors and
    between compiled and plain Python, must not decide which draws a seed gives.
    """
    exact = np.sqrt(np.diag(covariance))
    sds = np.array([float(f"{sd:.6g}") for sd in exact])
    correlations = np.round(covariance / np.outer(exact, exact), 6)
    symmetric = 0.5 * (correlations + correlations.T)
    return sds * np.round(position / sds, 6), symmetric * np.outer(sds, sds)


def _newton(precision: FloatArray, gradient: FloatArray, steps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A Newton step, and differences in proportion to the standard deviations, where the precision gives any."""
    scale = np.sqrt(np.maximum(np.abs(precision.diagonal()), 1e-12))
    eigenvalues, vectors = np.linalg.eigh(precision / (scale[:, None] * scale))
    step = _step(eigenvalues, vectors, gradient / scale) / scale
    if eigenvalues[0] > 0.0:
        steps = DIFFERENCE_SDS * np.sqrt((vectors * vectors) @ (1.0 / eigenvalues)) / scale
    return np.clip(step, -LARGEST_STEP, LARGEST_STEP), steps


def parabola(
    log_densities: LogDensities, position: FloatArray, steps: FloatArray
) -> tuple[float, FloatArray, FloatArray] | None:
    """Value, gradient and negative Hessian by central differences; None where a value is not finite."""
    d = position.size
    i, j, moves = _stencil(d)
    values = log_densities(position + moves * steps)
    if not np.isfinite(values).all():
        return None
    value, up, down, pairs = values[0], values[1 : d + 1], values[d + 1 : 2 * d + 1], values[2 * d + 1 :]
    rises = up + down - 2.0 * value
    hessian = np.diag(rises)
    hessian[i, j] = hessian[j, i] = 0.5 * (pairs[: i.size] + pairs[i.size :] - 2.0 * value - rises[i] - rises[j])
    return float(value), (up - down) / (2.0 * steps), -hessian / (steps[:, None] * steps)


@functools.cache
def _stencil(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray]:
    """Pairs of coordinates, and multiples of the steps (n, d): none, one up, one down, a pair up, a pair down."""
    i, j = np.tril_indices(d, -1)
    single = np.eye(d)
    both = single[i] + single[j]
    return i, j, np.concatenate([np.zeros((1, d)), single, -single, both, -both])


def newton_step(precision: FloatArray, gradient: FloatArray) -> FloatArray:
    """Newton step, with negative curvature turned around (a scaled gradient step in those directions)."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(precision)), 1e-12))
    return _step(*np.linalg.eigh(precision / np.outer(scale, scale)), gradient / scale) / scale


def _step(eigenvalues: FloatArray, vectors: FloatArray, gradient: FloatArray) -> FloatArray:
    return np.asarray(vectors @ ((vectors.T @ gradient) / np.maximum(np.abs(eigenvalues), 1e-8)))


def _turned(precision: FloatArray) -> FloatArray:
    """The precision with the signs of negative eigenvalues changed, and none of them far below the others."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(precision)), 1e-12))
    eigenvalues, vectors = np.linalg.eigh(precision / np.outer(scale, scale))
    eigenvalues = np.maximum(np.abs(eigenvalues), 1e-4)
    return np.asarray((vectors * eigenvalues) @ vectors.T * np.outer(scale, scale))


def _line_search(
    log_densities: LogDensities, position: FloatArray, value: float, step: FloatArray, decrement: float
) -> FloatArray | None:
    """The first of the step, its half, ... that raises the density by a part of what was promised."""
    size = 1.0
    for _ in range(HALVINGS):
        proposal = position + size * step
        new_value = float(log_densities(proposal[None])[0])
        if np.isfinite(new_value) and new_value >= value + 1e-4 * size * min(decrement, 1.0) - 1e-12 * abs(value):
            return proposal
        size *= 0.5
    return None
