"""Parts as addresses: compiled when a run first wants them, once for each function."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from numba import types

from nutslite._addresses import address_of
from nutslite._numba import jit_disabled
from nutslite.exceptions import SamplingError
from nutslite.sampler.transition.compiling import uncounted

SHOWN_LINES = 12
"""Of what Numba says about a function that it cannot compile."""


def address(function: Callable[..., Any], pointer: types.FunctionType, what: str) -> Any:
    """The address of a part's function; under ``NUMBA_DISABLE_JIT=1`` the function itself.

    Parameters
    ----------
    function : callable
        Plain, or already compiled by `uncounted`.
    pointer : numba FunctionType
        What the part is called with.
    what : str
        The part in the user's words, for errors.

    Raises
    ------
    SamplingError
        If Numba cannot compile the function for these arguments.
    """
    if jit_disabled():
        return getattr(function, "py_func", function)
    try:
        return _address(function, pointer)
    except Exception as error:  # whatever Numba raises, the cause is the part
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        shown = "\n    ".join(lines[:SHOWN_LINES])
        raise SamplingError(
            f"{what} does not compile for the sampler, which calls {_name(function)}{_signature(pointer)}. A part "
            f"makes no arrays, and the functions that it calls are compiled ones. Numba says:\n    {shown}"
        ) from error


@functools.cache
def _address(function: Callable[..., Any], pointer: types.FunctionType) -> Any:
    dispatcher = function if hasattr(function, "py_func") else uncounted(function)
    found = address_of(dispatcher, pointer)
    returned = dispatcher.overloads[tuple(pointer.signature.args)].signature.return_type  # type: ignore[attr-defined]
    if returned != pointer.signature.return_type:
        raise TypeError(f"it returns {returned}, and should return {pointer.signature.return_type}")
    return found


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", function))


def _signature(pointer: types.FunctionType) -> str:
    """Types of the arguments, records by their names alone."""
    classes = [getattr(getattr(kind, "record", kind), "instance_class", None) for kind in pointer.signature.args]
    names = [
        str(kind) if record is None else record.__name__
        for kind, record in zip(pointer.signature.args, classes, strict=True)
    ]
    return f"({', '.join(names)}) -> {pointer.signature.return_type}"
