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

from nutslite._kernel_cache import UNCOUNTED, cached
from nutslite._numba import uncounted, uncounted_kernel

__all__ = ["uncounted", "uncounted_inlined", "uncounted_kernel"]


def uncounted_inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Like `uncounted_kernel`, but copied into its callers: for functions with one or two of them."""
    compiled: Callable[..., Any] = cached(nogil=True, error_model="numpy", **UNCOUNTED, inline="always")(function)
    return compiled
