"""Opening files that others name: regular files only, so that nothing hangs and no device answers."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a pipe",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISSOCK: "a socket",
}
SYSTEM_FOLDERS = ("/proc", "/sys")  # whose files look regular and are the kernel's doors to memory and machines

PORTABLE = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)
WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0)  # a pipe would wait for its other end

RATIO, FLOOR = 100, 256 * 2**20
"""Compressed files unpack to at most `RATIO` times their size, or `FLOOR` bytes if that is more."""


class NotAFile(OSError):  # noqa: N818  # like FileNotFoundError, one of the reasons why a file cannot be opened
    """What is there is no regular file; `strerror` says in words what it is."""


def most_unpacked(size: int) -> int:
    """Bytes that a file of `size` bytes may claim to hold."""
    return max(FLOOR, RATIO * size)


def not_a_file(path: str | os.PathLike[str]) -> str | None:
    """In words, what is there instead of a regular file; None where that is one, or nothing."""
    try:
        return _in_words(os.stat(path))
    except (OSError, ValueError):
        return None


def open_descriptor(path: str | os.PathLike[str], flags: int) -> int:
    """A descriptor of a regular file, as `os.open` gives it; links are followed.

    What is there is looked at before it is opened, since opening is what some devices act upon, and again afterwards,
    when it can no longer be exchanged.

    Raises
    ------
    NotAFile
    OSError
        Where the system refuses to open it.
    """
    if (what := not_a_file(path)) is not None:
        raise NotAFile(0, what, str(path))
    descriptor = os.open(path, flags | PORTABLE | WITHOUT_WAITING, 0o666)
    what = _in_words(os.fstat(descriptor))
    if what is not None:
        os.close(descriptor)
        raise NotAFile(0, what, str(path))
    return descriptor


def open_to_read(path: str | os.PathLike[str], error: type[Exception]) -> BinaryIO:
    """A regular file, open for reading.

    Parameters
    ----------
    error : type
        Of the error to raise, in words that name the path.
    """
    try:
        return os.fdopen(open_descriptor(path, os.O_RDONLY), "rb")
    except FileNotFoundError:
        raise error(f"There is no file '{path}'.") from None
    except NotAFile as slip:
        raise error(f"'{path}' is {slip.strerror}, not a file.") from None
    except OSError as slip:
        raise error(f"'{path}' cannot be read: {slip.strerror}.") from None


def _in_words(found: os.stat_result) -> str | None:
    for is_kind, words in KINDS.items():
        if is_kind(found.st_mode):
            return words
    for folder in SYSTEM_FOLDERS:
        place = Path(folder)
        if place.is_dir() and found.st_dev == place.stat().st_dev != Path("/").stat().st_dev:
            return "a file of the operating system"
    return None
