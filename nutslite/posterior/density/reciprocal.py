"""Curves from one piece of a posterior to another, along which the reciprocal of one row's predictor moves evenly.

Under the inverse link of a mean that may be any number the predictor's pole is where the mean jumps from one end of the
real line to the other; at a mean of zero, the predictor being infinite, it does not jump. So on a straight line of
coefficients and effects, closed at infinity, the reciprocal m of one row's predictor e is the coordinate to step in:
from a mean that fits to one that is nearly zero is a short way, and through zero another, with predictors of the other
sign. Of the line ``z + s d`` with ``e + s x'd = 1 / m`` the volume is ``|ds / dm| = 1 / (m^2 |x'd|)``.

Two other kinds of curves leave all predictors as they are, so that only priors end a slice: a scale of effects moves,
and raw effects so that the effects stay; all levels' effects move, and a coefficient against them.

The lines are straight in the position, but for the first of these. A state is in the coordinates of `warp`, which the
way there and back respects.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import INDEX_VECTOR, MATRIX, VECTOR, kernel_with_signature
from nutslite.posterior.density.effects import fill_column, location_and_scale, unit_of
from nutslite.posterior.density.predictor import fill_eta
from nutslite.posterior.density.warped import place_intercept
from nutslite.posterior.density.warped_value import VALUE_DATA
from nutslite.posterior.record.head import constrain_head
from nutslite.posterior.record.model_data import COLUMN_TABLE, EFFECT_START, EFFECT_STRIDE, N_COLUMNS, N_LEVELS
from nutslite.posterior.record.warp import FREE, basis, combine, divide, unstretch, untable
from nutslite.sampler.tempering import curve_signature
from nutslite.sampler.transition.compiling import uncounted

FloatArray = NDArray[np.float64]

MEAN, PREDICTOR, SLOPE, WIDTH, NUMBERS = range(5)
"""Of a curve's row the mean, the predictor and its slope along the line; of the tables the log determinant."""


ALONE, EFFECTS_STAY, LEVELS_SHIFT = -1, -2, -3
"""In a predictor's place where no reciprocal moves: one parameter does; its effects stay, too; all levels do."""


class Reciprocals(NamedTuple):
    """Lines, and what an evaluation overwrites: all but the first three."""

    directions: FloatArray  # (curves, dimension) of the position
    rows: NDArray[np.int64]  # (curves,) the row whose predictor's reciprocal moves evenly, or the levels' column
    predictors: NDArray[np.int64]  # (curves,) which predictor; below zero the step is that along the line itself
    start: FloatArray  # (dimension,) the state's position
    moved: FloatArray  # (dimension,)
    numbers: FloatArray  # (NUMBERS,)
    center: FloatArray  # (m,) of the tables, at the state
    diagonal: FloatArray  # (m,)
    lower: FloatArray  # (m (m - 1) / 2,)


RECIPROCALS = types.NamedTuple([MATRIX, INDEX_VECTOR, INDEX_VECTOR, *(VECTOR,) * 6], Reciprocals)
CURVE_DATA = types.Tuple([VALUE_DATA, RECIPROCALS])
"""Type of what a curve receives: the density's data, and the lines."""


