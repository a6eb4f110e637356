"""The information (negative expected curvature) of a model's joint density at one position, in arrowhead form.

Rows of data couple the levels of one grouping factor with everything but each other. Ordering the position as [border,
levels of the largest factor] therefore makes the information block diagonal but for the border:

    H = [[A, B'], [B, D]]      A (m, m), B (levels * q, m), D levels blocks (q, q)

The likelihood's part is the sum over rows of design' W design, W the curvature of the pointwise log likelihood in eta,
taken by central differences of the family kernel's own derivative: no family needs to supply it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import VECTOR, kernel_with_signature
from nutslite.posterior.density.block_effects import effect_maps, places_of
from nutslite.posterior.density.effects import fill_effects
from nutslite.posterior.pilot.row_information import row_information
from nutslite.posterior.products.head_design import HeadDesign, HeadDesigns, add_products
from nutslite.posterior.products.level_sums import (
    LevelDesign,
    dense_products,
    level_products,
    own_products,
    pair_products,
)
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.head import HEAD, Head, add_head_priors, constrain_head, pull_back_head
from nutslite.posterior.record.model_data import ModelData
from nutslite.priors.densities.densities import density_address, density_at

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

HEAD_STEP = 1e-3


@dataclass(frozen=True)
class Information:
    """Arrowhead information matrix; `m` border coordinates come first in the position, then `levels` blocks of `q`."""

    border: FloatArray  # (m, m)
    coupling: FloatArray  # (levels * q, m)
    blocks: FloatArray  # (levels, q, q)
    level_information: tuple[FloatArray, ...]  # for each block of group terms (levels, q, q), the data's part alone


@functools.cache
def _compiled_head_prior_gradient() -> Callable[..., None]:
    return kernel_with_signature(_head_prior_gradient, types.void(VECTOR, HEAD, types.int64, VECTOR))


def _head_prior_gradient(position: Any, head: Any, address: Any, gradient: Any) -> None:
    values = np.empty(head.transforms.shape[0] + head.fixed.shape[0])
    adjoint = np.zeros(values.shape[0])
    constrain_head(position, head, values)
    add_head_priors(head, density_at(address), values, adjoint, np.empty(5))
    pull_back_head(position, head, adjoint, gradient)


def head_prior_information(head: Head, density: Callable[..., float], position: FloatArray) -> FloatArray:
    """Negative Hessian of the head's log prior (log-Jacobians included) by central differences of its gradient."""
    n_head = head.transforms.size
    prior_gradient, address = _compiled_head_prior_gradient(), density_address(density)
    out = np.empty((n_head, n_head))
    upper, lower = np.empty(n_head), np.empty(n_head)
    for i in range(n_head):
        point = position[:n_head].copy()
        point[i] += HEAD_STEP
        prior_gradient(point, head, address, upper)
        point[i] -= 2.0 * HEAD_STEP
        prior_gradient(point, head, address, lower)
        out[i] = (lower - upper) / (2.0 * HEAD_STEP)
    return 0.5 * (out + out.T)


def _positive_part(rows: FloatArray) -> FloatArray:
    """Symmetric matrices (k, k, n), overwritten, without their negative eigenvalues."""
    if rows.shape[0] == 1:
        return np.maximum(rows, 0.0, out=rows)
    eigenvalues, vectors = np.linalg.eigh(np.moveaxis(rows, 2, 0))
    positive = np.einsum("nab,nb,ncb->acn", vectors, np.maximum(eigenvalues, 0.0), vectors)
    return np.ascontiguousarray(positive)


