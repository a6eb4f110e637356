"""What the Python inside a formula may be: an allow-list, checked before anything is worked out.

A formula comes from a configuration file or a web form as easily as from its author, so it must not be able to do
more than arithmetic on the data. Allowed are columns of the data, the functions of `functions.py`, row-by-row NumPy
functions by ``np.<name>``, what the caller put into ``extra_namespace``, constants, arithmetic, comparisons and Boolean
operators. Everything else raises: attributes, subscripts, comprehensions, lambdas, f-strings, and whatever Python
adds tomorrow. And nothing is ever handed to ``eval``: `evaluation.py` interprets exactly these nodes.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Collection, Mapping
from typing import Any

from nutslite.exceptions import DataError, FormulaError, FormulaTypeError, did_you_mean
from nutslite.formula.evaluation import functions
from nutslite.formula.evaluation.signatures import SIGNATURES, signature_of, what_is_wrong
from nutslite.formula.forms.register import FORMS
from nutslite.formula.language.expression import Expression, canonical_name, is_quoted, node_span
from nutslite.formula.language.groupings import GROUPINGS

_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr)
_SIGNS = (ast.UAdd, ast.USub, ast.Not, ast.Invert)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_PLURAL = {
    ast.Lambda: "lambdas",
    ast.JoinedStr: "f-strings",
    ast.NamedExpr: "assignments",
    ast.IfExp: "if-else expressions (write np.where)",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.Subscript: "square brackets",
    ast.Attribute: "attributes other than np.<function>",
    ast.Starred: "starred arguments",
    ast.Set: "sets",
    ast.Slice: "slices",
}


def check(
    expression: Expression, columns: Collection[str], extra: Collection[str] = (), *, term: bool = False
) -> tuple[str, ...]:
    """Refuse everything that a factor must not contain.

    Parameters
    ----------
    expression : Expression
        The factor.
    columns : collection of str
        Names of the data's columns.
    extra : collection of str
        Names in the caller's ``extra_namespace``.
    term : bool
        Whether it is a whole term, which may be a call that only serves as one.

    Returns
    -------
    tuple of str
        The columns that it uses, in the order of their first appearance.

    Raises
    ------
    FormulaError
        For a construct or a function that is not allowed.
    DataError
        For a name that is neither a column nor known.
    """
    checker = _Checker(expression, columns, extra, term)
    try:
        checker.visit(expression.tree)
    except RecursionError:
        raise expression.error("This is nested too deeply.") from None
    return tuple(checker.used)


def check_extra_namespace(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The caller's names; refuses those that could never be reached, or that would change what a formula says.

    Raises
    ------
    FormulaError
        Naming the entry.
    """
    if given is not None and not isinstance(given, Mapping):
        raise FormulaTypeError(f"extra_namespace is a dict from names to functions and values, not {given!r}.")
    extra = dict(given or {})
    for name in extra:
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("__"):
            raise FormulaError(f"extra_namespace: {name!r} is not a name that a formula can use.")
        if name in functions.supported_names() or name in functions.NUMPY_MODULES:
            raise FormulaError(f"extra_namespace: '{name}' already means something in formulas; choose another name.")
    return extra


def _hand_over(name: str) -> str:
    """What to do with a value that is made outside the formula."""
    name = name if name.isidentifier() else "values"
    return (
        " A formula does not see the variables of a program; "
        f"Model(..., extra_namespace={{'{name}': {name}}}) hands one over."
    )


