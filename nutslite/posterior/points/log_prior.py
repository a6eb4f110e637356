"""Log prior densities of draws, variable by variable, on the natural scale: what power-scaling of a prior needs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import MATRIX, VECTOR, kernel_with_signature
from nutslite.posterior.density.block_effects import factors_of
from nutslite.posterior.points.packing import cholesky_factors, leading_axes, packed
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.head import NO_DENSITY, Head
from nutslite.posterior.record.node_table import simplex_places
from nutslite.posterior.targets.target import density_of
from nutslite.priors.correlations import lkj_cholesky_logdensity
from nutslite.priors.densities.densities import density_address, density_at

FloatArray = NDArray[np.float64]


def log_prior(assembled: Assembled, draws: Mapping[str, NDArray[Any]]) -> dict[str, FloatArray]:
    """Log prior density of every sampled variable at every draw.

    Parameters
    ----------
    assembled : Assembled
    draws : mapping of ndarray, shape (..., *shape of the variable)
        All variables of the model on their natural scale, by name, as the results hold them.

    Returns
    -------
    dict of ndarray
        By variable, of its shape. Group effects have their density given location and scale; of correlated ones the
        first column has its density, each further one that given the columns before it; with a known covariance each
        level has that given the levels before it; of effects that sum to zero each has an equal share. Correlations
        have one number for all (LKJ, as a density of the correlation matrix), and so has a simplex. No Jacobians: these
        are densities of the natural values.

    Raises
    ------
    DataError
        If a variable is missing: the draws are from another model.
    """
    values, effects = packed(assembled, draws)
    evaluate = _Densities(assembled)
    head = assembled.data.head
    head_terms = np.zeros((values.shape[0], assembled.layout.n_head))
    for i in range(assembled.layout.n_head):
        if head.densities[i] != NO_DENSITY:
            terms = slice(head.shift_start[i], head.shift_start[i + 1])
            x = values[:, i] - values[:, head.shift_index[terms]] @ head.shift_weight[terms]
            head_terms[:, i] = evaluate(int(head.densities[i]), x, values[:, head.arguments[i]].T)
    effect_terms, block_terms = _effects(assembled, draws, values, effects, evaluate)
    leading = leading_axes(assembled.layout.variables[0], draws)
    out: dict[str, FloatArray] = {}
    for variable in assembled.layout.variables:
        if variable.source == "correlation":
            array = block_terms[variable.name]
        elif variable.source == "simplex":
            array = _dirichlet(head, values, variable.index)
        else:
            array = (head_terms if variable.source == "values" else effect_terms)[:, variable.index]
            if variable.sums_to_zero:  # a density of all levels but one
                array = np.repeat(array.mean(axis=-1, keepdims=True), len(variable.mix), axis=-1)
                array *= (len(variable.mix) - 1) / len(variable.mix)
            elif variable.mix.size:
                array = array - np.log(np.diag(variable.mix))
        out[variable.name] = array.reshape(*leading, *array.shape[1:])
    return out


def _dirichlet(head: Head, values: FloatArray, index: NDArray[np.int64]) -> FloatArray:
    """Log densities of a simplex, as a density of all its elements but one."""
    _, concentrations = simplex_places(head.nodes, int(index[0]))
    alpha = values[0, concentrations]
    constant = math.lgamma(alpha.sum()) - sum(math.lgamma(a) for a in alpha)
    with np.errstate(divide="ignore"):
        terms = np.where(alpha == 1.0, 0.0, (alpha - 1.0) * np.log(values[:, index]))
    return np.asarray(constant + terms.sum(axis=1))


def _effects(
    assembled: Assembled,
    draws: Mapping[str, NDArray[Any]],
    values: FloatArray,
    effects: FloatArray,
    evaluate: _Densities,
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Log densities of all effects, and of each block's correlations by name."""
    model = assembled.data
    out = np.empty(effects.shape)
    correlations = {
        int(variable.index[0]): variable.name
        for variable in assembled.layout.variables
        if variable.source == "correlation"
    }
    block_terms = {}
    for block in model.blocks:
        q = int(block[md.N_COLUMNS])
        rows = model.block_columns[block[md.COLUMN_TABLE] : block[md.COLUMN_TABLE] + q]
        levels = np.arange(block[md.N_LEVELS])
        places = [block[md.EFFECT_START] + c + block[md.EFFECT_STRIDE] * levels for c in range(q)]
        factors_by_level = factors_of(block, values)
        if block[md.CORRELATION] < 0:
            for row, at in zip(rows, places, strict=True):
                for place, by in zip(at, factors_by_level.T, strict=True):  # other than 1 for effects around 0 alone
                    terms = evaluate(int(row[md.DENSITY]), effects[:, place] / by, values[:, row[md.ARGUMENTS :]].T)
                    out[:, place] = terms - np.log(by)
            continue
        name = correlations[int(block[md.CORRELATION])]
        factors = cholesky_factors(np.asarray(draws[name], dtype=float).reshape(len(values), -1), q)
        block_terms[name] = _lkj(factors, float(values[0, block[md.LKJ_ETA]]))
        standard = np.empty((len(values), levels.size, q))
        for c, (row, at) in enumerate(zip(rows, places, strict=True)):
            location, scale = values[:, row[md.ARGUMENTS]], values[:, row[md.ARGUMENTS + 1]]
            scales = scale[:, None] * factors_by_level
            x = (effects[:, at] - location[:, None]) / scales
            x -= np.einsum("de,dle->dl", factors[:, c, :c], standard[:, :, :c])
            standard[:, :, c] = x / factors[:, c, c, None]
            log_sd = np.log(scales * factors[:, c, c, None])
            out[:, at] = -0.5 * standard[:, :, c] ** 2 - log_sd - 0.5 * math.log(2.0 * math.pi)
    return out, block_terms


def _lkj(factors: FloatArray, eta: float) -> FloatArray:
    """LKJ log densities of the correlation matrices that have these Cholesky factors."""
    diagonal = np.diagonal(factors, axis1=1, axis2=2)
    constant = float(lkj_cholesky_logdensity(np.eye(factors.shape[1]), eta))
    return np.asarray(constant + 2.0 * (eta - 1.0) * np.log(diagonal).sum(axis=1))


class _Densities:
    """Evaluates the prior densities that a model has, for vectors of draws."""

    def __init__(self, assembled: Assembled) -> None:
        self.address = density_address(density_of(assembled.data.head, assembled.data.block_columns))

    def __call__(self, code: int, x: FloatArray, arguments: FloatArray) -> FloatArray:
        out = np.empty(x.size)
        _compiled()(self.address, code, np.ascontiguousarray(x), np.ascontiguousarray(arguments), out)
        return out


@functools.cache
def _compiled() -> Callable[..., None]:
    return kernel_with_signature(_evaluate, types.void(types.int64, types.int64, VECTOR, MATRIX, VECTOR))


def _evaluate(address: Any, code: Any, x: Any, arguments: Any, out: Any) -> None:
    """Overwrite `out` with log densities of `x`, whose arguments are the rows of `arguments`."""
    density, partials = density_at(address), np.empty(5)
    for i in range(x.shape[0]):
        out[i] = density(code, x[i], arguments[0, i], arguments[1, i], arguments[2, i], arguments[3, i], partials)
