"""What a form of a response is: a call left of ``~``, its arguments, and what these say of every row.

A form says nothing of posteriors. What it says of rows is `Known`: further numbers for the family, weights, or what was
seen of the response.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nutslite.formula.columns.categories import Categories
from nutslite.formula.columns.data import check_finite, matrix_of
from nutslite.formula.language.expression import Expression

FloatArray = NDArray[np.float64]
STATUSES = ("none", "left", "right", "interval")


class Evaluates(Protocol):
    """What works out expressions on rows of data (`nutslite.formula.evaluation`)."""

    rows: int

    def evaluate(self, expression: Expression) -> Any:
        """The value of an expression."""

    def categories(self, value: Any, node: ast.AST, name: str) -> Categories:
        """The value of the expression `node` as categories."""


@dataclass(frozen=True)
class Censoring:
    """What is known of each response where not all were seen.

    Attributes
    ----------
    status : ndarray of int64, shape (n,)
        Place in `STATUSES`: the response itself, or that it is at most, at least, or beyond what stands for it.
    upper : ndarray, shape (n,), or None
        Ends of intervals, the responses themselves in other rows; None where no row is an interval.
    upper_name : str
        As the formula has it.
    """

    status: NDArray[np.int64]
    upper: FloatArray | None = None
    upper_name: str = ""


@dataclass(frozen=True)
class Known:
    """What a form says of rows.

    Attributes
    ----------
    companions : mapping of str to ndarray, shape (n,)
        Numbers that the family needs beside the response, under the names of `Form.companions`.
    weights : ndarray, shape (n,), or None
        What each row's log likelihood is multiplied by.
    censoring : Censoring or None
        Where another kernel than the density is right for some rows.
    """

    companions: Mapping[str, FloatArray] = field(default_factory=dict)
    weights: FloatArray | None = None
    censoring: Censoring | None = None


@dataclass(frozen=True)
class Call:
    """A form on some rows of data.

    Attributes
    ----------
    name : str
        The function: ``"p"``.
    response : str
        The response proper, as the formula has it.
    y : ndarray, shape (n,), or None
        Its values; codes where it is categorical, (K, n) where it has several columns. None in new data that need not
        hold it.
    expressions : mapping
        Argument -> expression, without the response proper and without what the formula leaves out. Of a form of
        several columns all of them, under the names "1", "2", ...
    evaluator : Evaluates
    """

    name: str
    response: str
    y: FloatArray | None
    expressions: Mapping[str, Expression]
    evaluator: Evaluates

    def value(self, argument: str) -> Any:
        """What an argument comes to: a column, `Categories`, or a constant."""
        return self.evaluator.evaluate(self.expressions[argument])

    def text(self, argument: str) -> str:
        """How the formula has an argument."""
        return self.expressions[argument].name

    def numbers(self, argument: str, *, finite: bool = True) -> FloatArray:
        """A numeric argument, shape (n,).

        Raises
        ------
        DataError
            If it is not numeric, or not finite in some row.
        """
        text = self.text(argument)
        matrix = matrix_of(self.value(argument), self.evaluator.rows, text)
        if finite:
            check_finite(matrix, text)
        return np.array(matrix[0])

    def categories(self, argument: str) -> Categories | None:
        """A column as categories that occur in it; None where the argument is no column."""
        value = self.value(argument)
        if isinstance(value, Categories):
            return value.without_unused()
        if isinstance(value, np.ndarray) and value.ndim == 1 and value.size == self.evaluator.rows:
            return self.evaluator.categories(value, self.expressions[argument].tree, self.text(argument))
        return None


@dataclass(frozen=True)
class Form:
    """A form of a response.

    Attributes
    ----------
    names : tuple of str
        What formulas call it: ``("p", "prop", "proportion")``.
    signatures : tuple of str
        As users write them, the response proper first: ``("y, n",)``. Where there are several, arguments go by
        position, and their number says which it is.
    say : callable
        ``say(call) -> Known``: on the rows that the model is built from, and on new ones. A form that gives companions
        is asked for new rows without a response, too.
    companions : tuple of str
        Names of the companions that it gives. Predictions take them from new data that have them.
    categories : str
        What is said of a categorical response, with ``{name}`` in the place of its name; may be empty where it can be
        one.
    kind : str
        The `Response.kind` that it makes, where it is another than that of the response proper.
    around : bool
        Whether other forms may stand inside it: ``weighted(p(y, n), w)``.
    gaps : tuple of str
        Arguments that need no value in every row.
    unseen : bool
        Whether it says that responses were not seen, so that predictions are of more than the data hold.
    columns : bool
        Whether the response proper is all of its arguments, a column of numbers each: ``counts(a, b, c)``.
    """

    names: tuple[str, ...]
    signatures: tuple[str, ...]
    say: Callable[[Call], Known]
    companions: tuple[str, ...] = ()
    categories: str = ""
    kind: str = ""
    around: bool = False
    gaps: tuple[str, ...] = ()
    unseen: bool = False
    columns: bool = False

    def written(self, name: str) -> str:
        """How it is written, for messages: ``"p(y, n)"``."""
        if self.columns:
            return f"{name}(y1, y2, ...)"
        return " or ".join(f"{name}({signature})" for signature in self.signatures)

    def by_position(self, call: ast.Call) -> dict[str, ast.expr] | None:
        """Arguments of one of several signatures; None where none of them has so many."""
        for signature in self.signatures:
            names = signature.split(", ")
            if len(names) == len(call.args) and not call.keywords:
                return dict(zip(names, call.args, strict=True))
        return None
