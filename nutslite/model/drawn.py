"""The part of `Model` that makes draws or reads them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from nutslite._calls import public
from nutslite.exceptions import check_flags, refuse_other
from nutslite.model.fits import adjusting, after_fit, before_fit, fitting
from nutslite.model.fits.fit_arguments import read_fit_arguments
from nutslite.model.record.specification import Specification
from nutslite.model.record.specify import with_priors
from nutslite.posterior.targets.plan import Centring, Path, Plan, make_plan


@public
class Drawn:
    """Methods of `Model` about draws. Each hands the specification to the function that does the work."""

    _specification: Specification
    _fitted: bool

    def build(self) -> None:
        """Turn the model into numbers now instead of at the first `fit`."""
        _ = self._specification.posterior.assembled

    @property
    def built(self) -> bool:
        """Whether `build` (or `fit`) has run since the last change."""
        return self._specification.posterior.is_assembled

    def plan(self, path: Path = "auto", pilot: bool | Centring = True, merge: bool = True, code: bool = True) -> Plan:
        """What `fit` will run and why, in plain words."""
        assembled = self._specification.posterior.assembled
        return make_plan(assembled, path, pilot=pilot, merge=merge, code=code)

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
        pilot: bool | Centring = True,
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
        importance: str | None = "auto",
        file: str | os.PathLike[str] | None = None,
        executor: Executor | None = None,
        until: str | None = None,
        budget: float = 4,
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
            Between 0 and 1; higher means smaller steps. By default 0.8; where a pilot has found the metric, 0.75 for
            NUTS with 50 parameters or more and 0.9 otherwise.
        priors : dict, optional
            Replaces priors first, as `set_priors` does; they stay.
        inference_method : str
            ``"auto"``: independence Metropolis where a pilot measures that proposals made from the mode fit the
            posterior closely, and slice sampling for models of few rows; otherwise, and where `tune`,
            `target_accept` or another argument of chains is given, ``"hmc"`` for 50 parameters or more, else
            ``"nuts"``. ``"nuts"``: NUTS in any case. ``"hmc"``: trajectories of a known length around the pilot's
            mode; a line says so where there is none, or a poor one, and NUTS samples. All sample the posterior itself.
            ``"vi"``, ``"meanfield"``, ``"pathfinder"``, ``"laplace"``: draws of approximations, in a fraction of the
            time; k-hat says whether to believe them (docs/approximations.md). ``"advi"`` and ``"fullrank_advi"`` are
            names of the first two's nearest relatives: a line says what runs.
        plan : {"auto", "joint", "marginal"} or Plan
            Force a path; see `Model.plan`, whose result may be given here.
        pilot : bool or {"levels", "matrix"}
            Whether a pilot may choose starting points, metric and centring; or which centring it is to choose where
            group effects are sampled: a weight for each level, or the whole matrix (docs/sampling.md).
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
        importance : {"auto", "resample", "weights"} or None
            What becomes of the draws of an approximation. ``"resample"``: they are chosen among four times as many by
            their importance weights. ``"auto"``: so, where k-hat allows it; otherwise they are left as they are
            (Pathfinder resamples always). ``"weights"``: they are left as they are, and their weights are stored
            (``sample_stats.log_weight``). None: they are left as they are.
        file : path-like, optional
            A netCDF file for the results (or a Zarr store, see `nutslite.save`). If it is there and formula, data,
            priors, family and settings are what they were, it is loaded instead of sampled; otherwise a line names what
            changed, and the fit replaces it.
        executor : concurrent.futures.Executor, optional
            Where chains of NUTS run, one task each: a pool of processes, loky's, that of a Dask client. The same draws
            as without it, and those of a worker that dies are made again. Everything else takes little time beside
            them and stays in this process: the pilot, and methods without long chains. Not with `checkpoint` or
            `callback`.
        until : {"converged"}, optional
            Where R-hat or effective sizes fall short, chains go on from where they are, with the draws of a longer run;
            where transitions diverged, the model is sampled anew with a higher `target_accept`. So on until neither
            happens, or the budget is spent; a line, and ``attrs["until"]`` and ``attrs["converged"]``, say what was
            done. None: the draws asked for, and a warning that says what it would take.
        budget : float
            How many times `draws` may be made of each chain in all, replaced ones included, warm-up apart.
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
        arguments = read_fit_arguments(locals())
        specification = self._specification
        if arguments.priors is not None:
            specification = with_priors(specification, arguments.priors)
        job = fitting.prepare(specification, arguments)
        self._specification = specification  # where the fit is refused, priors stay what they were
        results = fitting.carry_out(job)
        self._fitted = True
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
        draws: int | None = None,
        *,
        quantile: float | None = None,
        to: str | os.PathLike[str] | None = None,
    ) -> Any:
        """Predict for the model's own rows or for new data.

        Predictions have the chains and draws of `idata`, under the labels that they have there. Of the model's own
        rows, parameters are put into the group ``posterior`` and responses into ``posterior_predictive``. Of new rows,
        both are put into ``predictions``, and the columns that they are made from into ``predictions_constant_data``.

        Parameters
        ----------
        idata : InferenceData or DataTree
            What `fit` returned.
        kind : {"response_params", "response", "mean", "linpred", "quantile", "probability"}
            Parameters of the response's distribution (``mu``, ...), and beside them, where the response is y: draws of
            it; its mean ``y_mean`` in its own unit, counts of all trials; the linear predictor ``y_linpred``; the
            quantile ``y_quantile``; probabilities ``y_probability`` of its categories, or of success.
        data : DataFrame or the like, optional
            New rows; the model's own by default.
        inplace : bool
            Add the predictions to `idata` and return None, or return a copy with them. Earlier ones are replaced.
        include_group_specific : bool
            Whether group-specific effects take part. Without them, new data need no columns that only groups use.
        sample_new_groups : bool
            Draw effects of groups that the model has not seen from the distribution of all groups. Otherwise they
            are an error.
        random_seed : int, optional
        draws : int, optional
            How many posterior draws to use, all by default: evenly spaced, the same number of every chain, rounded up.
            A copy (``inplace=False``) then has these draws alone; in place, the parameters of the model's own rows are
            left out, because the posterior keeps all its draws.
        quantile : float, optional
            Between 0 and 1, for ``kind="quantile"``.
        to : path-like, optional
            A new Zarr store (``"name.zarr"``) or netCDF file (``"name.nc"``) for predictions that memory has no room
            for. It is written while they are computed; the group in the results reads what it is asked for from there.
            With ``kind="response"`` it has responses, and no parameters.

        Raises
        ------
        DataError
            For data that lack a column, hold an unknown level of a common term, or new groups; for results with other
            groups or labels than the model's; for more `draws` than there are; where memory or the disk has no room,
            before any work.

        Warns
        -----
        NutsliteWarning
            For results of a model with another formula, family or link.
        """
        check_flags(
            inplace=inplace, include_group_specific=include_group_specific, sample_new_groups=sample_new_groups or False
        )
        return after_fit.predict(
            self._specification,
            idata,
            kind=kind,
            data=data,
            inplace=inplace,
            include_group_specific=include_group_specific,
            sample_new_groups=sample_new_groups,
            random_seed=random_seed,
            draws=draws,
            quantile=quantile,
            to=to,
        )

    def posterior_predictive(self, idata: Any, **options: Any) -> Any:
        """Older name of ``predict(idata, kind="response")``."""
        return self.predict(idata, kind="response", **options)

    def compute_log_likelihood(
        self, idata: Any, data: Any = None, inplace: bool = True, *, to: str | os.PathLike[str] | None = None
    ) -> Any:
        """Add the pointwise log likelihood (group ``log_likelihood``) of the model's rows, or of new data instead.

        Where memory has no room for it that is an error, before any work; ``to="name.zarr"`` (or ``.nc``) writes it to
        a file while it is computed, which the group in the results reads from.

        Of several quantiles (``family="quantiles"``) it is the sum of their working log likelihoods, and no log density
        of the response: its LOO compares models of the same quantiles, and nothing else. `evaluate` scores quantiles.
        """
        check_flags(inplace=inplace)
        return after_fit.add_log_likelihood(self._specification, idata, data=data, inplace=inplace, to=to)

    def compute_log_prior(self, idata: Any, inplace: bool = True) -> Any:
        """Add log prior densities (group ``log_prior``), one variable per sampled variable, for power-scaling.

        Densities are of the natural values, without Jacobians; correlations have one number for all of a block.
        Effects of groups whose location or scale is estimated are left out: their distribution is a part of the model,
        and no prior that somebody chose. Potentials do not count.

        Returns
        -------
        None, or with ``inplace=False`` a copy of `idata` that has the group.

        Raises
        ------
        DataError
            If the results are from another model.
        """
        check_flags(inplace=inplace)
        return after_fit.add_log_prior(self._specification, idata, inplace=inplace)

    def adjust_intervals(self, idata: Any, groups: Any = None) -> Any:
        """Draws of a regression of quantiles whose intervals cover as confidence intervals do.

        The likelihood of a quantile is a working one: draws are about the right place, and their spread is not that of
        the estimates. Coefficients get the sandwich covariance (Yang, Wang and He, 2016, doi:10.1111/insr.12114),
        around the same means; group effects, scales and the like stay, and with them bands of single groups.

        Parameters
        ----------
        idata : InferenceData or DataTree
            What `fit` returned.
        groups : str or array of labels, optional
            Whose rows may depend on each other: a grouping factor, a column of the data, or a label for each row. By
            default the model's grouping factor; ``"rows"``: all rows are independent, as they are by default in a model
            without group effects.

        Returns
        -------
        InferenceData or DataTree
            A copy for `predict` and all else. What was computed from the draws before (predictions, log likelihoods) is
            left out; its posterior has the attribute ``adjusted``.

        Raises
        ------
        DataError
            For a model without ``quantile=``, results that have been adjusted, fewer groups than coefficients; for
            penalised terms, whose coefficients are no estimates of the data alone.

        Warns
        -----
        NutsliteWarning
            Where priors make a large part of the posterior.
        """
        return adjusting.adjust_intervals(self._specification, idata, groups)

    def r2_score(self, idata: Any, summary: bool = True, kind: str = "residual", random_seed: Any = 0) -> Any:
        """Bayesian R-squared of the model's rows.

        Parameters
        ----------
        idata : InferenceData or DataTree
        summary : bool
            False: the draws themselves.
        kind : {"residual", "model", "loo"}
            ``"residual"``: for every draw ``var(mean) / (var(mean) + var(y - mean))``, variances over the rows (Gelman,
            Goodrich, Gabry and Vehtari 2019, The American Statistician 73, section 3). ``"model"``: with the variance
            of the row's distribution, averaged over rows, for ``var(y - mean)``: sigma^2, or p (1 - p). ``"loo"``:
            ``1 - var(y - m) / var(y)``, m the mean that the other rows predict for each (PSIS-LOO), with draws of a
            Bayesian bootstrap of the rows: what the model would explain of new rows. It may be negative.
        random_seed : int or sequence of int
            Of the bootstrap.

        Returns
        -------
        pandas.Series or ndarray
            Mean ``r2``, standard deviation ``r2_std`` and the ends of the 94 % highest-density interval; or the
            draws, shape (chains, draws).

        Raises
        ------
        DataError
            For a response that does not vary, is censored, or has several columns; of ``kind="model"`` for a family
            whose variance is not known in closed form, or infinite.
        """
        check_flags(summary=summary)
        refuse_other("kind", kind, ("residual", "model", "loo"))
        return after_fit.explained_variance(
            self._specification, idata, summary=summary, kind=kind, random_seed=random_seed
        )

    def prior_predictive(
        self,
        draws: int = 500,
        var_names: str | Sequence[str] | None = None,
        omit_offsets: bool = True,
        random_seed: int | None = None,
    ) -> Any:
        """Draw from the prior, and responses given those draws; `var_names` picks variables to keep.

        ``omit_offsets=False`` adds the standardised effects of non-centred terms (``1|g_offset``).

        Returns
        -------
        InferenceData or DataTree
            Groups ``prior``, ``prior_predictive`` and ``observed_data``; one chain.

        Raises
        ------
        PriorError
            If a prior is flat, which nothing can be drawn from.
        """
        check_flags(omit_offsets=omit_offsets)
        return before_fit.prior_predictive(self._specification, draws, var_names, omit_offsets, random_seed)
