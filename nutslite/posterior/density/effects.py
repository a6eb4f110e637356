"""Group effects: from the raw numbers that are sampled to effects, their prior, and the way back.

Partial centring, per level l and column c with weight r in [0, 1] (0 non-centred, 1 centred) and a typical scale t:

    effect = location + scale / spread * v,     spread = sqrt(1 - r + r (scale / t)^2),

with v the raw number in the position, whose prior has the scale `spread` by change of variables. A level with much data
wants r near 1, a level with little data r near 0 (Papaspiliopoulos, Roberts and Skold 2007, section 3); one weight per
level serves unbalanced groups.

Where the data tell of an effect with information I, and r = I t^2 / (1 + I t^2), the posterior of a normal effect's v
is equally wide at every scale: its variance given the scale is spread^2 / (1 + I scale^2) = 1 - r. Near zero all levels
are non-centred, as they must be there, and at large scales all are centred.

For correlated columns C is the Cholesky factor of the correlation matrix, and there are two ways. Levels all of whose
weights are above one half have effects that are known well enough to carry the correlation in their prior: v / spread
has the covariance C C'. Elsewhere v / spread is standard normal and ``effect = location + scale * C (v / spread)``.

Where standard deviations differ by level (``gr(g, sd=z)``), `scale` is that of the column times the level's factor.
"""

from __future__ import annotations

import math

import numpy as np

from nutslite._numba import inlined, inner, kernel
from nutslite.posterior.record.model_data import (
    ARGUMENTS,
    COLUMN_TABLE,
    CORRELATION,
    DENSITY,
    EFFECT_START,
    EFFECT_STRIDE,
    LEVEL_FACTORS,
    LKJ_ETA,
    LOCATION_ARGUMENT,
    N_COLUMNS,
    N_LEVELS,
    SCALE_ARGUMENT,
    ModelData,
    reference_to,
)
from nutslite.priors.correlations import lkj_cholesky_gradient, lkj_cholesky_logdensity
from nutslite.priors.densities.codes import NORMAL
from nutslite.sampler.constraints.cholesky import cholesky_constrain, cholesky_pull_back
from nutslite.sampler.transition.compiling import uncounted

HALF_LOG_2PI = 0.5 * np.log(2.0 * math.pi)


def fill_effects(model: ModelData, position, values, effects):
    """Overwrite `effects` with group effects on the scale of the linear predictor; for Python."""
    _fill(reference_to(model), position, values, effects)


@kernel
def _fill(model, position, values, effects):
    fill_group_effects(model, position, values, effects)


