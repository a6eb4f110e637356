"""The log density of models whose group effects are those of one factor, one a level, with these integrated out.

    log p(head) + sum over levels of log integral p(rows of the level | head, effect) p(effect | head) d effect

Every integral is taken on a grid around the level's mode, which is about known, or found by secant steps. With uniform
numbers the effects are drawn, too, from the densities of `pieces`, and the log density returned is exact: that of head
and effects together, less the log density of the draws. It differs from the integral by as much as these pieces differ
from the effects' conditional distributions.

Source: adaptive quadrature around each level's mode, Pinheiro and Bates (1995), section 3.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import CUBE, MATRIX, VECTOR, kernel_with_signature, without_dispatch
from nutslite._special import exp
from nutslite.families.record.censoring import LOGLIKS
from nutslite.posterior.density.effects import HALF_LOG_2PI, location_and_scale
from nutslite.posterior.density.predictor import (
    ROWS_PER_BLOCK,
    add_up,
    call_kernel,
    fill_code_effects,
    fill_eta,
    n_code_effects,
    rows_together,
    segment_of,
)
from nutslite.posterior.integrals.pieces import Pieces, draw_from_pieces, fill_pieces
from nutslite.posterior.nodes.program import PRIORS, fill_derived
from nutslite.posterior.record.head import add_head_priors, constrain_head
from nutslite.posterior.record.model_data import (
    COLUMN_TABLE,
    FACTOR,
    MODEL_REFERENCE,
    N_LEVELS,
    PREDICTOR,
    VARIES,
    ModelData,
)
from nutslite.priors.densities.densities import density_at
from nutslite.sampler.transition.compiling import uncounted

FloatArray = NDArray[np.float64]

BESIDE = 0.7  # standard deviations from where a level's mode is looked for to two points that tell its slope
NEAR = 0.75  # standard deviations that a mode may be away from there; otherwise it is looked for again
AWAY = 0.02  # share of levels that may be farther away, but on their grids
MOST_STEPS = 30
FARTHEST = 8.0  # standard deviations of the prior that a predicted mode may be away from its location
ONE, TWO = np.int64(1), np.int64(2)  # a plain 1 has a type of its own, for which Numba compiles all once more
LARGEST_STEP = 3.0  # times the sd of the prior, or 1
LARGEST_CURVATURE = 1e200  # a slope may overflow
NARROWEST, WIDEST = 0.1, 5.0  # slope at an end, of a normal density's, where a standard deviation is about right
FEWEST_PIECES, MOST_PIECES = 4.0, 16.0  # between two nodes
PIECES = 1.6  # by a standard deviation, times the fourth root of the number of levels


class Modes(NamedTuple):
    """What is known of the levels' effects beforehand: nothing, or modes at nodes of one parameter t.

    Between nodes, and beside them, modes are about linear. Where they are not near enough, they are looked for.
    """

    centers: FloatArray  # (k, levels) modes
    log_sds: FloatArray  # (k, levels) logarithms of standard deviations
    nodes: FloatArray  # (k,) values of t, in equal distances; or length 0, where all modes have to be looked for
    heads: FloatArray  # (k, n_head) positions of all parameters there
    slopes: FloatArray  # (k, n_head, levels) derivatives of the modes by the other parameters
    along: int  # which one is t
    grid: int  # nodes of each level's integral, an odd number
    apart: float  # the distance between two of these, in standard deviations


MODES = types.NamedTuple([MATRIX, MATRIX, VECTOR, MATRIX, CUBE, types.int64, types.int64, types.float64], Modes)
INTEGRAL_DATA = types.Tuple([MODEL_REFERENCE, PRIORS, LOGLIKS, MODES])
"""Type of what `level_integrals` receives: that of the joint density, and what is known of the levels' effects."""


@functools.cache
def compiled_level_integrals() -> Callable[..., None]:
    """`level_integrals` for the one type of data that all models have."""
    signature = types.void(MATRIX, INTEGRAL_DATA, VECTOR, MATRIX)
    return without_dispatch(kernel_with_signature(level_integrals, signature), signature)


