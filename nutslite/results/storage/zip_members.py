"""The members of a zip archive, read within bounds: what they claim is counted before memory is asked for."""

from __future__ import annotations

import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._files import most_unpacked
from nutslite._schema import Misfit, read_json

ARRAY_KINDS = "biufmM"
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1  # bit of a member's flags


class Members:
    """An archive whose members are each read once; the sum of their sizes was looked at.

    Parameters
    ----------
    archive : zipfile.ZipFile
    size : int
        Bytes of the file.

    Raises
    ------
    Misfit
        For two members of one name, methods that are not written here, or more than such a file can hold.
    """

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        self._unread = {info.filename: info for info in archive.infolist()}
        if len(self._unread) != len(archive.infolist()):
            raise Misfit("two of its parts have one name")
        for info in archive.infolist():
            if info.compress_type not in METHODS or info.flag_bits & ENCRYPTED:
                raise Misfit(f"'{info.filename}' is compressed or encrypted in a way that is not read")
        claimed, most = sum(info.file_size for info in archive.infolist()), most_unpacked(size)
        if claimed > most:
            raise Misfit(f"it would unpack to {claimed:,} bytes; a file of {size:,} bytes has at most {most:,}")

    def read_json(self, name: str, longest: int) -> Any:
        """A member of at most `longest` bytes, as JSON.

        Raises
        ------
        Misfit
        """
        info = self._take(name)
        if info.file_size > longest:
            raise Misfit(f"'{name}' has {info.file_size:,} bytes, more than {longest:,}")
        return read_json(self._archive.read(info), f"'{name}'")

    def read_array(self, name: str, length: int | None) -> NDArray[Any]:
        """A member in NumPy's format: one dimension, plain numbers or times.

        Parameters
        ----------
        length : int or None
            What it must have.

        Raises
        ------
        Misfit
            Where its head says something else, or more or less than the member holds.
        """
        info = self._take(f"{name}.npy")
        with self._archive.open(info) as file:
            try:
                version = np.lib.format.read_magic(file)
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, OverflowError) as error:
                raise Misfit(f"'{info.filename}' has no head of an array: {str(error)[:100]}") from None
            if version != (1, 0) or dtype.hasobject or dtype.kind not in ARRAY_KINDS or dtype.itemsize > 8:
                raise Misfit(f"'{info.filename}' holds {dtype}, which no column is kept as")
            if len(shape) != 1 or (length is not None and shape[0] != length):
                wanted = "one dimension" if length is None else f"the {length} rows of the other columns"
                raise Misfit(f"'{info.filename}' has the shape {shape}, not {wanted}")
            size = shape[0] * dtype.itemsize
            if size != info.file_size - file.tell():
                raise Misfit(f"'{info.filename}' says that it holds {shape[0]:,} numbers, which it does not")
            data = np.frombuffer(file.read(size), dtype=np.uint8)
            file.read(1)  # the end, where the checksum is compared
        if dtype.kind == "b" and (data > 1).any():
            raise Misfit(f"'{info.filename}' holds truth values that are neither true nor false")
        array: NDArray[Any] = data.view(dtype).astype(dtype.newbyteorder("="))
        return array

    def check_all_read(self) -> None:
        """Raise for members that nothing asked for.

        Raises
        ------
        Misfit
        """
        if self._unread:
            raise Misfit(f"it has a part '{next(iter(self._unread))[:100]}', which this version does not know")

    def _take(self, name: str) -> zipfile.ZipInfo:
        if name not in self._unread:
            raise Misfit(f"its part '{name[:100]}' is missing")
        return self._unread.pop(name)
