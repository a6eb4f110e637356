"""How the sampler's kernels are compiled: without reference counts, and inlined where levels cost compile time.

All memory of a chain belongs to Python and outlives the call, and no kernel allocates. So the kernels below the block
of transitions need not count references, which otherwise cost an atomic operation for each array that is read out of a
tuple or cut into rows: most of the time of a leapfrog step in few dimensions. The block itself, where Python's objects
come in, counts them as usual.

Numba optimises a function once more inside each of its callers. Functions with one or two callers are therefore inlined
before they are compiled, which saves a third of the compile time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core.options import DefaultOptions

from nutslite._kernel_cache import NO_ENTRIES, cached

# Not part of Numba's public interface: where it is missing, references are counted, and all is only slower.
_UNCOUNTED: dict[str, Any] = {"_nrt": False} if hasattr(DefaultOptions, "_nrt") else {}

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", **_UNCOUNTED}


def uncounted_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` on its first call, cached on disk; it must not allocate and not keep what it is given."""
    compiled: Callable[..., Any] = cached(**_OPTIONS)(function)
    return compiled


def uncounted(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `uncounted_kernel`, for what compiled code calls: without an entry for Python, like `_numba.inner`."""
    compiled: Callable[..., Any] = cached(**_OPTIONS, **NO_ENTRIES)(function)
    return compiled


def uncounted_inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Like `uncounted_kernel`, but copied into its callers: for functions with one or two of them."""
    compiled: Callable[..., Any] = cached(**_OPTIONS, inline="always")(function)
    return compiled
