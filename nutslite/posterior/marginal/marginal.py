"""Gaussian models with the coefficients and group effects integrated out: NUTS is left with a handful of parameters.

With y | b ~ N(A b, sigma^2 W^-1) and b ~ N(m, P^-1), P from fixed prior scales and from the hyperparameters,

    log p(y) = -W/2 log(2 pi sigma^2) + 1/2 log|P| - 1/2 log|S| - 1/2 rho + const,    S = A'WA / sigma^2 + P

where rho is the last pivot of S bordered by the right-hand side. The largest grouping factor is eliminated level by
level (blocks of q x q); levels with the same cross-product Z'WZ are one *class* and cost as much as one level, so
nothing here depends on the number of rows, and for balanced or intercept-only designs hardly on the number of levels.
What remains (other factors and common coefficients) is a dense matrix of order r.

The blocked elimination is that of mixed-model solvers (Bates, Maechler, Bolker and Walker 2015,
doi:10.18637/jss.v067.i01); the derivatives are the reverse pass, written by hand.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import INDEX_MATRIX, INDEX_VECTOR, MATRIX, VECTOR, inlined, kernel_with_signature, spliced
from nutslite.posterior.density.effects import add_lkj
from nutslite.posterior.density.linalg import cholesky_in_place, invert_lower
from nutslite.posterior.marginal.elimination import eliminate, pull_back_classes
from nutslite.posterior.nodes.program import PRIORS, fill_derived, pull_back_derived
from nutslite.posterior.record.head import HEAD, Head, add_head_priors, constrain_head, pull_back_head
from nutslite.priors.densities.densities import density_at
from nutslite.sampler.constraints.cholesky import cholesky_constrain, cholesky_pull_back
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.reference import by_reference

LOG_2PI = np.log(2.0 * math.pi)

# Columns of `MarginalData.blocks`, one row per group block.
REST_START = 0  # first column of its levels in the rest, or -1: the block belongs to the eliminated factor
LEVELS = 1
COLUMNS = 2
STRIDE = 3  # columns of all blocks of its factor
COLUMN_OFFSET = 4  # its first column among those
SCALES = 5  # first element of `scales`
CORRELATION = 6  # position of its first unconstrained correlation, or -1
LKJ_ETA = 7  # index into `values`
BLOCK_FIELDS = 8


class MarginalData(NamedTuple):
    """What is left of a Gaussian model once its data are reduced to cross-products. r columns in the rest."""

    head: Head  # of the parameters that remain: sigma, group scales, correlations, their hyperparameters
    sigma: int  # index into `values`
    total_weight: float  # rows, or the sum of their weights
    log_prior_constant: float  # 1/2 log|P| of the common coefficients, with normalising constants
    cross: NDArray[np.float64]  # (r + 1, r + 1) [rest, y]' W [rest, y]
    precision: NDArray[np.float64]  # (r + 1, r + 1) fixed prior precision, bordered by P m and m'P m
    blocks: NDArray[np.int64]  # (n_blocks, BLOCK_FIELDS)
    scales: NDArray[np.int64]  # indices into `values` of the blocks' scales, column by column
    eliminated: int  # columns q of the eliminated factor
    class_counts: NDArray[np.float64]  # (K,) levels in each class
    class_gram: NDArray[np.float64]  # (K * q, q) Z'WZ of a level of each class
    class_cross: NDArray[np.float64]  # (K * q (q + 1) / 2, (r + 1)^2) sums over levels of B_c' B_d, symmetrised
    class_sizes: NDArray[np.int64]  # (K,) indices into `values` of what effects are times; or length 0: of nothing


MARGINAL_DATA = types.NamedTuple(
    [
        HEAD,
        types.int64,
        types.float64,
        types.float64,
        MATRIX,
        MATRIX,
        INDEX_MATRIX,
        INDEX_VECTOR,
        types.int64,
        VECTOR,
        MATRIX,
        MATRIX,
        INDEX_VECTOR,
    ],
    MarginalData,
)


MARGINAL_TYPE = types.Tuple([MARGINAL_DATA, PRIORS])
"""Type of what the marginal density receives: the record, then derived values and prior densities."""


@functools.cache
def compiled_marginal() -> Callable[..., float]:
    """`marginal_logdensity`, compiled (or read from the disk cache) for all models."""
    return kernel_with_signature(marginal_logdensity, types.float64(VECTOR, VECTOR, MARGINAL_TYPE))


def marginal_logdensity(position: Any, gradient: Any, data_and_priors: Any) -> float:
    """Log density of the remaining parameters, up to the evidence; `gradient` is overwritten.

    Parameters
    ----------
    position, gradient : (dimension,) float64
    data_and_priors : tuple of MarginalData and derived values with prior densities (`PRIORS`)
    """
    record, (derived, address) = data_and_priors
    data, head = by_reference(record), record.head
    density = density_at(address)
    r = data.cross.shape[0] - 1
    q = data.eliminated
    values = np.empty(head.transforms.shape[0] + head.fixed.shape[0])
    adjoint = np.zeros(values.shape[0])
    total = constrain_head(position, head, values)
    total += fill_derived(head.nodes, derived, values)
    sigma = values[data.sigma]
    t = 1.0 / (sigma * sigma)

    # Few allocations: each takes as long as a logarithm or two, and small models call this a million times.
    systems = np.empty((3, r + 1, r + 1))
    schur, sensitivity = systems[0], systems[1]
    of_groups = np.zeros((2, q, q))
    group_precision, precision_adjoint = of_groups[0], of_groups[1]
    work = np.empty((2, widest(data), widest(data)))
    total += fill_system(position, data, values, t, schur, group_precision, work)
    inverses = np.empty((data.class_counts.shape[0], q, q))
    total += eliminate(data, values, t, group_precision, schur, inverses, work)
    total -= 0.5 * cholesky_in_place(schur, r)
    rho = last_pivot(schur, r)
    total += data.log_prior_constant - 0.5 * data.total_weight * (LOG_2PI + 2.0 * np.log(sigma)) - 0.5 * rho

    _fill_sensitivity(schur, r, sensitivity, systems[2])
    d_t = _dot_lower(sensitivity, data.cross, r + 1)
    d_t += pull_back_classes(data, values, t, sensitivity, inverses, precision_adjoint, adjoint, work)
    adjoint[data.sigma] -= 2.0 * d_t * t / sigma + data.total_weight / sigma
    total += _pull_back_blocks(position, data, values, sensitivity, precision_adjoint, adjoint)
    total += add_head_priors(head, density, values, adjoint, np.empty(5))
    pull_back_derived(head.nodes, derived, values, adjoint)
    pull_back_head(position, head, adjoint, gradient)
    return float(total)


@uncounted
def widest(data: MarginalData):
    """Most columns that a block or the eliminated factor has: order of the scratch matrices below."""
    width = max(1, data.eliminated)
    for b in range(data.blocks.shape[0]):
        width = max(width, data.blocks[b, COLUMNS])
    return width


@spliced
def fill_system(position, data: MarginalData, values, t, schur, group_precision, work):
    """Overwrite `schur` with the bordered system of the rest, and `group_precision` with that of the eliminated factor.

    Returns half the log determinant of the group effects' prior precision. `work` is scratch, (2, `widest`, `widest`).
    """
    for c in range(group_precision.shape[0]):
        for d in range(group_precision.shape[0]):
            group_precision[c, d] = 0.0
    factor, inverse = work[0], work[1]
    fill_columns(data.cross, data.precision, t, schur)
    total = 0.0
    for b in range(data.blocks.shape[0]):
        block = data.blocks[b]
        m = block[COLUMNS]
        half = _precision_factor(position, data, values, block, factor, inverse)
        total += block[LEVELS] * half
        for c in range(m):
            for d in range(c + 1):
                p = 0.0
                for e in range(c, m):
                    p += inverse[e, c] * inverse[e, d]
                if block[REST_START] < 0:
                    group_precision[block[COLUMN_OFFSET] + c, block[COLUMN_OFFSET] + d] += p
                    if c != d:
                        group_precision[block[COLUMN_OFFSET] + d, block[COLUMN_OFFSET] + c] += p
                else:
                    for level in range(block[LEVELS]):
                        at = block[REST_START] + level * block[STRIDE] + block[COLUMN_OFFSET]
                        schur[at + c, at + d] += p
    return total


@inlined
def fill_columns(cross, precision, t, schur):
    """Overwrite `schur` with what it is without group effects."""
    for i in range(cross.shape[0]):
        for j in range(i + 1):
            schur[i, j] = t * cross[i, j] + precision[i, j]


@spliced
def _precision_factor(position, data: MarginalData, values, block, factor, inverse):
    """Overwrite `factor` with C and `inverse` with K = C^-1 D^-1, so that the precision is K'K; return log|K|."""
    m = block[COLUMNS]
    if block[CORRELATION] >= 0:
        cholesky_constrain(position[block[CORRELATION] : block[CORRELATION] + m * (m - 1) // 2], factor)
    else:
        for c in range(m):
            for d in range(m):
                factor[c, d] = 1.0 if c == d else 0.0
    invert_lower(factor, m, inverse)
    total = 0.0
    for c in range(m):
        scale = values[data.scales[block[SCALES] + c]]
        for e in range(c, m):
            inverse[e, c] /= scale
        total += np.log(inverse[c, c])
    return total


@inlined
def last_pivot(schur, r):
    """rho = f - e'S^-1 e, from the factor of S in the leading rows; the border row becomes L^-1 e."""
    rho = schur[r, r]
    border = schur[r]
    for i in range(r):
        total = border[i]
        for c in range(i):
            total -= schur[i, c] * border[c]
        border[i] = total / schur[i, i]
        rho -= border[i] * border[i]
    return rho


@inlined
def _fill_sensitivity(schur, r, out, lower):
    """Overwrite the lower triangle of `out` with Q = d log p / d S+ = -1/2 (S^-1 (+) 0 + v v'), v = (-S^-1 e, 1).

    Off-diagonal elements are doubled, so that sums over the lower triangle are sums over the whole matrix. `lower` is
    scratch of the shape of `out`: an inverse in its first r rows, v in its last.
    """
    invert_lower(schur, r, lower)
    v = lower[r]
    v[r] = 1.0
    for i in range(r):
        total = 0.0
        for c in range(i, r):
            total -= lower[c, i] * schur[r, c]
        v[i] = total
    for i in range(r + 1):
        for j in range(i + 1):
            out[i, j] = -0.5 * v[i] * v[j]
    for c in range(r):
        row = lower[c]
        for i in range(c + 1):
            factor = -0.5 * row[i]
            target = out[i]
            for j in range(i + 1):
                target[j] += factor * row[j]
    for i in range(r + 1):
        for j in range(i):
            out[i, j] *= 2.0


@inlined
def _dot_lower(a, b, n):
    total = 0.0
    for i in range(n):
        for j in range(i + 1):
            total += a[i, j] * b[i, j]
    return total


@inlined
def _pull_back_blocks(position, data: MarginalData, values, sensitivity, precision_adjoint, adjoint):
    """Add derivatives with respect to scales and correlations to `adjoint`; return the correlations' log prior."""
    total = 0.0
    for b in range(data.blocks.shape[0]):
        block = data.blocks[b]
        m = block[COLUMNS]
        squares = np.zeros((5, m, m))
        factor, inverse, p_adjoint, k_adjoint = squares[0], squares[1], squares[2], squares[3]
        _collect_precision_adjoint(block, sensitivity, precision_adjoint, p_adjoint)
        _precision_factor(position, data, values, block, factor, inverse)
        # P = K'K: the adjoint of K is 2 K P_adjoint.
        for e in range(m):
            for c in range(e + 1):
                for d in range(e + 1):
                    k_adjoint[e, c] += 2.0 * inverse[e, d] * p_adjoint[d, c]
        for c in range(m):
            index = data.scales[block[SCALES] + c]
            d_log_scale = -float(block[LEVELS])
            for e in range(c, m):
                d_log_scale -= k_adjoint[e, c] * inverse[e, c]
            adjoint[index] += d_log_scale / values[index]
        if block[CORRELATION] >= 0:
            total += _pull_back_correlation(position, data, values, block, squares, adjoint)
    return total


@inlined
def _collect_precision_adjoint(block, sensitivity, precision_adjoint, out):
    """Fill `out` (full, symmetric) with derivatives with respect to a level's prior precision, summed over levels."""
    m = block[COLUMNS]
    for c in range(m):
        for d in range(c + 1):
            total = 0.0
            if block[REST_START] < 0:
                total = precision_adjoint[block[COLUMN_OFFSET] + c, block[COLUMN_OFFSET] + d]
            else:
                for level in range(block[LEVELS]):
                    at = block[REST_START] + level * block[STRIDE] + block[COLUMN_OFFSET]
                    total += sensitivity[at + c, at + d]
                if c != d:
                    total *= 0.5
            out[c, d] = total
            out[d, c] = total


@inlined
def _pull_back_correlation(position, data: MarginalData, values, block, squares, adjoint):
    """Through K = C^-1 D^-1 to the unconstrained correlations; returns their log prior with the log-Jacobian.

    `squares` are C, K, the latter's adjoint in the fourth place, and zeros in the fifth, which are overwritten.
    """
    m = block[COLUMNS]
    factor, inverse, k_adjoint, factor_adjoint = squares[0], squares[1], squares[3], squares[4]
    for c in range(m):
        for d in range(c + 1):
            # d log p / d C = -(C^-T V_adjoint C^-T), V = C^-1 = K D, V_adjoint = K_adjoint D^-1
            for e in range(c, m):
                for g in range(d + 1):
                    scale_c = values[data.scales[block[SCALES] + c]]
                    factor_adjoint[c, d] -= inverse[e, c] * scale_c * k_adjoint[e, g] * inverse[d, g]
        factor_adjoint[c, c] -= block[LEVELS] / factor[c, c]
    stop = block[CORRELATION] + m * (m - 1) // 2
    unconstrained = position[block[CORRELATION] : stop]
    total = cholesky_constrain(unconstrained, factor)
    total += add_lkj(factor, values, block[LKJ_ETA], factor_adjoint, adjoint)
    cholesky_pull_back(unconstrained, factor, factor_adjoint, adjoint[block[CORRELATION] : stop])
    return total
