"""How sure a mean score is: standard errors of rows that are independent, or that fall together in groups.

Rows of one group share what is not known of it, and a mean over them is less sure than their number says. Errors here
are those of sums over groups (cluster-robust; Liang and Zeger 1986, Biometrika 73:13-22), with t quantiles of one
degree of freedom less than there are groups; for numbers that are no means, groups are drawn again (cluster bootstrap).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import DataError, random_generator
from nutslite.scores.calibration.calibration_error import row_weights
from nutslite.scores.calibration.coverage import binomial_interval, coded
from nutslite.scores.calibration.pit import checked_number
from nutslite.scores.numerics.checks import numbers, probability

FloatArray = NDArray[np.float64]


class Estimate(NamedTuple):
    """A number, its standard error, and the ends of its confidence interval.

    Attributes
    ----------
    estimate, se, low, high : float
        nan where one group or row alone says nothing of chance.
    n : int
        Rows.
    groups : int
        Groups, or rows where these are independent.
    """

    estimate: float
    se: float
    low: float
    high: float
    n: int
    groups: int


@public
def mean_with_error(values: Any, groups: Any = None, weights: Any = None, confidence: float = 0.95) -> Estimate:
    """Mean score with its standard error.

    ``se^2 = G/(G - 1) sum_g (sum_{i in g} w_i (s_i - mean))^2`` with weights w that add up to one and G groups; without
    groups every row is one, which is ``sd/sqrt(n)``. The interval has t quantiles with G - 1 degrees of freedom.

    Liang and Zeger (1986), Biometrika 73:13-22.

    Parameters
    ----------
    values : array_like, shape (n,)
        Scores of rows.
    groups : array_like, shape (n,), optional
        Labels of groups that rows fall together in.
    weights : array_like, shape (n,), optional
        Of rows.
    confidence : float

    Returns
    -------
    Estimate

    Notes
    -----
    Below twenty groups even this is too small.

    Examples
    --------
    >>> found = mean_with_error([1.0, 2.0, 3.0, 4.0], ["a", "a", "b", "b"])
    >>> found.estimate, found.se, found.groups
    (2.5, 1.0, 2)
    """
    values = _values(values)
    w, codes = row_weights(weights, values.size), _codes(groups, values.size)
    mean = float(np.sum(w * values))
    count = values.size if codes is None else int(codes.max()) + 1
    if not np.all(np.isfinite(values)):
        return Estimate(mean, math.nan, math.nan, math.nan, values.size, count)
    se = _clustered(w * (values - mean), codes, count)
    reach = se * t_quantile(count, probability("confidence", confidence))
    return Estimate(mean, se, mean - reach, mean + reach, values.size, count)


@public
def difference_with_error(
    first: Any, second: Any, groups: Any = None, weights: Any = None, confidence: float = 0.95
) -> Estimate:
    """Mean of ``first - second``, scores of the same rows, with its standard error: paired, as `mean_with_error`.

    Rows that are hard for both forecasts cancel, so that this is far surer than either mean.

    ``mean(s_i - t_i)``: Diebold and Mariano (1995), JBES 13:253-263, of independent rows or groups.

    Parameters
    ----------
    first, second : array_like, shape (n,)
        Scores of the same rows in the same order.
    groups, weights, confidence
        As for `mean_with_error`.

    Returns
    -------
    Estimate

    Raises
    ------
    DataError
        Where they are not of equally many rows.

    Examples
    --------
    >>> found = difference_with_error([1.0, 5.0, 2.0], [0.5, 4.0, 2.0])
    >>> round(found.estimate, 3), round(found.se, 3)
    (0.5, 0.289)
    """
    first, second = _values(first), _values(second)
    if first.shape != second.shape:
        raise DataError(f"first has {first.size} rows, second {second.size}: paired scores are of the same rows.")
    return mean_with_error(first - second, groups, weights, confidence)


@public
def root_mean_with_error(squares: Any, groups: Any = None, weights: Any = None, confidence: float = 0.95) -> Estimate:
    """Root of the mean, of squared errors for the RMSE; the error by the delta method, ``se(mean) / (2 root)``.

    The interval's ends are the roots of those of the mean.

    Oehlert (1992), The American Statistician 46:27-29.

    Parameters
    ----------
    squares : array_like, shape (n,)
        Squared errors of rows.
    groups, weights, confidence
        As for `mean_with_error`.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> round(root_mean_with_error([1.0, 9.0, 2.0]).estimate, 4)
    2.0
    """
    found = mean_with_error(squares, groups, weights, confidence)
    root = math.sqrt(max(0.0, found.estimate))
    se = found.se / (2.0 * root) if root > 0.0 else 0.0
    low, high = math.sqrt(max(0.0, found.low)), math.sqrt(max(0.0, found.high))
    return Estimate(root, se, low, high, found.n, found.groups)


@public
def share_with_error(covered: Any, groups: Any = None, weights: Any = None, confidence: float = 0.95) -> Estimate:
    """Share of rows, such as a coverage, with an interval that stays within 0 and 1.

    Of independent rows it is Clopper and Pearson's. Of groups, theirs with the number of independent rows that would
    make the same standard error, ``p(1 - p)/se^2 (t_{n-1} / t_{G-1})^2`` (Korn and Graubard 1998, Survey Methodology
    24:193-201); where all rows are the same, with the number of groups.

    Parameters
    ----------
    covered : array_like, shape (n,)
        0 or 1.
    groups, weights, confidence
        As for `mean_with_error`.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> found = share_with_error([1, 1, 1, 1, 1, 1, 1, 1, 1, 0])
    >>> found.estimate, round(found.low, 4), round(found.high, 4)
    (0.9, 0.555, 0.9975)
    """
    found = mean_with_error(covered, groups, weights, confidence)
    p, n = found.estimate, found.n
    if groups is None and weights is None:
        rows = float(n)
    elif found.se > 0.0:
        rows = p * (1.0 - p) / found.se**2
        rows *= (t_quantile(n, confidence) / t_quantile(found.groups, confidence)) ** 2
        rows = min(max(rows, 1.0), float(n))
    else:
        rows = float(found.groups)
    low, high = binomial_interval(p * rows, rows, confidence, "clopper-pearson")
    return found._replace(low=low, high=high)


@public
def bootstrapped(
    statistic: Callable[[FloatArray], float],
    n: int,
    groups: Any = None,
    replicates: int = 1000,
    confidence: float = 0.95,
    seed: Any = 0,
) -> Estimate:
    """Any number of rows with its standard error, by drawing rows, or whole groups, again with replacement.

    ``statistic(w)`` of ``w ~ Multinomial(G, (1/G, ..., 1/G))``: Efron and Tibshirani (1993), An Introduction to the
    Bootstrap; of groups Cameron, Gelbach and Miller (2008), Review of Economics and Statistics 90:414.

    Parameters
    ----------
    statistic : callable
        Of weights of rows, shape (n,): how often each was drawn. All ones is the number itself.
    n : int
        Rows.
    groups : array_like, shape (n,), optional
    replicates : int
    confidence : float
    seed : int or generator

    Returns
    -------
    Estimate
        The interval has the quantiles of the replicates (percentile method).

    Notes
    -----
    Of numbers that are biased by chance, such as calibration errors, replicates are larger than the number itself.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([1.0, 2.0, 3.0, 4.0])
    >>> bootstrapped(lambda w: float(w @ y / w.sum()), 4).estimate
    2.5
    """
    n = checked_number("n", n, 1, 10**9)
    replicates = checked_number("replicates", replicates, 2, 10**7)
    codes, rng = _codes(groups, n), random_generator(seed)
    count = n if codes is None else int(codes.max()) + 1
    drawn = np.empty(replicates)
    for place in range(replicates):
        times = np.bincount(rng.integers(count, size=count), minlength=count).astype(np.float64)
        drawn[place] = statistic(times if codes is None else times[codes])
    tail = 0.5 * (1.0 - probability("confidence", confidence))
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return Estimate(statistic(np.ones(n)), float(drawn.std(ddof=1)), float(low), float(high), n, count)


def t_quantile(groups: int, confidence: float) -> float:
    """Upper quantile of Student's t with one degree of freedom less than groups; nan for one group."""
    from scipy.special import stdtrit

    return float(stdtrit(groups - 1, 0.5 + 0.5 * confidence)) if groups > 1 else math.nan


def _clustered(deviations: FloatArray, codes: NDArray[np.int64] | None, count: int) -> float:
    if count < 2:
        return math.nan
    sums = deviations if codes is None else np.bincount(codes, deviations, count)
    return math.sqrt(count / (count - 1.0) * float(np.sum(sums**2)))


def _codes(groups: Any, n: int) -> NDArray[np.int64] | None:
    return None if groups is None else coded(groups, n, "groups")[1]


def _values(given: Any) -> FloatArray:
    values = numbers("values", given, "no nan")
    if values.ndim != 1 or values.size == 0:
        raise DataError(f"Scores are one number a row, at least one; their shape is {values.shape}.")
    return values