def reciprocals_for(dimension: int, members: int, lines: tuple[FloatArray, Any, Any]) -> Reciprocals:
    """The record for one chain; `lines` are directions, rows and predictors."""
    directions, rows, predictors = lines
    return Reciprocals(
        np.ascontiguousarray(directions, dtype=float).reshape(-1, dimension),
        np.asarray(rows, dtype=np.int64),
        np.asarray(predictors, dtype=np.int64),
        np.empty(dimension),
        np.empty(dimension),
        np.empty(NUMBERS),
        np.empty(members),
        np.empty(members),
        np.empty(members * (members - 1) // 2),
    )


@functools.cache
def compiled_reciprocal() -> Callable[..., float]:
    """`reciprocal_curve` for the one type of data that all models have."""
    return kernel_with_signature(reciprocal_curve, curve_signature(CURVE_DATA))


def reciprocal_curve(which: Any, state: Any, step: Any, out: Any, data: Any) -> float:
    """Overwrite `out` with the point at which the row's mean is larger by `step`; see `tempering.curve_signature`."""
    return _curve(which, state, step, out, data)  # type: ignore[no-any-return]


@uncounted
def _curve(which, state, step, out, data):
    value_data, lines = data
    model, scratch = value_data[0], value_data[3]
    warp, numbers = model.warp, lines.numbers
    if step == 0.0:
        _begin(which, state, model, scratch, lines)
    along, volume = _along(lines.predictors[which], step, numbers)
    if not math.isfinite(volume):
        return -math.inf
    for i in range(out.shape[0]):
        lines.moved[i] = lines.start[i] + along * lines.directions[which, i]
        out[i] = state[i]
    if lines.predictors[which] == EFFECTS_STAY:
        volume += _keep_effects(model, scratch.values, lines)
    elif lines.predictors[which] == LEVELS_SHIFT:
        _shift_levels(model, scratch.values, lines, lines.rows[which], along)
    if warp.given.shape[0] > 0 and lines.directions[which, warp.given[0]] != 0.0:
        t = lines.moved[warp.given[0]]
        out[warp.given[0]] = (t - warp.scale[0]) / warp.scale[1]
        numbers[WIDTH] = _read_tables(warp, t, scratch.weights, lines)
    y = scratch.members[1]
    for k in range(y.shape[0]):
        y[k] = lines.moved[warp.members[k]] - lines.center[k]
    divide(lines.lower, lines.diagonal, y)
    volume -= unstretch(warp, y) + numbers[WIDTH]
    for k in range(y.shape[0]):
        out[warp.members[k]] = y[k]
    return volume


@uncounted
def _along(predictor, step, numbers):
    """How far along the line a step leads, and the logarithm of how much volume that covers."""
    if predictor <= ALONE:
        return step, 0.0
    mean = numbers[MEAN] + step
    if mean == 0.0 or numbers[SLOPE] == 0.0 or not math.isfinite(mean):
        return 0.0, -math.inf
    along = 0.0 if step == 0.0 else (1.0 / mean - numbers[PREDICTOR]) / numbers[SLOPE]
    return along, -2.0 * math.log(abs(mean))


@uncounted
def _begin(which, state, model, scratch, lines):
    """Where the state is, and how its row's predictor changes along the line."""
    untable(model.warp, state, lines.start, scratch.members, scratch.weights, scratch.lower)
    t = lines.start[model.warp.given[0]] if model.warp.given.shape[0] > 0 else 0.0
    numbers = lines.numbers
    numbers[WIDTH] = _read_tables(model.warp, t, scratch.weights, lines)
    if lines.predictors[which] <= ALONE:
        return
    for i in range(lines.moved.shape[0]):
        lines.moved[i] = lines.start[i] + lines.directions[which, i]
    numbers[PREDICTOR] = _predictor(which, lines.start, model, scratch, lines)
    numbers[SLOPE] = _predictor(which, lines.moved, model, scratch, lines) - numbers[PREDICTOR]
    numbers[MEAN] = 1.0 / numbers[PREDICTOR] if numbers[PREDICTOR] != 0.0 else math.inf


@uncounted
def _read_tables(warp, t, weights, lines):
    """Conditional mode and factor at `t`; return the logarithm of the factor's determinant."""
    first = basis(warp.knots, t, weights)
    combine(warp.centers, first, weights, 0, lines.center)
    combine(warp.logs, first, weights, 0, lines.diagonal)
    combine(warp.lowers, first, weights, 0, lines.lower)
    total = 0.0
    for k in range(lines.diagonal.shape[0]):
        total += lines.diagonal[k]
        lines.diagonal[k] = math.exp(lines.diagonal[k])
    return total


@uncounted
def _predictor(which, position, model, scratch, lines):
    """Of the row that the curve is about."""
    values, effects = scratch.values, scratch.effects
    constrain_head(position, model.head, values)
    raw = position[model.head.transforms.shape[0] :]
    for b in range(model.blocks.shape[0]):
        for c in range(model.blocks[b, N_COLUMNS]):
            fill_column(model, model.blocks[b], c, raw, values, effects)
    if model.warp.kind != FREE:
        place_intercept(model, values, effects, scratch.rows[0], scratch.eta, scratch.bend)
    fill_eta(model, values, effects, 0, scratch.pointwise.shape[0], scratch.eta)
    return scratch.eta[lines.predictors[which], lines.rows[which]]


@uncounted
def _keep_effects(model, values, lines):
    """Change raw effects so that effects are those of the start; return how much volume that covers."""
    constrain_head(lines.start, model.head, values)
    _raw_times_units(model, values, lines.moved, 1.0)
    constrain_head(lines.moved, model.head, values)
    return _raw_times_units(model, values, lines.moved, -1.0)


@uncounted
def _raw_times_units(model, values, position, power):
    """Multiply raw effects by a power, one or minus one, of their units; return the sum of the factors' logarithms."""
    first = model.head.transforms.shape[0]
    total = 0.0
    for b in range(model.blocks.shape[0]):
        block = model.blocks[b]
        for c in range(block[N_COLUMNS]):
            _, scale = location_and_scale(model, block, c, values)
            typical = model.typical_scales[block[COLUMN_TABLE] + c]
            for level in range(block[N_LEVELS]):
                at = block[EFFECT_START] + level * block[EFFECT_STRIDE] + c
                factor = unit_of(model.centring[at], scale, typical)
                factor = factor if power > 0.0 else 1.0 / factor
                position[first + at] *= factor
                total += math.log(factor)
    return total


@uncounted
def _shift_levels(model, values, lines, column, step):
    """Lower the effects of a column, at all its levels, by a step."""
    constrain_head(lines.start, model.head, values)
    first = model.head.transforms.shape[0]
    for b in range(model.blocks.shape[0]):
        block = model.blocks[b]
        for c in range(block[N_COLUMNS]):
            if block[COLUMN_TABLE] + c == column:
                _, scale = location_and_scale(model, block, c, values)
                typical = model.typical_scales[column]
                for level in range(block[N_LEVELS]):
                    at = block[EFFECT_START] + level * block[EFFECT_STRIDE] + c
                    lines.moved[first + at] -= step / unit_of(model.centring[at], scale, typical)
