"""Marginal log densities of many positions at once, without gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from nutslite._numba import MATRIX, VECTOR, kernel_with_signature, without_dispatch
from nutslite.posterior.marginal.marginal import MARGINAL_TYPE, fill_columns, widest
from nutslite.posterior.marginal.marginal_value import (
    add_columns,
    correlation_priors,
    has_correlations,
    marginal_at,
)
from nutslite.posterior.nodes.program import fill_derived
from nutslite.posterior.record.head import add_priors_here, constrain_here
from nutslite.priors.densities.densities import density_at
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.reference import by_reference


@functools.cache
def compiled_marginal_many() -> Callable[..., None]:
    """`marginal_many` for the one type of data that all models have."""
    signature = types.void(MATRIX, MARGINAL_TYPE, VECTOR)
    return without_dispatch(kernel_with_signature(marginal_many, signature), signature)


def marginal_many(positions: Any, data_and_priors: Any, out: Any) -> None:
    """Overwrite `out` (m,) with the marginal log density of positions (m, dimension)."""
    record, (derived, address) = data_and_priors
    data, head = by_reference(record), record.head
    density = density_at(address)
    r, q = data.cross.shape[0] - 1, data.eliminated
    m, n_values = positions.shape[0], head.transforms.shape[0] + head.fixed.shape[0]
    scratch, partials = np.empty(n_values), np.empty(5)
    schur = np.empty((r + 1, r + 1))
    if data.blocks.shape[0] == 0:
        _fill_without_groups(positions, data, derived, density, np.empty(n_values), scratch, partials, schur, out)
        return
    values = np.empty((m, n_values))
    group_precision = np.empty((q, q))
    inverses = np.empty((data.class_counts.shape[0], q, q))
    work = np.empty((2, widest(data), widest(data)))
    _fill(positions, data, derived, density, values, scratch, partials, schur, group_precision, inverses, work, out)
    if has_correlations(data):  # their prior allocates, so references are counted here
        for i in range(m):
            out[i] += correlation_priors(positions[i], data, values[i], scratch)


@uncounted
def _fill(positions, data, derived, density, values, scratch, partials, schur, group_precision, inverses, work, out):
    """Overwrite `out`, but for the priors of correlations, and `values` (m, ...); the others as in `marginal_at`."""
    for i in range(positions.shape[0]):
        out[i] = marginal_at(
            positions[i], data, derived, density, values[i], scratch, partials, schur, group_precision, inverses, work
        )


@uncounted
def _fill_without_groups(positions, data, derived, density, values, scratch, partials, schur, out):
    """Overwrite `out` as `marginal_many` does, for a model without group effects: a few numbers a position."""
    cross, precision, head = data.cross, data.precision, data.head
    for i in range(positions.shape[0]):
        total = constrain_here(positions[i], head, values) + fill_derived(head.nodes, derived, values)
        sigma = values[data.sigma]
        fill_columns(cross, precision, 1.0 / (sigma * sigma), schur)
        total = add_columns(total, schur, sigma, data.total_weight, data.log_prior_constant)
        out[i] = total + add_priors_here(head, density, values, scratch, partials)
