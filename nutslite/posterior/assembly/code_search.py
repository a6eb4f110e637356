"""Which common columns to read by code: those whose rows take few distinct values, where a look-up costs less.

Columns X[:, S] with L distinct rows depend on a row of data through a code only: X[:, S] b = T[code] with T = U b, U
the (L, S) table of distinct rows. That is found in the numbers, not in the formula, and so holds for any coding of a
factor, for interactions of factors, for splines and polynomials of rounded numbers, and for several terms at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# Nanoseconds of one gradient: per row and dense column (0.16 in cache, 0.25 to 0.45 beyond it), per row and look-up,
# per row where rows are sorted by the code, per element of a table, and per row for all else. Minima over turns on a
# busy machine, 10,000 and 100,000 rows of a Poisson model; `benchmarks/coded.py` shows what comes of them. So look-ups
# pay from about six columns on, sorted rows from two.
DENSE = 0.2
LOOK_UP = 0.8
SORTED = 0.1
TABLE = 0.2
ALL_ELSE = 2.0

LEAST_GAIN = 0.1  # of a gradient: for less it is not worth an exception
MOST_ROWS = 1 << 14  # of a table: its products with the coefficients, and their derivatives, stay in cache
FEWEST_REPEATS = 8  # rows of data per distinct one, on average
SAMPLE = 2000
HASHED_ROWS = 1 << 16  # at once, so that no copies of whole columns are made


@dataclass(frozen=True)
class CodeSet:
    """Columns that are read by code.

    Attributes
    ----------
    columns : ndarray of int, shape (s,)
        Ascending.
    code : ndarray of int32, shape (n,)
        Which of the distinct rows each row of data has in these columns.
    first : ndarray of int, shape (L,)
        A row of data for each distinct row.
    """

    columns: IndexArray
    code: NDArray[np.int32]
    first: IndexArray


def find_code_sets(matrix: FloatArray, spans: Iterable[tuple[int, int]], sortable: bool) -> list[CodeSet]:
    """Sets of columns of `matrix` (p, n) that cost less by code than column by column; no column is in two.

    `spans` are the first and last (excluded) columns of terms: columns of one term are taken together. Beginning with
    those of the fewest distinct rows, each term joins the set where it costs least. `sortable` says that rows can be
    sorted by the largest set.
    """
    p, n = matrix.shape
    most = min(n // FEWEST_REPEATS, MOST_ROWS)
    candidates = []
    for start, stop in spans:
        code = _distinct_rows(matrix[start:stop], most)
        if code is not None:
            candidates.append(_code_set(np.arange(start, stop), code))
    sets: list[CodeSet] = []
    for candidate in sorted(candidates, key=lambda one: one.first.size):
        sets = _with_candidate(sets, candidate, most, sortable)
    largest = max((one.first.size for one in sets), default=0)
    return [one for one in sets if pays(n, p, one.columns.size, one.first.size, sortable and one.first.size == largest)]


def pays(n: int, p: int, columns: int, distinct: int, by_runs: bool) -> bool:
    """Whether `columns` of `p` columns with `n` rows, `distinct` different ones, cost clearly less by code.

    `by_runs` says that rows are sorted by the code.
    """
    gain = DENSE * n * columns - _coded_cost(n, columns, distinct, by_runs)
    return gain > LEAST_GAIN * (ALL_ELSE + DENSE * p) * n


def _coded_cost(n: int, columns: int, distinct: int, by_runs: bool) -> float:
    return (SORTED if by_runs else LOOK_UP) * n + TABLE * distinct * columns


def _cost(sets: list[CodeSet], sortable: bool) -> float:
    """Of all sets, each by code or dense."""
    largest = max(one.first.size for one in sets)
    total = 0.0
    for one in sets:
        n, columns, distinct = one.code.size, one.columns.size, one.first.size
        total += min(_coded_cost(n, columns, distinct, sortable and distinct == largest), DENSE * n * columns)
    return total


def _with_candidate(sets: list[CodeSet], candidate: CodeSet, most: int, sortable: bool) -> list[CodeSet]:
    """The sets with one more: itself alone, or joined to the set where that costs least."""
    best = [*sets, candidate]
    least = _cost(best, sortable)
    for place, one in enumerate(sets):
        code = _joint_code(one, candidate, most)
        if code is None:
            continue
        joined = _code_set(np.sort(np.concatenate([one.columns, candidate.columns])), code)
        together = [*sets[:place], joined, *sets[place + 1 :]]
        cost = _cost(together, sortable)
        if cost <= least:
            best, least = together, cost
    return best


def _code_set(columns: IndexArray, code: NDArray[np.int32]) -> CodeSet:
    first = np.empty(int(code.max(initial=-1)) + 1, dtype=np.int64)
    first[code] = np.arange(code.size)  # of several rows of data any serves
    return CodeSet(columns, code, first)


def _distinct_rows(columns: FloatArray, most: int) -> NDArray[np.int32] | None:
    """A code per row of data by the distinct rows of (s, n) columns; None where these are more than `most`."""
    n = columns.shape[1]
    if not most or not columns.shape[0]:
        return None
    if n > 2 * SAMPLE:
        some = _row_hashes(np.ascontiguousarray(columns[:, np.linspace(0, n - 1, SAMPLE).astype(np.int64)]))
        if _surely_more(np.unique(some).size, most):
            return None
    distinct, first, code = np.unique(_row_hashes(columns), return_index=True, return_inverse=True)
    if distinct.size > most:
        return None
    equal = all(np.array_equal(column, column[first][code.reshape(-1)]) for column in columns)  # hashes may collide
    return code.reshape(-1).astype(np.int32) if equal else None


def _surely_more(distinct: int, most: int) -> bool:
    """Whether so many distinct ones among `SAMPLE` tell that there are more than `most`.

    Of `most` equally frequent ones about SAMPLE^2 / (2 most) would be repetitions, and more where frequencies differ.
    """
    return SAMPLE - distinct < SAMPLE * SAMPLE / (8 * most)


def _row_hashes(columns: FloatArray) -> NDArray[np.uint64]:
    """One 64-bit hash per row of (s, n) columns."""
    hashes = np.zeros(columns.shape[1], dtype=np.uint64)
    for column in columns:
        add_to_hashes(hashes, column)
    return hashes


def add_to_hashes(hashes: NDArray[np.uint64], column: NDArray[Any]) -> None:
    """Mix one more column (n,) into the hashes of rows, in place. Adding zero makes -0.0 and 0.0 equal."""
    for start in range(0, hashes.size, HASHED_ROWS):
        some = hashes[start : start + HASHED_ROWS]
        some ^= (column[start : start + HASHED_ROWS] + 0.0).view(np.uint64)
        some *= np.uint64(0x9E3779B97F4A7C15)
        some ^= some >> np.uint64(29)


def _joint_code(one: CodeSet, other: CodeSet, most: int) -> NDArray[np.int32] | None:
    """The code of two sets' rows together; None where there are more than `most` of them."""
    pairs = one.code.astype(np.int64) * other.first.size + other.code
    if pairs.size > 2 * SAMPLE:
        some = pairs[np.linspace(0, pairs.size - 1, SAMPLE).astype(np.int64)]
        if np.unique(some).size > most:
            return None
    distinct, code = np.unique(pairs, return_inverse=True)
    return code.reshape(-1).astype(np.int32) if distinct.size <= most else None
