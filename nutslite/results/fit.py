"""From a finished run, or draws of the prior, to the ArviZ container: names, dims, statistics, a word of warning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite.exceptions import DataError, DataTypeError, did_you_mean
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.points.standardised_effects import standardised_effects
from nutslite.posterior.record.assembled import Assembled
from nutslite.results.container.inference_data import Container, note, to_inference_data
from nutslite.results.container.preload import sampling_is_over
from nutslite.results.container.row_labels import label_rows
from nutslite.results.diagnostics.report import sampling_report, vanished
from nutslite.results.predictions.response_draws import PredictionTask, as_outcomes

FloatArray = NDArray[np.float64]

FEWER = "prior_predictive(draws=...) makes fewer."


def store_fit(
    fit: Fit,
    *,
    aliases: Mapping[str, str] | None = None,
    omit_offsets: bool = True,
    report: bool = True,
    notes: Mapping[str, str] | None = None,
) -> Container:
    """Name the draws of a run, report on them, and build the container.

    Parameters
    ----------
    fit : Fit
    aliases : mapping, optional
        By variable, the name under which to store it.
    omit_offsets : bool
        Whether to leave the standardised effects of non-centred terms (``1|g_offset``) out.
    report : bool
        Whether to log what is wrong with the draws.
    notes : mapping of str to str, optional
        Attributes that say of which model they are (`nutslite.results.container.origin`).
    """
    sampling_is_over()
    assembled = fit.plan.assembled
    layout = assembled.layout
    posterior = layout.unpack(fit.values, fit.effects)
    if report:
        report_on(fit, posterior, aliases or {})
    dims = _dims(assembled)
    if not omit_offsets:
        offsets, offset_dims = standardised_effects(assembled, fit.values, fit.effects)
        posterior, dims = {**posterior, **offsets}, {**dims, **offset_dims}
    attrs = {
        "sampling_time": fit.seconds["sampling"],
        "pilot_time": fit.seconds["pilot"],
        "recovery_time": fit.seconds["recovery"],
        "tuning_steps": fit.settings.tune,
        "plan": fit.plan.path,
        "inference_method": fit.method,
        "interrupted": fit.interrupted,
        **({} if assembled.spec.family.quantile is None else {"adjusted": "no"}),
        **fit.attributes,
        **(notes or {}),
    }
    groups: dict[str, dict[str, Any]] = {"posterior": posterior}
    if assembled.spec.elsewhere is None:
        groups["observed_data"] = observed_of(assembled)
    if fit.stats:
        groups["sample_stats"] = dict(fit.stats)
    groups |= _warmup(fit)
    results = to_inference_data(groups, dims=dims, coords=layout.coords, attrs=attrs, aliases=aliases)
    return label_rows(results, assembled.spec.design)


def raw_draws(fit: Fit) -> dict[str, NDArray[Any]]:
    """A run's draws by name and its statistics, as plain arrays; without names where there is no memory for these."""
    stats = {f"sample_stats/{name}": array for name, array in fit.stats.items()}
    try:
        return {**fit.plan.assembled.layout.unpack(fit.values, fit.effects), **stats}
    except MemoryError:
        return {"values": fit.values, "effects": fit.effects, **stats}


def report_on(fit: Fit, posterior: dict[str, FloatArray], aliases: Mapping[str, str]) -> None:
    """Say in plain words what is wrong with a run, if anything; its draws are as good as they are if that fails."""
    try:
        _report(fit, posterior, aliases)
    except Exception as error:
        log.warning("The report on convergence failed (%s: %s).", type(error).__name__, error)


def _report(fit: Fit, posterior: dict[str, FloatArray], aliases: Mapping[str, str]) -> None:
    for message in fit.warnings:
        log.warning(message)
    if fit.approximate:
        return
    layout, inventory = fit.plan.assembled.layout, fit.plan.assembled.inventory
    scales = {
        aliases.get(quantity.name, quantity.name): aliases.get(quantity.of, quantity.of)
        for quantity in inventory.of_kind("hyperparameter")
        if quantity.is_group_scale
    }
    for message in vanished(posterior.get("sigma"), spread_of(fit.plan.assembled)) or sampling_report(
        {aliases.get(name, name): array for name, array in posterior.items()},
        fit.stats,
        dims={aliases.get(name, name): dims for name, dims in layout.dims.items()},
        coords=layout.coords,
        group_scales=scales,
        max_treedepth=fit.settings.max_treedepth,
        target_accept=fit.settings.target_accept or 0.8,
        went_on="until" in fit.attributes,
    ):
        log.warning(message)
    for message in _doubts(fit.plan.assembled, posterior):
        log.warning(message)


