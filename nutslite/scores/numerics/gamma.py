"""Logarithms of gamma and beta functions and their ratios, without the cancellation that ruins large arguments.

A Poisson probability of a count of a million is a difference of numbers near 1.4e7: `gammaln` leaves it seven digits.
Loader's (2000) way takes the large parts out beforehand: the saddle-point expansion, with `stirling_error` and
`deviance_part`. Catherine Loader, Fast and accurate computation of binomial probabilities.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

FloatArray = NDArray[np.float64]

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
LARGE = 16.0  # from here on Stirling's series has 16 digits
SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)
NEAR = 0.1  # |x - m| / (x + m) below which `deviance_part` is a series


def stirling_error(x: FloatArray) -> FloatArray:
    """``log Gamma(x) - ((x - 1/2) log x - x + log(2 pi)/2)`` for x > 0 (DLMF 5.11.1)."""
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(all="ignore"):
        inverse = 1.0 / np.maximum(x, LARGE)
        square = inverse * inverse
        series = np.zeros_like(x)
        for coefficient in reversed(SERIES):
            series = series * square + coefficient
        small = np.minimum(x, LARGE)
        direct = special.gammaln(small) - (small - 0.5) * np.log(small) + small - HALF_LOG_2PI
        return np.where(x < LARGE, direct, series * inverse)


def deviance_part(x: FloatArray, mean: FloatArray) -> FloatArray:
    """``x log(x / mean) + mean - x`` for x >= 0 and mean > 0, with all digits near the mean (Loader's bd0)."""
    x, mean = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(mean, dtype=np.float64))
    with np.errstate(all="ignore"):
        difference = x - mean
        v = difference / (x + mean)
        square = v * v
        series = np.zeros_like(square)
        for j in range(9, 0, -1):
            series = (series + 1.0 / (2 * j + 1)) * square
        near = difference * v + 2.0 * x * v * series
        far = special.xlogy(x, x / mean) - difference
        return np.where(np.abs(v) < NEAR, near, far)


def log_poisson(x: FloatArray, mean: FloatArray) -> FloatArray:
    """``x log(mean) - mean - log Gamma(x + 1)`` for x >= 0 (whole or not) and mean >= 0."""
    x, mean = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(mean, dtype=np.float64))
    with np.errstate(all="ignore"):
        above = np.where(x > 0.0, x, 1.0)
        out = -stirling_error(above) - deviance_part(above, mean) - HALF_LOG_2PI - 0.5 * np.log(above)
        tiny = x < 1e-4  # Gamma(1 + x) is 1 - 0.577 x: no cancellation, where 1/x in Stirling's part has one
        out = np.where(tiny, special.xlogy(x, mean) - mean - special.gammaln(x + 1.0), out)
        return np.where(mean == 0.0, np.where(x == 0.0, 0.0, -np.inf), out)


def log_binomial(x: FloatArray, rest: FloatArray, p: FloatArray, q: FloatArray) -> FloatArray:
    """Logarithm of ``Gamma(x+rest+1) / (Gamma(x+1) Gamma(rest+1)) p^x q^rest`` for x, rest >= 0, whole or not.

    p and q = 1 - p are both given, so that neither loses digits where it is small.
    """
    with np.errstate(all="ignore"):
        inside = (x > 0.0) & (rest > 0.0)
        a, b = np.where(inside, x, 1.0), np.where(inside, rest, 1.0)
        n = a + b
        out = stirling_error(n) - stirling_error(a) - stirling_error(b)
        out = out - deviance_part(a, n * p) - deviance_part(b, n * q)
        out = out - HALF_LOG_2PI + 0.5 * (np.log(n) - np.log(a) - np.log(b))
        return np.where(inside, out, np.where(x <= 0.0, special.xlog1py(rest, -p), special.xlogy(x, p)))


def log_beta(a: FloatArray, b: FloatArray) -> FloatArray:
    """Logarithm of the beta function for a, b > 0, large ones too."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    with np.errstate(all="ignore"):
        ratio = low / high
        log_share = np.log(low) - np.log(high) - np.log1p(ratio)  # of low / (low + high)
        out = HALF_LOG_2PI + (low - 0.5) * log_share - high * np.log1p(ratio) - 0.5 * np.log(high)
        return out + stirling_error(low) + stirling_error(high) - stirling_error(low + high)


def log_beta_ratio(a: FloatArray, b: FloatArray) -> FloatArray:
    """``log B(2a, 2b) - 2 log B(a, b)`` for a, b > 0: what is large in both cancels on paper, not in numbers."""
    with np.errstate(all="ignore"):
        out = 0.5 * (np.log(a) + np.log(b) - np.log(a + b) - math.log(4.0 * math.pi))
        out = out + stirling_error(2 * a) + stirling_error(2 * b) - stirling_error(2 * (a + b))
        return out - 2.0 * (stirling_error(a) + stirling_error(b) - stirling_error(a + b))
