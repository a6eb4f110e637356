"""Copies of users' functions that refer to other things: to a `math` for arrays and duals, to compiled functions."""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np

AS_IT_IS = "__nutslite_as_it_is__"
"""Attribute of functions that Numba knows by an overload, and that take duals: they are not copied."""

_OF_LIBRARIES = ("numpy", "scipy", "numba")


@functools.cache
def _math() -> dict[str, Any]:
    """Functions of `math` by name, as arrays and duals can be given to them."""
    named: dict[str, Any] = {
        name: getattr(np, name) for name in dir(math) if isinstance(getattr(np, name, None), np.ufunc)
    }
    named |= {name: getattr(math, name) for name in ("pi", "e", "tau", "inf", "nan")}
    named |= {
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
    try:
        from scipy import special
    except ImportError:  # the sampler alone needs NumPy and Numba only: these then take plain numbers
        return {**{name: getattr(math, name) for name in ("lgamma", "gamma", "erf", "erfc")}, **named}
    return {
        **named,
        "lgamma": special.gammaln,
        "gamma": special.gamma,
        "erf": special.erf,
        "erfc": special.erfc,
    }


@functools.cache
def _aware_math() -> types.SimpleNamespace:
    return types.SimpleNamespace(**_math())


@functools.cache
def _by_function() -> dict[Any, Any]:
    return {getattr(math, name): item for name, item in _math().items() if callable(item)}


def aware(function: Callable[..., Any]) -> Callable[..., Any]:
    """A copy of a Python function, and of those it calls, in which `math` takes arrays and duals too.

    Compiled functions are replaced by the Python functions they were compiled from; functions that are not written in
    Python stay as they are.
    """
    return _Copies(_with_arrays).of(getattr(function, "py_func", function))  # type: ignore[no-any-return]


def compilable(function: types.FunctionType, compiled: Callable[[Any], Any]) -> types.FunctionType:
    """A copy of a Python function in which the Python functions that it calls by name are `compiled`."""
    copies = _Copies(lambda item: item, compiled)
    copies.of(function)
    return copies.made[id(function)]


def _with_arrays(item: Any) -> Any:
    """What stands for `math`, for a function of it, or for a compiled function."""
    if item is math:
        return _aware_math()
    if isinstance(item, types.ModuleType) and item.__name__.startswith("nutslite."):
        return _AwareModule(item)
    if isinstance(item, types.BuiltinFunctionType):
        return _by_function().get(item, item)
    return getattr(item, "py_func", item)


class _AwareModule:
    """A module of ours whose functions take arrays and duals."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return aware(getattr(self._module, name))


class _Copies:
    """One pass over a function and what it refers to; each function is copied once, so that recursion ends.

    Parameters
    ----------
    replace : callable
        What to put in the place of something that a function refers to.
    finish : callable, optional
        Applied to every copy before others refer to it.
    """

    def __init__(self, replace: Callable[[Any], Any], finish: Callable[[Any], Any] | None = None) -> None:
        self.replace = replace
        self.finish = finish
        self.made: dict[int, types.FunctionType] = {}
        self.finished: dict[int, Any] = {}
        self.originals: list[Any] = []  # kept alive, so that no other function gets one of their ids

    def of(self, item: Any) -> Any:
        item = self.replace(item)
        if not isinstance(item, types.FunctionType) or (item.__module__ or "").split(".")[0] in _OF_LIBRARIES:
            return item
        if getattr(item, AS_IT_IS, False):
            return item
        if id(item) not in self.made:
            self._copy(item)
        return self.finished[id(item)]

    def _copy(self, function: types.FunctionType) -> None:
        names = dict(function.__globals__)
        cells = tuple(types.CellType() for _ in function.__closure__ or ())
        copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells or None)
        copy.__kwdefaults__ = function.__kwdefaults__
        copy.__module__ = function.__module__
        self.originals.append(function)
        self.made[id(function)] = copy
        self.finished[id(function)] = copy if self.finish is None else self.finish(copy)
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
