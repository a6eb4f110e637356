"""The mode of a log density of few dimensions, and the curvature there: where chains start and how they are scaled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

FloatArray = NDArray[np.float64]
Gradients: TypeAlias = Callable[[FloatArray], tuple[FloatArray, FloatArray]]

DIFFERENCE = 1e-4  # first step of the central differences of the gradient, where no scale is known ...
DIFFERENCE_SDS = 0.02  # ... and in standard deviations afterwards: far above rounding, far below the density's shape
MAX_NEWTON_STEPS = 50
LARGEST_STEP = 5.0  # per coordinate, on the unconstrained scale


@dataclass(frozen=True)
class Mode:
    """A mode and the covariance that the curvature there implies.

    Attributes
    ----------
    position : ndarray, shape (d,)
    covariance : ndarray, shape (d, d)
        Inverse of the negative Hessian.
    logdensity : float
    gradients : int
        Gradient evaluations spent.
    """

    position: FloatArray
    covariance: FloatArray
    logdensity: float
    gradients: int


class _Counted:
    """Log densities with their gradients, for many positions at once or for one."""

    def __init__(self, gradients: Gradients) -> None:
        self.gradients, self.calls = gradients, 0

    def many(self, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        self.calls += positions.shape[0]
        return self.gradients(positions)

    def __call__(self, position: FloatArray) -> tuple[float, FloatArray]:
        values, gradients = self.many(position[None])
        return float(values[0]), gradients[0]


def find_mode(gradients: Gradients, start: FloatArray, scales: FloatArray | None = None) -> Mode | None:
    """Newton's method with step halving; the Hessian by central differences of the gradient.

    `gradients` gives log densities (m,) and gradients (m, d) of positions (m, d). `scales` are rough standard
    deviations, where they are known beforehand.

    Returns None where no mode with a positive definite curvature was found: the caller then adapts while sampling.
    """
    density = _Counted(gradients)
    position = np.array(start, dtype=float)
    value, gradient = density(position)
    if not np.isfinite(value):
        return None
    steps = np.full(position.size, DIFFERENCE) if scales is None else DIFFERENCE_SDS * scales
    for _ in range(MAX_NEWTON_STEPS):
        precision = _negative_hessian(density, position, steps)
        if precision is None:
            return None
        steps = _better_steps(precision, steps)
        step = np.clip(_positive_definite_solve(precision, gradient), -LARGEST_STEP, LARGEST_STEP)
        decrement = float(gradient @ step)
        moved = _line_search(density, position, value, step, decrement)
        if moved is None:
            break
        position, value, gradient = moved
        if decrement < 1e-6:
            break
    precision = _negative_hessian(density, position, steps)
    if precision is None:
        return None
    try:
        covariance = linalg.inv(precision)
        linalg.cholesky(covariance)
    except linalg.LinAlgError:
        return None
    position, covariance = rounded(position, covariance)
    return Mode(position, covariance, value, density.calls)


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


def _better_steps(precision: FloatArray, steps: FloatArray) -> FloatArray:
    """Differences in proportion to the standard deviations, where the precision gives any."""
    try:
        linalg.cholesky(precision)
        return np.asarray(DIFFERENCE_SDS * np.sqrt(np.diag(linalg.inv(precision))))
    except linalg.LinAlgError:
        return steps


def _negative_hessian(density: _Counted, position: FloatArray, steps: FloatArray) -> FloatArray | None:
    d = position.size
    moves = np.diag(steps)
    _, gradients = density.many(np.concatenate([position - moves, position + moves]))
    out = (gradients[:d] - gradients[d:]) / (2.0 * steps[:, None])
    return 0.5 * (out + out.T) if np.isfinite(out).all() else None


def _positive_definite_solve(precision: FloatArray, gradient: FloatArray) -> FloatArray:
    """Newton step, with negative curvature turned around (a scaled gradient step in those directions)."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(precision)), 1e-12))
    eigenvalues, vectors = linalg.eigh(precision / np.outer(scale, scale))
    eigenvalues = np.maximum(np.abs(eigenvalues), 1e-8)
    step: FloatArray = vectors @ ((vectors.T @ (gradient / scale)) / eigenvalues) / scale
    return step


def _line_search(
    density: _Counted, position: FloatArray, value: float, step: FloatArray, decrement: float
) -> tuple[FloatArray, float, FloatArray] | None:
    """The first of the step, its half, ... that raises the density by a part of what was promised."""
    size = 1.0
    for _ in range(30):
        proposal = position + size * step
        new_value, new_gradient = density(proposal)
        if np.isfinite(new_value) and new_value >= value + 1e-4 * size * min(decrement, 1.0) - 1e-12 * abs(value):
            return proposal, new_value, new_gradient
        size *= 0.5
    return None
