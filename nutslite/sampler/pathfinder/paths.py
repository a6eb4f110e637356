"""Of the normals on the way to a mode the one that is nearest to the density.

Zhang, Carpenter, Gelman and Vehtari (2022), Journal of Machine Learning Research 23(306), algorithm 1. Draws of several
ways are weighted and resampled together (`nutslite.sampler.variational.candidates`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite.sampler.pathfinder.lbfgs import HISTORY, Evaluate, climb
from nutslite.sampler.pathfinder.low_rank_normal import LowRankNormal

FloatArray = NDArray[np.float64]

ELBO_DRAWS = 25
"""For each normal: so many decide which one is nearest."""
PATIENCE = 100
"""Steps without a nearer normal after which a way ends, as where it leads into the mouth of a funnel."""


@dataclass(frozen=True)
class Path:
    """The nearest normal of one way, its evidence lower bound, and how many gradients the way took."""

    normal: LowRankNormal
    elbo: float
    gradients: int


def find_path(
    evaluate: Evaluate,
    log_densities: Callable[[FloatArray], FloatArray],
    start: FloatArray,
    normals: FloatArray,
    history: int = HISTORY,
) -> Path | None:
    """Climb from `start`; None where no normal of the way has draws with a density.

    Parameters
    ----------
    evaluate : callable
        Log density and gradient at a position (dimension,).
    log_densities : callable
        Log densities (n,) of positions (n, dimension).
    start : ndarray, shape (dimension,)
    normals : ndarray, shape (ELBO_DRAWS, dimension)
        Standard normal numbers, the same for all normals, which so are compared without noise.
    history : int
    """
    gradients = 0

    def counted(position: FloatArray) -> tuple[float, FloatArray]:
        nonlocal gradients
        gradients += 1
        return evaluate(position)

    best, highest, since = None, -math.inf, 0
    for _, normal in climb(counted, start, history):
        found = _elbo(log_densities, normal, normals)
        since += 1
        if found > highest:
            best, highest, since = normal, found, 0
        if since == PATIENCE:
            break
    return None if best is None else Path(best, highest, gradients)


def _elbo(log_densities: Callable[[FloatArray], FloatArray], normal: LowRankNormal, normals: FloatArray) -> float:
    """The evidence lower bound of the normal, or of the part of it that lies where there is a density."""
    positions = normal.draws(normals)
    if not np.isfinite(positions).all():
        return -math.inf
    differences = log_densities(positions) + 0.5 * np.sum(normals * normals, axis=1) + normal.log_size
    inside = np.isfinite(differences)
    if not inside.any():
        return -math.inf
    return float(differences[inside].mean() + math.log(inside.mean()))
