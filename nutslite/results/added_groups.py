"""What is computed from a fit's draws, put into its container: predictions, log likelihoods, log priors, R-squared.

Whatever belongs to draws has their chains and draws (`sample_axes`). The groups ``posterior``,
``posterior_predictive`` and ``observed_data`` are about the same rows, those of the model, so that whoever compares
them compares the same rows; new rows have the group ``predictions``.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import DataError, random_generator
from nutslite.formula.design import Design
from nutslite.posterior.points.log_prior import log_prior
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.inventory import OBSERVATIONS, ROW_LABELS, SAMPLE_DIMS
from nutslite.results.container.inference_data import (
    Container,
    add_group,
    get_group,
    group_names,
    named_arrays,
    to_dataset,
    update_group,
)
from nutslite.results.container.origin import in_model_order
from nutslite.results.container.row_labels import row_labels
from nutslite.results.container.sample_axes import SampleAxes, check_count, thinned
from nutslite.results.evaluation.explained_variance import loo_r2_draws, model_r2_draws, r2_draws, r2_table
from nutslite.results.predictions.linear_predictor import join_chains
from nutslite.results.predictions.predict import (
    UNCENSORED,
    Prediction,
    fill_log_likelihood,
    pointwise_log_likelihood,
    predict,
    wants_responses,
)
from nutslite.results.predictions.response_draws import PredictionTask
from nutslite.results.predictions.row_dataset import row_dataset
from nutslite.results.stream import Stream

if TYPE_CHECKING:
    import xarray

OWN, NEW = "posterior_predictive", "predictions"
"""Groups of responses: of the model's own rows, and of new ones, where their parameters are too."""
LIKELIHOOD = "log_likelihood"
STREAMED = "Or write them to disk while they are computed: to='name.zarr' or to='name.nc'."
THINNED_OR_STREAMED = f"draws= takes fewer, too. {STREAMED}"
COMPOSITE = "sums of the working log likelihoods of several quantiles: no log densities of the response"


@dataclass(frozen=True)
class NamedPosterior:
    """Draws (chains, draws, ...) by the model's names, and the chains and draws that they are."""

    arrays: dict[str, NDArray[Any]]
    axes: SampleAxes


