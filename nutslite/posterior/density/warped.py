"""The joint density of small models in the coordinates of `warp`, for NUTS and for proposals."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from nutslite._numba import MATRIX, VECTOR, kernel_with_signature
from nutslite.posterior.density.effects import add_effects_prior, fill_group_effects
from nutslite.posterior.density.joint import JOINT_DATA
from nutslite.posterior.density.predictor import add_transposed, fill_eta
from nutslite.posterior.density.shared_rows import add_loglik
from nutslite.posterior.record.head import add_head_priors, constrain_head, pull_back_head
from nutslite.posterior.record.model_data import COEFFICIENTS, MODEL_REFERENCE, N_COEFFICIENTS, ModelData
from nutslite.posterior.record.warp import (
    FREE,
    UNIT,
    distance_of,
    mean_slopes,
    pull_back_tables,
    raise_above,
    untable,
)
from nutslite.priors.densities.densities import density_at
from nutslite.sampler.transition.compiling import uncounted

VECTORS = 6  # of scratch, of the members' length
SPREAD, SHRINK, DISTANCE, LOW, HIGH, BEND = range(6)
"""Of the predictors, of the coefficients, of the smallest predictor from zero; the rows of the smallest and largest."""


@functools.cache
def compiled_warped() -> Callable[..., float]:
    """`warped_logdensity` for the one type of data that all models have."""
    return kernel_with_signature(warped_logdensity, types.float64(VECTOR, VECTOR, JOINT_DATA))


@functools.cache
def compiled_warped_natural() -> Callable[..., None]:
    """`_warped_natural` for all models."""
    return kernel_with_signature(_warped_natural, types.void(MATRIX, MODEL_REFERENCE, MATRIX, MATRIX))


def _warped_natural(coordinates: Any, model: Any, out_values: Any, out_effects: Any) -> None:
    """Overwrite `out_values` (draws, values) and `out_effects` (draws, effects) from coordinates (draws, dimension)."""
    position = np.empty(coordinates.shape[1])
    m = model.warp.members.shape[0]
    scratch, weights, lower = np.empty((VECTORS, m)), np.empty(8), np.empty(m * (m - 1) // 2)
    n = model.warp.raised.shape[0]
    rest, eta, bend = np.empty(n), np.empty((model.predictors.shape[0], n)), np.empty(BEND)
    for draw in range(coordinates.shape[0]):
        untable(model.warp, coordinates[draw], position, scratch, weights, lower)
        constrain_head(position, model.head, out_values[draw])
        fill_group_effects(model, position, out_values[draw], out_effects[draw])
        if model.warp.kind != FREE:
            place_intercept(model, out_values[draw], out_effects[draw], rest, eta, bend)


def warped_logdensity(coordinates: Any, gradient: Any, data: Any) -> float:
    """Log posterior density of the coordinates: `joint_logdensity` with a way before and after it.

    `gradient` is overwritten; -inf or nan where undefined.
    """
    model, (_, address), loglik = data
    head, warp = model.head, model.warp
    density = density_at(address)
    m, n = warp.members.shape[0], warp.raised.shape[0]
    n_head = head.transforms.shape[0]
    position = np.empty(coordinates.shape[0])
    values = np.empty(n_head + head.fixed.shape[0])
    adjoint = np.zeros(values.shape[0])
    effects = np.empty(position.shape[0] - n_head)
    scratch, weights, lower = np.empty((VECTORS, m)), np.empty(8), np.empty(m * (m - 1) // 2)
    rows, eta, nothing = np.empty((3, n)), np.empty((model.predictors.shape[0], n)), np.zeros(model.predictors.shape[0])
    bend = np.empty(BEND)
    for i in range(gradient.shape[0]):
        gradient[i] = 0.0

    total, first = untable(warp, coordinates, position, scratch, weights, lower)
    total += constrain_head(position, head, values)
    fill_group_effects(model, position, values, effects)
    if warp.kind != FREE:
        place_intercept(model, values, effects, rows[0], eta, bend)
    total += add_loglik(model, loglik, values, effects, adjoint, gradient[n_head:])
    total += add_head_priors(head, density, values, adjoint, np.empty(5))
    if not np.isfinite(total):
        return -np.inf
    if warp.kind != FREE:
        total += _pull_back_intercept(model, values, adjoint, gradient[n_head:], rows, eta, nothing, bend)
    total += add_effects_prior(model, density, position, values, effects, adjoint, gradient)
    pull_back_head(position, head, adjoint, gradient)
    pull_back_tables(warp, gradient, scratch, weights, lower, first)
    return float(total)


@uncounted
def place_intercept(model: ModelData, values, effects, rest, eta, bend):
    """Put the intercept in the place of the mean that stands there; shrink coefficients where they need room.

    `rest`, `eta` and `bend` are overwritten.
    """
    warp = model.warp
    n = rest.shape[0]
    u = values[warp.pivot]
    values[warp.pivot] = 0.0
    fill_eta(model, values, effects, 0, n, eta)
    low, high = 0, 0
    for i in range(n):
        rest[i] = eta[0, i] / warp.raised[i]
        if rest[i] < rest[low]:
            low = i
        if rest[i] > rest[high]:
            high = i
    smallest, spread = raise_above(rest)
    shrink = 1.0
    if warp.kind == UNIT:
        shrink = 1.0 / (1.0 + spread)
        smallest *= shrink
        spread *= shrink
        for i in range(n):
            rest[i] *= shrink
        first = model.predictors[0, COEFFICIENTS]
        for k in range(first, first + model.predictors[0, N_COEFFICIENTS]):
            values[k] *= shrink
    distance = distance_of(warp.kind, rest, spread, u)
    for k in range(warp.direction.shape[0]):
        values[k] += warp.direction[k] * (distance - smallest)
    bend[SPREAD], bend[SHRINK], bend[DISTANCE], bend[LOW], bend[HIGH] = spread, shrink, distance, low, high


@uncounted
def _pull_back_intercept(model: ModelData, values, adjoint, effects_adjoint, rows, d_eta, nothing, bend):
    """Derivatives by what stood in the intercept's place, in place; return the log-Jacobian.

    `rows` as `place_intercept` left its first; `d_eta` is overwritten; `nothing` is zero, and no constant varies.
    """
    warp = model.warp
    rest, slopes, jacobians = rows[0], rows[1], rows[2]
    n = rest.shape[0]
    shrink = bend[SHRINK]
    total = mean_slopes(warp.kind, rest, bend[SPREAD], bend[DISTANCE], slopes, jacobians)
    by_shift = 0.0
    for j in range(warp.direction.shape[0]):
        by_shift += warp.direction[j] * adjoint[j]
    for i in range(n):
        by_shift += jacobians[i]
    for j in range(d_eta.shape[0]):
        for i in range(n):
            d_eta[j, i] = 0.0
    for i in range(n):
        d_eta[0, i] = (jacobians[i] - slopes[i] / total * by_shift) / warp.raised[i]
    add_transposed(model, 0, n, d_eta, adjoint, effects_adjoint, nothing)
    first, p = model.predictors[0, COEFFICIENTS], model.predictors[0, N_COEFFICIENTS]
    if warp.kind == UNIT and p > 0:
        along = (p + 1) * shrink
        for c in range(first, first + p):
            along += adjoint[c] * values[c] * shrink
        for c in range(first, first + p):
            adjoint[c] *= shrink
        for i in range(n):
            d_eta[0, i] = 0.0
        d_eta[0, int(bend[HIGH])] -= along
        d_eta[0, int(bend[LOW])] += along
        add_transposed(model, 0, n, d_eta, adjoint, effects_adjoint, nothing)
    adjoint[warp.pivot] = by_shift / total
    return _log_jacobian(model, total, shrink)


@uncounted
def log_jacobian_of_intercept(model: ModelData, rows, bend):
    """The log-Jacobian alone; `rows` as `place_intercept` left its first, the others are overwritten."""
    total = mean_slopes(model.warp.kind, rows[0], bend[SPREAD], bend[DISTANCE], rows[1], rows[2])
    return _log_jacobian(model, total, bend[SHRINK])


@uncounted
def _log_jacobian(model: ModelData, total, shrink):
    p = model.predictors[0, N_COEFFICIENTS]
    if model.warp.kind == UNIT and p > 0:
        return -np.log(total) + (p + 1) * np.log(shrink)
    return -np.log(total)
