"""What is drawn of a model before there are data: draws of its prior, as results and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nutslite._log import log
from nutslite.exceptions import random_generator
from nutslite.model.fits.after_fit import prediction_task
from nutslite.model.record.specification import Specification


def prior_predictive(
    specification: Specification,
    draws: int,
    var_names: str | Sequence[str] | None,
    omit_offsets: bool,
    random_seed: Any,
) -> Any:
    """What `Model.prior_predictive` does."""
    from nutslite.posterior.points.prior_draws import draw_prior
    from nutslite.results.fit import store_prior

    specification.need_rows("prior_predictive", "plot_priors draws from the priors alone")
    if specification.spec.potentials:
        log.warning("Potentials have no part in draws of the prior: these are from the priors alone.")
    rng = random_generator(random_seed)
    assembled = specification.posterior.assembled
    values, effects = draw_prior(assembled, draws, rng)
    return store_prior(
        assembled, values[None], effects[None], prediction_task(specification), rng, var_names, omit_offsets
    )


def plot_priors(
    specification: Specification,
    draws: int,
    *,
    omit_offsets: bool,
    omit_group_specific: bool,
    random_seed: Any,
    **shown: Any,
) -> Any:
    """What `Model.plot_priors` does; `shown` are the names to show, and what the picture looks like."""
    from nutslite.posterior.points.prior_draws import draw_prior
    from nutslite.results.fit import named_prior
    from nutslite.results.pictures.prior_plots import plot_priors as plot

    assembled = specification.posterior.assembled
    values, effects = draw_prior(assembled, draws, random_generator(random_seed), flat="nan")
    arrays, dims = named_prior(assembled, values[None], effects[None], omit_offsets=omit_offsets)
    hidden = {f"{factor}__factor_dim" for factor in specification.spec.design.factors} if omit_group_specific else set()
    arrays = {name: array for name, array in arrays.items() if not hidden.intersection(dims.get(name, ()))}
    return plot(arrays, dims=dims, coords=assembled.layout.coords, aliases=specification.aliases, **shown)
