"""How often intervals hold what came: by level, by group, by their own width, with what chance alone would do to it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import DataError, refuse_other
from nutslite.scores.calibration.bands import band_at
from nutslite.scores.calibration.pit import checked_number
from nutslite.scores.numerics.checks import levels_of, numbers, probability

FloatArray = NDArray[np.float64]

METHODS = ("clopper-pearson", "jeffreys")


class Share(NamedTuple):
    """A share of rows, and the ends of a confidence interval for what it estimates."""

    estimate: float
    low: float
    high: float
    n: int


@public
def coverage_interval(covered: Any, confidence: float = 0.95, method: str = "clopper-pearson") -> Share:
    """Coverage (PICP) with its confidence interval, for independent rows.

    ``Beta(k, n - k + 1)`` and ``Beta(k + 1, n - k)``, k of n covered.

    Parameters
    ----------
    covered : array_like, shape (n,)
        Whether each interval holds the observation, as `coverage` says.
    confidence : float
    method : {"clopper-pearson", "jeffreys"}
        The former covers at least `confidence` always: quantiles of Beta(k, n - k + 1) and Beta(k + 1, n - k) (Clopper
        and Pearson 1934). The latter covers it on average: quantiles of Beta(k + 1/2, n - k + 1/2) (Brown, Cai and
        DasGupta 2001, Statistical Science 16:101-133).

    Returns
    -------
    Share
        Rows of the same group fall together: where there are groups, take a cluster-robust standard error instead.

    Examples
    --------
    >>> found = coverage_interval([1, 1, 1, 1, 1, 1, 1, 1, 1, 0])
    >>> round(found.low, 4), round(found.high, 4)
    (0.555, 0.9975)
    """
    covered = _covered(covered)
    low, high = binomial_interval(float(covered.sum()), covered.size, probability("confidence", confidence), method)
    return Share(float(covered.mean()), low, high, covered.size)


def binomial_interval(successes: float, n: float, confidence: float, method: str) -> tuple[float, float]:
    """Ends of the confidence interval of a binomial probability; 0 and 1 at the extremes.

    Raises
    ------
    ArgumentError
        Where there is no such method.
    """
    from scipy.special import betaincinv

    refuse_other("method", method, METHODS)
    tail, failures = 0.5 * (1.0 - confidence), n - successes
    added = (0.0, 1.0) if method == "clopper-pearson" else (0.5, 0.5)
    low = 0.0 if successes <= 0.0 else float(betaincinv(successes + added[0], failures + added[1], tail))
    high = 1.0 if failures <= 1e-9 * n else float(betaincinv(successes + added[1], failures + added[0], 1.0 - tail))
    return low, high


@public
def randomised_coverage(u: Any, level: float) -> FloatArray:
    """Whether the central interval of probability `level` holds the observation, decided by its transform: 1 or 0.

    ``|2u - 1| <= level``. Intervals of counts hold more than they say, because their ends are whole numbers; this share
    is `level` exactly if the forecast is calibrated.

    With the randomised transform of Czado, Gneiting and Held (2009).

    Parameters
    ----------
    u : array_like, shape (n,)
        Values of `pit`.
    level : float

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> randomised_coverage([0.02, 0.5, 0.9], 0.9)
    array([0., 1., 1.])
    """
    return (np.abs(2.0 * numbers("u", u, "unit") - 1.0) <= probability("level", level)).astype(np.float64)


@public
def coverage_by(covered: Any, by: Any, confidence: float = 0.95, method: str = "clopper-pearson") -> dict[Any, Share]:
    """Coverage in each group: intervals may be right on the whole and wrong in every part.

    ``sum_{i in g} 1{l_i <= y_i <= u_i} / n_g``: Romano, Barber, Sabatti and Candes (2020), Harvard Data Science Review
    2(2).

    Parameters
    ----------
    covered : array_like, shape (n,)
    by : array_like, shape (n,)
        Labels of groups.
    confidence, method
        As for `coverage_interval`.

    Returns
    -------
    dict of label to Share
        In the order of the labels.

    Notes
    -----
    Of many groups one in twenty is outside its interval by chance.

    Examples
    --------
    >>> {label: found.estimate for label, found in coverage_by([1, 1, 1, 0], ["a", "a", "b", "b"]).items()}
    {'a': 1.0, 'b': 0.5}
    """
    covered = _covered(covered)
    labels, codes = coded(by, covered.size, "by")
    return {label: coverage_interval(covered[codes == code], confidence, method) for code, label in enumerate(labels)}


@public
def coverage_by_size(
    covered: Any, size: Any, bins: int = 5, confidence: float = 0.95, method: str = "clopper-pearson"
) -> list[tuple[float, float, Share]]:
    """Coverage by the size of something: the intervals' width, a group's number of rows, a predictor.

    Intervals of one width for all rows, where the spread changes, hold too much where it is small and too little where
    it is large; by width this shows.

    ``sum_{i in b} 1{l_i <= y_i <= u_i} / n_b`` of each bin b of sizes: Angelopoulos, Bates, Malik and Jordan (2021),
    arXiv:2009.14193, section 3.

    Parameters
    ----------
    covered, size : array_like, shape (n,)
    bins : int
        Of about equally many rows; rows of the same size are never parted, so that there may be fewer.
    confidence, method
        As for `coverage_interval`.

    Returns
    -------
    list of (float, float, Share)
        Smallest and largest size of each bin, and its coverage.

    Examples
    --------
    >>> [found.estimate for _, _, found in coverage_by_size([1, 1, 0, 1], [1.0, 1.0, 2.0, 2.0], bins=2)]
    [1.0, 0.5]
    """
    covered, size = _covered(covered), numbers("size", size)
    if size.shape != covered.shape:
        raise DataError(f"size has shape {size.shape}, covered has {covered.shape}: one number for each row.")
    codes = equal_mass_bins(size, checked_number("bins", bins, 1, covered.size))
    found = []
    for code in np.unique(codes):
        part = codes == code
        share = coverage_interval(covered[part], confidence, method)
        found.append((float(size[part].min()), float(size[part].max()), share))
    return found


@public
def group_sizes(groups: Any) -> FloatArray:
    """The number of rows of each row's group: for `coverage_by_size`.

    ``n_g = #{j: g_j = g_i}`` at row i. By it coverage is looked at in Angelopoulos, Bates, Malik and Jordan (2021),
    arXiv:2009.14193.

    Parameters
    ----------
    groups : array_like, shape (n,)
        Labels of groups.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> group_sizes(["a", "b", "a"])
    array([2., 1., 2.])
    """
    groups = np.asarray(groups)
    _, codes = coded(groups, groups.shape[0] if groups.ndim else 0, "groups")
    return np.bincount(codes)[codes].astype(np.float64)


@public
def coverage_band(n: int, levels: Any, confidence: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Between which shares the coverages of all levels lie together, if forecasts are calibrated and rows independent.

    The band of the empirical distribution function of ``|2u - 1|``, which is uniform: see `bands`.

    Säilynoja, Bürkner and Vehtari (2022), Statistics and Computing 32:32.

    Parameters
    ----------
    n : int
        Rows.
    levels : array_like, shape (K,)
        Probabilities of intervals, in any order.
    confidence : float
        That all coverages are in the band.

    Returns
    -------
    low, high : ndarray, shape (K,)

    Examples
    --------
    >>> low, high = coverage_band(100, [0.5, 0.9])
    >>> low, high
    (array([0.39, 0.83]), array([0.61, 0.96]))
    """
    levels = levels_of(levels)
    n = checked_number("n", n, 1, 10**9)
    order = np.argsort(levels)
    low, high = band_at(n, tuple(levels[order].tolist()), probability("confidence", confidence))
    back = np.argsort(order)
    return low[back] / n, high[back] / n


