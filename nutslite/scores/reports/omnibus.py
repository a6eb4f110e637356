"""Whether the numbers of a report, all together, are farther from what is expected than chance makes them.

Many numbers are looked at, and one of twenty is outside its range of 95 % by chance. What counts is therefore the
farthest of them, beside the farthest in each simulation (the max-T method of Westfall and Young, 1993, Resampling-based
multiple testing, section 2.3). Observations and simulated ones are treated alike, so that a right forecast has a
p-value of at most alpha in a share alpha of cases at most, however few the simulations (Barnard, 1963, JRSS B 25:294;
Besag and Clifford, 1989, Biometrika 76:633-642).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public

FloatArray = NDArray[np.float64]

MOST_LEFT_OUT = 1000  # simulations, up to which each is compared with all others, and not with all
FEWEST = 3  # simulations
TIE = 1e-9  # relative difference of distances that are the same but for rounding


@public
class Omnibus(NamedTuple):
    """What chance makes of the numbers that a verdict looks at.

    Attributes
    ----------
    p_value : float
        How often, if the forecast is right, one of them at least is as far from what is expected.
    adjusted : dict of str to float
        By measure: how often one of them, whichever, is as far as this one is. The smallest is `p_value`.
    """

    p_value: float
    adjusted: Mapping[str, float]


def omnibus_of(
    names: Sequence[str], both: Sequence[bool], observed: FloatArray, simulated: FloatArray
) -> Omnibus | None:
    """Of numbers (m,), and of the same numbers of simulated observations (R, m); None where nothing can be compared.

    Distances are from the mean of all others, in their standard deviations to the same side: numbers that cannot be
    negative are skewed. Those that are no fault below what is expected, not `both`, count above it only. A number that
    is not finite somewhere, or never changes, is left out.
    """
    pool = np.concatenate([observed[None], simulated])
    if len(simulated) <= 2:
        return None
    kept = np.flatnonzero(np.isfinite(pool).all(axis=0) & (np.ptp(simulated, axis=0) > 0.0))
    if not kept.size:
        return None
    distances = _distances(pool[:, kept], np.array(both)[kept])
    farthest = distances.max(axis=1) * (1.0 + TIE)
    adjusted = {names[int(place)]: float(np.mean(farthest >= distances[0, j])) for j, place in enumerate(kept)}
    return Omnibus(min(adjusted.values()), adjusted)


def _distances(pool: FloatArray, both: NDArray[np.bool_]) -> FloatArray:
    """Of each row of the pool (R + 1, m) from all others; of very many from all, which is the same."""
    if len(pool) > MOST_LEFT_OUT:
        deviations = pool - pool.mean(axis=0)
        return np.maximum(deviations / _sds(deviations), both * -deviations / _sds(-deviations))
    found = np.empty(pool.shape)
    for row in range(len(pool)):
        others = np.delete(pool, row, axis=0)
        center = others.mean(axis=0)
        above, below = _sds(others - center), _sds(center - others)
        found[row] = np.maximum((pool[row] - center) / above, both * (center - pool[row]) / below)
    return found


def _sds(deviations: FloatArray) -> FloatArray:
    """Root of the mean square of those that are positive."""
    above = np.maximum(deviations, 0.0)
    counts = np.maximum(np.count_nonzero(above, axis=0), 1)
    return np.maximum(np.sqrt(np.sum(above**2, axis=0) / counts), np.finfo(float).tiny)
