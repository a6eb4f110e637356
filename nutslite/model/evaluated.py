"""The part of `Model` that judges its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nutslite._calls import public
from nutslite.model.record.specification import Specification

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from nutslite.scores.reports.report import Report

LEVELS = (0.5, 0.8, 0.9, 0.95)
SIMULATIONS = 199


@public
class Evaluated:
    """Methods of `Model` about how good its predictions are."""

    _specification: Specification

    def evaluate(
        self,
        idata: Any,
        data: Any = None,
        kind: str | None = None,
        *,
        new_groups: bool = False,
        groups: Any = None,
        by: Any = None,
        moment_match: bool = False,
        refit: bool = False,
        draws: int | None = None,
        levels: Sequence[float] = LEVELS,
        quantiles: Sequence[float] = (),
        joint: Sequence[str] = (),
        simulations: int = SIMULATIONS,
        confidence: float = 0.95,
        random_seed: Any = 0,
    ) -> Report:
        """Score the predictions of a fit: is its uncertainty right, and how sharp is it?

        Of the model's own rows each is predicted as if it had been left out, by Pareto-smoothed importance sampling
        (PSIS-LOO); ``report.pointwise.khat`` says of each row whether that can be relied on. Where scores know the
        family's distribution they are of its mixture over the draws, not of one draw from each. With `new_groups` all
        rows of a group have a joint log score besides (``report.joint``). Of censored responses there are the log score
        of what is known and the randomised transform, and no scores that need the responses themselves.

        Parameters
        ----------
        idata : InferenceData or DataTree
            What `fit` returned.
        data : DataFrame or the like, optional
            Held-out rows, with the response; by default the model's own rows.
        kind : {"loo", "insample"}, optional
            How the model's own rows are judged: as if left out, or by the posterior that has seen them.
        new_groups : bool
            Take all groups of held-out rows for new ones, with effects drawn from the distribution of groups.
        groups : str, array_like or False, optional
            What standard errors are clustered by: a column or grouping factor, or one label a row in use. By default
            the model's own grouping factor, of several the coarsest. False: rows are independent.
        by : str or array_like, optional
            A column, or one label a row: scores are reported for each of its values, too (``report.by``).
        moment_match : bool
            Move draws for each row that importance sampling is not good enough for, to where they would be without it
            (Paananen et al. 2021, Statistics and Computing 31:16): far cheaper than `refit`, which then does the rest.
        refit : bool
            Fit again without each row that importance sampling is not good enough for, 20 rows at most.
        draws : int, optional
            How many posterior draws to use, evenly spaced. By default all, and fewer, which the report says, where
            draws times rows are more than 20 million.
        levels, quantiles, joint, simulations, confidence
            As for `nutslite.scores.evaluate`; `joint` of held-out rows.
        random_seed : int or sequence of int
            Of new groups' effects, refits, simulations, the bootstrap. The same seed gives the same report.

        Returns
        -------
        nutslite.scores.Report

        Raises
        ------
        DataError
            For results of another model, groups that the model has not seen without
            ``new_groups=True``; as for `predict`.
        ArgumentError
            For arguments that cannot go together.

        Warns
        -----
        NutsliteWarning
            Where k-hat is too high in some rows.

        Examples
        --------
        >>> report = model.evaluate(results)  # doctest: +SKIP
        >>> print(report.verdict())  # doctest: +SKIP
        """
        from nutslite.model.evaluation import evaluation

        return evaluation.evaluate(
            self._specification,
            idata,
            data=data,
            kind=kind,
            new_groups=new_groups,
            groups=groups,
            by=by,
            better=evaluation.Better(moment_match, refit),
            draws=draws,
            random_seed=random_seed,
            levels=levels,
            quantiles=quantiles,
            joint=joint,
            simulations=simulations,
            confidence=confidence,
        )

    def cross_validate(
        self,
        k: int | None = None,
        groups: Any = None,
        executor: Executor | None = None,
        random_seed: Any = 0,
        *,
        stratify: Any = None,
        by: Any = None,
        draws: int = 1000,
        tune: int | None = None,
        chains: int = 4,
        target_accept: float | None = None,
        inference_method: str = "auto",
        levels: Sequence[float] = LEVELS,
        quantiles: Sequence[float] = (),
        joint: Sequence[str] = (),
        simulations: int = SIMULATIONS,
        confidence: float = 0.95,
    ) -> Report:
        """Fit without a part of the rows, predict this part, and so on for all; score the predictions.

        The model stays the same in all fits: its priors are not scaled anew, and its levels are those of all rows.
        With `groups` a group is held out as a whole, and predicted as a new one. Then ``report.joint`` has the negative
        log predictive density of all rows of each group at once, which says whether the model knows how they hang
        together.

        Parameters
        ----------
        k : int, optional
            How many parts: 10, or as many as there are rows or groups where these are fewer. The number of groups
            leaves out one group at a time.
        groups : str or array_like, optional
            What to hold out as a whole: a column or grouping factor, or one label a row in use. Standard errors are
            then of these groups, otherwise of the model's own grouping factor.
        executor : concurrent.futures.Executor, optional
            Where fits run: a pool of processes, threads, or a cluster's. One after another where it is left out.
        random_seed : int or sequence of int
            The same seed gives the same parts and the same draws, whatever the executor.
        stratify : str or array_like, optional
            What all parts shall have alike: a column, or one label a row in use. Its levels, such as the categories of
            a rare response, are dealt out evenly among the parts.
        by : str or array_like, optional
            As for `evaluate`.
        draws, tune, chains, target_accept
            Of each fit, as for `fit`.
        inference_method : {"auto", "nuts", "hmc"}
            As for `fit`.
        levels, quantiles, joint, simulations, confidence
            As for `nutslite.scores.evaluate`.

        Returns
        -------
        nutslite.scores.Report

        Raises
        ------
        SettingError
            For a `k` that there are not as many rows or groups for.
        DataError
            For a censored response, and labels that do not fit the rows.
        SamplingError
            Where a fit fails.

        Examples
        --------
        >>> report = model.cross_validate(groups="Subject")  # doctest: +SKIP
        """
        from nutslite.model.evaluation import cross_validation

        return cross_validation.cross_validate(
            self._specification,
            k=k,
            groups=groups,
            stratify=stratify,
            by=by,
            executor=executor,
            random_seed=random_seed,
            fit={
                "draws": draws,
                "tune": tune,
                "chains": chains,
                "target_accept": target_accept,
                "inference_method": inference_method,
            },
            levels=levels,
            quantiles=quantiles,
            joint=joint,
            simulations=simulations,
            confidence=confidence,
        )
