"""Draws by name, packed: the model's own vectors, and positions of its log density."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.posterior.points.points import offsets_of, unconstrain_head
from nutslite.posterior.points.prior_nodes import fill_rows, simplexes_to_positions
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.layout import Variable
from nutslite.posterior.record.model_data import ModelData
from nutslite.sampler.constraints.cholesky import cholesky_unconstrain

FloatArray = NDArray[np.float64]


def positions_of(assembled: Assembled, draws: Mapping[str, NDArray[Any]], model: ModelData | None = None) -> FloatArray:
    """Positions of the joint log density at draws.

    Parameters
    ----------
    assembled : Assembled
    draws : mapping of ndarray, shape (..., *shape of the variable)
        All variables of the model on their natural scale, by name, as results hold them.
    model : ModelData, optional
        Where a pilot has chosen another centring: its data.

    Returns
    -------
    ndarray, shape (number of draws, dimension)

    Raises
    ------
    DataError
        If a variable is missing: the draws are from another model.
    """
    layout = assembled.layout
    model = assembled.data if model is None else model
    values, effects = packed(assembled, draws)
    out = np.empty((len(values), layout.dimension))
    out[:, : layout.n_head] = unconstrain_head(model.head.transforms, model.head.bounds, values[:, : layout.n_head])
    for variable in layout.variables:
        if variable.source == "correlation":
            lower = np.asarray(draws[variable.name], dtype=float).reshape(len(values), -1)
            columns = round((1 + (1 + 8 * lower.shape[1]) ** 0.5) / 2)
            at = np.ravel(variable.index)
            for row, factor in zip(out, cholesky_factors(lower, columns), strict=True):
                cholesky_unconstrain(np.ascontiguousarray(factor), unconstrained := np.empty(at.size))
                row[at] = unconstrained
    if effects.shape[1]:
        for row, head, own in zip(out, values, effects, strict=True):
            row[layout.n_head :] = offsets_of(model, row, head, own)
    return out


def leading_axes(variable: Variable, draws: Mapping[str, NDArray[Any]]) -> tuple[int, ...]:
    """Axes before a variable's own: chain and draw."""
    shape = np.shape(draws[variable.name])
    return shape[: len(shape) - np.ndim(variable.index)]


def packed(assembled: Assembled, draws: Mapping[str, NDArray[Any]]) -> tuple[FloatArray, FloatArray]:
    """`values` (correlations left out) and `effects`, one row per draw: the inverse of `Layout.unpack`."""
    layout, fixed = assembled.layout, assembled.data.head.fixed
    missing = [variable.name for variable in layout.variables if variable.name not in draws]
    if missing:
        raise DataError(f"The posterior has no variable '{missing[0]}': is it from another model?")
    n_draws = int(np.prod(leading_axes(layout.variables[0], draws), dtype=int))
    values = np.full((n_draws, layout.n_head + fixed.size), np.nan)
    values[:, layout.n_head :] = fixed
    effects = np.empty((n_draws, layout.dimension - layout.n_head))
    for variable in layout.variables:
        if variable.source == "correlation":
            continue
        shape = variable.shape
        array = np.asarray(draws[variable.name], dtype=float)
        if array.size != n_draws * np.prod(shape, dtype=int):
            raise DataError(f"'{variable.name}' has another size than in the model: is it from another model?")
        array = variable.unmixed(array.reshape(n_draws, *shape))
        (effects if variable.source == "effects" else values)[:, variable.index] = array
    simplexes_to_positions(assembled.data.head, values)
    fill_rows(assembled.data.head, values)
    for variable in layout.variables:  # once all coefficients are there
        if variable.columns.size:
            values[:, variable.index] += variable.centring(values, effects)
    return values, effects


def cholesky_factors(lower: FloatArray, q: int) -> FloatArray:
    """Cholesky factors of correlations given as lower triangles, one row per draw."""
    matrices = np.tile(np.eye(q), (len(lower), 1, 1))
    rows, columns = np.tril_indices(q, -1)
    matrices[:, rows, columns] = lower
    matrices[:, columns, rows] = lower
    return np.asarray(np.linalg.cholesky(matrices), dtype=float)
