"""What every part of `Model` shares: what a model consists of, and the ways from there into the rooms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nutslite._calls import public
from nutslite.exceptions import PriorError, SettingError
from nutslite.families.record.family import Family
from nutslite.formula.design import Design
from nutslite.formula.formula import Formula
from nutslite.posterior.assembly.assembly import assemble
from nutslite.posterior.points.compiled_model import Backend
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.inventory import Inventory, take_inventory
from nutslite.posterior.record.model_spec import ModelSpec
from nutslite.posterior.record.potential import Potential
from nutslite.posterior.targets.plan import Path, Plan, make_plan
from nutslite.priors.choosing import choose_priors
from nutslite.priors.defaults import PriorSet
from nutslite.priors.mle import MLEPriors
from nutslite.priors.prior import Prior
from nutslite.priors.user_priors import update_priors
from nutslite.results.aliases import check_aliases


@public
class Wiring:
    """A model before anything is done with it; `Model` fills the attributes in, the other parts of it read them."""

    formula: Formula
    data: pd.DataFrame  # as given, with all rows and columns
    family: Family
    links: dict[str, str]
    design: Design
    priors: PriorSet
    correlations: dict[str, float]  # LKJ shape by grouping factor, where its effects are correlated
    automatic_priors: str
    taylor: int | None
    auto_scale: bool
    noncentered: bool | Mapping[str, bool]
    center_predictors: bool
    potentials: tuple[Potential, ...]
    unused_priors: str
    _given_priors: Mapping[Any, Any]
    _inventory: Inventory  # all names of its results
    _assembled: Assembled | None  # numbers and names, made when they are first needed
    _backend: Backend | None
    _aliases: dict[str, str]  # by full name of a variable
    _fitted: bool

    def set_priors(
        self,
        priors: Mapping[Any, Any] | None = None,
        common: Prior | float | str | None = None,
        group_specific: Prior | float | str | None = None,
    ) -> None:
        """Replace priors, those named here only. Needs a new `fit` to take effect.

        Parameters
        ----------
        priors : dict, optional
            As ``priors`` of the model.
        common, group_specific : Prior, number or str, optional
            For all common terms (without the intercept), and for all group-specific ones, that have no prior of their
            own by name.

        Raises
        ------
        PriorError
            The model is then unchanged.
        """
        generic = {"common": common, "group_specific": group_specific}
        named = {key: prior for key, prior in generic.items() if prior is not None}
        given = update_priors(update_priors(self._given_priors, named), priors)
        chosen = self._choose_priors(given)  # where that raises, the model stays as it was
        inventory = take_inventory(self._spec(chosen))
        check_aliases(self._aliases, inventory)
        self.__dict__["priors"] = chosen  # users' assignments are refused
        self._given_priors, self._inventory = given, inventory
        self._assembled = self._backend = None

    def _replace_priors(self, priors: Mapping[Any, Any] | None, plan: Path | Plan) -> None:
        """What ``fit(priors=...)`` does before it samples."""
        if priors is None:
            return
        if isinstance(plan, Plan):
            raise PriorError(
                "fit(priors=..., plan=<a Plan>): that plan was made for the priors before. Call set_priors, then "
                "Model.plan again."
            )
        self.set_priors(priors)

    def build(self) -> None:
        """Turn the model into numbers now instead of at the first `fit`."""
        _ = self._assembly

    @property
    def built(self) -> bool:
        """Whether `build` (or `fit`) has run since the last change."""
        return self._assembled is not None

    def plan(self, path: Path = "auto", pilot: bool = True, merge: bool = True, code: bool = True) -> Plan:
        """What `fit` will run and why, in plain words."""
        return make_plan(self._assembly, path, pilot=pilot, merge=merge, code=code)

    @property
    def _assembly(self) -> Assembled:
        if self._assembled is None:
            self._assembled = assemble(self._spec(self.priors))
        return self._assembled

    def _spec(self, priors: PriorSet) -> ModelSpec:
        """All that determines the posterior, with these priors."""
        noncentered = {
            f"{self._prefix(name)}{term.name}": self._noncentered(name, priors.terms[name][term.name])
            for name, predictor in self.design.predictors.items()
            for term in predictor.group_terms
        }
        return ModelSpec(
            design=self.design,
            family=self.family,
            links=self.links,
            priors=priors,
            center_predictors=self.center_predictors,
            correlations=self.correlations,
            noncentered=noncentered,
            potentials=self.potentials,
        )

    def _check_plan(self, plan: Plan) -> None:
        """Refuse a plan that was made for other numbers than this model's: it would fit those.

        Raises
        ------
        SettingError
        """
        if plan.assembled.spec is not self._assembly.spec:
            raise SettingError(
                "fit(plan=...): this plan was made by another model, or by this one before its priors changed. Call "
                "its method plan() again."
            )

    def _prefix(self, parameter: str) -> str:
        return "" if parameter == self.family.parent.name else f"{parameter}_"

    def _noncentered(self, parameter: str, prior: Prior) -> bool:
        if prior.noncentered is not None:
            return bool(prior.noncentered)
        return self.noncentered if isinstance(self.noncentered, bool) else self.noncentered.get(parameter, True)

    def _choose_priors(self, given: Mapping[Any, Any]) -> PriorSet:
        mle = None
        if self.automatic_priors == "mle":
            if self.family.bind is not None:
                raise PriorError(
                    f"automatic_priors='mle' is for one linear predictor and a mean, which family '{self.family.name}' "
                    "does not have. Leave it out."
                )
            mle = MLEPriors(self.design, self.family, self.links, self.taylor)
        own = {name: prior for name, prior in self.family.own_priors.items() if name not in self.design.predictors}
        return choose_priors(
            update_priors(own, given),
            self.design.predictors,
            self.design.response,
            family=self.family.kind,
            link=self.links[self.family.parent.name],
            parent=self.family.parent.name,
            auxiliary={parameter.name: parameter.default_prior for parameter in self.family.auxiliary},
            auto_scale=self.auto_scale,
            unused=self.unused_priors,  # type: ignore[arg-type]  # checked there, with a message
            mle=mle,
            sizes={parameter.name: parameter.size for parameter in self.family.auxiliary if parameter.dim},
        )

    def _prediction_task(self) -> Any:
        from nutslite.results.predictions.new_groups import PopulationSampler
        from nutslite.results.predictions.response_draws import PredictionTask

        fixed = {
            name: np.asarray(v, dtype=float) for name, v in self.priors.constants.items() if not isinstance(v, Prior)
        }
        sizes = {parameter.name: parameter.size for parameter in self.family.parameters if parameter.dim}
        sampler = PopulationSampler(self.priors.terms, self.family.parent.name, sizes)
        coords = self._inventory.coords
        return PredictionTask(self.family, self.links, fixed, sampler, self._aliases, coords)
