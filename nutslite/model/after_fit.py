"""What a model does with draws: predictions, log likelihoods; and with draws of its prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nutslite._calls import public
from nutslite._log import log
from nutslite.exceptions import check_flags, random_generator
from nutslite.formula.columns.data import as_frame
from nutslite.model.inspection import Inspection


@public
class AfterFit(Inspection):
    """The part of `Model` that reads draws."""

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
    ) -> Any:
        """Predict for the model's own rows or for new data.

        Predictions have the chains and draws of `idata`, under the labels that they have there. Of the model's own
        rows, parameters are put into the group ``posterior`` and responses into ``posterior_predictive``. Of new rows,
        both are put into ``predictions``, and the columns that they are made from into ``predictions_constant_data``.

        Parameters
        ----------
        idata : InferenceData or DataTree
            What `fit` returned.
        kind : {"response_params", "response"}
            Parameters of the response's distribution (``mu``, ...), or draws of the response itself beside them.
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

        Raises
        ------
        DataError
            For data that lack a column, hold an unknown level of a common term, or new groups; for results with other
            groups or labels than the model's; for more `draws` than there are.

        Warns
        -----
        NutsliteWarning
            For results of a model with another formula, family or link.
        """
        from nutslite.results.added_groups import add_predictions

        check_flags(
            inplace=inplace, include_group_specific=include_group_specific, sample_new_groups=sample_new_groups or False
        )
        self._check_results(idata)
        rows = None if data is None else as_frame(data)
        return add_predictions(
            idata,
            self.design if rows is None else self.design.evaluate(rows, groups=include_group_specific),
            self._prediction_task(),
            new_rows=rows,
            draws=draws,
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
        """Add the pointwise log likelihood (group ``log_likelihood``) of the model's rows, or of new data instead."""
        from nutslite.results.added_groups import add_log_likelihood

        check_flags(inplace=inplace)
        self._check_results(idata)
        design = self.design if data is None else self.design.evaluate(data, response=True)
        return add_log_likelihood(idata, design, self._prediction_task(), inplace=inplace)

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
        from nutslite.results.added_groups import add_log_prior

        check_flags(inplace=inplace)
        self._check_results(idata)
        return add_log_prior(idata, self._assembly, aliases=self._aliases, inplace=inplace)

    def r2_score(self, idata: Any, summary: bool = True) -> Any:
        """Bayesian R-squared of the model's rows.

        For every draw ``var(mean) / (var(mean) + var(y - mean))``, variances over the rows: the residual-based
        version of Gelman, Goodrich, Gabry and Vehtari (2019), The American Statistician 73, section 3.

        Parameters
        ----------
        idata : InferenceData or DataTree
        summary : bool
            False: the draws themselves.

        Returns
        -------
        pandas.Series or ndarray
            Mean ``r2``, standard deviation ``r2_std`` and the ends of the 94 % highest-density interval; or the
            draws, shape (chains, draws).
        """
        from nutslite.results.added_groups import explained_variance

        check_flags(summary=summary)
        self._check_results(idata)
        return explained_variance(idata, self.design, self._prediction_task(), summary=summary)

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
        from nutslite.posterior.points.prior_draws import draw_prior
        from nutslite.results.fit import store_prior

        check_flags(omit_offsets=omit_offsets)
        if self.potentials:
            log.warning("Potentials have no part in draws of the prior: these are from the priors alone.")
        rng = random_generator(random_seed)
        values, effects = draw_prior(self._assembly, draws, rng)
        task = self._prediction_task()
        return store_prior(self._assembly, values[None], effects[None], task, rng, var_names, omit_offsets)

    def _notes(self) -> dict[str, str]:
        """What results say of the model that they are of."""
        from nutslite.results.container.origin import notes_of

        links = {name: self.links[name] for name in self.conditional_parameters}
        return notes_of(self.formula.get_all_formulas(), self.family.name, links)

    def _check_results(self, idata: Any) -> None:
        from nutslite.results.container.origin import check_origin

        check_origin(idata, self._notes(), self.design.factors)
