"""The marginal density of a Gaussian model whose rest is large (two crossed factors of thousands of levels).

The same integral as `marginal`, but one evaluation costs a factorisation of a matrix of order thousands. So it is made
by LAPACK, without derivatives, and its factor serves at once to draw the integrated coefficients and effects. The
largest factor, if there is one, must have an intercept only: its elimination is then a rank-one update per level, on
the few columns that occur together with that level.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray
from scipy import linalg, sparse

from nutslite._numba import INDEX_VECTOR, MATRIX, VECTOR, kernel_with_signature
from nutslite.posterior.marginal.folding import folded
from nutslite.posterior.marginal.marginal import CORRELATION, LOG_2PI, MARGINAL_TYPE, fill_system, widest
from nutslite.posterior.marginal.reduction import Reduction
from nutslite.posterior.nodes.program import fill_derived, with_derived
from nutslite.posterior.record.head import add_head_priors, constrain_head
from nutslite.priors.densities.densities import density_at
from nutslite.sampler.transition.reference import by_reference

FloatArray = NDArray[np.float64]


@functools.cache
def _compiled_assemble() -> Callable[..., float]:
    signature = types.float64(VECTOR, MARGINAL_TYPE, INDEX_VECTOR, INDEX_VECTOR, VECTOR, VECTOR, VECTOR, MATRIX, VECTOR)
    return kernel_with_signature(_assemble, signature)


def _assemble(
    position: Any,
    data_and_priors: Any,
    starts: Any,
    columns: Any,
    cross: Any,
    counts: Any,
    values: Any,
    schur: Any,
    inverses: Any,
) -> float:
    """Overwrite `values`, the lower triangle of `schur` (r + 1, r + 1) and `inverses` (L,), the levels' variances.

    Row l of the sparse matrix (starts, columns, cross) is z_l' W [rest, y]; `counts` (L,) are z_l' W z_l. Returns all
    of the log density but what depends on the factor of `schur`.
    """
    record, (derived, address) = data_and_priors
    data, head = by_reference(record), record.head
    density = density_at(address)
    total = constrain_head(position, head, values)
    total += fill_derived(head.nodes, derived, values)
    sigma = values[data.sigma]
    t = 1.0 / (sigma * sigma)
    group_precision = np.empty((1, 1))
    work = np.empty((2, widest(data), widest(data)))
    total += fill_system(position, data, values, t, schur, group_precision, work)
    for level in range(counts.shape[0]):
        variance = 1.0 / (t * counts[level] + group_precision[0, 0])
        inverses[level] = variance
        total += 0.5 * np.log(variance)
        factor = t * t * variance
        for a in range(starts[level], starts[level + 1]):
            row = schur[columns[a]]
            scaled = factor * cross[a]
            for b in range(starts[level], a + 1):  # columns of a row are sorted
                row[columns[b]] -= scaled * cross[b]
    adjoint = np.zeros(values.shape[0])
    total += add_head_priors(head, density, values, adjoint, np.empty(5))
    total += data.log_prior_constant - 0.5 * data.total_weight * (LOG_2PI + 2.0 * np.log(sigma))
    return float(total)


@dataclass
class Conditional:
    """What one evaluation leaves behind: the integrated parameters' distribution given the others.

    `factor` is the upper triangle U with U'U = S (what is below is not meaningful), `mean` is U'^-1 e.
    """

    values: FloatArray
    factor: FloatArray
    mean: FloatArray
    level_variances: FloatArray


class LargeMarginal:
    """Log density of the remaining parameters, and draws of the integrated ones at the last position.

    Parameters
    ----------
    reduction : Reduction
        One that is `large`.
    density : callable
        Prior densities (`priors.densities.density_function`).
    """

    def __init__(self, reduction: Reduction, density: Callable[..., float]) -> None:
        self.reduction = self._unfolded = reduction
        self.data = (reduction.data, with_derived(reduction.data.head, density))
        levels = reduction.level_counts.size  # none where all effects are those of one level
        self.cross = sparse.csr_matrix(reduction.level_cross.reshape(levels, -1) if levels else (0, 1))
        self.cross.sort_indices()
        self.starts = self.cross.indptr.astype(np.int64)
        self.columns = self.cross.indices.astype(np.int64)
        self.counts = np.ascontiguousarray(reduction.level_counts, dtype=float)
        self.schur = np.empty_like(reduction.data.cross)

    def __copy__(self) -> LargeMarginal:
        """One for another thread, with a matrix of its own to work in."""
        other = object.__new__(LargeMarginal)
        other.__dict__ = {**self.__dict__, "schur": np.empty_like(self.schur)}
        return other

    def fold(self, sizes: FloatArray) -> None:
        """Fold the scales that have a size, and no others: see `folding`."""
        self.reduction = folded(self._unfolded, sizes)
        self.data = (self.reduction.data, self.data[1])

    def evaluate(self, position: FloatArray) -> tuple[float, Conditional | None]:
        """Log density, and what is needed to draw given this position (None where it is not defined)."""
        r = self.schur.shape[0] - 1
        values = np.empty(self.reduction.kept.size + self.reduction.data.head.fixed.size)
        variances = np.empty(self.counts.size)
        total = _compiled_assemble()(
            np.ascontiguousarray(position),
            self.data,
            self.starts,
            self.columns,
            self.cross.data,
            self.counts,
            values,
            self.schur,
            variances,
        )
        if not np.isfinite(total):
            return -np.inf, None
        # The lower triangle of rows is LAPACK's upper triangle of columns: no transposed copy.
        factor, failed = linalg.lapack.dpotrf(self.schur[:r, :r].copy().T, lower=0, overwrite_a=1, clean=0)
        if failed:
            return -np.inf, None
        mean = linalg.solve_triangular(factor, self.schur[r, :r], trans="T", check_finite=False)
        rho = self.schur[r, r] - mean @ mean
        total += -np.log(np.diag(factor)).sum() - 0.5 * rho
        return float(total), Conditional(values, factor, mean, variances)

    @property
    def is_correlated(self) -> bool:
        """Whether effects of a level depend on each other, given their scales."""
        return bool((self.reduction.data.blocks[:, CORRELATION] >= 0).any())

    def mean(self, given: Conditional) -> FloatArray:
        """Mean (r,) of the rest."""
        return np.asarray(linalg.solve_triangular(given.factor, given.mean, check_finite=False))

    def standard_deviations(self, given: Conditional) -> FloatArray:
        """Conditional standard deviations (r,) of the rest."""
        inverse = linalg.solve_triangular(given.factor, np.eye(given.factor.shape[0]), check_finite=False)
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", inverse, inverse)))

    def draw(self, given: Conditional, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw `n` times from the integrated parameters' conditional: joint values and effects."""
        rest = linalg.solve_triangular(
            given.factor,
            given.mean[:, None] + rng.standard_normal((given.factor.shape[0], n)),
            check_finite=False,
        )
        return self.placed(np.tile(given.values, (n, 1)), rest, np.tile(given.level_variances, (n, 1)), rng)

    def placed(
        self, given: FloatArray, rest: FloatArray, level_variances: FloatArray, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Joint values and effects of draws whose rest is drawn; those of the eliminated factor are drawn here.

        Parameters
        ----------
        given : ndarray (n, kept values)
            What each draw is given.
        rest : ndarray (r, n)
        level_variances : ndarray (n, L)
            Of the eliminated factor's effects, given all else.
        """
        reduction, n = self.reduction, rest.shape[1]
        values, effects = np.empty((n, reduction.n_values)), np.empty((n, reduction.n_effects))
        n_kept = reduction.kept.size
        values[:, reduction.kept] = given[:, :n_kept]
        values[:, reduction.n_values - reduction.data.head.fixed.size :] = given[:, n_kept:]
        drawn = (rest + reduction.shift[:, None]).T
        common = reduction.rest_targets >= 0
        values[:, reduction.rest_targets[common]] = drawn[:, common]
        effects[:, -1 - reduction.rest_targets[~common]] = drawn[:, ~common]
        if self.counts.size:
            noise = rng.standard_normal((n, self.counts.size))
            t = given[:, reduction.data.sigma] ** -2
            response = np.concatenate([-rest, np.ones((1, n))])
            levels = t[:, None] * level_variances * (self.cross @ response).T + np.sqrt(level_variances) * noise
            effects[:, reduction.level_targets[:, 0]] = levels + reduction.level_shift[0]
        return values, effects
