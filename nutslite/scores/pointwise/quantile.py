"""Scores of quantiles and intervals: pinball loss, interval score, weighted interval score, CRPS from quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import DataError
from nutslite.scores.numerics.checks import levels_of, numbers, probability, together

FloatArray = NDArray[np.float64]

SAME = 1e-9  # levels closer than this are the same


@public
def pinball(y: Any, q: Any, levels: Any) -> FloatArray:
    """Pinball (check, quantile) loss ``max(tau u, (tau - 1) u)``, ``u = y - q``.

    Koenker and Bassett (1978); Gneiting and Raftery (2007), eq. 40.

    Parameters
    ----------
    y : array_like, shape (...)
        Observations.
    q : array_like, shape (...) or (..., K)
        Predicted quantiles: one a row where `levels` is a number, else one a row and level.
    levels : float or array_like, shape (K,)
        Levels tau, between 0 and 1.

    Returns
    -------
    ndarray, shape (...) or (..., K)
        Lower is better.

    Notes
    -----
    Losses of different levels are of different size: outer levels have smaller ones. Compare forecasts at the same
    levels.

    Examples
    --------
    >>> pinball([1.0, 3.0], [2.0, 2.0], 0.9)
    array([0.1, 0.9])
    """
    y = numbers("y", y)
    if np.ndim(levels) == 0:
        level = np.asarray(probability("levels", levels))
        y, q = together(y=y, q=numbers("q", q))
        return _pinball(y - q, level)
    quantiles, tau = _quantiles(y, q, levels)
    return _pinball(y[..., None] - quantiles, tau)


@public
def interval_score(y: Any, lower: Any, upper: Any, alpha: Any) -> FloatArray:
    """Interval (Winkler) score of a central interval that holds y with probability ``1 - alpha``.

    ``(u - l) + 2/alpha (l - y)+ + 2/alpha (y - u)+``: Winkler (1972); Gneiting and Raftery (2007), eq. 43. It is
    ``2/alpha`` times the sum of the pinball losses of both ends.

    Parameters
    ----------
    y, lower, upper : array_like, shape (...)
        Ends in the wrong order are scored as they are.
    alpha : float
        0.1 for a 90 % interval.

    Returns
    -------
    ndarray, shape (...)
        Lower is better.

    Notes
    -----
    `alpha` is what is left out: 0.1 of a 90 % interval.

    Examples
    --------
    >>> interval_score([10.0, 13.0], 8.0, 12.0, alpha=0.2)
    array([ 4., 14.])
    """
    alpha = probability("alpha", alpha)
    y, lower, upper = together(y=numbers("y", y), lower=numbers("lower", lower), upper=numbers("upper", upper))
    outside = np.maximum(lower - y, 0.0) + np.maximum(y - upper, 0.0)
    return (upper - lower) + (2.0 / alpha) * outside


@public
def wis(y: Any, q: Any, levels: Any) -> FloatArray:
    """Weighted interval score of a median and K central intervals: twice the mean pinball loss of all quantiles.

    ``1/(K + 1/2) (|y - m|/2 + sum_k alpha_k/2 IS_k)``: Bracher, Ray, Gneiting and Reich (2021), eq. 1. The median
    counts once, as there; some programs count it twice.

    Parameters
    ----------
    y : array_like, shape (...)
    q : array_like, shape (..., 2K + 1)
        Quantiles. Crossing ones are scored as they are; `crosses` says where they do.
    levels : array_like, shape (2K + 1,)
        Their levels, in any order: 0.5, and with each tau also 1 - tau.

    Returns
    -------
    ndarray, shape (...)
        Lower is better. `wis_parts` says what it consists of.

    Raises
    ------
    DataError
        Where levels are not symmetric about a median.

    Examples
    --------
    >>> wis([10.0], [[8.0, 10.0, 12.0]], [0.1, 0.5, 0.9]).round(7)  # 4 / 15
    array([0.2666667])
    """
    parts = wis_parts(y, q, levels)
    return parts["dispersion"] + parts["overprediction"] + parts["underprediction"]


@public
def wis_parts(y: Any, q: Any, levels: Any) -> dict[str, FloatArray]:
    """What the weighted interval score adds up: how wide intervals are, and what lies above or below y.

    ``sum_k alpha_k/2 (u_k - l_k)``, ``(m - y)+/2 + sum_k (l_k - y)+``, ``(y - m)+/2 + sum_k (y - u_k)+``, each over ``K
    + 1/2``: Bracher, Ray, Gneiting and Reich (2021), eq. 1.

    Parameters
    ----------
    y, q, levels
        As for `wis`.

    Returns
    -------
    dict
        ``dispersion``, ``overprediction`` (intervals lie above y), ``underprediction``: ndarrays of shape (...).

    Examples
    --------
    >>> {name: part.round(3).tolist() for name, part in wis_parts([13.0], [[8.0, 10.0, 12.0]], [0.1, 0.5, 0.9]).items()}
    {'dispersion': [0.267], 'overprediction': [0.0], 'underprediction': [1.667]}
    """
    y = numbers("y", y)
    quantiles, tau = _quantiles(y, q, levels)
    order = np.argsort(tau)
    tau, quantiles = tau[order], quantiles[..., order]
    half = tau.size // 2
    if tau.size % 2 == 0 or np.abs(tau + tau[::-1] - 1.0).max() > SAME:
        raise DataError(
            "The weighted interval score needs the median and pairs of levels tau and 1 - tau; levels are "
            f"{', '.join(f'{level:g}' for level in tau)}. For others take the mean of pinball()."
        )
    median, lower, upper = quantiles[..., half], quantiles[..., :half], quantiles[..., :half:-1]
    number, rows = half + 0.5, y[..., None]
    halves = tau[:half]  # of alpha
    over = 0.5 * np.maximum(median - y, 0.0) + np.maximum(lower - rows, 0.0).sum(axis=-1)
    under = 0.5 * np.maximum(y - median, 0.0) + np.maximum(rows - upper, 0.0).sum(axis=-1)
    width = np.sum(halves * (upper - lower), axis=-1)
    return {"dispersion": width / number, "overprediction": over / number, "underprediction": under / number}


@public
def crosses(q: Any, levels: Any) -> NDArray[np.bool_]:
    """Whether quantiles of a row cross: a higher level has a lower quantile.

    ``q_k > q_l`` for levels ``tau_k < tau_l``: what no distribution has, and separate regressions may (Chernozhukov,
    Fernandez-Val and Galichon 2010, Econometrica 78:1093-1125).

    Parameters
    ----------
    q : array_like, shape (..., K)
    levels : array_like, shape (K,)

    Returns
    -------
    ndarray of bool, shape (...)

    Examples
    --------
    >>> crosses([[0.0, 1.0], [1.0, 0.5]], [0.1, 0.9])
    array([False,  True])
    """
    tau, quantiles = levels_of(levels), numbers("q", q)
    if quantiles.ndim == 0 or quantiles.shape[-1] != tau.size:
        raise DataError(f"q has shape {quantiles.shape}, there are {tau.size} levels: one column for each.")
    return np.asarray(np.any(np.diff(quantiles[..., np.argsort(tau)], axis=-1) < 0.0, axis=-1))


@public
def crps_from_quantiles(y: Any, q: Any, levels: Any) -> FloatArray:
    """Approximate CRPS of a distribution known by quantiles, ``2 int pinball_tau dtau`` over their levels.

    Equally spaced levels: twice the mean pinball loss. Others: the trapezoid rule between the lowest and the highest
    level; what lies beyond them is left out, so that scores with different levels cannot be compared.

    ``2 int max(tau (y - q_tau), (tau - 1)(y - q_tau)) dtau``: Laio and Tamea (2007), Hydrology and Earth System
    Sciences 11:1267, section 3; Gneiting and Ranjan (2011), JBES 29:411, eq. 10.

    Parameters
    ----------
    y : array_like, shape (...)
    q : array_like, shape (..., K)
    levels : array_like, shape (K,)
        At least two.

    Returns
    -------
    ndarray, shape (...)
        Lower is better.

    Examples
    --------
    >>> q = [[-1.2816, -0.5244, 0.0, 0.5244, 1.2816]]  # of a standard normal variable, whose CRPS is 0.269
    >>> crps_from_quantiles([0.3], q, [0.1, 0.3, 0.5, 0.7, 0.9]).round(3)
    array([0.288])
    """
    y = numbers("y", y)
    quantiles, tau = _quantiles(y, q, levels)
    if tau.size < 2:
        raise DataError("The CRPS from quantiles needs two levels or more; for one take pinball().")
    order = np.argsort(tau)
    tau = tau[order]
    losses = _pinball(y[..., None] - quantiles[..., order], tau)
    gaps = np.diff(tau)
    if np.ptp(gaps) < SAME:
        return 2.0 * losses.mean(axis=-1)
    return np.sum(gaps * (losses[..., 1:] + losses[..., :-1]), axis=-1)


def _pinball(u: FloatArray, tau: FloatArray) -> FloatArray:
    return np.maximum(tau * u, (tau - 1.0) * u)


def _quantiles(y: FloatArray, q: Any, levels: Any) -> tuple[FloatArray, FloatArray]:
    """Quantiles of shape (*y.shape, K), and their levels."""
    tau, quantiles = levels_of(levels), numbers("q", q)
    if quantiles.shape != (*y.shape, tau.size):
        hint = " Give q.T." if quantiles.shape == (tau.size, *y.shape) else ""
        raise DataError(
            f"y has shape {y.shape}, q has {quantiles.shape}, and there are {tau.size} levels: q needs one row for "
            f"each "
            f"observation and one column for each level.{hint}"
        )
    return quantiles, tau
