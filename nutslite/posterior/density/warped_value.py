"""The density of `warped` without its gradient, for slices: an evaluation allocates nothing and counts no references.

With ten rows that is most of the time. What is to be overwritten belongs to a chain and comes with the data.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import INDEX_VECTOR, MATRIX, VECTOR, kernel_with_signature
from nutslite.posterior.density.effects import fill_column, location_and_scale, spread_of
from nutslite.posterior.density.joint import JOINT_DATA
from nutslite.posterior.density.predictor import block_loglik, rows_together
from nutslite.posterior.density.warped import BEND, VECTORS, log_jacobian_of_intercept, place_intercept
from nutslite.posterior.record.head import add_head_priors, constrain_head
from nutslite.posterior.record.model_data import (
    ARGUMENTS,
    COLUMN_TABLE,
    DENSITY,
    EFFECT_START,
    EFFECT_STRIDE,
    LOCATION_ARGUMENT,
    N_COLUMNS,
    N_LEVELS,
    SCALE_ARGUMENT,
    VARIES,
    ModelData,
)
from nutslite.posterior.record.warp import FREE, untable
from nutslite.priors.densities.densities import density_at
from nutslite.sampler.transition.compiling import uncounted

FloatArray = NDArray[np.float64]


class Scratch(NamedTuple):
    """Arrays that an evaluation overwrites; `varies` alone is read."""

    position: FloatArray  # (dimension,)
    values: FloatArray  # of the head, then fixed numbers
    unused: FloatArray  # as long as `values`: derivatives of priors
    effects: FloatArray
    members: FloatArray  # (VECTORS, m)
    weights: FloatArray  # (8,)
    lower: FloatArray  # (m (m - 1) / 2,)
    rows: FloatArray  # (3, n)
    eta: FloatArray  # (k, n)
    d_eta: FloatArray  # (k, n)
    pointwise: FloatArray  # (n,)
    bend: FloatArray  # (BEND,)
    numbers: FloatArray  # (2, 5)
    varies: NDArray[np.int64]  # (k,)


SCRATCH = types.NamedTuple(
    [*(VECTOR,) * 4, MATRIX, VECTOR, VECTOR, *(MATRIX,) * 3, VECTOR, VECTOR, MATRIX, INDEX_VECTOR], Scratch
)
VALUE_DATA = types.Tuple([*JOINT_DATA.types, SCRATCH])
"""Type of what the density receives: that of the joint density, and scratch."""


def scratch_for(model: ModelData) -> Scratch:
    """Arrays for one chain."""
    n_head, m = model.head.transforms.size, model.warp.members.size
    n, k = model.y.shape[1], len(model.predictors)
    n_values = n_head + model.head.fixed.size
    return Scratch(
        position=np.empty(n_head + model.centring.size),
        values=np.empty(n_values),
        unused=np.zeros(n_values),
        effects=np.empty(model.centring.size),
        members=np.empty((VECTORS, m)),
        weights=np.empty(8),
        lower=np.empty(m * (m - 1) // 2),
        rows=np.empty((3, n)),
        eta=np.empty((k, n)),
        d_eta=np.empty((k, n)),
        pointwise=np.empty(n),
        bend=np.empty(BEND),
        numbers=np.empty((2, 5)),
        varies=np.ascontiguousarray(model.predictors[:, VARIES], dtype=np.int64),
    )


@functools.cache
def compiled_warped_value() -> Callable[..., float]:
    """`warped_value` for the one type of data that all models have."""
    return kernel_with_signature(warped_value, types.float64(VECTOR, VECTOR, VALUE_DATA))


def warped_value(coordinates: Any, gradient: Any, data: Any) -> float:
    """`warped.warped_logdensity` of models of few rows; -inf where undefined.

    Of `gradient` the first element, where it has one, is overwritten with the log likelihood.
    """
    return _value(coordinates, gradient, data)  # type: ignore[no-any-return]


@uncounted
def _value(coordinates, part, data):
    model, (_, address), loglik, scratch = data
    head, density = model.head, density_at(address)
    warp, values, effects = model.warp, scratch.values, scratch.effects
    raw = scratch.position[head.transforms.shape[0] :]
    total, _ = untable(warp, coordinates, scratch.position, scratch.members, scratch.weights, scratch.lower)
    total += constrain_head(scratch.position, head, values)
    for b in range(model.blocks.shape[0]):
        for c in range(model.blocks[b, N_COLUMNS]):
            fill_column(model, model.blocks[b], c, raw, values, effects)
    if warp.kind != FREE:
        place_intercept(model, values, effects, scratch.rows[0], scratch.eta, scratch.bend)
    n, start, likelihood = scratch.pointwise.shape[0], np.int64(0), 0.0
    while start < n:
        rows = rows_together(model.segments, start, n - start)
        likelihood += block_loglik(
            model, loglik, values, effects, start, rows, scratch.varies, scratch.eta, scratch.d_eta, scratch.pointwise
        )
        start += rows
    if part.shape[0] > 0:
        part[0] = likelihood
    total += likelihood
    total += add_head_priors(head, density, values, scratch.unused, scratch.numbers[0])
    if not np.isfinite(total):
        return -np.inf
    if warp.kind != FREE:
        total += log_jacobian_of_intercept(model, scratch.rows, scratch.bend)
    return total + _effects_log_prior(model, density, raw, values, scratch.numbers)


@uncounted
def _effects_log_prior(model: ModelData, density, raw, values, numbers):
    """Log prior of raw effects whose columns are not correlated; `numbers` is overwritten."""
    arguments, partials = numbers[0], numbers[1]
    total = 0.0
    for b in range(model.blocks.shape[0]):
        block = model.blocks[b]
        for c in range(block[N_COLUMNS]):
            row = model.block_columns[block[COLUMN_TABLE] + c]
            _, scale = location_and_scale(model, block, c, values)
            ratio = scale / model.typical_scales[block[COLUMN_TABLE] + c]
            for a in range(4):
                arguments[a] = values[row[ARGUMENTS + a]]
            if row[LOCATION_ARGUMENT] >= 0:
                arguments[row[LOCATION_ARGUMENT]] = 0.0
            for level in range(block[N_LEVELS]):
                at = block[EFFECT_START] + level * block[EFFECT_STRIDE] + c
                if row[SCALE_ARGUMENT] >= 0:
                    arguments[row[SCALE_ARGUMENT]] = spread_of(model.centring[at], ratio)
                total += density(
                    row[DENSITY], raw[at], arguments[0], arguments[1], arguments[2], arguments[3], partials
                )
    return total
