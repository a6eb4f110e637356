"""CRPS of anything that has a cdf and quantiles: Gauss-Legendre quadrature between quantiles, sums of counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Function = Callable[[FloatArray], FloatArray]

_TAIL = np.array([1e-13, 1e-11, 1e-9, 1e-7, 1e-5, 1e-4, 1e-3, 0.005, 0.02, 0.05, 0.1, 0.2, 0.35])
LEVELS = np.concatenate([_TAIL, [0.5], 1.0 - _TAIL[::-1]])
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
STEPS_AT_ONCE = 256


def squares_and_products(y: FloatArray, cdf: Function, quantile: Function) -> tuple[FloatArray, FloatArray]:
    """``int (F(x) - 1{x >= y})^2 dx`` and ``int F (1 - F) dx`` of continuous distributions.

    Parameters
    ----------
    y : ndarray, shape (n,)
    cdf : callable
        Of x, shape (m, n).
    quantile : callable
        Of levels, shape (m,), to (m, n).

    Returns
    -------
    CRPS and ``E|X - X'|/2``, each of shape (n,). Tails beyond quantiles of 1e-13 are left out; they matter to the
    latter where the mean hardly exists.
    """
    edges = quantile(LEVELS)
    finite = np.isfinite(edges)  # not all of them where numbers are float32, which rounds the last levels to 1
    lowest, highest = np.where(finite, edges, np.inf).min(axis=0), np.where(finite, edges, -np.inf).max(axis=0)
    edges = np.clip(edges, lowest, highest)
    spread = _panels(edges, lambda x: (f := cdf(x)) * (1.0 - f))
    with_y = np.sort(np.concatenate([edges, y[None]]), axis=0)
    score = _panels(with_y, lambda x: (cdf(x) - (x >= y)) ** 2)
    return score, spread


def _panels(edges: FloatArray, function: Function) -> FloatArray:
    """Integral from the first to the last edge (m, n), panel by panel."""
    middles, halves = 0.5 * (edges[1:] + edges[:-1]), 0.5 * (edges[1:] - edges[:-1])
    total = np.zeros(edges.shape[1])
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        total += weight * np.sum(halves * function(middles + node * halves), axis=0)
    return total


def sums_over_counts(
    y: FloatArray, cdf: Function, first: FloatArray, last: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The same of whole numbers that are hardly ever outside `first` to `last`, each of shape (n,)."""
    score = np.maximum(first - y, 0.0) + np.maximum(y - last - 1.0, 0.0)
    spread = np.zeros(y.size)
    span = int(np.max(last - first)) + 1
    for start in range(0, span, STEPS_AT_ONCE):
        k = first + np.arange(start, min(start + STEPS_AT_ONCE, span))[:, None]
        f = np.where(k <= last, cdf(k), 1.0)
        before = np.where(k <= last, np.clip(y - k, 0.0, 1.0), 0.0)
        score += np.sum(f * f * before + (1.0 - f) ** 2 * (1.0 - before), axis=0)
        spread += np.sum(f * (1.0 - f), axis=0)
    return score, spread
