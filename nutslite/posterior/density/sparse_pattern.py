"""Where the numbers of a sparse Cholesky factor are: an order of elimination with little fill, found once.

A symmetric matrix Q is a graph, whose nodes are rows and whose edges are the entries that are not zero. Eliminating a
node joins all its neighbours: these are the rows of its column of L, and new edges are fill (George and Liu 1981,
Computer Solution of Large Sparse Positive Definite Systems, chapter 5). The node with the fewest neighbours goes first
(minimum degree). Nested factors have no fill in this order, whatever their number; crossed ones fill the smaller.

The numeric factorisation subtracts a product of two entries of a column from a third entry of L, for every pair. Where
that third entry is, is written down here, so that kernels compare no indices.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import INDEX_VECTOR
from nutslite.posterior.density.panels import panel_places

Places = NDArray[np.uint32]

UNSIGNED_VECTOR = types.Array(types.uint32, 1, "C")


class Pattern(NamedTuple):
    """The places of a sparse lower-triangular factor, column by column; each column begins with its diagonal.

    Or, where `levels` is not zero, those of `panels`: then the arrays are empty.
    """

    starts: NDArray[np.int64]  # (n + 1,) where each column begins
    rows: Places  # (numbers,) row of each number, in order within a column
    targets: (
        Places  # (updates,) for each column and each pair x <= y of numbers below its diagonal: place of the product
    )
    levels: int = 0
    own: int = 0  # effects of each level
    border: int = 0  # nodes that all are joined to


PATTERN = types.NamedTuple([INDEX_VECTOR, UNSIGNED_VECTOR, UNSIGNED_VECTOR, *[types.int64] * 3], Pattern)


def panel_pattern(levels: int, own: int, border: int) -> Pattern:
    """That of levels which meet in a border alone."""
    none = np.empty(0, dtype=np.uint32)
    return Pattern(np.zeros(1, dtype=np.int64), none, none.copy(), levels, own, border)


def nodes_of_numbers(pattern: Pattern) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of every number of the factor."""
    if pattern.levels:
        return panel_places(pattern.levels, pattern.own, pattern.border)[:2]
    columns = np.repeat(np.arange(pattern.starts.size - 1), np.diff(pattern.starts))
    return pattern.rows.astype(np.int64), columns


def elimination(neighbours: Sequence[set[int]], most_updates: float = np.inf) -> list[tuple[int, list[int]]] | None:
    """Nodes in the order of minimum degree, each with its neighbours when it is eliminated.

    Parameters
    ----------
    neighbours : sequence of set of int
        Of each node; overwritten.
    most_updates : float
        None is returned where the factorisation needs more products than these.
    """
    queue = [(len(around), node) for node, around in enumerate(neighbours)]
    heapq.heapify(queue)
    gone = [False] * len(neighbours)
    order: list[tuple[int, list[int]]] = []
    updates = 0
    while queue:
        degree, node = heapq.heappop(queue)
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
            heapq.heappush(queue, (len(own), other))
    return order


def n_updates(order: Sequence[tuple[int, Sequence[int]]], last: int) -> tuple[int, int]:
    """Numbers of the factor and products that it takes, where `last` more nodes, joined to all, are eliminated last."""
    below = np.array([len(around) + last for _, around in order] + list(range(last - 1, -1, -1)), dtype=np.int64)
    return int((below + 1).sum()), int((below * (below + 1) // 2).sum())


def factor_pattern(order: Sequence[tuple[int, Sequence[int]]], last: int) -> tuple[NDArray[np.int64], Pattern]:
    """The nodes in order, and the pattern of the factor.

    Parameters
    ----------
    order : sequence of (node, neighbours)
        As `elimination` returns it.
    last : int
        So many more nodes are joined to all others and among themselves; their numbers follow those of the others.
    """
    n = len(order)
    nodes = np.array([node for node, _ in order] + list(range(n, n + last)), dtype=np.int64)
    places = np.empty(n + last, dtype=np.int64)
    places[nodes] = np.arange(n + last)
    tail = np.arange(n, n + last)
    columns = [np.concatenate([np.sort(places[around]), tail]) for _, around in order]
    columns += [tail[k + 1 :] for k in range(last)]
    starts = np.cumsum([0, *(1 + column.size for column in columns)], dtype=np.int64)
    rows = np.concatenate([np.append(k, column) for k, column in enumerate(columns)] or [np.empty(0)])
    targets = [
        starts[i] + 1 + np.searchsorted(columns[i], column[x:]) - (np.arange(column.size - x) == 0)
        for column in columns
        for x, i in enumerate(column)
    ]
    return nodes, Pattern(
        starts, rows.astype(np.uint32), np.concatenate([*targets, np.empty(0, np.int64)]).astype(np.uint32)
    )
