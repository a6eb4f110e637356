"""A look through a netCDF file before xarray reads it: what it is made of, and how much it claims to hold.

HDF5 files may name one group twice, so that walking them never ends; refer to other files; need code that is loaded for
a filter; and claim more numbers than there are bytes. Results need none of that.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, BinaryIO

from nutslite._files import most_unpacked
from nutslite._schema import Misfit

if TYPE_CHECKING:
    import h5py

KINDS = "biufSO"  # of NumPy's types; O are texts of any length
FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})
"""Deflate, shuffle, checksums, szip, n-bit, scale-offset, LZF: those that come with HDF5 and h5py."""

MOST_PARTS = 100_000
DEEPEST = 20
TEXTS_AT_ONCE = 64


def check_netcdf(file: BinaryIO, size: int) -> None:
    """Look through an open file of `size` bytes; its contents are not read, but for texts.

    Raises
    ------
    Misfit
        For what results do not hold. Whatever h5py raises for a damaged file.
    """
    import h5py

    with h5py.File(file, "r") as root:
        _Walk(most_unpacked(size)).visit(root)


class _Walk:
    """What was met so far, and the bytes that are left of those that such a file may claim."""

    def __init__(self, left: int) -> None:
        self._left = left
        self._seen: set[Any] = set()

    def visit(self, group: h5py.Group, depth: int = 0) -> None:
        import h5py

        self._note(group)
        if depth > DEEPEST:
            raise Misfit(f"its groups are nested more than {DEEPEST} deep")
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise Misfit(f"'{name}' in '{group.name}' is a link, maybe to another file")
            part = group[name]
            if isinstance(part, h5py.Group):
                self.visit(part, depth + 1)
            elif isinstance(part, h5py.Dataset):
                self._note(part)
                self._count(part)
            else:
                raise Misfit(f"'{name}' in '{group.name}' is neither a group nor an array")

    def _note(self, part: Any) -> None:
        import h5py

        place = h5py.h5o.get_info(part.id)
        key = (place.fileno, place.addr)
        if key in self._seen:
            raise Misfit(f"'{part.name}' is a second name of another part of the file")
        self._seen.add(key)
        if len(self._seen) > MOST_PARTS:
            raise Misfit(f"it has more than {MOST_PARTS:,} parts")

    def _count(self, array: h5py.Dataset) -> None:
        import h5py

        if array.dtype.kind not in KINDS or (array.dtype.kind == "O" and h5py.check_string_dtype(array.dtype) is None):
            raise Misfit(f"'{array.name}' holds {array.dtype}, neither numbers nor texts")
        if array.is_virtual or array.external:
            raise Misfit(f"'{array.name}' refers to another file")
        settings = array.id.get_create_plist()
        for place in range(settings.get_nfilters()):
            if settings.get_filter(place)[0] not in FILTERS:
                raise Misfit(f"'{array.name}' is compressed by a filter that is not read")
        self._take(array.name, math.prod(array.shape or ()) * max(array.dtype.itemsize, 1))
        for chunk in [array.chunks] if array.chunks else []:
            if math.prod(chunk) * array.dtype.itemsize > max(self._left, 1):
                raise Misfit(f"'{array.name}' has larger chunks than the file has bytes")
        if array.dtype.kind == "O" and array.shape:
            for start in range(0, array.shape[0], TEXTS_AT_ONCE):  # many may be one long text in the file
                self._take(array.name, sum(len(text) for text in array[start : start + TEXTS_AT_ONCE].ravel()))

    def _take(self, name: str, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Misfit(f"'{name}' claims more numbers than a file of this size holds")
