"""Columns that a design reads where they are, in the user's data, in place of a copy.

Only where pandas copies on write (from version 3 on always): whoever changes the user's frame then changes a copy, as
long as somebody else holds the frame. Of older pandas `select` takes copies. What is lent is read-only; kernels, whose
types know writable arrays alone, read it through `for_kernels`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def copies_on_write() -> bool:
    """Whether pandas leaves alone what others see of a frame that somebody changes."""
    return int(pd.__version__.split(".")[0]) >= 3 or pd.options.mode.copy_on_write is True


@dataclass(frozen=True, eq=False)
class Lender:
    """Who holds the frame that a design's arrays may be a part of; no part of files, and of what workers are sent.

    Attributes
    ----------
    frame : DataFrame or None
        One that shares its columns with the user's.
    """

    frame: pd.DataFrame | None = None

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Lender:
        """Hold a user's frame, so that its columns stay what they are."""
        return cls(frame.copy(deep=False) if copies_on_write() else None)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Lender, ())


def owners_of(columns: Iterable[Any]) -> frozenset[int]:
    """Whose memory these columns are in, by identity; of categories nothing is lent."""
    return frozenset(id(_owner(column)) for column in columns if isinstance(column, np.ndarray))


def lent(rows: Sequence[FloatArray], owners: Collection[int]) -> FloatArray | None:
    """Columns of the data as a matrix (columns, n) without copying; None where they do not follow one another there.

    Parameters
    ----------
    rows : sequence of ndarray, shape (n,)
    owners : collection of int
        Of the data's columns (`owners_of`).
    """
    if not rows or any(row.dtype != np.float64 or not row.flags.c_contiguous for row in rows):
        return None
    owner, start, size = _owner(rows[0]), _address(rows[0]), rows[0].nbytes
    if id(owner) not in owners or any(_owner(row) is not owner for row in rows):
        return None
    if any(_address(row) != start + place * size for place, row in enumerate(rows)):
        return None
    if len(rows) == 1:
        return rows[0][None]
    shape = (len(rows), rows[0].size)
    return np.lib.stride_tricks.as_strided(rows[0], shape, (size, rows[0].itemsize), writeable=False)


def lent_codes(codes: NDArray[np.int32], column: Any, owners: Collection[int]) -> NDArray[Any]:
    """Codes of levels without copying where they are in the data: a column of the numbers 0, 1, ...

    Those of a category are copied: what is assigned to its array changes them in place, whatever pandas' copies.

    Parameters
    ----------
    codes : ndarray of int32, shape (n,)
    column : ndarray or Categories
        What they are the codes of, or a part of it.
    owners : collection of int
        Of the data's columns (`owners_of`).
    """
    numbers = isinstance(column, np.ndarray) and column.dtype.kind in "iu" and id(_owner(column)) in owners
    if numbers and copies_on_write() and not column.flags.writeable and np.array_equal(column, codes):
        own: NDArray[Any] = column
        return own
    return codes if codes.flags.writeable else codes.copy()


def for_kernels(values: NDArray[Any], kind: type[Any] = np.float64) -> NDArray[Any]:
    """The same numbers as kernels take them, of one type, in C order and writable: they write to no data.

    A copy only where memory is of another type, or nobody may write to it at all.
    """
    array = np.ascontiguousarray(values, dtype=kind)
    if array.flags.writeable:
        return array
    try:
        own = array.view()
        own.flags.writeable = True
    except ValueError:
        return array.copy()
    return own


def _owner(array: NDArray[Any]) -> Any:
    """What has the memory that an array is a view of."""
    owner: Any = array
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    return owner


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])
