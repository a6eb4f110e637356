"""`projection`: which few terms predict as well as all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite._columns import folded
from nutslite.comparison.submodels import FAMILIES, Reference, log_density, project
from nutslite.exceptions import ArgumentError, did_you_mean, shown, warn
from nutslite.model.fits.after_fit import check_results, prediction_task
from nutslite.model.record.specification import Specification, specification_of
from nutslite.results.added_groups import named_posterior
from nutslite.results.container.inference_data import get_group
from nutslite.results.predictions.predict import conditional_parameters, pointwise_log_likelihood
from nutslite.scores.importance import leave_one_out, said_of
from nutslite.scores.pointwise.log_score import log_mean_exp

if TYPE_CHECKING:
    import pandas as pd

    from nutslite.formula.records import CommonTerm, LinearPredictor

FloatArray = NDArray[np.float64]

SEARCHED = 20  # draws of the search
EVALUATED = 400  # draws that predictions are averaged over
INTERCEPT = "Intercept"


@public
@dataclass(frozen=True, eq=False, repr=False)
class Projection:
    """Terms in the order in which they are worth having.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a size: the ``term`` that it adds; ``elpd``, the sum of the log scores of rows as if each had been left
        out; its ``difference`` from the whole model's and ``difference_se``, of paired rows; ``divergence`` from the
        whole model, a row on average.
    reference_elpd : float
    suggested_size : int
        The smallest whose difference is within one standard error of zero.
    """

    table: pd.DataFrame
    reference_elpd: float
    suggested_size: int
    _draws: tuple[pd.DataFrame, ...]

    @property
    def terms(self) -> list[str]:
        """The terms of the suggested size."""
        return [str(term) for term in self.table["term"].iloc[1 : self.suggested_size + 1]]

    def draws(self, size: int | None = None) -> pd.DataFrame:
        """Projected draws of the coefficients, one column each; by default of the suggested size.

        Raises
        ------
        ArgumentError
        """
        wanted = self.suggested_size if size is None else size
        if isinstance(wanted, bool) or not isinstance(wanted, int) or not 0 <= wanted < len(self._draws):
            raise ArgumentError(f"size is a whole number from 0 to {len(self._draws) - 1}, not {shown(size)}.")
        return self._draws[wanted]

    def verdict(self) -> str:
        """What the table says, in a sentence."""
        if self.suggested_size == 0:
            return "No term improves predictions by more than a standard error."
        names = ", ".join(self.terms)
        of = len(self.table) - 1
        return f"{self.suggested_size} of {of} terms predict as well as all, within a standard error: {names}."

    def __str__(self) -> str:
        return f"{self.table.to_string(float_format=lambda x: f'{x:.4g}')}\n\n{folded(self.verdict(), hanging=0)}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from html import escape

        return f"{self.table.to_html(float_format=lambda x: f'{x:.4g}')}<p>{escape(self.verdict())}</p>"


@public
def projection(model: Any, idata: Any, terms: Sequence[str] | None = None, *, draws: int = EVALUATED) -> Projection:
    """Find the few terms that predict as well as the whole model.

    The posterior of the whole model is projected on smaller ones, and no smaller model is fitted: at each step the term
    joins whose projection is closest to the whole model (Piironen, Paasiniemi and Vehtari 2020, Electronic Journal of
    Statistics 14:2155-2197). Sizes are compared by log scores as if each row had been left out, with the whole model's
    Pareto-smoothed importance weights. The search itself has seen all rows, so that scores of small sizes are a little
    too good where there are many terms and few rows.

    Parameters
    ----------
    model : Model
        Of family gaussian, bernoulli, binomial or poisson with its usual link, with common terms only. A horseshoe or
        R2D2 prior for many terms serves well.
    idata : InferenceData or DataTree
        What `fit` returned.
    terms : list of str, optional
        Terms to choose among, by default all; others stay in every model.
    draws : int
        How many draws predictions are averaged over; 20 of them serve the search.

    Returns
    -------
    Projection

    Raises
    ------
    ArgumentError
        For models that cannot be projected, and for names of terms that there are not.
    DataError
        For results of another model.

    Examples
    --------
    >>> found = nl.comparison.projection(model, results)  # doctest: +SKIP
    >>> found.verdict()  # doctest: +SKIP
    """
    specification = specification_of(model)
    check_results(specification, idata)
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 2:
        raise ArgumentError(f"draws is a whole number, at least 2, not {shown(draws)}.")
    predictor = _predictor(specification)
    chosen = _chosen(predictor, terms)
    always = [term for term in predictor.terms if term not in chosen]
    reference, weights, own = _reference(specification, idata, draws)
    few = reference.some(_spaced(len(reference.means), SEARCHED))
    y = specification.spec.design.response.values[0]
    ones = np.ones((int(predictor.intercept), y.size))
    columns = np.vstack([ones, *(predictor.matrix[term.start : term.stop] for term in always)])
    names = [INTERCEPT] * int(predictor.intercept) + [name for term in always for name in _names(term)]
    added, rows, kept = "", [], []
    while True:
        found = project(reference, columns)
        apart = log_mean_exp(log_density(reference, found, columns, y), weights) - own
        if not chosen and np.allclose(apart, 0.0, atol=1e-9):  # the whole model, projected on itself
            apart = np.zeros_like(apart)
        rows.append(
            {
                "term": added,
                "elpd": float(own.sum() + apart.sum()),
                "difference": float(apart.sum()),
                "difference_se": math.sqrt(apart.size * float(apart.var(ddof=1))),
                "divergence": float(found.divergence.mean()),
            }
        )
        kept.append((found.coefficients, tuple(names)))
        if not chosen:
            break
        tried = [np.vstack([columns, predictor.matrix[term.start : term.stop]]) for term in chosen]
        best = int(np.argmin([project(few, one).divergence.mean() for one in tried]))
        term = chosen.pop(best)
        columns, added = tried[best], term.name
        names += _names(term)
    return _result(rows, float(own.sum()), kept)


def _result(rows: list[dict[str, Any]], reference: float, kept: list[tuple[FloatArray, tuple[str, ...]]]) -> Projection:
    import pandas as pd

    table = pd.DataFrame(rows, index=pd.RangeIndex(len(rows), name="size"))
    enough = table["difference"] + table["difference_se"] >= 0.0
    enough.iloc[-1] = True
    draws = tuple(pd.DataFrame(coefficients, columns=list(names)) for coefficients, names in kept)
    return Projection(table, reference, int(np.argmax(enough)), draws)


def _predictor(specification: Specification) -> LinearPredictor:
    """The one linear predictor, of common terms alone.

    Raises
    ------
    ArgumentError
    """
    spec = specification.spec
    design, family = spec.design, spec.family
    link = spec.links[family.parent.name]
    if FAMILIES.get(family.name) != link or family.is_custom:
        known = ", ".join(f"{name} (link {usual})" for name, usual in FAMILIES.items())
        raise ArgumentError(f"Projections are of models of {known}; this one is {family.name} with link {link}.")
    predictor = design.predictors[family.parent.name]
    for there, what in (
        (len(design.predictors) > 1, "formulas for further parameters"),
        (predictor.group_terms, "group-specific terms"),
        (predictor.basis_terms, "smooths, processes and other special terms"),
        (design.weights is not None, "weights of rows"),
        (design.response.censoring is not None, "censored responses"),
    ):
        if there:
            raise ArgumentError(f"The model has {what}, which projections do not know.")
    if not predictor.terms:
        raise ArgumentError("The model has no terms to choose among.")
    return predictor


def _chosen(predictor: LinearPredictor, terms: Sequence[str] | None) -> list[CommonTerm]:
    by_name = {term.name: term for term in predictor.terms}
    if terms is None:
        return list(predictor.terms)
    if isinstance(terms, str):
        terms = [terms]
    for name in terms:
        if name not in by_name:
            raise ArgumentError(f"terms: there is no term '{name}'.{did_you_mean(name, by_name)}")
    return [term for term in predictor.terms if term.name in terms]


def _reference(specification: Specification, idata: Any, draws: int) -> tuple[Reference, FloatArray, FloatArray]:
    """The model at some draws, their weights (draws, n) for rows left out, and log scores (n,) of the latter."""
    design = specification.spec.design
    family = specification.spec.family
    task = prediction_task(specification)
    posterior = named_posterior(get_group(idata, "posterior"), task.coords, task.aliases).arrays
    logs = pointwise_log_likelihood(posterior, design, task)
    left_out = leave_one_out(logs)
    if left_out.bad.size:
        warn(said_of(left_out.khat, left_out.limit, design.rows))
    flat = logs.reshape(-1, design.n_rows)
    some = _spaced(len(flat), draws)
    found = conditional_parameters(posterior, design, task)
    means = found[family.parent.name][some]
    gaussian = family.name == "gaussian"
    sigma = np.broadcast_to(found["sigma"], (len(flat), design.n_rows))[some, 0] if gaussian else np.ones(some.size)
    trials = design.response.values[1] if family.name == "binomial" else np.ones(design.n_rows)
    offset = design.predictors[family.parent.name].offset
    reference = Reference(family.name, means, sigma, trials, np.zeros(design.n_rows) if offset is None else offset)
    weights = left_out.weights[some]
    return reference, weights / weights.sum(axis=0), log_mean_exp(flat[some], weights / weights.sum(axis=0))


def _spaced(n: int, wanted: int) -> NDArray[np.int64]:
    """Places of so many of n draws, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, min(n, wanted)).round().astype(np.int64))


def _names(term: CommonTerm) -> list[str]:
    return [term.name] if term.scalar else [f"{term.name}[{label}]" for label in term.labels]
