"""Pareto-smoothed importance sampling: the largest weights replaced by quantiles of a Pareto tail, and its shape.

Vehtari, Simpson, Gelman, Yao and Gabry (2024), Journal of Machine Learning Research 25(72); the tail is fitted by Zhang
and Stephens (2009), Technometrics 51(3):316-325, with the prior of the former's appendix C on its shape.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

FEWEST = 5  # weights in a tail that is fitted
EQUAL = 1e-9  # logarithms of weights that differ by less are equal but for rounding
PRIOR_DRAWS, PRIOR_SHAPE = 10, 0.5  # the prior of the shape counts as so many weights
PRIOR_SCALE = 3.0
LARGEST_SHAPE = 0.7


def smoothed(log_weights: FloatArray, relative_efficiency: float = 1.0, share: float = 1.0) -> tuple[FloatArray, float]:
    """Logarithms of smoothed weights that add up to one, and k-hat, the shape of their tail.

    Parameters
    ----------
    log_weights : ndarray, shape (n,)
        Minus infinity is a weight of zero.
    relative_efficiency : float
        Effective draws for each draw, where these depend on each other.
    share : float
        Of the weights that are usually taken for the tail, the largest so many.

    Returns
    -------
    log_weights : ndarray, shape (n,)
    shape : float
        The larger, the heavier the tail: the variance of the weights is finite below 1/2, their mean below 1. Infinity
        where hardly any weight is not zero; minus infinity where all weights are equal.
    """
    weights = np.array(log_weights, dtype=float)
    weights -= weights.max()
    if -weights.min() < EQUAL:
        return np.full(weights.size, -math.log(weights.size)), -math.inf
    n_tail = math.ceil(share * min(weights.size / 5.0, 3.0 * math.sqrt(weights.size / relative_efficiency)))
    cutoff = max(float(np.sort(weights)[max(-n_tail - 1, -weights.size)]), math.log(np.finfo(float).tiny))
    tail = np.flatnonzero(weights > cutoff)
    if tail.size < FEWEST:
        return weights - _log_sum(weights), math.inf
    tail = tail[np.argsort(weights[tail])]
    shape, scale = pareto_fit(np.exp(weights[tail]) - math.exp(cutoff))
    if math.isfinite(shape):
        probabilities = (np.arange(tail.size) + 0.5) / tail.size
        weights[tail] = np.minimum(np.log(_quantiles(probabilities, shape, scale) + math.exp(cutoff)), 0.0)
    return weights - _log_sum(weights), shape


def largest_shape(n: int) -> float:
    """The k-hat up to which n weighted draws may be used (Vehtari et al. 2024, section 3.2.4)."""
    return min(1.0 - 1.0 / math.log10(max(n, 2)), LARGEST_SHAPE)


def pareto_fit(exceedances: FloatArray) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution from sorted draws (n,) above zero."""
    n = exceedances.size
    n_grid = 30 + int(math.sqrt(n))
    quartile = exceedances[int(n / 4 + 0.5) - 1]
    grid = 1.0 / exceedances[-1] + (1.0 - np.sqrt(n_grid / (np.arange(n_grid) + 0.5))) / (PRIOR_SCALE * quartile)
    with np.errstate(all="ignore"):
        shapes = np.log1p(-grid[:, None] * exceedances).mean(axis=1)
        profile = n * (np.log(-grid / shapes) - shapes - 1.0)
        weights = 1.0 / np.exp(profile - profile[:, None]).sum(axis=1)
        kept = weights >= 10.0 * np.finfo(float).eps
        rate = float(np.sum(grid[kept] * weights[kept]) / weights[kept].sum())
        shape = float(np.log1p(-rate * exceedances).mean())
    scale = -shape / rate
    return (n * shape + PRIOR_DRAWS * PRIOR_SHAPE) / (n + PRIOR_DRAWS), scale


def _quantiles(probabilities: FloatArray, shape: float, scale: float) -> FloatArray:
    logs = np.log1p(-probabilities)
    if abs(shape) < np.finfo(float).eps:
        return np.asarray(-scale * logs)
    return np.asarray(scale * np.expm1(-shape * logs) / shape)


def _log_sum(logs: FloatArray) -> float:
    """The logarithm of the sum of what `logs` are the logarithms of; their largest is about 0."""
    return float(np.log(np.sum(np.exp(logs))))