def level_integrals(positions: Any, data: Any, out: Any, found: Any) -> None:
    """Overwrite `out` (m,) with log densities of positions (m, n_head), or (m, n_head + levels) with uniform numbers.

    Uniform numbers are overwritten by raw effects, which are fully centred. `found` (2, levels) is overwritten with the
    modes and standard deviations of the last position's effects.
    """
    model, (derived, address), logliks, modes = data
    head, density = model.head, density_at(address)
    n_head = head.transforms.shape[0]
    block = model.blocks[0]
    levels, n = block[N_LEVELS], model.y.shape[1]
    k, width = model.predictors.shape[0], min(ROWS_PER_BLOCK, n)
    values = np.empty(n_head + head.fixed.shape[0])
    adjoint, partials = np.empty(values.shape[0]), np.empty(5)
    effects = np.zeros(levels + n_code_effects(model))
    eta, d_eta = np.empty((k, width)), np.empty((k, width))
    pointwise, own = np.empty(width), np.empty(width)
    varies = np.empty(k, np.int64)
    for j in range(k):
        varies[j] = model.predictors[j, VARIES]
    grid, apart, middle = modes.grid, modes.apart, modes.grid // 2
    points, logs, slopes = np.empty((grid, levels)), np.empty((grid, levels)), np.empty((grid, levels))
    n_points = (grid - 1) * np.int64(min(max(PIECES * apart * levels**0.25, FEWEST_PIECES), MOST_PIECES)) + 1
    pieces = Pieces(np.empty((n_points, levels)), np.empty((2, levels)), np.empty(levels), np.empty(levels))
    for i in range(positions.shape[0]):
        position = positions[i]
        total = constrain_head(position[:n_head], head, values)
        total += fill_derived(head.nodes, derived, values)
        total += add_head_priors(head, density, values, adjoint, partials)
        for j in range(levels, effects.shape[0]):
            effects[j] = 0.0
        fill_code_effects(model.codes, values, effects)
        location, scale = location_and_scale(model, block, 0, values)
        known = modes.nodes.shape[0] > 0
        if not known:
            for j in range(levels):
                found[0, j], found[1, j] = location, min(1.0, scale)
        else:
            _predict_modes(modes, position, n_head, location, scale, found)
        searching = True
        while searching:
            if not known:
                _find_modes(
                    model, logliks, values, effects, location, scale, found, points, logs, slopes, eta, d_eta,
                    pointwise, own, varies,
                )  # fmt: skip
            for node in range(grid):
                for j in range(levels):
                    points[node, j] = found[0, j] + (node - middle) * apart * found[1, j]
            _add_rows(model, logliks, values, effects, grid, points, logs, slopes, eta, d_eta, pointwise, own, varies)
            _add_prior(location, scale, points, logs, slopes)
            searching = known and not _are_near(slopes, found[1], apart)
            known = False
        for node in range(grid):
            for j in range(levels):
                slopes[node, j] *= apart * found[1, j]
        fill_pieces(logs, slopes, pieces)
        if position.shape[0] == n_head:
            for j in range(levels):
                total += pieces.tops[j] + np.log(pieces.totals[j] * apart * found[1, j] / scale) - HALF_LOG_2PI
        else:
            for j in range(levels):
                x, log_density = draw_from_pieces(pieces, grid, j, position[n_head + j])
                points[0, j] = found[0, j] + (x - middle) * apart * found[1, j]
                total -= log_density - np.log(apart * found[1, j])
            _add_rows(model, logliks, values, effects, ONE, points, logs, slopes, eta, d_eta, pointwise, own, varies)
            typical = model.typical_scales[block[COLUMN_TABLE]]
            for j in range(levels):
                z = (points[0, j] - location) / scale
                total += logs[0, j] - 0.5 * z * z - np.log(scale) - HALF_LOG_2PI
                position[n_head + j] = (points[0, j] - location) / typical
        out[i] = total


@uncounted
def _add_prior(location, scale, points, logs, slopes):
    """Add the log prior of effects, without its constant, and its derivatives."""
    for node in range(points.shape[0]):
        point, log, slope = points[node], logs[node], slopes[node]
        for j in range(point.shape[0]):
            z = (point[j] - location) / scale
            log[j] -= 0.5 * z * z
            slope[j] -= z / scale


@uncounted
def _are_near(slopes, sds, apart):
    """Whether all levels have their modes on grids of about the right width and most near the middle, by slopes."""
    middle = slopes.shape[0] // 2
    first, center, last = slopes[0], slopes[middle], slopes[slopes.shape[0] - 1]
    outside, away = 0, 0
    for j in range(sds.shape[0]):
        least = min(first[j], -last[j]) * sds[j] / (middle * apart)
        outside += 0 if NARROWEST < least < WIDEST else 1
        away += 0 if abs(center[j]) * sds[j] < NEAR else 1
    return outside == 0 and away <= AWAY * sds.shape[0]


@uncounted
def _predict_modes(modes: Modes, position, n_head, location, scale, found):
    """Overwrite `found` (2, levels) with modes and standard deviations as they are about expected."""
    nodes, along = modes.nodes, modes.along
    place = (position[along] - nodes[0]) / (nodes[1] - nodes[0])
    place = min(max(place, 0.0), nodes.shape[0] - 1.0)
    k = min(np.int64(place), nodes.shape[0] - 2)
    t = place - k
    for j in range(found.shape[1]):
        found[0, j] = (1.0 - t) * modes.centers[k, j] + t * modes.centers[k + 1, j]
        found[1, j] = min(scale, exp((1.0 - t) * modes.log_sds[k, j] + t * modes.log_sds[k + 1, j]))
    for d in range(n_head):
        if d != along:
            moved = position[d] - ((1.0 - t) * modes.heads[k, d] + t * modes.heads[k + 1, d])
            low, high = modes.slopes[k, d], modes.slopes[k + 1, d]
            for j in range(found.shape[1]):
                found[0, j] += moved * ((1.0 - t) * low[j] + t * high[j])
    for j in range(found.shape[1]):
        found[0, j] = min(max(found[0, j], location - FARTHEST * scale), location + FARTHEST * scale)


