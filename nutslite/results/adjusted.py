"""Results of a regression of quantiles with intervals that cover: the draws of its coefficients, adjusted."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.posterior.points.log_prior import log_prior
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.inventory import OBSERVATIONS
from nutslite.priors.prior import Prior
from nutslite.results.added_groups import named_posterior
from nutslite.results.container.inference_data import Container, add_group, get_group, group_names, to_dataset
from nutslite.results.container.origin import in_model_order
from nutslite.results.curvature import STEP_OF_LOG, half_length, precision_of, why_not_by_density
from nutslite.results.predictions.response_draws import PredictionTask
from nutslite.results.predictions.slopes import mean_curvature, mean_slopes
from nutslite.results.sandwich import Scores, adjusted_draws

FloatArray = NDArray[np.float64]

ADJUSTED = "adjusted"
"""Attribute of the posterior: ``"no"`` or ``"sandwich"``, of models whose intervals need it."""

KEPT_GROUPS = ("posterior", "sample_stats", "observed_data")
STEP_SDS = 0.5  # of differences of log prior densities


@dataclass(frozen=True)
class Coefficients:
    """The coefficients that are adjusted, as one vector.

    Attributes
    ----------
    widths : dict of str to int
        By variable, how many of them it has.
    columns : ndarray, shape (p, n)
        Of the design.
    predictors : ndarray of int, shape (p,)
        The row of eta that each belongs to.
    logs : frozenset of str
        Variables whose logarithms these are: gaps between quantiles that have no formula.
    """

    widths: Mapping[str, int]
    columns: FloatArray
    predictors: NDArray[np.int64]
    logs: frozenset[str] = frozenset()

    @classmethod
    def of(cls, assembled: Assembled) -> Coefficients:
        """Those of all common terms of a model, and its gaps between quantiles.

        Raises
        ------
        DataError
            Where some are penalised, and so no estimates of the data alone.
        """
        spec = assembled.spec
        design, family = spec.design, spec.family
        widths: dict[str, int] = {}
        columns = [np.empty((0, design.n_rows))]
        rows: list[int] = []
        logs = set()
        first = 0
        for parameter in family.parameters:
            predictor = design.predictors.get(parameter.name)
            own = range(first, first + parameter.size)
            first += parameter.size
            if predictor is None:
                if parameter.spread and isinstance(spec.priors.constants[parameter.name], Prior):
                    logs.add(parameter.name)
                    widths[parameter.name] = 1
                    columns.append(np.ones((1, design.n_rows)))
                    rows += own
                continue
            parts = {"Intercept": np.ones((1, design.n_rows))} if predictor.intercept else {}
            parts |= {term.name: predictor.matrix[term.start : term.stop] for term in predictor.terms}
            priors = spec.priors.terms[parameter.name]
            penalised = [term.name for term in predictor.basis_terms if len(term.matrix)]
            penalised += [term.name for term in predictor.terms if priors[term.name].hierarchical]
            if penalised:
                raise DataError(
                    f"Intervals of '{penalised[0]}' cannot be adjusted: its coefficients are drawn together by a prior "
                    "that is estimated. Terms such as bs(x, df=5) have coefficients of their own."
                )
            for name, part in parts.items():
                widths[family.prefix(parameter.name) + name] = len(part) * parameter.size
                for row in own:
                    columns.append(part)
                    rows += [row] * len(part)
        return cls(widths, np.concatenate(columns), np.array(rows, dtype=np.int64), frozenset(logs))

    def joined(self, arrays: Mapping[str, NDArray[Any]]) -> FloatArray:
        """Draws (samples, p) of arrays (chains, draws, ...) by name."""
        drawn = {name: np.log(arrays[name]) if name in self.logs else arrays[name] for name in self.widths}
        return np.concatenate([np.reshape(drawn[name], (-1, width)) for name, width in self.widths.items()], axis=1)

    def apart(self, draws: FloatArray, like: Mapping[str, NDArray[Any]]) -> dict[str, FloatArray]:
        """The inverse of `joined`, in the shapes of other arrays."""
        ends = np.cumsum(list(self.widths.values()))
        found = {
            name: draws[:, end - width : end].reshape(np.shape(like[name]))
            for (name, width), end in zip(self.widths.items(), ends, strict=True)
        }
        return {name: np.exp(array) if name in self.logs else array for name, array in found.items()}


def adjust_intervals(
    idata: Container, assembled: Assembled, task: PredictionTask, clusters: NDArray[np.int64] | None, note: str
) -> Container:
    """A copy of results whose coefficients have the spread of estimates, without what was computed from them before.

    Parameters
    ----------
    clusters : ndarray of int, shape (n,), or None
        The cluster of each row: 0, 1, ...
    note : str
        What the clusters are, for the attribute ``adjusted_groups``.

    Raises
    ------
    DataError
        As for `adjusted_draws`, and where the draws have been adjusted before.
    """
    dataset = in_model_order(get_group(idata, "posterior"), task.coords)
    if dataset.attrs.get(ADJUSTED) == "sandwich":
        raise DataError("The intervals of these results have been adjusted already: give what fit returned.")
    posterior = named_posterior(dataset, task.coords, task.aliases)
    coefficients = Coefficients.of(assembled)
    draws = coefficients.joined(posterior.arrays)
    slopes = mean_slopes(posterior.arrays, assembled.spec.design, task)
    meat = Scores(coefficients.columns, coefficients.predictors, slopes, clusters).meat()
    prior = prior_precision(assembled, coefficients, posterior.arrays, draws)
    by_density = why_not_by_density(assembled, clustered=clusters is not None) is None
    precision = density_precision(assembled, task, coefficients, posterior.arrays, draws) if by_density else None
    moved = coefficients.apart(adjusted_draws(draws, prior, meat, precision), posterior.arrays)
    dataset = dataset.drop_dims([dim for dim in (OBSERVATIONS,) if dim in dataset.dims])
    layout = assembled.layout
    new = to_dataset(moved, dims=layout.dims, coords=layout.coords, aliases=task.aliases, axes=posterior.axes)
    dataset = dataset.assign({key: variable.variable for key, variable in new.data_vars.items()})
    dataset = dataset.assign_attrs({ADJUSTED: "sandwich", f"{ADJUSTED}_groups": note})
    results = copy.deepcopy(idata)
    for name in group_names(results):
        if name not in KEPT_GROUPS:
            del results[name]
    add_group(results, "posterior", dataset)
    return results


def density_precision(
    assembled: Assembled,
    task: PredictionTask,
    coefficients: Coefficients,
    arrays: Mapping[str, NDArray[Any]],
    draws: FloatArray,
) -> FloatArray | None:
    """The likelihood's part (p, p) of the precision, by the responses near the quantile; None if all are one."""
    spec = assembled.spec
    parents = np.flatnonzero(coefficients.predictors == 0)
    quantiles = draws.mean(axis=0)[parents] @ coefficients.columns[parents]
    offset = spec.design.predictors[spec.family.parent.name].offset
    residuals = spec.design.response.values[0] - quantiles - (0.0 if offset is None else offset)
    steps = np.zeros(len(spec.family.eta_parameters))
    steps[np.unique(coefficients.predictors)] = STEP_OF_LOG
    steps[0] = half_length(residuals, float(spec.family.quantile))  # type: ignore[arg-type]
    if not steps[0] > 0.0:
        return None
    curvature = mean_curvature(arrays, spec.design, task, steps)
    return precision_of(coefficients.columns, coefficients.predictors, curvature)


