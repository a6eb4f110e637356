"""Room on Python's stack for deep calls: Numba's type inference runs slowly where its frames meet the end of a block.

CPython (3.11 and later) keeps the frames of Python functions in blocks of 16 kB. Where a loop happens to call its
functions just across the end of a block, every call maps new memory and every return gives it back, which takes ten
times as long as the call. Numba compiles recursively, hundreds of frames deep, so that some of its loops meet such an
end: a first fit took up to a quarter longer to compile, one function four times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

SLOTS = 1 << 17  # of 8 bytes: the block that holds this frame is the next power of two, half of which is left


def _call(function: Callable[[], T]) -> T:
    return function()


_call.__code__ = _call.__code__.replace(co_stacksize=SLOTS)  # asks for one large block; unused pages cost nothing


def with_room(function: Callable[[], T]) -> T:
    """Call `function`, with room for a thousand frames and more below it in one block of the stack."""
    return _call(function)
