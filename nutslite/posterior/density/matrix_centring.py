"""Coordinates in which coefficients and group effects are about independent standard normals, whatever the scales.

Given the hyperparameters theta (scales and correlations of group effects), the posterior of u = (coefficients,
auxiliary parameters, deviations of effects) is about normal with

    precision  Q(theta) = H + D(theta)^-1 = L L'      and mean  m(theta) = Q^-1 b,

H the information of the data and of the coefficients' priors at a pilot's mode, and b what makes m(theta) the mode
there: both are constants. D(theta) is the covariance of the effects' prior. The sampler moves (x, z) with

    theta = center + stretch x,      u = m(theta) + L(theta)^-T z,      log-Jacobian  -sum log diag L.

Whatever H and b are, this is one-to-one; good ones make z standard normal and independent of theta. One sparse
factorisation a gradient, its reverse, and four solves. The joint density itself is that of all models, by a pointer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._awaited import WAYS, wait_for
from nutslite._numba import INDEX_VECTOR, MATRIX, VECTOR, inlined, inner, kernel_with_signature
from nutslite.families.record.censoring import LOGLIKS
from nutslite.posterior.density.factor_algebra import (
    MEAN,
    MEMBERS,
    SLOPES,
    factorise,
    multiply_upper,
    pull_back,
    solve_lower,
    solve_upper,
)
from nutslite.posterior.density.joint import JOINT_DATA
from nutslite.posterior.density.linalg import invert_lower
from nutslite.posterior.density.panels import scratch_size
from nutslite.posterior.density.sparse_pattern import PATTERN, Pattern
from nutslite.posterior.nodes.program import PRIORS
from nutslite.posterior.record.model_data import (
    ARGUMENTS,
    COLUMN_TABLE,
    CORRELATION,
    MODEL_REFERENCE,
    N_COLUMNS,
    N_LEVELS,
    SCALE_ARGUMENT,
    ModelData,
)
from nutslite.posterior.record.transforms import constrain, constrain_derivative
from nutslite.sampler.constraints.cholesky import cholesky_constrain, cholesky_pull_back

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


class MatrixCentring(NamedTuple):
    """The constants of the coordinates. `n` members of u, in the order in which they are eliminated."""

    pattern: Pattern
    members: IndexArray  # (n,) their places in the position
    priors: IndexArray  # (priors,) where D^-1 is added in the factor: block, level, row, column up to the row
    numbers: FloatArray  # (numbers,) H, in the places of the factor
    right: FloatArray  # (n,) b
    hyper: IndexArray  # (h,) places of theta in the position, all in its head
    center: FloatArray  # (h,)
    stretch: FloatArray  # (h, h) lower triangle


MATRIX_CENTRING = types.NamedTuple(
    [PATTERN, INDEX_VECTOR, INDEX_VECTOR, VECTOR, VECTOR, INDEX_VECTOR, VECTOR, MATRIX], MatrixCentring
)
_JOINT = types.FunctionType(types.float64(VECTOR, VECTOR, JOINT_DATA))
MATRIX_DATA = types.Tuple([MODEL_REFERENCE, MATRIX_CENTRING, PRIORS, LOGLIKS, _JOINT])
"""As `joint.JOINT_DATA`, with the coordinates; then the joint density, as always."""


@functools.cache
def compiled_matrix() -> Callable[..., float]:
    """`matrix_logdensity` for the one type of data."""
    return kernel_with_signature(matrix_logdensity, types.float64(VECTOR, VECTOR, MATRIX_DATA))


@functools.cache
def compiled_ways() -> Callable[..., None]:
    """`_matrix_ways` for the one type of data."""
    wait_for(WAYS)
    signature = types.void(types.boolean, MATRIX, MODEL_REFERENCE, MATRIX_CENTRING, MATRIX)
    return kernel_with_signature(_matrix_ways, signature)


def compiled_positions() -> Callable[..., None]:
    """``(coordinates, model, centring, positions)`` overwrites positions of the joint density (draws, dimension)."""
    return functools.partial(compiled_ways(), True)


def compiled_coordinates() -> Callable[..., None]:
    """The inverse: ``(positions, model, centring, coordinates)``, with nan where there are none."""
    return functools.partial(compiled_ways(), False)


def matrix_logdensity(coordinates: Any, gradient: Any, data: Any) -> float:
    """Log posterior density of the coordinates: the joint one of the position, and the log-Jacobian.

    Parameters
    ----------
    coordinates, gradient : (dimension,) float64
        `gradient` is overwritten.
    data : tuple
        `MATRIX_DATA`; in the model all effects are centred, with typical scales of one.

    Returns
    -------
    float
        -inf or nan where undefined.
    """
    model, centring, priors, loglik, joint = data
    n = centring.members.shape[0]
    position = np.empty(coordinates.shape[0])
    factor = np.empty(_factor_size(centring))
    vectors = np.empty((4, n))
    total = _place(model, centring, coordinates, position, factor, vectors)
    if not np.isfinite(total):
        return -np.inf
    total += joint(position, gradient, (model, priors, loglik))
    if not np.isfinite(total):
        return -np.inf
    _pull_back(model, centring, position, factor, vectors, gradient)
    return float(total)


def _matrix_ways(to_position: Any, given: Any, model: Any, centring: Any, found: Any) -> None:
    """Overwrite `found` (draws, dimension), both ways in one kernel: most of each is the factor."""
    factor, vectors = np.empty(_factor_size(centring)), np.empty((4, centring.members.shape[0]))
    for draw in range(given.shape[0]):
        if to_position:
            _place(model, centring, given[draw], found[draw], factor, vectors)
        else:
            _find_coordinates(model, centring, given[draw], found[draw], factor, vectors)


@inner
def _factor_size(centring: MatrixCentring):
    """Numbers of the factor, with those that kernels compute in."""
    return centring.numbers.shape[0] + scratch_size(centring.pattern)


@inner
def _place(model: ModelData, centring: MatrixCentring, coordinates, position, factor, vectors):
    """Overwrite `position`, `factor` (L) and two of the vectors; return the log-Jacobian, -inf where there is none."""
    members = centring.members
    h = centring.hyper.shape[0]
    total = 0.0
    for i in range(h):
        value = centring.center[i]
        for j in range(i + 1):
            value += centring.stretch[i, j] * coordinates[centring.hyper[j]]
        position[centring.hyper[i]] = value
        total += np.log(centring.stretch[i, i])
    mean, u = vectors[MEAN], vectors[MEMBERS]
    total -= _fill_factor(model, centring, position, factor, mean)
    if not np.isfinite(total):
        return -np.inf
    for k in range(members.shape[0]):
        u[k] = mean[k] + coordinates[members[k]]
    solve_upper(centring.pattern, factor, u)
    for k in range(members.shape[0]):
        position[members[k]] = u[k]
    return total


@inlined
def _find_coordinates(model: ModelData, centring: MatrixCentring, position, out, factor, vectors):
    """The inverse of `_place`: overwrite `out` with the coordinates of a position."""
    members = centring.members
    mean, u, product = vectors[0], vectors[1], vectors[2]
    for i in range(centring.hyper.shape[0]):
        value = position[centring.hyper[i]] - centring.center[i]
        for j in range(i):
            value -= centring.stretch[i, j] * out[centring.hyper[j]]
        out[centring.hyper[i]] = value / centring.stretch[i, i]
    half = _fill_factor(model, centring, position, factor, mean)
    for j in range(members.shape[0]):
        u[j] = position[members[j]]
    multiply_upper(centring.pattern, factor, u, product)
    for j in range(members.shape[0]):
        out[members[j]] = product[j] - mean[j] if np.isfinite(half) else np.nan


@inner
def _fill_factor(model: ModelData, centring: MatrixCentring, position, factor, mean):
    """Overwrite `factor` with L at the position's theta, `mean` with L^-1 b; return sum log diag L, or -inf."""
    for k in range(centring.numbers.shape[0]):
        factor[k] = centring.numbers[k]
    _add_prior_precisions(model, centring, position, factor)
    for k in range(mean.shape[0]):
        mean[k] = centring.right[k]
    half = factorise(centring.pattern, factor)
    if np.isfinite(half):
        solve_lower(centring.pattern, factor, mean)
    return half


