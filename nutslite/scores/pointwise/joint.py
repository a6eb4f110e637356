"""Scores of several numbers predicted at once, such as all rows of a group: what marginal scores cannot see."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite._numba import kernel
from nutslite.exceptions import ArgumentError, DataError, refuse_other
from nutslite.scores.numerics.checks import draws_of, numbers
from nutslite.scores.pointwise.crps import ESTIMATORS, crps

FloatArray = NDArray[np.float64]


@public
def energy_score(y: Any, x: Any, estimator: str = "fair") -> FloatArray:
    """Energy score ``E||X - y|| - E||X - X'||/2``, the CRPS of vectors: Gneiting and Raftery (2007), eq. 22.

    Parameters
    ----------
    y : array_like, shape (..., d)
        Observed vectors.
    x : array_like, shape (S, ..., d)
        Draws of them. Time grows with S^2 d.
    estimator : {"fair", "ecdf"}
        As for `crps`.

    Returns
    -------
    ndarray, shape (...)
        Lower is better. Where d is 1 it is `crps`.

    Notes
    -----
    Correlations that are wrong change it little: see `variogram_score`. Coordinates of the largest spread decide.

    Examples
    --------
    >>> energy_score([0.0, 0.0], [[3.0, 4.0], [-3.0, -4.0]])  # 5 - 10 / 2
    array(0.)
    """
    refuse_other("estimator", estimator, ESTIMATORS)
    y, x = _vectors(y, x)
    if y.shape[-1] == 1:
        return crps(y[..., 0], x[..., 0], estimator)
    if estimator == "fair" and x.shape[0] < 2:
        raise DataError("One draw has no spread that estimator='fair' could estimate; estimator='ecdf' takes it.")
    pairs = x.shape[0] * (x.shape[0] - 1.0) if estimator == "fair" else float(x.shape[0]) ** 2

    def score(y: FloatArray, x: FloatArray) -> float:
        return float(np.mean(np.linalg.norm(x - y, axis=1))) - distances(x) / pairs

    return _each(score, y, x)


@public
def variogram_score(y: Any, x: Any, p: float = 0.5, weights: Any = None) -> FloatArray:
    """Variogram score ``sum_ij w_ij (|y_i - y_j|^p - E|X_i - X_j|^p)^2``: Scheuerer and Hamill (2015), eq. 12.

    It sees wrong correlations better than the energy score does, and does not see a common shift at all.

    Parameters
    ----------
    y : array_like, shape (..., d)
    x : array_like, shape (S, ..., d)
    p : float
        Order, above 0.
    weights : array_like, shape (d, d), optional
        Weights of pairs, 1 by default.

    Returns
    -------
    ndarray, shape (...)
        Lower is better.

    Examples
    --------
    >>> variogram_score([0.0, 1.0], [[0.0, 4.0], [0.0, 4.0]])  # twice (1 - 2)^2
    array(2.)
    """
    if isinstance(p, bool) or not isinstance(p, int | float) or not 0.0 < p < math.inf:
        raise ArgumentError(f"p is the order of the variogram, a number above 0; not {p!r}.")
    y, x = _vectors(y, x)
    size = y.shape[-1]
    pair_weights = np.ones((size, size)) if weights is None else numbers("weights", weights, "not negative")
    if pair_weights.shape != (size, size):
        raise DataError(
            f"weights have shape {pair_weights.shape}; vectors of {size} numbers have {size} x {size} pairs."
        )

    def score(y: FloatArray, x: FloatArray) -> float:
        observed = np.abs(y[:, None] - y[None, :]) ** p
        return float(np.sum(pair_weights * (observed - variogram(x, float(p))) ** 2))

    return _each(score, y, x)


@public
def dss(y: Any, x: Any) -> FloatArray:
    """Dawid-Sebastiani score ``log det C + (y - m)' C^-1 (y - m)`` of the draws' mean m and covariance C.

    Dawid and Sebastiani (1999). Of one number it is ``2 log s + z^2``.

    Parameters
    ----------
    y : array_like, shape (..., d)
    x : array_like, shape (S, ..., d)
        More draws than numbers.

    Returns
    -------
    ndarray, shape (...)
        Lower is better.

    Raises
    ------
    DataError
        Where there are too few draws, or the covariance of draws is singular.

    Notes
    -----
    It judges mean and covariance alone, and is proper; strictly so among normal distributions only.

    Examples
    --------
    >>> import numpy as np
    >>> dss([1.0], np.array([[-1.0], [0.0], [1.0]]))  # log 1 + (1 - 0)^2 / 1
    array(1.)
    """
    y, x = _vectors(y, x)
    if x.shape[0] <= y.shape[-1]:
        raise DataError(
            f"The covariance of {y.shape[-1]} numbers needs more than {y.shape[-1]} draws; there are {x.shape[0]}."
        )

    def score(y: FloatArray, x: FloatArray) -> float:
        centred = x - x.mean(axis=0)
        return normal_score(y - x.mean(axis=0), centred.T @ centred / (x.shape[0] - 1.0))

    return _each(score, y, x)


def normal_score(residual: FloatArray, covariance: FloatArray) -> float:
    """``log det C + r' C^-1 r``.

    Raises
    ------
    DataError
        Where C is not positive definite.
    """
    try:
        factor = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        raise DataError(
            "The predictive covariance is singular: some numbers of a vector are predicted for certain given others."
        ) from None
    scaled = np.linalg.solve(factor, residual)
    return float(2.0 * np.sum(np.log(np.diag(factor))) + scaled @ scaled)


@kernel
def distances(x):
    """Sum of the distances of all pairs of rows i < j of x, shape (S, d)."""
    total = 0.0
    for i in range(x.shape[0]):
        row = 0.0
        for j in range(i):
            square = 0.0
            for k in range(x.shape[1]):
                square += (x[i, k] - x[j, k]) ** 2
            row += math.sqrt(square)
        total += row
    return total


@kernel
def variogram(x, p):
    """Means over rows s of ``|x_si - x_sj|^p``, shape (d, d)."""
    n, size = x.shape
    out = np.zeros((size, size))
    for i in range(size):
        for j in range(i):
            total = 0.0
            for s in range(n):
                total += abs(x[s, i] - x[s, j]) ** p
            out[i, j] = total / n
            out[j, i] = out[i, j]
    return out


def _vectors(y: Any, x: Any) -> tuple[FloatArray, FloatArray]:
    y = numbers("y", y)
    if y.ndim == 0 or y.shape[-1] == 0:
        raise DataError("y is a vector of the numbers that are predicted at once, shape (..., d).")
    return y, draws_of(y, x)


def _each(score: Any, y: FloatArray, x: FloatArray) -> FloatArray:
    """A score of each vector, over leading axes."""
    vectors = y.reshape(-1, y.shape[-1])
    draws = x.reshape(x.shape[0], -1, y.shape[-1])
    found = [score(vectors[k], np.ascontiguousarray(draws[:, k])) for k in range(vectors.shape[0])]
    return np.asarray(found, dtype=np.float64).reshape(y.shape[:-1])
