"""Compiled functions by their address: numbers in a record of data.

To hand a function pointer over from Python takes some 45 microseconds, at every call, whether or not it is used then.
A number takes nothing, and compiled code makes a pointer of it. Without compilation an address is the function itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nutslite._kernel_cache import Inner
from nutslite._numba import jit_disabled

_AT: dict[int, Any] = {}  # functions by address, which keeps them where they are


def address_of(function: Any, pointer: types.FunctionType) -> Any:
    """The address of a kernel, compiled for the pointer's signature."""
    if jit_disabled():
        return function
    function.compile(pointer.signature)
    found = function.get_native_result if isinstance(function, Inner) else function.get_compile_result
    compiled = found(pointer.signature)
    address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    _AT[address] = function
    return address


def function_of(address: Any) -> Callable[..., Any]:
    """The kernel at an address, for Python."""
    found: Callable[..., Any] = _AT.get(address, address)
    return found


def caller_of(pointer: types.FunctionType) -> Callable[[Any], Any]:
    """``at(address)``: for compiled code, a function of the pointer's type."""
    if jit_disabled():
        return lambda address: address

    @intrinsic  # type: ignore[untyped-decorator]
    def at(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointers = cgutils.create_struct_proxy(pointer)(context, builder)
            nothing = context.get_constant_null(types.voidptr)
            pointers.c_addr, pointers.py_addr = nothing, nothing
            pointers.jit_addr = builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))
            return pointers._getvalue()

        return pointer(types.int64), generate

    found: Callable[[Any], Any] = at
    return found
