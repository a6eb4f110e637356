"""A file of records that only grows, and that a process may be killed beside at any byte.

Layout::

    MAGIC, then records: <8 bytes: length of the JSON> <8 bytes: length of the arrays> <16 bytes: BLAKE2b of all else>
                         <JSON: the record's fields, and name, dtype and shape of its arrays> <the arrays' bytes>

Reading stops at the first record that is not whole: the tail that a kill, a power cut or a full disk left is cut off
before anything is appended. Nothing is ever unpickled. A record is handed to the operating system at once, which is
enough for a killed process; against a power cut the file is flushed to the disk every `SYNC_SECONDS` and when it is
closed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nutslite._files import NotAFile, open_descriptor
from nutslite._log import log
from nutslite._schema import Anything, Listed, Misfit, Number, Record, Row, Text, check, read_json
from nutslite.exceptions import SamplingError, SettingError

MAGIC = b"nutslite log 1\n"
SYNC_SECONDS = 30.0
PLAIN_KINDS = "biuf"  # of arrays: booleans, integers, floats

LONGEST_JSON = 16 * 2**20  # bytes of the fields of a record
LARGEST_RECORD = 4 * 2**30  # bytes

_CONTENT = Record(
    {
        "fields": Record(others=Anything()),
        "arrays": Listed(
            Row((Text(longest=1000), Text(pattern="[<>|][biuf][1248]"), Listed(Number(0, 2**50, whole=True))))
        ),
    }
)

_HEAD = struct.Struct("<QQ16s")
_DIGEST_SIZE = 16
_PART = 1 << 24

Arrays = dict[str, npt.NDArray[Any]]


class DamagedCheckpointError(SamplingError):
    """A checkpoint that is not as it was written; what was drawn is in it still, so that a run keeps nothing beside."""


class LoggedRecord(NamedTuple):
    """One record: plain fields, and arrays by name."""

    fields: dict[str, Any]
    arrays: Arrays


class Entry(NamedTuple):
    """Where a whole record lies, and its fields; the arrays are read when they are asked for."""

    fields: dict[str, Any]
    offset: int
    length: int


class RecordLog:
    """A log, locked against other processes while it is open; its methods may be called by several threads.

    Parameters
    ----------
    path : path-like
        Made where it does not exist.

    Raises
    ------
    SamplingError
        If the folder is missing or not writable, `path` is a folder, another process has it open, or it is a file that
        is no log (which is left as it is).
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.failed = False
        self._lock = threading.Lock()
        self._descriptor = _opened(self.path)
        try:
            _lock_file(self._descriptor, self.path)
            self.entries = self._whole_records()
        except BaseException as error:
            os.close(self._descriptor)
            if isinstance(error, OSError):  # what the system calls a file may be none, /proc/self/mem for one
                raise SamplingError(f"Cannot use the checkpoint '{path}': {error.strerror}.") from error
            raise
        self._synced = time.monotonic()

    def append(self, fields: Mapping[str, Any], arrays: Mapping[str, npt.ArrayLike] | None = None) -> None:
        """Add a record. Where that fails (a full disk), the log says so once and takes no more: the work goes on."""
        data = _encoded(fields, arrays or {})
        with self._lock:
            if self.failed:
                return
            if len(data) > LARGEST_RECORD:
                self._give_up(OSError(errno.EFBIG, f"a record of {len(data):,} bytes is too large"))
                return
            try:
                _write(self._descriptor, data)
                self._end += len(data)
                if time.monotonic() - self._synced > SYNC_SECONDS:
                    os.fsync(self._descriptor)
                    self._synced = time.monotonic()
            except OSError as error:
                self._give_up(error)

    def read(self, entry: Entry) -> LoggedRecord:
        """A record with its arrays, which are the reader's own.

        Raises
        ------
        SamplingError
            If the file has changed since it was opened.
        """
        with self._lock:
            os.lseek(self._descriptor, entry.offset, os.SEEK_SET)
            data = _read(self._descriptor, entry.length)
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
        json_length, _, checksum = _HEAD.unpack_from(data)
        if len(data) != entry.length or _checksum(json_length, data[_HEAD.size :]) != checksum:
            raise DamagedCheckpointError(f"'{self.path}' changed while it was read: another program writes to it.")
        return _decoded(data)

    def close(self) -> None:
        """Flush to the disk and release the file; a second call does nothing."""
        with self._lock:
            if self._descriptor < 0:
                return
            with contextlib.suppress(OSError):
                os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor, self.failed = -1, True

    def __enter__(self) -> RecordLog:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _whole_records(self) -> list[Entry]:
        """Entries of all whole records; what follows them is cut off."""
        size = os.fstat(self._descriptor).st_size
        start = _read(self._descriptor, len(MAGIC))
        if start != MAGIC:
            if not MAGIC.startswith(start):
                raise SamplingError(
                    f"'{self.path}' is no checkpoint of nutslite and is left as it is. Give another name."
                )
            self._cut(0)
            _write(self._descriptor, MAGIC)
            self._end = len(MAGIC)
            return []
        with damage_in_words(self.path):
            entries = list(_entries(self._descriptor, len(MAGIC), size))
        self._end = entries[-1].offset + entries[-1].length if entries else len(MAGIC)
        if self._end < size:
            log.info(
                "The last %d bytes of '%s' are no whole record and are cut off; what they held is done again.",
                size - self._end,
                self.path,
            )
            self._cut(self._end)
        os.lseek(self._descriptor, self._end, os.SEEK_SET)
        return entries

    def _cut(self, end: int) -> None:
        os.ftruncate(self._descriptor, end)
        os.lseek(self._descriptor, end, os.SEEK_SET)

    def _give_up(self, error: OSError) -> None:
        self.failed = True
        with contextlib.suppress(OSError):
            self._cut(self._end)
        log.warning(
            "Cannot write to the checkpoint '%s' (%s): sampling goes on without it. What the file holds stays good.",
            self.path,
            error.strerror or error,
        )


