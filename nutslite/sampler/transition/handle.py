"""A function and its data as two numbers, so that what calls it is compiled once for all types of data.

A model's data are dozens of arrays in tuples. A kernel that takes them as an argument, to call a log density with them,
is compiled anew for every type of data, and unpacks all arrays whenever Python calls it. Here the data are unpacked
once and laid down in memory, with the pointer to the function that wants them. A small function of their type, itself
called by its address, takes both up again. So one compiled sampler serves every log density there is.

What is laid down borrows the memory of the arrays: whoever uses a handle keeps it, and with it the arrays, alive.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from nutslite._addresses import address_of, caller_of
from nutslite._numba import jit_disabled, kernel_with_signature, without_dispatch
from nutslite.exceptions import SamplingError
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.logdensity import logdensity_signature


class Handle(NamedTuple):
    """A function and its data for compiled code; under ``NUMBA_DISABLE_JIT=1`` they are what they were."""

    function: Any  # address of a function that takes, in place of the data, the address of the record
    data: Any  # address of the record
    kept: tuple[Any, ...] = ()  # what must live as long as the handle is used


def handle_of(logdensity: Any, data: Any, data_type: Any, *, checked: bool = True) -> Handle:
    """The handle of a log density that is compiled for this type of data; `checked` as in `handed`."""
    return handed(logdensity, data, compiled_hands(data_type), checked=checked)


@functools.cache
def compiled_hands(data_type: Any) -> Hands:
    """What gives and takes log densities over one type of data."""
    return hands_for(data_type, logdensity_signature, _take_up)


logdensity_at = caller_of(types.FunctionType(logdensity_signature(types.int64)))
"""For compiled code: the log density of a handle."""


@uncounted
def _take_up(position, gradient, record):
    """The log density in a record, at a position."""
    data, logdensity = taken(record)
    return logdensity(position, gradient, data)


class Hands(NamedTuple):
    """What lays functions down with data of one type, and what takes them up."""

    lay_down: Any  # (data, function, record) overwrites the record
    lay_down_unchecked: Any  # without a look at the types
    take_up: Any  # its address
    size: int  # of a record, in units of 8 bytes


def hands_for(data_type: Any, signature: Callable[[Any], Any], take_up: Any) -> Hands:
    """Compile what lays down and takes up functions over a type of data.

    Parameters
    ----------
    data_type : numba type
        Numbers, arrays, (named) tuples of them, function pointers.
    signature : callable
        The functions' signature for a type of data, which are their last argument.
    take_up : callable
        An `uncounted` function that gets, in place of the data, a pointer to the record, and calls what is `taken`.

    Raises
    ------
    SamplingError
        If the data hold something whose memory cannot be borrowed.
    """
    if jit_disabled():
        return Hands(None, None, None, 0)
    _check_borrowed(data_type)
    function = types.FunctionType(signature(data_type))
    record = types.Tuple([data_type, function])
    laying = types.void(data_type, function, types.Array(types.uint64, 1, "C"))
    taking = types.FunctionType(signature(types.CPointer(record)))
    context = cpu_target.target_context
    size = -(-int(context.get_abi_sizeof(context.get_value_type(record))) // 8)
    lay_down = kernel_with_signature(_lay_down, laying)
    return Hands(lay_down, without_dispatch(lay_down, laying), address_of(take_up, taking), size)


def handed(function: Any, data: Any, hands: Hands, *, checked: bool = True) -> Handle:
    """The handle of a function with its data.

    Unless `checked`, the caller answers for the data's type: to look at every array takes longer than many a density.
    """
    if jit_disabled():
        return Handle(function, data)
    record = np.empty(hands.size, dtype=np.uint64)
    (hands.lay_down if checked else hands.lay_down_unchecked)(data, function, record)
    return Handle(hands.take_up, record.ctypes.data, (record, data, function))


def _lay_down(data: Any, function: Any, record: Any) -> None:
    """Overwrite the record."""
    _put(data, function, record)


@intrinsic  # type: ignore[untyped-decorator]
def _put(typing_context: Any, data: Any, function: Any, record: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = [_borrowed(context, builder, data, arguments[0]), arguments[1]]
        value = context.make_tuple(builder, types.Tuple([data, function]), values)
        place = context.make_array(record)(context, builder, arguments[2]).data
        builder.store(value, builder.bitcast(place, value.type.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.void(data, function, record), generate


@intrinsic  # type: ignore[untyped-decorator]
def taken(typing_context: Any, record: Any) -> Any:
    """``data, function = taken(record)``, for compiled code."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.bitcast(arguments[0], context.get_value_type(record.dtype).as_pointer())
        return builder.load(place, align=8)

    return record.dtype(record), generate


def _borrowed(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """The value with arrays that own nothing, so that nobody counts references to them."""
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        items = zip(kind.types, cgutils.unpack_tuple(builder, value, len(kind)), strict=True)
        return context.make_tuple(builder, kind, [_borrowed(context, builder, *item) for item in items])
    return value


def _check_borrowed(kind: Any) -> None:
    """Raise where a type has parts that Numba counts references to, other than arrays."""
    if isinstance(kind, types.BaseTuple):
        for each in kind.types:
            _check_borrowed(each)
    elif not isinstance(kind, types.Array):
        context = cpu_target.target_context
        if context.data_model_manager[kind].contains_nrt_meminfo():
            raise SamplingError(
                f"The sampler cannot hand this data to compiled code: there is a {kind} in it. Pass numbers, NumPy "
                "arrays, or (named) tuples of them."
            )
