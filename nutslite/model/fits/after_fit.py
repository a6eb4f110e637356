"""What is made of a model's draws: predictions, log likelihoods and priors, R-squared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nutslite.formula.columns.data import as_frame
from nutslite.model.record.specification import Specification

if TYPE_CHECKING:
    from nutslite.results.predictions.response_draws import PredictionTask

GIVE = "Give new rows: data=..."


def predict(
    specification: Specification, idata: Any, *, data: Any = None, include_group_specific: bool = True, **options: Any
) -> Any:
    """What `Model.predict` does."""
    from nutslite.results.added_groups import add_predictions

    check_results(specification, idata)
    rows, design = None, specification.spec.design
    if data is None:
        specification.need_rows("predict", GIVE)
    else:
        rows = as_frame(data)
        design = design.evaluate(rows, groups=include_group_specific)
    options["include_group_specific"] = include_group_specific
    return add_predictions(idata, design, prediction_task(specification), new_rows=rows, **options)


def with_predictions(
    specification: Specification, idata: Any, needed: tuple[str, ...], draws: int | None, random_seed: Any
) -> Any:
    """Results with all needed groups; what they lack is added to a copy. What `Model.pp_check` looks at."""
    from nutslite.results.container.inference_data import group_names

    specification.need_rows("pp_check")
    anew = draws is not None or random_seed is not None
    if anew or "posterior_predictive" not in group_names(idata):
        options = {"kind": "response", "inplace": False, "draws": draws, "random_seed": random_seed}
        idata = predict(specification, idata, **options)
        anew = True
    else:
        check_results(specification, idata)
    if "log_likelihood" in needed and (anew or "log_likelihood" not in group_names(idata)):
        idata = add_log_likelihood(specification, idata, inplace=False)
    return idata


def add_log_likelihood(
    specification: Specification, idata: Any, *, data: Any = None, inplace: bool = True, to: Any = None
) -> Any:
    """What `Model.compute_log_likelihood` does."""
    from nutslite.results import added_groups

    check_results(specification, idata)
    if data is None:
        specification.need_rows("The log likelihood", GIVE)
    design = specification.spec.design
    rows = design if data is None else design.evaluate(data, response=True)
    return added_groups.add_log_likelihood(idata, rows, prediction_task(specification), inplace=inplace, to=to)


def add_log_prior(specification: Specification, idata: Any, *, inplace: bool = True) -> Any:
    """What `Model.compute_log_prior` does."""
    from nutslite.results import added_groups

    check_results(specification, idata)
    assembled = specification.posterior.assembled
    return added_groups.add_log_prior(idata, assembled, aliases=specification.aliases, inplace=inplace)


def explained_variance(specification: Specification, idata: Any, **options: Any) -> Any:
    """What `Model.r2_score` does."""
    from nutslite.results import added_groups

    specification.need_rows("r2_score")
    check_results(specification, idata)
    task = prediction_task(specification)
    return added_groups.explained_variance(idata, specification.spec.design, task, **options)


def prediction_task(specification: Specification) -> PredictionTask:
    """What a prediction is made from, besides the rows."""
    from nutslite.results.predictions.new_groups import PopulationSampler
    from nutslite.results.predictions.response_draws import PredictionTask

    spec = specification.spec
    sizes = {parameter.name: parameter.size for parameter in spec.family.parameters if parameter.dim}
    sampler = PopulationSampler(spec.priors.terms, sizes)
    coords = specification.posterior.inventory.coords
    return PredictionTask(spec.family, spec.links, spec.priors.fixed, sampler, specification.aliases, coords)


def check_results(specification: Specification, idata: Any) -> None:
    """Refuse, or warn of, the draws of another model."""
    from nutslite.results.container.origin import check_origin

    check_origin(idata, specification.notes(), specification.spec.design.factors)