class _Checker:
    """Walks one tree; every node type without a rule of its own is refused."""

    def __init__(
        self, expression: Expression, columns: Collection[str], extra: Collection[str], term: bool = False
    ) -> None:
        self.expression = expression
        self.whole_term = expression.tree if term else None
        self.columns = columns
        self.extra = extra
        self.used: dict[str, None] = {}
        self.hint = ""  # where a value is wanted that formulas cannot make
        self.free = False  # among the arguments of a caller's function, whose meaning is its own

    def _error(self, message: str, node: ast.AST) -> FormulaError:
        return self.expression.error(message + self.hint, node)

    def visit(self, node: ast.expr) -> None:
        match node:
            case ast.Constant():
                self._constant(node)
            case ast.Name():
                self._name(node)
            case ast.Attribute():
                self._numpy_constant(node)
            case ast.Call():
                self._call(node)
            case ast.BinOp():
                self._operator(node.op, _ARITHMETIC, node)
                self._all([node.left, node.right])
            case ast.UnaryOp():
                self._operator(node.op, _SIGNS, node)
                self.visit(node.operand)
            case ast.BoolOp():
                self._all(node.values)
            case ast.Compare():
                for operator in node.ops:
                    self._operator(operator, _COMPARISONS, node)
                self._all([node.left, *node.comparators])
            case _:
                self._refuse(node)

    def _all(self, nodes: list[ast.expr]) -> None:
        for node in nodes:
            self.visit(node)

    def _refuse(self, node: ast.expr) -> None:
        what = _PLURAL.get(type(node), f"{type(node).__name__} expressions")
        raise self._error(f"A formula cannot contain {what}.", node)

    def _operator(self, operator: ast.AST, allowed: tuple[type[ast.AST], ...], node: ast.expr) -> None:
        if isinstance(operator, allowed):
            return
        if isinstance(operator, ast.BitXor):
            raise self._error("'^' is not a power; write **.", node)
        if isinstance(operator, ast.In | ast.NotIn):
            raise self._error("'in' is not supported; write (g == 'a') | (g == 'b').", node)
        raise self._error(f"The operator {type(operator).__name__} is not allowed in a formula.", node)

    def _constant(self, node: ast.Constant) -> None:
        if not isinstance(node.value, str | bool | int | float | None):
            kind = type(node.value).__name__
            raise self._error(f"A constant of type {kind} is not allowed in a formula.", node)

    def _name(self, node: ast.Name) -> None:
        if node.id in self.columns:
            self.used[node.id] = None
            return
        if is_quoted(node):
            raise self._unknown(node)
        if node.id in self.extra or node.id in functions.CONTRASTS:
            self._rows_of_its_own(node)
            return
        if node.id in functions.function_names() or node.id in functions.NUMPY_MODULES:
            message = f"'{node.id}' is a function here, and the data have no column of that name."
            raise self._error(message, node)
        raise self._unknown(node)

    def _rows_of_its_own(self, node: ast.Name) -> None:
        """Refuse an array in a column's place: new data would bring new rows, and the array would keep the old ones."""
        value: Any = self.extra.get(node.id) if isinstance(self.extra, Mapping) else None
        one = isinstance(value, str | bytes | Mapping) or not hasattr(value, "__len__") or not getattr(value, "ndim", 1)
        if self.hint or self.free or one or len(value) == 1:
            return
        message = (
            f"'{node.id}' in extra_namespace holds {len(value)} values, and stands where a column of the data belongs. "
            "Put it into the data, under this name: new data then bring values of their own."
        )
        raise self._data_error(message, node)

    def _data_error(self, message: str, node: ast.Name) -> DataError:
        start, end = node_span(node)
        return DataError(f"{message}\n    {self.expression.formula}\n    {' ' * start}{'^' * max(1, end - start)}")

    def _unknown(self, node: ast.Name) -> DataError:
        names = [column for column in self.columns if isinstance(column, str)]
        message = f"column '{node.id}' not found in the data;{did_you_mean(node.id, names)}"
        if message.endswith(";"):
            message = f"{message[:-1]}. It has: {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}."
        near = "; Did" in message
        message = message.replace("; Did", "; did")
        if self.hint or (not near and self._is_operand(node)):
            message += _hand_over(node.id)
        others = [column for column in self.columns if not isinstance(column, str) and str(column) == node.id]
        if others:
            message += f" There is a column {others[0]!r}, but its name is not a text; rename it."
        return self._data_error(message, node)

    def _is_operand(self, name: ast.Name) -> bool:
        """Whether a name stands in arithmetic, as a number of the user's program may: ``I(x * k)``."""
        sums = [node for node in ast.walk(self.expression.tree) if isinstance(node, ast.BinOp | ast.Compare)]
        return any(part is name for node in sums for part in ast.walk(node))

    def _numpy_constant(self, node: ast.Attribute) -> None:
        if self._is_numpy(node.value) and node.attr in functions.NUMPY_CONSTANTS:
            return
        if self._is_numpy(node.value):
            raise self._unknown_numpy(node)
        self._refuse(node)

    def _is_numpy(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in functions.NUMPY_MODULES and not is_quoted(node)

    def _unknown_numpy(self, node: ast.Attribute) -> FormulaError:
        if node.attr in functions.NUMPY_SUMMARIES:
            message = (
                f"np.{node.attr} looks at all rows, so it would mean something else in new data; "
                "center(x) and scale(x) remember the data the model was built from."
            )
        else:
            hint = did_you_mean(node.attr, functions.NUMPY)
            message = f"np.{node.attr} is not among the row-by-row NumPy functions that formulas may call.{hint}"
        return self._error(message, node)

    def _call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and self._is_numpy(node.func.value):
            self._numpy_call(node, node.func)
        elif isinstance(node.func, ast.Name) and not is_quoted(node.func):
            self._function(node, node.func.id)
        else:
            raise self._error("Only functions known by name can be called.", node.func)
        for keyword in node.keywords:
            if keyword.arg is None:
                raise self._error("Starred arguments are not allowed in a formula.", keyword)
        outside, named = self.hint, isinstance(node.func, ast.Name) and node.func.id not in functions.ELEMENTWISE
        free, self.free = self.free, self.free or (isinstance(node.func, ast.Name) and node.func.id in self.extra)
        for place, argument in enumerate(node.args):
            self.hint = _hand_over("values") if named and place else outside
            self._argument(argument)
        for keyword in node.keywords:
            self.hint = _hand_over(keyword.arg or "values")
            self._argument(keyword.value)
        self.hint, self.free = outside, free

    def _argument(self, node: ast.expr) -> None:
        """Besides expressions, a function takes lists, tuples and dictionaries of constants: knots, levels, scores."""
        if isinstance(node, ast.List | ast.Tuple):
            for item in node.elts:
                self._argument(item) if isinstance(item, ast.List | ast.Tuple) else self._literal(item)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if key is None:
                    raise self._error("Starred arguments are not allowed in a formula.", node)
                self._literal(key)
                self._literal(value)
        else:
            self.visit(node)

    def _literal(self, node: ast.expr) -> None:
        inner = node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd) else node
        if not isinstance(inner, ast.Constant) or (inner is not node and isinstance(inner.value, str | bool | None)):
            raise self._error("A list in a formula holds constants only.", node)
        self._constant(inner)

    def _numpy_call(self, node: ast.Call, function: ast.Attribute) -> None:
        if function.attr not in functions.NUMPY:
            raise self._unknown_numpy(function)
        self._arguments(node, f"np.{function.attr}", SIGNATURES[f"np.{function.attr}"])

    def _arguments(self, node: ast.Call, name: str, signature: inspect.Signature) -> None:
        wrong = what_is_wrong(name, signature, len(node.args), [keyword.arg or "**" for keyword in node.keywords])
        if wrong:
            raise self._error(wrong, node)

    def _function(self, node: ast.Call, name: str) -> None:
        if name == "Q":
            raise self._error("Q takes the column's name as a text: Q('my column').", node)
        if name == "offset":
            message = "offset() is a term of its own: 'y ~ x + offset(log(n))'."
            raise self._error(message, node)
        if name in GROUPINGS:
            raise self._error(f"{name}() stands alone right of a bar, around a factor: (1|{name}(g, ...)).", node)
        if name in FORMS:
            raise self._error(f"{name}() describes a response and stands alone, left of '~'.", node)
        if name in functions.TERMS and node is not self.whole_term:
            raise self._error(
                f"{name}() is a term of its own, as in 'y ~ {canonical_name(node)} + z': it takes no part in "
                f"{functions.NO_PART.get(name, 'interactions, bars, other functions or the response')}.",
                node,
            )
        if name in functions.UNSUPPORTED and name not in self.extra:
            instead = functions.UNSUPPORTED[name]
            raise self._error(f"{name}() is not supported{f'; {instead}' if instead else ' yet'}.", node)
        if name not in functions.function_names() and name not in self.extra:
            hint = did_you_mean(name, functions.supported_names())
            instead = f".{hint}" if hint else f"; pass it by extra_namespace={{'{name}': {name}}}."
            message = f"The function '{name}' is not known{instead}"
            raise self._error(message, node.func)
        signature = SIGNATURES.get(name) or self._users_own(name)
        if signature is not None:
            self._arguments(node, name, signature)

    def _users_own(self, name: str) -> inspect.Signature | None:
        function = self.extra[name] if isinstance(self.extra, Mapping) else None
        stateful = getattr(function, "__patsy_stateful_transform__", None)
        return signature_of(stateful().memorize_chunk if stateful else function)
