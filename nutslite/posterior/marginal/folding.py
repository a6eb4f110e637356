"""Scales of group effects that may be zero, folded: sampled as an even function of a number on the line.

A scale that the data hardly inform has an endless left tail on the log scale, where mixing is slow. Folded
(`transforms.FOLD`) its density is smooth through zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.marginal.reduction import Reduction
from nutslite.posterior.record.transforms import FOLD, LOG
from nutslite.priors.densities.codes import HALF_CAUCHY, HALF_FLAT, HALF_NORMAL, HALF_STUDENT_T

FloatArray = NDArray[np.float64]

TAIL_SDS = 4.0  # a log scale's density that many standard deviations below its mode ...
TAIL_DROP = 7.0  # ... has fallen by this much (a normal density's by 8), or it has a long left tail
EVEN = (HALF_FLAT, HALF_NORMAL, HALF_STUDENT_T, HALF_CAUCHY)
START = float(np.arcsinh(1.0))  # of a folded scale at its typical size


def foldable(reduction: Reduction) -> NDArray[np.bool_]:
    """Scales of group effects whose prior density is smooth and flat at zero, as an even function of the scale."""
    head = reduction.data.head
    out = np.zeros(head.transforms.size, dtype=bool)
    scales = reduction.data.scales
    if not scales.size:
        return out
    out[scales[scales < out.size]] = True
    return out & (head.transforms == LOG) & (head.bounds[0] == 0.0) & np.isin(head.densities, EVEN)


def tailed(
    values: Callable[[FloatArray], FloatArray], mode: FloatArray, sds: FloatArray, height: float
) -> NDArray[np.bool_]:
    """Parameters whose density falls too slowly to the left; `values` are log densities (m,) of positions (m, d)."""
    return np.asarray(values(mode - np.diag(TAIL_SDS * sds)) > height - TAIL_DROP)


def folded(reduction: Reduction, sizes: FloatArray) -> Reduction:
    """With each scale that has a size (d,) folded at it; a size of 0 leaves a parameter as it is."""
    which, data = sizes > 0.0, reduction.data
    bounds = data.head.bounds.copy()
    bounds[1, : which.size][which] = sizes[which]
    transforms = data.head.transforms.copy()
    transforms[: which.size][which] = FOLD
    return replace(reduction, data=data._replace(head=data.head._replace(transforms=transforms, bounds=bounds)))
