"""BLAS on one thread, where several threads of ours call it at once.

A library of linear algebra with threads of its own makes a factorisation of order a thousand little faster than several
threads that factorise one matrix each. Beside other programs it is slower by far: its threads wait for each other in
turns that the others take (100 times as long, on two processors that something else keeps busy).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """While it lasts, for the whole process."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield
