"""The left-hand side of a formula, taken apart: the response proper, and the calls around it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nutslite.formula.evaluation import functions
from nutslite.formula.evaluation.signatures import SIGNATURES, what_is_wrong
from nutslite.formula.forms.form import Form
from nutslite.formula.forms.register import FORMS
from nutslite.formula.language.expression import Expression, keyword_hint


@dataclass(frozen=True)
class FormUse:
    """A form as the formula has it: the function's name, and its arguments without the response proper."""

    form: Form
    name: str
    arguments: Mapping[str, Expression]


@dataclass(frozen=True)
class ResponseSpec:
    """A response, taken apart.

    Attributes
    ----------
    name : str
        As Bambi names it.
    value : Expression
        The response proper.
    success : object
        The level that counts as 1, where the formula names one.
    picks_level : bool
        Whether one level counts as 1 and all others as 0: the first in order where none is named.
    forms : tuple of FormUse
        What stands around it, from within.
    columns : tuple of Expression
        Where the response proper is several columns, all of them; `value` is the first.
    """

    name: str
    value: Expression
    success: Any = None
    picks_level: bool = False
    forms: tuple[FormUse, ...] = ()
    columns: tuple[Expression, ...] = ()

    @property
    def own(self) -> tuple[Expression, ...]:
        """The response proper: one expression, or its columns."""
        return self.columns or (self.value,)

    def expressions(self, gaps: bool = True) -> list[Expression]:
        """Everything in it that is evaluated on data; without `gaps`, what needs a value in every row."""
        arguments = [(use, item) for use in self.forms for item in use.arguments.items()]
        others = [item for use, (name, item) in arguments if gaps or name not in use.form.gaps]
        return [self.value, *(item for item in others if item is not self.value)]

    @property
    def companions(self) -> list[Expression]:
        """What the family's companions are made of; predictions use it where new data have it."""
        return [item for use in self.forms if use.form.companions for item in use.arguments.values()]

    @property
    def kind(self) -> str:
        """The `Response.kind` that its forms make; empty where they make none."""
        return next((use.form.kind for use in self.forms if use.form.kind), "")

    @property
    def unseen(self) -> bool:
        """Whether a form says that some responses were not seen."""
        return any(use.form.unseen for use in self.forms)


def read_response(expression: Expression) -> ResponseSpec:
    """Recognise the forms of a response (`nutslite.formula.forms`), ``binary(y, level)`` and ``y[level]``.

    Raises
    ------
    FormulaError
        When one of them has wrong arguments.
    """
    tree, name = expression.tree, _called(expression.tree)
    if isinstance(tree, ast.Call) and name in FORMS:
        return _read_form(expression, tree, FORMS[name])
    if isinstance(tree, ast.Call) and name in functions.SUCCESS:
        value, level = _arguments(expression, tree).values()
        success = None if level is None else _level(expression, level)
        return ResponseSpec(expression.name, expression.part(value), success=success, picks_level=True)
    if isinstance(tree, ast.Subscript):
        level = _level(expression, tree.slice)
        value = expression.part(tree.value)
        return ResponseSpec(value.name, value, success=level, picks_level=True)
    if isinstance(tree, ast.Constant):
        raise expression.error(f"The response is a constant; name a column.{keyword_hint(expression.name)}")
    if isinstance(tree, ast.Tuple | ast.List):
        raise expression.error("There is one response; several are not supported.")
    return ResponseSpec(expression.name, expression)


def _called(tree: ast.expr) -> str:
    return tree.func.id if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) else ""


def _read_form(expression: Expression, call: ast.Call, form: Form) -> ResponseSpec:
    name = _called(call)
    if form.columns:
        return _read_columns(expression, call, form)
    found = form.by_position(call) if len(form.signatures) > 1 else _arguments(expression, call)
    if found is None:
        raise expression.error(f"{name}() takes its arguments by position: {form.written(name)}.")
    parts = {key: expression.part(node) for key, node in found.items() if isinstance(node, ast.expr)}
    value, use = parts.pop(next(iter(parts))), FormUse(form, name, parts)
    for part in (value, *parts.values()):
        outside = FORMS.get(_called(part.tree))
        if outside is not None and outside.around and not form.around:
            inside, first = _called(part.tree), f"{name}({form.signatures[0]})"
            raise expression.error(f"{inside}() stands outside: {outside.written(inside).replace('y', first, 1)}.")
    if not form.around:
        return ResponseSpec(expression.name, value, forms=(use,))
    inner = read_response(value)
    if any(item.form is form for item in inner.forms):
        raise expression.error(f"{name}() stands once.")
    both = next((item for item in inner.forms if set(item.form.companions) & set(form.companions)), None)
    if both is not None:
        raise expression.error(f"{name}() and {both.name}() say the same of a response: one of them stands.")
    return replace(inner, name=expression.name, forms=(*inner.forms, use))


def _read_columns(expression: Expression, call: ast.Call, form: Form) -> ResponseSpec:
    name = _called(call)
    columns = tuple(expression.part(node) for node in _arguments(expression, call).popitem()[1])
    if len(columns) < 2:
        raise expression.error(f"{name}() takes the columns of one response, two or more: {form.written(name)}.")
    names = [item.name for item in columns]
    twice = next((item for place, item in enumerate(columns) if item.name in names[:place]), None)
    if twice is not None:
        raise twice.error(f"'{twice.name}' stands twice in {name}().")
    for item in columns:
        inside = _called(item.tree)
        if inside in FORMS:
            raise item.error(f"{inside}() stands outside: {inside}({form.written(name)}, ...).")
    arguments = {str(place): item for place, item in enumerate(columns, start=1)}
    return ResponseSpec(expression.name, columns[0], forms=(FormUse(form, name, arguments),), columns=columns)


def _arguments(expression: Expression, call: ast.Call) -> dict[str, Any]:
    """Argument -> node of a call that has one signature; defaults where the call has none."""
    name, keywords = _called(call), {keyword.arg or "**": keyword.value for keyword in call.keywords}
    wrong = what_is_wrong(name, SIGNATURES[name], len(call.args), list(keywords))
    if wrong:
        raise expression.error(wrong)
    bound = SIGNATURES[name].bind(*call.args, **keywords)
    bound.apply_defaults()
    return dict(bound.arguments)


def _level(expression: Expression, node: ast.expr) -> Any:
    """``y['yes']``, ``y[yes]``, ``y[1]``."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = node.operand.value
        if isinstance(value, int | float):
            return -value
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | bool):
        return node.value
    raise expression.error("This must be one level of the response: y['yes'].", node)
