"""Products of group effects' designs: sums over the rows of each level, or of each pair of levels.

A factor's design has one number per row and column of its effects, so its products with anything are weighted counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.products.products import weighted_products

FloatArray = NDArray[np.float64]

MANY_COLUMNS = 32


@dataclass(frozen=True)
class LevelDesign:
    """The design of one factor's effects, shape (n, levels * stride), by what it is made of.

    Attributes
    ----------
    level : ndarray of int64, shape (n,)
    n_levels, stride : int
        The effect of (level, column) is number ``level * stride + column``.
    columns : dict of int to (ndarray of shape (n,), or None)
        The numbers that multiply the effects of a column; None for ones.
    """

    level: NDArray[np.int64]
    n_levels: int
    stride: int
    columns: dict[int, FloatArray | None]

    @property
    def size(self) -> int:
        """Number of effects."""
        return self.n_levels * self.stride

    def numbers(self, column: int) -> slice:
        """The effects of one column."""
        return slice(column, self.size, self.stride)

    def sums(self, weights: FloatArray) -> FloatArray:
        """All columns times the weights of rows, shape (size,)."""
        out = np.zeros(self.size)
        for c, z in self.columns.items():
            out[self.numbers(c)] = np.bincount(self.level, _times(z, weights), self.n_levels)
        return out


def dense_products(
    design: LevelDesign, dense: FloatArray | Sequence[FloatArray], weights: FloatArray | None
) -> FloatArray:
    """design' diag(weights) dense', shape (size, p), for `dense` (p, n), or its p rows one by one."""
    out = np.zeros((design.size, len(dense)))
    for c, z in design.columns.items():
        factor = _times(z, weights)
        for p, row in enumerate(dense):
            out[design.numbers(c), p] = np.bincount(design.level, _times(row, factor), design.n_levels)
    return out


def pair_products(left: LevelDesign, right: LevelDesign, weights: FloatArray | None) -> FloatArray:
    """left' diag(weights) right of two factors, dense: shape (left.size, right.size)."""
    out = np.zeros((left.size, right.size))
    pair = left.level * right.n_levels + right.level
    for (c, z), (d, other) in product(left.columns.items(), right.columns.items()):
        sums = np.bincount(pair, _times(_times(z, other), weights), left.n_levels * right.n_levels)
        out[left.numbers(c), right.numbers(d)] = sums.reshape(left.n_levels, right.n_levels)
    return out


def own_products(design: LevelDesign, weights: FloatArray | None) -> FloatArray:
    """design' diag(weights) design, whose other blocks are zero: shape (levels, stride, stride)."""
    if _is_wide(design):
        return level_products(design, design, weights)
    out = np.zeros((design.n_levels, design.stride, design.stride))
    for (c, z), (d, other) in product(design.columns.items(), repeat=2):
        if d <= c:
            sums = np.bincount(design.level, _times(_times(z, other), weights), design.n_levels)
            out[:, c, d] = out[:, d, c] = sums
    return out


def level_products(left: LevelDesign, right: LevelDesign, weights: FloatArray | None) -> FloatArray:
    """left' diag(weights) right of two designs of one factor: shape (levels, left.stride, right.stride)."""
    out = np.zeros((left.n_levels, left.stride, right.stride))
    if _is_wide(left):
        one = _matrix(left)
        sums = weighted_products(one, weights, one if left is right else _matrix(right))
        out[0][np.ix_(list(left.columns), list(right.columns))] = sums
        return out
    for (c, z), (d, other) in product(left.columns.items(), right.columns.items()):
        out[:, c, d] = np.bincount(left.level, _times(_times(z, other), weights), left.n_levels)
    return out


def between(designs: list[LevelDesign], weights: FloatArray | None) -> FloatArray:
    """[designs]' diag(weights) [designs] of several factors side by side, dense."""
    size = sum(design.size for design in designs)
    out = np.zeros((size, size))
    for (at, left), (to, right) in product(_places(designs), repeat=2):
        rows, columns = slice(at, at + left.size), slice(to, to + right.size)
        if to < at:
            out[rows, columns] = pair_products(left, right, weights)
            out[columns, rows] = out[rows, columns].T
        elif to == at:
            own = own_products(left, weights)
            for c, d in product(left.columns, repeat=2):
                diagonal = at + np.arange(left.n_levels) * left.stride
                out[diagonal + c, diagonal + d] = own[:, c, d]
    return out


def _places(designs: list[LevelDesign]) -> Iterator[tuple[int, LevelDesign]]:
    at = 0
    for design in designs:
        yield at, design
        at += design.size


def _is_wide(design: LevelDesign) -> bool:
    """Whether it is a matrix of many columns rather than levels, as where levels have a known covariance."""
    return design.n_levels == 1 and len(design.columns) >= MANY_COLUMNS


def _matrix(design: LevelDesign) -> FloatArray:
    """The columns of a design of one level, (columns, n)."""
    ones = np.ones(design.level.size)
    return np.array([ones if z is None else z for z in design.columns.values()])


def _times(left: FloatArray | None, right: FloatArray | None) -> FloatArray | None:
    if left is None or right is None:
        return right if left is None else left
    return left * right
