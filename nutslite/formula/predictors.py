"""One parameter's right-hand side: from its terms to a `LinearPredictor`, on old data and new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nutslite._log import log
from nutslite.exceptions import DataError
from nutslite.formula.bars import BarPlan, plan_bars
from nutslite.formula.coding import TermPlan, check_not_constant, check_products, matrix_of_terms, plan_terms
from nutslite.formula.columns.data import check_finite, matrix_of
from nutslite.formula.evaluation.evaluation import Evaluator
from nutslite.formula.factors import Factor
from nutslite.formula.language.expression import Expression
from nutslite.formula.language.parsing import PredictorSpec
from nutslite.formula.records import (
    BasisTerm,
    ColumnKind,
    CommonTerm,
    FloatArray,
    GroupFactor,
    GroupTerm,
    LinearPredictor,
)
from nutslite.formula.terms.kinds import Basis, Settled
from nutslite.formula.terms.learned import LearnedTerm, learn_term
from nutslite.formula.terms.level_sds import LEVEL_SDS


@dataclass(frozen=True)
class PredictorPlan:
    """How to fill one linear predictor on any data.

    Columns are coded as beside an intercept also where another parameter (thresholds) is `elsewhere` in its place.
    """

    spec: PredictorSpec
    terms: tuple[TermPlan, ...]
    bars: tuple[BarPlan, ...]
    special: tuple[LearnedTerm, ...] = ()
    factors: tuple[TermPlan | None, ...] = ()  # of each of these, the columns that it is multiplied by
    elsewhere: bool = False

    def without_groups(self) -> PredictorPlan:
        """The same without group-specific terms."""
        return replace(self, spec=self.spec.without_groups(), bars=())


def plan_predictor(
    spec: PredictorSpec, factors: Mapping[str, Factor], evaluator: Evaluator, elsewhere: bool = False
) -> PredictorPlan:
    """Decide the columns of common terms and of every bar; terms of special kinds learn from the evaluator's rows."""
    rows = evaluator.rows
    if elsewhere and not spec.intercept:
        log.info("Thresholds take the place of intercepts of '%s': 0 in its formula changes nothing.", spec.parameter)
    spec = replace(spec, intercept=True) if elsewhere else spec
    terms, multiplied = _plan_common(spec, factors, rows)
    effects = [tuple(plan_terms(group.terms, group.intercept, factors, rows)) for group in spec.groups]
    special = tuple(
        learn_term(product, evaluator, () if plan is None or plan.scalar else plan.labels)
        for product, plan in zip(spec.special, multiplied, strict=True)
    )
    return PredictorPlan(spec, terms, plan_bars(spec.formula, spec.groups, effects), special, multiplied, elsewhere)


def _plan_common(
    spec: PredictorSpec, factors: Mapping[str, Factor], rows: int
) -> tuple[tuple[TermPlan, ...], tuple[TermPlan | None, ...]]:
    """Columns of common terms, and those that terms of special kinds are multiplied by.

    To the coding a call in a product is a numeric column: ``mo(x) + mo(x):g`` codes g as ``x + x:g`` does.
    """
    calls = {product.call.name: Factor(product.call.name, 1) for product in spec.special}
    multiplied = [product.term for product in spec.special if product.others]
    alone = [product.term for product in spec.special if not product.others]
    beside = [term for term in alone if any(term.name in other.names for other in multiplied)]
    every = [*spec.terms, *beside, *multiplied]
    plans = plan_terms(every, spec.intercept, {**factors, **calls}, rows)
    found = dict(zip((term.key for term in every), plans, strict=True))
    products = tuple(found[product.term.key] if product.others else None for product in spec.special)
    return tuple(plans[: len(spec.terms)]), products


def build_predictor(plan: PredictorPlan, values: Mapping[str, Any], evaluator: Evaluator) -> LinearPredictor:
    """Fill the columns from evaluated factors; offsets are evaluated here."""
    spec = plan.spec
    matrix = matrix_of_terms(plan.terms, values, evaluator.rows, evaluator.owners)
    terms, start = [], 0
    for term in plan.terms:
        stop = start + len(term.columns)
        terms.append(CommonTerm(term.name, start, stop, term.labels, term.scalar, term.kind))
        start = stop
    bases = [
        _times(learned.basis(evaluator), factor, learned.product.call.name, values, evaluator.rows)
        for learned, factor in zip(plan.special, plan.factors, strict=True)
    ]
    basis_terms = tuple(basis_term(learned, basis) for learned, basis in zip(plan.special, bases, strict=True))
    for special, basis in zip(basis_terms, bases, strict=True):
        _check_labels(special, len(basis.common))
        terms += _common_parts(special, start)
        start += len(basis.common)
    if any(basis.common.size for basis in bases):
        matrix = np.concatenate([matrix, *(basis.common for basis in bases)])
    group_terms = tuple(term for bar in plan.bars for term in _group_terms(bar, values, evaluator))
    names = tuple(item.name for item in spec.offsets)
    offset = _offset(spec.offsets, evaluator)
    intercept = spec.intercept and not plan.elsewhere
    return LinearPredictor(spec.parameter, intercept, matrix, tuple(terms), group_terms, offset, names, basis_terms)


def _times(basis: Basis, plan: TermPlan | None, call: str, values: Mapping[str, Any], rows: int) -> Basis:
    """The products of a term's columns and those of a plan, in which the call stands for a one."""
    if plan is None:
        return basis
    others = matrix_of_terms([plan], {**values, call: np.ones((1, rows))}, rows)
    common, weights = (
        np.ascontiguousarray((others[:, None] * columns).reshape(-1, rows)) for columns in (basis.common, basis.weights)
    )
    return Basis(common, weights)


