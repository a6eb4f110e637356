"""Derived values of draws from the prior, and of draws that results hold."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import MATRIX, kernel_with_signature
from nutslite.posterior.nodes.program import DERIVED, derived_of, fill_derived
from nutslite.posterior.record.head import Head
from nutslite.posterior.record.node_table import INPUTS, N_INPUTS, N_OUTPUTS, NODES, OP, OUTPUTS, SIMPLEX
from nutslite.sampler.constraints.simplex import simplex_unconstrain

FloatArray = NDArray[np.float64]


class PriorNodes:
    """The nodes of a head, each run for all draws as soon as what it reads has been drawn.

    Parameters
    ----------
    head : Head
    values : ndarray, shape (draws, n_values)
        Its derived values are overwritten, and the unconstrained numbers of simplexes.
    rng : numpy.random.Generator
    """

    def __init__(self, head: Head, values: FloatArray, rng: np.random.Generator) -> None:
        self.head, self.values, self.rng = head, values, rng
        self.done = 0

    def draw(self, before: int) -> None:
        """Run the nodes that need nothing of the head from the element `before` on."""
        rows = self.head.nodes.rows
        while self.done < len(rows) and self._last_needed(rows[self.done]) < before:
            row = rows[self.done]
            if row[OP] == SIMPLEX:
                self._draw_simplex(row)
            else:
                fill_rows(self.head, self.values, slice(self.done, self.done + 1))
            self.done += 1

    def _inputs(self, row: NDArray[np.int64]) -> NDArray[np.int64]:
        inputs: NDArray[np.int64] = self.head.nodes.inputs[row[INPUTS] : row[INPUTS] + row[N_INPUTS]]
        return inputs

    def _last_needed(self, row: NDArray[np.int64]) -> int:
        inputs = self._inputs(row)
        return int(inputs[inputs < self.head.transforms.size].max(initial=-1))

    def _draw_simplex(self, row: NDArray[np.int64]) -> None:
        k, inputs = int(row[N_OUTPUTS]), self._inputs(row)
        alpha = self.values[0, inputs[k - 1 :]]
        gammas = np.maximum(self.rng.standard_gamma(alpha, (len(self.values), k)), 1e-300)
        self.values[:, row[OUTPUTS] : row[OUTPUTS] + k] = gammas / gammas.sum(axis=1, keepdims=True)
        simplexes_to_positions(self.head, self.values)


def simplexes_to_positions(head: Head, values: FloatArray) -> None:
    """Overwrite the unconstrained numbers of all simplexes that are known; `values` is (draws, n_values)."""
    for row in head.nodes.rows[head.nodes.rows[:, OP] == SIMPLEX]:
        k = int(row[N_OUTPUTS])
        first = int(head.nodes.inputs[row[INPUTS]])
        for draw in values:
            x = np.ascontiguousarray(draw[row[OUTPUTS] : row[OUTPUTS] + k])
            if np.isfinite(x).all():
                simplex_unconstrain(x, draw[first : first + k - 1])


def fill_rows(head: Head, values: FloatArray, which: slice = slice(None)) -> None:
    """Run some nodes of a head for all draws of `values` (draws, n_values), in place."""
    some = head._replace(nodes=head.nodes._replace(rows=np.ascontiguousarray(head.nodes.rows[which])))
    if some.nodes.rows.size:
        _compiled_fill()(some.nodes, derived_of(some), values)


@functools.cache
def _compiled_fill() -> Callable[..., None]:
    return kernel_with_signature(_fill, types.void(NODES, DERIVED, MATRIX))


def _fill(nodes: Any, derived: Any, values: Any) -> None:
    for draw in range(values.shape[0]):
        fill_derived(nodes, derived, values[draw])
