"""What densities need of the gamma function, for loops that vectorise, and without leading terms that cancel.

`stirling_errors` is what is left of ``lgamma`` and ``digamma`` when their leading terms are taken out by hand, so that
a gamma or beta density with a shape of 1e12 keeps its digits. `half_step` and `rising` are differences of ``lgamma``
and of ``digamma`` at two places, which lose theirs when each is computed by itself.

All are made in the same way, without a branch. From 6 on they are the asymptotic series, as a polynomial in
``1 / x^2``. Below 6 they are the series at ``x + 6`` and the recurrence
``lgamma(x + 6) = lgamma(x) + log(x (x + 1) ... (x + 5))``, one logarithm of a product instead of six.

Errors are below 1e-14 for s of `stirling_errors` and below 4e-15 for the others, relative where the result is larger
than 1 (for `rising`: than y), else absolute; from 6 on the first four have a relative error below 2e-15.
``tests/test_gamma_functions.py`` holds them to that.

The functions are inlined by Numba: LLVM does not inline functions of this length, nor vectorise loops with calls. A
loop over `stirling_errors` and `exp` takes 4 ns a row, with ``math.lgamma`` and a digamma that counts up it took 27.

Sources: recurrences and asymptotic series, Abramowitz and Stegun 6.1.15, 6.1.41, 6.3.5, 6.3.18. In place of the series
stand polynomials that interpolate the functions themselves at Chebyshev nodes of [0, 1/36], computed with 60 digits:
fewer terms for the same error, below 1e-17.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nutslite._numba import fused, inlined
from nutslite._special import log, log1p, two_atanh

LARGEST_TABLE = 10_000  # counts below are looked up; of larger ones those that there are get a place first
_START = 6.0  # where the series begin
_LOG_8_5 = 2.1400661634962708

# Polynomials in 1 / x^2, x >= 6. Of x stirling_error(x):
_S0, _S1, _S2, _S3, _S4, _S5, _S6 = (
    0.08333333333333333,
    -0.0027777777776807643,
    0.0007936507373369848,
    -0.0005952257418022643,
    0.0008404447851602169,
    -0.0018449995052567591,
    0.004298394281325464,
)
# ... of x (digamma_error(x) - 1/2):
_D0, _D1, _D2, _D3, _D4, _D5, _D6, _D7 = (
    0.08333333333333333,
    -0.008333333333265424,
    0.003968253916496818,
    -0.004166651522951171,
    0.0075735577568517305,
    -0.020916085217393375,
    0.0751835876696361,
    -0.2297854245497472,
)
# ... of x (lgamma(x + 1/2) - lgamma(x) - log(x) / 2):
_H0, _H1, _H2, _H3, _H4, _H5, _H6 = (
    -0.12499999999999994,
    0.005208333333139311,
    -0.0015624998873748647,
    0.0011858011865239976,
    -0.001679245581513469,
    0.003689065704911959,
    -0.008596086518828216,
)
# ... and of x (x digamma(x + 1/2) - x digamma(x) - 1/2):
_G0, _G1, _G2, _G3, _G4, _G5, _G6, _G7 = (
    0.125,
    -0.015624999999864183,
    0.0078124998964864,
    -0.008300750962771651,
    0.015132319141061959,
    -0.04182187346300229,
    0.15035710044406214,
    -0.4595595850344641,
)


@fused
def _log_near(x):
    """``log(x)`` for 6 <= x <= 12."""
    return _LOG_8_5 + two_atanh((x - 8.5) / (x + 8.5))


@fused
def _upper_factors(x):
    """``(x + 1) (x + 2) ... (x + 5)``, and the derivative of its logarithm."""
    w = x + 3.0
    u = x * (x + 6.0)
    v = (u + 5.0) * (u + 8.0)
    product = w * v
    return product, (v + 2.0 * (w * w) * (2.0 * u + 13.0)) / product


@fused
def _all_factors(x):
    """``x (x + 1) ... (x + 5)``, and the derivative of its logarithm."""
    u = x * (x + 5.0)
    v = (u + 4.0) * (u + 6.0)
    product = u * v
    return product, (2.0 * x + 5.0) * (v + u * (2.0 * u + 10.0)) / product


@fused
def _stirling_series(inverse):
    """Both of `stirling_errors` at ``1 / inverse``, which is 6 or more."""
    z = inverse * inverse
    z2 = z * z
    z4 = z2 * z2
    s = ((_S0 + z * _S1) + z2 * (_S2 + z * _S3)) + z4 * ((_S4 + z * _S5) + z2 * _S6)
    d = ((_D0 + z * _D1) + z2 * (_D2 + z * _D3)) + z4 * ((_D4 + z * _D5) + z2 * (_D6 + z * _D7))
    return s * inverse, 0.5 + d * inverse


@fused
def _half_step_series(inverse):
    """Both of `half_step` at ``1 / inverse``, which is 6 or more."""
    z = inverse * inverse
    z2 = z * z
    z4 = z2 * z2
    h = ((_H0 + z * _H1) + z2 * (_H2 + z * _H3)) + z4 * ((_H4 + z * _H5) + z2 * _H6)
    g = ((_G0 + z * _G1) + z2 * (_G2 + z * _G3)) + z4 * ((_G4 + z * _G5) + z2 * (_G6 + z * _G7))
    return h * inverse, g * inverse


@inlined
def stirling_parts(x, log_x):
    """`stirling_errors` with a logarithm still to be taken, so that sums of several take one of a product.

    Returns
    -------
    rest, product, d : float
        The first of `stirling_errors` is ``rest - log(product)``, where 1 <= product < 6e5; d is the second.
    """
    small = x < _START
    low = x if small else _START  # the way of small x, which must not overflow where it is not wanted
    shifted = low + _START
    inverse = 1.0 / (shifted if small else x)
    s, d = _stirling_series(inverse)
    log_shifted = _log_near(shifted)
    product, slope = _upper_factors(low)
    rest = s + (shifted - 0.5) * log_shifted - _START - (low + 0.5) * log_x
    d_low = 1.0 + low * (log_x - log_shifted + d * inverse + slope)
    return (rest if small else s), (product if small else 1.0), (d_low if small else d)


@inlined
def stirling_errors(x, log_x):
    """What is left of ``lgamma`` and ``digamma`` at x > 0 without their leading terms, given also ``log_x``.

    Because the logarithm is passed in, both stay finite where x itself underflows.

    Returns
    -------
    s : float
        ``lgamma(x) - ((x - 1/2) log(x) - x + log(2 pi) / 2)``, which vanishes as ``1 / (12 x)``.
    d : float
        ``x * (log(x) - digamma(x))``, which falls from 1 at zero to 1/2 at infinity; it is ``1/2 - x s'(x)``.
    """
    rest, product, d = stirling_parts(x, log_x)
    return rest - log(product), d


@inlined
def half_step(x, log_x):
    """``lgamma`` and ``digamma`` from x > 0 to ``x + 1/2``, without leading terms, given also ``log_x``.

    Returns
    -------
    h : float
        ``lgamma(x + 1/2) - lgamma(x) - log(x) / 2``, which vanishes as ``-1 / (8 x)``.
    d : float
        ``x (digamma(x + 1/2) - digamma(x)) - 1/2``, which is ``x h'(x)`` and vanishes as ``1 / (8 x)``.
    """
    small = x < _START
    low = x if small else _START
    shifted = low + _START
    inverse = 1.0 / (shifted if small else x)
    h, d = _half_step_series(inverse)
    product, slope = _upper_factors(low)
    half_product, half_slope = _all_factors(low + 0.5)
    ratio = product / half_product
    h_low = h + 0.5 * (log_x + log(shifted * (ratio * ratio)))
    d_low = 0.5 + low * ((d + 0.5) * inverse - half_slope + slope)
    return (h_low if small else h), (d_low if small else d)


@inlined
def rising(y, x, log_x):
    """``sum(log(1 + j / x), j < y)`` for a count y and x > 0, given also ``log_x``; and ``sum(j / (x + j), j < y)``.

    The first is ``lgamma(x + y) - lgamma(x) - y log(x)``, the second minus its derivative with respect to ``log(x)``.
    Both are exactly 0 for y = 0. Counts beyond 1e50 overflow.
    """
    small = x < _START
    low = x if small else _START
    shifted = low + _START
    base = shifted if small else x
    top = base + y
    inverse = 1.0 / base
    inverse_top = 1.0 / top
    s, d = _stirling_series(inverse)
    s_top, d_top = _stirling_series(inverse_top)
    ratio = log1p(y * inverse)
    value = (top - 0.5) * ratio - y + (s_top - s)
    growth = ratio + (d * inverse - d_top * inverse_top)  # of digamma, from base to top
    product, slope = _upper_factors(low)
    product_top, slope_top = _all_factors(low + y)
    value_low = value + y * _log_near(shifted) - (y - 1.0) * log_x - log(product_top / product)
    decrease = y - x * growth
    decrease_low = y - 1.0 - low * (growth - slope_top + slope)
    value = value_low if small else value
    decrease = decrease_low if small else decrease
    return (value if y > 0.0 else 0.0), (decrease if y > 0.0 else 0.0)


def log_factorial(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """``log(counts!)``, elementwise: the normalising constant that `prepare` functions store."""
    if counts.size and counts.min() >= 0.0 and counts.max() < LARGEST_TABLE and np.all(counts % 1.0 == 0.0):
        table = np.array([math.lgamma(value + 1.0) for value in range(int(counts.max()) + 1)])
        return np.asarray(table[counts.astype(np.int32)])
    unique, index = np.unique(counts, return_inverse=True)
    table = np.array([math.lgamma(value + 1.0) for value in unique])
    result: NDArray[np.float64] = table[index].reshape(np.shape(counts))
    return result