def basis_term(learned: LearnedTerm, basis: Basis) -> BasisTerm:
    """The record of a term of a special kind, of what it learned and its columns."""
    own = learned.quantities, learned.constants, basis.places
    return BasisTerm(learned.name, learned.kind, basis.weights, *own)


def resettled(learned: LearnedTerm, settled: Settled, before: BasisTerm) -> BasisTerm:
    """The record once the term is settled, with new columns where there are some."""
    basis = settled.basis or Basis(np.empty((0, 0)), before.matrix, before.places)
    return basis_term(learned, basis)


def with_sds(predictor: LinearPredictor, factors: Mapping[str, GroupFactor]) -> LinearPredictor:
    """The same with a term for what the standard deviations of each of its grouping factors' effects depend on."""
    own = [factors[name] for name in dict.fromkeys(term.factor for term in predictor.group_terms)]
    none = np.empty((0, predictor.matrix.shape[1]))
    found = [BasisTerm(each.name, LEVEL_SDS, none, each.sds.quantities) for each in own if each.sds is not None]
    return replace(predictor, basis_terms=(*predictor.basis_terms, *found)) if found else predictor


def _check_labels(term: BasisTerm, common: int) -> None:
    """Refuse a kind whose quantities are not about the columns that it makes: a mistake in the kind, not the user's."""
    sizes = {"coefficients": 0, "weights": 0, "hyperparameter": 0, "simplex": 0, "standard": 0}
    for quantity in term.quantities:
        sizes[quantity.role] += quantity.size
    slopes = sizes["coefficients"] if sizes["simplex"] else 1
    labelled, weighted = sizes["coefficients"], sizes["weights"] + sizes["standard"] + slopes * sizes["simplex"]
    if (labelled, weighted) != (common, len(term.matrix)):
        raise AssertionError(
            f"'{term.name}' has {common} common columns and {len(term.matrix)} with weights, and its quantities "
            f"are about {labelled} and {weighted}"
        )
    if sizes["hyperparameter"] and not (sizes["weights"] or sizes["standard"]):
        raise AssertionError(f"'{term.name}' has hyperparameters, and no weights that depend on them")


def _common_parts(term: BasisTerm, start: int) -> list[CommonTerm]:
    """The columns of a special term that have coefficients like those of any other, from column `start` on."""
    parts = []
    for quantity in term.quantities:
        if quantity.role == "coefficients":
            labels = quantity.labels or (term.name,)
            stop = start + len(labels)
            kind: ColumnKind = "interaction" if term.simplex is not None and quantity.labels else "numeric"
            parts.append(CommonTerm(term.full(quantity), start, stop, labels, not quantity.labels, kind))
            start = stop
    return parts


def _group_terms(bar: BarPlan, values: Mapping[str, Any], evaluator: Evaluator) -> Iterator[GroupTerm]:
    rows, owners = evaluator.rows, evaluator.owners
    matrices = {name: matrix_of_terms([effect], values, rows, owners) for name, effect in bar.effects.items()}
    for member in bar.members:
        name, effect = f"{member.effect}|{member.factor}", bar.effects.get(member.effect)
        shape = (("1",), True, "numeric") if effect is None else (effect.labels, effect.scalar, effect.kind)
        matrix = matrices.get(member.effect)
        yield GroupTerm(name, member.effect, member.factor, matrix, *shape, member.mark, member.contested, member.id)


def _offset(offsets: tuple[Expression, ...], evaluator: Evaluator) -> FloatArray | None:
    """The sum of the offset terms."""
    total: FloatArray | None = None
    for offset in offsets:
        value = evaluator.evaluate(without_offset(offset))
        row = _one_row(value, offset.name, evaluator.rows)
        total = np.array(row) if total is None else total + row
    return total


def _one_row(value: Any, name: str, rows: int) -> FloatArray:
    matrix: FloatArray = matrix_of(value, rows, name)
    if matrix.shape[0] != 1:
        raise DataError(f"'{name}' has {matrix.shape[0]} columns; an offset has one.")
    check_finite(matrix, name)
    row: FloatArray = matrix[0]
    return row


def check_columns(plan: PredictorPlan, predictor: LinearPredictor) -> None:
    """Raise `DataError` for a numeric term that is constant; only for the data that the model is built from."""
    check_products(plan.terms, predictor.matrix)
    check_not_constant(plan.terms, predictor.matrix, plan.spec.intercept)
    matrices = {term.name: term.matrix for term in predictor.group_terms if term.matrix is not None}
    for bar in plan.bars:
        for name, factor in {member.effect: member.factor for member in bar.members}.items():
            if name in bar.effects:
                matrix = matrices[f"{name}|{factor}"]
                check_products([bar.effects[name]], matrix)
                check_not_constant([bar.effects[name]], matrix, bar.intercept)


def without_offset(expression: Expression) -> Expression:
    """What ``offset(...)`` holds; any other expression as it is."""
    tree: Any = expression.tree
    is_offset = getattr(getattr(tree, "func", None), "id", None) == "offset"
    return expression.part(tree.args[0]) if is_offset else expression


def factor_expressions(given: Iterable[PredictorSpec]) -> list[Expression]:
    """The factors of common terms, of the left sides of bars, and those that calls of special kinds are times."""
    specs = list(given)
    terms = [term for spec in specs for term in (*spec.terms, *(t for group in spec.groups for t in group.terms))]
    multiplied = [factor for spec in specs for product in spec.special for factor in product.others]
    return [factor for term in terms for factor in term.factors] + multiplied
