"""Linear predictors and the transposed product, over blocks of rows, with the family kernel in between.

One pass over the data per gradient: a block of columns is read once for eta and again, while still in cache, for the
transposed product. Nothing of length n is allocated.
"""

from __future__ import annotations

import numpy as np

from nutslite._numba import inlined, kernel, reduction
from nutslite.families.links import inverse_derivative, link
from nutslite.posterior.model_data import (
    COEFFICIENTS,
    COLUMN_START,
    COLUMN_STOP,
    COLUMN_TABLE,
    CONSTANT,
    EFFECT_START,
    EFFECT_STRIDE,
    FACTOR,
    INTERCEPT,
    N_COLUMNS,
    OFFSET,
    PREDICTOR,
    VARIES,
    Z_ROW,
    ModelData,
)

ROWS_PER_BLOCK = 256


@reduction
def add_up(values, n):
    """Sum of the first `n` values."""
    total = 0.0
    for i in range(n):
        total += values[i]
    return total


@reduction
def dot(a, b, n):
    """Dot product of the first `n` elements."""
    total = 0.0
    for i in range(n):
        total += a[i] * b[i]
    return total


@kernel
def add_loglik(model: ModelData, loglik, values, effects, adjoint, effects_adjoint):
    """Return the log likelihood; add its derivatives to `adjoint` and `effects_adjoint`."""
    n = model.y.shape[1]
    k = model.predictors.shape[0]
    width = min(ROWS_PER_BLOCK, n)
    eta = np.empty((k, width))
    d_eta = np.empty((k, width))
    pointwise = np.empty(width)
    varies = np.empty(k, np.int64)
    constant_derivatives = np.zeros(k)
    for j in range(k):
        varies[j] = model.predictors[j, VARIES]
    total = 0.0
    for start in range(0, n, width):
        rows = min(width, n - start)
        fill_eta(model, values, effects, start, rows, eta)
        out = pointwise[:rows]
        loglik(model.y, model.weights, start, eta, varies, model.links, out, d_eta)
        total += add_up(out, rows)
        _add_transposed(model, start, rows, d_eta, adjoint, effects_adjoint, constant_derivatives)
    for j in range(k):
        if varies[j] == 0:
            slope = inverse_derivative(model.links[j], link(model.links[j], values[model.predictors[j, CONSTANT]]))
            adjoint[model.predictors[j, CONSTANT]] += constant_derivatives[j] / slope
    return total


@kernel
def fill_eta(model: ModelData, values, effects, start, rows, eta):
    """Overwrite `eta[:, :rows]` with the linear predictors of data rows `start` to `start + rows`.

    Where a parameter is one number for all rows only ``eta[j, 0]`` is set, on the scale of its link.
    """
    for j in range(model.predictors.shape[0]):
        predictor = model.predictors[j]
        out = eta[j]
        if predictor[VARIES] == 0:
            out[0] = link(model.links[j], values[predictor[CONSTANT]])
            continue
        intercept = values[predictor[INTERCEPT]] if predictor[INTERCEPT] >= 0 else 0.0
        if predictor[OFFSET] >= 0:
            offset = model.offsets[predictor[OFFSET], start : start + rows]
            for i in range(rows):
                out[i] = intercept + offset[i]
        else:
            for i in range(rows):
                out[i] = intercept
        for column in range(predictor[COLUMN_START], predictor[COLUMN_STOP]):
            coefficient = values[predictor[COEFFICIENTS] + column - predictor[COLUMN_START]]
            x = model.matrix[column, start : start + rows]
            for i in range(rows):
                out[i] += coefficient * x[i]
    for b in range(model.blocks.shape[0]):
        _add_block(model, model.blocks[b], effects, start, rows, eta)


@inlined
def _add_block(model: ModelData, block, effects, start, rows, eta):
    out = eta[block[PREDICTOR]]
    level = model.levels[block[FACTOR], start : start + rows]
    stride = block[EFFECT_STRIDE]
    for c in range(block[N_COLUMNS]):
        first = block[EFFECT_START] + c
        z_row = model.block_columns[block[COLUMN_TABLE] + c, Z_ROW]
        if z_row < 0:
            for i in range(rows):
                out[i] += effects[first + level[i] * stride]
        else:
            z = model.z[z_row, start : start + rows]
            for i in range(rows):
                out[i] += z[i] * effects[first + level[i] * stride]


@inlined
def _add_transposed(model: ModelData, start, rows, d_eta, adjoint, effects_adjoint, constant_derivatives):
    """Add the transposed design times `d_eta` to the derivatives."""
    for j in range(model.predictors.shape[0]):
        predictor = model.predictors[j]
        d = d_eta[j]
        if predictor[VARIES] == 0:
            constant_derivatives[j] += d[0]
            continue
        if predictor[INTERCEPT] >= 0:
            adjoint[predictor[INTERCEPT]] += add_up(d, rows)
        for column in range(predictor[COLUMN_START], predictor[COLUMN_STOP]):
            x = model.matrix[column, start : start + rows]
            adjoint[predictor[COEFFICIENTS] + column - predictor[COLUMN_START]] += dot(d, x, rows)
    for b in range(model.blocks.shape[0]):
        _add_block_transposed(model, model.blocks[b], start, rows, d_eta, effects_adjoint)


@inlined
def _add_block_transposed(model: ModelData, block, start, rows, d_eta, effects_adjoint):
    d = d_eta[block[PREDICTOR]]
    level = model.levels[block[FACTOR], start : start + rows]
    stride = block[EFFECT_STRIDE]
    for c in range(block[N_COLUMNS]):
        first = block[EFFECT_START] + c
        z_row = model.block_columns[block[COLUMN_TABLE] + c, Z_ROW]
        if z_row < 0:
            for i in range(rows):
                effects_adjoint[first + level[i] * stride] += d[i]
        else:
            z = model.z[z_row, start : start + rows]
            for i in range(rows):
                effects_adjoint[first + level[i] * stride] += z[i] * d[i]
