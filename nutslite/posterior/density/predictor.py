"""Linear predictors and the transposed product, over blocks of rows, with the family kernel in between.

One pass over the data per gradient: a block of columns is read once for eta and again, while still in cache, for the
transposed product. Nothing of length n is allocated.
"""

from __future__ import annotations

import numpy as np

from nutslite._numba import inlined, inner, reduction
from nutslite.families.links.codes import inner_constant_link, inner_constant_slope
from nutslite.families.record.censoring import kernel_at, subtract_at
from nutslite.posterior.record.model_data import (
    BOUNDS,
    BOUNDS_START,
    CODED_COLUMNS,
    CODED_START,
    COLUMN_START,
    COLUMN_STOP,
    COLUMN_TABLE,
    CONSTANT,
    EFFECT_START,
    EFFECT_STRIDE,
    FACTOR,
    FIRST_ETA,
    INTERCEPT,
    KERNEL,
    N_COLUMNS,
    N_ETA,
    N_LEVELS,
    OFFSET,
    PREDICTOR,
    STOP_ROW,
    TABLE_START,
    VARIES,
    ModelData,
)
from nutslite.sampler.transition.compiling import uncounted

ROWS_PER_BLOCK = 1024


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


@inner
def with_code_effects(model: ModelData, values, effects):
    """The effects with the codes' effects behind them; `effects` itself where nothing is read by code."""
    if model.codes.blocks.shape[0] == 0:
        return effects
    out = np.zeros(effects.shape[0] + n_code_effects(model))
    for i in range(effects.shape[0]):  # assigning a slice takes seconds to compile
        out[i] = effects[i]
    fill_code_effects(model.codes, values, out)
    return out


@uncounted
def n_code_effects(model: ModelData):
    """How many effects the codes have."""
    if model.codes.blocks.shape[0] == 0:
        return 0
    last = model.added[-1]
    return last[EFFECT_START] + last[N_LEVELS] - model.centring.shape[0]


@uncounted
def fill_code_effects(codes, values, effects):
    """Add distinct rows of coded columns, times the coefficients, to the codes' effects, which are zero on entry."""
    for b in range(codes.blocks.shape[0]):
        block = codes.blocks[b]
        levels, at = block[N_LEVELS], block[TABLE_START]
        out = effects[block[EFFECT_START] : block[EFFECT_START] + levels]
        for c in range(block[CODED_START], block[CODED_START] + block[CODED_COLUMNS]):
            coefficient = values[codes.coefficients[c]]
            column = codes.tables[at : at + levels]
            for i in range(levels):
                out[i] += coefficient * column[i]
            at += levels


@uncounted
def _pull_back_code_effects(codes, effects_adjoint, adjoint):
    """Add to the coefficients' derivatives what the codes' effects' derivatives say."""
    for b in range(codes.blocks.shape[0]):
        block = codes.blocks[b]
        levels, at = block[N_LEVELS], block[TABLE_START]
        derivatives = effects_adjoint[block[EFFECT_START] : block[EFFECT_START] + levels]
        for c in range(block[CODED_START], block[CODED_START] + block[CODED_COLUMNS]):
            adjoint[codes.coefficients[c]] += dot(derivatives, codes.tables[at : at + levels], levels)
            at += levels


@inner
def rows_loglik(model: ModelData, loglik, values, effects, first, last, adjoint, effects_adjoint):
    """Return the log likelihood of rows `first` to `last`; add its derivatives to `adjoint` and `effects_adjoint`."""
    k = model.predictors.shape[0]
    width = min(ROWS_PER_BLOCK, last - first)
    eta = np.empty((k, width))
    d_eta = np.empty((k, width))
    pointwise = np.empty(width)
    varies = np.empty(k, np.int64)
    constant_derivatives = np.zeros(k)
    every_effect = with_code_effects(model, values, effects)
    every_adjoint = effects_adjoint if model.codes.blocks.shape[0] == 0 else np.zeros(every_effect.shape[0])
    for j in range(k):
        varies[j] = model.predictors[j, VARIES]
    total = 0.0
    start = first
    while start < last:
        rows = rows_together(model.segments, start, min(width, last - start))
        total += block_loglik(model, loglik, values, every_effect, start, rows, varies, eta, d_eta, pointwise)
        add_transposed(model, start, rows, d_eta, adjoint, every_adjoint, constant_derivatives)
        start += rows
    if model.codes.blocks.shape[0] > 0:
        for i in range(effects.shape[0]):
            effects_adjoint[i] += every_adjoint[i]
        _pull_back_code_effects(model.codes, every_adjoint, adjoint)
    for j in range(k):
        if varies[j] == 0:
            at = model.predictors[j, CONSTANT]
            adjoint[at] += constant_derivatives[j] / inner_constant_slope(model.links[j], values[at])
    return total


