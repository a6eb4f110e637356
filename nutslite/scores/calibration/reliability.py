"""Recalibrated forecasts, and what a score consists of: miscalibration, discrimination, uncertainty (CORP).

Dimitriadis, Gneiting and Jordan (2021), PNAS 118(8), e2016191118: forecasts are recalibrated by isotonic regression,
the pool-adjacent-violators algorithm, on distinct forecasts: rows with the same forecast get the same recalibrated one.
For means and quantiles of regressions: Gneiting and Resin (2023), Electronic Journal of Statistics 17:3226-3286. The
older decomposition by bins, Murphy's (1973), is here with what it leaves out within them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, DataError, random_generator, refuse_other
from nutslite.scores.calibration.calibration_error import BINS, bin_codes, binary_rows, row_weights
from nutslite.scores.calibration.isotonic import pooled_means, pooled_quantiles
from nutslite.scores.calibration.pit import checked_number
from nutslite.scores.numerics.checks import numbers, probability

FloatArray = NDArray[np.float64]
Score = Callable[[FloatArray, FloatArray], FloatArray]

SCORES = ("brier", "log_loss", "squared_error", "pinball")
MOST_DRAWS = 100_000


class Decomposition(NamedTuple):
    """A mean score and what it consists of: ``score = miscalibration - discrimination + uncertainty``.

    Attributes
    ----------
    score : float
        Of the forecasts as they are.
    miscalibration : float
        What recalibration would gain. 0 where forecasts are calibrated, but for chance, which makes it positive.
    discrimination : float
        What recalibrated forecasts gain over one forecast for all rows.
    uncertainty : float
        The score of the best single forecast for all rows; it belongs to the data.
    """

    score: float
    miscalibration: float
    discrimination: float
    uncertainty: float


class BinnedDecomposition(NamedTuple):
    """A mean Brier score by bins of forecasts, and what it consists of.

    ``score = reliability - resolution + uncertainty + within_variance - within_covariance``, exactly.

    Attributes
    ----------
    score : float
        Mean of ``(p - y)^2``.
    reliability : float
        ``sum_b w_b (pbar_b - ybar_b)^2``: how far mean forecasts of bins are from what came. Lower is better.
    resolution : float
        ``sum_b w_b (ybar_b - ybar)^2``: how different what came is between bins. Higher is better.
    uncertainty : float
        ``ybar (1 - ybar)``.
    within_variance : float
        ``sum_i w_i (p_i - pbar_b(i))^2``: what forecasts differ by within bins.
    within_covariance : float
        ``2 sum_i w_i (y_i - ybar_b(i)) (p_i - pbar_b(i))``: what these differences know of what comes.
    """

    score: float
    reliability: float
    resolution: float
    uncertainty: float
    within_variance: float
    within_covariance: float


class Reliability(NamedTuple):
    """A reliability curve, each ndarray of shape (K,), by distinct forecasts.

    Attributes
    ----------
    forecast : ndarray
        Distinct forecasts, increasing.
    recalibrated : ndarray
        What came where they were made, by isotonic regression; on the diagonal if calibrated.
    rows : ndarray of int
        How many rows have each forecast.
    low, high : ndarray
        Consistency band: where `recalibrated` would lie, at each forecast, if forecasts were right.
    """

    forecast: FloatArray
    recalibrated: FloatArray
    rows: NDArray[np.int64]
    low: FloatArray
    high: FloatArray


@public
def recalibrated(y: Any, forecast: Any, level: float | None = None, weights: Any = None) -> FloatArray:
    """Forecasts after isotonic regression of what came on what was forecast.

    ``argmin sum_i w_i (y_i - f(x_i))^2`` over increasing f: pool adjacent violators, equal forecasts first (Ayer,
    Brunk, Ewing, Reid and Silverman 1955, Annals of Mathematical Statistics 26:641; Dimitriadis, Gneiting and Jordan
    2021, PNAS 118:e2016191118).

    Parameters
    ----------
    y : array_like, shape (n,)
        What came; of a probability 0 or 1.
    forecast : array_like, shape (n,)
        Probabilities, means, or quantiles of one level.
    level : float, optional
        Of the quantiles; None for probabilities and means.
    weights : array_like, shape (n,), optional
        Of rows; not for quantiles.

    Returns
    -------
    ndarray, shape (n,)
        Increasing in the forecast, the same where that is the same.

    Notes
    -----
    It is fitted to the rows that it is used on: too good for others.

    Examples
    --------
    >>> recalibrated([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9])
    array([0. , 0.5, 0.5, 1. ])
    """
    y, forecast = _pairs(y, forecast)
    fit, where = _isotonic(y, forecast, level, weights)
    return fit[where]


@public
def decompose(
    y: Any, forecast: Any, score: str | Score = "brier", level: float | None = None, weights: Any = None
) -> Decomposition:
    """What the mean of a proper score consists of.

    ``mean S(forecast) = MCB - DSC + UNC`` with ``MCB = mean S(forecast) - mean S(recalibrated)`` and ``DSC = mean
    S(constant) - mean S(recalibrated)``: Dimitriadis, Gneiting and Jordan (2021), PNAS 118:e2016191118; of means and
    quantiles Gneiting and Resin (2023), Electronic Journal of Statistics 17:3226.

    Parameters
    ----------
    y : array_like, shape (n,)
        What came; of a probability 0 or 1.
    forecast : array_like, shape (n,)
        Probabilities, means, or quantiles of one level.
    score : str or callable
        ``"brier"`` and ``"log_loss"`` of probabilities, ``"squared_error"`` of means, ``"pinball"`` of quantiles with
        `level`; or a function of (y, forecast) that is smallest, on average, at the mean (or, with `level`, quantile).
    level : float, optional
        Of the quantiles.
    weights : array_like, shape (n,), optional
        Of rows.

    Returns
    -------
    Decomposition
        Miscalibration and discrimination are 0 or more for every proper score.

    Raises
    ------
    ArgumentError
        Where score and level do not go together.

    Notes
    -----
    Both parts are too large by chance, of few rows by much.

    Examples
    --------
    >>> decompose([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9])
    Decomposition(score=0.185, miscalibration=0.06, discrimination=0.125, uncertainty=0.25)
    """
    function = _score_function(score, level)
    if score in ("brier", "log_loss"):
        y, forecast = binary_rows(y, forecast)
    else:
        y, forecast = _pairs(y, forecast)
    w = row_weights(weights, y.size)
    fit, where = _isotonic(y, forecast, level, weights)
    single = np.full(y.size, _best_single(y, w, level))
    with np.errstate(divide="ignore", invalid="ignore"):
        means = [float(np.sum(w * function(y, each))) for each in (forecast, fit[where], single)]
    given, best, constant = means
    return Decomposition(given, given - best, constant - best, constant)


@public
def decompose_binned(
    y: Any, p: Any, bins: int | None = BINS, strategy: str = "width", weights: Any = None
) -> BinnedDecomposition:
    """The Brier score by bins of probabilities: reliability, resolution, uncertainty, and what happens within bins.

    Murphy (1973), Journal of Applied Meteorology 12:595-600, for one bin a distinct forecast, where both terms within
    bins are 0; of wider bins the three alone do not add up to the score, and the other two make up for it (Stephenson,
    Coelho and Jolliffe 2008, Weather and Forecasting 23:752-757). `decompose` has no bins to be chosen.

    ``REL - RES + UNC + within-bin variance - 2 within-bin covariance``.

    Parameters
    ----------
    y : array_like, shape (n,)
        1 where the event came, else 0.
    p : array_like, shape (n,)
        Its probability.
    bins : int or None
        None: one for each distinct probability.
    strategy : {"width", "mass"}
        As for `calibration_error`.
    weights : array_like, shape (n,), optional
        Of rows.

    Returns
    -------
    BinnedDecomposition
        Few rows a bin make reliability and resolution both too large.

    Examples
    --------
    >>> found = decompose_binned([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9])
    >>> round(found.uncertainty, 3)
    0.25
    """
    y, p = binary_rows(y, p)
    w = row_weights(weights, y.size)
    codes = np.unique(p, return_inverse=True)[1].reshape(-1) if bins is None else bin_codes(p, bins, strategy)
    total = np.bincount(codes, w)
    some = np.where(total > 0.0, total, 1.0)
    forecast, came = np.bincount(codes, w * p) / some, np.bincount(codes, w * y) / some
    mean = float(np.sum(w * y))
    apart, off = p - forecast[codes], y - came[codes]
    return BinnedDecomposition(
        score=float(np.sum(w * (p - y) ** 2)),
        reliability=float(np.sum(total * (forecast - came) ** 2)),
        resolution=float(np.sum(total * (came - mean) ** 2)),
        uncertainty=mean * (1.0 - mean),
        within_variance=float(np.sum(w * apart**2)),
        within_covariance=float(2.0 * np.sum(w * off * apart)),
    )


@public
def reliability(
    y: Any,
    forecast: Any,
    level: float | None = None,
    simulated: Any = None,
    confidence: float = 0.9,
    draws: int = 1000,
    seed: Any = 0,
) -> Reliability:
    """Reliability curve with its consistency band.

    `recalibrated` against the forecast, ``f(x)`` against x: Dimitriadis, Gneiting and Jordan (2021), PNAS
    118:e2016191118; the band after Broecker and Smith (2007), Weather and Forecasting 22:651-661.

    Parameters
    ----------
    y : array_like, shape (n,)
        What came; of a probability 0 or 1.
    forecast : array_like, shape (n,)
        Probabilities, means, or quantiles of one level.
    level : float, optional
        Of the quantiles.
    simulated : array_like, shape (R, n), optional
        What could have come if the whole prediction were right: draws from it. Needed for means and quantiles; events
        are drawn with the forecast probabilities.
    confidence : float
        Of the band at each forecast by itself: its ends are the (1 - c)/2 and (1 + c)/2 quantiles.
    draws : int
        Of events.
    seed : int or generator

    Returns
    -------
    Reliability

    Raises
    ------
    DataError
        Where means or quantiles have no simulated responses.

    Examples
    --------
    >>> reliability([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9], draws=20).recalibrated
    array([0. , 0.5, 0.5, 1. ])
    """
    y, forecast = _pairs(y, forecast)
    confidence = probability("confidence", confidence)
    distinct, where, rows = np.unique(forecast, return_inverse=True, return_counts=True)
    where = where.reshape(-1)
    if simulated is None:
        if level is not None or not (np.isin(y, (0.0, 1.0)).all() and forecast.min() >= 0.0 and forecast.max() <= 1.0):
            raise DataError(
                "A consistency band of means or quantiles needs what could have come: give simulated=, draws from the "
                "prediction, shape (draws, rows)."
            )
        count = checked_number("draws", draws, 2, MOST_DRAWS)
        curves = _event_curves(distinct, rows, count, random_generator(seed))
    else:
        simulated = numbers("simulated", simulated)
        if simulated.ndim != 2 or simulated.shape[1] != y.size or simulated.shape[0] < 2:
            raise DataError(
                f"simulated has shape {simulated.shape}; one row a draw, one column for each of {y.size} y."
            )
        curves = np.stack([_fit(row, where, rows, level) for row in simulated])
    tail = 0.5 * (1.0 - confidence)
    low, high = np.quantile(curves, [tail, 1.0 - tail], axis=0)
    return Reliability(distinct, _fit(y, where, rows, level), rows, low, high)


def _isotonic(y: FloatArray, forecast: FloatArray, level: float | None, weights: Any) -> tuple[FloatArray, Any]:
    """Recalibrated value of every distinct forecast, and which of these each row has."""
    distinct, where = np.unique(forecast, return_inverse=True)
    where = where.reshape(-1)
    if level is None:
        w = row_weights(weights, y.size)
        total: FloatArray = np.bincount(where, w, distinct.size).astype(np.float64)
        some = np.where(total > 0.0, total, 1.0)
        return pooled_means(np.bincount(where, w * y, distinct.size) / some, total), where
    if weights is not None:
        raise ArgumentError("weights are for probabilities and means; quantiles are recalibrated with equal rows.")
    return _fit(y, where, np.bincount(where), level), where


def _fit(y: FloatArray, where: Any, rows: Any, level: float | None) -> FloatArray:
    if level is None:
        return pooled_means(np.bincount(where, y) / rows, rows.astype(np.float64))
    order = np.lexsort((y, where))
    return pooled_quantiles(y[order], np.concatenate([[0], np.cumsum(rows)]), probability("level", level))


def _event_curves(p: FloatArray, rows: Any, draws: int, rng: np.random.Generator) -> FloatArray:
    """Recalibrated events that came with probabilities p, shape (draws, K)."""
    weight: FloatArray = rows.astype(np.float64)
    return np.stack([pooled_means(np.asarray(rng.binomial(rows, p) / weight), weight) for _ in range(draws)])


def _best_single(y: FloatArray, w: FloatArray, level: float | None) -> float:
    """The mean, or a quantile that the pinball loss is smallest at."""
    if level is None:
        return float(np.sum(w * y))
    return float(np.quantile(y, level, method="inverted_cdf"))


def _score_function(score: str | Score, level: float | None) -> Score:
    from nutslite.scores.pointwise.classes import brier, log_loss
    from nutslite.scores.pointwise.errors import squared_error
    from nutslite.scores.pointwise.quantile import pinball

    if callable(score):
        return score
    refuse_other("score", score, SCORES)
    if (score == "pinball") != (level is not None):
        raise ArgumentError(
            "The pinball loss needs level=, the level of the quantiles."
            if level is None
            else f"level={level} is for quantiles, whose score is 'pinball', not '{score}'."
        )
    if score == "pinball":
        return lambda y, q: pinball(y, q, level)
    functions: dict[str, Score] = {"brier": brier, "log_loss": log_loss, "squared_error": squared_error}
    return functions[score]


def _pairs(y: Any, forecast: Any) -> tuple[FloatArray, FloatArray]:
    y, forecast = numbers("y", y), numbers("forecast", forecast)
    if y.ndim != 1 or y.shape != forecast.shape or y.size == 0:
        raise DataError(f"y has shape {y.shape}, forecast {forecast.shape}: one number a row in each.")
    return y, forecast
