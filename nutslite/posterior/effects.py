"""Group effects: from the raw numbers that are sampled to effects, their prior, and the way back.

Partial centring, per level l and column c with weight r in [0, 1] (0 non-centred, 1 centred):

    effect = location + scale^(1 - r) * w,     w = v, or w = C v where the columns are correlated

with v the raw number in the position. The prior of v follows by change of variables. A level with much data wants
r near 1, a level with little data r near 0 (Papaspiliopoulos, Roberts and Skold 2007, section 3); one weight per
level serves unbalanced groups.

For correlated columns C is the Cholesky factor of the correlation matrix. Levels whose mean weight is above one half
leave C out of w (their effects are well known, so it is their prior that should carry the correlation).
"""

from __future__ import annotations

import math

import numpy as np

from nutslite._numba import inlined, kernel
from nutslite.posterior.model_data import (
    ARGUMENTS,
    COLUMN_TABLE,
    CORRELATION,
    DENSITY,
    EFFECT_START,
    EFFECT_STRIDE,
    LKJ_ETA,
    LOCATION_ARGUMENT,
    N_COLUMNS,
    N_LEVELS,
    SCALE_ARGUMENT,
    ModelData,
)
from nutslite.posterior.transforms import cholesky_constrain, cholesky_pull_back
from nutslite.priors.codes import NORMAL
from nutslite.priors.correlations import lkj_cholesky_gradient, lkj_cholesky_logdensity

HALF_LOG_2PI = 0.5 * np.log(2.0 * math.pi)


