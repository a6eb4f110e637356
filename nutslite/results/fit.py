"""From a finished run, or draws of the prior, to the ArviZ container: names, dims, statistics, a word of warning."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite.exceptions import DataError, did_you_mean
from nutslite.formula.design import Design
from nutslite.posterior.assembly import Assembled
from nutslite.posterior.run import Fit
from nutslite.results.inference_data import (
    Container,
    add_group,
    get_group,
    named_arrays,
    to_dataset,
    to_inference_data,
)
from nutslite.results.predict import OBSERVATIONS, pointwise_log_likelihood, predict, store_prediction
from nutslite.results.report import sampling_report
from nutslite.results.response_draws import PredictionTask

FloatArray = NDArray[np.float64]


def store_fit(fit: Fit) -> Container:
    """Name the draws of a run, report on them, and build the container."""
    assembled = fit.plan.assembled
    layout = assembled.layout
    posterior = layout.unpack(fit.values, fit.effects)
    if not fit.settings.laplace:
        _report(fit, posterior)
    attrs = {
        "sampling_time": fit.seconds["sampling"],
        "pilot_time": fit.seconds["pilot"],
        "recovery_time": fit.seconds["recovery"],
        "tuning_steps": fit.settings.tune,
        "plan": fit.plan.path,
        "inference_method": fit.method,
        "interrupted": fit.interrupted,
    }
    groups: dict[str, dict[str, Any]] = {
        "posterior": posterior,
        "observed_data": _observed(assembled),
    }
    if fit.stats:
        groups["sample_stats"] = dict(fit.stats)
    groups |= _warmup(fit)
    return to_inference_data(groups, dims=_dims(assembled), coords=layout.coords, attrs=attrs)


def _report(fit: Fit, posterior: dict[str, FloatArray]) -> None:
    """Say in plain words what is wrong with a run, if anything."""
    layout = fit.plan.assembled.layout
    for message in sampling_report(
        posterior,
        fit.stats,
        dims=layout.dims,
        coords=layout.coords,
        max_treedepth=fit.settings.max_treedepth,
        target_accept=fit.settings.target_accept,
    ):
        log.warning(message)


def _warmup(fit: Fit) -> dict[str, dict[str, Any]]:
    """Groups of warm-up draws, where they were kept."""
    if fit.warmup is None or fit.draws is None or fit.draws.warmup_stats is None:
        return {}
    return {
        "warmup_posterior": dict(fit.plan.assembled.layout.unpack(*fit.warmup)),
        "warmup_sample_stats": dict(fit.draws.warmup_stats),
    }


def store_prior(
    assembled: Assembled,
    values: FloatArray,
    effects: FloatArray,
    task: PredictionTask,
    rng: np.random.Generator,
    var_names: str | Sequence[str] | None = None,
) -> Container:
    """Name draws of the prior, draw responses given them, and build the container."""
    layout = assembled.layout
    prior = layout.unpack(values, effects)
    design = assembled.spec.design
    response = predict(prior, design, task, kind="response", random_seed=rng).response
    if var_names is not None:
        var_names = [var_names] if isinstance(var_names, str) else var_names
        known = [*prior, *response]
        for name in var_names:
            if name not in known:
                raise DataError(f"There is no variable '{name}' in the model.{did_you_mean(name, known)}")
        prior = {name: array for name, array in prior.items() if name in var_names}
        response = {name: array for name, array in response.items() if name in var_names}
    groups: dict[str, dict[str, Any]] = {"prior": prior, "observed_data": _observed(assembled)}
    if response:
        groups["prior_predictive"] = response
    return to_inference_data(groups, dims=_dims(assembled), coords=layout.coords)


def add_predictions(
    idata: Container, design: Design, task: PredictionTask, *, inplace: bool = True, **options: Any
) -> Container | None:
    """Predict from a fit's posterior for the rows of a design; into `idata`, or into a copy that is returned.

    `options` as for `nutslite.results.predict.predict`.
    """
    prediction = predict(_posterior(idata), design, task, **options)
    results = idata if inplace else copy.deepcopy(idata)
    store_prediction(results, prediction)
    return None if inplace else results


def add_log_likelihood(
    idata: Container, design: Design, task: PredictionTask, *, inplace: bool = True
) -> Container | None:
    """Compute the pointwise log likelihood of the rows of a design; into `idata`, or into a copy that is returned."""
    name = design.response.name
    loglik = pointwise_log_likelihood(_posterior(idata), design, task)
    results = idata if inplace else copy.deepcopy(idata)
    add_group(results, "log_likelihood", to_dataset({name: loglik}, dims={name: (OBSERVATIONS,)}, coords={}))
    return None if inplace else results


def _posterior(idata: Container) -> dict[str, NDArray[Any]]:
    """Draws by name."""
    return named_arrays(get_group(idata, "posterior"))[0]


def _observed(assembled: Assembled) -> dict[str, FloatArray]:
    response = assembled.spec.design.response
    return {response.name: response.values[0]}


def _dims(assembled: Assembled) -> dict[str, tuple[str, ...]]:
    return {**assembled.layout.dims, assembled.spec.design.response.name: (OBSERVATIONS,)}
