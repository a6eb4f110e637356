"""``cs(x)``: effects that each threshold between ordered levels has for itself, read as the formula of ``cs``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from nutslite.exceptions import FormulaError
from nutslite.formula.language.algebra import Term
from nutslite.formula.language.expression import Expression, node_span
from nutslite.formula.language.parsing import ParsedFormula, PredictorSpec

CS = "cs"
"""The function, and the parameter that has its terms."""


def category_specific(parsed: ParsedFormula) -> ParsedFormula:
    """The formulas with what stands in ``cs(...)`` of the main one in a formula of its own.

    Raises
    ------
    FormulaError
        Where it stands in an interaction or holds no sum of columns, or there is a formula of cs beside it.
    """
    parent = parsed.predictors[0]
    found = [term for term in parent.terms if any(_is_call(factor) for factor in term.factors)]
    if not found:
        return parsed
    second = next((item for item in parsed.predictors if item.parameter == CS), None)
    if second is not None:
        raise found[0].factors[0].error(f"'{CS}' has a formula of its own: write these effects in one place.")
    terms: dict[frozenset[str], Term] = {}
    for term in found:
        if len(term.factors) > 1:
            message = f"{CS}() takes no part in interactions; write {CS}(I(x * z)) for a product of numbers."
            raise FormulaError(message, parent.formula, term.span)
        for part in _parts(term.factors[0]):
            own = Term((part,), part.span)
            terms.setdefault(own.key, own)
    common = {term.key for term in parent.terms if term not in found}
    for key, term in terms.items():
        if key in common:
            name = term.name
            message = f"'{name}' stands inside {CS}() and outside: its effects on all thresholds at once are in both."
            raise FormulaError(f"{message} Leave one of them.", parent.formula, term.span)
    rest = tuple(term for term in parent.terms if term not in found)
    own_spec = PredictorSpec(CS, parent.formula, True, tuple(terms.values()), (), ())
    first = replace(parent, terms=rest)
    return replace(parsed, predictors=(first, *parsed.predictors[1:], own_spec))


def _is_call(factor: Expression) -> bool:
    tree = factor.tree
    return isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == CS


def _parts(call: Expression) -> Iterator[Expression]:
    """The summands of its one argument."""
    tree = call.tree
    assert isinstance(tree, ast.Call)  # `_is_call`
    if len(tree.args) != 1 or tree.keywords:
        raise call.error(f"{CS}() takes one sum of columns: {CS}(x + z).")
    waiting: list[ast.expr] = [tree.args[0]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            waiting += [node.right, node.left]
        elif isinstance(node, ast.BinOp | ast.UnaryOp | ast.Constant | ast.Compare | ast.BoolOp):
            raise FormulaError(
                f"{CS}() takes a sum of columns, {CS}(x + z); arithmetic goes into I(...).",
                call.formula,
                node_span(node),
            )
        else:
            yield call.part(node)
