"""`Model.fit`: settings checked, the plan run, the draws named and stored."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nutslite._calls import public
from nutslite._log import log
from nutslite.exceptions import SettingError, check_flags, checked_path
from nutslite.model.after_fit import AfterFit
from nutslite.model.fit_arguments import (
    check_apart,
    check_bar,
    check_group_options,
    check_method,
    nuts_options,
    translated,
)
from nutslite.model.saving import Saving
from nutslite.posterior.targets.plan import Path, Plan

if TYPE_CHECKING:
    from nutslite.posterior.methods.settings import Settings


@public
class Fitting(AfterFit, Saving):
    """The part of `Model` that samples."""

    def fit(
        self,
        draws: int = 1000,
        tune: int | None = None,
        chains: int | None = 4,
        cores: int | None = None,
        random_seed: Any = None,
        target_accept: float | None = None,
        *,
        priors: Mapping[Any, Any] | None = None,
        inference_method: str = "auto",
        plan: Path | Plan = "auto",
        pilot: bool = True,
        max_treedepth: int = 10,
        init: str = "auto",
        start: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        progressbar: bool | str = True,
        callback: Callable[..., Any] | None = None,
        include_response_params: bool = False,
        omit_offsets: bool = True,
        idata_kwargs: Mapping[str, Any] | None = None,
        discard_tuned_samples: bool = True,
        compute_convergence_checks: bool = True,
        nuts: Mapping[str, Any] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        file: str | os.PathLike[str] | None = None,
        **others: Any,
    ) -> Any:
        """Sample the posterior.

        Parameters
        ----------
        draws, tune : int
            Draws kept per chain, and warm-up transitions before them. By default 1000 of each, fewer warm-up
            transitions where a pilot has found the metric (`plan` says whether).
        chains, cores : int
            Independent chains, and how many run at once (default: as many as there are processors).
        random_seed : int, sequence of int, SeedSequence or Generator, optional
            The same seed gives the same draws, whatever `cores`.
        target_accept : float, optional
            Between 0 and 1; higher means smaller steps. By default 0.8; where a pilot has found the metric, 0.7 for
            50 parameters or more and 0.9 for fewer.
        priors : dict, optional
            Replaces priors first, as `set_priors` does; they stay.
        inference_method : str
            ``"auto"``: independence Metropolis where a pilot measures that a normal distribution with a heavy-tailed
            part fits the posterior closely, otherwise NUTS; NUTS also where `tune`, `target_accept` or another
            argument asks for what only NUTS has, and slice sampling for models of few rows. ``"nuts"``: NUTS in any
            case. All sample the posterior itself.
            ``"laplace"``: independent draws from a normal approximation at the mode, in no time.
        plan : {"auto", "joint", "marginal"} or Plan
            Force a path; see `Model.plan`, whose result may be given here.
        pilot : bool
            Whether a pilot may choose starting points, metric and centring.
        max_treedepth : int
            A trajectory has at most 2**max_treedepth leapfrog steps.
        init : str
            How the metric is found, by PyMC's names: ``"auto"`` leaves it to the plan; ``"adapt_diag"`` and
            ``"adapt_full"`` adapt a diagonal or dense metric during warm-up, without a pilot, from one starting point
            for all chains; with ``"jitter+"`` before them starting points are spread by up to 1.
        start : dict, or list of dict with one per chain, optional
            Values to start from, by name and on their natural scale (``{"sigma": 2.0}``); what is not named starts
            where it would. The names of unconstrained numbers (``sigma_log__``) are known too. Also ``initvals=``.
        progressbar : bool
            Whether to show a bar, and lines that say what is sampled and how long it took. The names of PyMC's
            layouts mean True.
        callback : callable, optional
            Called between blocks of transitions with the sampler's progress record. One that raises is not called
            again, with a warning; KeyboardInterrupt in it stops the fit as Ctrl-C does.
        include_response_params : bool
            Whether to add ``mu`` and the like, one value per observation and draw.
        omit_offsets : bool
            False adds the standardised effects of non-centred terms, ``1|g_offset``.
        idata_kwargs : dict, optional
            ``{"log_likelihood": True}`` adds the pointwise log likelihood, ``{"log_prior": True}`` log priors.
        discard_tuned_samples : bool
            False keeps the warm-up draws in groups of their own.
        compute_convergence_checks : bool
            False: no warnings about R-hat, effective sample sizes, divergences and the like.
        checkpoint : path-like, optional
            A file that grows with the draws. After a crash or a kill the same call goes on where it ended, with the
            draws of a run in one piece; once finished, it reads them. With more `draws` it goes on after the last one,
            with fewer it gives the first of them. A checkpoint of another model, other data or settings is refused.
            `cores`, `progressbar` and `callback` may differ; without a `random_seed` it takes the file's. Another
            version of NumPy or Numba may change last digits.
        file : path-like, optional
            A netCDF file for the results (or a Zarr store, see `nutslite.save`). If it is there and formula, data,
            priors, family and settings are what they were, it is loaded instead of sampled; otherwise a line names what
            changed, and the fit replaces it.
        nuts : dict, optional
            Other place for ``target_accept`` and ``max_treedepth``, as in Bambi.
        **others
            Names that other versions and PyMC have for the above: ``initvals``, ``jobs``, ``include_mean``;
            ``n_init`` and ``return_inferencedata=True`` are accepted and change nothing.

        Returns
        -------
        arviz.InferenceData or xarray.DataTree
            The latter with ArviZ 1.0 and later.

        Raises
        ------
        SamplingError
            For impossible settings or starting values, or if no finite starting point exists; where the draws are made
            and cannot be put together, with the name of a file that they are in.
        TypeError
            (and NutsliteError) For an argument that does not exist.
        KeyboardInterrupt
            If stopped before the first draw. Later, Ctrl-C returns what was drawn, with ``attrs["interrupted"] == 1``.
        """
        from nutslite.posterior.methods.settings import Settings
        from nutslite.posterior.points.start_values import check_start_values
        from nutslite.posterior.run.identity import run_identity
        from nutslite.results.container.row_labels import label_rows
        from nutslite.results.storage.stored_fit import StoredFit
        from nutslite.sampler.checkpoint.checkpoint import stored_seed
        from nutslite.sampler.checkpoint.digest import digest

        if others:
            named = {"start": start, "cores": cores, "random_seed": random_seed}
            today = translated(named, others, Fitting.fit)
            start, cores = today.get("start", start), today.get("cores", cores)
            random_seed = today.get("random_seed", random_seed)
            include_response_params = today.get("include_response_params", include_response_params)
        check_method(inference_method)
        if self.potentials and inference_method == "laplace":
            raise SettingError(
                "A Laplace approximation starts from a pilot, which knows the model without its potentials: use NUTS."
            )
        check_flags(
            pilot=pilot,
            include_response_params=include_response_params,
            omit_offsets=omit_offsets,
            discard_tuned_samples=discard_tuned_samples,
            compute_convergence_checks=compute_convergence_checks,
        )
        checkpoint = None if checkpoint is None else checked_path("checkpoint", checkpoint)
        file = None if file is None else checked_path("file", file)
        check_apart(checkpoint, file)
        shows = check_bar(progressbar)
        self._replace_priors(priors, plan)
        seeded = random_seed is not None
        if checkpoint is not None and not seeded:
            random_seed = stored_seed(checkpoint)
        options: dict[str, Any] = {"target_accept": target_accept, "max_treedepth": max_treedepth}
        options |= nuts_options(nuts, options, Fitting.fit)
        extras = check_group_options(idata_kwargs)
        settings = Settings(
            draws=draws,
            tune=tune,
            chains=4 if chains is None else chains,
            cores=cores,
            random_seed=random_seed,
            **options,
            progressbar=shows,
            callback=callback,
            keep_warmup=not discard_tuned_samples,
            laplace=inference_method == "laplace",
            independence=inference_method == "auto",
            init=init,
            start=start,
            checkpoint=checkpoint,
            identity=None if checkpoint is None and file is None else self._identity(),
        )
        success = self.design.response.success or ("1" if self.family.kind == "bernoulli" else None)
        if success is not None:
            log.info("Modeling the probability that %s==%s", self.design.response.name, success)
        if isinstance(plan, Plan):
            self._check_plan(plan)
        chosen = plan if isinstance(plan, Plan) else self.plan(plan, pilot and init == "auto")
        if start is not None:
            check_start_values(chosen.assembled, start)
        groups = {"include_response_params": include_response_params, "omit_offsets": omit_offsets, **extras}
        if file is None:
            return self._sampled(chosen, settings, groups, compute_convergence_checks, None)
        seed = {"random_seed": settings.random_seed if seeded else None}
        stored = StoredFit(file, {**run_identity(chosen, settings), **groups, **seed, "aliases": digest(self._aliases)})
        if (found := stored.results()) is not None:
            self._fitted = True
            return label_rows(found, self.design.rows)
        results = self._sampled(chosen, settings, groups, compute_convergence_checks, file)
        stored.keep(results)
        return results

    def _sampled(
        self, plan: Plan, settings: Settings, groups: Mapping[str, bool], report: bool, file: str | None
    ) -> Any:
        """Run a plan, name and store its draws, and add the groups that were asked for.

        What follows the sampling is tried before it; where it fails all the same, the draws are written raw.
        """
        from nutslite.posterior.run.narration import how_long_it_took, what_is_sampled
        from nutslite.posterior.run.run import run
        from nutslite.results.container.inference_data import preload_arviz
        from nutslite.results.fit import raw_draws, store_fit
        from nutslite.results.rehearsal import rehearse
        from nutslite.sampler.interrupts import careful_interrupts
        from nutslite.sampler.rescue import rescued

        rehearse(
            plan.assembled,
            aliases=self._aliases,
            notes=self._notes(),
            groups=groups,
            chains=settings.chains,
            draws=settings.draws,
        )
        if settings.progressbar:
            log.info("%s", what_is_sampled(plan, settings, self._aliases))
        with careful_interrupts():
            fit = run(plan, settings, before_sampling=preload_arviz)
            named = "one array a variable, of shape (chains, draws, ...)"
            with rescued(lambda: raw_draws(fit), named, beside=file):
                if settings.progressbar:
                    log.info("%s", how_long_it_took(fit))
                results = store_fit(
                    fit,
                    aliases=self._aliases,
                    omit_offsets=groups["omit_offsets"],
                    report=report,
                    notes=self._notes(),
                )
        self._fitted = True
        self._add_groups(results, groups)
        return results

    def _add_groups(self, results: Any, groups: Mapping[str, bool]) -> None:
        """What `fit` was asked to add to its draws; these are not lost where that fails, or is interrupted."""
        methods = {
            "include_response_params": "predict",
            "log_likelihood": "compute_log_likelihood",
            "log_prior": "compute_log_prior",
        }
        for name in (name for name in methods if groups.get(name)):
            try:
                getattr(self, methods[name])(results)
            except KeyboardInterrupt:
                log.warning("Interrupted when all draws were made: the results lack some of the groups asked for.")
                return
            except Exception as error:
                log.warning(
                    "The results have all draws, but not what %s asks for, which failed (%s: %s). "
                    "model.%s(results) tries it again.",
                    name,
                    type(error).__name__,
                    error,
                    methods[name],
                )
