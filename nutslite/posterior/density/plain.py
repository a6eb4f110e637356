"""Models of columns and coefficients only: no group effects, columns by code, derived values or censored rows.

The general functions serve them too. These compile in a third of the time, because nothing of group effects is in
them, and independence Metropolis, which serves most such models, needs nothing else: so a first fit starts sooner.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._awaited import NATURAL, wait_for
from nutslite._numba import MATRIX, VECTOR, kernel_with_signature, without_dispatch
from nutslite.families.links.codes import inner_constant_slope
from nutslite.families.record.censoring import kernel_at
from nutslite.posterior.density.joint import JOINT_DATA
from nutslite.posterior.density.many_positions import POSITIONS_PER_PASS, ROWS_AT_ONCE
from nutslite.posterior.density.predictor import add_common_transposed, add_up, fill_common
from nutslite.posterior.record.head import HEAD, add_head_priors, constrain_head, pull_back_head
from nutslite.posterior.record.model_data import BOUNDS, CONSTANT, VARIES, ModelData
from nutslite.priors.densities.densities import density_at
from nutslite.sampler.transition.compiling import uncounted

FloatArray = NDArray[np.float64]


def is_plain(model: ModelData) -> bool:
    """Whether the functions below serve the model."""
    parts = (model.blocks, model.codes.blocks, model.head.nodes.rows)
    return not any(part.size for part in parts) and len(model.segments) == 1 and model.segments[0, BOUNDS] == 0


@functools.cache
def compiled_plain_many() -> Callable[..., None]:
    """`plain_many` for the one type of data that all models have."""
    signature = types.void(MATRIX, JOINT_DATA, VECTOR, MATRIX)
    return without_dispatch(kernel_with_signature(plain_many, signature), signature)


def plain_many(positions: Any, data: Any, out: Any, gradients: Any) -> None:
    """Overwrite `out` (m,) with the joint log density of positions (m, dimension).

    `gradients` (m, dimension) is overwritten, too, unless it has no rows.
    """
    model, (_, address), logliks = data
    head, density = model.head, density_at(address)
    loglik = kernel_at(logliks[0])
    m = positions.shape[0]
    values = np.empty((m, head.transforms.shape[0] + head.fixed.shape[0]))
    adjoint = np.zeros(values.shape)
    partials = np.empty(5)
    _fill_heads(positions, head, density, values, adjoint, partials, out)
    n = model.y.shape[1]
    k = model.predictors.shape[0]
    width = min(ROWS_AT_ONCE, n)
    eta = np.empty((k, width))
    d_eta = np.empty((k, width))
    pointwise = np.empty(width)
    varies = np.empty(k, np.int64)
    constants = np.zeros((m, k))
    for j in range(k):
        varies[j] = model.predictors[j, VARIES]
    wanted = gradients.shape[0] > 0
    for first in range(0, m, POSITIONS_PER_PASS):
        last = min(m, first + POSITIONS_PER_PASS)
        for start in range(0, n, width):
            _add_rows(
                model, loglik, values, first, last, start, min(width, n - start), varies, eta, d_eta, pointwise,
                out, adjoint, constants, wanted,
            )  # fmt: skip
    if wanted:
        for i in range(m):
            for j in range(k):
                if varies[j] == 0:
                    at = model.predictors[j, CONSTANT]
                    adjoint[i, at] += constants[i, j] / inner_constant_slope(model.links[j], values[i, at])
            pull_back_head(positions[i], head, adjoint[i], gradients[i])


@uncounted
def _fill_heads(positions, head, density, values, adjoint, partials, out):
    """Overwrite `values` and `out`, with priors and Jacobians, and add to `adjoint`, a row for each position."""
    for i in range(positions.shape[0]):
        out[i] = constrain_head(positions[i], head, values[i])
        out[i] += add_head_priors(head, density, values[i], adjoint[i], partials)


@uncounted
def _add_rows(
    model, loglik, values, first, last, start, rows, varies, eta, d_eta, pointwise, out, adjoint, constants, wanted
):
    """Add what one block of rows gives at positions `first` to `last`."""
    block = pointwise[:rows]
    for i in range(first, last):
        fill_common(model, values[i], start, rows, eta)
        loglik(model.y, model.weights, start, eta, varies, model.links, block, d_eta)
        out[i] += add_up(block, rows)
        if wanted:
            add_common_transposed(model, start, rows, d_eta, adjoint[i], constants[i])


@functools.cache
def compiled_plain_natural() -> Callable[..., None]:
    """`_plain_natural` for all models."""
    wait_for(NATURAL)
    return kernel_with_signature(_plain_natural, types.void(MATRIX, HEAD, MATRIX))


def _plain_natural(positions: Any, head: Any, out_values: Any) -> None:
    """Overwrite `out_values` (draws, values) from `positions` (draws, dimension)."""
    for draw in range(positions.shape[0]):
        constrain_head(positions[draw], head, out_values[draw])