def add_predictions(
    idata: Container,
    design: Design,
    task: PredictionTask,
    *,
    kind: str = "response_params",
    new_rows: pd.DataFrame | None = None,
    draws: int | None = None,
    inplace: bool = True,
    to: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Container | None:
    """Predict from a fit's posterior for the rows of a design; into `idata`, or into a copy that is returned.

    Parameters
    ----------
    kind : str
        As for `nutslite.results.predictions.predict.predict`.
    new_rows : DataFrame, optional
        The rows of the design, where they are not the model's own.
    draws : int, optional
        How many posterior draws to use, evenly spaced. A copy then has no others.
    to : path-like, optional
        A file that the numbers are written to, and read from later, instead of memory.
    **options
        As for `nutslite.results.predictions.predict.predict`.

    Raises
    ------
    DataError
        Also for parameters of some draws that would have to stand beside all draws.
    """
    dataset = get_group(idata, "posterior")
    per_chain = None if draws is None else check_count(draws, SampleAxes.of(dataset))
    part = dataset if per_chain is None else thinned(dataset, per_chain)
    beside_all = inplace and new_rows is None and part.sizes != dataset.sizes
    if beside_all and not wants_responses(kind):
        raise DataError(
            f"draws={draws}: the parameters of the model's own rows stand beside the posterior draws in the results, "
            f"where all draws have to have them. inplace=False gives a copy with {draws} draws."
        )
    posterior = named_posterior(part, task.coords, task.aliases)
    streamed: xarray.Dataset | None = None
    if to is not None:
        group = NEW if new_rows is not None else OWN if wants_responses(kind) else "posterior"
        note = {"note": UNCENSORED} if design.is_censored and wants_responses(kind) else {}
        with Stream(to, group, posterior.axes, design, task, note) as stream:
            predict(posterior.arrays, design, task, kind=kind, hold=stream.hold, **options)
        streamed = stream.opened()
    else:
        options |= {"keep_parameters": not beside_all, "remedy": THINNED_OR_STREAMED}
        prediction = predict(posterior.arrays, design, task, kind=kind, **options)
    results = idata if inplace else copy.deepcopy(idata)
    if per_chain is not None and not inplace:
        _thin(results, per_chain)
    if streamed is not None:
        (update_group if group == "posterior" else add_group)(results, group, streamed)
        if new_rows is not None:
            _store_columns(results, new_rows[list(design.used_columns)])
    elif new_rows is None:
        store_prediction(results, prediction, posterior.axes, task)
    else:
        store_new_rows(results, prediction, posterior.axes, task, new_rows[list(design.used_columns)])
    return None if inplace else results


def add_log_likelihood(
    idata: Container,
    design: Design,
    task: PredictionTask,
    *,
    inplace: bool = True,
    to: str | os.PathLike[str] | None = None,
) -> Container | None:
    """Compute the pointwise log likelihood of the rows of a design; into `idata`, or into a copy that is returned.

    With `to` its numbers are in a file.
    """
    name = design.response.name
    posterior = named_posterior(get_group(idata, "posterior"), task.coords, task.aliases)
    note = {"note": COMPOSITE} if task.family.composite else {}
    if to is None:
        loglik = pointwise_log_likelihood(posterior.arrays, design, task, remedy=STREAMED)
        dataset = row_dataset({name: loglik}, posterior.axes, task).assign_attrs(note)
    else:
        with Stream(to, LIKELIHOOD, posterior.axes, design, task, note) as stream:
            draws = join_chains(posterior.arrays)
            out = stream.hold(name, (draws.samples, design.n_rows), float)
            fill_log_likelihood(out, draws, design, task)
        dataset = stream.opened()
    results = idata if inplace else copy.deepcopy(idata)
    add_group(results, LIKELIHOOD, dataset)
    return None if inplace else results


def add_log_prior(
    idata: Container, assembled: Assembled, *, aliases: Mapping[str, str], inplace: bool = True
) -> Container | None:
    """Compute log prior densities of all draws; into `idata`, or into a copy that is returned.

    Effects and weights whose prior has parameters of its own are left out: power-scaling is about the priors that
    somebody chose, and theirs is a part of the model (Kallioinen et al., 2024, Statistics and Computing 34).
    """
    layout = assembled.layout
    posterior = named_posterior(get_group(idata, "posterior"), layout.coords, aliases)
    densities = log_prior(assembled, posterior.arrays)
    dims = {v.name: () if v.source in ("correlation", "simplex") else v.dims for v in layout.variables}
    chosen = {name: values for name, values in densities.items() if name not in _hierarchical(assembled)}
    results = idata if inplace else copy.deepcopy(idata)
    dataset = to_dataset(chosen, dims=dims, coords=layout.coords, aliases=aliases, axes=posterior.axes)
    add_group(results, "log_prior", dataset)
    return None if inplace else results


def explained_variance(
    idata: Container, design: Design, task: PredictionTask, *, summary: bool, kind: str, random_seed: Any
) -> Any:
    """R-squared of every draw, or of rows as if left out; shape (chains, draws), or a table of it."""
    posterior = named_posterior(get_group(idata, "posterior"), task.coords, task.aliases).arrays
    if kind == "loo":
        draws = loo_r2_draws(posterior, design, task, random_generator(random_seed))
    else:
        draws = (model_r2_draws if kind == "model" else r2_draws)(posterior, design, task)
    return r2_table(draws) if summary else draws


def store_prediction(idata: Container, prediction: Prediction, axes: SampleAxes, task: PredictionTask) -> None:
    """Put predictions for the model's own rows where Bambi puts them: parameters into ``posterior``."""
    if prediction.parameters:
        update_group(idata, "posterior", row_dataset(prediction.parameters, axes, task, prediction.vectors))
    if prediction.response:
        add_group(idata, OWN, noted(row_dataset(prediction.response, axes, task), prediction))


def store_new_rows(
    idata: Container, prediction: Prediction, axes: SampleAxes, task: PredictionTask, rows: pd.DataFrame
) -> None:
    """Put predictions for new rows into groups of their own, with the columns that they are made from."""
    predicted = row_dataset({**prediction.parameters, **prediction.response}, axes, task, prediction.vectors)
    add_group(idata, NEW, noted(predicted, prediction))
    _store_columns(idata, rows)


def _store_columns(idata: Container, rows: pd.DataFrame) -> None:
    """Put columns of new rows into a group.

    The labels of the rows, ``__row__``, are there as those of the model's own rows are in ``observed_data``.
    """
    columns = {str(name): _plain(rows[name]) for name in rows.columns if name not in (OBSERVATIONS, ROW_LABELS)}
    dims = dict.fromkeys(columns, (OBSERVATIONS,))
    dataset = to_dataset(columns, dims=dims, coords={OBSERVATIONS: range(len(rows))}, sampled=False)
    dataset.coords[ROW_LABELS] = (OBSERVATIONS, row_labels(rows.index))
    add_group(idata, f"{NEW}_constant_data", dataset)


def noted(dataset: xarray.Dataset, prediction: Prediction) -> xarray.Dataset:
    """The group of a prediction with the attribute ``note`` where something has to be said of its responses."""
    return dataset.assign_attrs(note=prediction.note) if prediction.note and prediction.response else dataset


def named_posterior(dataset: xarray.Dataset, coords: Mapping[str, Any], aliases: Mapping[str, str]) -> NamedPosterior:
    """The draws by the model's names; aliases are known also where a computation has lost the attributes."""
    axes = SampleAxes.of(dataset)
    if not axes.exist:
        stacked = [str(dim) for dim, index in dataset.indexes.items() if {*SAMPLE_DIMS} <= {*index.names} - {dim}]
        remedy = f"results.posterior.unstack('{stacked[0]}') has both" if stacked else "give what fit returned"
        raise DataError(f"The posterior in these results has no dimension 'chain' or 'draw': {remedy}.")
    if 0 in axes.sizes.values():
        raise DataError("There are no draws in these results: their posterior is empty.")
    dataset = dataset.drop_dims(OBSERVATIONS, errors="ignore")  # predictions, which may be on disk
    arrays = named_arrays(in_model_order(dataset, coords), aliases=False)[0]
    lost = {name: arrays[alias] for name, alias in aliases.items() if name not in arrays and alias in arrays}
    return NamedPosterior(arrays | lost, axes)


def _thin(idata: Container, per_chain: int) -> None:
    """Leave some of the posterior's draws, in place, in all groups of these draws; those of other draws stay."""
    posterior = get_group(idata, "posterior")
    for name in group_names(idata):
        group = get_group(idata, name)
        same = "draw" in group.dims and "draw" in posterior.dims and group["draw"].equals(posterior["draw"])
        if same and not name.startswith(("warmup", "prior")):
            add_group(idata, name, thinned(group, per_chain))


def _hierarchical(assembled: Assembled) -> set[str]:
    """Effects of groups, coefficients and weights whose prior has parameters that are estimated too."""
    known = assembled.inventory.by_name
    found = assembled.inventory.of_kind("hyperparameter")
    governed = {quantity.governs for quantity in found}
    governed |= {name for quantity in found for name in quantity.members if known[name].kind == "effects"}
    return {name for name in governed if name in known and known[name].kind in ("effects", "coefficients", "weights")}


def _plain(column: pd.Series[Any]) -> NDArray[Any]:
    """A column as files can hold it: numbers and dates as they are, everything else in words."""
    dtype = getattr(column.dtype, "numpy_dtype", column.dtype)
    if isinstance(dtype, np.dtype) and dtype.kind in "biufM":
        return column.to_numpy(dtype=float if dtype.kind == "f" else dtype)
    return row_labels(pd.Index(column, dtype=object))
