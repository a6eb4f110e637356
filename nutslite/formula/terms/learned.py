"""Terms of special kinds in a formula: set apart from the others, learned from data once, made on any rows."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nutslite.formula.evaluation.evaluation import Evaluator
from nutslite.formula.language.expression import Expression
from nutslite.formula.language.parsing import ParsedFormula, PredictorSpec
from nutslite.formula.terms.kinds import Basis, Call, TermKind, TermQuantity
from nutslite.formula.terms.register import KINDS


@dataclass(frozen=True)
class LearnedTerm:
    """A term of a special kind, with what the data that the model was built from taught it."""

    expression: Expression
    kind: TermKind
    memory: Any

    @property
    def name(self) -> str:
        """``"s(x, k=10)"``."""
        return self.expression.name

    @property
    def quantities(self) -> tuple[TermQuantity, ...]:
        """What it adds to the parameters of the model."""
        return self.kind.quantities(self.memory)

    @property
    def constants(self) -> Mapping[str, Any]:
        """What the scales of its weights depend on beside hyperparameters."""
        return self.kind.constants(self.memory)

    def basis(self, evaluator: Evaluator) -> Basis:
        """Its columns on the evaluator's rows."""
        with evaluator.errors_of(self.expression):
            return self.kind.apply(self.memory, _call(self.expression, evaluator))


def set_apart(parsed: ParsedFormula) -> ParsedFormula:
    """The formulas with terms of special kinds in `PredictorSpec.special` instead of among the others."""
    return replace(parsed, predictors=tuple(_set_apart(spec) for spec in parsed.predictors))


def _set_apart(spec: PredictorSpec) -> PredictorSpec:
    special = [term for term in spec.terms if len(term.factors) == 1 and _kind_of(term.factors[0]) is not None]
    others = tuple(term for term in spec.terms if term not in special)
    return replace(spec, terms=others, special=tuple(term.factors[0] for term in special))


def _kind_of(expression: Expression) -> TermKind | None:
    tree = expression.tree
    return KINDS.get(tree.func.id) if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) else None


def learn_term(expression: Expression, evaluator: Evaluator) -> LearnedTerm:
    """Learn a term from all rows.

    Raises
    ------
    FormulaError
        For arguments that the kind cannot serve, with carets below the term.
    """
    kind = _kind_of(expression)
    if kind is None:
        raise AssertionError("only terms of special kinds are set apart")
    with evaluator.errors_of(expression):
        return LearnedTerm(expression, kind, kind.learn(_call(expression, evaluator)))


def _call(expression: Expression, evaluator: Evaluator) -> Call:
    name, arguments, texts = evaluator.call_arguments(expression)
    return Call(name, expression.name, arguments, texts, evaluator.rows)
