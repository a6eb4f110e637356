"""What deserves a warning before sampling: the model stands, but its data leave something to the priors alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import FormulaError, warn
from nutslite.families.links.codes import inverse_array, is_custom
from nutslite.families.links.parameter import Parameter
from nutslite.families.record.family import Family
from nutslite.families.rows.separation import separating_columns
from nutslite.formula.collinearity import column_names, independent_columns
from nutslite.formula.design import Design
from nutslite.formula.records import LinearPredictor
from nutslite.model.record.exact import RESIDUAL, warn_where_exact
from nutslite.priors.defaults import PriorSet
from nutslite.priors.prior import Prior

_SHOWN = 5
LEAVES_NOTHING = {"real": "identity", "positive": "log", "unit": "logit", "simplex": "softmax"}
GRID = np.linspace(-3.0, 3.0, 13)  # linear predictors that models come to


def warn_of_concerns(
    design: Design, family: Family, links: Mapping[str, str], chosen: Collection[str], priors: PriorSet
) -> None:
    """Warn of columns that say nothing, of perfect separation, of a response or groups that say nothing, of links.

    `links` has the link of every parameter, `chosen` names the parameters whose link the user chose, `priors` say which
    parameters are known numbers.

    Each is a `NutsliteWarning`; none stops the model, because proper priors keep the posterior proper.
    """
    kept = {name: _collinear(name, predictor, family) for name, predictor in design.predictors.items()}
    parent = design.predictors[family.parent.name]
    _separated(design, family, parent, kept[family.parent.name])
    censoring = design.response.censoring
    if censoring is not None and censoring.status.all():
        warn(
            f"No response '{design.response.name}' was seen: all are censored, and the data may leave it to the priors "
            "how far beyond the limits they are."
        )
    elif _residual_is_open(design, family, priors):
        warn_where_exact(design, family, links[family.parent.name], kept[family.parent.name])
    _groups(design, family, priors)
    _links(design, family, links, chosen)


def warn_of_columns_and_links(
    design: Design, family: Family, links: Mapping[str, str], chosen: Collection[str], merged: Design | None
) -> list[int]:
    """Warn of what rows that have the moments of all rows show: columns that others span, and links.

    Of `merged` rows, which are all rows with weights, also of separation. Returned are the parent's columns that others
    do not span.
    """
    kept = {name: _collinear(name, predictor, family) for name, predictor in design.predictors.items()}
    parent = family.parent.name
    if merged is not None:
        _separated(merged, family, merged.predictors[parent], kept[parent])
    _links(design, family, links, chosen)
    return kept[parent]


def _links(design: Design, family: Family, links: Mapping[str, str], chosen: Collection[str]) -> None:
    for name, predictor in design.predictors.items():
        if _moves(predictor):
            _link(family.parameter(name), links[name], family, chosen=name in chosen)


def check_empty_formulas(design: Design, family: Family, links: Mapping[str, str]) -> None:
    """Raise where a parameter cannot have its formula, or an empty one leaves it at a value that it cannot have.

    Raises
    ------
    FormulaError
        For thresholds, and for ``y ~ 0`` under a link such as the inverse.
    """
    for name, predictor in design.predictors.items():
        if family.parameter(name).constant or family.parameter(name).ordered:
            raise FormulaError(
                f"'{name}' has no formula in family '{family.name}': its elements are the same in every row. Leave the "
                "formula out."
            )
        if predictor.intercept or _moves(predictor) or not family.intercept:
            continue
        with np.errstate(all="ignore"):
            value = inverse_array(links[name], np.zeros(1))
        if outside_support(family.parameter(name).support, value)[0]:
            raise FormulaError(
                f"The formula of '{name}' has neither terms nor an intercept, so '{name}' is {value[0]:g} in every row "
                f"under the link '{links[name]}', and family '{family.name}' has no such '{name}'. Write 1 for an "
                "intercept."
            )


def outside_support(support: str, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where parameter values are not in the range of the parameter."""
    wrong = ~np.isfinite(values)
    if support not in ("real", "simplex"):
        wrong |= values <= 0.0
    return wrong | (values >= 1.0) if support == "unit" else wrong


