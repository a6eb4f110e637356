"""Modified Bessel functions of the orders 0 and 1, as the von Mises and Rice densities need them.

Power series below 20, asymptotic expansion above (Abramowitz and Stegun 9.6.10 and 9.7.1): where they meet, the
smallest term of the expansion is below the rounding error.
"""

from __future__ import annotations

import math

import numpy as np

from nutslite._numba import kernel

_SWITCH = 20.0


@kernel
def _scaled_pair(x):
    """``exp(-x) I0(x)`` and ``exp(-x) I1(x)`` for ``x >= 0``."""
    if x < _SWITCH:
        term = 1.0
        order_0 = 0.0
        order_1 = 0.0
        j = 0
        while term > 1e-18 * order_0:
            order_0 += term
            order_1 += term / (j + 1.0)
            j += 1
            term *= (0.5 * x / j) ** 2
        shrink = np.exp(-x)
        return shrink * order_0, shrink * 0.5 * x * order_1
    term_0 = 1.0
    term_1 = 1.0
    order_0 = 0.0
    order_1 = 0.0
    for k in range(1, 30):
        order_0 += term_0
        order_1 += term_1
        square = (2.0 * k - 1.0) ** 2
        term_0 *= square / (8.0 * x * k)
        term_1 *= (square - 4.0) / (8.0 * x * k)
        if abs(term_0) < 1e-18:
            break
    front = 1.0 / np.sqrt(2.0 * math.pi * x)
    return front * order_0, front * order_1


@kernel
def bessel_shortfall(x):
    """``x (1 - I1(x) / I0(x))`` for ``x >= 0``, which goes to one half: term by term where both are nearly equal."""
    if x < _SWITCH:
        order_0, order_1 = _scaled_pair(x)
        return x * (order_0 - order_1) / order_0
    inverse = 0.125 / x
    term_0, term_1 = 1.0, -3.0  # of the expansions, times 8 x
    order_0, difference = 1.0, 0.0
    for k in range(2, 31):
        order_0 += term_0 * inverse
        difference += term_0 - term_1
        square = (2.0 * k - 1.0) ** 2
        term_0 *= square * inverse / k
        term_1 *= (square - 4.0) * inverse / k
        if abs(term_0) < 1e-18:
            break
    return 0.125 * difference / order_0


@kernel
def log_bessel_0_scaled(x):
    """``log(exp(-x) I0(x))`` for ``x >= 0``."""
    order_0, _ = _scaled_pair(x)
    return np.log(order_0)


@kernel
def bessel_ratio(x):
    """``I1(x) / I0(x)``, the derivative of ``log I0(x)``, for ``x >= 0``."""
    order_0, order_1 = _scaled_pair(x)
    return order_1 / order_0
