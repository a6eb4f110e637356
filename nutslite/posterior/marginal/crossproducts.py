"""Reduce a Gaussian model to cross-products: one pass over the data, after which nothing depends on the rows.

`reduce_gaussian` says why a model cannot be reduced, or returns what `marginal.marginal_logdensity` reads together with
what `recovery` needs to draw the integrated parameters exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.assembly.coded_columns import each_common_column
from nutslite.posterior.marginal import marginal as mg
from nutslite.posterior.marginal.level_classes import class_cross_products, equal_classes
from nutslite.posterior.marginal.marginal import MarginalData
from nutslite.posterior.marginal.prices import Sizes, cheapest, pairs_of_columns, too_dear
from nutslite.posterior.marginal.reduction import Reduction, integrated_positions, why_not_reducible
from nutslite.posterior.marginal.residuals import Residuals
from nutslite.posterior.products.level_sums import (
    Column,
    LevelDesign,
    between,
    dense_products,
    own_products,
    pair_products,
)
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.head import Head
from nutslite.posterior.record.model_data import ModelData
from nutslite.posterior.record.node_table import level_factor_inputs, moved_nodes
from nutslite.priors.densities.codes import FLAT

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

WIDEST_ELIMINATED = 64  # columns of one level, such as the weights of smooths, where there is no grouping factor
NO_LEVELS = LevelDesign(np.empty(0, dtype=np.int32), 0, 0, {})  # of the eliminated factor where there is none


def reduce_gaussian(assembled: Assembled) -> Reduction | str:
    """Reduce a model, or say why not."""
    reason = why_not_reducible(assembled)
    if reason is not None:
        return reason
    return _Reducer(assembled.data).run()


class _Reducer:
    """Columns are ordered: rest = [intercept, common columns, effects of all factors but the eliminated one]."""

    def __init__(self, model: ModelData) -> None:
        self.model = model
        self.n = model.y.shape[1]
        self.weights = model.weights if model.weights.size else None
        self.integrated = integrated_positions(model)
        self.n_common = self.integrated.size
        n_head = model.head.transforms.size
        self.kept = np.delete(np.arange(n_head), self.integrated)
        factors = sorted({int(block[md.FACTOR]) for block in model.blocks}, key=self._worth_eliminating)
        self.eliminated = factors[-1] if factors and self._is_eliminated(factors[-1]) else -1
        self.others = [factor for factor in factors if factor != self.eliminated]

    def _size(self, factor: int) -> int:
        return max(int(b[md.N_LEVELS] * b[md.EFFECT_STRIDE]) for b in self.model.blocks if b[md.FACTOR] == factor)

    def _worth_eliminating(self, factor: int) -> tuple[bool, bool, int]:
        """Its size; what has one level, such as the weights of smooths, is a part of the rest wherever it can be.

        A factor whose levels' standard deviations are explained cannot be.
        """
        block = self._blocks(factor)[0]
        return bool(block[md.LEVEL_FACTORS] >= 0), bool(block[md.N_LEVELS] > 1), self._size(factor)

    def _is_eliminated(self, factor: int) -> bool:
        """Whether one of the best worth is: hundreds of columns of one level would not go level by level at all."""
        return self._worth_eliminating(factor)[1] or self._size(factor) <= WIDEST_ELIMINATED

    def _blocks(self, factor: int) -> list[IndexArray]:
        return [block for block in self.model.blocks if block[md.FACTOR] == factor]

    def _first_effect(self, factor: int) -> int:
        return min(int(block[md.EFFECT_START]) for block in self._blocks(factor))

    def _location(self, block: IndexArray, column: int) -> float:
        row = self.model.block_columns[block[md.COLUMN_TABLE] + column]
        return float(self.model.head.fixed[row[md.ARGUMENTS] - self.model.head.transforms.size])

    def run(self) -> Reduction | str:
        model = self.model
        if any(block[md.LEVEL_FACTORS] >= 0 for factor in self.others for block in self._blocks(factor)):
            return "standard deviations of effects of several factors are explained"
        own = self._level_design(self.eliminated) if self.eliminated >= 0 else NO_LEVELS
        gram = own_products(own, self.weights)
        explained = self._predictors_of_sds()
        classes, level_class = equal_classes(gram, explained)
        sizes = self._sizes(own, classes.size, explained.size > 0)
        way = cheapest(sizes)
        if way == "joint":
            return too_dear(sizes)
        residuals = self._residuals()
        shift = residuals.shift
        designs = [self._level_design(factor) for factor in self.others]
        common = each_common_column(model, 0) if model.blocks.size else [np.empty(0)] * self.n_common
        dense = [*[np.broadcast_to(1.0, self.n)] * (self.n_common - len(common)), *common, residuals]
        cross = self._cross(dense, designs, residuals.products)
        level_cross = self._level_products(own, dense, designs)
        q = gram.shape[1]
        if way == "large":
            classes, level_class = classes[:0], level_class[:0]
        precision, log_constant = self._prior(shift)
        blocks, scales = self._block_table()
        data = MarginalData(
            head=self._kept_head(),
            sigma=self._sigma(),
            total_weight=float(self.n if self.weights is None else self.weights.sum()),
            log_prior_constant=log_constant,
            cross=cross,
            precision=precision,
            blocks=blocks,
            scales=scales,
            eliminated=q,
            class_counts=np.bincount(level_class, minlength=classes.size).astype(float),
            class_gram=np.ascontiguousarray(gram[classes].reshape(-1, q)) if q else np.empty((0, 0)),
            class_cross=class_cross_products(level_cross, level_class, classes.size),
            class_sizes=self._class_sizes(classes),
        )
        targets, shifts = self._rest_targets(shift)
        level_targets, level_shift = self._level_targets()
        return Reduction(
            data=data,
            kept=self.kept,
            rest_targets=targets,
            shift=shifts,
            level_cross=level_cross,
            level_class=level_class,
            level_counts=gram[:, 0, 0].copy() if way == "large" and q else np.empty(0),
            large=way == "large",
            level_targets=level_targets,
            level_shift=level_shift,
            n_values=model.head.transforms.size + model.head.fixed.size,
            n_effects=model.centring.size,
        )

    def _predictors_of_sds(self) -> FloatArray:
        """What the standard deviations of the eliminated factor's levels depend on, (levels, K); else (0, 0)."""
        first = self._first_factor()
        if first < 0:
            return np.empty((0, 0))
        places = level_factor_inputs(self.model.head.nodes, first)[1]
        return self.model.head.fixed[places.T - self.model.head.transforms.size]

    def _first_factor(self) -> int:
        """Where in `values` the factors of the eliminated levels' standard deviations begin; -1: there are none."""
        return -1 if self.eliminated < 0 else int(self._blocks(self.eliminated)[0][md.LEVEL_FACTORS])

    def _class_sizes(self, classes: IndexArray) -> IndexArray:
        """`MarginalData.class_sizes` of classes with these levels."""
        first = self._first_factor()
        return np.array([self._new_index(first + int(level)) for level in classes if first >= 0], dtype=np.int64)

    def _sizes(self, own: LevelDesign, classes: int, explained: bool) -> Sizes:
        """What the prices of the ways depend on; `own` is the design of the eliminated factor."""
        rest = self.n_common + sum(self._size(factor) for factor in self.others)
        others = sum(self._stride(factor) for factor in self.others)
        per_level = own.counts()
        return Sizes(
            rows=self.n,
            common=self.n_common,
            effects_per_row=others + own.stride,
            rest=rest,
            levels=own.n_levels,
            width=own.stride,
            classes=classes,
            pairs=pairs_of_columns(per_level, self.n_common, others, rest),
            intercept_only=own.stride == 1 and own.columns[0] is None and not explained,
        )

    def _residuals(self) -> Residuals:
        """The response less offset, locations and least squares, and their cross-products."""
        locations = []
        for block in self.model.blocks:
            for c in range(block[md.N_COLUMNS]):
                location = self._location(block, c)
                if location != 0.0:
                    z_row = self.model.block_columns[block[md.COLUMN_TABLE] + c, md.Z_ROW]
                    locations.append((location, None if z_row < 0 else self.model.z[z_row]))
        return Residuals(self.model, self.n_common, locations)

    def _level_design(self, factor: int) -> LevelDesign:
        """One factor's effects, in their order."""
        first, columns = self._first_effect(factor), {}
        for block in self._blocks(factor):
            for c in range(block[md.N_COLUMNS]):
                z_row = self.model.block_columns[block[md.COLUMN_TABLE] + c, md.Z_ROW]
                columns[int(block[md.EFFECT_START]) - first + c] = None if z_row < 0 else self.model.z[z_row]
        stride = self._stride(factor)
        return LevelDesign(self.model.levels[factor], self._size(factor) // stride, stride, columns)

    def _cross(self, dense: Sequence[Column], designs: list[LevelDesign], products: FloatArray) -> FloatArray:
        """[rest, y]' W [rest, y], dense, from that of the common columns."""
        p, m = self.n_common, sum(design.size for design in designs)
        out = np.empty((p + m + 1, p + m + 1))
        outer = np.r_[0:p, p + m]
        out[np.ix_(outer, outer)] = products
        if m:
            mixed = np.concatenate([dense_products(design, dense, self.weights) for design in designs])
            out[np.ix_(np.arange(p, p + m), outer)] = mixed
            out[np.ix_(outer, np.arange(p, p + m))] = mixed.T
            out[p : p + m, p : p + m] = between(designs, self.weights)
        return out

    def _level_products(self, own: LevelDesign, dense: Sequence[Column], designs: list[LevelDesign]) -> FloatArray:
        """Z'W[rest, y] of every level of the eliminated factor, shape (L, q, r + 1); `own` is its design."""
        p = at = self.n_common
        r = p + sum(design.size for design in designs)
        if not own.size:
            return np.empty((0, 0, r + 1))
        out = np.empty((own.size, r + 1))
        products = dense_products(own, dense, self.weights)
        out[:, :p], out[:, r] = products[:, :p], products[:, p]
        for design in designs:
            out[:, at : at + design.size] = pair_products(own, design, self.weights)
            at += design.size
        return out.reshape(own.n_levels, own.stride, r + 1)

    def _prior(self, shift: FloatArray) -> tuple[FloatArray, float]:
        """Bordered prior precision of the rest's common columns, means less `shift`, and its log constant."""
        head = self.model.head
        r = self.n_common + sum(self._size(factor) for factor in self.others)
        precision = np.zeros((r + 1, r + 1))
        where = {int(position): column for column, position in enumerate(self.integrated)}
        log_constant = 0.0
        fixed = head.fixed
        n_head = head.transforms.size
        for column, position in enumerate(self.integrated):
            if head.densities[position] == FLAT:
                # Integrating a flat direction leaves a factor (2 pi)^(1/2).
                log_constant += 0.5 * np.log(2.0 * np.pi)
                continue
            mean, sd = fixed[head.arguments[position, :2] - n_head]
            direction = np.zeros(r + 1)  # the prior is about direction' b - mean
            direction[column] = 1.0
            for s in range(head.shift_start[position], head.shift_start[position + 1]):
                direction[where[int(head.shift_index[s])]] -= head.shift_weight[s]
            direction[r] = mean - direction[: self.n_common] @ shift
            precision += np.outer(direction, direction) / sd**2
            log_constant -= np.log(sd)
        return precision, float(log_constant)

    def _kept_head(self) -> Head:
        head = self.model.head
        n_head, n_kept = head.transforms.size, self.kept.size
        index = np.full(n_head + head.fixed.size, -1, dtype=np.int64)
        index[self.kept] = np.arange(n_kept)
        index[n_head:] = n_kept + np.arange(head.fixed.size)
        return Head(
            transforms=head.transforms[self.kept],
            bounds=np.ascontiguousarray(head.bounds[:, self.kept]),
            densities=head.densities[self.kept],
            arguments=np.ascontiguousarray(index[head.arguments[self.kept]].reshape(-1, 4)),
            fixed=head.fixed,
            shift_start=np.zeros(n_kept + 1, dtype=np.int64),
            shift_index=np.empty(0, dtype=np.int64),
            shift_weight=np.empty(0),
            nodes=moved_nodes(head.nodes, index),
        )

    def _new_index(self, reference: int) -> int:
        """Index into the remaining `values` of an index into the joint ones."""
        n_head = self.model.head.transforms.size
        if reference >= n_head:
            return self.kept.size + reference - n_head
        return int(np.searchsorted(self.kept, reference))

    def _sigma(self) -> int:
        return self._new_index(int(self.model.predictors[1, md.CONSTANT]))

    def _block_table(self) -> tuple[IndexArray, IndexArray]:
        """`MarginalData.blocks` and `.scales`."""
        starts = {}
        at = self.n_common
        for factor in self.others:
            starts[factor] = at
            at += self._size(factor)
        rows: list[IndexArray] = []
        scales: list[int] = []
        for factor in [*self.others, *([self.eliminated] if self.eliminated >= 0 else [])]:
            for block in self._blocks(factor):
                table = int(block[md.COLUMN_TABLE])
                own = self.model.block_columns[table : table + block[md.N_COLUMNS], md.ARGUMENTS + 1]
                own = np.array([self._new_index(int(scale)) for scale in own])
                row = np.zeros(mg.BLOCK_FIELDS, dtype=np.int64)
                row[mg.REST_START] = starts.get(factor, -1)
                row[mg.LEVELS], row[mg.COLUMNS] = block[md.N_LEVELS], block[md.N_COLUMNS]
                row[mg.STRIDE] = block[md.EFFECT_STRIDE]
                row[mg.COLUMN_OFFSET] = block[md.EFFECT_START] - self._first_effect(factor)
                row[mg.CORRELATION] = -1
                if block[md.CORRELATION] >= 0:
                    row[mg.CORRELATION] = self._new_index(int(block[md.CORRELATION]))
                    row[mg.LKJ_ETA] = self._new_index(int(block[md.LKJ_ETA]))
                parts = _as_levels(row, own) if factor in starts and block[md.N_LEVELS] == 1 else [(row, own)]
                for part, used in parts:
                    part[mg.SCALES] = len(scales)
                    rows.append(part)
                    scales += used.tolist()
        return np.array(rows, dtype=np.int64).reshape(-1, mg.BLOCK_FIELDS), np.array(scales, dtype=np.int64)

    def _rest_targets(self, shift: FloatArray) -> tuple[IndexArray, FloatArray]:
        targets = [*self.integrated]
        shifts = [*shift]
        for factor in self.others:
            first = self._first_effect(factor)
            targets.extend(-1 - first - np.arange(self._size(factor)))
            shifts.extend(np.tile(self._locations(factor), self._size(factor) // self._stride(factor)))
        return np.array(targets, dtype=np.int64), np.array(shifts, dtype=float)

    def _stride(self, factor: int) -> int:
        return int(self._blocks(factor)[0][md.EFFECT_STRIDE])

    def _locations(self, factor: int) -> FloatArray:
        first = self._first_effect(factor)
        out = np.zeros(self._stride(factor))
        for block in self._blocks(factor):
            for c in range(block[md.N_COLUMNS]):
                out[block[md.EFFECT_START] - first + c] = self._location(block, c)
        return out

    def _level_targets(self) -> tuple[IndexArray, FloatArray]:
        if self.eliminated < 0:
            return np.empty((0, 0), dtype=np.int64), np.empty(0)
        q = self._stride(self.eliminated)
        n_levels = self._size(self.eliminated) // q
        targets = self._first_effect(self.eliminated) + np.arange(n_levels * q).reshape(n_levels, q)
        return targets, self._locations(self.eliminated)


def _as_levels(row: IndexArray, scales: IndexArray) -> list[tuple[IndexArray, IndexArray]]:
    """Independent columns of one level, those of one scale together, as levels of one column, which cost less."""
    if row[mg.CORRELATION] >= 0:
        return [(row, scales)]
    edges = [0, *(np.flatnonzero(np.diff(scales)) + 1).tolist(), scales.size]
    out = []
    for first, last in pairwise(edges):
        part = row.copy()
        part[[mg.LEVELS, mg.COLUMNS, mg.STRIDE]] = last - first, 1, 1
        part[mg.REST_START] += row[mg.COLUMN_OFFSET] + first
        part[mg.COLUMN_OFFSET] = 0
        out.append((part, scales[first : first + 1]))
    return out