@uncounted
def segment_of(segments, row):
    """The segment that a row of data is in."""
    segment = 0
    while segments[segment, STOP_ROW] <= row:
        segment += 1
    return segment


@uncounted
def rows_together(segments, start, most):
    """How many rows from `start` on, `most` at most, are in one segment."""
    return min(most, segments[segment_of(segments, start), STOP_ROW] - start)


@uncounted
def block_loglik(model: ModelData, loglik, values, effects, start, rows, varies, eta, d_eta, pointwise):
    """Log likelihood of data rows `start` to `start + rows`; its derivatives in `d_eta`; two more arrays of scratch.

    All of these rows are in one segment.
    """
    fill_eta(model, values, effects, start, rows, eta)
    out = pointwise[:rows]
    call_kernel(model, loglik, start, eta, varies, out, d_eta)
    return add_up(out, rows)


@inlined  # a record of arrays is dear to hand on
def call_kernel(model: ModelData, logliks, start, eta, varies, out, d_eta):
    """Overwrite `out` (rows,) and `d_eta` by the kernel of the segment that the rows from `start` on are in."""
    segment = model.segments[segment_of(model.segments, start)]
    loglik = kernel_at(logliks[segment[KERNEL]])
    first, stop, bounds = segment[FIRST_ETA], segment[FIRST_ETA] + segment[N_ETA], segment[BOUNDS_START]
    own, given, links = d_eta[first:stop], varies[first:stop], model.links[first:stop]
    loglik(model.y[:bounds], model.weights, start, eta[first:stop], given, links, out, own)
    place = segment[BOUNDS]
    if place > 0:
        subtract = subtract_at(logliks[4])
        subtract(logliks[place], model.y[bounds:], model.weights, start, eta[first:stop], given, links, out, own)
    for j in range(d_eta.shape[0]):
        if j < first or j >= stop:
            for i in range(out.shape[0]):
                d_eta[j, i] = 0.0


@uncounted
def fill_eta(model: ModelData, values, effects, start, rows, eta):
    """Overwrite `eta[:, :rows]` with the linear predictors of data rows `start` to `start + rows`.

    `effects` with the codes' effects, as `with_code_effects` returns them.
    Where a parameter is one number for all rows only ``eta[j, 0]`` is set, on the scale of its link.
    """
    fill_common(model, values, start, rows, eta)
    for b in range(model.added.shape[0]):
        if model.added[b, FACTOR] == model.sorted_factor:
            _add_runs(model, model.added[b], effects, start, rows, eta)
        else:
            _add_block(model, model.added[b], effects, start, rows, eta)


@inlined
def fill_common(model: ModelData, values, start, rows, eta):
    """`fill_eta` without group effects and coded columns."""
    for j in range(model.predictors.shape[0]):
        predictor = model.predictors[j]
        out = eta[j]
        if predictor[VARIES] == 0:
            out[0] = inner_constant_link(model.links[j], values[predictor[CONSTANT]])
            continue
        intercept = values[predictor[INTERCEPT]] if predictor[INTERCEPT] >= 0 else 0.0
        if predictor[OFFSET] >= 0:
            offset = model.offsets[predictor[OFFSET], start : start + rows]
            for i in range(rows):
                out[i] = intercept + offset[i]
        else:
            for i in range(rows):
                out[i] = intercept
        coefficients = model.coefficients
        column, last = predictor[COLUMN_START], predictor[COLUMN_STOP]
        while column + 3 < last:  # four columns at a time: `out` is read and written once for them
            b0, b1 = values[coefficients[column]], values[coefficients[column + 1]]
            b2, b3 = values[coefficients[column + 2]], values[coefficients[column + 3]]
            x0 = model.matrix[column, start : start + rows]
            x1 = model.matrix[column + 1, start : start + rows]
            x2 = model.matrix[column + 2, start : start + rows]
            x3 = model.matrix[column + 3, start : start + rows]
            for i in range(rows):
                out[i] += (b0 * x0[i] + b1 * x1[i]) + (b2 * x2[i] + b3 * x3[i])
            column += 4
        while column < last:
            coefficient = values[coefficients[column]]
            x = model.matrix[column, start : start + rows]
            for i in range(rows):
                out[i] += coefficient * x[i]
            column += 1