def first_record(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The fields of the first record of a file, which may be in use; None where it has none, or is no log.

    Raises
    ------
    SamplingError
        If it cannot be read.
    """
    try:
        descriptor = open_descriptor(path, os.O_RDONLY)
    except OSError as error:
        raise SamplingError(f"Cannot read the checkpoint '{path}': {error.strerror}.") from error
    try:
        if _read(descriptor, len(MAGIC)) != MAGIC:
            return None
        with damage_in_words(path):
            for entry in _entries(descriptor, len(MAGIC), os.fstat(descriptor).st_size):
                return entry.fields
        return None
    except OSError as error:
        raise SamplingError(f"Cannot read the checkpoint '{path}': {error.strerror}.") from error
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def damage_in_words(path: str | os.PathLike[str]) -> Iterator[None]:
    """Name the file where a record in it is whole and not what is written there.

    Raises
    ------
    SamplingError
    """
    try:
        yield
    except Misfit as misfit:
        raise DamagedCheckpointError(
            f"The checkpoint '{path}' is not as nutslite wrote it: {misfit}. Give another name, or delete the file to "
            "begin anew."
        ) from None


def _opened(path: Path) -> int:
    if not path.absolute().parent.is_dir():
        raise SettingError(f"Cannot keep a checkpoint in '{path}': there is no folder '{path.parent}'.")
    try:
        return open_descriptor(path, os.O_RDWR | os.O_CREAT)
    except NotAFile as error:
        raise SettingError(f"The checkpoint '{path}' is {error.strerror}; give the name of a file.") from None
    except OSError as error:
        raise SamplingError(f"Cannot write the checkpoint '{path}': {error.strerror}.") from error


def _lock_file(descriptor: int, path: Path) -> None:
    """An advisory lock, which ends with the process; systems and file systems without one go without."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SamplingError(
            f"The checkpoint '{path}' is in use by another run; wait for it, or give another name."
        ) from None
    except OSError:
        return


