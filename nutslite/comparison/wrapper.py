"""ArviZ's way to fit a model again without some rows: `az.reloo` and k-fold cross-validation of ArviZ run by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, shown
from nutslite.formula.rows import rows_of_design
from nutslite.model.fits.after_fit import check_results, prediction_task
from nutslite.model.fits.fit_arguments import FitArguments, read_fit_arguments
from nutslite.model.fits.fitting import carry_out, prepare
from nutslite.model.record.specification import Posterior, Specification, specification_of
from nutslite.posterior.record.inventory import OBSERVATIONS
from nutslite.results.added_groups import add_log_likelihood
from nutslite.results.container.arviz_import import import_arviz
from nutslite.results.container.inference_data import build_container, get_group, group_names

Rows = NDArray[np.int64]

QUIET = {"progressbar": False, "compute_convergence_checks": False}


_Base: Any = import_arviz().SamplingWrapper


@public
class SamplingWrapper(_Base):  # type: ignore[misc]
    """A model and its results, for what fits again in ArviZ: ``az.reloo(SamplingWrapper(model, idata))``.

    A fit without some rows has the priors, the levels and the scales of the fit with all of them.

    Parameters
    ----------
    model : Model
    idata : InferenceData or DataTree
        What `fit` returned.
    **fit
        Arguments of `Model.fit` for the fits, such as ``draws=`` and ``random_seed=``.

    Attributes
    ----------
    idata_orig : InferenceData or DataTree
        Its draws and log likelihoods, with rows along ``row``: what `az.loo` sees for ``az.reloo(..., loo_orig=)``.

    Raises
    ------
    DataError
        For results of another model.
    """

    def __init__(self, model: Any, idata: Any, **fit: Any) -> None:
        specification = specification_of(model)
        check_results(specification, idata)
        super().__init__(model, idata_orig=_for_arviz(specification, idata), sample_kwargs=fit)
        self._specification = specification
        self._arguments = _fit_arguments(fit)

    def sel_observations(self, idx: Any) -> tuple[Rows, Rows]:
        """Places of the rows that stay, and of those that are left out.

        Parameters
        ----------
        idx : int, array of int or of bool
            The rows to leave out, among those that the model uses.
        """
        n = self._specification.spec.design.n_rows
        out = np.zeros(n, dtype=bool)
        try:
            out[np.asarray(idx)] = True
        except (IndexError, TypeError):
            raise ArgumentError(f"The model uses {n} rows, and {shown(idx)} are no places among them.") from None
        return np.flatnonzero(~out), np.flatnonzero(out)

    def sample(self, modified_observed_data: Rows) -> Any:
        """Fit to some rows, whose places `sel_observations` gave."""
        spec = self._specification.spec
        weights = np.ones(spec.design.n_rows) if spec.design.weights is None else spec.design.weights
        kept = np.zeros(weights.size)
        kept[modified_observed_data] = weights[modified_observed_data]
        some = Posterior(replace(spec, design=replace(spec.design, weights=kept)))
        return carry_out(prepare(replace(self._specification, posterior=some), self._arguments))

    def get_inference_data(self, fitted_model: Any) -> Any:
        """The results of a fit are what ArviZ reads."""
        return fitted_model

    def log_likelihood__i(self, excluded_obs: Rows, idata__i: Any) -> Any:
        """Log likelihood of rows that a fit has not seen.

        Returns
        -------
        xarray.DataArray
            With dimensions ``chain`` and ``draw``; of several rows a third one.
        """
        design = rows_of_design(self._specification.spec.design, np.asarray(excluded_obs))
        found = add_log_likelihood(idata__i, design, prediction_task(self._specification), inplace=False)
        array = get_group(found, "log_likelihood")[self._specification.spec.design.response.name]
        return array.isel({dim: 0 for dim in array.dims if dim not in ("chain", "draw") and array.sizes[dim] == 1})


def _for_arviz(specification: Specification, idata: Any) -> Any:
    """Draws and log likelihoods, whose rows have another dimension: ArviZ 1 uses the name ``__obs__`` itself."""
    if "log_likelihood" not in group_names(idata):
        design = specification.spec.design
        idata = add_log_likelihood(idata, design, prediction_task(specification), inplace=False)
    groups = {"posterior": get_group(idata, "posterior")}
    for name in ("log_likelihood", "observed_data"):
        group = get_group(idata, name)
        groups[name] = group.rename({OBSERVATIONS: "row"}) if OBSERVATIONS in group.dims else group
    return build_container(groups)


def _fit_arguments(fit: Mapping[str, Any]) -> FitArguments:
    """Arguments of `Model.fit`, silent where nothing else is asked for.

    Raises
    ------
    ArgumentError
        For what a fit without some rows cannot have; otherwise as for `FitArguments`.
    """
    for name in ("priors", "file", "checkpoint"):
        if name in fit:
            raise ArgumentError(f"{name}: fits without some rows have the model's priors, and no files.")
    for name in ("until", "budget"):
        if name in fit:
            raise ArgumentError(f"{name}: fits without some rows do not go on. Give more draws.")
    defaults = {argument.name: argument.default for argument in fields(FitArguments)}
    others = {name: value for name, value in fit.items() if name not in defaults}
    return read_fit_arguments({**defaults, **QUIET, **fit, "others": others})
