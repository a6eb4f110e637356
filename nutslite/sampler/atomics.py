"""Integers in memory that several threads read and change, for compiled code: three instructions of the processor.

Numba has none of its own on CPUs. Without the JIT, where nothing runs beside anything, they are plain Python.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from nutslite._numba import jit_disabled

WORD_BYTES = 8
WORDS_APART = 16  # between integers that different threads write: two lines of cache


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    view = make_array(array_type)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, array_type, view, [index], wraparound=False)


@intrinsic
def load(typingctx: Any, array: Any, index: Any) -> Any:
    """``array[index]`` of an int64 vector; what other threads wrote before they stored it is seen afterwards."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *arguments)
        return builder.load_atomic(pointer, "acquire", WORD_BYTES)

    return types.int64(array, types.intp), generate


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """``array[index] = value``; whoever loads it sees what this thread wrote before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *arguments[:2])
        builder.store_atomic(arguments[2], pointer, "release", WORD_BYTES)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), generate


@intrinsic
def add_one(typingctx: Any, array: Any, index: Any) -> Any:
    """``array[index] += 1`` in one step; returns what was there before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *arguments)
        return builder.atomic_rmw("add", pointer, context.get_constant(types.int64, 1), "acq_rel")

    return types.int64(array, types.intp), generate


if jit_disabled():

    def load(array, index):  # type: ignore[no-untyped-def]
        """As above, for one thread."""
        return array[index]

    def store(array, index, value):  # type: ignore[no-untyped-def]
        """As above, for one thread."""
        array[index] = value

    def add_one(array, index):  # type: ignore[no-untyped-def]
        """As above, for one thread."""
        array[index] += 1
        return array[index] - 1
