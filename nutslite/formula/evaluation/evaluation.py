"""Works out the factors of a formula on columns of data: an interpreter of exactly the nodes that `safety.py` allows.

Arithmetic is done in float64, so that int8 columns do not wrap around and Booleans add up; whole-number results of
``+ - * // %`` on whole numbers stay integers, which keeps ``C(year - 2000)`` readable.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from patsy import PatsyError

from nutslite._log import log
from nutslite.exceptions import DataError, FormulaError, NutsliteError
from nutslite.formula.columns.categories import Categories, categories_of, first_level
from nutslite.formula.columns.lent import owners_of
from nutslite.formula.columns.level_names import level_name
from nutslite.formula.evaluation import functions
from nutslite.formula.evaluation.arguments import check_arguments, check_rows
from nutslite.formula.evaluation.signatures import SIGNATURES
from nutslite.formula.evaluation.values import (
    as_argument,
    as_number,
    as_truth,
    bind,
    check_contrast,
    combine,
    is_data,
    not_categorical,
    with_all_digits,
    with_levels,
)
from nutslite.formula.language.expression import Expression, canonical_name, is_quoted

_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_KEEP_INTEGERS = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)
_COMPARISONS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass
class Memory:
    """What the data that the model was built from taught the transforms, kept for new data.

    Attributes
    ----------
    transforms : dict
        Canonical text of a call (``"bs(x, df=4)"``) -> the transform, after it has seen those data.
    levels : dict
        Canonical text of a ``C(...)`` call -> its levels.
    """

    transforms: dict[str, Any] = field(default_factory=dict)
    levels: dict[str, tuple[Any, ...]] = field(default_factory=dict)


class Evaluator:
    """Evaluates expressions on one set of columns.

    Parameters
    ----------
    columns : mapping
        Column name -> ndarray of bool, int64 or float64, shape (n,), or `Categories`.
    rows : int
        Number of rows, n.
    extra : mapping
        The caller's ``extra_namespace``.
    memory : Memory
        Filled while `learning`, only read otherwise.
    learning : bool
        True for the data that the model is built from.
    categorical : collection of str
        Columns that the user listed as categorical, or that have pandas' dtype for it.
    rounded : mapping
        By name, the numbers of columns that float64 may have rounded: levels are made of these.
    """

    def __init__(
        self,
        columns: Mapping[str, Any],
        rows: int,
        extra: Mapping[str, Any],
        memory: Memory,
        learning: bool,
        categorical: Collection[str] = (),
        rounded: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.columns = columns
        self.rows = rows
        self.extra = extra
        self.memory = memory
        self.learning = learning
        self.categorical = categorical
        self.rounded = rounded
        self.owners = owners_of(columns.values())

    def evaluate(self, expression: Expression) -> Any:
        """The value of `expression`: an array of shape (n,) or (n, k), `Categories`, or a constant.

        Raises
        ------
        FormulaError, DataError
            When it cannot be worked out; the message names the expression.
        """
        with self.errors_of(expression):
            return self._value(expression.tree)

    @contextmanager
    def errors_of(self, expression: Expression) -> Iterator[None]:
        """What goes wrong inside becomes an error that names the expression."""
        try:
            with np.errstate(all="ignore"):
                yield
        except NutsliteError as error:
            if isinstance(error, FormulaError) and error.span is None:
                raise expression.error(str(error)) from None
            raise
        except RecursionError:
            raise expression.error("This is nested too deeply.") from None
        except MemoryError:
            raise expression.error(f"'{expression.name}' takes more memory than this machine has.") from None
        except Exception as error:
            reason = str(error.args[0] if isinstance(error, PatsyError) else error).rstrip(".")
            raise expression.error(f"'{expression.name}' cannot be computed: {reason}.") from error

    def call_arguments(self, expression: Expression) -> tuple[str, dict[str, Any], dict[str, str]]:
        """Name of a call that is a term, its arguments, defaults included, and how the formula has them."""
        node = expression.tree
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise AssertionError("a term of a special kind is a call")
        name = node.func.id
        values, texts = self._arguments_of(node, name)
        bound = SIGNATURES[name].bind_partial()
        bound.apply_defaults()
        given = {key: value for key, value in values.items() if value is not None}
        found = {**bound.arguments, **given}
        for key in values:
            if key not in found:
                raise FormulaError(f"{key} of {name}() has no default, so it cannot be None.")
        return name, found, texts

    def _arguments_of(self, node: ast.Call, name: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Values and texts of the arguments of a function that has a signature here, checked by their names."""
        keywords = {keyword.arg or "": keyword.value for keyword in node.keywords}
        nodes = SIGNATURES[name].bind(*node.args, **keywords).arguments
        several = {key: item for key, item in nodes.items() if isinstance(item, tuple)}  # *x
        written = {key: canonical_name(item) for key, item in nodes.items() if key not in several}
        values = {key: self._value(item) for key, item in nodes.items() if key not in several}
        check_arguments(name, values, written)
        for key, items in several.items():
            texts = [canonical_name(item) for item in items]
            values[key] = tuple(self._value(item) for item in items)
            written |= {key: ", ".join(texts), **{f"{key}[{place}]": text for place, text in enumerate(texts)}}
        return values, written

    def categories(self, value: Any, node: ast.AST, name: str) -> Categories:
        """`value`, which is what `node` evaluates to, as categories; numbers of a column as they are in the data.

        Raises
        ------
        DataError
            As for `nutslite.formula.columns.categories.categories_of`.
        """
        while isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "I":
            node = node.args[0]
        if isinstance(node, ast.Name) and not isinstance(value, Categories):
            value = self.rounded.get(node.id, value)
        return categories_of(value, name)

    def _value(self, node: ast.AST) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._name(node)
            case ast.Attribute():
                return functions.NUMPY_CONSTANTS[node.attr]
            case ast.BinOp():
                return self._binary(node)
            case ast.UnaryOp():
                return self._unary(node)
            case ast.BoolOp():
                values = [as_truth(self._value(item)) for item in node.values]
                return combine(np.logical_and if isinstance(node.op, ast.And) else np.logical_or, values)
            case ast.Compare():
                return self._comparison(node)
            case ast.Call():
                return self._call(node)
            case ast.List():
                return [self._value(item) for item in node.elts]
            case ast.Tuple():
                return tuple(self._value(item) for item in node.elts)
            case ast.Dict():
                pairs = zip(node.keys, node.values, strict=True)
                return {self._value(key): self._value(value) for key, value in pairs if key is not None}
        raise FormulaError(f"A formula cannot contain {type(node).__name__} expressions.")

    def _name(self, node: ast.Name) -> Any:
        if node.id in self.columns:
            return self.columns[node.id]
        if not is_quoted(node) and node.id in self.extra:
            return self.extra[node.id]
        if not is_quoted(node) and node.id in functions.CONTRASTS:
            return functions.CONTRASTS[node.id]
        raise DataError(f"column '{node.id}' not found in the data.")

    def _binary(self, node: ast.BinOp) -> Any:
        left, right = self._value(node.left), self._value(node.right)
        if isinstance(node.op, ast.BitAnd | ast.BitOr):
            return combine(np.logical_and if isinstance(node.op, ast.BitAnd) else np.logical_or, [left, right])
        first, second = as_number(left, node.left), as_number(right, node.right)
        result = _OPERATORS[type(node.op)](first, second)
        whole = all(np.asarray(item).dtype.kind in "biu" for item in (left, right))
        if whole and isinstance(node.op, _KEEP_INTEGERS):
            return with_all_digits(_OPERATORS[type(node.op)], [left, right], result)
        return result

    def _unary(self, node: ast.UnaryOp) -> Any:
        value = self._value(node.operand)
        if isinstance(node.op, ast.Not | ast.Invert):
            return np.logical_not(as_truth(value))
        operation = operator.neg if isinstance(node.op, ast.USub) else operator.pos
        result = operation(as_number(value, node.operand))
        return with_all_digits(operation, [value], result) if np.asarray(value).dtype.kind in "biu" else result

    def _comparison(self, node: ast.Compare) -> Any:
        items = [node.left, *node.comparators]
        values = [self._value(item) for item in items]
        results = [
            self._compare(type(sign), (values[k], items[k]), (values[k + 1], items[k + 1]))
            for k, sign in enumerate(node.ops)
        ]
        return combine(np.logical_and, results)

    def _compare(self, sign: type[ast.AST], first: tuple[Any, ast.expr], second: tuple[Any, ast.expr]) -> Any:
        """One comparison of two (value, node) pairs; of categories, with a level or with other categories."""
        if isinstance(second[0], Categories) and not isinstance(first[0], Categories):
            first, second = second, first
        left, right, name = first[0], second[0], canonical_name(first[1])
        if not isinstance(left, Categories):
            if isinstance(right, str) or isinstance(left, str):
                raise DataError(f"'{canonical_name(second[1])}' and '{name}': numbers are compared with a text.")
            return _COMPARISONS[sign](left, right)
        if sign not in (ast.Eq, ast.NotEq):
            raise DataError(f"'{name}' is categorical, and can be compared by == and != only.")
        if isinstance(right, Categories):
            equal = np.array(left.names, dtype=object)[left.codes] == np.array(right.names, dtype=object)[right.codes]
        else:
            equal = self._has_level(left, right, name)
        return equal if sign is ast.Eq else ~equal

    def _has_level(self, column: Categories, level: Any, name: str) -> Any:
        try:
            return column.codes == column.position(level, f"'{name}'")
        except DataError:
            if self.learning:
                raise
            return np.zeros(column.codes.shape, dtype=bool)  # new data need not hold every level

    def _call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Attribute):
            return self._row_by_row(f"np.{node.func.attr}", functions.NUMPY[node.func.attr][0], node)
        if not isinstance(node.func, ast.Name):
            raise FormulaError("Only functions known by name can be called.")
        name = node.func.id
        arguments = [self._value(item) for item in node.args]
        keywords = {keyword.arg or "": self._value(keyword.value) for keyword in node.keywords}
        if name == "I":
            return arguments[0]
        if name in functions.ELEMENTWISE:
            return self._row_by_row(name, functions.ELEMENTWISE[name][0], node)
        if name in SIGNATURES:
            keyword_nodes = {keyword.arg or "": keyword.value for keyword in node.keywords}
            texts = SIGNATURES[name].bind(*node.args, **keyword_nodes).arguments
            values = SIGNATURES[name].bind(*arguments, **keywords).arguments
            written = {key: canonical_name(item) for key, item in texts.items() if isinstance(item, ast.expr)}
            check_arguments(name, values, written)
        if name in functions.STATEFUL:
            return self._stateful(functions.STATEFUL[name], node, arguments, keywords)
        if name in functions.CONTRASTS:
            return functions.CONTRASTS[name](*arguments, **keywords)
        if name in functions.CATEGORICAL:
            return self._categorical(name, node, arguments, keywords)
        if name in functions.SUCCESS:
            return self._success(name, node, arguments, keywords)
        return self._users_own(node, name, arguments, keywords)

    def _row_by_row(self, name: str, function: Callable[..., Any], node: ast.Call) -> Any:
        """A NumPy function of numbers, one per row or the same for all rows; np.where picks texts, too."""
        values = [as_argument(self._value(item), item) for item in node.args]
        texts = [canonical_name(item) for item in node.args]
        bound = SIGNATURES[name].bind(*values).arguments
        check_arguments(name, bound, dict(zip(bound, texts, strict=True)))
        for value, text in zip(values, texts, strict=True):
            constant = isinstance(value, bool | int | float | np.number | np.bool_)
            if not constant and not (name == "np.where" and isinstance(value, str)):
                check_rows(name, value, text, self.rows, most=2 if len(node.args) == 1 else 1)
        return function(*values)

    def _stateful(self, factory: Callable[[], Any], node: ast.Call, arguments: list[Any], keywords: Any) -> Any:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in functions.STATEFUL:
            for value, item in list(zip(arguments, node.args, strict=True))[: None if name == "te" else 1]:
                not_categorical(value, item)
                check_rows(name, value, canonical_name(item), self.rows, most=2 if name == "te" else 1)
        given = zip(arguments, node.args, strict=True)
        arguments = [not_categorical(value, item) if is_data(value) else value for value, item in given]
        key = canonical_name(node)
        if key not in self.memory.transforms:
            if not self.learning:
                raise DataError(f"'{key}' was not part of the model.")
            transform = factory()
            transform.memorize_chunk(*arguments, **keywords)
            transform.memorize_finish()
            self.memory.transforms[key] = transform
        return self.memory.transforms[key].transform(*arguments, **keywords)

    def _categorical(self, name: str, node: ast.Call, arguments: list[Any], keywords: dict[str, Any]) -> Categories:
        data, option, levels = bind(name, arguments, keywords)
        contrast = option
        if name == "C":
            check_contrast(contrast, canonical_name(node))
        column = node.args[0] if node.args else node.keywords[0].value
        found = self.categories(data, column, canonical_name(column))
        if levels is not None:
            found = with_levels(found, levels, canonical_name(node))
        if name == "T":
            reference = 0 if option is None else self._known(found, node).position(option, canonical_name(node.args[0]))
            contrast = functions.CONTRASTS["Treatment"](self._known(found, node).levels[reference])
        elif name == "S":
            contrast = functions.CONTRASTS["Sum"](option)
        return found if contrast is None else replace(found, contrast=contrast)

    def _known(self, found: Categories, node: ast.Call) -> Categories:
        """`found` with the levels of the data that the model was built from: new data need not hold the reference."""
        key = canonical_name(node)
        if self.learning:
            self.memory.levels.setdefault(key, found.levels)
        return replace(found, levels=self.memory.levels[key])

    def _success(self, name: str, node: ast.Call, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        data, success = bind(name, arguments, keywords)
        column = node.args[0] if node.args else node.keywords[0].value
        what = canonical_name(column)
        found = self.categories(data, column, what)
        if success is None:
            success = self._first(found, node, f"{name}({what}")
        return self._has_level(found, success, what)

    def _first(self, found: Categories, node: ast.Call, call: str) -> Any:
        """The level that counts as success where a formula names none: the first in order, as in Bambi."""
        key = canonical_name(node)
        if self.learning and key not in self.memory.levels:
            self.memory.levels[key] = (first := first_level(found.levels),)
            log.info("%s: '%s' counts as 1, all else as 0. %s, %r) says it.", key, level_name(first), call, first)
        return self.memory.levels[key][0]

    def _users_own(self, node: ast.Call, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        function = self.extra[name]
        factory = getattr(function, "__patsy_stateful_transform__", None)
        if factory is not None:
            return self._stateful(factory, node, arguments, keywords)
        if not callable(function):
            raise FormulaError(f"'{name}' in extra_namespace is not a function.")
        plain = [value.values() if isinstance(value, Categories) else value for value in arguments]
        options = {key: value.values() if isinstance(value, Categories) else value for key, value in keywords.items()}
        return function(*plain, **options)