def prior_precision(
    assembled: Assembled, coefficients: Coefficients, arrays: Mapping[str, NDArray[Any]], draws: FloatArray
) -> FloatArray:
    """Minus the second derivatives (p, p) of the coefficients' log prior density at the mean, by differences."""
    p = draws.shape[1]
    steps = STEP_SDS * draws.std(axis=0)
    one = np.eye(p) * steps
    first, second = np.tril_indices(p, -1)
    moves = np.concatenate([np.zeros((1, p)), one, -one, one[first] + one[second], -one[first] - one[second]])
    named = {name: array.mean(axis=(0, 1), keepdims=True) for name, array in arrays.items() if array.dtype.kind == "f"}
    points = {name: np.repeat(array, len(moves), axis=1) for name, array in named.items()}
    points |= coefficients.apart(draws.mean(axis=0) + moves, points)
    densities = log_prior(assembled, points)
    densities |= {name: densities[name] + np.log(points[name]) for name in coefficients.logs}  # of the logarithm
    total = np.sum([densities[name].reshape(len(moves), -1).sum(axis=1) for name in coefficients.widths], axis=0)
    at, up, down = total[0], total[1 : p + 1], total[p + 1 : 2 * p + 1]
    curvature = up + down - 2.0 * at
    both = total[2 * p + 1 : 2 * p + 1 + first.size] + total[2 * p + 1 + first.size :] - 2.0 * at
    hessian = np.diag(curvature)
    hessian[first, second] = hessian[second, first] = 0.5 * (both - curvature[first] - curvature[second])
    return np.asarray(-hessian / np.outer(steps, steps))
