"""The marginal log density without its gradient: what proposals are weighed by, and slices are cut from."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from nutslite._numba import VECTOR, inlined, kernel_with_signature, spliced
from nutslite.posterior.density.effects import add_lkj
from nutslite.posterior.density.linalg import cholesky_in_place
from nutslite.posterior.marginal.elimination import eliminate
from nutslite.posterior.marginal.marginal import (
    COLUMNS,
    CORRELATION,
    LKJ_ETA,
    LOG_2PI,
    MARGINAL_TYPE,
    fill_system,
    last_pivot,
    widest,
)
from nutslite.posterior.nodes.program import fill_derived
from nutslite.posterior.record.head import add_head_priors, constrain_head
from nutslite.priors.densities.densities import density_at
from nutslite.sampler.constraints.cholesky import cholesky_constrain
from nutslite.sampler.transition.reference import by_reference


@functools.cache
def compiled_marginal_value() -> Callable[..., float]:
    """`marginal_value` for the one type of data that all models have."""
    return kernel_with_signature(marginal_value, types.float64(VECTOR, VECTOR, MARGINAL_TYPE))


def marginal_value(position: Any, gradient: Any, data_and_priors: Any) -> float:
    """`marginal.marginal_logdensity`, whose `gradient` is left as it is."""
    record, (derived, address) = data_and_priors
    data, head = by_reference(record), record.head
    density = density_at(address)
    r, q = data.cross.shape[0] - 1, data.eliminated
    values = np.empty(head.transforms.shape[0] + head.fixed.shape[0])
    schur = np.empty((r + 1, r + 1))
    inverses = np.empty((data.class_counts.shape[0], q, q))
    work = np.empty((2, widest(data), widest(data)))
    scratch, partials = np.empty(values.shape[0]), np.empty(5)
    total = marginal_at(
        position, data, derived, density, values, scratch, partials, schur, np.empty((q, q)), inverses, work
    )
    return total + correlation_priors(position, data, values, scratch)  # type: ignore[no-any-return]


@spliced
def marginal_at(position, data, derived, density, values, scratch, partials, schur, group_precision, inverses, work):
    """The log density of one position without `correlation_priors`; all arrays from `values` on are overwritten.

    Parameters
    ----------
    values, scratch : ndarray
        As long as the head and what follows it.
    partials : ndarray, shape (5,)
    schur, group_precision, inverses, work : ndarray
        As for `marginal.fill_system` and `marginal.eliminate`.
    """
    head = data.head
    total = constrain_head(position, head, values)
    total += fill_derived(head.nodes, derived, values)
    sigma = values[data.sigma]
    t = 1.0 / (sigma * sigma)
    total += fill_system(position, data, values, t, schur, group_precision, work)
    total += eliminate(data, values, t, group_precision, schur, inverses, work)
    total = add_columns(total, schur, sigma, data.total_weight, data.log_prior_constant)
    return total + add_head_priors(head, density, values, scratch, partials)


@spliced
def add_columns(total, schur, sigma, total_weight, log_prior_constant):
    """`total` with what is left when group effects are eliminated from `schur`, which is overwritten."""
    r = schur.shape[0] - 1
    total -= 0.5 * cholesky_in_place(schur, r)
    rho = last_pivot(schur, r)
    return total + (log_prior_constant - 0.5 * total_weight * (LOG_2PI + 2.0 * np.log(sigma)) - 0.5 * rho)


@inlined
def has_correlations(data):
    """Whether effects of some block are correlated."""
    found = False
    for b in range(data.blocks.shape[0]):
        found = found or data.blocks[b, CORRELATION] >= 0
    return found


@inlined
def correlation_priors(position, data, values, scratch):
    """Log priors of correlations, where `values` are those of the position; it adds to `scratch`."""
    total = 0.0
    for b in range(data.blocks.shape[0]):
        block = data.blocks[b]
        if block[CORRELATION] >= 0:
            m = block[COLUMNS]
            factor = np.empty((m, m))
            total += cholesky_constrain(position[block[CORRELATION] : block[CORRELATION] + m * (m - 1) // 2], factor)
            total += add_lkj(factor, values, block[LKJ_ETA], np.empty((m, m)), scratch)
    return total
