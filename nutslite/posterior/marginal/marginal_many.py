"""Marginal log densities of many positions at once, without gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from nutslite._numba import MATRIX, VECTOR, inlined, kernel_with_signature, without_dispatch
from nutslite.posterior.density.effects import add_lkj
from nutslite.posterior.density.linalg import cholesky_in_place
from nutslite.posterior.marginal.marginal import (
    COLUMNS,
    CORRELATION,
    LKJ_ETA,
    LOG_2PI,
    MARGINAL_TYPE,
    eliminate,
    fill_system,
    last_pivot,
    widest,
)
from nutslite.posterior.record.head import add_head_priors, constrain_head
from nutslite.posterior.record.transforms import cholesky_constrain


@functools.cache
def compiled_marginal_many() -> Callable[..., None]:
    """`marginal_many` for the one type of data that all models have."""
    signature = types.void(MATRIX, MARGINAL_TYPE, VECTOR)
    return without_dispatch(kernel_with_signature(marginal_many, signature), signature)


def marginal_many(positions: Any, data_and_density: Any, out: Any) -> None:
    """Overwrite `out` (m,) with the marginal log density of positions (m, dimension)."""
    data, density = data_and_density
    r = data.cross.shape[0] - 1
    q = data.eliminated
    values = np.empty(data.head.transforms.shape[0] + data.head.fixed.shape[0])
    scratch = np.empty(values.shape[0])
    partials = np.empty(5)
    schur = np.empty((r + 1, r + 1))
    group_precision = np.empty((q, q))
    inverses = np.empty((data.class_counts.shape[0], q, q))
    work = np.empty((2, widest(data), widest(data)))
    for i in range(positions.shape[0]):
        total = constrain_head(positions[i], data.head, values)
        sigma = values[data.sigma]
        t = 1.0 / (sigma * sigma)
        total += fill_system(positions[i], data, values, t, schur, group_precision, work)
        total += eliminate(data, t, group_precision, schur, inverses, work)
        total -= 0.5 * cholesky_in_place(schur, r)
        rho = last_pivot(schur, r)
        total += data.log_prior_constant - 0.5 * data.total_weight * (LOG_2PI + 2.0 * np.log(sigma)) - 0.5 * rho
        total += _correlation_priors(positions[i], data, values, scratch)
        out[i] = total + add_head_priors(data.head, density, values, scratch, partials)


@inlined
def _correlation_priors(position, data, values, scratch):
    total = 0.0
    for b in range(data.blocks.shape[0]):
        block = data.blocks[b]
        if block[CORRELATION] >= 0:
            m = block[COLUMNS]
            factor = np.empty((m, m))
            total += cholesky_constrain(position[block[CORRELATION] : block[CORRELATION] + m * (m - 1) // 2], factor)
            total += add_lkj(factor, values, block[LKJ_ETA], np.empty((m, m)), scratch)
    return total
