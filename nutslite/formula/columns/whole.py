"""`WholeNumbers`: counts, outcomes and codes of many rows in few bytes or none, where a record has them for long.

Eight bytes a row are needed where kernels compute; a response of zeros and ones that is only kept needs one, and levels
that are called by their own places are in the user's data already.
"""

from __future__ import annotations

from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

MANY = 1 << 16
"""Numbers from which on bytes matter more than the time to make float64 of them again."""

_AT_ONCE = 1 << 17
_TYPES = (np.uint8, np.uint16, np.uint32)


class WholeNumbers:
    """A field of a frozen record: of one type for whoever reads it; float64 is held in the smallest that serves.

    What is read of a field that is held in another type is made for its reader, who may write to it: the record does
    not change. Arrays that nobody may write to are the user's own (`columns.lent`): they cost nothing, and stay.

    Parameters
    ----------
    kind : type
        What readers get: ``numpy.float64``, ``numpy.int32``.
    """

    def __init__(self, kind: type[Any]) -> None:
        self._kind = np.dtype(kind)

    def __set_name__(self, owner: type, name: str) -> None:
        """Learn the name of the field, under which the record's own dictionary has what is held."""
        self._name = name

    @overload
    def __get__(self, record: None, owner: type) -> NDArray[Any]: ...
    @overload
    def __get__(self, record: object, owner: type) -> NDArray[Any]: ...
    def __get__(self, record: object | None, owner: type) -> NDArray[Any]:
        """The numbers in the type of the field."""
        if record is None:  # asked by `dataclass` for a default, of which there is none
            raise AttributeError(self._name)
        held: NDArray[Any] = record.__dict__[self._name]
        return held.astype(self._kind, copy=False)

    def __set__(self, record: object, values: NDArray[Any]) -> None:
        """Hold the numbers."""
        record.__dict__[self._name] = smallest(values) if values.dtype == np.float64 else values

    @staticmethod
    def held(record: object, name: str) -> NDArray[Any]:
        """What a record holds in a field of whole numbers, of whatever type."""
        found: NDArray[Any] = record.__dict__[name]
        return found


def smallest(values: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in the smallest unsigned type that has them all; as they are where there is none, or few.

    >>> smallest(np.zeros(MANY)).dtype, smallest(np.zeros(3)).dtype
    (dtype('uint8'), dtype('float64'))
    """
    if values.dtype != np.float64 or values.size < MANY or not values.flags.writeable:
        return values
    lowest, highest = values.min(), values.max()  # nan where there is one
    kind = next((kind for kind in _TYPES if lowest >= 0.0 and highest <= np.iinfo(kind).max), None)
    if kind is None:
        return values
    held = np.empty(values.shape, dtype=kind)
    for own, numbers in zip(held, values, strict=True) if values.ndim > 1 else [(held, values)]:
        for start in range(0, numbers.size, _AT_ONCE):  # no second array as long as the data
            some = slice(start, start + _AT_ONCE)
            own[some] = numbers[some]
            if not np.array_equal(own[some], numbers[some]) or np.signbit(numbers[some]).any():
                return values
    return held