@inner
def _natural(model: ModelData, position, place):
    """An element of `values`: of the head on its natural scale, or a fixed number behind it."""
    head = model.head
    n_head = head.transforms.shape[0]
    if place >= n_head:
        return head.fixed[place - n_head]
    return constrain(head.transforms[place], position[place], head.bounds[0, place], head.bounds[1, place])


@inner
def _standardise(model: ModelData, block, position, correlation, standard):
    """Overwrite `standard` (q, q) with the map from a level's deviations to standard normals, C^-1 S^-1.

    `correlation` (q, q) is overwritten with C where columns are correlated.
    """
    q = block[N_COLUMNS]
    if block[CORRELATION] >= 0:
        first = block[CORRELATION]
        cholesky_constrain(position[first : first + q * (q - 1) // 2], correlation)
        invert_lower(correlation, q, standard)
    for e in range(q):
        row = model.block_columns[block[COLUMN_TABLE] + e]
        scale = _natural(model, position, row[ARGUMENTS + row[SCALE_ARGUMENT]])
        if block[CORRELATION] < 0:
            standard[e, e] = 1.0 / scale
        else:
            for c in range(e, q):
                standard[c, e] /= scale


@inlined
def _add_prior_precisions(model: ModelData, centring: MatrixCentring, position, factor):
    """Add D^-1 to the matrix in the places of `factor`."""
    at = 0
    for b in range(model.blocks.shape[0]):
        block = model.blocks[b]
        q = block[N_COLUMNS]
        standard, precision = np.empty((q, q)), np.empty((q, q))
        _standardise(model, block, position, precision, standard)
        if block[CORRELATION] < 0:
            for _ in range(block[N_LEVELS]):
                for c in range(q):
                    factor[centring.priors[at]] += standard[c, c] * standard[c, c]
                    at += 1
            continue
        for c in range(q):
            for e in range(c + 1):
                precision[c, e] = 0.0
                for m in range(c, q):
                    precision[c, e] += standard[m, c] * standard[m, e]
        for _ in range(block[N_LEVELS]):
            for c in range(q):
                for e in range(c + 1):
                    factor[centring.priors[at]] += precision[c, e]
                    at += 1


@inlined
def _pull_back(model: ModelData, centring: MatrixCentring, position, factor, vectors, gradient):
    """Turn derivatives by the position into derivatives by the coordinates, of the log-Jacobian too."""
    members, slopes = centring.members, vectors[SLOPES]
    for k in range(members.shape[0]):
        slopes[k] = gradient[members[k]]
    adjoint = np.empty(centring.numbers.shape[0])
    pull_back(centring.pattern, factor, vectors, adjoint)
    for k in range(members.shape[0]):
        gradient[members[k]] = slopes[k]
    _add_prior_slopes(model, centring, position, adjoint, gradient)
    h = centring.hyper.shape[0]
    for j in range(h):  # the stretch's transpose, in place: what is still needed is not yet overwritten
        value = 0.0
        for i in range(j, h):
            value += centring.stretch[i, j] * gradient[centring.hyper[i]]
        gradient[centring.hyper[j]] = value


@inlined
def _add_prior_slopes(model: ModelData, centring: MatrixCentring, position, adjoint, gradient):
    """Add to the head of the gradient what scales and correlations do to D^-1, whose derivatives are in `adjoint`."""
    at = 0
    for b in range(model.blocks.shape[0]):
        block = model.blocks[b]
        q = block[N_COLUMNS]
        correlation, standard, slopes = np.empty((q, q)), np.empty((q, q)), np.zeros((q, q))
        _standardise(model, block, position, correlation, standard)
        if block[CORRELATION] < 0:
            for _ in range(block[N_LEVELS]):
                for c in range(q):
                    slopes[c, c] += adjoint[centring.priors[at]]
                    at += 1
            for c in range(q):
                _add_scale_slope(model, block, c, position, -2.0 * slopes[c, c] * standard[c, c] ** 2, gradient)
            continue
        for _ in range(block[N_LEVELS]):
            for c in range(q):
                for e in range(c + 1):
                    slopes[c, e] += adjoint[centring.priors[at]]
                    at += 1
        _pull_back_correlated(model, block, position, correlation, standard, slopes, gradient)


@inlined
def _pull_back_correlated(model: ModelData, block, position, correlation, standard, slopes, gradient):
    """For M = C^-1 S^-1 and the precision M'M, whose lower triangle's derivatives are `slopes` (overwritten)."""
    q = block[N_COLUMNS]
    by_standard, by_factor = np.zeros((q, q)), np.zeros((q, q))
    for m in range(q):
        for e in range(m + 1):
            for c in range(m + 1):
                lower = slopes[c, e] if c >= e else slopes[e, c]
                by_standard[m, e] += standard[m, c] * (2.0 * lower if c == e else lower)
    for e in range(q):
        by_log_scale = 0.0
        for m in range(e, q):
            by_log_scale -= by_standard[m, e] * standard[m, e]
        _add_scale_slope(model, block, e, position, by_log_scale, gradient)
    # dM = -C^-1 dC M: the derivative by C is -C^-T by_standard M', by back substitution.
    for e in range(q):
        for m in range(q - 1, -1, -1):
            value = 0.0
            for c in range(min(m, e) + 1):
                value -= by_standard[m, c] * standard[e, c]
            for c in range(m + 1, q):
                value -= correlation[c, m] * by_factor[c, e]
            by_factor[m, e] = value / correlation[m, m]
    # The log-Jacobian of the correlations, which the joint density has counted, is in both and cancels.
    first = block[CORRELATION]
    last = first + q * (q - 1) // 2
    with_jacobian, jacobian = np.zeros(last - first), np.zeros(last - first)
    cholesky_pull_back(position[first:last], correlation, by_factor, with_jacobian)
    cholesky_pull_back(position[first:last], correlation, np.zeros((q, q)), jacobian)
    for k in range(last - first):
        gradient[first + k] += with_jacobian[k] - jacobian[k]


@inner
def _add_scale_slope(model: ModelData, block, c, position, by_log_scale, gradient):
    """Add to the gradient what the logarithm of a column's scale does; nothing where it is a fixed number."""
    row = model.block_columns[block[COLUMN_TABLE] + c]
    place = row[ARGUMENTS + row[SCALE_ARGUMENT]]
    head = model.head
    if place < head.transforms.shape[0]:
        code, lower, upper = head.transforms[place], head.bounds[0, place], head.bounds[1, place]
        scale = constrain(code, position[place], lower, upper)
        gradient[place] += by_log_scale / scale * constrain_derivative(code, position[place], lower, upper)
