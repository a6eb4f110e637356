"""Rows shared by threads, for code that releases the GIL."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

FIRST_ROWS = 16
SECONDS_PER_THREAD = 3e-4  # of work, at least, for a thread to be started


def available_cpus() -> int:
    """CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_in_parts(work: Callable[[slice], None], n: int, cores: int, fewest: int = 32) -> None:
    """Call ``work(part)`` for slices that make up ``range(n)``, at once on up to `cores` threads.

    A part has at least `fewest` rows. The first part runs on the calling thread; the first exception is raised when all
    parts have ended.
    """
    count = max(1, min(cores, n // fewest))
    if count == 1:
        work(slice(0, n))
        return
    edges = np.linspace(0, n, count + 1).astype(int).tolist()
    first, *others = (slice(start, stop) for start, stop in itertools.pairwise(edges))
    with ThreadPoolExecutor(len(others)) as pool:
        running = [pool.submit(work, part) for part in others]
        work(first)
        for other in running:
            other.result()


def run_where_it_pays(work: Callable[[slice], None], n: int, cores: int) -> None:
    """As `run_in_parts`, after some rows that say what one takes.

    To start threads takes longer than hundreds of the cheapest densities.
    """
    first = min(FIRST_ROWS, n) if cores > 1 else n
    began = time.perf_counter()
    work(slice(first))
    each = (time.perf_counter() - began) / max(1, first)
    if n > first:
        fewest = max(FIRST_ROWS, int(SECONDS_PER_THREAD / max(each, 1e-9)))
        run_in_parts(lambda part: work(slice(first + part.start, first + part.stop)), n - first, cores, fewest)