def _moves(predictor: LinearPredictor) -> bool:
    """Whether the linear predictor is more than an intercept."""
    return bool(predictor.terms or predictor.basis_terms or predictor.group_terms or predictor.offset is not None)


def _link(parameter: Parameter, link: str, family: Family, *, chosen: bool) -> None:
    """Warn of a default link, or one of the user's own, under which a parameter can leave its range."""
    native = LEAVES_NOTHING[parameter.support]
    if is_custom(link):
        outside = outside_support(parameter.support, inverse_array(link, GRID))
        if outside.any():
            warn(
                f"Under the link '{link}' the parameter '{parameter.name}' of family '{family.name}' leaves its range "
                f"({parameter.support}), for example at eta = {GRID[outside][0]:.3g}: sampling stops at that border, "
                f"which shows as divergences. The link '{native}' cannot leave it."
            )
    elif not chosen and parameter.support == "positive" and link in ("identity", "inverse", "inverse_squared"):
        warn(
            f"With its default link '{link}', family '{family.name}' lets '{parameter.name}' become negative or "
            f"undefined for some values of the predictors: sampling stops at that border, which shows as divergences. "
            f"link='{native}' cannot leave the range; link='{link}' says that you mean it."
        )


def _collinear(parameter: str, predictor: LinearPredictor, family: Family) -> list[int]:
    """Warn of columns that others span; the columns that are left."""
    kept, dependent = independent_columns(predictor)
    where = "" if parameter == family.parent.name else f" for {parameter}"
    _empty(predictor, where)
    rows, columns = predictor.matrix.shape[1], predictor.matrix.shape[0] + predictor.intercept
    if columns > rows:  # also where there are too many to look at each
        worst = max(predictor.terms, key=lambda term: term.stop - term.start)
        many = worst.stop - worst.start
        remedy = "fewer (by df=) do" if worst.kind == "numeric" else f"(1|{worst.name}) estimates how much they differ"
        hint = f" '{worst.name}' alone has {many}: {remedy}." if many > 9 else ""
        warn(
            f"The formula{where} has {columns} columns, intercept included, and the data have {rows} rows: they cannot "
            f"tell all coefficients apart, and priors decide the rest.{hint}"
        )
        return kept
    for found in dependent[:_SHOWN]:
        others = _listed(found.others) + (" and the intercept" if predictor.intercept else "")
        more = f" ({len(dependent) - _SHOWN} further columns likewise)" if len(dependent) > _SHOWN else ""
        warn(
            f"The column '{found.column}'{where} is a linear combination of {others}: the data cannot tell their "
            f"coefficients apart, only the priors do. Remove one of the terms.{more if found is dependent[0] else ''}"
        )
    return kept


def _empty(predictor: LinearPredictor, where: str) -> None:
    """Warn of columns of zeros: combinations of levels that no row has."""
    used = np.asarray(predictor.matrix.any(axis=1))
    if not used.all():
        names = tuple(name for name, column in zip(column_names(predictor), used, strict=True) if not column)
        warn(
            f"No row has {_listed(names)}{where}: the data say nothing about "
            f"{'this coefficient, only its prior does' if len(names) == 1 else 'these coefficients, only priors do'}."
        )


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _separated(design: Design, family: Family, predictor: LinearPredictor, kept: list[int]) -> None:
    """Warn where the likelihood rises for ever as coefficients grow."""
    values = design.response.values
    if family.response_support == "count" and not values[0].any():
        warn(
            f"Every value of '{design.response.name}' is 0: the likelihood has no maximum, and the prior of the "
            "intercept decides how rare the counts come out."
        )
    absent = [
        name for name, column in zip(design.response.columns, design.response.own, strict=False) if not column.any()
    ]
    if absent:
        warn(
            f"Every count of {_listed(tuple(absent))} is 0: the likelihood has no maximum, and the priors decide how "
            "rare it comes out. Leave the column out, or choose these priors with care."
        )
    if family.response_support not in ("binary", "trials"):
        return
    matrix = predictor.matrix if len(kept) == len(predictor.matrix) else predictor.matrix[kept]
    some = outcomes(design, family, matrix)
    if len(some.lowest) and (some.lowest.all() or some.highest.all()):
        warn_of_one_outcome(design, some)
        return
    if found := separating_columns(some.matrix, predictor.intercept, some.lowest, some.highest):
        warn_of_separating(design, [column_names(predictor)[kept[j]] for j in found])


