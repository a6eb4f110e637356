"""Are values uniform? Pearson's chi-squared for ranks, and tests of values between 0 and 1, dependent ones included.

Values of a probability integral transform that come from leave-one-out posteriors depend on each other: each posterior
saw all rows but one. Tests for independent values then reject too rarely. Those of Tesso and Vehtari (2026,
arXiv:2603.02928) make one p-value of each value and combine them by the Cauchy distribution (Liu and Xie 2020, JASA
115:393-402), whose tail hardly feels the dependence.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import DataError, refuse_other
from nutslite.scores.calibration.bands import equal_steps, excursion_test
from nutslite.scores.numerics.checks import numbers

FloatArray = NDArray[np.float64]
CountArray = NDArray[np.int64]

MOST_BINS = 20
FEWEST_PER_BIN = 5  # expected ranks in a bin, below which the chi-squared approximation is not trusted
MOST_POINTS = 100  # at which an empirical distribution function is looked at
METHODS = ("ecdf", "pot", "piet", "prit")


class Uniformity(NamedTuple):
    """What a test of uniformity finds.

    Attributes
    ----------
    p_value : float
    influence : ndarray, shape (n,)
        What each value adds to the evidence against uniformity (Shapley values; they add up to the statistic). All nan
        for the test of the whole curve.
    """

    p_value: float
    influence: FloatArray


@public
def uniformity_test(u: FloatArray, method: str = "pot") -> Uniformity:
    """Test whether values between 0 and 1 are uniform.

    Tesso and Vehtari (2026), arXiv:2603.02928; "ecdf": Säilynoja, Bürkner and Vehtari (2022), Statistics and
    Computing 32:32. ``p = 1/2 - atan(mean_i tan(pi (1/2 - p_i))) / pi``.

    Parameters
    ----------
    u : array_like, shape (n,)
        Values of a probability integral transform.
    method : str
        ``"pot"``: POT-C, every order statistic against its beta distribution. ``"piet"``: PIET-C, every value by itself
        against the tails. ``"prit"``: PRIT-C, the number of values up to each value against its binomial distribution,
        for values that repeat. These three hold for dependent values. ``"ecdf"``: the largest excursion of the
        empirical distribution function at 100 points; exact for independent values.

    Returns
    -------
    Uniformity
        Of the p-values p_i of single values the statistic is the mean of tan(pi (1/2 - p_i)), where POT-C and PRIT-C
        count p_i >= 1/2 as 0, and p = 1/2 - atan(statistic) / pi.

    Raises
    ------
    DataError
        Where values are missing or outside 0 to 1.
    ArgumentError
        For an unknown method.

    Notes
    -----
    Of rows that fall together in groups none of these is right: `evaluate` with `groups` has a test.

    Examples
    --------
    >>> import numpy as np
    >>> u = (np.arange(100) + 0.5) / 100
    >>> bool(uniformity_test(u).p_value > 0.4), bool(uniformity_test(u**2).p_value < 0.01)
    (True, True)
    """
    refuse_other("method", method, METHODS)
    u = numbers("u", u, "unit")
    if u.ndim != 1 or u.size == 0:
        raise DataError(f"u has one number from 0 to 1 for each row; its shape is {u.shape}.")
    if method == "ecdf":
        n_values = min(MOST_POINTS, max(2, u.size))
        points = equal_steps(n_values)
        counts = np.searchsorted(np.sort(u), np.array(points), side="right")
        return Uniformity(excursion_test(counts, u.size, points), np.full(u.size, math.nan))
    p = {"pot": _order_p_values, "piet": _tail_p_values, "prit": _rank_p_values}[method](u)
    p = np.where(p < 1.0, p, 1.0 - 0.5 / u.size)  # a value in the very middle must not outweigh all others
    evidence = np.tan((0.5 - p) * np.pi)
    counted = evidence if method == "piet" else np.where(p < 0.5, evidence, 0.0)
    return Uniformity(float(0.5 - np.arctan(counted.mean()) / np.pi), _shapley_of_mean(evidence))


def _order_p_values(u: FloatArray) -> FloatArray:
    """Two-sided: the i-th smallest of n uniform values is Beta(i, n + 1 - i)."""
    from scipy.special import betainc

    order = np.argsort(u, kind="stable")
    i = np.arange(1, u.size + 1)
    below = betainc(i, i[::-1], u[order])
    p = np.empty(u.size)
    p[order] = 2.0 * np.minimum(below, 1.0 - below)
    return p


def _tail_p_values(u: FloatArray) -> FloatArray:
    return 2.0 * np.minimum(u, 1.0 - u)


def _rank_p_values(u: FloatArray) -> FloatArray:
    """Two-sided: the number of values up to u is binomial."""
    from scipy.special import bdtr

    n = u.size
    up_to = np.searchsorted(np.sort(u), u, side="right")
    return np.minimum(1.0, 2.0 * np.minimum(bdtr(up_to, n, u), 1.0 - bdtr(up_to - 1, n, u)))


def _shapley_of_mean(values: FloatArray) -> FloatArray:
    """Shapley values of a game whose worth is the mean over the players present, 0 without any."""
    n = values.size
    if n == 1:
        return values.copy()
    harmonic = float(np.sum(1.0 / np.arange(1, n + 1)))
    others = (values.sum() - values) / (n - 1)
    return values / n + (harmonic - 1.0) / n * (values - others)


def chi_squared_bins(n_ranks: int, n_values: int) -> int:
    """Number of equal bins: the largest divisor of `n_values` that leaves enough expected ranks to each; at least 2.

    Returns 0 where even two bins would hold too few, or `n_values` has no divisor that serves.
    """
    most = min(MOST_BINS, n_ranks // FEWEST_PER_BIN)
    return max((bins for bins in range(2, most + 1) if n_values % bins == 0), default=0)


def chi_squared_test(ranks: CountArray, n_values: int) -> tuple[float, float]:
    """Pearson's statistic and p-value for ranks that should be uniform on 0, ..., n_values - 1.

    Returns (nan, nan) where there are too few ranks for the statistic's approximate distribution.
    """
    bins = chi_squared_bins(ranks.size, n_values)
    if bins == 0:
        return math.nan, math.nan
    counts = np.bincount(ranks // (n_values // bins), minlength=bins)
    expected = ranks.size / bins
    statistic = float(np.sum((counts - expected) ** 2) / expected)
    return statistic, chi_squared_tail(statistic, bins - 1)


def chi_squared_tail(x: float, degrees: int) -> float:
    """Probability that a chi-squared variable with so many degrees of freedom exceeds `x`.

    Q(1/2, x) = erfc(sqrt(x)), Q(1, x) = exp(-x), and Q(a + 1, x) = Q(a, x) + x^a exp(-x) / Gamma(a + 1) (DLMF 8.8.6).
    """
    if x <= 0.0:
        return 1.0
    half, a = 0.5 * x, 1.0 if degrees % 2 == 0 else 0.5
    total = math.exp(-half) if degrees % 2 == 0 else math.erfc(math.sqrt(half))
    while a < 0.5 * degrees:
        total += math.exp(a * math.log(half) - half - math.lgamma(a + 1.0))
        a += 1.0
    return min(1.0, total)
