"""Whether a target falls more slowly than a proposal where hardly any draw of the proposal comes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nutslite.sampler.independence.proposals import Proposal

FloatArray = NDArray[np.float64]

PROBES = np.array([3.0, 4.5, 7.0, 10.0, 15.0, 25.0, 40.0])  # distances in standard deviations
PROBED_DIRECTIONS = 32  # besides the principal axes
SEED = 1000  # of the directions, which are always the same
NEGLIGIBLE = 1e-5  # share of the target that does not matter, however small the proposal is there


def has_heavier_tails(
    log_densities: Callable[[FloatArray], FloatArray], proposal: Proposal, log_weights: FloatArray, largest: float
) -> bool:
    """Whether weights above `largest` times the mean of `log_weights`, those of draws, are somewhere far out.

    Looked at along the proposal's axes and some other directions. A chain that came to such a point would stay there,
    and one that does not come there misses a part of the posterior without a word.

    Parameters
    ----------
    log_densities : callable
        The target's log densities (n,) at positions (n, d). It is called once.
    """
    d = proposal.center.size
    probes, distances = _probes(d)
    positions = proposal.center + probes @ proposal.factor.T
    values = log_densities(np.concatenate([proposal.center[None], positions]))
    # A bound of what is as far out as a probe: the density there, times the space that there is
    shares = values[1:] - values[0] + d * np.log(distances)
    matter = np.flatnonzero(shares > math.log(NEGLIGIBLE))
    if not matter.size:
        return False
    found = values[1 + matter] - proposal.log_density(positions[matter])
    highest = float(np.max(log_weights))
    mean = highest + math.log(float(np.mean(np.exp(log_weights - highest))))
    return bool(np.max(np.where(np.isfinite(found), found, -np.inf)) > mean + math.log(largest))


@functools.cache
def _probes(d: int) -> tuple[FloatArray, FloatArray]:
    """Where it looks, in standard deviations, shape (n, d), and how far away that is, shape (n,)."""
    directions = np.concatenate(
        [np.eye(d), np.random.default_rng(SEED).normal(size=(PROBED_DIRECTIONS if d > 1 else 0, d))]
    )
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    both = np.concatenate([directions, -directions])
    return (PROBES[:, None, None] * both).reshape(-1, d), np.repeat(PROBES, len(both))
