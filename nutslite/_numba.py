"""How this package uses Numba: one decorator, and the array types that signatures are written with.

The rules behind it (docs/architecture.md says why):

* every compiled function is cached on disk and releases the GIL;
* ``error_model="numpy"``: a division by zero gives inf or nan, as in NumPy; kernels never raise;
* never ``fastmath=True``: a divergence is recognised by ``isfinite``, which that flag would optimise away;
* nothing compiles when it is imported: functions get no signature until they are first called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba import types

from nutslite._kernel_cache import NO_ENTRIES, UNCOUNTED, cached

VECTOR = types.Array(types.float64, 1, "C")
MATRIX = types.Array(types.float64, 2, "C")
CUBE = types.Array(types.float64, 3, "C")
INDEX_VECTOR = types.Array(types.int64, 1, "C")
INDEX_MATRIX = types.Array(types.int64, 2, "C")
LEVEL_MATRIX = types.Array(types.int32, 2, "C")


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` on its first call: cached on disk, without the GIL, with NumPy's error model."""
    compiled: Callable[..., Any] = cached(nogil=True, error_model="numpy")(function)
    return compiled


def inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """Like `kernel`, for functions that compiled code calls: without an entry for Python, which takes long to compile.

    An entry unpacks every array of a record; with it, many a small function takes twice as long. Called from Python all
    the same, as tests do, such a function is compiled once more, with an entry, and not kept on disk.
    """
    compiled: Callable[..., Any] = cached(nogil=True, error_model="numpy", **NO_ENTRIES)(function)
    return compiled


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Like `kernel`, but copied into its callers before they are compiled: for functions with one or two of them.

    Numba optimises a function once by itself and once more inside each caller; this leaves out the former.
    """
    compiled: Callable[..., Any] = cached(nogil=True, error_model="numpy", inline="always")(function)
    return compiled


def uncounted_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Like `kernel`, without counting references to arrays: it must not allocate and not keep what it is given.

    To count takes an atomic operation for each array that is cut into rows, together longer than many a block of rows.
    """
    compiled: Callable[..., Any] = cached(nogil=True, error_model="numpy", **UNCOUNTED)(function)
    return compiled


def uncounted(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `uncounted_kernel`, for what compiled code calls: without an entry for Python, like `inner`."""
    compiled: Callable[..., Any] = cached(nogil=True, error_model="numpy", **UNCOUNTED, **NO_ENTRIES)(function)
    return compiled


def spliced_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `uncounted_kernel`, but copied into its callers by LLVM: for small functions of records.

    A record of arrays is handed on as hundreds of numbers, which takes longer than many a small function. Unlike with
    `inlined`, types are inferred once, which is most of what compilation takes.
    """
    compiled: Callable[..., Any] = cached(nogil=True, error_model="numpy", forceinline=True, **UNCOUNTED)(function)
    return compiled


def spliced(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `spliced_kernel`, for what compiled code calls: without an entry for Python, like `inner`."""
    compiled: Callable[..., Any] = cached(nogil=True, error_model="numpy", forceinline=True, **UNCOUNTED, **NO_ENTRIES)(
        function
    )
    return compiled


def reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    """An inner kernel whose sums may be added in another order, so with vector instructions: for sums and dot products.

    The one place where sums change their order. It took a gradient of 200,000 rows and 20 columns from 4.5 to 3.3 ms
    (minima on a busy machine), changes the last bits of a sum, and leaves inf and nan alone.
    """
    compiled: Callable[..., Any] = cached(
        nogil=True, error_model="numpy", fastmath={"reassoc", "contract"}, **NO_ENTRIES
    )(function)
    return compiled


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Like `kernel`, for polynomials: one rounding for a product and the sum it is part of, where the processor can.

    Half as many instructions, and errors that are rather smaller. Flags belong to the instructions of this function,
    also where it is inlined: what its caller multiplies and adds stays apart. It leaves inf and nan alone.
    """
    compiled: Callable[..., Any] = cached(nogil=True, error_model="numpy", fastmath={"contract"})(function)
    return compiled


def kernel_with_signature(function: Callable[..., Any], signature: Any) -> Callable[..., Any]:
    """Compile `function` now for one explicit `signature`; under ``NUMBA_DISABLE_JIT=1`` it stays plain Python.

    An explicit signature is what lets a function that takes another function as an argument
    (``numba.types.FunctionType``) be found again in the disk cache by the next process.
    """
    if jit_disabled():
        return function
    compiled: Any = cached(nogil=True, error_model="numpy")(function)
    compiled.compile(signature)
    compiled.disable_compile()
    return compiled  # type: ignore[no-any-return]


def without_dispatch(compiled: Callable[..., Any], signature: Any) -> Callable[..., Any]:
    """The one compiled version of a `kernel_with_signature`, called without a look at the arguments' types.

    Numba looks at every array in a record of arrays, which takes longer than many a kernel runs. The caller answers for
    the types: arrays must be what `signature` says. Under ``NUMBA_DISABLE_JIT=1`` it is the plain function.
    """
    if jit_disabled():
        return compiled
    entry: Callable[..., Any] = compiled.overloads[tuple(signature.args)].entry_point  # type: ignore[attr-defined]
    return entry


def jit_disabled() -> bool:
    """Whether ``NUMBA_DISABLE_JIT=1`` made every kernel a plain Python function."""
    return bool(numba.config.DISABLE_JIT)