@kernel
def fill_effects(model: ModelData, position, values, effects):
    """Overwrite `effects` with group effects on the scale of the linear predictor."""
    n_head = model.head.transforms.shape[0]
    for b in range(model.blocks.shape[0]):
        block = model.blocks[b]
        q = block[N_COLUMNS]
        if block[CORRELATION] >= 0:
            cholesky = np.empty((q, q))
            cholesky_constrain(position[block[CORRELATION] : block[CORRELATION] + q * (q - 1) // 2], cholesky)
            _fill_correlated(model, block, position[n_head:], values, cholesky, effects)
        else:
            for c in range(q):
                _fill_column(model, block, c, position[n_head:], values, effects)


@kernel
def location_and_scale(model: ModelData, block, c, values):
    """Location and scale of one column's prior; (0, 1) where its density has none."""
    row = model.block_columns[block[COLUMN_TABLE] + c]
    location = 0.0 if row[LOCATION_ARGUMENT] < 0 else values[row[ARGUMENTS + row[LOCATION_ARGUMENT]]]
    scale = 1.0 if row[SCALE_ARGUMENT] < 0 else values[row[ARGUMENTS + row[SCALE_ARGUMENT]]]
    return location, scale


@kernel
def power(scale, exponent):
    """``scale ** exponent`` without a call where the exponent is 0 or 1."""
    if exponent == 0.0:
        return 1.0
    if exponent == 1.0:
        return scale
    return scale**exponent


@inlined
def _fill_column(model: ModelData, block, c, raw, values, effects):
    location, scale = location_and_scale(model, block, c, values)
    for level in range(block[N_LEVELS]):
        at = block[EFFECT_START] + level * block[EFFECT_STRIDE] + c
        effects[at] = location + power(scale, 1.0 - model.centring[at]) * raw[at]


@kernel
def keeps_correlation_in_prior(model: ModelData, block, level):
    """Whether this level's effects are centred enough to leave the correlation to their prior."""
    first = block[EFFECT_START] + level * block[EFFECT_STRIDE]
    total = 0.0
    for c in range(block[N_COLUMNS]):
        total += model.centring[first + c]
    return total > 0.5 * block[N_COLUMNS]


@inlined
def _fill_correlated(model: ModelData, block, raw, values, cholesky, effects):
    q = block[N_COLUMNS]
    for level in range(block[N_LEVELS]):
        first = block[EFFECT_START] + level * block[EFFECT_STRIDE]
        in_prior = keeps_correlation_in_prior(model, block, level)
        for c in range(q):
            location, scale = location_and_scale(model, block, c, values)
            w = raw[first + c]
            if not in_prior:
                w = 0.0
                for e in range(c + 1):
                    w += cholesky[c, e] * raw[first + e]
            effects[first + c] = location + power(scale, 1.0 - model.centring[first + c]) * w


@kernel
def add_effects_prior(model: ModelData, density, position, values, effects, adjoint, gradient):
    """Return the log prior of the raw effects (and of correlations, with their log-Jacobian).

    On entry the tail of `gradient` holds derivatives of the log likelihood with respect to the effects; it is
    overwritten with derivatives of the log density with respect to the raw effects. Derivatives with respect to
    locations, scales and other arguments are added to `adjoint`, and so are those with respect to the unconstrained
    correlations, at their places (their block transform has been pulled back).
    """
    n_head = model.head.transforms.shape[0]
    raw = position[n_head:]
    tail = gradient[n_head:]
    total = 0.0
    for b in range(model.blocks.shape[0]):
        block = model.blocks[b]
        q = block[N_COLUMNS]
        if block[CORRELATION] >= 0:
            stop = block[CORRELATION] + q * (q - 1) // 2
            unconstrained = position[block[CORRELATION] : stop]
            cholesky = np.empty((q, q))
            cholesky_adjoint = np.zeros((q, q))
            total += cholesky_constrain(unconstrained, cholesky)
            total += _add_correlated(model, block, raw, values, effects, cholesky, cholesky_adjoint, adjoint, tail)
            total += add_lkj(cholesky, values, block[LKJ_ETA], cholesky_adjoint, adjoint)
            cholesky_pull_back(unconstrained, cholesky, cholesky_adjoint, adjoint[block[CORRELATION] : stop])
        else:
            for c in range(q):
                if model.block_columns[block[COLUMN_TABLE] + c, DENSITY] == NORMAL:
                    total += _add_normal_column(model, block, c, raw, values, adjoint, tail)
                else:
                    total += _add_column(model, density, block, c, raw, values, adjoint, tail)
    return total


@kernel
def add_lkj(cholesky, values, eta, cholesky_adjoint, adjoint):
    """Return the LKJ log density with the shape ``values[eta]``; add its derivatives to both adjoints."""
    derivative = np.empty(cholesky.shape)
    adjoint[eta] += lkj_cholesky_gradient(cholesky, values[eta], derivative)
    for c in range(cholesky.shape[0]):
        cholesky_adjoint[c, c] += derivative[c, c]
    return lkj_cholesky_logdensity(cholesky, values[eta])


@inlined
def _add_normal_column(model: ModelData, block, c, raw, values, adjoint, tail):
    row = model.block_columns[block[COLUMN_TABLE] + c]
    scale = values[row[ARGUMENTS + 1]]
    log_scale = np.log(scale)
    total = -block[N_LEVELS] * HALF_LOG_2PI
    d_location = 0.0
    d_log_scale = 0.0
    for level in range(block[N_LEVELS]):
        at = block[EFFECT_START] + level * block[EFFECT_STRIDE] + c
        r = model.centring[at]
        factor = power(scale, 1.0 - r)
        z = raw[at] / power(scale, r)
        total -= 0.5 * z * z + r * log_scale
        d_location += tail[at]
        d_log_scale += tail[at] * (1.0 - r) * factor * raw[at] + r * (z * z - 1.0)
        tail[at] = tail[at] * factor - z / power(scale, r)
    adjoint[row[ARGUMENTS]] += d_location
    adjoint[row[ARGUMENTS + 1]] += d_log_scale / scale
    return total


@inlined
def _add_column(model: ModelData, density, block, c, raw, values, adjoint, tail):
    """Any density: v has the density with location 0 and scale^r in place of its location and scale."""
    row = model.block_columns[block[COLUMN_TABLE] + c]
    location_argument, scale_argument = row[LOCATION_ARGUMENT], row[SCALE_ARGUMENT]
    _, scale = location_and_scale(model, block, c, values)
    arguments = np.empty(4)
    for a in range(4):
        arguments[a] = values[row[ARGUMENTS + a]]
    if location_argument >= 0:
        arguments[location_argument] = 0.0
    partials = np.empty(5)
    total = 0.0
    d_location = 0.0
    d_log_scale = 0.0
    for level in range(block[N_LEVELS]):
        at = block[EFFECT_START] + level * block[EFFECT_STRIDE] + c
        r = model.centring[at]
        factor = power(scale, 1.0 - r)
        if scale_argument >= 0:
            arguments[scale_argument] = power(scale, r)
        total += density(row[DENSITY], raw[at], arguments[0], arguments[1], arguments[2], arguments[3], partials)
        d_location += tail[at]
        d_log_scale += tail[at] * (1.0 - r) * factor * raw[at]
        tail[at] = tail[at] * factor + partials[0]
        for a in range(4):
            if a == scale_argument:
                d_log_scale += partials[1 + a] * r * arguments[a]
            elif a != location_argument:
                adjoint[row[ARGUMENTS + a]] += partials[1 + a]
    if location_argument >= 0:
        adjoint[row[ARGUMENTS + location_argument]] += d_location
    if scale_argument >= 0:
        adjoint[row[ARGUMENTS + scale_argument]] += d_log_scale / scale
    return total


@inlined
def _add_correlated(model: ModelData, block, raw, values, effects, cholesky, cholesky_adjoint, adjoint, tail):
    """Normal effects with correlated columns: z = C^-1 scale^-r w is standard normal."""
    q = block[N_COLUMNS]
    total = -block[N_LEVELS] * q * HALF_LOG_2PI
    z = np.empty(q)
    d_w = np.empty(q)
    for level in range(block[N_LEVELS]):
        first = block[EFFECT_START] + level * block[EFFECT_STRIDE]
        in_prior = keeps_correlation_in_prior(model, block, level)
        total += _standardise(model, block, level, in_prior, raw, values, cholesky, z)
        # Adjoint of x = scale^-r w is C^-T (-z), by back substitution.
        for c in range(q - 1, -1, -1):
            d_x = -z[c]
            for e in range(c + 1, q):
                d_x -= cholesky[e, c] * d_w[e]
            d_w[c] = d_x / cholesky[c, c]
        for c in range(q):
            for e in range(c + 1):
                cholesky_adjoint[c, e] -= d_w[c] * z[e]
            if in_prior:
                cholesky_adjoint[c, c] -= 1.0 / cholesky[c, c]
        _pull_back_scales(model, block, level, in_prior, raw, values, effects, cholesky, d_w, adjoint, tail)
        for c in range(q):
            if not in_prior:
                for e in range(c + 1):
                    cholesky_adjoint[c, e] += d_w[c] * raw[first + e]
        for c in range(q):
            d_raw = d_w[c]
            if not in_prior:
                d_raw = 0.0
                for e in range(c, q):
                    d_raw += cholesky[e, c] * d_w[e]
            tail[first + c] = d_raw
    return total


@inlined
def _standardise(model: ModelData, block, level, in_prior, raw, values, cholesky, z):
    """Overwrite `z` with C^-1 scale^-r w; return -z'z/2 plus the log determinant of that map."""
    first = block[EFFECT_START] + level * block[EFFECT_STRIDE]
    total = 0.0
    for c in range(block[N_COLUMNS]):
        _, scale = location_and_scale(model, block, c, values)
        r = model.centring[first + c]
        w = raw[first + c]
        if not in_prior:
            w = 0.0
            for e in range(c + 1):
                w += cholesky[c, e] * raw[first + e]
        x = w / power(scale, r)
        for e in range(c):
            x -= cholesky[c, e] * z[e]
        z[c] = x / cholesky[c, c]
        total -= 0.5 * z[c] * z[c]
        if r != 0.0:
            total -= r * np.log(scale)
        if in_prior:
            total -= np.log(cholesky[c, c])
    return total


@inlined
def _pull_back_scales(model: ModelData, block, level, in_prior, raw, values, effects, cholesky, d_w, adjoint, tail):
    """Turn `d_w` from the adjoint of x into that of w (likelihood included); add those of locations and scales."""
    first = block[EFFECT_START] + level * block[EFFECT_STRIDE]
    for c in range(block[N_COLUMNS]):
        row = model.block_columns[block[COLUMN_TABLE] + c]
        location, scale = location_and_scale(model, block, c, values)
        r = model.centring[first + c]
        factor = power(scale, 1.0 - r)
        offset = effects[first + c] - location  # scale^(1-r) w
        d_x_times_x = d_w[c] * offset / scale
        adjoint[row[ARGUMENTS]] += tail[first + c]
        adjoint[row[ARGUMENTS + 1]] += (tail[first + c] * (1.0 - r) * offset - r * (1.0 + d_x_times_x)) / scale
        d_w[c] = d_w[c] / power(scale, r) + tail[first + c] * factor
