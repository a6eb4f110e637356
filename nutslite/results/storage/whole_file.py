"""Files that appear when they are complete, and not at all otherwise."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from nutslite._files import not_a_file
from nutslite.exceptions import DataError


def check_destination(path: str | os.PathLike[str], what: str) -> Path:
    """The path, if a file can be made there.

    Parameters
    ----------
    what : str
        What is to be saved, for messages: ``"results"``.

    Raises
    ------
    DataError
        If it is a folder, or in no folder, or in one that cannot be written to.
    """
    target = Path(path)
    if target.is_dir():
        raise DataError(f"Cannot save {what} to '{target}': that is a folder; add the name of a file.")
    if (found := not_a_file(target)) is not None:
        raise DataError(f"Cannot save {what} to '{target}': that is {found}, not a file.")
    return check_folder_of(target, what)


def check_folder_of(path: str | os.PathLike[str], what: str) -> Path:
    """The path, if something can be made in the folder that it is in.

    Raises
    ------
    DataError
        Otherwise.
    """
    target = Path(path)
    folder = target.absolute().parent
    if not folder.is_dir():
        raise DataError(f"Cannot save {what} to '{target}': there is no folder '{target.parent}'.")
    if not os.access(folder, os.W_OK):
        raise DataError(f"Cannot save {what} to '{target}': the folder '{target.parent}' cannot be written to.")
    return target


def reserve(path: Path, size: int) -> None:
    """Make sure that a new file of that size fits, for libraries that do not survive a full disk.

    Raises
    ------
    OSError
        If it does not fit.
    """
    with open(path, "wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        elif shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], what: str) -> Iterator[Path]:
    """A temporary name beside `path`, which takes its place when the block ends without an error.

    It is flushed to the disk before that, so that a power cut leaves the old file or the new one.

    Raises
    ------
    DataError
        If nothing can be saved there, or the system refuses it (a full disk): a file that was there is unchanged.
    """
    target = Path(os.path.realpath(check_destination(path, what)))  # what a link points at is replaced, not the link
    partial = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        yield partial
        with open(partial, "rb+") as written:
            os.fsync(written.fileno())
        partial.replace(target)
    except (OSError, RuntimeError) as error:  # HDF5 has the latter for a full disk, too
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise DataError(f"Cannot save {what} to '{target}': {reason}.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
