"""Threads within a chain: the rows of one gradient shared between the chain's own thread and helpers.

Rows are cut into parts, always the same for a model, each with sums of its own, which are added in order: so a gradient
is the same to the last bit whoever computed which part. The chain's thread puts down the values, and everyone takes
parts until none is left. Helpers wait in compiled code, because a system call would take longer than many a gradient.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import INDEX_VECTOR, MATRIX, VECTOR
from nutslite.sampler.atomics import WORDS_APART
from nutslite.sampler.transition.compiling import uncounted

FloatArray = NDArray[np.float64]

ROWS_PER_PART = 4096  # at least: some tens of microseconds, against one or two for handing a part over
ROWS_PER_EFFECT = 4  # at least, in each part: sums over parts cost an addition for each effect
MOST_PARTS = 16
NEXT, DONE, STOP, WORDS = 0, WORDS_APART, 2 * WORDS_APART, 3 * WORDS_APART  # places in `signals`
NOTHING_TO_DO = 1 << 40  # a next part that no model has


class SharedWork(NamedTuple):
    """What the threads of one chain share; `signals` has no elements where the chain has one thread."""

    signals: NDArray[np.int64]
    values: FloatArray  # (n_values,)
    effects: FloatArray  # (n_effects,)
    totals: FloatArray  # (parts,)
    adjoints: FloatArray  # (parts, n_values)
    effects_adjoints: FloatArray  # (parts, n_effects)


SHARED_WORK = types.NamedTuple([INDEX_VECTOR, VECTOR, VECTOR, VECTOR, MATRIX, MATRIX], SharedWork)


def nothing_shared() -> SharedWork:
    """For a chain with one thread."""
    nothing, none = np.empty(0), np.empty((0, 0))
    return SharedWork(np.empty(0, dtype=np.int64), nothing, nothing, nothing, none, none)


def parts_of(rows: int, effects: int) -> int:
    """Into how many parts the rows of a model with so many group effects are cut."""
    fewest = max(ROWS_PER_PART, ROWS_PER_EFFECT * effects)
    return max(1, min(MOST_PARTS, rows // fewest))


n_parts = uncounted(parts_of)
"""`parts_of`, for compiled code."""


def new_shared_work(rows: int, values: int, effects: int) -> SharedWork:
    """Memory for the threads of one chain, with nothing to do yet."""
    parts = parts_of(rows, effects)
    signals = np.zeros(WORDS, dtype=np.int64)
    signals[NEXT] = NOTHING_TO_DO
    totals, adjoints, effects_adjoints = np.empty(parts), np.empty((parts, values)), np.empty((parts, effects))
    return SharedWork(signals, np.empty(values), np.empty(effects), totals, adjoints, effects_adjoints)
