"""Memory for draws: refused in words, with sizes, before the system refuses it by a crash."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from nutslite.exceptions import SamplingError

FLOAT_BYTES = 8


@contextlib.contextmanager
def memory_for(chains: int, draws: int, numbers: int, what: str) -> Iterator[None]:
    """Turn a lack of memory inside the block into an error that says what is needed.

    More than the machine has is refused at once: Linux would promise it, and kill the process when it is used.

    Parameters
    ----------
    numbers : int
        float64 numbers per draw.
    what : str
        What they are, as the beginning of a sentence in the plural.

    Raises
    ------
    SamplingError
    """
    needed = chains * draws * numbers * FLOAT_BYTES
    if needed > physical_memory():
        raise SamplingError(_message(what, needed, chains, draws, numbers))
    try:
        yield
    except MemoryError as error:
        raise SamplingError(_message(what, needed, chains, draws, numbers)) from error


def physical_memory() -> float:
    """Bytes of memory that this machine has; infinite where it does not say."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return float("inf")


def readable(size: float) -> str:
    """A number of bytes as people write it.

    >>> readable(1234567)
    '1.2 MB'
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def _message(what: str, needed: int, chains: int, draws: int, numbers: int) -> str:
    return (
        f"{what} need about {readable(needed)} of memory ({chains} chains x {draws:,} draws x {numbers:,} numbers), "
        "which this process cannot have. Ask for fewer draws or chains."
    )