@inlined
def _add_runs(model: ModelData, block, effects, start, rows, eta):
    """`_add_block` where the rows of segments are sorted by the block's factor: level by level."""
    out = eta[block[PREDICTOR]]
    level = model.levels[block[FACTOR], start]
    run = segment_of(model.segments, start) * block[N_LEVELS] + level
    first = 0
    while first < rows:
        stop = min(rows, model.row_starts[run + 1] - start)
        at = block[EFFECT_START] + level * block[EFFECT_STRIDE]
        for c in range(block[N_COLUMNS]):
            effect = effects[at + c]
            z_row = model.z_rows[block[COLUMN_TABLE] + c]
            part = out[first:stop]  # loops from zero over a slice vectorise, those from `first` do not
            if z_row < 0:
                for i in range(stop - first):
                    part[i] += effect
            else:
                z = model.z[z_row, start + first : start + stop]
                for i in range(stop - first):
                    part[i] += z[i] * effect
        first = stop
        run += 1
        level = level + 1 if level + 1 < block[N_LEVELS] else 0  # of the next segment


@inlined
def _add_runs_transposed(model: ModelData, block, start, rows, d_eta, effects_adjoint):
    """`_add_block_transposed` where rows are sorted by the block's factor."""
    d = d_eta[block[PREDICTOR]]
    level = model.levels[block[FACTOR], start]
    run = segment_of(model.segments, start) * block[N_LEVELS] + level
    first = 0
    while first < rows:
        stop = min(rows, model.row_starts[run + 1] - start)
        at = block[EFFECT_START] + level * block[EFFECT_STRIDE]
        for c in range(block[N_COLUMNS]):
            z_row = model.z_rows[block[COLUMN_TABLE] + c]
            if z_row < 0:
                effects_adjoint[at + c] += add_up(d[first:stop], stop - first)
            else:
                z = model.z[z_row, start + first : start + stop]
                effects_adjoint[at + c] += dot(d[first:stop], z, stop - first)
        first = stop
        run += 1
        level = level + 1 if level + 1 < block[N_LEVELS] else 0


@inlined
def _add_block(model: ModelData, block, effects, start, rows, eta):
    out = eta[block[PREDICTOR]]
    level = model.levels[block[FACTOR], start : start + rows]
    stride = block[EFFECT_STRIDE]
    for c in range(block[N_COLUMNS]):
        first = block[EFFECT_START] + c
        z_row = model.z_rows[block[COLUMN_TABLE] + c]
        if z_row < 0:
            for i in range(rows):
                out[i] += effects[first + level[i] * stride]
        else:
            z = model.z[z_row, start : start + rows]
            for i in range(rows):
                out[i] += z[i] * effects[first + level[i] * stride]


@uncounted
def add_transposed(model: ModelData, start, rows, d_eta, adjoint, effects_adjoint, constant_derivatives):
    """Add the transposed design times `d_eta` to the derivatives."""
    add_common_transposed(model, start, rows, d_eta, adjoint, constant_derivatives)
    for b in range(model.added.shape[0]):
        if model.added[b, FACTOR] == model.sorted_factor:
            _add_runs_transposed(model, model.added[b], start, rows, d_eta, effects_adjoint)
        else:
            _add_block_transposed(model, model.added[b], start, rows, d_eta, effects_adjoint)


@inlined
def add_common_transposed(model: ModelData, start, rows, d_eta, adjoint, constant_derivatives):
    """`add_transposed` without group effects and coded columns."""
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
            adjoint[model.coefficients[column]] += dot(d, x, rows)


@inlined
def _add_block_transposed(model: ModelData, block, start, rows, d_eta, effects_adjoint):
    d = d_eta[block[PREDICTOR]]
    level = model.levels[block[FACTOR], start : start + rows]
    stride = block[EFFECT_STRIDE]
    for c in range(block[N_COLUMNS]):
        first = block[EFFECT_START] + c
        z_row = model.z_rows[block[COLUMN_TABLE] + c]
        if z_row < 0:
            for i in range(rows):
                effects_adjoint[first + level[i] * stride] += d[i]
        else:
            z = model.z[z_row, start : start + rows]
            for i in range(rows):
                effects_adjoint[first + level[i] * stride] += z[i] * d[i]