class Outcomes(NamedTuple):
    """Columns (p, n) of the rows with a weight, and which of these have the lowest possible outcome, or the highest."""

    matrix: NDArray[np.float64]
    lowest: NDArray[np.bool_]
    highest: NDArray[np.bool_]


def outcomes(design: Design, family: Family, matrix: NDArray[np.float64]) -> Outcomes:
    """Of a response of two outcomes, or of trials; `matrix` has the columns to look at."""
    values = design.response.values
    trials = values[1] if family.response_support == "trials" else np.ones(values.shape[1])
    used = trials > 0 if design.weights is None else (trials > 0) & (design.weights > 0)
    matrix = matrix if used.all() else matrix[:, used]
    return Outcomes(matrix, (values[0] == 0)[used], (values[0] == trials)[used])


def warn_of_one_outcome(design: Design, some: Outcomes) -> None:
    """Warn of responses that are all alike."""
    ones = "1" if len(design.response.values) == 1 or design.response.values[1].max() == 1 else "all trials"
    warn(
        f"The responses '{design.response.name}' are all {'0' if some.lowest.all() else ones}: the likelihood has no "
        "maximum, and the priors decide how close to certain the probabilities come out."
    )


def warn_of_separating(design: Design, names: list[str]) -> None:
    """Warn of columns that tell the outcomes apart."""
    how = "separates" if len(names) == 1 else "separate"
    warn(
        f"{_listed(tuple(names))} {how} the outcomes of '{design.response.name}' perfectly, or all but: the "
        "likelihood has no maximum, and the priors decide how large the coefficients come out. Choose these priors "
        "with care, merge levels, or remove the term."
    )


def _groups(design: Design, family: Family, priors: PriorSet) -> None:
    """Warn of grouping factors that say nothing: one level only, or a level for every row beside a residual."""
    intercepts = [term.name for term in design.predictors[family.parent.name].group_terms if term.matrix is None]
    for name, factor in design.factors.items():
        if len(factor.levels) == 1:
            warn(
                f"The grouping factor '{name}' has one level, '{factor.levels[0]}': its effect and the intercept "
                "cannot be told apart, only the priors do. Remove the term."
            )
        term = f"1|{name}"
        if factor.takes_columns or term not in intercepts or len(factor.levels) < design.n_rows or design.n_rows == 1:
            continue
        scale_is_open = priors.terms[family.parent.name][term].hierarchical
        if scale_is_open and _residual_is_open(design, family, priors):
            warn(
                f"'{term}' has a level for every row, and {RESIDUAL} varies by row too: the data cannot tell the two "
                "apart, only the priors do. Remove the term, or use a factor with several rows per level."
            )


def _residual_is_open(design: Design, family: Family, priors: PriorSet) -> bool:
    """Whether a residual's sd is estimated, and nothing known tells it from the sd of a term that varies by row.

    Known numbers are standard errors, as a meta-analysis has them. Weights and offsets make the residual's sd differ
    between rows in a known way, which the effects' sd does not.
    """
    if RESIDUAL not in (parameter.name for parameter in family.parameters) or design.weights is not None:
        return False
    predictor = design.predictors.get(RESIDUAL)
    if predictor is None:
        return isinstance(priors.constants[RESIDUAL], Prior)
    if predictor.offset is not None and np.ptp(predictor.offset) > 0.0:
        return False
    return bool(predictor.intercept or predictor.terms or predictor.basis_terms or predictor.group_terms)
