"""The normal distribution function, its logarithm, its inverse.

Source: tail, Abramowitz and Stegun 26.2.12.
"""

from __future__ import annotations

import math

from nutslite._numba import kernel
from nutslite._special.elementary import HALF_LOG_2PI, at_the_ends

_SQRT_HALF = math.sqrt(0.5)
_SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)


@kernel
def ndtr(x):
    """Standard normal distribution function."""
    return 0.5 * math.erfc(-x * _SQRT_HALF)


@kernel
def log_ndtr(x):
    """Logarithm of `ndtr`, finite for every finite x below -1e154."""
    if x > 0.0:
        return math.log1p(-0.5 * math.erfc(x * _SQRT_HALF))
    if x > -20.0:
        return math.log(0.5 * math.erfc(-x * _SQRT_HALF))
    return -0.5 * x * x - HALF_LOG_2PI - math.log(-x) + math.log(_tail_series(x))


@kernel
def scaled_tail(x):
    """``log(ndtr(-x)) + x^2 / 2`` for x >= 0: without the square, which takes the digits where it is large."""
    if x < 20.0:
        return math.log(0.5 * math.erfc(x * _SQRT_HALF)) + 0.5 * x * x
    return math.log(_tail_series(-x)) - HALF_LOG_2PI - math.log(x)


@kernel
def ndtr_hazard(x):
    """Derivative of `log_ndtr`: normal density over distribution function; about ``-x`` far below zero."""
    if x > -20.0:
        return _SQRT_2_OVER_PI * math.exp(-0.5 * x * x) / math.erfc(-x * _SQRT_HALF)
    return -x / _tail_series(x)


@kernel
def _tail_series(x):
    """``ndtr(x) * |x| / density(x)`` for x <= -20: 1 - 1/x^2 + 3/x^4 - 15/x^6 + ... (A&S 26.2.12)."""
    z = 1.0 / (x * x)
    return 1.0 - z * (1.0 - 3.0 * z * (1.0 - 5.0 * z * (1.0 - 7.0 * z * (1.0 - 9.0 * z * (1.0 - 11.0 * z)))))


@kernel
def ndtri(p):
    """Inverse of `ndtr` by Newton steps: on ``erf`` near one half, on `log_ndtr` in the tails."""
    if not 0.0 < p < 1.0:
        return at_the_ends(p)
    if abs(p - 0.5) < 0.2:
        x = 2.5 * (p - 0.5)
        for _ in range(6):
            x -= (0.5 * math.erf(x * _SQRT_HALF) - (p - 0.5)) * math.exp(0.5 * x * x) * 2.506628274631000502
        return x
    tail = min(p, 1.0 - p)
    log_tail = math.log(tail)
    x = -math.sqrt(max(-2.0 * log_tail - 1.8, 0.3))
    for _ in range(8):
        x -= (log_ndtr(x) - log_tail) / ndtr_hazard(x)
    return x if p < 0.5 else -x
