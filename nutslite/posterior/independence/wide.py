"""A covariance as wide as a posterior whose tails are much longer than those of the normal at its mode."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.independence.trials import Trials, laplace
from nutslite.posterior.targets.target import Launch, Target

FloatArray = NDArray[np.float64]

_BESIDE = np.geomspace(0.2, 40.0, 24)
DISTANCES = np.concatenate([-_BESIDE[::-1], [0.0], _BESIDE])  # along an axis, in standard deviations of the normal
_WIDTHS = np.gradient(DISTANCES)


def wide_covariance(target: Target, launch: Launch, rng: np.random.Generator, cores: int) -> FloatArray | None:
    """The normal's covariance, each axis stretched to the mean square distance from the mode of the density along it.

    None where tails are not much longer, by draws from `rng` and the probes of `Trials`; where there is no such normal,
    as in models with many parameters; and where a density along an axis is not finite. No axis becomes shorter.
    """
    normal = laplace(launch)
    if normal is None or not Trials(target, rng, cores).has_longer_tails(normal):
        return None
    d = normal.center.size
    steps = (np.eye(d)[:, None] * DISTANCES[None, :, None]).reshape(-1, d)
    found = target.log_densities(normal.center + steps @ normal.factor.T, cores).reshape(d, -1)
    highest = np.max(np.nan_to_num(found, nan=-np.inf, posinf=np.inf), axis=1, keepdims=True)
    if not np.isfinite(highest).all():
        return None
    shares = _WIDTHS * np.exp(np.nan_to_num(found - highest, nan=-np.inf, neginf=-np.inf))
    squares = shares @ DISTANCES**2 / shares.sum(axis=1)
    factor = normal.factor * np.sqrt(np.maximum(squares, 1.0))
    return np.asarray(factor @ factor.T)
