"""Intraclass correlation: the share of the variance, on the link's scale, that is between groups."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import DataError
from nutslite.formula.records import GroupTerm
from nutslite.interpret.streaming import Draws, draws_of
from nutslite.interpret.summaries import intervals_of, table_of
from nutslite.model.fits.after_fit import prediction_task
from nutslite.model.record.specification import Specification, specification_of
from nutslite.results.evaluation.predictive import KNOWN_APART, form_of, known_parameters
from nutslite.results.predictions.parameter_draws import ParameterDraws
from nutslite.scores.distributions import distribution

FloatArray = NDArray[np.float64]

ADJUSTED, CONDITIONAL = "adjusted", "conditional"
LATENT = {"logit": math.pi**2 / 3.0, "probit": 1.0, "cloglog": math.pi**2 / 6.0}
"""By link, the variance of the variable that is above a threshold where a response is 1: logistic, normal, Gumbel."""
OF_A_THRESHOLD = ("bernoulli", "binomial", "cumulative")


@public
def icc(model: Any, idata: Any, prob: Any = None, use_hdi: bool = True) -> pd.DataFrame:
    """Intraclass correlation coefficients: how alike two rows of one group are.

    Variances are on the scale of the link, draw by draw. That between groups is ``mean(z' S z)`` over rows, z the
    columns of a factor's effects and S their covariance (Johnson 2014, Methods in Ecology and Evolution 5); the
    residual is, by family and link (Nakagawa, Johnson and Schielzeth 2017, Journal of the Royal Society Interface 14):

    - identity: the variance of a row's distribution, averaged over rows;
    - logit, probit and cloglog of responses that are 0 or 1, counts of trials, or ordered: pi^2/3, 1 and pi^2/6;
    - log: ``log(1 + V/m^2)``, m the mean of the response over rows and groups and V the variance of the distribution
      with that mean.

    Parameters
    ----------
    model : Model
    idata : InferenceData or DataTree
        What `fit` returned.
    prob, use_hdi : optional
        As for `predictions`.

    Returns
    -------
    DataFrame
        One row for each grouping factor, its variance over the sum of groups' and residual; then ``adjusted``, that of
        all factors together, and ``conditional``, where the variance of the common terms is in the denominator, too.
        Columns as for `fixef`.

    Raises
    ------
    DataError
        For a model without groups; for effects that are not independent normal ones across levels, and families or
        links of which the residual variance is not known.

    Examples
    --------
    >>> import nutslite as nl
    >>> model = nl.Model("Reaction ~ Days + (1|Subject)", nl.load_data("sleepstudy"))
    >>> results = model.fit(random_seed=1)  # doctest: +SKIP
    >>> nl.interpret.icc(model, results)  # doctest: +SKIP
    """
    specification = specification_of(model)
    intervals = intervals_of(prob, use_hdi)
    parent = specification.spec.family.parent.name
    terms = specification.spec.design.predictors[parent].group_terms
    if not terms:
        raise DataError("The model has no group-specific terms, so no part of the variance is between groups.")
    for term in terms:
        _check(specification, parent, term)
    draws = draws_of(specification, idata)
    factors = {term.factor: [each for each in terms if each.factor == term.factor] for term in terms}
    between = {name: _between(specification, parent, own, draws) for name, own in factors.items()}
    groups = np.sum(list(between.values()), axis=0)
    common, residual = _common_and_residual(specification, draws, groups)
    shares = {name: variance / (groups + residual) for name, variance in between.items()}
    shares[ADJUSTED] = groups / (groups + residual)
    shares[CONDITIONAL] = groups / (groups + residual + common)
    return table_of(pd.DataFrame(index=list(shares)), intervals.columns(np.stack(list(shares.values()), 1)), intervals)


def _check(specification: Specification, parent: str, term: GroupTerm) -> None:
    """Refuse effects whose variance is not one number for all levels."""
    factor = specification.spec.design.factors[term.factor]
    inventory = specification.posterior.inventory
    effects = inventory.by_name[inventory.name_of(parent, term.name)]
    alike = not factor.takes_columns and factor.sds is None
    if not alike or term.whole is not None or specification.spec.family.parent.dim:
        raise DataError(
            "icc() is of effects that are independent across levels and vary alike; those of "
            f"'{(term.whole or term).name}' do not. "
            "varcorr() has their standard deviations."
        )
    if effects.prior is None or effects.prior.name != "Normal":
        raise DataError(f"icc() is of effects with a Normal prior; '{term.name}' has {effects.prior}.")


def _between(specification: Specification, parent: str, terms: list[GroupTerm], draws: Draws) -> FloatArray:
    """Mean over rows of ``z' S z`` at every draw, shape (samples,)."""
    inventory, n = specification.posterior.inventory, specification.spec.design.n_rows
    columns = [np.ones((1, n)) if term.matrix is None else term.matrix for term in terms]
    products = np.concatenate(columns) @ np.concatenate(columns).T / n
    names, sds = [], []
    for term in terms:
        width = () if term.scalar else (term.columns,)
        effects = inventory.name_of(parent, term.name)
        found = draws.named.get(inventory.name_of(parent, term.name, "sigma"), width=width)
        sds.append(found.reshape(draws.samples, -1))
        names += [effects] * term.columns
    every = np.concatenate(sds, axis=1)
    total = (every**2 * np.diag(products)).sum(axis=1)
    for quantity in inventory.of_kind("correlations"):
        places = [place for place, name in enumerate(names) if name in quantity.members]
        if not places:
            continue
        pairs = list(itertools.combinations(places, 2))
        cor = draws.named.get(quantity.name, width=(len(pairs),))
        for k, (i, j) in enumerate(pairs):
            total += 2.0 * products[i, j] * cor[:, k] * every[:, i] * every[:, j]
    return np.asarray(total)


def _common_and_residual(specification: Specification, draws: Draws, groups: FloatArray) -> tuple[FloatArray, ...]:
    """Variance of the common terms, and of what is neither theirs nor the groups', each of shape (samples,)."""
    task, design = prediction_task(specification), specification.spec.design
    family = task.family
    parent = family.parent.name
    link = task.link(parent)
    rows = ParameterDraws(draws.named, design, task, np.random.default_rng(), include_group_specific=False)
    form = form_of(family)
    latent = family.kind in OF_A_THRESHOLD and link in LATENT
    if not latent and (form in KNOWN_APART or link not in ("identity", "log")):
        raise _unknown(family.name, link)
    common, residual = np.empty(draws.samples), np.empty(draws.samples)
    for start, stop in rows.chunks():
        eta = rows.on_links(start, stop)[parent]
        common[start:stop] = eta.var(axis=1)
        if latent:
            residual[start:stop] = LATENT[link]
            continue
        arrays = rows.natural(start, stop)
        if link == "log":
            means = np.exp(eta + groups[start:stop, None] / 2.0).mean(axis=1, keepdims=True)
            arrays = {**arrays, parent: np.broadcast_to(means, eta.shape)}
        full = {name: np.broadcast_to(values, eta.shape) for name, values in arrays.items()}
        known = known_parameters(form, full, design).values()
        variance, mean = distribution(form).sd(*known) ** 2, distribution(form).mean(*known)
        if link == "log":
            variance = np.log1p(variance / mean**2)
        elif not np.allclose(mean, full[parent]):
            raise _unknown(family.name, link)
        residual[start:stop] = variance.mean(axis=1)
    return common, residual


def _unknown(family: str, link: str) -> DataError:
    return DataError(
        f"icc() does not know the residual variance of family='{family}' with link '{link}'. "
        "r2_score() with and without the groups tells what they explain."
    )