def _entries(descriptor: int, start: int, size: int) -> Iterator[Entry]:
    offset = start
    while offset + _HEAD.size <= size:
        os.lseek(descriptor, offset, os.SEEK_SET)
        json_length, arrays_length, checksum = _HEAD.unpack(_read(descriptor, _HEAD.size))
        length = _HEAD.size + json_length + arrays_length
        if offset + length > size:
            return
        if length > LARGEST_RECORD:
            raise Misfit(f"a record claims {length:,} bytes, more than {LARGEST_RECORD:,}")
        text = _checked_text(descriptor, json_length, arrays_length, checksum)
        if text is None:
            return
        yield Entry(_content(text, arrays_length)["fields"], offset, length)
        offset += length


def _checked_text(descriptor: int, json_length: int, arrays_length: int, checksum: bytes) -> bytes | None:
    """The JSON of the record whose body comes next, read in parts; None where its checksum is another."""
    text = b""
    seen = hashlib.blake2b(struct.pack("<QQ", json_length, json_length + arrays_length), digest_size=_DIGEST_SIZE)
    left = json_length + arrays_length
    while left > 0:
        part = _read(descriptor, min(left, _PART))
        if not part:
            return None
        seen.update(part)
        left -= len(part)
        if len(text) < min(json_length, LONGEST_JSON + 1):
            text += part[: json_length - len(text)]
    return text if seen.digest() == checksum else None


def _content(text: bytes, arrays_length: int) -> dict[str, Any]:
    """Fields of a record and descriptions of its arrays, which take as many bytes as there are.

    Raises
    ------
    Misfit
    """
    if len(text) > LONGEST_JSON:
        raise Misfit(f"the fields of a record have more than {LONGEST_JSON:,} bytes")
    content: dict[str, Any] = read_json(text, "a record")
    check(content, _CONTENT, "a record")
    described = content["arrays"]
    claimed = sum(math.prod(shape) * np.dtype(dtype).itemsize for _, dtype, shape in described)
    if claimed != arrays_length or len({name for name, _, _ in described}) != len(described):
        raise Misfit(f"the arrays of a record claim {claimed:,} bytes of {arrays_length:,}")
    return content


def _encoded(fields: Mapping[str, Any], arrays: Mapping[str, npt.ArrayLike]) -> bytes:
    kept = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    if any(array.dtype.kind not in PLAIN_KINDS for array in kept.values()):
        raise TypeError("a record holds plain numbers only")
    described = [[name, array.dtype.str, list(array.shape)] for name, array in kept.items()]
    text = json.dumps({"fields": dict(fields), "arrays": described}, separators=(",", ":")).encode()
    body = b"".join([text, *(array.tobytes() for array in kept.values())])
    return _HEAD.pack(len(text), len(body) - len(text), _checksum(len(text), body)) + body


def _decoded(data: bytes) -> LoggedRecord:
    """The record in `data`, which was looked at when its log was opened."""
    json_length, arrays_length, _ = _HEAD.unpack_from(data)
    content = _content(data[_HEAD.size : _HEAD.size + json_length], arrays_length)
    arrays, offset = {}, _HEAD.size + json_length
    for name, dtype, shape in content["arrays"]:
        array: npt.NDArray[Any] = np.ndarray(shape, np.dtype(dtype), data, offset)
        arrays[name] = array.copy()
        offset += array.nbytes
    return LoggedRecord(content["fields"], arrays)


def _checksum(json_length: int, body: bytes) -> bytes:
    return hashlib.blake2b(struct.pack("<QQ", json_length, len(body)) + body, digest_size=_DIGEST_SIZE).digest()


def _read(descriptor: int, length: int) -> bytes:
    parts = []
    while length > 0:
        part = os.read(descriptor, min(length, _PART))
        if not part:
            break
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