@uncounted
def _find_modes(
    model, logliks, values, effects, location, scale, found, points, logs, slopes, eta, d_eta, pointwise, own, varies
):
    """Overwrite `found` (2, levels) with modes and standard deviations of effects, from those that are there on."""
    precision = 1.0 / (scale * scale)
    largest = LARGEST_STEP * min(1.0, scale)
    for _ in range(MOST_STEPS):
        for j in range(found.shape[1]):
            points[0, j] = found[0, j] - BESIDE * found[1, j]
            points[1, j] = found[0, j] + BESIDE * found[1, j]
        _add_rows(model, logliks, values, effects, TWO, points, logs, slopes, eta, d_eta, pointwise, own, varies)
        farthest = 0.0
        for j in range(found.shape[1]):
            center, sd = found[0, j], found[1, j]
            curvature = max(0.0, slopes[0, j] - slopes[1, j]) / (2.0 * BESIDE * sd) + precision
            curvature = min(curvature, LARGEST_CURVATURE)
            slope = 0.5 * (slopes[0, j] + slopes[1, j]) - (center - location) * precision
            new = 1.0 / math.sqrt(curvature)
            step = slope / curvature
            if not abs(step) < largest:
                step = math.copysign(largest, step)
            farthest = max(farthest, abs(step) / new)
            found[0, j], found[1, j] = center + step, new
        if farthest < NEAR:
            break


@uncounted
def _add_rows(
    model: ModelData, logliks, values, effects, nodes, points, logs, slopes, eta, d_eta, pointwise, own, varies
):
    """Overwrite `nodes` rows of `logs` and `slopes` with log likelihoods of levels whose effects are `points`."""
    part = model.added[0]
    for node in range(nodes):
        for j in range(part[N_LEVELS]):
            logs[node, j] = 0.0
            slopes[node, j] = 0.0
    n, width = model.y.shape[1], pointwise.shape[0]
    p = part[PREDICTOR]
    level = model.levels[part[FACTOR]]
    z_row = model.z_rows[part[COLUMN_TABLE]]
    z = model.z[z_row] if z_row >= 0 else own[:0]
    start = np.int64(0)
    while start < n:
        rows = rows_together(model.segments, start, min(width, n - start))
        fill_eta(model, values, effects, start, rows, eta)
        for i in range(rows):
            own[i] = eta[p, i]
        out = pointwise[:rows]
        for node in range(nodes):
            _set_row(eta[p], own, level[start : start + rows], points[node], z, start, rows)
            call_kernel(model, logliks, start, eta, varies, out, d_eta)
            _add_up_levels(model, part, out, d_eta[p], start, logs[node], slopes[node])
        start += rows


@uncounted
def _set_row(eta, own, level, effect, z, start, rows):
    """Overwrite `eta` with a predictor without effects plus those of its rows' levels."""
    if z.shape[0] == 0:
        for i in range(rows):
            eta[i] = own[i] + effect[level[i]]
    else:
        factor = z[start : start + rows]
        for i in range(rows):
            eta[i] = own[i] + effect[level[i]] * factor[i]


@uncounted
def _add_up_levels(model: ModelData, part, logliks, d_eta, start, logs, slopes):
    """Add rows' log likelihoods to those of their levels, derivatives by the predictor to slopes by the effect."""
    rows = logliks.shape[0]
    z_row = model.z_rows[part[COLUMN_TABLE]]
    level = model.levels[part[FACTOR], start : start + rows]
    if z_row >= 0:
        factor = model.z[z_row, start : start + rows]
        for i in range(rows):
            d_eta[i] *= factor[i]
    if part[FACTOR] != model.sorted_factor:
        for i in range(rows):
            logs[level[i]] += logliks[i]
            slopes[level[i]] += d_eta[i]
        return
    run = segment_of(model.segments, start) * part[N_LEVELS] + level[0]
    j, first = level[0], 0
    while first < rows:
        stop = min(rows, model.row_starts[run + 1] - start)
        logs[j] += add_up(logliks[first:stop], stop - first)
        slopes[j] += add_up(d_eta[first:stop], stop - first)
        first = stop
        run += 1
        j = j + 1 if j + 1 < part[N_LEVELS] else 0  # of the next segment
