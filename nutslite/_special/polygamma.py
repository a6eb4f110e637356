"""Derivatives of the logarithm of the gamma function.

Source: asymptotic series of digamma, Abramowitz and Stegun 6.3.18.
"""

from __future__ import annotations

import math

from nutslite._numba import kernel

_DIGAMMA_ROOT = 1.4616321449683622  # the double next to the positive root; the rest of the root follows
_DIGAMMA_ROOT_REST = 9.549995429965697e-17
# (-1)**(k + 1) * hurwitz_zeta(k + 1, root), k = 1, 2, ...: Taylor coefficients of digamma at its root
_DIGAMMA_TAYLOR = (
    0.9676722454476214,
    -0.44276316898359214,
    0.2584997609556512,
    -0.16394270544240658,
    0.10782405069126239,
    -0.07219956125645476,
    0.048804288164143145,
    -0.033161126474847376,
    0.022597648232218125,
    -0.015424765904948968,
    0.010538791616612182,
    -0.007204534386356875,
    0.004926781395729858,
    -0.0033698016554393317,
    0.00230512632673493,
    -0.0015769367714301987,
    0.0010788252019162975,
    -0.000738070938996006,
)


@kernel
def digamma(x):
    """Derivative of ``lgamma`` at x > 0 (nan elsewhere); keeps its relative accuracy at the root 1.4616."""
    if not x > 0.0:
        return math.nan
    distance = (x - _DIGAMMA_ROOT) - _DIGAMMA_ROOT_REST
    if abs(distance) < 0.2:
        total = 0.0
        for k in range(len(_DIGAMMA_TAYLOR) - 1, -1, -1):
            total = total * distance + _DIGAMMA_TAYLOR[k]
        return total * distance
    shift = 0.0
    while x < 10.0:
        shift += 1.0 / x
        x += 1.0
    return math.log(x) - _digamma_tail(x) / x - shift


@kernel
def _digamma_tail(x):
    """``x * (log(x) - digamma(x))`` for x >= 10: 1/2 + 1/(12 x) - 1/(120 x^3) + ... (A&S 6.3.18)."""
    z = 1.0 / (x * x)
    series = 1.0 / 12.0 - z * (
        1.0 / 120.0
        - z * (1.0 / 252.0 - z * (1.0 / 240.0 - z * (1.0 / 132.0 - z * (691.0 / 32760.0 - z * (1.0 / 12.0)))))
    )
    return 0.5 + series / x


@kernel
def trigamma(x):
    """Second derivative of ``lgamma`` at x > 0 (nan elsewhere); A&S 6.4.12 after shifting x above 10."""
    if not x > 0.0:
        return math.nan
    shift = 0.0
    while x < 10.0:
        shift += 1.0 / (x * x)
        x += 1.0
    z = 1.0 / (x * x)
    series = 1.0 / 6.0 - z * (
        1.0 / 30.0 - z * (1.0 / 42.0 - z * (1.0 / 30.0 - z * (5.0 / 66.0 - z * (691.0 / 2730.0 - z * (7.0 / 6.0)))))
    )
    return shift + (1.0 + 0.5 / x + z * series) / x
