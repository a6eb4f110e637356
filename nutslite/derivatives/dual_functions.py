"""What elementary functions do to dual numbers in compiled code: those of `math`, and NumPy's on single numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload, register_jitable

from nutslite._special import digamma, expit
from nutslite.derivatives.duals import (
    NUMBERS,
    define_one,
    define_two,
    divide,
    is_dual,
    power,
    store_partials,
    value_of,
)

_TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)
_LOG_2, _LOG_10 = math.log(2.0), math.log(10.0)


@register_jitable
def _exp(x):
    value = np.exp(x)
    return value, value


@register_jitable
def _sqrt(x):
    value = np.sqrt(x)
    return value, divide(0.5, value)


@register_jitable
def _tan(x):
    value = np.tan(x)
    return value, 1.0 + value * value


@register_jitable
def _tanh(x):
    return np.tanh(x), divide(1.0, np.cosh(x) ** 2)


@register_jitable
def _digamma_anywhere(x):
    # reflection, Abramowitz and Stegun 6.3.7; nan at the poles
    return digamma(x) if x > 0.0 else digamma(1.0 - x) - divide(math.pi, math.tan(math.pi * x))


@register_jitable
def _lgamma(x):
    return math.lgamma(x), _digamma_anywhere(x)


@register_jitable
def _gamma(x):
    value = math.gamma(x)
    return value, value * _digamma_anywhere(x)


@register_jitable
def _cbrt(x):
    value = math.copysign(abs(x) ** (1.0 / 3.0), x)
    return value, divide(1.0, 3.0 * value * value)


_ONE: tuple[tuple[tuple[Any, ...], Callable[..., Any]], ...] = (
    ((math.exp, np.exp), _exp),
    ((math.expm1, np.expm1), lambda x: (np.expm1(x), np.exp(x))),
    ((np.exp2,), lambda x: (2.0**x, 2.0**x * _LOG_2)),
    ((math.log, np.log), lambda x: (np.log(x), divide(1.0, x))),
    ((math.log1p, np.log1p), lambda x: (np.log1p(x), divide(1.0, 1.0 + x))),
    ((math.log2, np.log2), lambda x: (np.log2(x), divide(1.0, x * _LOG_2))),
    ((math.log10, np.log10), lambda x: (np.log10(x), divide(1.0, x * _LOG_10))),
    ((math.sqrt, np.sqrt), _sqrt),
    ((np.cbrt,), _cbrt),
    ((np.square,), lambda x: (x * x, 2.0 * x)),
    ((np.reciprocal,), lambda x: (divide(1.0, x), -divide(1.0, x * x))),
    ((np.negative,), lambda x: (-x, -1.0)),
    ((np.sum, np.mean), lambda x: (x, 1.0)),  # of one number
    ((math.fabs, np.abs, np.fabs), lambda x: (abs(x), 0.0 if x == 0.0 else math.copysign(1.0, x))),
    ((math.sin, np.sin), lambda x: (np.sin(x), np.cos(x))),
    ((math.cos, np.cos), lambda x: (np.cos(x), -np.sin(x))),
    ((math.tan, np.tan), _tan),
    ((math.asin, np.arcsin), lambda x: (np.arcsin(x), divide(1.0, np.sqrt(1.0 - x * x)))),
    ((math.acos, np.arccos), lambda x: (np.arccos(x), -divide(1.0, np.sqrt(1.0 - x * x)))),
    ((math.atan, np.arctan), lambda x: (np.arctan(x), divide(1.0, 1.0 + x * x))),
    ((math.sinh, np.sinh), lambda x: (np.sinh(x), np.cosh(x))),
    ((math.cosh, np.cosh), lambda x: (np.cosh(x), np.sinh(x))),
    ((math.tanh, np.tanh), _tanh),
    ((math.asinh, np.arcsinh), lambda x: (np.arcsinh(x), divide(1.0, np.sqrt(x * x + 1.0)))),
    ((math.acosh, np.arccosh), lambda x: (np.arccosh(x), divide(1.0, np.sqrt(x * x - 1.0)))),
    ((math.atanh, np.arctanh), lambda x: (np.arctanh(x), divide(1.0, 1.0 - x * x))),
    ((math.erf,), lambda x: (math.erf(x), _TWO_OVER_ROOT_PI * np.exp(-x * x))),
    ((math.erfc,), lambda x: (math.erfc(x), -_TWO_OVER_ROOT_PI * np.exp(-x * x))),
    ((math.lgamma,), _lgamma),
    ((math.gamma,), _gamma),
)


@register_jitable
def _logaddexp(a, b):
    return np.logaddexp(a, b), expit(a - b), expit(b - a)


@register_jitable
def _arctan2(a, b):
    square = a * a + b * b
    return np.arctan2(a, b), divide(b, square), -divide(a, square)


@register_jitable
def _hypot(a, b):
    value = np.hypot(a, b)
    return value, divide(a, value), divide(b, value)


_TWO: tuple[tuple[tuple[Any, ...], Callable[..., Any]], ...] = (
    ((np.add,), lambda a, b: (a + b, 1.0, 1.0)),
    ((np.subtract,), lambda a, b: (a - b, 1.0, -1.0)),
    ((np.multiply,), lambda a, b: (a * b, b, a)),
    ((np.divide,), lambda a, b: (divide(a, b), divide(1.0, b), -divide(divide(a, b), b))),
    ((np.power,), power),
    ((np.logaddexp,), _logaddexp),
    ((math.atan2, np.arctan2), _arctan2),
    ((math.hypot, np.hypot), _hypot),
    ((max, np.maximum, np.fmax), lambda a, b: (a, 1.0, 0.0) if a >= b else (b, 0.0, 1.0)),
    ((min, np.minimum, np.fmin), lambda a, b: (a, 1.0, 0.0) if a <= b else (b, 0.0, 1.0)),
)

# Constant between jumps, so their value is a plain number.
_WITHOUT_SLOPE: tuple[Any, ...] = (math.floor, math.ceil, np.floor, np.ceil, np.sign)
_WITHOUT_SLOPE += (math.isnan, math.isinf, math.isfinite, np.isnan, np.isinf, np.isfinite)


def _define_without_slope(function: Callable[..., Any]) -> None:
    def typed(x: Any) -> Any:
        if not is_dual(x):
            return None

        def step(x: Any) -> Any:
            return function(value_of(x))

        return step

    overload(function)(typed)


for _functions, _rule in _ONE:
    for _function in _functions:
        define_one(_function, register_jitable(_rule))
for _functions, _rule in _TWO:
    for _function in _functions:
        define_two(_function, register_jitable(_rule))
for _function in _WITHOUT_SLOPE:
    _define_without_slope(_function)


@overload(np.where)
def _where(condition: Any, x: Any, y: Any) -> Any:
    dual = x if is_dual(x) else y
    if not is_dual(dual) or not all(is_dual(kind) or isinstance(kind, NUMBERS) for kind in (x, y)):
        return None

    def choose(condition: Any, x: Any, y: Any) -> Any:
        return x if condition else y

    return choose


def stored(result: Any, gradient: Any) -> Any:
    """For kernels: overwrite `gradient` with the partials of `result`, zeros for a plain number; return its value."""
    raise NotImplementedError("compiled code only")


@overload(stored)
def _stored(result: Any, gradient: Any) -> Any:
    if is_dual(result):

        def dual(result: Any, gradient: Any) -> Any:
            return store_partials(result, gradient)

        return dual
    if not isinstance(result, NUMBERS):
        return None

    def constant(result: Any, gradient: Any) -> Any:
        for j in range(gradient.shape[0]):
            gradient[j] = 0.0
        return float(result)

    return constant
