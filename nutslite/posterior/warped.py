"""The joint density of small models in the coordinates of `warp`, for NUTS and for proposals."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from nutslite._numba import MATRIX, VECTOR, inner, kernel, kernel_with_signature, without_dispatch
from nutslite.posterior.effects import add_effects_prior, fill_effects
from nutslite.posterior.head import add_head_priors, constrain_head, pull_back_head
from nutslite.posterior.joint import JOINT_DATA
from nutslite.posterior.model_data import COEFFICIENTS, MODEL_DATA, N_COEFFICIENTS, ModelData
from nutslite.posterior.predictor import add_transposed, fill_eta
from nutslite.posterior.shared_rows import add_loglik
from nutslite.posterior.warp import (
    FREE,
    STRETCH,
    UNIT,
    Warp,
    basis,
    combine,
    distance_of,
    mean_slopes,
    multiply,
    raise_above,
    stretch,
)

VECTORS = 6  # of scratch, of the members' length


@functools.cache
def compiled_warped() -> Callable[..., float]:
    """`warped_logdensity` for the one type of data that all models have."""
    return kernel_with_signature(warped_logdensity, types.float64(VECTOR, VECTOR, JOINT_DATA))


@functools.cache
def compiled_warped_many() -> Callable[..., None]:
    """`_warped_many` for all models."""
    signature = types.void(MATRIX, JOINT_DATA, VECTOR)
    return without_dispatch(kernel_with_signature(_warped_many, signature), signature)


@functools.cache
def compiled_warped_natural() -> Callable[..., None]:
    """`_warped_natural` for all models."""
    return kernel_with_signature(_warped_natural, types.void(MATRIX, MODEL_DATA, MATRIX, MATRIX))


def warped_logdensity(coordinates: Any, gradient: Any, data: Any) -> float:
    """Log posterior density of the coordinates; `gradient` is overwritten; -inf or nan where undefined."""
    return float(_density(coordinates, gradient, data))


def _warped_many(coordinates: Any, data: Any, out: Any) -> None:
    """Overwrite `out` (points,) with log densities of coordinates (points, dimension)."""
    gradient = np.empty(coordinates.shape[1])
    for i in range(coordinates.shape[0]):
        out[i] = _density(coordinates[i], gradient, data)


def _warped_natural(coordinates: Any, model: Any, out_values: Any, out_effects: Any) -> None:
    """Overwrite `out_values` (draws, values) and `out_effects` (draws, effects) from coordinates (draws, dimension)."""
    position = np.empty(coordinates.shape[1])
    m = model.warp.members.shape[0]
    scratch, weights, lower = np.empty((VECTORS, m)), np.empty(8), np.empty(m * (m - 1) // 2)
    rest = np.empty(model.warp.raised.shape[0])
    for draw in range(coordinates.shape[0]):
        _untable(model.warp, coordinates[draw], position, scratch, weights, lower)
        constrain_head(position, model.head, out_values[draw])
        fill_effects(model, position, out_values[draw], out_effects[draw])
        if model.warp.kind != FREE:
            _place_intercept(model, out_values[draw], out_effects[draw], rest)


@kernel
def _density(coordinates, gradient, data):
    """`joint_logdensity` with a way before and after it."""
    model, density, loglik = data
    warp = model.warp
    m = warp.members.shape[0]
    n_head = model.head.transforms.shape[0]
    position = np.empty(coordinates.shape[0])
    values = np.empty(n_head + model.head.fixed.shape[0])
    adjoint = np.zeros(values.shape[0])
    effects = np.empty(position.shape[0] - n_head)
    scratch, weights, lower = np.empty((VECTORS, m)), np.empty(8), np.empty(m * (m - 1) // 2)
    rest = np.empty(warp.raised.shape[0])
    for i in range(gradient.shape[0]):
        gradient[i] = 0.0

    total, first = _untable(warp, coordinates, position, scratch, weights, lower)
    total += constrain_head(position, model.head, values)
    fill_effects(model, position, values, effects)
    spread, shrink, distance = 0.0, 1.0, 0.0
    low, high = 0, 0
    if warp.kind != FREE:
        spread, shrink, distance, low, high = _place_intercept(model, values, effects, rest)
    total += add_loglik(model, loglik, values, effects, adjoint, gradient[n_head:])
    total += add_head_priors(model.head, density, values, adjoint, np.empty(5))
    if not np.isfinite(total):
        return -np.inf
    if warp.kind != FREE:
        total += _pull_back_intercept(
            model, values, adjoint, gradient[n_head:], rest, spread, shrink, distance, low, high
        )
    total += add_effects_prior(model, density, position, values, effects, adjoint, gradient)
    pull_back_head(position, model.head, adjoint, gradient)
    _pull_back_tables(warp, gradient, scratch, weights, lower, first)
    return total


@inner
def _untable(warp: Warp, coordinates, position, scratch, weights, lower):
    """Overwrite all but the first two, from the tables; return the log-Jacobian and the first knot."""
    for i in range(coordinates.shape[0]):
        position[i] = coordinates[i]
    t = 0.0
    total = 0.0
    if warp.given.shape[0] > 0:
        t = warp.scale[0] + warp.scale[1] * coordinates[warp.given[0]]
        position[warp.given[0]] = t
        total += np.log(warp.scale[1])
    first = basis(warp.knots, t, weights)
    v, y, dy, diagonal, z = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    for k in range(v.shape[0]):
        v[k] = coordinates[warp.members[k]]
    total += stretch(warp, v, y, dy)
    combine(warp.logs, warp.log_slopes, first, weights, 0, diagonal)
    combine(warp.lowers, warp.lower_slopes, first, weights, 0, lower)
    for k in range(v.shape[0]):
        total += diagonal[k]
        diagonal[k] = np.exp(diagonal[k])
    multiply(lower, diagonal, y, z)
    center = scratch[5]
    combine(warp.centers, warp.center_slopes, first, weights, 0, center)
    for k in range(v.shape[0]):
        position[warp.members[k]] = center[k] + z[k]
    return total, first


@inner
def _pull_back_tables(warp: Warp, gradient, scratch, weights, lower, first):
    """Turn the gradient by the position into that by the coordinates, log-Jacobians included; `scratch` is lost."""
    y, dy, diagonal, adjoint, slope = scratch[1], scratch[2], scratch[3], scratch[4], scratch[5]
    by_column = scratch[0]
    m = y.shape[0]
    for k in range(m):
        adjoint[k] = gradient[warp.members[k]]
    for k in range(m):
        by_column[k] = adjoint[k]
        for i in range(k + 1, m):
            by_column[k] += adjoint[i] * lower[i * (i - 1) // 2 + k]
        by_column[k] *= diagonal[k]
        tail = y[k] / (STRETCH * STRETCH * dy[k]) if warp.stretched[k] > 0.0 else 0.0
        gradient[warp.members[k]] = by_column[k] * dy[k] + tail
    if warp.given.shape[0] == 0:
        return
    by_t = gradient[warp.given[0]]
    combine(warp.centers, warp.center_slopes, first, weights, 4, slope)
    for k in range(m):
        by_t += adjoint[k] * slope[k]
    combine(warp.logs, warp.log_slopes, first, weights, 4, slope)
    for k in range(m):
        by_t += slope[k] * (1.0 + by_column[k] * y[k])
    combine(warp.lowers, warp.lower_slopes, first, weights, 4, lower)
    at = 0
    for i in range(m):
        for j in range(i):
            by_t += adjoint[i] * lower[at] * diagonal[j] * y[j]
            at += 1
    gradient[warp.given[0]] = by_t * warp.scale[1]


@inner
def _place_intercept(model: ModelData, values, effects, rest):
    """Put the intercept in the place of the mean that stands there; shrink coefficients where they need room.

    Returns
    -------
    spread, shrink, distance : float
        Of the predictors, of the coefficients, of the smallest predictor from zero.
    low, high : int
        The rows of the smallest and the largest predictor.
    """
    warp = model.warp
    n = rest.shape[0]
    u = values[warp.pivot]
    values[warp.pivot] = 0.0
    eta = np.empty((model.predictors.shape[0], n))
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
    return spread, shrink, distance, low, high


@inner
def _pull_back_intercept(model: ModelData, values, adjoint, effects_adjoint, rest, spread, shrink, distance, low, high):
    """Derivatives by what stood in the intercept's place, in place; return the log-Jacobian."""
    warp = model.warp
    n, k = rest.shape[0], model.predictors.shape[0]
    d_eta = np.zeros((k, n))
    jacobians = np.empty(n)
    slopes = np.empty(n)
    total = mean_slopes(warp.kind, rest, spread, distance, slopes, jacobians)
    by_shift = 0.0
    for j in range(warp.direction.shape[0]):
        by_shift += warp.direction[j] * adjoint[j]
    for i in range(n):
        by_shift += jacobians[i]
    for i in range(n):
        d_eta[0, i] = (jacobians[i] - slopes[i] / total * by_shift) / warp.raised[i]
    add_transposed(model, 0, n, d_eta, adjoint, effects_adjoint, np.zeros(k))
    adjoint[warp.pivot] = by_shift / total
    log_jacobian = -np.log(total)
    first, p = model.predictors[0, COEFFICIENTS], model.predictors[0, N_COEFFICIENTS]
    if warp.kind == UNIT and p > 0:
        log_jacobian += (p + 1) * np.log(shrink)
        along = (p + 1) * shrink
        for c in range(first, first + p):
            along += adjoint[c] * values[c] * shrink
        for c in range(first, first + p):
            adjoint[c] *= shrink
        ends = np.zeros((k, n))
        ends[0, high] -= along
        ends[0, low] += along
        kept = adjoint[warp.pivot]
        add_transposed(model, 0, n, ends, adjoint, effects_adjoint, np.zeros(k))
        adjoint[warp.pivot] = kept
    return log_jacobian
