"""Default priors: weakly informative, scaled by the data, the same as Bambi's to every printed digit.

The rules follow rstanarm's documentation ("Prior distributions for rstanarm models") as Bambi applies them. Standard
deviations divide by n; weights of observations are ignored.

* Only the parent parameter's terms are scaled. s_y and m_y are the response's standard deviation and mean for the
  families ``gaussian`` and ``t``, and 1 and 0 for all others.
* Common terms, per column: Normal(0, 2.5 s_y / sd(x)).
* Intercept: Normal(m_y, sqrt((2.5 s_y)^2 + sum over columns of (sigma_j mean(x_j))^2)), although it is the intercept of
  centred predictors; columns whose prior the user chose do not count.
* ``bernoulli`` and ``binomial`` with a logit or probit link: intercept Normal(0, 1.5), numeric columns
  Normal(0, 1 / sd(x)), columns of categorical terms Normal(0, 1).
* Group-specific terms: Normal(0, HalfNormal(s)), s by the general rules for an intercept and for columns.
* ``sigma`` of ``gaussian`` and ``t``: HalfStudentT(4, s_y).
* Terms of any other parameter: Normal(0, 1), group-specific ones with HalfNormal(1).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import PriorError
from nutslite.formula.terms import CommonTerm, GroupTerm, LinearPredictor, Response
from nutslite.priors.prior import Prior

FloatArray = NDArray[np.float64]
Constant = Prior | float | FloatArray
DefaultPrior = tuple[str, Mapping[str, Any]]

_WIDTH = 2.5


@dataclass(frozen=True)
class PriorSet:
    """Priors of a model.

    Attributes
    ----------
    terms : dict of str to dict of str to Prior
        ``terms["mu"]["x"]``: per parameter with a formula and per term; ``"Intercept"`` first, then common terms,
        then group-specific ones (``"1|g"``).
    constants : dict of str to Prior, float or ndarray
        Per parameter without a formula; a number fixes it.
    """

    terms: dict[str, dict[str, Prior]] = field(default_factory=dict)
    constants: dict[str, Constant] = field(default_factory=dict)


def default_priors(
    predictors: Mapping[str, LinearPredictor],
    response: Response,
    *,
    family: str,
    link: str,
    parent: str,
    auxiliary: Mapping[str, DefaultPrior | None],
    auto_scale: bool = True,
    given: PriorSet | None = None,
) -> PriorSet:
    """The priors of everything that the user gave no prior for.

    Parameters
    ----------
    predictors : mapping of str to LinearPredictor
        Per parameter with a formula.
    response : Response
    family, link : str
        Names of the family and of the parent parameter's link.
    parent : str
        The parameter of the main formula.
    auxiliary : mapping of str to (str, mapping) or None
        Per parameter without a formula, the name and arguments of its default prior; None where it has none.
    auto_scale : bool, default True
        False: flat priors for all terms, the family's own for constant parameters.
    given : PriorSet, optional
        The user's own priors. These get no default, and do not widen the intercept's prior.

    Raises
    ------
    PriorError
        If the data give no scale (a column or response that does not vary), or a parameter has no default prior.
    """
    given = PriorSet() if given is None else given
    scales = _Scales(family, link, response)
    terms = {}
    for parameter, predictor in predictors.items():
        named = given.terms.get(parameter, {})
        if not auto_scale:
            terms[parameter] = _flat(predictor, named)
        elif parameter == parent:
            terms[parameter] = _scaled(predictor, named, scales)
        else:
            terms[parameter] = _unit(predictor, named)
    constants: dict[str, Constant] = {
        parameter: _constant(parameter, data, scales, auto_scale)
        for parameter, data in auxiliary.items()
        if parameter not in given.constants and parameter not in predictors
    }
    return PriorSet(terms, constants)


def group_prior(scale: float | FloatArray) -> Prior:
    """Normal effects around zero whose standard deviation has a half-normal prior."""
    return Prior("Normal", mu=0.0, sigma=Prior("HalfNormal", sigma=scale))


class _Scales:
    """What the response and the family say about the size of coefficients."""

    def __init__(self, family: str, link: str, response: Response) -> None:
        self.family = family
        self.uses_response = family in {"gaussian", "t"}
        self.binary = family in {"bernoulli", "binomial"} and link in {"logit", "probit"}
        self.mean = float(np.mean(response.values[0])) if self.uses_response else 0.0
        self._sd = float(np.std(response.values[0])) if self.uses_response else 1.0
        self._response = response.name

    @property
    def sd(self) -> float:
        """s_y; raises where the response does not vary."""
        if not self._sd > 1e-12 * abs(self.mean):
            raise PriorError(
                f"The response '{self._response}' does not vary, so it gives default priors no scale. Give every term "
                "and parameter a prior of your own, or use auto_scale=False."
            )
        return self._sd

    def slope(self, name: str, column: FloatArray) -> float:
        """Prior standard deviation of a column's coefficient by the general rule."""
        return _WIDTH * self.sd / _sd(name, column)

    def common(self, term: CommonTerm, columns: FloatArray) -> FloatArray:
        """Prior standard deviations of a common term's coefficients, shape (columns,)."""
        if not self.binary:
            return np.array([self.slope(term.name, column) for column in columns])
        if term.kind == "categorical":
            return np.ones(len(columns))
        if term.kind == "interaction" and len(columns) > 1:
            # one numeric variable times indicators: the sum over columns is the numeric variable itself
            total = columns.sum(axis=0)
            if _varies(total):
                return np.full(len(columns), 1.0 / float(np.std(total)))
        return np.array([1.0 / _sd(term.name, column) for column in columns])


