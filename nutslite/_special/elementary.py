"""Exponentials and logarithms that vectorise.

`exp`, `decay`, `expm1`, `log`, `log1p`, `log1p_unit`, `log1p_and_inverse`, `log1p_square`, `softplus` and `expit` have
no branches and call no library, so that LLVM turns a loop over them into vector instructions (about six times the
speed of a loop over ``math.exp``). They are `fused`: where the processor multiplies and adds in one instruction, last
bits differ from those of plain Python.

Source: argument reduction of exp, Cody and Waite (1980).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from nutslite._numba import fused, inlined, jit_disabled, kernel

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
LOG_2 = math.log(2.0)

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

# With one of these, the integer has the bias of exponents already: shifted by 52 bits it is a power of two. Those of
# small numbers are made 2^54 times as large first, those of large ones as much smaller, so that none is out of range.
_ROUND_UP = _ROUND + 1023.0 + 54.0
_ROUND_DOWN = _ROUND + 1023.0 - 54.0
_ROUND_HALF = _ROUND + 1023.0 - 1.0
_TWO_TO_54 = 2.0**54
_TWO_TO_MINUS_54 = 2.0**-54

# Polynomials that interpolate at Chebyshev nodes (found as in ``families/links/native.py``):
# ``(expm1(r) - r) / r^2`` in r, ``|r| <= log(2) / 2``
_E2, _E3, _E4, _E5, _E6, _E7, _E8, _E9, _E10, _E11 = (
    0.5000000000000001, 0.16666666666666669, 0.04166666666662413, 0.008333333333330062, 0.0013888888917213717,
    0.00019841269863053618, 2.4801521295954376e-05, 2.7557268459997064e-06, 2.7620088445409746e-07,
    2.510038549551032e-08,
)  # fmt: skip
# ``(2 atanh(s) - 2 s) / s^3`` in s^2, at most 1/9
_A1, _A2, _A3, _A4, _A5, _A6, _A7, _A8, _A9, _A10 = (
    0.6666666666666666, 0.40000000000014596, 0.2857142856710506, 0.22222222717801782, 0.18181789417326447,
    0.15385570592912243, 0.13314135550881162, 0.12001155182857778, 0.08800317650868773, 0.16164938169471338,
)  # fmt: skip
# the same, s^2 at most 0.0298
_T1, _T2, _T3, _T4, _T5, _T6, _T7 = (
    0.666666666666667, 0.39999999999891717, 0.2857142862948635, 0.22222210565209682, 0.1818293036962058,
    0.15330359051275128, 0.14633188301564665,
)  # fmt: skip
_SMALLEST_NORMAL = 2.0**-1022
_LOG_TWO_TO_54 = 54.0 * LOG_2


@fused
def _expm1_reduced(r):
    """``expm1(r)`` for ``|r| <= log(2) / 2`` by a polynomial of degree 11, relative error below 5e-17."""
    r2 = r * r
    r4 = r2 * r2
    low = (_E2 + _E3 * r) + r2 * (_E4 + _E5 * r)
    high = ((_E6 + _E7 * r) + r2 * (_E8 + _E9 * r)) + r4 * (_E10 + _E11 * r)
    return r + r2 * (low + r4 * high)


@inlined
def _power_and_rest(x, shift):
    """A power of two, as the bits of ``x / log(2) + shift`` say it, and ``expm1`` of what remains of x."""
    shifted = x * _LOG2_E + shift
    power = shifted - shift
    return _double_of(_bits_of(shifted) << 52), _expm1_reduced((x - power * _LN2_HIGH) - power * _LN2_LOW)


@fused
def exp(x):
    """``exp(x)`` to about one unit in the last place; 0 below -745.2, inf above 709.8, nan for nan."""
    small = x < 0.0
    clipped = 710.0 if x > 710.0 else x
    power, rest = _power_and_rest(-746.0 if clipped < -746.0 else clipped, _ROUND_UP if small else _ROUND_DOWN)
    return (power + power * rest) * (_TWO_TO_MINUS_54 if small else _TWO_TO_54)


@fused
def decay(x):
    """``exp(-|x|)``, in fewer steps than `exp`."""
    power, rest = _power_and_rest(-746.0 if abs(x) > 746.0 else -abs(x), _ROUND_UP)
    return (power + power * rest) * _TWO_TO_MINUS_54


@fused
def expm1(x):
    """``exp(x) - 1`` without cancellation near zero, vectorising like `exp`."""
    clipped = 710.0 if x > 710.0 else x
    half, rest = _power_and_rest(-60.0 if clipped < -60.0 else clipped, _ROUND_HALF)  # half a power, which may overflow
    return 2.0 * (half * rest + (half - 0.5))


@fused
def _atanh_series(z):
    """``(2 atanh(s) - 2 s) / s^3`` for ``z = s^2`` at most 1/9; error relative to the logarithm below 1e-17."""
    z2 = z * z
    z4 = z2 * z2
    low = (_A1 + z * _A2) + z2 * (_A3 + z * _A4)
    high = ((_A5 + z * _A6) + z2 * (_A7 + z * _A8)) + z4 * (_A9 + z * _A10)
    return low + z4 * high


@fused
def log1p_unit(x):
    """``log(1 + x)`` for x in [0, 1], as ``2 atanh(x / (2 + x))``."""
    s = x / (2.0 + x)
    z = s * s
    return 2.0 * s + s * z * _atanh_series(z)


@fused
def log1p_and_inverse(x):
    """``log(1 + x)`` and ``1 / (1 + x)`` for x in [0, 1] by one division, which takes as long as many products."""
    u = 1.0 + x
    v = 2.0 + x
    inverse = 1.0 / (u * v)
    s = x * (u * inverse)
    z = s * s
    return 2.0 * s + s * z * _atanh_series(z), v * inverse


@fused
def two_atanh(s):
    """``log((1 + s) / (1 - s))`` for ``s^2 <= 0.0298``: what logarithms are made of; polynomial error below 1e-18."""
    z = s * s
    z2 = z * z
    series = ((_T1 + z * _T2) + z2 * (_T3 + z * _T4)) + (z2 * z2) * ((_T5 + z * _T6) + z2 * _T7)
    return 2.0 * s + s * z * series


@fused
def _log_normal(x):
    """`log` of a number that is positive, finite and not subnormal, and something finite for all others."""
    bits = _bits_of(x)
    exponent = (bits - _HALF_ROOT_BITS) >> 52  # such that the rest lies between sqrt(1/2) and sqrt(2)
    power = _double_of(exponent + _ROUND_BITS) - _ROUND
    m = _double_of(bits - (exponent << 52))
    return power * _LN2_HIGH + (two_atanh((m - 1.0) / (m + 1.0)) + power * _LN2_LOW)


@fused
def log(x):
    """``log(x)`` to about one unit in the last place, vectorising like `exp`; -inf at 0, nan below."""
    tiny = x < _SMALLEST_NORMAL
    value = _log_normal(x * _TWO_TO_54 if tiny else x)
    value = value - _LOG_TWO_TO_54 if tiny else value
    value = value if x < math.inf else x  # inf and nan are their own logarithms
    value = value if x > 0.0 else (-math.inf if x == 0.0 else math.nan)
    return value


@fused
def log1p(x):
    """``log(1 + x)`` for x >= 0, vectorising like `exp`."""
    u = 1.0 + x
    value = _log_normal(u) + (x - (u - 1.0)) / u  # the second term is what rounding took from u
    return value if u < math.inf else u


@fused
def log1p_square(x):
    """``log(1 + x^2)``, also where the square overflows."""
    size = abs(x)
    huge = size > 1e150
    square = 1.0 if huge else size * size
    u = size if huge else 1.0 + square
    log_u = _log_normal(u)
    log_u = math.inf if u == math.inf else log_u
    return 2.0 * log_u if huge else log_u + (square - (u - 1.0)) / u


@fused
def softplus(x):
    """``log(1 + exp(x))``; its derivative is `expit`."""
    return (x if x > 0.0 else 0.0) + log1p_unit(decay(x))


@fused
def expit(x):
    """``1 / (1 + exp(-x))``, with full relative accuracy in the lower tail."""
    e = decay(x)
    return (e if x < 0.0 else 1.0) / (1.0 + e)


@kernel
def logit(p):
    """``log(p / (1 - p))``; accurate near one half, -inf at 0, inf at 1, nan outside."""
    if abs(p - 0.5) < 0.25:
        return 2.0 * math.atanh(2.0 * p - 1.0)
    return math.log(p) - math.log1p(-p) if 0.0 < p < 1.0 else at_the_ends(p)


@kernel
def at_the_ends(p):
    if p == 0.0:
        return -math.inf
    return math.inf if p == 1.0 else math.nan


@kernel
def log1mexp(x):
    """``log(1 - exp(-x))`` for x > 0 (Maechler 2012, "Accurately computing log(1 - exp(-|a|))")."""
    return np.log(-np.expm1(-x)) if x < LOG_2 else np.log1p(-np.exp(-x))