def equal_mass_bins(values: FloatArray, bins: int) -> NDArray[np.int64]:
    """Codes 0, 1, ... of bins of about equally many rows each; equal values are in the same bin.

    A value belongs where the middle of its ranks falls.
    """
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles = (np.cumsum(counts) - 0.5 * counts) / values.size
    codes = np.minimum((middles * bins).astype(np.int64), bins - 1)
    _, codes = np.unique(codes, return_inverse=True)
    return np.asarray(codes[where.reshape(-1)], dtype=np.int64)


def coded(labels: Any, n: int, name: str) -> tuple[list[Any], NDArray[np.int64]]:
    """Distinct labels in their order, and the code of each row.

    Raises
    ------
    DataError
        Where there is not one label a row, or one is missing.
    """
    given = _labels(labels, name)
    if given.shape != (n,):
        raise DataError(f"{name} has one label for each of {n} rows; its shape is {given.shape}.")
    missing = np.array([_is_missing(item) for item in given.tolist()], dtype=bool)
    if missing.any():
        raise DataError(f"{name} has no label in {int(missing.sum())} rows, the first of them {missing.argmax()}.")
    try:
        places = {label: place for place, label in enumerate(dict.fromkeys(given.tolist()))}
    except TypeError:
        raise DataError(f"{name} has one label for each row, a text or a number; not a list of them.") from None
    try:
        distinct, codes = np.unique(given, return_inverse=True)
        found = distinct.tolist()
    except TypeError:  # labels of several types have no order: that in which they come
        codes, found = np.array([places[label] for label in given.tolist()]), list(places)
    return found, np.asarray(codes.reshape(-1), dtype=np.int64)


def _labels(given: Any, name: str) -> NDArray[Any]:
    """Labels as they are: the number 1 and the text "1" in one list stay two."""
    if isinstance(given, str | bytes):
        raise DataError(f"{name} has one label for each row; a single text is none of these: {given!r}.")
    if np.ma.isMaskedArray(given) and np.ma.getmaskarray(given).any():
        raise DataError(f"{name} has no label in {int(np.ma.getmaskarray(given).sum())} rows, which are masked.")
    if not isinstance(given, list | tuple):
        return np.asarray(given)
    labels = np.empty(len(given), dtype=object)
    for place, label in enumerate(given):
        labels[place] = label
    return labels


def _is_missing(label: Any) -> bool:
    return label is None or type(label).__name__ in ("NAType", "NaTType") or bool(label != label)


def _covered(given: Any) -> FloatArray:
    covered = numbers("covered", given)
    if covered.ndim != 1 or covered.size == 0 or not np.isin(covered, (0.0, 1.0)).all():
        raise DataError("covered has one 0 or 1 for each row, as coverage() gives it.")
    return covered