def _doubts(assembled: Assembled, posterior: Mapping[str, FloatArray]) -> Iterator[str]:
    """What the draws say against terms of special kinds as they were made."""
    for parameter, predictor in assembled.spec.design.predictors.items():
        prefix = assembled.spec.family.prefix(parameter)
        for term in predictor.basis_terms:
            named = {quantity.name: f"{prefix}{term.full(quantity)}" for quantity in term.hyperparameters}
            draws = {
                name: posterior[full].reshape(-1, *posterior[full].shape[2:])
                for name, full in named.items()
                if full in posterior
            }
            yield from term.kind.doubts(f"{prefix}{term.name}", term.constants, draws)


def spread_of(assembled: Assembled) -> float:
    """Range of the response: of its logarithm where it is positive, as sigma's scale is in the family that has one."""
    values = np.asarray(assembled.spec.design.response.values[0], dtype=float)
    return float(np.ptp(np.log(values) if assembled.spec.family.response_support == "positive" else values))


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
    omit_offsets: bool = True,
) -> Container:
    """Name draws of the prior, draw responses given them, and build the container."""
    from nutslite.results.predictions.predict import predict

    layout = assembled.layout
    design = assembled.spec.design
    prior, prior_dims = named_prior(assembled, values, effects, omit_offsets=omit_offsets)
    options: dict[str, Any] = {"keep_parameters": True, "of_prior": True, "remedy": FEWER}
    predicted = predict(prior, design, task, kind="response", random_seed=rng, **options)
    response = predicted.response
    prior |= predicted.parameters
    dims = {**_dims(assembled), **prior_dims}
    if var_names is not None:
        original = {alias: name for name, alias in task.aliases.items()}
        asked: Any = [var_names] if isinstance(var_names, str) else var_names
        if not isinstance(asked, list | tuple) or not all(isinstance(name, str) for name in asked):
            raise DataTypeError(f"var_names is a variable's name or a list of names, not {var_names!r}.")
        chosen = [str(original.get(name, name)) for name in asked]
        known = [*prior, *response]
        for name in chosen:
            if name not in known:
                raise DataError(f"There is no variable '{name}' in the model.{did_you_mean(name, known)}")
        prior = {name: array for name, array in prior.items() if name in chosen}
        response = {name: array for name, array in response.items() if name in chosen}
    groups: dict[str, dict[str, Any]] = {"prior": prior, "observed_data": observed_of(assembled)}
    if response:
        groups["prior_predictive"] = response
    results = to_inference_data(groups, dims=dims, coords=layout.coords, aliases=task.aliases)
    if predicted.note and response:
        note(results, "prior_predictive", attrs={"note": predicted.note})
    return label_rows(results, design)


def named_prior(
    assembled: Assembled, values: FloatArray, effects: FloatArray, *, omit_offsets: bool = True
) -> tuple[dict[str, FloatArray], dict[str, tuple[str, ...]]]:
    """Draws of the prior by name, and the dims of those that have any."""
    layout = assembled.layout
    if omit_offsets:
        return layout.unpack(values, effects), layout.dims
    offsets, dims = standardised_effects(assembled, values, effects)
    return {**layout.unpack(values, effects), **offsets}, {**layout.dims, **dims}


def observed_of(assembled: Assembled) -> dict[str, NDArray[Any]]:
    """The response by its name: counts and outcomes as integers, as responses drawn for them are."""
    response = assembled.spec.design.response
    values = response.as_held
    own = values[: len(response.columns)].T if response.columns else values[0]
    if own.dtype.kind == "u":  # without float64 on the way
        own = own.astype(np.int64 if assembled.spec.family.discrete else np.float64)
    return {response.name: as_outcomes(assembled.spec.family, own)}


def _dims(assembled: Assembled) -> dict[str, tuple[str, ...]]:
    return dict(assembled.inventory.dims)
