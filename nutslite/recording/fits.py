"""The chains of a model's fit, recorded: what `fit(inference_method="nuts")` runs, with notes taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nutslite._calls import public
from nutslite._stack import with_room
from nutslite.exceptions import SettingError, SettingTypeError
from nutslite.model import Model
from nutslite.posterior.methods.chains_apart import sampled
from nutslite.posterior.methods.nuts_start import default_target_accept, first_state
from nutslite.posterior.methods.registry import method_for
from nutslite.posterior.methods.safeguards import named_functions
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.points.points import PointMap
from nutslite.posterior.points.start_values import check_start_values
from nutslite.posterior.targets.plan import Plan
from nutslite.recording.chain_record import ChainRecord
from nutslite.recording.recorder import Recorder


@public
def record_fit(
    model: Model,
    draws: int = 1000,
    tune: int | None = None,
    chains: int = 4,
    random_seed: Any = None,
    target_accept: float | None = None,
    *,
    plan: Any = "auto",
    pilot: Any = True,
    max_treedepth: int = 10,
    init: str = "auto",
    start: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
) -> list[ChainRecord]:
    """Draw the chains that a fit of the model by NUTS draws, and record them.

    With the same arguments they are the chains of ``model.fit(inference_method="nuts")``, to the last bit, in the
    coordinates that the sampler moves: unconstrained numbers (`sigma_log__`); how group effects are centred a pilot may
    have chosen.

    Parameters
    ----------
    model : Model
    draws, tune, chains, random_seed, target_accept, plan, pilot, max_treedepth, init, start
        As for `Model.fit`. Chains run one after another.

    Returns
    -------
    list of ChainRecord
        One for each chain.

    Raises
    ------
    SettingError
        If NUTS cannot serve the model, or an argument is impossible.
    SamplingError
        If no chain can start.

    Examples
    --------
    >>> import numpy as np
    >>> import nutslite as nl
    >>> model = nl.Model("mpg ~ wt", nl.load_data("mtcars"))
    >>> chains = record_fit(model, draws=100, chains=2, random_seed=1)  # doctest: +SKIP
    >>> print(chains[0][50].explain())  # doctest: +SKIP
    """
    settings = Settings(
        draws=draws,
        tune=tune,
        chains=chains,
        cores=1,
        random_seed=random_seed,
        target_accept=target_accept,
        max_treedepth=max_treedepth,
        inference_method="nuts",
        init=init,
        start=start,
        progressbar=False,
    )
    chosen = _chosen(model, plan, pilot if init == "auto" else False)
    if start is not None:
        check_start_values(chosen.assembled, start)
    method_for(chosen, settings)  # which must serve
    with named_functions(chosen):
        return with_room(lambda: _recorded(chosen, settings))


def _chosen(model: Model, plan: Any, pilot: Any) -> Plan:
    """The plan that was given, once it is known to be of this model, or the one that was asked for."""
    if not isinstance(model, Model):
        raise SettingTypeError(f"record_fit records the fit of a Model, not {type(model).__name__}: see record_chain.")
    if not isinstance(plan, Plan):
        return model.plan(plan, pilot=pilot)
    if plan.assembled.spec is not model.plan().assembled.spec:
        raise SettingError("plan was made by another model, or by this one before its priors changed: call plan().")
    return plan


def _recorded(plan: Plan, settings: Settings) -> list[ChainRecord]:
    """As in `methods/nuts.py`, whose seeds these are; on one core, so without helping threads, which change no draw."""
    target = plan.target()
    if target.dimension == 0:
        raise SettingError("Every parameter of this model is a fixed number: there is nothing to sample.")
    start_seed, chain_seed, _ = np.random.SeedSequence(settings.random_seed).spawn(3)
    begun = first_state(target, None, settings, np.random.default_rng(start_seed))
    if settings.target_accept is None:
        settings = replace(settings, target_accept=default_target_accept(begun, target.dimension))
    recorder = Recorder(_names(plan))
    sampled(plan, target, replace(settings, tune=begun.tune), begun, chain_seed, recorder=recorder)
    return list(recorder)


def _names(plan: Plan) -> list[str]:
    """Of the coordinates: unconstrained names, numbered where a variable has several."""
    layout = plan.assembled.layout
    names = [f"x[{i}]" for i in range(layout.dimension)]
    for free in PointMap(plan.assembled).free:
        for place, i in np.ndenumerate(free.index):
            names[int(i)] = f"{free.unconstrained}[{','.join(map(str, place))}]" if place else free.unconstrained
    return names if plan.reduction is None else [names[i] for i in plan.reduction.kept]
