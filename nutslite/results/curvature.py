"""The curvature of the likelihood of a quantile: how dense responses are around it.

A check loss has a kink, and the curvature of its expectation is the density of the response at the quantile. The
posterior knows that density as far as its draws reach. Where rows are independent that is enough (coverage of 0.93 to
0.96 at levels of 0.1 to 0.9 over 500 data sets each). In clusters draws reach as far as they would over as many
independent rows, while the estimate moves further: 95 % intervals then held the truth as rarely as in 91 %. There the
density is Powell's (1991, Estimation of monotonic regression models under quantile restrictions): rows count that lie
within a bandwidth of the quantile, over which slopes of their log likelihoods are differenced: ``1{|r| < c}/(2 c)`` of
the residuals r, with ``2 c = s (Phi^-1(tau + h) - Phi^-1(tau - h))``, s their spread, and the bandwidth h of Hall and
Sheather (1988, JRSS B 50:381-391) on the scale of levels (Parente and Santos Silva, 2016,
doi:10.1515/jem-2014-0011). So the stretch reaches from one of these quantiles of a normal variable to the other, as in
the difference of quantiles for which that bandwidth is best. Koenker (2005, Quantile Regression, section 3.4.2) takes
twice its length, over which the density at a median averages a ninth too low. Over independent rows it is too low at
the median in either length: intervals of 95 % held the truth in 98 %.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.record.assembled import Assembled

FloatArray = NDArray[np.float64]

CONFIDENCE = 0.95  # of the interval that Hall and Sheather's bandwidth is best for
NEARER = 0.9  # of the way from the level to 0 or 1, at most
IQR_OF_NORMAL = 1.34
STEP_OF_LOG = 0.1  # of the other predictors, whose slopes are smooth


def why_not_by_density(assembled: Assembled, *, clustered: bool) -> str | None:
    """Why a model's curvature is left to the posterior; None where it is one of densities."""
    spec = assembled.spec
    if not clustered:
        return "rows are independent"
    if not isinstance(spec.family.quantile, float):
        return "it has several levels"
    if any(predictor.group_terms for predictor in spec.design.predictors.values()):
        return "effects of groups are integrated out"
    if spec.links[spec.family.parent.name] != "identity":
        return "the quantile is not linear in the coefficients"
    return None


def bandwidth(n: int, level: float) -> float:
    """Of levels, by Hall and Sheather, such that both ends lie between 0 and 1."""
    normal = NormalDist()
    z = normal.inv_cdf(level)
    root = (1.5 * normal.pdf(z) ** 2 / (2.0 * z * z + 1.0)) ** (1.0 / 3.0)
    best = n ** (-1.0 / 3.0) * normal.inv_cdf(0.5 + 0.5 * CONFIDENCE) ** (2.0 / 3.0) * root
    return float(min(best, NEARER * min(level, 1.0 - level)))


def half_length(residuals: FloatArray, level: float) -> float:
    """Half the length of the stretch around the quantile whose rows count, in the unit of the response."""
    h, normal = bandwidth(residuals.size, level), NormalDist()
    low, high = np.quantile(residuals, [0.25, 0.75])
    scale = min(float(residuals.std(ddof=1)), float(high - low) / IQR_OF_NORMAL) or float(residuals.std(ddof=1))
    return 0.5 * scale * (normal.inv_cdf(level + h) - normal.inv_cdf(level - h))


def precision_of(columns: FloatArray, predictors: NDArray[np.int64], curvature: FloatArray) -> FloatArray:
    """The likelihood's precision (p, p) of coefficients: ``sum_i x_ai x_bi c_i`` with c of their predictors.

    Parameters
    ----------
    columns : ndarray, shape (p, n)
    predictors : ndarray of int, shape (p,)
    curvature : ndarray, shape (k, k, n)
        Of each row's log likelihood, by its linear predictors.
    """
    found = np.empty((len(columns), len(columns)))
    for a in np.unique(predictors):
        for b in np.unique(predictors):
            rows, others = np.flatnonzero(predictors == a), np.flatnonzero(predictors == b)
            found[np.ix_(rows, others)] = (columns[rows] * curvature[a, b]) @ columns[others].T
    return found
