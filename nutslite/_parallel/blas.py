"""Linear algebra on one thread: a fit has threads of its own, and its matrices are small.

A library of linear algebra with threads makes a factorisation of order a thousand little faster than several threads of
ours that factorise one matrix each. Beside other programs it is slower by far, since its threads wait for each other
in turns that the others take: a hundred times as long, on two processors that something else keeps busy.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """While it lasts, for the whole process; of the libraries that are loaded when it begins."""
    with _controller("scipy.linalg" in sys.modules).limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _controller(with_scipy: bool) -> Any:
    """What finds the libraries, which takes milliseconds; SciPy brings one of its own."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
