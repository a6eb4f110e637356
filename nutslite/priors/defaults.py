"""Default priors: weakly informative, scaled by the data, the same as Bambi's to every printed digit.

The rules follow rstanarm's documentation ("Prior distributions for rstanarm models") as Bambi applies them. Standard
deviations divide by n; weights of observations are ignored.

* Only the parent parameter's terms are scaled. s_y and m_y are the response's standard deviation and mean for the
  families ``gaussian``, ``t`` and ``skew_normal`` and for regressions of quantiles, and 1 and 0 for all others.
* Common terms, per column: Normal(0, 2.5 s_y / sd(x)).
* Intercept: Normal(m_y, sqrt((2.5 s_y)^2 + sum over columns of (sigma_j mean(x_j))^2)), although it is the intercept of
  centred predictors; columns whose prior the user chose do not count.
* ``bernoulli`` and ``binomial`` with a logit or probit link: intercept Normal(0, 1.5), numeric columns
  Normal(0, 1 / sd(x)), columns of categorical terms Normal(0, 1).
* Group-specific terms: Normal(0, HalfNormal(s)), s by the general rules for an intercept and for columns.
* ``sigma`` of these: HalfStudentT(4, s_y); ``b`` of regressions of quantiles, a rate: HalfStudentT(4, 1 / s_y).
* ``ndt`` of ``shifted_lognormal``: Uniform(0, least response), whether priors are scaled or not.
* Gaps between quantiles: see `gaps.py`.
* Hyperparameters of special terms (``s(x)_sigma``): that of group intercepts, unless their kind has one of its own.
* Terms of any other parameter: Normal(0, 1), group-specific ones with HalfNormal(1).

A scale that the user gives in place of a prior multiplies these standard deviations (`scales.Scale.factor`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import PriorError
from nutslite.formula.records import STATUSES, CommonTerm, GroupTerm, LinearPredictor, Response
from nutslite.priors.hyperparameters import default_hyperpriors
from nutslite.priors.prior import Prior
from nutslite.priors.scales import Scale
from nutslite.priors.user_priors import Choice, Given

FloatArray = NDArray[np.float64]
Constant = Prior | float | FloatArray
DefaultPrior = tuple[str, Mapping[str, Any]]

QUANTILE = "quantile"
"""In place of a family's name: a regression of quantiles, whatever its family."""

SCALED_BY_RESPONSE = frozenset({"gaussian", "t", "skew_normal", QUANTILE})
"""Families whose default priors have the response's unit."""

_WIDTH = 2.5
_RIGHT, _INTERVAL = STATUSES.index("right"), STATUSES.index("interval")
_SHOWN = 5


@dataclass(frozen=True)
class PriorSet:
    """Priors of a model.

    Attributes
    ----------
    terms : dict of str to dict of str to Prior or ColumnPriors
        ``terms["mu"]["x"]``: per parameter with a formula and per term; ``"Intercept"`` first, then common terms,
        then group-specific ones (``"1|g"``). Only common terms may have `ColumnPriors`. Hyperparameters of terms of
        special kinds are there, too, by their full names (``"s(x, k=10)_sigma"``): a prior, or a number.
    constants : dict of str to Prior, float or ndarray
        Per parameter without a formula; a number fixes it.
    chosen : dict of str to frozenset of str
        Per parameter, terms and hyperparameters whose prior is the user's; itself, where it has no formula.
    """

    terms: dict[str, dict[str, Any]] = field(default_factory=dict)
    constants: dict[str, Constant] = field(default_factory=dict)
    chosen: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def fixed(self) -> dict[str, FloatArray]:
        """Parameters that are known numbers; vectors where they have several elements."""
        return {
            name: np.asarray(value, dtype=float)
            for name, value in self.constants.items()
            if not isinstance(value, Prior)
        }