@inner
def fill_group_effects(model: ModelData, position, values, effects):
    """As `fill_effects`, for compiled code."""
    n_head = position.shape[0] - model.centring.shape[0]
    for b in range(model.blocks.shape[0]):
        block = model.blocks[b]
        q = block[N_COLUMNS]
        if block[CORRELATION] >= 0:
            cholesky = np.empty((q, q))
            cholesky_constrain(position[block[CORRELATION] : block[CORRELATION] + q * (q - 1) // 2], cholesky)
            _fill_correlated(model, block, position[n_head:], values, cholesky, effects)
        else:
            for c in range(q):
                fill_column(model, block, c, position[n_head:], values, effects)


@uncounted
def location_and_scale(model: ModelData, block, c, values):
    """Location and scale of one column's prior; (0, 1) where its density has none."""
    row = model.block_columns[block[COLUMN_TABLE] + c]
    location = 0.0 if row[LOCATION_ARGUMENT] < 0 else values[row[ARGUMENTS + row[LOCATION_ARGUMENT]]]
    scale = 1.0 if row[SCALE_ARGUMENT] < 0 else values[row[ARGUMENTS + row[SCALE_ARGUMENT]]]
    return location, scale


@uncounted
def factor_of(block, level, values):
    """What the scales of one level are times; 1 where they are those of the columns."""
    return 1.0 if block[LEVEL_FACTORS] < 0 else values[block[LEVEL_FACTORS] + level]


@uncounted
def spread_of(r, ratio):
    """Scale of a raw effect's prior; `ratio` is the scale of the effect's prior over the typical one."""
    if r == 0.0:
        return 1.0
    if r == 1.0:
        return ratio
    return np.sqrt(1.0 - r + r * ratio * ratio)


@uncounted
def unit_of(r, scale, typical):
    """How much one unit of the raw effect changes the effect: the scale over the spread."""
    return unit_with(r, scale, typical, spread_of(r, scale / typical))


@uncounted
def unit_with(r, scale, typical, spread):
    """The same where the spread is known."""
    return typical if r == 1.0 else scale / spread


@inlined
def fill_column(model: ModelData, block, c, raw, values, effects):
    """Overwrite the effects of one column that is not correlated with others."""
    location, scale = location_and_scale(model, block, c, values)
    typical = model.typical_scales[block[COLUMN_TABLE] + c]
    base = scale / typical
    for level in range(block[N_LEVELS]):
        at = block[EFFECT_START] + level * block[EFFECT_STRIDE] + c
        r, factor = model.centring[at], factor_of(block, level, values)
        effects[at] = location + unit_with(r, scale * factor, typical, spread_of(r, base * factor)) * raw[at]


@inner
def keeps_correlation_in_prior(model: ModelData, block, level):
    """Whether this level's effects are centred enough to leave the correlation to their prior."""
    first = block[EFFECT_START] + level * block[EFFECT_STRIDE]
    least = 1.0
    for c in range(block[N_COLUMNS]):
        least = min(least, model.centring[first + c])
    return least > 0.5


@inlined
def _fill_correlated(model: ModelData, block, raw, values, cholesky, effects):
    q = block[N_COLUMNS]
    z = np.empty(q)
    for level in range(block[N_LEVELS]):
        first = block[EFFECT_START] + level * block[EFFECT_STRIDE]
        in_prior = keeps_correlation_in_prior(model, block, level)
        factor = factor_of(block, level, values)
        for c in range(q):
            location, scale = location_and_scale(model, block, c, values)
            scale *= factor
            typical = model.typical_scales[block[COLUMN_TABLE] + c]
            r = model.centring[first + c]
            z[c] = raw[first + c] / spread_of(r, scale / typical)
            if in_prior:
                effects[first + c] = location + unit_of(r, scale, typical) * raw[first + c]
            else:
                x = 0.0
                for e in range(c + 1):
                    x += cholesky[c, e] * z[e]
                effects[first + c] = location + scale * x


@inner
def add_effects_prior(model: ModelData, density, position, values, effects, adjoint, gradient):
    """Return the log prior of the raw effects (and of correlations, with their log-Jacobian).

    On entry the tail of `gradient` holds derivatives of the log likelihood with respect to the effects; it is
    overwritten with derivatives of the log density with respect to the raw effects. Derivatives with respect to
    locations, scales and other arguments are added to `adjoint`, and so are those with respect to the unconstrained
    correlations, at their places (their block transform has been pulled back).
    """
    n_head = position.shape[0] - model.centring.shape[0]
    raw = position[n_head:]
    tail = gradient[n_head:]
    total = 0.0
    for b in range(model.blocks.shape[0]):
        block = model.blocks[b]
        q = block[N_COLUMNS]
        if block[CORRELATION] >= 0:
            stop = block[CORRELATION] + q * (q - 1) // 2
            unconstrained = position[block[CORRELATION] : stop]
            squares = np.zeros((2, q, q))
            cholesky, cholesky_adjoint = squares[0], squares[1]
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


@inner
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
    typical = model.typical_scales[block[COLUMN_TABLE] + c]
    base = scale / typical
    total = -block[N_LEVELS] * HALF_LOG_2PI
    d_location = 0.0
    d_log_scale = 0.0
    for level in range(block[N_LEVELS]):
        at = block[EFFECT_START] + level * block[EFFECT_STRIDE] + c
        r, factor = model.centring[at], factor_of(block, level, values)
        ratio = base * factor
        spread = spread_of(r, ratio)
        unit = unit_with(r, scale * factor, typical, spread)
        share = r * (ratio / spread) ** 2  # d log(spread) / d log(scale)
        z = raw[at] / spread
        total -= 0.5 * z * z
        if r != 0.0:
            total -= np.log(spread)
        d_location += tail[at]
        by_log = tail[at] * (1.0 - share) * unit * raw[at] + share * (z * z - 1.0)
        d_log_scale += by_log
        if block[LEVEL_FACTORS] >= 0:
            adjoint[block[LEVEL_FACTORS] + level] += by_log / factor
        tail[at] = tail[at] * unit - z / spread
    adjoint[row[ARGUMENTS]] += d_location
    adjoint[row[ARGUMENTS + 1]] += d_log_scale / scale
    return total


@inlined
def _add_column(model: ModelData, density, block, c, raw, values, adjoint, tail):
    """Any density: v has the density with location 0 and its spread in place of location and scale."""
    row = model.block_columns[block[COLUMN_TABLE] + c]
    location_argument, scale_argument = row[LOCATION_ARGUMENT], row[SCALE_ARGUMENT]
    _, scale = location_and_scale(model, block, c, values)
    typical = model.typical_scales[block[COLUMN_TABLE] + c]
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
        r, factor = model.centring[at], factor_of(block, level, values)
        ratio = scale * factor / typical
        spread = spread_of(r, ratio)
        unit = unit_with(r, scale * factor, typical, spread)
        share = r * (ratio / spread) ** 2
        if scale_argument >= 0:
            arguments[scale_argument] = spread
        total += density(row[DENSITY], raw[at], arguments[0], arguments[1], arguments[2], arguments[3], partials)
        d_location += tail[at]
        by_log = tail[at] * (1.0 - share) * unit * raw[at]
        tail[at] = tail[at] * unit + partials[0]
        for a in range(4):
            if a == scale_argument:
                by_log += partials[1 + a] * share * spread
            elif a != location_argument:
                adjoint[row[ARGUMENTS + a]] += partials[1 + a]
        d_log_scale += by_log
        if block[LEVEL_FACTORS] >= 0:
            adjoint[block[LEVEL_FACTORS] + level] += by_log / factor
    if location_argument >= 0:
        adjoint[row[ARGUMENTS + location_argument]] += d_location
    if scale_argument >= 0:
        adjoint[row[ARGUMENTS + scale_argument]] += d_log_scale / scale
    return total


@inlined
def _add_correlated(model: ModelData, block, raw, values, effects, cholesky, cholesky_adjoint, adjoint, tail):
    """Normal effects with correlated columns."""
    q = block[N_COLUMNS]
    total = -block[N_LEVELS] * q * HALF_LOG_2PI
    scratch = np.empty((3, q))
    spread, z, d_x = scratch[0], scratch[1], scratch[2]
    for level in range(block[N_LEVELS]):
        first = block[EFFECT_START] + level * block[EFFECT_STRIDE]
        factor = factor_of(block, level, values)
        for c in range(q):
            _, scale = location_and_scale(model, block, c, values)
            r = model.centring[first + c]
            spread[c] = spread_of(r, scale * factor / model.typical_scales[block[COLUMN_TABLE] + c])
            z[c] = raw[first + c] / spread[c]
            if r != 0.0:
                total -= np.log(spread[c])
        if keeps_correlation_in_prior(model, block, level):
            total += _add_level_in_prior(
                model, block, level, values, effects, cholesky, spread, z, d_x, cholesky_adjoint, adjoint, tail
            )
        else:
            total += _add_level_apart(
                model, block, level, values, effects, cholesky, spread, z, d_x, cholesky_adjoint, adjoint, tail
            )
    return total


@inlined
def _add_level_in_prior(
    model: ModelData, block, level, values, effects, cholesky, spread, z, d_x, cholesky_adjoint, adjoint, tail
):
    """The raw numbers of one level are correlated themselves; `z` holds v / spread and is overwritten."""
    q = block[N_COLUMNS]
    first, factor = block[EFFECT_START] + level * block[EFFECT_STRIDE], factor_of(block, level, values)
    total = 0.0
    for c in range(q):
        for e in range(c):
            z[c] -= cholesky[c, e] * z[e]
        z[c] /= cholesky[c, c]
        total -= 0.5 * z[c] * z[c] + np.log(cholesky[c, c])
    # The adjoint of v / spread is C^-T (-z), by back substitution.
    for c in range(q - 1, -1, -1):
        d_x[c] = -z[c]
        for e in range(c + 1, q):
            d_x[c] -= cholesky[e, c] * d_x[e]
        d_x[c] /= cholesky[c, c]
        for e in range(c + 1):
            cholesky_adjoint[c, e] -= d_x[c] * z[e]
        cholesky_adjoint[c, c] -= 1.0 / cholesky[c, c]
    for c in range(q):
        row = model.block_columns[block[COLUMN_TABLE] + c]
        location, scale = location_and_scale(model, block, c, values)
        own, typical = scale * factor, model.typical_scales[block[COLUMN_TABLE] + c]
        r = model.centring[first + c]
        share = r * (own / typical / spread[c]) ** 2
        offset = effects[first + c] - location
        by_log = tail[first + c] * (1.0 - share) * offset - share * (1.0 + d_x[c] * offset / own)
        adjoint[row[ARGUMENTS]] += tail[first + c]
        adjoint[row[ARGUMENTS + 1]] += by_log / scale
        if block[LEVEL_FACTORS] >= 0:
            adjoint[block[LEVEL_FACTORS] + level] += by_log / factor
        tail[first + c] = tail[first + c] * unit_of(r, own, typical) + d_x[c] / spread[c]
    return total


@inlined
def _add_level_apart(
    model: ModelData, block, level, values, effects, cholesky, spread, z, d_x, cholesky_adjoint, adjoint, tail
):
    """The raw numbers of one level are independent, and C makes effects of them; `z` holds v / spread."""
    q = block[N_COLUMNS]
    first, factor = block[EFFECT_START] + level * block[EFFECT_STRIDE], factor_of(block, level, values)
    total = 0.0
    by_factor = 0.0
    for c in range(q):
        row = model.block_columns[block[COLUMN_TABLE] + c]
        location, scale = location_and_scale(model, block, c, values)
        by_log = tail[first + c] * (effects[first + c] - location)
        d_x[c] = tail[first + c] * scale * factor
        adjoint[row[ARGUMENTS]] += tail[first + c]
        adjoint[row[ARGUMENTS + 1]] += by_log / scale
        by_factor += by_log
        for e in range(c + 1):
            cholesky_adjoint[c, e] += d_x[c] * z[e]
        total -= 0.5 * z[c] * z[c]
    for c in range(q):
        row = model.block_columns[block[COLUMN_TABLE] + c]
        _, scale = location_and_scale(model, block, c, values)
        typical = model.typical_scales[block[COLUMN_TABLE] + c]
        share = model.centring[first + c] * (scale * factor / typical / spread[c]) ** 2
        d_z = -z[c]
        for e in range(c, q):
            d_z += cholesky[e, c] * d_x[e]
        by_log = share * (1.0 + z[c] * d_z)
        adjoint[row[ARGUMENTS + 1]] -= by_log / scale
        by_factor -= by_log
        tail[first + c] = d_z / spread[c]
    if block[LEVEL_FACTORS] >= 0:
        adjoint[block[LEVEL_FACTORS] + level] += by_factor / factor
    return total
