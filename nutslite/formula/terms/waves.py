"""Basis functions of a Gaussian process: waves in a box, or of a period; and what data teach of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

PERIODIC = "Periodic"


@dataclass(frozen=True)
class Memory:
    """A process as learned from data, of D columns and G groups; without ``by=`` G is 1.

    Attributes
    ----------
    means, boundary : ndarray, shape (G, D)
        What is subtracted of the columns, and L, both in the unit of x.
    sizes : tuple of int
        Functions of each column; of a periodic process its harmonics.
    extents : ndarray, shape (D,)
        Range of each column.
    covariance : str
    period : float
        Of a periodic process.
    levels : tuple or None
        Of ``by=``.
    share, iso, scale, drop : bool
        Whether groups share one covariance, columns one length scale; whether length scales are in units of the
        range; whether the first function is left out.
    texts : tuple of str
        The columns as the formula has them.
    open : tuple of str
        What the formula leaves to be chosen: ``"m"``, ``"c"``.
    rows : ndarray, shape (D, n), codes : ndarray, shape (n,)
        The data, where something is open; else without rows.
    """

    means: FloatArray
    boundary: FloatArray
    sizes: tuple[int, ...]
    extents: FloatArray
    covariance: str
    period: float
    levels: tuple[Any, ...] | None
    share: bool
    iso: bool
    scale: bool
    drop: bool
    texts: tuple[str, ...]
    open: tuple[str, ...] = ()
    rows: FloatArray = field(default_factory=lambda: np.empty((0, 0)))
    codes: IndexArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def indices(self) -> IndexArray:
        """j_d of every function, shape (functions, D), the first column's fastest; orders of a periodic process."""
        if self.covariance == PERIODIC:
            orders = np.repeat(np.arange(self.sizes[0] + 1), 2)[1:]
            return orders[self.drop :, None]
        every = np.unravel_index(np.arange(int(np.prod(self.sizes))), self.sizes, order="F")
        return np.asarray(np.stack(every, axis=1)[self.drop :] + 1, dtype=np.int64)

    @property
    def frequencies(self) -> FloatArray:
        """Shape (G, functions, D): w in the unit of 1 / x, orders of a periodic process."""
        if self.covariance == PERIODIC:
            return np.repeat(self.indices[None].astype(float), len(self.means), axis=0)
        return np.asarray(self.indices * np.pi / (2.0 * self.boundary[:, None, :]), dtype=float)

    @property
    def unit(self) -> FloatArray:
        """Range of what has one length scale: of each column, of all together (the diagonal of their box), a turn."""
        if self.covariance == PERIODIC:
            return np.full(1, 2.0 * np.pi)
        return np.full(self.extents.size, np.linalg.norm(self.extents)) if self.iso else self.extents


def columns_of(memory: Memory, x: FloatArray, codes: IndexArray) -> FloatArray:
    """Functions of every group at rows, shape (functions * G, n), groups fastest."""
    functions = _periodic(memory, x[0]) if memory.covariance == PERIODIC else _in_box(memory, x, codes)
    groups, rows = len(memory.means), x.shape[1]
    if groups == 1:
        return np.ascontiguousarray(functions)
    out = np.zeros((len(functions), groups, rows))
    out[:, codes, np.arange(rows)] = functions
    return out.reshape(-1, rows)


def _in_box(memory: Memory, x: FloatArray, codes: IndexArray) -> FloatArray:
    centred, boundary, indices = x - memory.means[codes].T, memory.boundary[codes].T, memory.indices
    out = np.ones((len(indices), x.shape[1]))
    for column, size in enumerate(memory.sizes):
        j = np.arange(1, size + 1)[:, None]
        own = boundary[column]
        waves = np.sin(j * (np.pi / (2.0 * own)) * (centred[column] + own)) / np.sqrt(own)
        out *= waves[indices[:, column] - 1]
    return out


def _periodic(memory: Memory, x: FloatArray) -> FloatArray:
    """1, then cosine and sine of every harmonic."""
    turns = 2.0 * np.pi * np.remainder(x / memory.period, 1.0)
    j = np.arange(1, memory.sizes[0] + 1)[:, None]
    waves = np.stack([np.cos(j * turns), np.sin(j * turns)], axis=1).reshape(-1, x.size)
    return np.concatenate([np.ones((1, x.size)), waves])[memory.drop :]
