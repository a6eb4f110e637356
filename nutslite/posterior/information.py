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
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import VECTOR, kernel, kernel_with_signature
from nutslite.posterior import model_data as md
from nutslite.posterior.effects import fill_effects, keeps_correlation_in_prior, location_and_scale, spread_of, unit_of
from nutslite.posterior.head import HEAD, Head, add_head_priors, constrain_head, pull_back_head
from nutslite.posterior.head_design import HeadDesign, HeadDesigns, add_products
from nutslite.posterior.linalg import invert_lower
from nutslite.posterior.model_data import ModelData
from nutslite.posterior.row_information import row_information
from nutslite.posterior.transforms import cholesky_constrain
from nutslite.priors.densities import DENSITY

if TYPE_CHECKING:
    from scipy import sparse

FloatArray = NDArray[np.float64]

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
    return kernel_with_signature(_head_prior_gradient, types.void(VECTOR, HEAD, DENSITY, VECTOR))


def _head_prior_gradient(position: Any, head: Any, density: Any, gradient: Any) -> None:
    values = np.empty(head.transforms.shape[0] + head.fixed.shape[0])
    adjoint = np.zeros(values.shape[0])
    constrain_head(position, head, values)
    add_head_priors(head, density, values, adjoint, np.empty(5))
    pull_back_head(position, head, adjoint, gradient)


def head_prior_information(head: Head, density: Callable[..., float], position: FloatArray) -> FloatArray:
    """Negative Hessian of the head's log prior (log-Jacobians included) by central differences of its gradient."""
    n_head = head.transforms.size
    prior_gradient = _compiled_head_prior_gradient()
    out = np.empty((n_head, n_head))
    upper, lower = np.empty(n_head), np.empty(n_head)
    for i in range(n_head):
        point = position[:n_head].copy()
        point[i] += HEAD_STEP
        prior_gradient(point, head, density, upper)
        point[i] -= 2.0 * HEAD_STEP
        prior_gradient(point, head, density, lower)
        out[i] = (lower - upper) / (2.0 * HEAD_STEP)
    return 0.5 * (out + out.T)


