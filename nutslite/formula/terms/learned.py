"""Terms of special kinds in a formula: set apart from the others, learned from data once, made on any rows."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nutslite.exceptions import NutsliteError
from nutslite.formula.evaluation.evaluation import Evaluator
from nutslite.formula.language.algebra import Term
from nutslite.formula.language.expression import Expression
from nutslite.formula.language.parsing import ParsedFormula, PredictorSpec, Product
from nutslite.formula.terms.kinds import Basis, Call, Interval, Settled, TermKind, TermQuantity
from nutslite.formula.terms.register import KINDS


@dataclass(frozen=True)
class LearnedTerm:
    """A term of a special kind, with what the data that the model was built from taught it.

    Attributes
    ----------
    product : Product
    kind : TermKind
    memory : object
    labels : tuple of str
        Of the columns that it is multiplied by, where there are several.
    """

    product: Product
    kind: TermKind
    memory: Any
    labels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``"s(x, k=10)"``, ``"mo(x):z"``."""
        return self.product.term.name

    @property
    def quantities(self) -> tuple[TermQuantity, ...]:
        """What it adds to the parameters of the model."""
        own = self.kind.quantities(self.memory)
        if not self.labels:
            return own
        return tuple(replace(item, labels=self.labels) if item.role == "coefficients" else item for item in own)

    @property
    def constants(self) -> Mapping[str, Any]:
        """What the scales of its weights depend on beside hyperparameters."""
        return self.kind.constants(self.memory)

    def settled(self, interval: Interval) -> tuple[LearnedTerm, Settled | None]:
        """The same once it has chosen what the formula left open, and what that is; None where nothing was open."""
        try:
            found = self.kind.settle(self.memory, interval)
        except NutsliteError as error:
            raise self.product.call.error(str(error)) from None
        return (self, None) if found is None else (replace(self, memory=found.memory), found)

    def basis(self, evaluator: Evaluator) -> Basis:
        """Its columns on the evaluator's rows, those of its call alone."""
        with evaluator.errors_of(self.product.call):
            return self.kind.apply(self.memory, _call(self.product.call, evaluator))


def set_apart(parsed: ParsedFormula) -> ParsedFormula:
    """The formulas with terms of special kinds in `PredictorSpec.special` instead of among the others."""
    return replace(parsed, predictors=tuple(_set_apart(spec) for spec in parsed.predictors))


def _set_apart(spec: PredictorSpec) -> PredictorSpec:
    found = {term.key: _product(term) for term in spec.terms}
    special = tuple(product for product in found.values() if product is not None)
    return replace(spec, terms=tuple(term for term in spec.terms if found[term.key] is None), special=special)


def _product(term: Term) -> Product | None:
    """A term of a special kind; None of any other."""
    for factor in term.factors:
        kind = _kind_of(factor)
        if kind is not None and (len(term.factors) == 1 or kind.multiplies):
            return Product(term, factor)
    return None


def _kind_of(expression: Expression) -> TermKind | None:
    tree = expression.tree
    return KINDS.get(tree.func.id) if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) else None


def learn_term(product: Product, evaluator: Evaluator, labels: tuple[str, ...] = ()) -> LearnedTerm:
    """Learn a term from all rows.

    Raises
    ------
    FormulaError
        For arguments that the kind cannot serve, with carets below the term.
    """
    kind = _kind_of(product.call)
    if kind is None:
        raise AssertionError("only terms of special kinds are set apart")
    with evaluator.errors_of(product.call):
        return LearnedTerm(product, kind, kind.learn(_call(product.call, evaluator)), labels)


def _call(expression: Expression, evaluator: Evaluator) -> Call:
    name, arguments, texts = evaluator.call_arguments(expression)
    return Call(name, expression.name, arguments, texts, evaluator.rows)
