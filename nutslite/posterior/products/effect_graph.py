"""Which group effects of a model occur together in rows of data: the graph of its information matrix."""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.density.block_effects import places_of
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.model_data import ModelData

IndexArray = NDArray[np.int64]


def effect_neighbours(model: ModelData) -> list[set[int]]:
    """For each group effect those that share a row of data or a level with it."""
    neighbours: list[set[int]] = [set() for _ in range(model.centring.size)]
    for left, right in combinations_with_replacement(model.blocks, 2):
        nodes, others = _pairs(model, left, right)
        for node, other in zip(nodes.tolist(), others.tolist(), strict=True):
            if node != other:
                neighbours[node].add(other)
                neighbours[other].add(node)
    return neighbours


def least_share_of_pairs(model: ModelData) -> float:
    """Of all pairs of levels of two factors the share that occurs in rows: 1 where crossed, small where nested.

    The smallest over pairs of factors; 1 for one factor.
    """
    first = {int(block[md.FACTOR]): block for block in model.blocks}
    shares = [
        _level_pairs(model, left, right)[0].size / (left[md.N_LEVELS] * right[md.N_LEVELS])
        for left, right in combinations(first.values(), 2)
    ]
    return float(min(shares, default=1.0))


def _level_pairs(model: ModelData, left: IndexArray, right: IndexArray) -> tuple[IndexArray, IndexArray]:
    """Levels of two blocks' factors that occur together."""
    first, second = (model.levels[block[md.FACTOR]].astype(np.int64) for block in (left, right))
    levels, others = np.divmod(np.unique(first * right[md.N_LEVELS] + second), right[md.N_LEVELS])
    return levels, others


def _pairs(model: ModelData, left: IndexArray, right: IndexArray) -> tuple[IndexArray, IndexArray]:
    """Effects of two blocks that occur together, one pair an element; of one block, or of one factor, by level."""
    if left[md.FACTOR] == right[md.FACTOR]:
        levels = others = np.arange(left[md.N_LEVELS])
    else:
        levels, others = _level_pairs(model, left, right)
    nodes, partners = places_of(left)[levels], places_of(right)[others]
    shape = (nodes.shape[0], nodes.shape[1], partners.shape[1])
    one, other = np.broadcast_to(nodes[:, :, None], shape), np.broadcast_to(partners[:, None, :], shape)
    return one.ravel(), other.ravel()
