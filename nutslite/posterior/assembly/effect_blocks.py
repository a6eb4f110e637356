"""Blocks of effects while a model is assembled: their columns, which predictor reads them, and their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.record.layout import NO_MIX

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """The columns of a block that one variable of the results has.

    Attributes
    ----------
    predictor : int
        The row of eta that reads them.
    name : str
        Of the variable.
    shape : tuple of int
        Of the variable, without its levels: ``()`` for one column without a dimension.
    mix : ndarray
        As `Variable.mix`.
    """

    predictor: int
    name: str
    shape: tuple[int, ...]
    mix: FloatArray = field(default_factory=lambda: NO_MIX)

    @property
    def columns(self) -> int:
        """How many there are."""
        return int(np.prod(self.shape, dtype=int))


@dataclass
class EffectBlock:
    """Columns whose prior is one: of one predictor, or correlated ones of several.

    Attributes
    ----------
    factor : str or None
        The grouping factor. Without one it is a block of one level: of weights, or of levels with a known covariance.
    parts : list of Part
        In the order of the columns.
    correlation : int
        Position of the first unconstrained correlation, or -1.
    eta : int
        Reference to the shape of their LKJ prior.
    factors : int or None
        Reference to what the scales of the first level are times, where they differ by level.
    rows : list of list of int
        As in `ModelData.block_columns`, with unresolved references.
    """

    factor: str | None
    parts: list[Part] = field(default_factory=list)
    correlation: int = -1
    eta: int = -1
    factors: int | None = None
    rows: list[list[int]] = field(default_factory=list)

    @property
    def columns(self) -> int:
        """Columns so far."""
        return len(self.rows)

    @property
    def column_names(self) -> list[str]:
        """The variable that each column belongs to."""
        return [part.name for part in self.parts for _ in range(part.columns)]

    def order_as(self, names: Sequence[str]) -> None:
        """Put the parts in this order: formulas may come in another order than a family's parameters."""
        stops = np.cumsum([part.columns for part in self.parts])
        own = {
            part.name: (part, self.rows[stop - part.columns : stop])
            for part, stop in zip(self.parts, stops, strict=True)
        }
        self.parts = [own[name][0] for name in names]
        self.rows = [row for name in names for row in own[name][1]]

    def runs(self) -> list[tuple[int, int, int]]:
        """Predictor, first column and number of columns, for each predictor that reads some."""
        count: dict[int, int] = {}
        for part in self.parts:
            count[part.predictor] = count.get(part.predictor, 0) + part.columns
        starts = np.cumsum([0, *count.values()])
        return [(j, int(start), columns) for (j, columns), start in zip(count.items(), starts, strict=False)]

    def places(self, start: int, stride: int, n_levels: int) -> list[IndexArray]:
        """For each part, which effects its variable has, in the variable's shape."""
        out, column = [], start
        for part in self.parts:
            index = column + np.arange(part.columns).reshape(part.shape)
            out.append(index if self.factor is None else index[..., None] + stride * np.arange(n_levels))
            column += part.columns
        return out


def effect_places(blocks: Sequence[EffectBlock], n_levels: Sequence[int]) -> tuple[list[int], list[int]]:
    """Start and stride of every block's effects: factor by factor, level by level, the largest factor last.

    Blocks without a factor come first. `n_levels` are those of each block.
    """
    width: dict[str | None, int] = {}
    size: dict[str | None, int] = {}
    for block, levels in zip(blocks, n_levels, strict=True):
        width[block.factor] = width.get(block.factor, 0) + block.columns
        size[block.factor] = width[block.factor] * levels
    order = sorted(width, key=lambda name: (name is not None, size[name]))
    first = dict(zip(order, np.cumsum([0, *(size[name] for name in order)]), strict=False))
    used: dict[str | None, int] = {}
    starts, strides = [], []
    for block in blocks:
        starts.append(int(first[block.factor]) + used.get(block.factor, 0))
        strides.append(width[block.factor])
        used[block.factor] = used.get(block.factor, 0) + block.columns
    return starts, strides


def rows_of_all(matrices: list[FloatArray], n: int) -> FloatArray:
    """Rows of all matrices in one writable C-contiguous array (zero rows if there are none)."""
    if not matrices:
        return np.empty((0, n))
    return np.ascontiguousarray(np.concatenate(matrices, axis=0), dtype=float)