def _varies(column: FloatArray) -> bool:
    return bool(np.std(column) > 1e-12 * np.max(np.abs(column), initial=0.0))


def _sd(name: str, column: FloatArray) -> float:
    if not _varies(column):
        raise PriorError(
            f"A column of the term '{name}' does not vary, so it gives its default prior no scale. "
            f"Remove the term, or give it a prior: priors={{'{name}': Prior('Normal', mu=0, sigma=...)}}."
        )
    return float(np.std(column))


def _scaled(predictor: LinearPredictor, given: Collection[str], scales: _Scales) -> dict[str, Prior]:
    common: dict[str, Prior] = {}
    widening = 0.0
    for term in predictor.terms:
        if term.name in given:
            continue
        columns = predictor.matrix[term.start : term.stop]
        sigma = scales.common(term, columns)
        widening += float(np.sum((sigma * columns.mean(axis=1)) ** 2))
        if term.scalar:
            common[term.name] = Prior("Normal", mu=0.0, sigma=float(sigma[0]))
        else:
            common[term.name] = Prior("Normal", mu=np.zeros(len(sigma)), sigma=sigma)
    priors: dict[str, Prior] = {}
    if predictor.intercept and "Intercept" not in given:
        if scales.binary:
            priors["Intercept"] = Prior("Normal", mu=0.0, sigma=1.5)
        else:
            priors["Intercept"] = Prior("Normal", mu=scales.mean, sigma=_intercept_sigma(scales, widening))
    priors |= common
    for group_term in predictor.group_terms:
        if group_term.name not in given:
            priors[group_term.name] = group_prior(_group_scale(group_term, scales, widening))
    return priors


def _intercept_sigma(scales: _Scales, widening: float) -> float:
    return float(np.sqrt((_WIDTH * scales.sd) ** 2 + widening))


def _group_scale(term: GroupTerm, scales: _Scales, widening: float) -> float | FloatArray:
    if term.matrix is None:
        return _intercept_sigma(scales, widening)
    sigma = np.array([scales.slope(term.name, column) for column in term.matrix])
    return float(sigma[0]) if len(sigma) == 1 else sigma


def _unit(predictor: LinearPredictor, given: Collection[str]) -> dict[str, Prior]:
    """Unscaled: for parameters other than the parent."""
    return {
        name: group_prior(1.0) if grouped else Prior("Normal", mu=0.0, sigma=1.0)
        for name, grouped in _term_names(predictor)
        if name not in given
    }


def _flat(predictor: LinearPredictor, given: Collection[str]) -> dict[str, Prior]:
    return {
        name: Prior("Normal", mu=0.0, sigma=Prior("HalfFlat")) if grouped else Prior("Flat")
        for name, grouped in _term_names(predictor)
        if name not in given
    }


def _term_names(predictor: LinearPredictor) -> list[tuple[str, bool]]:
    """Names of all terms in order, with whether they are group-specific."""
    names = [("Intercept", False)] if predictor.intercept else []
    names += [(term.name, False) for term in predictor.terms]
    return names + [(term.name, True) for term in predictor.group_terms]


def _constant(parameter: str, data: DefaultPrior | None, scales: _Scales, auto_scale: bool) -> Prior:
    if auto_scale and scales.uses_response and parameter == "sigma":
        return Prior("HalfStudentT", nu=4.0, sigma=scales.sd)
    if auto_scale and scales.family == "vonmises" and parameter == "kappa":
        return Prior("HalfStudentT", nu=4.0, sigma=1.0)
    if data is None:
        raise PriorError(
            f"The parameter '{parameter}' of the family '{scales.family}' has no default prior; give it one: "
            f"priors={{'{parameter}': Prior(...)}}."
        )
    name, arguments = data
    return Prior(name, **arguments)
