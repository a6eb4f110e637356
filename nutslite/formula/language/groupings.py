"""Calls that stand around a grouping factor: ``gr(g, cov=K)``, ``gr(g, by=f)``, ``gr(g, sd=z)``, ``mm(g1, g2)``."""

from __future__ import annotations

import ast
from typing import NamedTuple

from nutslite.formula.language.expression import Expression, is_quoted

GROUPINGS: dict[str, dict[str, str]] = {"gr": {"cov": "K"}, "mm": {"weights": "[w1, w2]"}}
"""The calls, with an example of each argument; `formula/covariances.py` has those that are about covariances."""

OTHERWISE: dict[str, tuple[dict[str, str], ...]] = {"gr": ({"by": "f"}, {"sd": "z"}, {"zero_sum": "True"})}
"""Other arguments that such a call may have in their place."""

MEMBERS = "mm"
SDS = "sd"
_OF_COLUMNS = ("by", SDS)  # arguments that name columns of the data


class Grouping(NamedTuple):
    """The factors inside such a call, and further columns that it names.

    These are f of ``gr(g, by=f)``, weights, z and w of ``gr(g, sd=z + w)``.
    """

    factors: tuple[Expression, ...]
    more: tuple[Expression, ...] = ()


def read_grouping(whole: Expression) -> Grouping | None:
    """What stands in a call around a grouping factor; None where it is no such call.

    Raises
    ------
    FormulaError
        With carets, for arguments that it has not.
    """
    call = whole.tree
    name = call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""
    if not isinstance(call, ast.Call) or name not in GROUPINGS:
        return None
    return _members(whole, call) if name == MEMBERS else _one_factor(whole, call, name)


def _one_factor(whole: Expression, call: ast.Call, name: str) -> Grouping:
    ways = (GROUPINGS[name], *OTHERWISE.get(name, ()))
    examples = {key: example for way in ways for key, example in way.items()}
    written = " or ".join(f"{name}(g, {', '.join(f'{key}={text}' for key, text in way.items())})" for way in ways)
    for keyword in call.keywords:
        if keyword.arg not in examples:
            raise whole.error(f"{name}() has no argument '{keyword.arg}': {written}.", keyword)
        if keyword.arg == "zero_sum":
            if not (isinstance(keyword.value, ast.Constant) and keyword.value.value is True):
                raise whole.error(f"zero_sum= is True, or left out with the call: {written}.", keyword.value)
        elif keyword.arg not in _OF_COLUMNS and not _is_name_or_number(keyword.value):
            message = f"{keyword.arg}= is a number, or a name for which extra_namespace has a value: {written}"
            example = examples[keyword.arg]
            named = f" and extra_namespace={{'{example}': ...}}" if example.isidentifier() else ""
            raise whole.error(f"{message}{named}.", keyword.value)
    if len(call.args) != 1 or not any({keyword.arg for keyword in call.keywords} == way.keys() for way in ways):
        needed = " or ".join(" and ".join(f"{key}=" for key in way) for way in ways)
        message = f"{name}() takes a factor and {needed}: {written}."
        raise whole.error(f"{message} A factor whose levels are independent stands alone: (1|g).")
    columns = [keyword for keyword in call.keywords if keyword.arg in _OF_COLUMNS]
    more = [
        part for keyword in columns for part in (_summands(keyword.value) if keyword.arg == SDS else [keyword.value])
    ]
    for part in more:
        if isinstance(part, ast.Constant):
            raise whole.error(f"A number explains no standard deviations: {SDS}= is a sum of columns, {written}.", part)
    return Grouping((whole.part(call.args[0]),), tuple(map(whole.part, more)))


def _summands(node: ast.expr) -> list[ast.expr]:
    """What a sum is a sum of, from left to right."""
    found = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        found.append(node.right)
        node = node.left
    return [node, *reversed(found)]


def _members(whole: Expression, call: ast.Call) -> Grouping:
    """``mm(g1, g2, weights=[w1, w2], scale=True)``: a row belongs to a level of each factor."""
    written = "mm(g1, g2, weights=[w1, w2])"
    if len(call.args) < 2:
        raise whole.error(f"mm() takes two factors or more, to a level of each of which a row belongs: {written}.")
    weights: list[ast.expr] = []
    for keyword in call.keywords:
        if keyword.arg == "weights":
            if not isinstance(keyword.value, ast.List) or len(keyword.value.elts) != len(call.args):
                message = f"weights= is a list of {len(call.args)} columns, one for each factor: {written}."
                raise whole.error(message, keyword.value)
            weights = keyword.value.elts
        elif keyword.arg == "scale":
            if not (isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, bool)):
                raise whole.error("scale= is True, so that weights sum to one, or False.", keyword.value)
        else:
            raise whole.error(f"mm() has no argument '{keyword.arg}': {written}.", keyword)
    return Grouping(tuple(whole.part(argument) for argument in call.args), tuple(map(whole.part, weights)))


def _is_name_or_number(node: ast.expr) -> bool:
    inner = node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else node
    if isinstance(inner, ast.Name):
        return inner is node and not is_quoted(inner)
    return isinstance(inner, ast.Constant) and type(inner.value) in (int, float)
