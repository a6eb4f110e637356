"""Where the numbers of a sparse Cholesky factor are: an order of elimination with little fill, found once.

A symmetric matrix Q is a graph, whose nodes are rows and whose edges are the entries that are not zero. Eliminating a
node joins all its neighbours: these are the rows of its column of L, and new edges are fill (George and Liu 1981,
Computer Solution of Large Sparse Positive Definite Systems, chapter 5). The node with the fewest neighbours goes first
(minimum degree). Nested factors have no fill in this order, whatever their number; crossed ones fill the smaller.

Nodes on which no other waits, as the levels of an innermost factor, can all go first. Those that take the same steps
are panels, made many side by side (`panels`); columns one by one come behind them (`sparse_cholesky`).

The numeric factorisation subtracts a product of two entries of a column from a third entry of L, for every pair. Where
that third entry is, is written down here, so that kernels compare no indices.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import INDEX_VECTOR

IndexArray = NDArray[np.int64]
Places = NDArray[np.uint32]
Order = list[tuple[int, list[int]]]

UNSIGNED_VECTOR = types.Array(types.uint32, 1, "C")

LANES = 64
"""Levels that are made side by side."""

FEWEST_LEVELS = 16  # side by side, that take fewer instructions than one by one


class Pattern(NamedTuple):
    """The places of a sparse lower-triangular factor: panels in groups of `LANES` levels, then columns.

    In a group of m levels each number is a vector with an element for each level: columns one after the other, each
    from its diagonal on, then the rows outside of the level. The last `common` nodes, to which all others are joined,
    are the last rows of every column; `varying` rows are others in every level.
    """

    levels: int
    own: int  # columns of each level
    varying: int
    common: int
    starts: IndexArray  # (columns + 1,) where each column begins that is in no panel
    rows: Places  # (numbers,) row of each number, in order within a column
    outside: Places  # (levels * varying,) by group: nodes of the varying rows
    scattered: Places  # (levels * pairs,) by group: for each varying row and each row from it on, place of the product
    targets: Places  # (updates,) for each column and each pair x <= y of numbers below its diagonal: the same


PATTERN = types.NamedTuple([*[types.int64] * 4, INDEX_VECTOR, *[UNSIGNED_VECTOR] * 4], Pattern)


class Panels(NamedTuple):
    """Nodes that are eliminated first, those of a level one after the other.

    Attributes
    ----------
    nodes : ndarray (levels, own)
    outside : ndarray (levels, varying)
        What each level is joined to, besides what all nodes are.
    """

    nodes: IndexArray
    outside: IndexArray


NO_PANELS = Panels(np.empty((0, 1), dtype=np.int64), np.empty((0, 0), dtype=np.int64))


def elimination(neighbours: Sequence[set[int]], most_updates: float = np.inf) -> Order | None:
    """Nodes in the order of minimum degree, each with its neighbours when it is eliminated.

    Of equal ones that which had the fewest at first goes first: all levels of an innermost factor before any other.

    Parameters
    ----------
    neighbours : sequence of set of int
        Of each node; overwritten.
    most_updates : float
        None is returned where the factorisation needs more products than these.
    """
    at_first = [len(around) for around in neighbours]
    queue = [(count, count, node) for node, count in enumerate(at_first)]
    heapq.heapify(queue)
    gone = [False] * len(neighbours)
    order: Order = []
    updates = 0
    while queue:
        degree, _, node = heapq.heappop(queue)
        if gone[node] or degree != len(neighbours[node]):
            continue
        gone[node] = True
        around = neighbours[node]
        order.append((node, list(around)))
        updates += degree * (degree + 1) // 2
        if updates > most_updates:
            return None
        for other in around:
            own = neighbours[other]
            own |= around
            own -= {node, other}
            heapq.heappush(queue, (len(own), at_first[other], other))
    return order


def leaves_of(order: Order) -> tuple[Panels, Order]:
    """Nodes on which no other waits and that have as many neighbours, as panels; and the order of the rest.

    Of several numbers of neighbours that with the most products. Levels that are joined to the same nodes are far from
    each other: a product that waits for another one of the same place takes several times as long.
    """
    waited_for = {other for _, around in order for other in around}
    leaves = [entry for entry in order if entry[0] not in waited_for]
    counts = Counter(len(around) for _, around in leaves)
    degree = max(counts, key=lambda each: counts[each] * (each + 1) ** 2, default=0)
    if counts[degree] < FEWEST_LEVELS:
        return NO_PANELS, order
    chosen = [entry for entry in leaves if len(entry[1]) == degree]
    rest = [entry for entry in order if entry[0] in waited_for or len(entry[1]) != degree]
    rank = {node: place for place, (node, _) in enumerate(rest)}
    outside = np.array([sorted(around, key=rank.__getitem__) for _, around in chosen], dtype=np.int64)
    outside = outside.reshape(len(chosen), degree)
    first = outside[:, 0] if degree else np.zeros(len(chosen), dtype=np.int64)
    seen: Counter[int] = Counter()
    turn = np.empty(len(chosen), dtype=np.int64)
    for place, node in enumerate(first.tolist()):
        turn[place] = seen[node]
        seen[node] += 1
    spread = np.lexsort((first, turn))
    nodes = np.array([[node] for node, _ in chosen], dtype=np.int64)
    return Panels(nodes[spread], outside[spread]), rest


class Work(NamedTuple):
    """Numbers of a factor, and products that it takes: of panels into panels or common rows, and all others."""

    side_numbers: int
    side_updates: int
    numbers: int
    updates: int


def work_of(panels: Panels, rest: Order, last: int) -> Work:
    """What a factor costs; `last` more nodes are joined to all."""
    (levels, own), varying = panels.nodes.shape, panels.outside.shape[1]
    below = own + varying + last - 1 - np.arange(own)
    scattered = own * n_scattered(varying, last)
    columns = np.array([len(around) + last for _, around in rest] + list(range(last - 1, -1, -1)), dtype=np.int64)
    return Work(
        levels * int((below + 1).sum()),
        levels * (int((below * (below + 1) // 2).sum()) - scattered),
        int((columns + 1).sum()),
        int((columns * (columns + 1) // 2).sum()) + levels * scattered,
    )


def n_scattered(varying: int, common: int) -> int:
    """Pairs of rows outside of a level of which one varies at least."""
    return varying * (varying + 1) // 2 + varying * common


def factor_pattern(panels: Panels, rest: Order, last: int) -> tuple[IndexArray, Pattern]:
    """The nodes in order, and the pattern of the factor.

    Parameters
    ----------
    panels : Panels
    rest : list of (node, neighbours)
        As of `elimination`, for the nodes that are in no panel.
    last : int
        So many more nodes are joined to all others and among themselves; their numbers follow those of the others.
    """
    (levels, own), varying = panels.nodes.shape, panels.outside.shape[1]
    before = levels * own
    n = before + len(rest)
    groups = _groups(levels)
    order = [panels.nodes[group].T.ravel() for group in groups]
    nodes = np.concatenate([*order, np.array([node for node, _ in rest] + list(range(n, n + last)), dtype=np.int64)])
    places = np.empty(n + last, dtype=np.int64)
    places[nodes] = np.arange(n + last)
    tail = np.arange(n, n + last)
    columns = [np.concatenate([np.sort(places[around]), tail]) for _, around in rest]
    columns += [tail[k + 1 :] for k in range(last)]
    first = levels * (own * (own + varying + last) - own * (own - 1) // 2)
    starts = first + np.cumsum([0, *(1 + column.size for column in columns)], dtype=np.int64)
    outside = places[panels.outside]
    rows = [_panel_rows(group, own, outside[group], tail) for group in groups]
    rows += [np.append(before + k, column) for k, column in enumerate(columns)]

    def place_of(row: int, column: int) -> int:
        own_rows = columns[column - before]
        return int(starts[column - before] + (1 + np.searchsorted(own_rows, row) if row != column else 0))

    def places_of_pairs(row: IndexArray) -> list[int]:
        ends = [*row.tolist(), *tail.tolist()]
        return [place_of(ends[y], ends[x]) for x in range(varying) for y in range(x, len(ends))]

    pairs = np.array([places_of_pairs(row) for row in outside], dtype=np.int64)
    pairs = pairs.reshape(levels, n_scattered(varying, last))
    targets = [
        starts[i - before] + 1 + np.searchsorted(columns[i - before], column[x:]) - (np.arange(column.size - x) == 0)
        for column in columns
        for x, i in enumerate(column)
    ]
    return nodes, Pattern(
        *(levels, own, varying, last),
        starts,
        _unsigned(rows),
        _unsigned(outside[group].T.ravel() for group in groups),
        _unsigned(pairs[group].T.ravel() for group in groups),
        _unsigned(targets),
    )


def columns_of_numbers(pattern: Pattern) -> IndexArray:
    """Column of every number of the factor; the rows are in the pattern."""
    own, width = pattern.own, pattern.own + pattern.varying + pattern.common
    before = pattern.levels * own
    parts = [np.empty(0, dtype=np.int64)]
    for group in _groups(pattern.levels):
        lanes = np.arange(group.stop - group.start)
        parts += [np.tile(group.start * own + j * lanes.size + lanes, width - j) for j in range(own)]
    lengths = np.diff(pattern.starts)
    return np.concatenate([*parts, before + np.repeat(np.arange(lengths.size), lengths)])


def _groups(levels: int) -> list[slice]:
    return [slice(first, min(first + LANES, levels)) for first in range(0, levels, LANES)]


def _panel_rows(group: slice, own: int, outside: IndexArray, tail: IndexArray) -> IndexArray:
    """Rows of a group's numbers; `outside` (m, varying) are places of the varying rows."""
    m = group.stop - group.start
    rows = [group.start * own + j * m + np.arange(m) for j in range(own)]
    rows += [*outside.T, *(np.full(m, node) for node in tail)]
    return np.concatenate(list(itertools.chain(*(rows[j:] for j in range(own)))))


def _unsigned(parts: object) -> Places:
    return np.concatenate([np.empty(0, np.int64), *parts]).astype(np.uint32)  # type: ignore[misc]
