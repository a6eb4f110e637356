"""The rows of a design by the kernels of the family that they are under."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nutslite.families.record.censoring import compiled_kernels, kernel_rows

if TYPE_CHECKING:
    from nutslite.families.record.family import Family
    from nutslite.formula.design import Design

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class KernelPart:
    """The rows of a design that are under one kernel."""

    rows: NDArray[np.int64] | None  # None: all
    kernel: Callable[..., None]
    y: FloatArray
    weights: FloatArray
    bound: Callable[..., None] | None = None  # of what it took to be seen
    ends: FloatArray = field(default_factory=lambda: np.empty((0, 0)))

    def fill(
        self,
        eta: FloatArray,
        varies: NDArray[np.int64],
        links: NDArray[np.int64],
        out: FloatArray,
        slopes: FloatArray | None = None,
    ) -> None:
        """Overwrite these rows of `out` (n,), given all predictors `eta` (k, n); constants stand in the first row.

        Derivatives overwrite those of `slopes` (k, n) where all predictors vary.
        """
        if self.rows is None:
            given = np.empty_like(eta) if slopes is None else slopes
            self.kernel(self.y, self.weights, 0, eta, varies, links, out, given)
            return
        own = np.ascontiguousarray(eta[:, self.rows])
        own[varies == 0, 0] = eta[varies == 0, 0]
        found, moved = np.empty(self.rows.size), np.empty_like(own)
        self.kernel(self.y, self.weights, 0, own, varies, links, found, moved)
        if self.bound is not None:
            whole, slopes_of_whole = np.empty(self.rows.size), np.empty_like(own)
            self.bound(self.ends, self.weights, 0, own, varies, links, whole, slopes_of_whole)
            found -= whole
            moved -= slopes_of_whole
        out[self.rows] = found
        if slopes is not None:
            slopes[:, self.rows] = moved


def parts_of(design: Design, family: Family, links: NDArray[np.int64]) -> list[KernelPart]:
    """The rows of a design by the kernels that they are under."""
    seen = kernel_rows(family, design.response)
    weights = np.empty(0) if design.weights is None else np.ascontiguousarray(design.weights, dtype=float)
    if seen.is_plain:
        return [KernelPart(None, compiled_kernels(family, links)[0], seen.y, weights)]
    bounds = np.zeros_like(seen.kernels) if seen.bounds is None else seen.bounds
    kernels = compiled_kernels(family, links, {*seen.kernels.tolist(), *bounds[bounds > 0].tolist()})
    parts = []
    for place, bound in np.unique(np.column_stack([seen.kernels, bounds]), axis=0):
        rows = np.flatnonzero((seen.kernels == place) & (bounds == bound))
        own = weights[rows] if weights.size else weights
        y, ends = (np.ascontiguousarray(part[:, rows]) for part in np.split(seen.y, [seen.bounds_start]))
        parts.append(KernelPart(rows, kernels[place], y, own, kernels[bound] if bound else None, ends))
    return parts
