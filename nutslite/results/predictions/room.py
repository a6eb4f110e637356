"""Room for numbers of every row and draw: a lack of it is an error before any work, with the size and what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from nutslite.exceptions import DataError
from nutslite.sampler.memory import FLOAT_BYTES, available_memory

GIBIBYTE = 2.0**30
SHARE = 0.9  # of the memory that there is, for the numbers themselves


@contextlib.contextmanager
def room_for(what: str, samples: int, rows: int, numbers: int = 1, remedy: str = "") -> Iterator[None]:
    """Refuse more numbers than memory has room for; a lack of memory inside the block is the same error.

    Parameters
    ----------
    what : str
        What they are, as the beginning of a sentence in the plural.
    samples, rows : int
        Draws of all chains, and rows.
    numbers : int
        float64 numbers for each row and draw.
    remedy : str
        What else helps than fewer draws and rows, in a sentence.

    Raises
    ------
    DataError
    """
    needed = float(samples) * rows * numbers * FLOAT_BYTES
    room = SHARE * available_memory()
    if needed > room:
        raise DataError(_message(what, samples, rows, numbers, needed, room, remedy))
    try:
        yield
    except MemoryError:
        raise DataError(_message(what, samples, rows, numbers, needed, room, remedy)) from None


def _message(what: str, samples: int, rows: int, numbers: int, needed: float, room: float, remedy: str) -> str:
    each = "" if numbers == 1 else f" x {numbers} numbers"
    step = max(2, int(-(-needed // max(room, 1.0))))
    fewer = (
        f"fewer draws (results.isel(draw=slice(None, None, {step})))"
        if step <= samples
        else "fewer draws (results.isel)"
    )
    return (
        f"{what} need {needed / GIBIBYTE:,.1f} GiB of memory ({samples:,} draws x {rows:,} rows{each}), and there are "
        f"{room / GIBIBYTE:,.1f} GiB for them. Take {fewer}, or fewer rows at a time.{remedy and ' '}{remedy}"
    )
