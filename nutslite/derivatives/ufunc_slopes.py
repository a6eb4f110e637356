"""Derivatives of NumPy's universal functions, for `dual_arrays`; `scipy_slopes` has those of SciPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def _power(a: Any, b: Any, value: Any) -> tuple[Any, Any]:
    slope = np.where(b == 0.0, 0.0, b * np.power(np.asarray(a, dtype=float), b - 1.0))
    positive = np.where(np.asarray(a) > 0.0, a, 1.0)
    return slope, np.where(np.asarray(a) > 0.0, value * np.log(positive), np.where(np.asarray(a) == 0.0, 0.0, np.nan))


def _expit(x: Any) -> Any:
    small = np.exp(-np.abs(x))
    return np.where(np.asarray(x) >= 0.0, 1.0, small) / (1.0 + small)


def _larger(a: Any, b: Any, _: Any) -> tuple[Any, Any]:
    return np.where(a >= b, 1.0, 0.0), np.where(a >= b, 0.0, 1.0)


def _smaller(a: Any, b: Any, _: Any) -> tuple[Any, Any]:
    return np.where(a <= b, 1.0, 0.0), np.where(a <= b, 0.0, 1.0)


# slope(x, f(x)) of functions of one number
ONE: dict[Any, Callable[[Any, Any], Any]] = {
    np.negative: lambda x, f: -1.0,
    np.positive: lambda x, f: 1.0,
    np.absolute: lambda x, f: np.sign(x),
    np.fabs: lambda x, f: np.sign(x),
    np.exp: lambda x, f: f,
    np.exp2: lambda x, f: f * math.log(2.0),
    np.expm1: lambda x, f: np.exp(x),
    np.log: lambda x, f: 1.0 / x,
    np.log2: lambda x, f: 1.0 / (x * math.log(2.0)),
    np.log10: lambda x, f: 1.0 / (x * math.log(10.0)),
    np.log1p: lambda x, f: 1.0 / (1.0 + x),
    np.sqrt: lambda x, f: 0.5 / f,
    np.cbrt: lambda x, f: 1.0 / (3.0 * f * f),
    np.square: lambda x, f: 2.0 * x,
    np.reciprocal: lambda x, f: -f * f,
    np.sin: lambda x, f: np.cos(x),
    np.cos: lambda x, f: -np.sin(x),
    np.tan: lambda x, f: 1.0 + f * f,
    np.arcsin: lambda x, f: 1.0 / np.sqrt(1.0 - x * x),
    np.arccos: lambda x, f: -1.0 / np.sqrt(1.0 - x * x),
    np.arctan: lambda x, f: 1.0 / (1.0 + x * x),
    np.sinh: lambda x, f: np.cosh(x),
    np.cosh: lambda x, f: np.sinh(x),
    np.tanh: lambda x, f: 1.0 / np.cosh(x) ** 2,
    np.arcsinh: lambda x, f: 1.0 / np.sqrt(x * x + 1.0),
    np.arccosh: lambda x, f: 1.0 / np.sqrt(x * x - 1.0),
    np.arctanh: lambda x, f: 1.0 / (1.0 - x * x),
}

# slopes(a, b, f(a, b)) of functions of two numbers
TWO: dict[Any, Callable[[Any, Any, Any], tuple[Any, Any]]] = {
    np.add: lambda a, b, f: (1.0, 1.0),
    np.subtract: lambda a, b, f: (1.0, -1.0),
    np.multiply: lambda a, b, f: (b, a),
    np.divide: lambda a, b, f: (1.0 / np.asarray(b, dtype=float), -f / b),
    np.power: _power,
    np.float_power: _power,
    np.maximum: _larger,
    np.fmax: _larger,
    np.minimum: _smaller,
    np.fmin: _smaller,
    np.logaddexp: lambda a, b, f: (_expit(a - b), _expit(b - a)),
    np.hypot: lambda a, b, f: (a / f, b / f),
    np.arctan2: lambda a, b, f: (b / (a * a + b * b), -a / (a * a + b * b)),
    np.copysign: lambda a, b, f: (np.where(np.signbit(a) == np.signbit(b), 1.0, -1.0), 0.0),
}

# Answers without a derivative: comparisons, and what is constant between jumps.
PLAIN = {
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.isnan, np.isinf, np.isfinite,
    np.sign, np.signbit, np.floor, np.ceil, np.rint, np.trunc,
}  # fmt: skip
