"""Linear algebra on one thread: a fit has threads of its own, and its matrices are small.

A library of linear algebra with threads makes a factorisation of order a thousand little faster than several threads of
ours that factorise one matrix each. Beside other programs it is slower by far, since its threads wait for each other
in turns that the others take: a hundred times as long, on two processors that something else keeps busy.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Iterator
from typing import Any

_LOCK = threading.Lock()
_INSIDE: list[int] = [0]  # how many blocks are open, in all threads
_LIMITS: dict[bool, Any] = {}  # what to restore when the last of them ends


@contextlib.contextmanager
def one_blas_thread(of_scipy: bool = False) -> Iterator[None]:
    """While it lasts, for the whole process: NumPy's linear algebra, and SciPy's, if that is used and loaded.

    Blocks of several threads may overlap: the last to end restores what was before the first.
    """
    with_scipy = of_scipy and "scipy.linalg" in sys.modules
    with _LOCK:
        if with_scipy not in _LIMITS:
            _LIMITS[with_scipy] = _controller(with_scipy).limit(limits=1, user_api="blas")
        _INSIDE[0] += 1
    try:
        yield
    finally:
        with _LOCK:
            _INSIDE[0] -= 1
            while not _INSIDE[0] and _LIMITS:
                _LIMITS.popitem()[1].restore_original_limits()


@functools.cache
def _controller(with_scipy: bool) -> Any:
    """What finds the libraries, which takes as long as a small fit; SciPy brings one of its own."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
