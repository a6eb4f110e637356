"""Special functions for kernels: what Numba lacks, what must not lose digits, and what must vectorise.

Scalar functions for use inside other kernels, compared with SciPy in ``tests/test_special.py``.

`exp`, `expm1`, `log`, `log1p`, `log1p_unit`, `log1p_square`, `softplus` and `expit` have no branches and call no
library, so that LLVM turns a loop over them into vector instructions (four to five times the speed of a loop over
``math.exp``). What densities need of the gamma function is in ``families/rows/gamma_functions.py``, made in the same
way.

Sources: asymptotic series of digamma, Abramowitz and Stegun 6.3.18; argument reduction of exp, Cody and Waite (1980);
normal tail, Abramowitz and Stegun 26.2.12.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import ArrayLike, NDArray

from nutslite._numba import jit_disabled, kernel

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
LOG_2 = math.log(2.0)
_SQRT_HALF = math.sqrt(0.5)
_SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)

# --- reading a double's bits: one instruction inside kernels, NumPy's view when kernels are plain Python -------------

if jit_disabled():

    def _bits_of(x: float) -> Any:
        return np.float64(x).view(np.int64)

    def _double_of(bits: int) -> Any:
        return np.int64(bits).view(np.float64)

else:

    @intrinsic
    def _bits_of(typing_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], context.get_value_type(types.int64))

        return types.int64(types.float64), generate

    @intrinsic
    def _double_of(typing_context: Any, bits: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], context.get_value_type(types.float64))

        return types.float64(types.int64), generate


# --- exponentials that vectorise --------------------------------------------------------------------------------------

_LOG2_E = 1.0 / LOG_2
_LN2_HIGH = 6.93147180369123816490e-01  # the leading 33 bits of log(2): times a small integer is exact
_LN2_LOW = 1.90821492927058770002e-10
_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it leaves the nearest integer in the low bits of the sum
_ROUND_BITS = 0x4338000000000000
_HALF_ROOT_BITS = 0x3FE6A09E667F3BCD  # the bits of sqrt(1/2)
_E2, _E3, _E4, _E5, _E6, _E7, _E8, _E9, _E10, _E11, _E12, _E13 = (1.0 / math.factorial(k) for k in range(2, 14))

_A1, _A2, _A3, _A4, _A5, _A6, _A7, _A8, _A9, _A10, _A11, _A12, _A13, _A14, _A15, _A16 = (
    1.0 / (2 * k + 1) for k in range(1, 17)
)

# Polynomial in s^2 that interpolates ``(2 atanh(s) - 2 s) / s^3`` at Chebyshev nodes of [0, 0.0298]
_T1, _T2, _T3, _T4, _T5, _T6, _T7 = (
    0.666666666666667,
    0.39999999999891717,
    0.2857142862948635,
    0.22222210565209682,
    0.1818293036962058,
    0.15330359051275128,
    0.14633188301564665,
)
_SMALLEST_NORMAL = 2.0**-1022
_TWO_TO_54 = 2.0**54
_LOG_TWO_TO_54 = 54.0 * LOG_2


@kernel
def _expm1_reduced(r):
    """``expm1(r)`` for ``|r| <= log(2) / 2`` by its Taylor polynomial of degree 13, error below 1e-17."""
    r2 = r * r
    r4 = r2 * r2
    low = (_E2 + _E3 * r) + r2 * (_E4 + _E5 * r)
    high = ((_E6 + _E7 * r) + r2 * (_E8 + _E9 * r)) + r4 * ((_E10 + _E11 * r) + r2 * (_E12 + _E13 * r))
    return r + r2 * (low + r4 * high)


@kernel
def exp(x):
    """``exp(x)`` to about one unit in the last place; 0 below -745.2, inf above 709.8, nan for nan."""
    clipped = 710.0 if x > 710.0 else x
    clipped = -746.0 if x < -746.0 else clipped
    shifted = clipped * _LOG2_E + _ROUND
    power = shifted - _ROUND
    r = (clipped - power * _LN2_HIGH) - power * _LN2_LOW
    exponent = _bits_of(shifted) - _ROUND_BITS
    half = exponent >> 1  # two factors, so that neither overflows where the result is tiny or huge
    low = _double_of((half + 1023) << 52)
    high = _double_of((exponent - half + 1023) << 52)
    return ((1.0 + _expm1_reduced(r)) * low) * high


@kernel
def expm1(x):
    """``exp(x) - 1`` without cancellation near zero, vectorising like `exp`."""
    clipped = 710.0 if x > 710.0 else x
    clipped = -60.0 if x < -60.0 else clipped
    shifted = clipped * _LOG2_E + _ROUND
    power = shifted - _ROUND
    r = (clipped - power * _LN2_HIGH) - power * _LN2_LOW
    exponent = _bits_of(shifted) - _ROUND_BITS
    half = exponent >> 1
    low = _double_of((half + 1023) << 52)
    high = _double_of((exponent - half + 1023) << 52)
    high_inverse = _double_of((1023 - exponent + half) << 52)
    return (low * _expm1_reduced(r) + (low - high_inverse)) * high


@kernel
def log1p_unit(x):
    """``log(1 + x)`` for x in [0, 1], as ``2 atanh(x / (2 + x))`` by its Taylor series in the square (error 1e-17)."""
    s = x / (2.0 + x)
    z = s * s
    z2 = z * z
    z4 = z2 * z2
    a = (_A1 + z * _A2) + z2 * (_A3 + z * _A4)
    b = (_A5 + z * _A6) + z2 * (_A7 + z * _A8)
    c = (_A9 + z * _A10) + z2 * (_A11 + z * _A12)
    d = (_A13 + z * _A14) + z2 * (_A15 + z * _A16)
    return 2.0 * (s + s * z * (a + z4 * (b + z4 * (c + z4 * d))))


@kernel
def two_atanh(s):
    """``log((1 + s) / (1 - s))`` for ``s^2 <= 0.0298``: what logarithms are made of; polynomial error below 1e-18."""
    z = s * s
    z2 = z * z
    series = ((_T1 + z * _T2) + z2 * (_T3 + z * _T4)) + (z2 * z2) * ((_T5 + z * _T6) + z2 * _T7)
    return 2.0 * s + s * z * series


@kernel
def _log_normal(x):
    """`log` of a number that is positive, finite and not subnormal, and something finite for all others."""
    bits = _bits_of(x)
    exponent = (bits - _HALF_ROOT_BITS) >> 52  # such that the rest lies between sqrt(1/2) and sqrt(2)
    power = _double_of(exponent + _ROUND_BITS) - _ROUND
    m = _double_of(bits - (exponent << 52))
    return power * _LN2_HIGH + (two_atanh((m - 1.0) / (m + 1.0)) + power * _LN2_LOW)


@kernel
def log(x):
    """``log(x)`` to about one unit in the last place, vectorising like `exp`; -inf at 0, nan below."""
    tiny = x < _SMALLEST_NORMAL
    value = _log_normal(x * _TWO_TO_54 if tiny else x)
    value = value - _LOG_TWO_TO_54 if tiny else value
    value = value if x < math.inf else x  # inf and nan are their own logarithms
    value = value if x > 0.0 else (-math.inf if x == 0.0 else math.nan)
    return value


@kernel
def log1p(x):
    """``log(1 + x)`` for x >= 0, vectorising like `exp`."""
    u = 1.0 + x
    value = _log_normal(u) + (x - (u - 1.0)) / u  # the second term is what rounding took from u
    return value if u < math.inf else u


@kernel
def log1p_square(x):
    """``log(1 + x^2)``, also where the square overflows."""
    size = abs(x)
    huge = size > 1e150
    square = 1.0 if huge else size * size
    u = size if huge else 1.0 + square
    log_u = _log_normal(u)
    log_u = math.inf if u == math.inf else log_u
    return 2.0 * log_u if huge else log_u + (square - (u - 1.0)) / u


@kernel
def softplus(x):
    """``log(1 + exp(x))``; its derivative is `expit`."""
    return (x if x > 0.0 else 0.0) + log1p_unit(exp(-abs(x)))


@kernel
def expit(x):
    """``1 / (1 + exp(-x))``, with full relative accuracy in the lower tail."""
    e = exp(-abs(x))
    return (e if x < 0.0 else 1.0) / (1.0 + e)


@kernel
def logit(p):
    """``log(p / (1 - p))``; accurate near one half, -inf at 0, inf at 1, nan outside."""
    if abs(p - 0.5) < 0.25:
        return 2.0 * math.atanh(2.0 * p - 1.0)
    return math.log(p) - math.log1p(-p) if 0.0 < p < 1.0 else _at_the_ends(p)


@kernel
def _at_the_ends(p):
    if p == 0.0:
        return -math.inf
    return math.inf if p == 1.0 else math.nan


@kernel
def log1mexp(x):
    """``log(1 - exp(-x))`` for x > 0 (Maechler 2012, "Accurately computing log(1 - exp(-|a|))")."""
    return np.log(-np.expm1(-x)) if x < LOG_2 else np.log1p(-np.exp(-x))


# --- the gamma function's relatives ----------------------------------------------------------------------------------

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


# --- the normal distribution -----------------------------------------------------------------------------------------


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
        return _at_the_ends(p)
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


# --- moments of counts, for Python -----------------------------------------------------------------------------------

_TERMS_OF_SUM = 100  # added one by one; the others are an integral, and what Euler and Maclaurin take from it


def weibull_sum(first: ArrayLike, rate: ArrayLike, power: ArrayLike, *, weighted: bool = False) -> NDArray[np.float64]:
    """Sum of ``exp(-rate k^power)``, or of ``(2 k - 1)`` times these, over whole numbers k from `first`, 1 or more.

    Arrays broadcast. The sum is infinite where the terms do not vanish. Its relative error is below 1e-9 where `power`
    is at most 5, and below 1e-6 up to 20.
    """
    from scipy import special  # only means of one family need it

    first, rate, power = np.broadcast_arrays(*(np.asarray(each, dtype=np.float64) for each in (first, rate, power)))
    with np.errstate(all="ignore"):
        log_rate, shape = np.log(rate), 1.0 / power

        def hazard(k: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.exp(log_rate + power * np.log(k))

        total = np.zeros(rate.shape)
        for step in range(_TERMS_OF_SUM):
            k = first + step
            term = np.exp(-hazard(k)) * (2.0 * k - 1.0 if weighted else 1.0)
            total += term
            if not (term > 1e-18 * total).any():
                return np.where(np.isnan(total) | (rate == 0.0), np.inf, total)
        last = first + _TERMS_OF_SUM
        at_last = hazard(last)

        def integral(degree: float) -> NDArray[np.float64]:
            """Of ``degree t^(degree - 1) exp(-rate t^power)`` from `last` on."""
            log_whole = special.gammaln(1.0 + degree * shape) - degree * shape * log_rate
            return np.exp(log_whole + np.log(special.gammaincc(degree * shape, at_last)))

        fall, rest = -power * at_last / last, integral(1.0)
        value, slope = np.ones_like(last), fall
        if weighted:
            value, slope = 2.0 * last - 1.0, 2.0 + (2.0 * last - 1.0) * fall
            rest = integral(2.0) - rest
        rest += np.exp(-at_last) * (0.5 * value - slope / 12.0)
        total += np.where(np.exp(-at_last) > 0.0, rest, 0.0)
    return np.where(np.isnan(total) | (rate == 0.0), np.inf, total)
