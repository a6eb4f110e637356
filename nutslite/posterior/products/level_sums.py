"""Products of group effects' designs: sums over the rows of each level, or of each pair of levels.

A factor's design has one number per row and column of its effects, so its products with anything are weighted counts.
They are added up some rows at a time, in their order: nothing is made that is as long as the data, and the sums are
those of all rows at once to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.products.products import weighted_products

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

MANY_COLUMNS = 32
ROWS_AT_ONCE = 1 << 14


class Column(Protocol):
    """Numbers of rows of data, of which some are asked for at a time: an array, or what makes them then."""

    def __getitem__(self, rows: slice, /) -> FloatArray: ...


@dataclass(frozen=True)
class LevelDesign:
    """The design of one factor's effects, shape (n, levels * stride), by what it is made of.

    Attributes
    ----------
    level : ndarray of integers, shape (n,)
    n_levels, stride : int
        The effect of (level, column) is number ``level * stride + column``.
    columns : dict of int to (ndarray of shape (n,), or None)
        The numbers that multiply the effects of a column; None for ones.
    """

    level: NDArray[np.integer[Any]]
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
            self.add(out[self.numbers(c)], z, weights)
        return out

    def counts(self) -> IndexArray:
        """Rows of each level."""
        out = np.zeros(self.n_levels, dtype=np.int64)
        for start in range(0, self.level.size, ROWS_AT_ONCE):
            np.add.at(out, self.level[start : start + ROWS_AT_ONCE].astype(np.intp, copy=False), 1)
        return out

    def add(self, out: FloatArray, *factors: Column | None) -> None:
        """Add the product of columns of rows to the elements (levels,) of the rows' levels."""
        _add(out, self.level.size, lambda rows: self.level[rows], factors)


def dense_products(design: LevelDesign, dense: FloatArray | Sequence[Column], weights: FloatArray | None) -> FloatArray:
    """design' diag(weights) dense', shape (size, p), for `dense` (p, n), or its p rows one by one."""
    out = np.zeros((design.size, len(dense)))
    for c, z in design.columns.items():
        for p, row in enumerate(dense):
            design.add(out[design.numbers(c), p], z, weights, row)
    return out


def pair_products(left: LevelDesign, right: LevelDesign, weights: FloatArray | None) -> FloatArray:
    """left' diag(weights) right of two factors, dense: shape (left.size, right.size)."""
    out = np.zeros((left.size, right.size))

    def pairs(rows: slice) -> IndexArray:
        return left.level[rows].astype(np.int64) * right.n_levels + right.level[rows]

    for (c, z), (d, other) in product(left.columns.items(), right.columns.items()):
        sums = np.zeros(left.n_levels * right.n_levels)
        _add(sums, left.level.size, pairs, (z, other, weights))
        out[left.numbers(c), right.numbers(d)] = sums.reshape(left.n_levels, right.n_levels)
    return out


def own_products(design: LevelDesign, weights: FloatArray | None) -> FloatArray:
    """design' diag(weights) design, whose other blocks are zero: shape (levels, stride, stride)."""
    if _is_wide(design):
        return level_products(design, design, weights)
    out = np.zeros((design.n_levels, design.stride, design.stride))
    for (c, z), (d, other) in product(design.columns.items(), repeat=2):
        if d <= c:
            design.add(out[:, c, d], z, other, weights)
            out[:, d, c] = out[:, c, d]
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
        left.add(out[:, c, d], z, other, weights)
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


def _add(
    out: FloatArray, n: int, places: Callable[[slice], NDArray[np.integer[Any]]], factors: Sequence[Column | None]
) -> None:
    """Add the product of columns of `n` rows, None for ones, to the elements of `out` that are the rows' `places`."""
    given = [factor for factor in factors if factor is not None]
    for start in range(0, n, ROWS_AT_ONCE):
        rows = slice(start, min(n, start + ROWS_AT_ONCE))
        numbers: FloatArray | float = 1.0
        for factor in given:
            numbers = numbers * factor[rows]
        np.add.at(out, places(rows).astype(np.intp, copy=False), numbers)
