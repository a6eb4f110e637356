"""Continuous ranked probability score from draws, and its scaled kind: one sort a row.

With sorted draws ``x_(1) <= ... <= x_(S)``, ``E|X - X'|`` is ``2/S^2 sum_i (2i - S - 1) x_(i)``, or with S(S - 1) in
place of S^2 without the bias of counting a draw's distance to itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import DataError, refuse_other
from nutslite.scores.numerics.checks import draws_of, numbers, weights_of

FloatArray = NDArray[np.float64]

ESTIMATORS = ("fair", "ecdf")
NUMBERS_AT_ONCE = 1 << 20


@public
def crps(y: Any, x: Any, estimator: str = "fair", weights: Any = None) -> FloatArray:
    """Continuous ranked probability score of draws.

    ``E|X - y| - E|X - X'|/2``: Gneiting and Raftery (2007), eq. 21. `fair` estimates the score of the distribution that
    draws come from (Ferro 2014; Zamo and Naveau 2018, eq. 13, where it is called PWM); `ecdf` is the score of the draws
    themselves as a distribution, which is larger by ``E|X - X'|/(2S)``. Take `ecdf` only where the S points are the
    forecast.

    Parameters
    ----------
    y : array_like, shape (...)
        Observations.
    x : array_like, shape (S, ...)
        Draws, the first axis; in any order.
    estimator : {"fair", "ecdf"}
    weights : array_like, shape (S,) or (S, ...), optional
        Weights of draws, such as those of importance sampling; they need not add up to one. The fair estimator then
        divides ``E|X - X'|`` by ``1 - sum of squared weights``.

    Returns
    -------
    ndarray, shape (...)
        Lower is better. The fair one may be slightly negative for few draws.

    Raises
    ------
    DataError
        Where numbers are not finite or shapes do not fit.
    ArgumentError
        Where there is no such estimator.

    Notes
    -----
    Draws of a sampler are of few effective ones where they depend on each other; the bias of `ecdf` then is that of
    these. A mean over rows of different units, or of very different spread, is that of the largest: `scaled_crps`.

    Examples
    --------
    >>> crps([2.0], [[1.0], [2.0], [4.0]])
    array([0.])
    >>> crps([2.0], [[1.0], [2.0], [4.0]], estimator="ecdf").round(4)
    array([0.3333])
    """
    deviation, difference = deviation_and_difference(y, x, estimator, weights)
    return deviation - 0.5 * difference


@public
def scaled_crps(y: Any, x: Any, estimator: str = "fair", weights: Any = None) -> FloatArray:
    """Scaled continuous ranked probability score of draws, ``E|X - y| / E|X - X'| + log(E|X - X'|)/2``.

    Bolin and Wallin (2023), Statistical Science 38:140, eq. 8, with the sign of a loss. A row whose outcomes are far
    more spread than another's does not dominate a mean of it, as it does one of the CRPS.

    Parameters
    ----------
    y, x, estimator, weights
        As for `crps`.

    Returns
    -------
    ndarray, shape (...)
        Lower is better.

    Raises
    ------
    DataError
        As for `crps`, and where all draws of a row are equal.

    Notes
    -----
    It is in no unit: a change of the unit of y adds half its logarithm. A point forecast has no score.

    Examples
    --------
    >>> scaled_crps([2.0], [[1.0], [2.0], [4.0]]).round(4)  # 0.5 + log(2) / 2, less 0 of a difference
    array([0.8466])
    """
    return scaled(*deviation_and_difference(y, x, estimator, weights))


def scaled(deviation: FloatArray, difference: FloatArray) -> FloatArray:
    """The scaled score of ``E|X - y|`` and ``E|X - X'|``.

    Raises
    ------
    DataError
        Where the latter is not above zero.
    """
    flat = np.flatnonzero(~(np.ravel(difference) > 0.0))
    if flat.size:
        raise DataError(
            f"The scaled CRPS needs spread: row {flat[0]} predicts one value for certain ({flat.size} of "
            f"{difference.size} rows do). Use the CRPS."
        )
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(deviation), np.inf, deviation / difference + 0.5 * np.log(difference))


def deviation_and_difference(
    y: Any, x: Any, estimator: str = "fair", weights: Any = None
) -> tuple[FloatArray, FloatArray]:
    """``E|X - y|`` and ``E|X - X'|`` of draws, both of the shape of y; arguments as for `crps`."""
    refuse_other("estimator", estimator, ESTIMATORS)
    y = numbers("y", y)
    x = draws_of(y, x)
    share = weights_of(weights, x.shape)
    if estimator == "fair" and x.shape[0] < 2:
        raise DataError("One draw a row has no spread that estimator='fair' could estimate; estimator='ecdf' takes it.")
    rows, draws = y.reshape(-1), x.reshape(x.shape[0], -1)
    deviation, difference = np.empty(rows.size), np.empty(rows.size)
    step = max(1, NUMBERS_AT_ONCE // x.shape[0])
    for start in range(0, rows.size, step):
        part = slice(start, start + step)
        distances = np.ascontiguousarray((draws[:, part] - rows[part]).T)
        if share is None:
            deviation[part], difference[part] = _equal(distances, estimator)
        else:
            flat = np.broadcast_to(share, x.shape).reshape(x.shape[0], -1)
            deviation[part], difference[part] = _weighted(distances, flat[:, part].T, estimator)
    return deviation.reshape(y.shape), difference.reshape(y.shape)


def _equal(distances: FloatArray, estimator: str) -> tuple[FloatArray, FloatArray]:
    """Of rows of draws less the observation, shape (rows, S), which are overwritten."""
    n_draws = distances.shape[1]
    deviation = np.abs(distances).mean(axis=1)
    distances.sort(axis=1)
    distances -= distances[:, n_draws // 2, None].copy()
    ranks = 2.0 * np.arange(1, n_draws + 1) - n_draws - 1.0
    pairs = n_draws * (n_draws - 1.0) if estimator == "fair" else float(n_draws) ** 2
    return deviation, 2.0 * (distances @ ranks) / pairs


def _weighted(distances: FloatArray, weights: FloatArray, estimator: str) -> tuple[FloatArray, FloatArray]:
    """The same with weights of shape (rows, S)."""
    deviation = np.sum(weights * np.abs(distances), axis=1)
    order = np.argsort(distances, axis=1)
    distances, weights = np.take_along_axis(distances, order, axis=1), np.take_along_axis(weights, order, axis=1)
    distances = distances - distances[:, distances.shape[1] // 2, None]
    before = np.cumsum(weights, axis=1) - weights
    difference = 2.0 * np.sum(weights * distances * (2.0 * before + weights - 1.0), axis=1)
    if estimator == "fair":
        independent = 1.0 - np.sum(weights**2, axis=1)
        if not np.all(independent > 1e-12):
            raise DataError("All weight is on one draw of a row: no spread can be estimated. Use estimator='ecdf'.")
        difference = difference / independent
    return deviation, difference


def mean_difference(x: FloatArray) -> FloatArray:
    """``E|X - X'|`` of draws (S, n), the fair estimate, shape (n,)."""
    return _equal(np.ascontiguousarray(x.T), "fair")[1] if x.shape[0] > 1 else np.full(x.shape[1], math.nan)
