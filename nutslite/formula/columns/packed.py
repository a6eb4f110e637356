"""`Packed`: many texts or whole numbers as a sequence whose items are made when they are asked for.

A text is an object of 50 bytes and more, and a hundred thousand names of groups stay with a model for as long as it
lives. In one block of bytes, with where each ends, they need what their letters need.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

MANY = 4096
"""Items from which on they are packed: fewer cost nothing worth a second form."""

_AT_ONCE = 4096
_LARGEST, _LARGEST_END = 2**63, 2**32


class Packed(Sequence[Any]):
    """A sequence like a tuple, of items that are not there before somebody asks for them.

    It equals every sequence, tuples and lists included, that has the same items in the same order.
    """

    def __init__(
        self,
        ends: NDArray[np.int64 | np.uint32] | None,
        block: NDArray[np.int64] | range | bytes,
        written: bool = False,
    ) -> None:
        self._ends = ends  # where texts begin and end; None of numbers
        self._block = block
        self._written = written  # numbers, as texts

    @classmethod
    def of(cls, items: tuple[Any, ...]) -> Packed | tuple[Any, ...]:
        """Pack items, where they are many and all texts, or all whole numbers of 64 bits; else leave them a tuple."""
        if len(items) < MANY:
            return items
        kinds = set(map(type, items))
        if kinds == {int} and min(items) >= -_LARGEST and max(items) < _LARGEST:
            following = range(items[0], items[0] + len(items))  # needs no array
            return cls(None, following if items == tuple(following) else np.array(items, dtype=np.int64))
        if kinds != {str}:
            return items
        sizes = (len(_bytes(text)) for text in items)
        ends = np.fromiter(accumulate(sizes, initial=0), dtype=np.int64, count=len(items) + 1)
        return cls(ends if ends[-1] >= _LARGEST_END else ends.astype(np.uint32), b"".join(map(_bytes, items)))

    def texts(self) -> Packed:
        """The items as `str` writes them, in the same memory."""
        return self if self._ends is not None else Packed(None, self._block, written=True)

    def __len__(self) -> int:
        """Number of items."""
        return len(self._block) if self._ends is None else len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, place: int | slice) -> Any:
        """The item at a place, or a tuple of several."""
        if isinstance(place, slice):
            return tuple(self[one] for one in range(*place.indices(len(self))))
        at = range(len(self))[place]
        return next(self._items(at, at + 1))

    def __iter__(self) -> Iterator[Any]:
        """All items, some made at a time."""
        for start in range(0, len(self), _AT_ONCE):
            yield from self._items(start, min(start + _AT_ONCE, len(self)))

    def _items(self, start: int, stop: int) -> Iterator[Any]:
        if self._ends is None:
            some: Any = self._block[start:stop]
            numbers = some if isinstance(some, range) else some.tolist()
            yield from map(str, numbers) if self._written else numbers
            return
        ends = self._ends[start : stop + 1].tolist()
        for first, last in pairwise(ends):
            yield self._block[first:last].decode("utf-8", "surrogatepass")  # type: ignore[union-attr]

    def __eq__(self, other: object) -> bool:
        """Whether another sequence has the same items."""
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return self is other or (len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True)))

    def __hash__(self) -> int:
        """As of the tuple that it equals."""
        return hash(tuple(self))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """An array of the items, texts among them without an object for each."""
        if self._ends is None and not self._written:
            return np.array(self._block, dtype=np.int64 if dtype is None else dtype)
        width = max(1, max(map(len, self), default=1))
        found = np.empty(len(self), dtype=f"U{width}")
        for start in range(0, len(self), _AT_ONCE):
            found[start : start + _AT_ONCE] = self[start : start + _AT_ONCE]
        return found if dtype is None else found.astype(dtype)

    def __repr__(self) -> str:
        """As of the tuple that it equals."""
        return repr(tuple(self))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
