"""A model of data with gaps that were filled several times: a fit to each completed data set, and their draws together.

Draws of all fits, joined, are draws of the posterior given what was observed, if the data sets were completed at random
from what is known of the missing values (Gelman et al. 2013, Bayesian Data Analysis, section 18.2). Their variance has
two parts: that within fits, and that between them, which is owed to the gaps (Rubin 1987, Multiple Imputation for
Nonresponse in Surveys, section 3.1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite._log import log
from nutslite._parallel import run_on
from nutslite.exceptions import DataError, heard, warn
from nutslite.formula.columns.data import as_frame
from nutslite.model.model import Model
from nutslite.model.record.specification import Posterior, specification_of
from nutslite.results.container.inference_data import get_group
from nutslite.results.container.joined import joined_results
from nutslite.results.diagnostics.diagnostics import ess_bulk, rhat
from nutslite.sampler.progress import counting_bar
from nutslite.sampler.sample import seed_sequence

FloatArray = NDArray[np.float64]

LARGEST_RHAT = 1.01
MANY_FITS = 100.0  # fits for a share of one that gaps have in the variance


@public
@dataclass(frozen=True, eq=False, repr=False)
class CompletedFits:
    """A fit to each of several completed data sets.

    Attributes
    ----------
    models : tuple of Model
        With the same priors, those of the first.
    results : tuple of InferenceData or DataTree
        Of each.
    joined : InferenceData or DataTree
        All draws: chains of all fits, one after the other, with the coordinate ``imputation``. It serves as the results
        of ``models[0]`` for predictions of new rows, `interpret` and the like.
    table : pandas.DataFrame
        One row a parameter: ``mean`` and ``sd`` of the joined draws; ``within`` and ``between``, the two parts of the
        variance; ``missing``, the share of the variance that is owed to the gaps; ``rhat``, the largest of single fits,
        and ``ess``, the sum of their effective sample sizes.
    """

    models: tuple[Model, ...]
    results: tuple[Any, ...]
    joined: Any
    table: pd.DataFrame

    @property
    def note(self) -> str:
        """How many data sets would be enough; empty where these are.

        A hundred for a share of one that gaps have in the variance (White, Royston and Wood 2011, section 7.1,
        Statistics in Medicine 30:377-399).
        """
        share = float(self.table["missing"].max())
        enough = math.ceil(MANY_FITS * share)
        if len(self.models) >= enough:
            return ""
        return (
            f"Gaps have {share:.0%} of the variance of '{self.table['missing'].idxmax()}': with {enough} data sets it "
            "would hardly depend on how they were filled."
        )

    def __str__(self) -> str:
        table = self.table.to_string(float_format=lambda x: f"{x:.4g}")
        return "\n".join(filter(None, [f"{len(self.models)} completed data sets", table, self.note]))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape

        table = self.table.to_html(float_format=lambda x: f"{x:.4g}")
        return f"<p>{len(self.models)} completed data sets</p>{table}<p>{escape(self.note)}</p>"


def fit_completed(
    formula: Any,
    datasets: Sequence[Any],
    family: Any,
    fit: Mapping[str, Any],
    executor: Executor | None,
    settings: Mapping[str, Any],
) -> CompletedFits:
    """What `fit_many` does with several completed data sets.

    Raises
    ------
    DataError
        For fewer than two of them, for other rows or other levels than the first one's.
    NutsliteError
        As for `Model` and `Model.fit`.

    Warns
    -----
    NutsliteWarning
        Where a fit has not converged.
    """
    if len(datasets) < 2:
        raise DataError(
            f"There are {len(datasets)} data sets, and two are the fewest: nothing can be said of the gaps."
        )
    models = [Model(formula, as_frame(data), family=family, **settings) for data in datasets]
    _share_priors(models)
    given = dict(fit)
    shows = bool(given.pop("progressbar", True))
    given["progressbar"] = False  # one bar for all, in place of lines of each
    if executor is not None:
        given.setdefault("cores", 1)  # its workers share the machine
    seeds = seed_sequence(given.pop("random_seed", None)).spawn(len(models))
    tasks = [(model, {**given, "random_seed": seed}) for model, seed in zip(models, seeds, strict=True)]
    results: list[Any] = []
    messages: dict[str, None] = {}
    with counting_bar(len(models), "fit", shows) as move:
        for result, heard_of in run_on(executor, _fit, tasks):
            results.append(result)
            messages |= dict.fromkeys(heard_of)
            move(1, "")
    for message in messages:
        log.warning(message)
    table = _table(results)
    _warn(table)
    return CompletedFits(tuple(models), tuple(results), joined_results(results), table)


def _fit(model: Model, arguments: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """The results, and what is wrong with them in words."""
    with heard() as messages:
        return model.fit(**arguments), messages


def _share_priors(models: Sequence[Model]) -> None:
    """Give all models the priors of the first.

    Raises
    ------
    DataError
        Where another data set makes another model.
    """
    first = specification_of(models[0])
    for place, model in enumerate(models[1:], start=2):
        own = specification_of(model)
        if own.spec.design.n_rows != first.spec.design.n_rows:
            raise DataError(
                f"Data set {place} gives the model {own.spec.design.n_rows} rows, the first one "
                f"{first.spec.design.n_rows}. Were all gaps filled?"
            )
        ours, theirs = (specification.posterior.assembled.layout for specification in (first, own))
        if ours.coords != theirs.coords or ours.dims != theirs.dims:
            other = next((dim for dim in ours.coords if theirs.coords.get(dim) != ours.coords[dim]), "a term")
            raise DataError(
                f"Data set {place} has other levels than the first one ('{other}'): make the column a category that "
                "lists them all."
            )
        shared = Posterior(replace(own.spec, priors=first.spec.priors))
        model._specification = replace(own, posterior=shared)


def _table(results: Sequence[Any]) -> pd.DataFrame:
    """Means, and both parts of the variance, of every element of every variable."""
    rows = {}
    first = get_group(results[0], "posterior")
    for name in map(str, first.data_vars):
        fits = [get_group(one, "posterior")[name].transpose("chain", "draw", ...) for one in results]
        arrays = [np.asarray(one, dtype=float).reshape(*one.shape[:2], -1) for one in fits]
        dims = fits[0].dims[2:]
        worst = np.max([np.atleast_1d(rhat(array)) for array in arrays], axis=0)
        sizes = np.sum([np.atleast_1d(ess_bulk(array)) for array in arrays], axis=0)
        for element, places in enumerate(np.ndindex(*fits[0].shape[2:])):
            label = ", ".join(str(fits[0][dim].values[place]) for dim, place in zip(dims, places, strict=True))
            own = [array[..., element] for array in arrays]
            within = float(np.mean([draws.var(ddof=1) for draws in own]))
            between = float(np.var([draws.mean() for draws in own], ddof=1))
            total = within + (1.0 + 1.0 / len(own)) * between
            rows[f"{name}[{label}]" if dims else name] = {
                "mean": float(np.mean([draws.mean() for draws in own])),
                "sd": total**0.5,
                "within": within,
                "between": between,
                "missing": (1.0 + 1.0 / len(own)) * between / total if total > 0.0 else 0.0,
                "rhat": float(worst[element]),
                "ess": float(sizes[element]),
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def _warn(table: pd.DataFrame) -> None:
    if (table["rhat"] > LARGEST_RHAT).any():
        name = table["rhat"].idxmax()
        warn(f"A fit has not converged: R-hat of '{name}' is {table['rhat'].max():.2f} in one of them. Run longer.")