@kernel
def _fill_effect_maps(model: ModelData, position, values, block, to_effect, precision):
    """Per level: `to_effect` (q, q), d effect / d raw, and `precision` (q, q), prior precision of the raw effects."""
    q = block[md.N_COLUMNS]
    cholesky = np.zeros((q, q))
    scales, spreads, units = np.empty(q), np.empty(q), np.empty(q)
    for c in range(q):
        cholesky[c, c] = 1.0
    if block[md.CORRELATION] >= 0:
        first = block[md.CORRELATION]
        cholesky_constrain(position[first : first + q * (q - 1) // 2], cholesky)
    inverse = np.zeros((q, q))
    invert_lower(cholesky, q, inverse)
    standard = np.empty((q, q))  # z = standard raw, standard normal
    for level in range(block[md.N_LEVELS]):
        start = block[md.EFFECT_START] + level * block[md.EFFECT_STRIDE]
        in_prior = keeps_correlation_in_prior(model, block, level)
        for c in range(q):
            _, scale = location_and_scale(model, block, c, values)
            r, typical = model.centring[start + c], model.typical_scales[block[md.COLUMN_TABLE] + c]
            scales[c], spreads[c] = scale, spread_of(r, scale / typical)
            units[c] = unit_of(r, scale, typical)
        for c in range(q):
            for e in range(q):
                if in_prior:
                    to_effect[level, c, e] = units[c] if c == e else 0.0
                    standard[c, e] = inverse[c, e] / spreads[e]
                else:
                    to_effect[level, c, e] = scales[c] * cholesky[c, e] / spreads[e]
                    standard[c, e] = 1.0 / spreads[c] if c == e else 0.0
        for c in range(q):
            for e in range(q):
                precision[level, c, e] = 0.0
                for f in range(q):
                    precision[level, c, e] += standard[f, c] * standard[f, e]


def _positive_part(rows: FloatArray) -> FloatArray:
    """Symmetric matrices (k, k, n) without their negative eigenvalues."""
    if rows.shape[0] == 1:
        return np.maximum(rows, 0.0)
    eigenvalues, vectors = np.linalg.eigh(np.moveaxis(rows, 2, 0))
    positive = np.einsum("nab,nb,ncb->acn", vectors, np.maximum(eigenvalues, 0.0), vectors)
    return np.ascontiguousarray(positive)


class InformationBuilder:
    """Information of one model; what does not depend on the position is prepared once."""

    def __init__(self, model: ModelData, density: Callable[..., float], loglik: Callable[..., Any]) -> None:
        self.model, self.density, self.loglik = model, density, loglik
        self.n = model.y.shape[1]
        self.n_head = model.head.transforms.size
        self.dimension = self.n_head + model.centring.size
        factors = {int(block[md.FACTOR]) for block in model.blocks}
        last = max((int(b[md.EFFECT_START]), int(b[md.FACTOR])) for b in model.blocks)[1] if factors else -1
        own = [block for block in model.blocks if block[md.FACTOR] == last]
        self.q = int(own[0][md.EFFECT_STRIDE]) if own else 0
        self.levels = int(own[0][md.N_LEVELS]) if own else 0
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

    def __call__(self, position: FloatArray, convex: bool = False) -> Information | None:
        """Information at a position; None where it is not finite.

        With `convex` each row counts with the positive part of its information only: heavy-tailed families have
        outliers whose log likelihood is not concave, and together they can outweigh the rest away from the mode.
        """
        values, effects = self.natural(position)
        rows = row_information(self.model, self.loglik, values, effects)
        if not np.isfinite(rows).all():
            return None
        if convex:
            rows = _positive_part(rows)
        head_design = [self.head_designs(j, position, values) for j in range(rows.shape[0])]
        if not self.levels:
            return self._without_effects(rows, head_design, position)
        effect_design = [self._effect_design(j) for j in range(rows.shape[0])]
        total = self._likelihood(rows, head_design, effect_design)
        level_information = self._level_information(total)
        maps, precisions = self._effect_maps(position, values)
        total = (maps.T @ total @ maps + precisions).tocsr()
        border = total[: self.m, : self.m].toarray()
        border[: self.n_head, : self.n_head] += head_prior_information(self.model.head, self.density, position)
        return Information(
            border=0.5 * (border + border.T),
            coupling=total[self.m :, : self.m].toarray(),
            blocks=self._diagonal_blocks(total),
            level_information=level_information,
        )

    def _without_effects(self, rows: FloatArray, designs: list[HeadDesign], position: FloatArray) -> Information:
        border = head_prior_information(self.model.head, self.density, position)
        for j, h in product(range(rows.shape[0]), repeat=2):
            add_products(designs[j], designs[h], np.ascontiguousarray(rows[j, h]), border)
        return Information(0.5 * (border + border.T), np.empty((0, self.m)), np.empty((0, 0, 0)), ())

    def _effect_design(self, j: int) -> sparse.csr_matrix | None:
        """d eta_j / d effects, sparse (n, n_effects); None without group terms."""
        from scipy import sparse  # here and below: models without group effects do without it

        model = self.model
        rows, columns, data = [], [], []
        for block in model.blocks:
            if block[md.PREDICTOR] != j:
                continue
            level = model.levels[block[md.FACTOR]].astype(np.int64)
            for c in range(block[md.N_COLUMNS]):
                z_row = model.block_columns[block[md.COLUMN_TABLE] + c, md.Z_ROW]
                rows.append(np.arange(self.n))
                columns.append(block[md.EFFECT_START] + level * block[md.EFFECT_STRIDE] + c)
                data.append(np.ones(self.n) if z_row < 0 else model.z[z_row])
        if not rows:
            return None
        places = (np.concatenate(rows), np.concatenate(columns))
        return sparse.csr_matrix((np.concatenate(data), places), shape=(self.n, model.centring.size))

    def _likelihood(
        self,
        rows: FloatArray,
        designs: list[HeadDesign],
        effect: list[sparse.csr_matrix | None],
    ) -> sparse.csr_matrix:
        """Sum over rows and pairs of parameters of design' W design, in terms of head and (natural) effects."""
        from scipy import sparse

        size, n_head = self.dimension, self.n_head
        head = np.zeros((n_head, n_head))
        mixed = np.zeros((size - n_head, n_head))
        effects = sparse.csr_matrix((size - n_head, size - n_head))
        for j in range(rows.shape[0]):
            for h in range(rows.shape[0]):
                w = rows[j, h]
                if not w.any():
                    continue
                add_products(designs[j], designs[h], np.ascontiguousarray(w), head)
                e_j, e_h = effect[j], effect[h]
                if e_j is not None:
                    mixed[:, designs[h].places] += e_j.T @ (designs[h].dense * w).T
                    for coded in designs[h].coded:
                        shape = (self.n, coded.table.shape[1])
                        indicator = sparse.csr_matrix((w, coded.code, np.arange(self.n + 1)), shape=shape)
                        mixed[:, coded.places] += (e_j.T @ indicator) @ coded.table.T
                    if e_h is not None:
                        effects = effects + e_j.T @ e_h.multiply(w[:, None]).tocsr()
        blocks = [[sparse.csr_matrix(head), sparse.csr_matrix(mixed.T)], [sparse.csr_matrix(mixed), effects]]
        return sparse.bmat(blocks, format="csr")

    def _effect_maps(self, position: FloatArray, values: FloatArray) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """d (head, effects) / d position for the effects' part, and the raw effects' prior precision."""
        from scipy import sparse

        diagonal = np.arange(self.n_head)
        rows, columns = [diagonal], [diagonal]
        maps, precisions = [np.ones(self.n_head)], [np.zeros(self.n_head)]
        for block in self.model.blocks:
            levels, q = int(block[md.N_LEVELS]), int(block[md.N_COLUMNS])
            to_effect, precision = np.empty((levels, q, q)), np.empty((levels, q, q))
            _fill_effect_maps(self.model, position, values, block, to_effect, precision)
            first = self.n_head + block[md.EFFECT_START] + np.arange(levels) * block[md.EFFECT_STRIDE]
            at = first[:, None, None] + np.zeros((levels, q, q), dtype=np.int64)
            rows.append((at + np.arange(q)[:, None]).ravel())
            columns.append((at + np.arange(q)[None, :]).ravel())
            maps.append(to_effect.ravel())
            precisions.append(precision.ravel())
        places = (np.concatenate(rows), np.concatenate(columns))
        shape = (self.dimension, self.dimension)
        return (
            sparse.csr_matrix((np.concatenate(maps), places), shape=shape),
            sparse.csr_matrix((np.concatenate(precisions), places), shape=shape),
        )

    def _level_information(self, likelihood: sparse.csr_matrix) -> tuple[FloatArray, ...]:
        found = []
        for block in self.model.blocks:
            q = int(block[md.N_COLUMNS])
            first = self.n_head + block[md.EFFECT_START] + np.arange(block[md.N_LEVELS]) * block[md.EFFECT_STRIDE]
            if q == 1:
                found.append(likelihood.diagonal()[first].reshape(-1, 1, 1))
                continue
            places = first[:, None, None] + np.zeros((q, q), dtype=np.int64)
            rows, columns = places + np.arange(q)[:, None], places + np.arange(q)
            found.append(np.asarray(likelihood[rows.ravel(), columns.ravel()]).reshape(-1, q, q))
        return tuple(found)

    def _diagonal_blocks(self, total: sparse.csr_matrix) -> FloatArray:
        out = np.zeros((self.levels, self.q, self.q))
        if self.levels:
            tail = total[self.m :, self.m :].tocoo()
            level, c = np.divmod(tail.row, self.q)
            other, d = np.divmod(tail.col, self.q)
            inside = level == other
            np.add.at(out, (level[inside], c[inside], d[inside]), tail.data[inside])
        return out
