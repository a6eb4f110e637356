"""Log densities of many positions at once, without gradients: for proposals that are all known beforehand.

Each block of data rows is read once for all positions of a chunk, so what one gradient spends on memory is shared by
dozens of densities.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._awaited import MANY, wait_for
from nutslite._numba import MATRIX, VECTOR, kernel_with_signature, without_dispatch
from nutslite._parallel import run_where_it_pays
from nutslite.posterior.density.effects import add_effects_prior, fill_group_effects
from nutslite.posterior.density.joint import JOINT_DATA
from nutslite.posterior.density.predictor import block_loglik, fill_code_effects, n_code_effects, rows_together
from nutslite.posterior.nodes.program import fill_derived
from nutslite.posterior.record.head import add_head_priors, constrain_head
from nutslite.posterior.record.model_data import VARIES
from nutslite.priors.densities.densities import density_at
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.handle import handle_of, logdensity_at

FloatArray = NDArray[np.float64]

POSITIONS_PER_PASS = 64  # over the data
ROWS_AT_ONCE = 1024  # more than a gradient takes: nothing but the design needs to stay in cache


@functools.cache
def compiled_joint_many() -> Callable[..., None]:
    """`_joint_many` for the one type of data that all models have."""
    wait_for(MANY)
    signature = types.void(MATRIX, JOINT_DATA, VECTOR)
    return without_dispatch(kernel_with_signature(_joint_many, signature), signature)


def _joint_many(positions: Any, data: Any, out: Any) -> None:
    """Overwrite `out` (m,) with the joint log density of positions (m, dimension)."""
    model, (derived, address), loglik = data
    head, density = model.head, density_at(address)
    m = positions.shape[0]
    n_head = head.transforms.shape[0]
    values = np.empty((m, n_head + head.fixed.shape[0]))
    effects = np.zeros((m, positions.shape[1] - n_head + n_code_effects(model)))
    adjoint = np.empty(values.shape[1])
    partials = np.empty(5)
    gradient = np.empty(positions.shape[1])
    for i in range(m):
        out[i] = constrain_head(positions[i], head, values[i])
        out[i] += fill_derived(head.nodes, derived, values[i])
        fill_group_effects(model, positions[i], values[i], effects[i])
        fill_code_effects(model.codes, values[i], effects[i])
        out[i] += add_effects_prior(model, density, positions[i], values[i], effects[i], adjoint, gradient)
        out[i] += add_head_priors(head, density, values[i], adjoint, partials)
    n = model.y.shape[1]
    k = model.predictors.shape[0]
    width = min(ROWS_AT_ONCE, n)
    eta = np.empty((k, width))
    d_eta = np.empty((k, width))
    pointwise = np.empty(width)
    varies = np.empty(k, np.int64)
    for j in range(k):
        varies[j] = model.predictors[j, VARIES]
    for first in range(0, m, POSITIONS_PER_PASS):
        last = min(m, first + POSITIONS_PER_PASS)
        start = np.int64(0)  # a plain 0 has a type of its own, for which Numba compiles what is called once more
        while start < n:
            rows = rows_together(model.segments, start, min(width, n - start))
            _add_block_logliks(
                model, loglik, values, effects, first, last, start, rows, varies, eta, d_eta, pointwise, out
            )
            start += rows


@uncounted
def _add_block_logliks(model, loglik, values, effects, first, last, start, rows, varies, eta, d_eta, pointwise, out):
    """Add the log likelihood of one block of rows at positions `first` to `last` to `out`."""
    for i in range(first, last):
        out[i] += block_loglik(model, loglik, values[i], effects[i], start, rows, varies, eta, d_eta, pointwise)


@functools.cache
def compiled_gradients() -> Callable[..., None]:
    """`_gradients`, compiled once for all log densities."""
    signature = types.void(types.int64, types.int64, MATRIX, VECTOR, MATRIX)
    return without_dispatch(kernel_with_signature(_gradients, signature), signature)


def _gradients(function: Any, data: Any, positions: Any, values: Any, gradients: Any) -> None:
    """Overwrite `values` (m,) and `gradients` (m, dimension); `function` and `data` are of a `Handle`."""
    logdensity = logdensity_at(function)
    for i in range(positions.shape[0]):
        values[i] = logdensity(positions[i], gradients[i], data)


def values_and_gradients(
    logdensity: Callable[..., float], data: Any, data_type: Any, positions: FloatArray, cores: int = 1
) -> tuple[FloatArray, FloatArray]:
    """Log densities (m,) and gradients (m, dimension) of positions (m, dimension), by calls of compiled code.

    Calling compiled code from Python takes longer than most gradients: the type of every array is looked at.
    """
    evaluate, positions = compiled_gradients(), np.ascontiguousarray(positions)
    handle = handle_of(logdensity, data, data_type, checked=False)
    values, gradients = np.empty(positions.shape[0]), np.empty(positions.shape)

    def work(some: slice) -> None:
        evaluate(handle.function, handle.data, positions[some], values[some], gradients[some])

    run_where_it_pays(work, values.size, cores)
    return values, gradients


def log_densities(evaluate: Callable[[FloatArray, FloatArray], None], positions: FloatArray, cores: int) -> FloatArray:
    """Log densities (m,) of positions (m, dimension), in threads; the same numbers whatever `cores`.

    `evaluate(positions, out)` overwrites `out` and releases the GIL.
    """
    positions = np.ascontiguousarray(positions, dtype=float)
    out = np.empty(positions.shape[0])
    run_where_it_pays(lambda some: evaluate(positions[some], out[some]), out.size, cores)
    return out
