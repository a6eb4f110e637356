"""Copies of users' functions in which `math` takes arrays and duals, which the real one does not."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

_MATH: dict[str, Any] = {name: getattr(np, name) for name in dir(math) if isinstance(getattr(np, name, None), np.ufunc)}
_MATH |= {name: getattr(math, name) for name in ("pi", "e", "tau", "inf", "nan")}
_MATH |= {
    "lgamma": special.gammaln,
    "gamma": special.gamma,
    "erf": special.erf,
    "erfc": special.erfc,
    "pow": np.power,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "fsum": lambda items: sum(items),
}
_AWARE_MATH = types.SimpleNamespace(**_MATH)
_BY_FUNCTION = {getattr(math, name): item for name, item in _MATH.items() if callable(item)}


def aware(function: Callable[..., Any]) -> Callable[..., Any]:
    """A copy of a Python function, and of those it calls, in which `math` takes arrays and duals too.

    Compiled functions are replaced by the Python functions they were compiled from; functions that are not written in
    Python stay as they are.
    """
    return _Copies().of(function)


class _Copies:
    """One pass over a function and what it refers to; each function is copied once, so that recursion ends."""

    def __init__(self) -> None:
        self.made: dict[int, Any] = {}

    def of(self, item: Any) -> Any:
        if item is math:
            return _AWARE_MATH
        try:
            if item in _BY_FUNCTION:
                return _BY_FUNCTION[item]
        except TypeError:  # not hashable, so no function
            return item
        item = getattr(item, "py_func", item)
        if not isinstance(item, types.FunctionType) or (item.__module__ or "").split(".")[0] in ("numpy", "scipy"):
            return item
        if id(item) not in self.made:
            self._copy(item)
        return self.made[id(item)]

    def _copy(self, function: types.FunctionType) -> None:
        names = dict(function.__globals__)
        cells = tuple(types.CellType() for _ in function.__closure__ or ())
        copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells or None)
        copy.__kwdefaults__ = function.__kwdefaults__
        self.made[id(function)] = copy
        for name in _names_in(function.__code__):
            if name in names:
                names[name] = self.of(names[name])
        for cell, original in zip(cells, function.__closure__ or (), strict=True):
            try:
                cell.cell_contents = self.of(original.cell_contents)
            except ValueError:  # a name that has no value yet
                continue


def _names_in(code: types.CodeType) -> set[str]:
    """Global names that a function's code, or code inside it, may use."""
    inner = (_names_in(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*inner)
