"""Calls of C functions by address, from compiled code and (where nothing is compiled) from Python.

Two conventions:

nutpie
    ``int f(size_t n, const double *position, double *gradient, double *logp, void *data)``
bridgestan
    ``int f(const void *data, bool propto, bool jacobian, const double *position, double *logp, double *gradient,
    char **error)``, BridgeStan's ``bs_log_density_gradient``; called with both flags true and without `error`.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from nutslite._numba import VECTOR, jit_disabled

PLAIN = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_size_t
)
"""Prototype of the first convention, pointers as numbers."""

BRIDGESTAN = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_size_t,
    ctypes.c_bool,
    ctypes.c_bool,
    ctypes.c_size_t,
    ctypes.c_size_t,
    ctypes.c_size_t,
    ctypes.c_size_t,
)
"""Prototype of the second."""

_INT, _WORD, _DOUBLES, _ANYTHING = (
    ir.IntType(32),
    ir.IntType(64),
    ir.DoubleType().as_pointer(),
    ir.IntType(8).as_pointer(),
)
_CALL = types.int32(types.int64, types.int64, VECTOR, VECTOR, VECTOR)  # address, data, position, gradient, logp


def _start_of(context: Any, builder: Any, array: Any) -> Any:
    return context.make_array(VECTOR)(context, builder, array).data


def _length_of(context: Any, builder: Any, array: Any) -> Any:
    return builder.extract_value(context.make_array(VECTOR)(context, builder, array).shape, 0)


def _function_at(builder: Any, address: Any, arguments: list[Any]) -> Any:
    kind = ir.FunctionType(_INT, [argument.type for argument in arguments])
    return builder.call(builder.inttoptr(address, kind.as_pointer()), arguments)


@intrinsic
def _compiled_plain(typing_context: Any, address: Any, data: Any, position: Any, gradient: Any, logp: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, data, position, gradient, logp = arguments
        vectors = [_start_of(context, builder, array) for array in (position, gradient, logp)]
        length = _length_of(context, builder, position)
        return _function_at(builder, address, [length, *vectors, builder.inttoptr(data, _ANYTHING)])

    return _CALL, generate


@intrinsic
def _compiled_bridgestan(typing_context: Any, address: Any, data: Any, position: Any, gradient: Any, logp: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, data, position, gradient, logp = arguments
        vectors = [_start_of(context, builder, array) for array in (position, logp, gradient)]
        yes = ir.Constant(_INT, 1)  # callers of C extend a bool to an int
        flags = [yes, yes]
        no_message = ir.Constant(_ANYTHING.as_pointer(), None)
        return _function_at(builder, address, [builder.inttoptr(data, _ANYTHING), *flags, *vectors, no_message])

    return _CALL, generate


@functools.cache
def _plain_at(address: int) -> Any:
    return PLAIN(address)


@functools.cache
def _bridgestan_at(address: int) -> Any:
    return BRIDGESTAN(address)


def _python_plain(address: int, data: int, position: Any, gradient: Any, logp: Any) -> int:
    vectors = [array.ctypes.data for array in (position, gradient, logp)]
    return int(_plain_at(int(address))(position.size, *vectors, int(data)))


def _python_bridgestan(address: int, data: int, position: Any, gradient: Any, logp: Any) -> int:
    vectors = [array.ctypes.data for array in (position, logp, gradient)]
    return int(_bridgestan_at(int(address))(int(data), True, True, *vectors, 0))


call_plain: Any = _python_plain if jit_disabled() else _compiled_plain
"""``call_plain(address, data, position, gradient, logp) -> error code``; `gradient` and `logp` are overwritten."""

call_bridgestan: Any = _python_bridgestan if jit_disabled() else _compiled_bridgestan
"""The same for the second convention."""


def pointer_of(thing: Any) -> int | None:
    """A pointer as a number: of an integer, a ctypes function or pointer, an array's memory, what has an `address`.

    >>> pointer_of(4096), pointer_of(None), pointer_of("text")
    (4096, 0, None)
    """
    if thing is None:
        return 0
    if isinstance(thing, np.ndarray):
        return int(thing.ctypes.data)
    if isinstance(thing, int | np.integer) and not isinstance(thing, bool):
        return int(thing)
    if isinstance(thing, str | bytes | bool):
        return None
    address = getattr(thing, "address", None)  # of a function that numba.cfunc compiled
    if isinstance(address, int):
        return address
    try:
        return ctypes.cast(thing, ctypes.c_void_p).value or 0
    except (ctypes.ArgumentError, TypeError):
        return None
