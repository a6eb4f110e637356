"""`Model.fit`: settings checked, the plan run, the draws named and stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nutslite._log import log
from nutslite.exceptions import checked_options, refuse_other
from nutslite.model.after_fit import AfterFit
from nutslite.posterior.plan import Path, Plan

METHODS = ("nuts", "pymc", "mcmc", "laplace")  # "pymc" is what Bambi calls its default, our NUTS


class Fitting(AfterFit):
    """The part of `Model` that samples."""

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
