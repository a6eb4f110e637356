"""Draws that nothing may lose: where what follows the sampling fails, they are written as plain arrays.

The file is an ``.npz`` without pickle; the error says where it is and how to read it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nutslite._log import log
from nutslite.exceptions import SamplingError
from nutslite.sampler.interrupts import careful_interrupts, last_press

Arrays = Mapping[str, Any]


@contextlib.contextmanager
def rescued(arrays: Callable[[], Arrays], reading: str, beside: str | os.PathLike[str] | None = None) -> Iterator[None]:
    """Where the block fails, write the draws to a file before the error goes on, with words about it.

    Parameters
    ----------
    arrays : callable
        The draws by name; called only then.
    reading : str
        What the arrays are, as a sentence without its end.
    beside : path-like, optional
        In the folder of this file; by default in the working directory. Where neither can be written to, among the
        system's temporary files.

    Raises
    ------
    SamplingError
        In place of the error. Only Ctrl-C remains itself, after a line about the file; the third one, which ends
        everything at once, writes none.
    """
    try:
        yield
    except BaseException as error:
        if last_press():
            raise
        with careful_interrupts() as interrupts:
            interrupts.hold()
            said = _kept(arrays, reading, beside)
        if not isinstance(error, Exception):
            log.warning("Interrupted when all draws were made. %s", said)
            raise
        reason = str(error).rstrip(".") or "no reason given"
        raise SamplingError(
            f"All draws were made, but what follows failed ({type(error).__name__}: {reason}). {said}"
        ) from error


def _kept(arrays: Callable[[], Arrays], reading: str, beside: str | os.PathLike[str] | None) -> str:
    """Write the arrays to the first place that takes them; what to tell of it."""
    folders = [Path.cwd() if beside is None else Path(beside).absolute().parent, Path(tempfile.gettempdir())]
    failure: Exception | None = None
    for folder in folders:
        path = folder / f"nutslite-draws-{os.getpid()}-{secrets.token_hex(4)}.npz"
        try:
            _write(path, arrays())
        except Exception as error:
            failure = error
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            continue
        return f"The draws are in '{path}', read them by numpy.load: {reading}."
    return f"The draws could not be written either ({type(failure).__name__}: {failure})."


def _write(path: Path, arrays: Arrays) -> None:
    """As `numpy.savez`, for any names."""
    with zipfile.ZipFile(path, "x", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