class Scaling(Protocol):
    """A rule for the widths of the parent's automatic priors.

    `choices` say what the user wants of each column: None for the usual width, a `Scale` for another, or a `Prior`
    that replaces the automatic one, whose width is then not asked for (the method returns 1 there).
    """

    def slopes(self, term: CommonTerm, columns: FloatArray, choices: Sequence[Choice | None]) -> FloatArray:
        """Standard deviations of a common term's coefficients, shape (columns,). Called in the formula's order."""
        ...

    def intercept(self, widening: float, choice: Scale | None) -> tuple[float, float]:
        """Location and standard deviation; `widening` is what the slopes' priors add to the variance."""
        ...

    def group_intercepts(self, widening: float, choice: Scale | None) -> float:
        """Scale of the half-normal prior of group intercepts' standard deviation."""
        ...

    def group_slopes(self, term: GroupTerm, columns: FloatArray, choices: Sequence[Choice | None]) -> FloatArray:
        """The same for a group-specific term's columns, shape (columns,)."""
        ...


def default_priors(
    predictors: Mapping[str, LinearPredictor],
    response: Response,
    *,
    family: str,
    link: str,
    parent: str,
    auxiliary: Mapping[str, DefaultPrior | None],
    auto_scale: bool = True,
    given: Given | None = None,
    scaling: Scaling | None = None,
    others: Mapping[str, Scaling] = MappingProxyType({}),
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
    given : Given, optional
        The user's own priors. These get no default, and do not widen the intercept's prior.
    scaling : Scaling, optional
        The rule for the parent's terms; `DefaultScaling` if left out.
    others : mapping of str to Scaling
        Rules for other parameters' terms; Normal(0, 1) if left out.

    Returns
    -------
    PriorSet
        Terms of which all columns have priors of the user's are left out; where only some have, the others' default
        is there with numbers of no meaning in their places.

    Raises
    ------
    PriorError
        If the data give no scale (a column or response that does not vary), or a parameter has no default prior.
    """
    given = Given() if given is None else given
    default = DefaultScaling(family, link, response)
    terms: dict[str, dict[str, Any]] = {}
    for parameter, predictor in predictors.items():
        own = given.hyperparameters.get(parameter, {})
        if not auto_scale:
            terms[parameter] = _flat(predictor, given) | default_hyperpriors(predictor, own, None, flat=True)
        elif parameter == parent:
            rule = default if scaling is None else scaling
            terms[parameter] = _scaled(predictor, given, rule) | default_hyperpriors(predictor, own, rule)
        elif parameter in others:
            rule = others[parameter]
            terms[parameter] = _scaled(predictor, given, rule) | default_hyperpriors(predictor, own, rule)
        else:
            terms[parameter] = _unit(predictor, given) | default_hyperpriors(predictor, own, None)
    constants: dict[str, Constant] = {
        parameter: _constant(parameter, data, default, auto_scale)
        for parameter, data in auxiliary.items()
        if parameter not in given.constants and parameter not in predictors
    }
    return PriorSet(terms, constants)


def group_prior(scale: float | FloatArray) -> Prior:
    """Normal effects around zero whose standard deviation has a half-normal prior."""
    return Prior("Normal", mu=0.0, sigma=Prior("HalfNormal", sigma=scale))


class DefaultScaling:
    """Bambi's rules: what the response's and the columns' standard deviations say about the size of coefficients.

    Parameters
    ----------
    family, link : str
    response : Response
    """

    def __init__(self, family: str, link: str, response: Response) -> None:
        self.family = family
        self.uses_response = family in SCALED_BY_RESPONSE
        self.binary = family in {"bernoulli", "binomial"} and link in {"logit", "probit"}
        self.mean = float(np.mean(response.values[0])) if self.uses_response else 0.0
        self._sd = float(np.std(response.values[0])) if self.uses_response else 1.0
        self._response = response.name
        self._flat = _flatness(response.values[0])

    @property
    def sd(self) -> float:
        """s_y; raises where the response does not vary."""
        if not self._sd > 1e-12 * abs(self.mean):
            raise PriorError(
                f"The response '{self._response}' {self._flat}, so it gives default priors no scale. Give every term "
                "and parameter a prior of your own, or use auto_scale=False."
            )
        return self._sd

    def slopes(self, term: CommonTerm, columns: FloatArray, choices: Sequence[Choice | None]) -> FloatArray:
        """See `Scaling`."""
        if not self.binary:
            usual = [self._slope(term, columns, c, choice) for c, choice in enumerate(choices)]
        else:
            usual = [self._binary_slope(term, columns, c, choice) for c, choice in enumerate(choices)]
        return np.array(usual) * [factor_of(choice) for choice in choices]

    def intercept(self, widening: float, choice: Scale | None) -> tuple[float, float]:
        """See `Scaling`."""
        if self.binary:
            return 0.0, 1.5 * factor_of(choice)
        return self.mean, self._wide_intercept(widening) * factor_of(choice)

    def group_intercepts(self, widening: float, choice: Scale | None) -> float:
        """See `Scaling`."""
        return self._wide_intercept(widening) * factor_of(choice)

    def group_slopes(self, term: GroupTerm, columns: FloatArray, choices: Sequence[Choice | None]) -> FloatArray:
        """See `Scaling`."""
        usual = [self._slope(term, columns, c, choice) for c, choice in enumerate(choices)]
        return np.array(usual) * [factor_of(choice) for choice in choices]

    def _wide_intercept(self, widening: float) -> float:
        return float(np.sqrt((_WIDTH * self.sd) ** 2 + widening))

    def _slope(self, term: CommonTerm | GroupTerm, columns: FloatArray, c: int, choice: Choice | None) -> float:
        """The general rule."""
        return 1.0 if isinstance(choice, Prior) else _WIDTH * self.sd / sd_of_column(term, columns, c)

    def _binary_slope(self, term: CommonTerm, columns: FloatArray, c: int, choice: Choice | None) -> float:
        if isinstance(choice, Prior) or term.kind == "categorical":
            return 1.0
        if term.kind == "interaction" and len(columns) > 1:
            # one numeric variable times indicators: the sum over columns is the numeric variable itself
            total = columns.sum(axis=0)
            if _varies(total):
                return 1.0 / float(np.std(total))
        return 1.0 / sd_of_column(term, columns, c)


def least_end(response: Response) -> float:
    """The least number that a response is known not to be above: what a shift of all responses has to be below."""
    values, censoring = response.values[0], response.censoring
    if censoring is None:
        return float(values.min())
    ends = values if censoring.upper is None else np.where(censoring.status == _INTERVAL, censoring.upper, values)
    known = ends[censoring.status != _RIGHT]
    return float((known if known.size else ends).min())


def factor_of(choice: Choice | None) -> float:
    """What a scale that the user chose makes of an automatic width."""
    return choice.factor if isinstance(choice, Scale) else 1.0


def _own_scale(choice: Choice | None) -> Scale | None:
    return choice if isinstance(choice, Scale) else None


def _settled(choices: Sequence[Choice | None]) -> bool:
    """Whether the user gave all columns priors of their own."""
    return all(isinstance(choice, Prior) for choice in choices)


def _varies(column: FloatArray) -> bool:
    return bool(np.std(column) > 1e-12 * np.max(np.abs(column), initial=0.0))


def _flatness(column: FloatArray) -> str:
    """What to say of a column that does not `_varies`."""
    return "does not vary" if np.ptp(column) == 0.0 else "varies in its last digits only (subtract its mean)"


def sd_of_column(term: CommonTerm | GroupTerm, columns: FloatArray, c: int) -> float:
    """Standard deviation of a term's column; raises where it does not vary."""
    if not _varies(columns[c]):
        raise PriorError(why_no_scale(term, columns, c))
    return float(np.std(columns[c]))


def why_no_scale(term: CommonTerm | GroupTerm, columns: FloatArray, c: int) -> str:
    """Why a column gives its automatic prior no scale, and what to do about it."""
    width = "..." if isinstance(term, CommonTerm) else "Prior('HalfNormal', sigma=...)"
    own = f"Prior('Normal', mu=0, sigma={width})"
    if term.scalar or term.kind == "numeric" or columns[c].any():
        return (
            f"A column of the term '{term.name}' {_flatness(columns[c])}, so it gives an automatic prior no scale. "
            f"Remove the term, or give it a prior: priors={{'{term.name}': {own}}}."
        )
    empty = [label for label, column in zip(term.labels, columns, strict=True) if not column.any()]
    cells = ", ".join(f"[{label}]" for label in empty[:_SHOWN])
    more = f" and {len(empty) - _SHOWN} more" if len(empty) > _SHOWN else ""
    place = f"{term.name}[{empty[0]}]" if isinstance(term, CommonTerm) else term.name
    return (
        f"The data say nothing about {cells}{more} of '{term.name}': the column is 0 in every row, an empty cell, and "
        f"gives an automatic prior no scale. Give it a prior of your own (priors={{'{place}': {own}}}), leave the "
        "interaction out, or make one factor of the combinations that occur."
    )


def _scaled(predictor: LinearPredictor, given: Given, scaling: Scaling) -> dict[str, Prior]:
    common: dict[str, Prior] = {}
    widening = 0.0
    for term in predictor.terms:
        columns = predictor.matrix[term.start : term.stop]
        choices = given.choices(predictor.parameter, term.name, len(columns))
        sigma = scaling.slopes(term, columns, choices)
        automatic = np.array([not isinstance(choice, Prior) for choice in choices])
        widening += float(np.sum((sigma * columns.mean(axis=1))[automatic] ** 2))
        if not _settled(choices):
            common[term.name] = _normal(sigma, scalar=term.scalar)
    priors: dict[str, Prior] = {}
    (choice,) = given.choices(predictor.parameter, "Intercept", 1)
    if predictor.intercept and not isinstance(choice, Prior):
        mean, width = scaling.intercept(widening, choice)
        priors["Intercept"] = Prior("Normal", mu=mean, sigma=width)
    priors |= common
    for group_term in predictor.group_terms:
        choices = given.choices(predictor.parameter, group_term.name, group_term.columns)
        if not _settled(choices):
            priors[group_term.name] = group_prior(_group_scale(group_term, scaling, widening, choices))
    return priors


def _normal(sigma: FloatArray, *, scalar: bool) -> Prior:
    if scalar or len(sigma) == 1:
        return Prior("Normal", mu=0.0, sigma=float(sigma[0]))
    return Prior("Normal", mu=np.zeros(len(sigma)), sigma=sigma)


def _group_scale(
    term: GroupTerm, scaling: Scaling, widening: float, choices: Sequence[Choice | None]
) -> float | FloatArray:
    term = term if term.whole is None else term.whole  # the same prior for each level of f in gr(g, by=f)
    if term.matrix is None:
        return scaling.group_intercepts(widening, _own_scale(choices[0]))
    sigma = scaling.group_slopes(term, term.matrix, choices)
    return float(sigma[0]) if len(sigma) == 1 else sigma


def _unit(predictor: LinearPredictor, given: Given) -> dict[str, Prior]:
    """Not scaled by the data: for parameters other than the parent."""
    priors = {}
    for name, columns, grouped in _terms(predictor):
        choices = given.choices(predictor.parameter, name, columns)
        if _settled(choices):
            continue
        factors = [factor_of(choice) for choice in choices]
        sigma = factors[0] if len(set(factors)) == 1 else np.array(factors)
        priors[name] = group_prior(sigma) if grouped else Prior("Normal", mu=0.0, sigma=sigma)
    return priors


def _flat(predictor: LinearPredictor, given: Given) -> dict[str, Prior]:
    return {
        name: Prior("Normal", mu=0.0, sigma=Prior("HalfFlat")) if grouped else Prior("Flat")
        for name, columns, grouped in _terms(predictor)
        if not _settled(given.choices(predictor.parameter, name, columns))
    }


def _terms(predictor: LinearPredictor) -> list[tuple[str, int, bool]]:
    """Names of all terms in order, their numbers of columns, and whether they are group-specific."""
    terms = [("Intercept", 1, False)] if predictor.intercept else []
    terms += [(term.name, term.stop - term.start, False) for term in predictor.terms]
    return terms + [(term.name, term.columns, True) for term in predictor.group_terms]


def _constant(parameter: str, data: DefaultPrior | None, scales: DefaultScaling, auto_scale: bool) -> Prior:
    if auto_scale and scales.uses_response and parameter == "sigma":
        return Prior("HalfStudentT", nu=4.0, sigma=scales.sd)
    if auto_scale and scales.family == QUANTILE and parameter == "b":
        return Prior("HalfStudentT", nu=4.0, sigma=1.0 / scales.sd)
    if data is None:
        raise PriorError(
            f"The parameter '{parameter}' of the family '{scales.family}' has no default prior; give it one: "
            f"priors={{'{parameter}': Prior(...)}}."
        )
    name, arguments = data
    return Prior(name, **arguments)
