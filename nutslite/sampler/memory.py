"""Memory for draws: refused in words, with sizes, before the system refuses it by a crash."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Callable, Iterator

import numpy as np

from nutslite.exceptions import SamplingError

FLOAT_BYTES = 8
FEW_BYTES = 16_000_000  # nobody asks whether these are left, which takes as long as many a density
KEPT_BYTES = 8_000_000

CONTROL_GROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Of both versions: folder, limit, what is used, and the count of memory that only holds files."""


@contextlib.contextmanager
def memory_for(
    chains: int, draws: int, numbers: int, what: str, remedy: str = "Ask for fewer draws or chains."
) -> Iterator[None]:
    """Turn a lack of memory inside the block into an error that says what is needed.

    More than there is left is refused at once: Linux would promise it, and kill the process when it is used.

    Parameters
    ----------
    numbers : int
        float64 numbers per draw.
    what : str
        What they are, as the beginning of a sentence in the plural.
    remedy : str
        What to do, in a sentence.

    Raises
    ------
    SamplingError
    """
    needed = chains * draws * numbers * FLOAT_BYTES
    if needed > KEPT_BYTES:
        give_back()
    if needed > FEW_BYTES and needed > available_memory():
        raise SamplingError(_message(what, needed, chains, draws, numbers, remedy))
    try:
        yield
    except MemoryError as error:
        raise SamplingError(_message(what, needed, chains, draws, numbers, remedy)) from error


@functools.cache
def keep_what_is_freed() -> None:
    """Ask the C library, once, to keep the memory of arrays below 8 MB when these are freed.

    Otherwise the system takes it back and has to clear it for the next array: 7 % of a small fit. The GNU library keeps
    what is smaller than the largest block so far that it got by itself and gave back; others do as they like.
    """
    largest = np.empty(KEPT_BYTES // FLOAT_BYTES)
    del largest


def give_back() -> None:
    """Return the memory of freed arrays that the C library has kept: it is no place for larger ones, which follow."""
    if (trim := _trim()) is not None:
        trim(0)


@functools.cache
def _trim() -> Callable[[int], int] | None:
    """``malloc_trim``, where the C library is GNU's."""
    try:
        found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):
        return None
    return found


def available_memory() -> float:
    """Bytes that this process can still have: what the machine has left, and limits of a container or its own leave."""
    return min(physical_memory(), _left_by_machine(), _left_to_process(), *_left_by_limits())


def physical_memory() -> float:
    """Bytes of memory that this machine has; infinite where it does not say."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return float("inf")


def _left_by_machine() -> float:
    for line in _text("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return 1024.0 * float(line.split()[1])
    return float("inf")


def _left_to_process() -> float:
    """What a limit on the addresses of this process (``ulimit -v``) leaves."""
    try:
        import resource  # Unix has it
    except ImportError:
        return float("inf")
    most, pages = resource.getrlimit(resource.RLIMIT_AS)[0], _text("/proc/self/statm").split()
    if most == resource.RLIM_INFINITY or not pages:
        return float("inf")
    return max(0.0, float(most) - float(pages[0]) * resource.getpagesize())


def _left_by_limits() -> Iterator[float]:
    """What control groups leave; files that they hold in memory make way."""
    for folder, most, used, files in CONTROL_GROUPS:
        limit, taken = _text(f"{folder}/{most}").strip(), _text(f"{folder}/{used}").strip()
        if limit.isdigit() and taken.isdigit():
            stat = dict(line.split() for line in _text(f"{folder}/memory.stat").splitlines())
            yield max(0.0, float(limit) - float(taken) + float(stat.get(files, 0)))
    yield float("inf")


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


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


def _message(what: str, needed: int, chains: int, draws: int, numbers: int, remedy: str) -> str:
    return (
        f"{what} need about {readable(needed)} of memory ({chains} chains x {draws:,} draws x {numbers:,} numbers), "
        f"which this process cannot have. {remedy}"
    )
