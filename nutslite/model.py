"""`Model`: formula, data, family and priors come in; draws with names come out. Wiring only: the rooms do the work."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from nutslite._log import log
from nutslite.exceptions import checked_options, refuse_other
from nutslite.families.family import Family, get_family
from nutslite.formula.design import Design, build_design
from nutslite.formula.formula import Formula, as_formula
from nutslite.posterior.assembly import Assembled, ModelSpec, assemble
from nutslite.posterior.plan import Path, Plan, make_plan
from nutslite.priors.assign import choose_priors
from nutslite.priors.correlations import choose_correlations
from nutslite.priors.defaults import PriorSet
from nutslite.priors.prior import Prior

STYLES = ("modern", "classic")
METHODS = ("nuts", "pymc", "mcmc", "laplace")  # "pymc" is what Bambi calls its default, our NUTS


class Model:
    """A Bayesian generalized linear mixed model.

    Parameters
    ----------
    formula : str or Formula
        ``"y ~ x + (x|g)"``; a `Formula` may model further parameters: ``Formula("y ~ x", "sigma ~ z")``.
    data : DataFrame, polars or pyarrow table, dict of arrays, or path of a CSV or Parquet file
        One row per observation.
    family : str or Family
        ``"gaussian"``, ``"bernoulli"``, ``"poisson"``, ... or a Family of your own.
    priors : dict, optional
        By name of term (``"x"``, ``"1|g"``, ``"Intercept"``), tuple of names, ``"common"``, ``"group_specific"``, or
        parameter (``"sigma"``); see docs. What is not named gets a weakly informative default.
    link : str or dict, optional
        Link of the parent parameter, or links by parameter.
    categorical : str or collection of str, optional
        Columns to treat as categorical although they hold numbers.
    dropna : bool
        Leave incomplete rows out (with a message) instead of raising.
    auto_scale : bool
        False: flat priors instead of scaled defaults.
    noncentered : bool
        Where group effects start: non-centred (True) or centred. With a pilot each level's centring is chosen.
    center_predictors : bool
        Whether the prior of an intercept is about centred predictors, as in Bambi. The reported one is not centred.
    extra_namespace : dict, optional
        Functions and values that the formula may use beside the known ones.
    correlated : bool
        Whether effects of one term ``(x|g)`` are correlated, with an LKJ(1) prior. Default as in Bambi: independent.
    priors_cor : dict, optional
        By grouping factor, the shape of an LKJ prior of its correlations (a number or ``Prior("LKJ", eta=2)``).
    unused_priors : {"warn", "error", "ignore"}
        What to do about names in `priors` that are not in the model.

    Raises
    ------
    NutsliteError
        (FormulaError, DataError, FamilyError, PriorError) naming what is wrong, before any sampling.

    Examples
    --------
    >>> import nutslite as nl
    >>> model = nl.Model("Reaction ~ Days + (Days|Subject)", nl.load_data("sleepstudy"))
    >>> model.family.name
    'gaussian'
    """

    def __init__(
        self,
        formula: str | Formula,
        data: Any,
        family: str | Family = "gaussian",
        priors: Mapping[Any, Any] | None = None,
        link: str | Mapping[str, str] | None = None,
        categorical: str | Collection[str] | None = None,
        dropna: bool = False,
        auto_scale: bool = True,
        noncentered: bool = True,
        center_predictors: bool = True,
        extra_namespace: Mapping[str, Any] | None = None,
        correlated: bool = False,
        priors_cor: Mapping[str, float | Prior] | None = None,
        unused_priors: str = "warn",
    ) -> None:
        self.formula = as_formula(formula)
        self.family = get_family(family)
        self.links = self.family.choose_links(link)
        self.auto_scale = auto_scale
        self.noncentered = noncentered
        self.center_predictors = center_predictors
        self.unused_priors = unused_priors
        parameters = tuple(parameter.name for parameter in self.family.parameters)
        self.design: Design = build_design(
            self.formula,
            data,
            parameters=parameters,
            categorical=categorical,
            dropna=dropna,
            extra_namespace=extra_namespace,
        )
        self.family.check_response(self.design.response)
        self.correlations = choose_correlations(self.design.factors, correlated, priors_cor)
        self._given_priors: Mapping[Any, Any] = priors or {}
        self.priors: PriorSet = self._choose_priors(self._given_priors)
        self._assembled: Assembled | None = None
        self._fitted = False

    # ------------------------------------------------------------------------------------------------ what it is

    def __repr__(self) -> str:
        return self.describe()

    def describe(self, style: str = "modern") -> str:
        """The model in words; ``style="classic"`` gives the layout of Bambi 0.6."""
        from nutslite.results.description import describe

        refuse_other("style", style, STYLES)
        return describe(
            formulas=[self.formula.main, *self.formula.additionals],
            family=self.family,
            links=self.links,
            n_rows=self.design.n_rows,
            predictors=self.design.predictors,
            priors=self.priors,
            fitted=self._fitted,
            style="classic" if style == "classic" else "modern",
        )

    def set_priors(
        self,
        priors: Mapping[Any, Any] | None = None,
        common: Prior | None = None,
        group_specific: Prior | None = None,
    ) -> None:
        """Replace priors; arguments as for ``priors`` of the model. Needs a new `fit` to take effect."""
        generic = {"common": common, "group_specific": group_specific}
        named = {key: prior for key, prior in generic.items() if prior is not None}
        given = {**self._given_priors, **named, **(priors or {})}
        self.priors = self._choose_priors(given)  # where that raises, the model stays as it was
        self._given_priors = given
        self._assembled = None

    def build(self) -> None:
        """Turn the model into numbers now instead of at the first `fit`."""
        _ = self._assembly

    @property
    def built(self) -> bool:
        """Whether `build` (or `fit`) has run since the last change."""
        return self._assembled is not None

    def plan(self, path: Path = "auto", pilot: bool = True, merge: bool = True) -> Plan:
        """What `fit` will run and why, in plain words."""
        return make_plan(self._assembly, path, pilot=pilot, merge=merge)

    # ------------------------------------------------------------------------------------------------ what it does

    def fit(
        self,
        draws: int = 1000,
        tune: int | None = None,
        chains: int = 4,
        cores: int | None = None,
        random_seed: Any = None,
        target_accept: float = 0.8,
        *,
        inference_method: str = "nuts",
        plan: Path | Plan = "auto",
        pilot: bool = True,
        max_treedepth: int = 10,
        progressbar: bool = True,
        callback: Callable[..., Any] | None = None,
        include_response_params: bool = False,
        idata_kwargs: Mapping[str, Any] | None = None,
        discard_tuned_samples: bool = True,
        nuts: Mapping[str, Any] | None = None,
    ) -> Any:
        """Sample the posterior with NUTS.

        Parameters
        ----------
        draws, tune : int
            Draws kept per chain, and warm-up transitions before them. By default 1000 of each, fewer warm-up
            transitions where a pilot has found the metric (`plan` says whether).
        chains, cores : int
            Independent chains, and how many run at once (default: as many as there are processors).
        random_seed : int, sequence of int, SeedSequence or Generator, optional
            The same seed gives the same draws, whatever `cores`.
        target_accept : float
            Between 0 and 1; higher means smaller steps.
        inference_method : str
            ``"nuts"``, or ``"laplace"``: independent draws from a normal approximation at the mode, in no time.
        plan : {"auto", "joint", "marginal"} or Plan
            Force a path; see `Model.plan`, whose result may be given here.
        pilot : bool
            Whether a pilot may choose starting points, metric and centring.
        max_treedepth : int
            A trajectory has at most 2**max_treedepth leapfrog steps.
        progressbar : bool
        callback : callable, optional
            Called between blocks of transitions with the sampler's progress record.
        include_response_params : bool
            Whether to add ``mu`` and the like, one value per observation and draw.
        idata_kwargs : dict, optional
            ``{"log_likelihood": True}`` adds the pointwise log likelihood.
        discard_tuned_samples : bool
            False keeps the warm-up draws in groups of their own.
        nuts : dict, optional
            Other place for ``target_accept`` and ``max_treedepth``, as in Bambi.

        Returns
        -------
        arviz.InferenceData or xarray.DataTree
            The latter with ArviZ 1.0 and later.

        Raises
        ------
        SamplingError
            For impossible settings, or if no finite starting point exists.
        KeyboardInterrupt
            If stopped before the first draw. Later, Ctrl-C returns what was drawn, with ``attrs["interrupted"] == 1``.
        """
        from nutslite.posterior.run import Settings, run
        from nutslite.results.fit import store_fit
        from nutslite.results.inference_data import preload_arviz

        refuse_other("inference_method", inference_method, METHODS)
        options: dict[str, Any] = {"target_accept": target_accept, "max_treedepth": max_treedepth}
        options |= checked_options("nuts", nuts, tuple(options))
        extras = checked_options("idata_kwargs", idata_kwargs, ("log_likelihood",))
        success = self.design.response.success or ("1" if self.family.name == "bernoulli" else None)
        if success is not None:
            log.info("Modeling the probability that %s==%s", self.design.response.name, success)
        settings = Settings(
            draws=draws,
            tune=tune,
            chains=chains,
            cores=cores,
            random_seed=random_seed,
            **options,
            progressbar=progressbar,
            callback=callback,
            keep_warmup=not discard_tuned_samples,
            laplace=inference_method == "laplace",
        )
        chosen = plan if isinstance(plan, Plan) else self.plan(plan, pilot)
        results = store_fit(run(chosen, settings, before_sampling=preload_arviz))
        self._fitted = True
        if include_response_params:
            self.predict(results)
        if extras.get("log_likelihood"):
            self.compute_log_likelihood(results)
        return results

    def predict(
        self,
        idata: Any,
        kind: str = "response_params",
        data: Any = None,
        inplace: bool = True,
        include_group_specific: bool = True,
        sample_new_groups: bool = False,
        random_seed: int | None = None,
    ) -> Any:
        """Predict for the model's own rows or for new data.

        Parameters
        ----------
        idata : InferenceData or DataTree
            What `fit` returned.
        kind : {"response_params", "response"}
            Parameters of the response's distribution (``mu``, ...), or draws of the response itself.
        data : DataFrame or the like, optional
            New rows; the model's own by default.
        inplace : bool
            Add the predictions to `idata` and return None, or return a copy with them.
        include_group_specific : bool
            Whether group-specific effects take part.
        sample_new_groups : bool
            Draw effects of groups that the model has not seen from the distribution of all groups. Otherwise they
            are an error.
        random_seed : int, optional

        Raises
        ------
        DataError
            For data that lack a column, hold an unknown level of a common term, or new groups.
        """
        from nutslite.results.fit import add_predictions

        return add_predictions(
            idata,
            self.design if data is None else self.design.evaluate(data),
            self._prediction_task(),
            inplace=inplace,
            kind=kind,
            include_group_specific=include_group_specific,
            sample_new_groups=sample_new_groups,
            random_seed=random_seed,
        )

    def posterior_predictive(self, idata: Any, **options: Any) -> Any:
        """Older name of ``predict(idata, kind="response")``."""
        return self.predict(idata, kind="response", **options)

    def compute_log_likelihood(self, idata: Any, data: Any = None, inplace: bool = True) -> Any:
        """Add the pointwise log likelihood (group ``log_likelihood``) of the model's rows or of new data."""
        from nutslite.results.fit import add_log_likelihood

        design = self.design if data is None else self.design.evaluate(data, response=True)
        return add_log_likelihood(idata, design, self._prediction_task(), inplace=inplace)

    def prior_predictive(
        self, draws: int = 500, var_names: str | Sequence[str] | None = None, random_seed: int | None = None
    ) -> Any:
        """Draw from the prior, and responses given those draws; `var_names` picks variables to keep.

        Returns
        -------
        InferenceData or DataTree
            Groups ``prior``, ``prior_predictive`` and ``observed_data``; one chain.

        Raises
        ------
        PriorError
            If a prior is flat, which nothing can be drawn from.
        """
        from nutslite.posterior.prior_draws import draw_prior
        from nutslite.results.fit import store_prior

        rng = np.random.default_rng(random_seed)
        values, effects = draw_prior(self._assembly, draws, rng)
        return store_prior(self._assembly, values[None], effects[None], self._prediction_task(), rng, var_names)

    # ------------------------------------------------------------------------------------------------ wiring

    @property
    def _assembly(self) -> Assembled:
        if self._assembled is None:
            noncentered = {
                f"{self._prefix(name)}{term.name}": self._noncentered(name, term.name)
                for name, predictor in self.design.predictors.items()
                for term in predictor.group_terms
            }
            self._assembled = assemble(
                ModelSpec(
                    design=self.design,
                    family=self.family,
                    links=self.links,
                    priors=self.priors,
                    center_predictors=self.center_predictors,
                    correlations=self.correlations,
                    noncentered=noncentered,
                )
            )
        return self._assembled

    def _prefix(self, parameter: str) -> str:
        return "" if parameter == self.family.parent.name else f"{parameter}_"

    def _noncentered(self, parameter: str, term: str) -> bool:
        own = self.priors.terms[parameter][term].noncentered
        return self.noncentered if own is None else own

    def _choose_priors(self, given: Mapping[Any, Any]) -> PriorSet:
        return choose_priors(
            given,
            self.design.predictors,
            self.design.response,
            family=self.family.name,
            link=self.links[self.family.parent.name],
            parent=self.family.parent.name,
            auxiliary={parameter.name: parameter.default_prior for parameter in self.family.auxiliary},
            auto_scale=self.auto_scale,
            unused=self.unused_priors,  # type: ignore[arg-type]  # checked there, with a message
        )

    def _prediction_task(self) -> Any:
        from nutslite.results.new_groups import PopulationSampler
        from nutslite.results.response_draws import PredictionTask

        fixed = {name: float(v) for name, v in self.priors.constants.items() if not isinstance(v, Prior)}
        sampler = PopulationSampler(self.priors.terms, self.family.parent.name)
        return PredictionTask(self.family, self.links, fixed, sampler)
