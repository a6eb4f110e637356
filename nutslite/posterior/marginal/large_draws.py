"""Draws of what was integrated out of a large marginal density, without a factorisation for each.

Given the scales theta, the rest is normal with the precision S(theta). One factor, S_0 = U'U at the centre, makes
A(theta) = U'^-1 S(theta) U^-1, whose eigenvalues are about one, and U^-1 A^-1/2 z has the covariance S(theta)^-1. The
inverse square root is applied by Lanczos' method (Chow and Saad 2014, Preconditioned Krylov subspace methods for
sampling multivariate Gaussian distributions, doi:10.1137/130920587), for many draws at once, each with its own theta;
a handful of products with sparse matrices does, as exactly as a factorisation would.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types
from numpy.typing import NDArray
from scipy import linalg, sparse

from nutslite._numba import MATRIX, VECTOR, kernel_with_signature
from nutslite.posterior.marginal.marginal import (
    COLUMN_OFFSET,
    COLUMNS,
    LEVELS,
    MARGINAL_TYPE,
    REST_START,
    SCALES,
    STRIDE,
)
from nutslite.posterior.nodes.program import fill_derived
from nutslite.posterior.record.head import constrain_head

if TYPE_CHECKING:
    from nutslite.posterior.marginal.large_marginal import LargeMarginal

FloatArray = NDArray[np.float64]

MOST_STEPS = 60  # of Lanczos' method; a dozen do near the centre
RELATIVE_ERROR = 1e-6  # of a draw, beside its length


@functools.cache
def _compiled_conditionals() -> Callable[..., None]:
    return kernel_with_signature(_fill_conditionals, types.void(MATRIX, MARGINAL_TYPE, VECTOR, MATRIX, MATRIX, MATRIX))


def _fill_conditionals(
    positions: Any, data_and_priors: Any, counts: Any, values: Any, precisions: Any, variances: Any
) -> None:
    """Overwrite, a row for each position, natural values, prior precisions of the rest's effects, levels' variances.

    Effects of a level are independent given their scales. `counts` (L,) are the levels' z'Wz.
    """
    data, (derived, _) = data_and_priors
    for k in range(positions.shape[0]):
        constrain_head(positions[k], data.head, values[k])
        fill_derived(data.head.nodes, derived, values[k])
        t = 1.0 / (values[k, data.sigma] * values[k, data.sigma])
        eliminated = 0.0
        for i in range(precisions.shape[1]):
            precisions[k, i] = 0.0
        for b in range(data.blocks.shape[0]):
            block = data.blocks[b]
            for c in range(block[COLUMNS]):
                scale = values[k, data.scales[block[SCALES] + c]]
                precision = 1.0 / (scale * scale)
                if block[REST_START] < 0:
                    eliminated += precision
                    continue
                first = block[REST_START] + block[COLUMN_OFFSET] + c
                for level in range(block[LEVELS]):
                    precisions[k, first + level * block[STRIDE]] += precision
        for level in range(counts.shape[0]):
            variances[k, level] = 1.0 / (t * counts[level] + eliminated)


class LargeDraws:
    """Draws at many positions of a large marginal density, one each.

    Parameters
    ----------
    density : LargeMarginal
        Whose group effects are independent within a level.
    center : ndarray (d,)
        Where the one factor is made.
    """

    def __init__(self, density: LargeMarginal, center: FloatArray) -> None:
        self.density = density
        given = density.evaluate(center)[1]
        if given is None:
            raise AssertionError("the centre of a proposal has a density")
        self.factor = given.factor
        r, data = self.factor.shape[0], density.reduction.data
        lower = sparse.csr_matrix(np.tril(data.cross[:r, :r]))
        self.gram = sparse.csr_matrix(lower + sparse.tril(lower, -1).T)
        below = sparse.csr_matrix(np.tril(data.precision[:r, :r]))
        self.prior = sparse.csr_matrix(below + sparse.tril(below, -1).T)
        self.cross = sparse.csr_matrix(density.cross[:, :r])
        self.across = sparse.csr_matrix(self.cross.T)

    def draw(self, positions: FloatArray, means: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Joint values and effects, one of each position (n, d), whose means of the rest are (n, r)."""
        n, r = means.shape
        reduction = self.density.reduction
        values = np.empty((n, reduction.kept.size + reduction.data.head.fixed.size))
        precisions, variances = np.empty((n, r)), np.empty((n, self.density.counts.size))
        _compiled_conditionals()(
            np.ascontiguousarray(positions), self.density.data, self.density.counts, values, precisions, variances
        )
        t = values[:, reduction.data.sigma] ** -2
        weights = np.ascontiguousarray((t[:, None] ** 2 * variances).T)
        added = np.ascontiguousarray(precisions.T)

        def product(x: FloatArray) -> FloatArray:
            """A(theta) x, column by column."""
            y = linalg.solve_triangular(self.factor, x, check_finite=False)
            out = t * (self.gram @ y) + self.prior @ y + added * y
            if weights.size:
                out -= self.across @ (weights * (self.cross @ y))
            return np.asarray(linalg.solve_triangular(self.factor, out, trans="T", check_finite=False))

        noise = inverse_root(product, rng.standard_normal((r, n)))
        rest = means.T + linalg.solve_triangular(self.factor, noise, check_finite=False)
        return self.density.placed(values, rest, variances, rng)


def inverse_root(product: Callable[[FloatArray], FloatArray], x: FloatArray) -> FloatArray:
    """A^-1/2 x for columns (r, n) of `x`, each with a positive definite A of its own, by Lanczos' method.

    Parameters
    ----------
    product : callable
        ``product(x)``: A x, column by column.
    """
    r, n = x.shape
    length = np.linalg.norm(x, axis=0)
    basis = [x / length]
    live = np.ones(n, dtype=bool)  # columns whose products still lead to new directions
    diagonal: list[FloatArray] = []
    beside: list[FloatArray] = []
    before = np.zeros((n, 0))
    for step in range(min(MOST_STEPS, r)):
        new = product(basis[-1])
        diagonal.append(np.where(live, np.einsum("rn,rn->n", new, basis[-1]), 1.0))
        for vector in basis:  # all of them: rounding would let the first ones come back
            new -= vector * np.einsum("rn,rn->n", new, vector)
        tridiagonal = np.zeros((n, step + 1, step + 1))
        for i, each in enumerate(diagonal):
            tridiagonal[:, i, i] = each
        for i, each in enumerate(beside):
            tridiagonal[:, i, i + 1] = tridiagonal[:, i + 1, i] = each
        eigenvalues, vectors = np.linalg.eigh(tridiagonal)
        weights = np.einsum("nij,nj,nj->ni", vectors, eigenvalues**-0.5, vectors[:, 0, :])
        change = weights.copy()
        change[:, :-1] -= before
        before = weights
        relative = np.linalg.norm(change, axis=1) / np.linalg.norm(weights, axis=1)
        size = np.linalg.norm(new, axis=0)
        live = live & (size > RELATIVE_ERROR * diagonal[0])
        if relative.max() < RELATIVE_ERROR or not live.any():
            break
        beside.append(np.where(live, size, 0.0))
        basis.append(np.where(live, new / np.where(live, size, 1.0), 0.0))
    return np.asarray(length * sum(weights[:, i] * vector for i, vector in enumerate(basis[: weights.shape[1]])))