class InformationBuilder:
    """Information of one model; what does not depend on the position is prepared once."""

    def __init__(
        self,
        model: ModelData,
        density: Callable[..., float],
        loglik: tuple[Any, ...],
        steps: FloatArray | None = None,
    ) -> None:
        self.model, self.density, self.loglik, self.steps = model, density, loglik, steps
        self.n_head = model.head.transforms.size
        self.dimension = self.n_head + model.centring.size
        self.blocks = [_block_design(model, block) for block in model.blocks]
        last = max(self.blocks, key=lambda own: int(own.block[md.EFFECT_START]), default=None)
        self.q = 0 if last is None else int(last.block[md.EFFECT_STRIDE])
        self.levels = 0 if last is None else last.n_levels
        self.m = self.dimension - self.q * self.levels
        self.head_designs = HeadDesigns(model)

    def natural(self, position: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Values and effects at a position."""
        values = np.empty(self.n_head + self.model.head.fixed.size)
        effects = np.empty(self.model.centring.size)
        constrain_head(position, self.model.head, values)
        if effects.size:
            fill_effects(self.model, position, values, effects)
        return values, effects

    def __call__(self, position: FloatArray, convex: bool = False, priors: bool = True) -> Information | None:
        """Information at a position; None where it is not finite.

        With `convex` each row counts with the positive part of its information only: heavy-tailed families have
        outliers whose log likelihood is not concave, and together they can outweigh the rest away from the mode.
        Without `priors` it is the data's part alone.
        """
        values, effects = self.natural(position)
        rows = row_information(self.model, self.loglik, values, effects, self.steps)
        if not np.isfinite(rows).all():
            return None
        if convex:
            rows = _positive_part(rows)
        designs = [self.head_designs(j, position, values) for j in range(rows.shape[0])]
        border = np.zeros((self.m, self.m))
        if priors:
            border[: self.n_head, : self.n_head] = head_prior_information(self.model.head, self.density, position)
        for j, h in product(range(rows.shape[0]), repeat=2):
            add_products(designs[j], designs[h], np.ascontiguousarray(rows[j, h]), border[: self.n_head, : self.n_head])
        out = Information(
            border=0.5 * (border + border.T),
            coupling=np.zeros((self.levels * self.q, self.m)),
            blocks=np.zeros((self.levels, self.q, self.q)),
            level_information=tuple(_level_information(own, rows) for own in self.blocks),
        )
        maps_and_priors = [effect_maps(self.model, own.block, position, values) for own in self.blocks]
        precisions = [precision if priors else np.zeros_like(precision) for _, precision in maps_and_priors]
        self._add_effects(out, rows, designs, [to_effect for to_effect, _ in maps_and_priors], precisions)
        return out

    def _add_effects(
        self,
        out: Information,
        rows: FloatArray,
        designs: list[HeadDesign],
        maps: list[FloatArray],
        precisions: list[FloatArray],
    ) -> None:
        """Add group effects, as raw numbers, with everything."""
        for a, left in enumerate(self.blocks):
            self._add_with_head(out, left, maps[a], rows, designs)
            level_sums = out.level_information[a]
            self._add_level_blocks(out, left, left, maps[a].swapaxes(1, 2) @ level_sums @ maps[a] + precisions[a])
            for b, right in enumerate(self.blocks[:a]):
                same = left.factor == right.factor
                sums = _block_products(level_products if same else pair_products, left, right, rows)
                if sums is None:
                    continue
                if same:
                    self._add_level_blocks(out, left, right, maps[a].swapaxes(1, 2) @ sums @ maps[b])
                else:
                    pairs = _mapped(sums, maps[a])
                    self._add_pairs(out, left.places.ravel(), right.places.ravel(), _mapped(pairs.T, maps[b]).T)

    def _add_with_head(
        self, out: Information, own: _BlockDesign, to_effect: FloatArray, rows: FloatArray, designs: list[HeadDesign]
    ) -> None:
        mixed = np.zeros((own.places.size, self.n_head))
        for (predictor, part), (j, design) in product(own.parts, enumerate(designs)):
            weights = rows[predictor, j]
            if not weights.any():
                continue
            if design.constant.size:
                sums = part.sums(weights)
                mixed[:, design.constant_places] += np.outer(sums, design.constant)
            mixed[:, design.places] += dense_products(part, design.dense, weights)
            for coded in design.coded:
                mixed[:, coded.places] += coded.level_sums(part, weights)
        self._add_pairs(out, own.places.ravel(), np.arange(self.n_head), _mapped(mixed, to_effect))

    def _add_level_blocks(self, out: Information, left: _BlockDesign, right: _BlockDesign, sums: FloatArray) -> None:
        """Add matrices (levels, columns of left, columns of right) of each level, and those mirrored."""
        rows, columns = left.places[:, :, None], right.places[:, None, :]
        if left.places[0, 0] < self.m:
            out.border[rows, columns] += sums
            if left is not right:
                out.border[columns, rows] += sums
            return
        c, d = int(left.places[0, 0]) - self.m, int(right.places[0, 0]) - self.m
        width, height = left.places.shape[1], right.places.shape[1]
        out.blocks[:, c : c + width, d : d + height] += sums
        if left is not right:
            out.blocks[:, d : d + height, c : c + width] += sums.swapaxes(1, 2)

    def _add_pairs(self, out: Information, rows: IndexArray, columns: IndexArray, sums: FloatArray) -> None:
        """Add products of two different parts of the position, of which not both are of the largest factor."""
        if not (rows.size and columns.size):  # a model without a head: all that is not effects is known
            return
        if rows[0] < self.m and columns[0] < self.m:
            out.border[np.ix_(rows, columns)] += sums
            out.border[np.ix_(columns, rows)] += sums.T
        elif rows[0] >= self.m:
            out.coupling[np.ix_(rows - self.m, columns)] += sums
        else:
            out.coupling[np.ix_(columns - self.m, rows)] += sums.T


@dataclass(frozen=True)
class _BlockDesign:
    """The design of one block of group terms, and where its effects are in the position."""

    block: IndexArray
    factor: int
    parts: tuple[tuple[int, LevelDesign], ...]  # for each predictor that reads columns of it the design of these
    n_levels: int
    places: IndexArray  # (levels, columns)


def _block_design(model: ModelData, block: IndexArray) -> _BlockDesign:
    q, levels = int(block[md.N_COLUMNS]), int(block[md.N_LEVELS])
    level = model.levels[block[md.FACTOR]]
    parts = []
    for part in md.parts_of(model, block):
        columns: dict[int, FloatArray | None] = {}
        for column in range(part[md.COLUMN_TABLE], part[md.COLUMN_TABLE] + part[md.N_COLUMNS]):
            z_row = model.block_columns[column, md.Z_ROW]
            columns[int(column - block[md.COLUMN_TABLE])] = None if z_row < 0 else model.z[z_row]
        parts.append((int(part[md.PREDICTOR]), LevelDesign(level, levels, q, columns)))
    places = model.head.transforms.size + places_of(block)
    return _BlockDesign(block, int(block[md.FACTOR]), tuple(parts), levels, places)


def _block_products(
    products: Callable[..., FloatArray], left: _BlockDesign, right: _BlockDesign, rows: FloatArray
) -> FloatArray | None:
    """`products` of two blocks, summed over the predictors that their columns are of; None where all weights are 0."""
    total: FloatArray | None = None
    for (j, one), (h, other) in product(left.parts, right.parts):
        if rows[j, h].any():
            sums = products(one, other, rows[j, h])
            total = sums if total is None else total + sums
    return total


def _level_information(own: _BlockDesign, rows: FloatArray) -> FloatArray:
    """What the data say of the effects of each level, (levels, q, q)."""
    if len(own.parts) == 1:
        ((j, design),) = own.parts
        return own_products(design, rows[j, j])
    sums = _block_products(level_products, own, own, rows)
    return np.zeros((own.n_levels, *(2 * own.places.shape[1:]))) if sums is None else sums


def _mapped(sums: FloatArray, to_effect: FloatArray) -> FloatArray:
    """Rows (levels * q, p) for effects as rows for raw effects: each level's times the transpose of its map."""
    levels, q, _ = to_effect.shape
    return np.asarray(to_effect.swapaxes(1, 2) @ sums.reshape(levels, q, -1)).reshape(levels * q, -1)
