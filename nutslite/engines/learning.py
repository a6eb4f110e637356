"""What transforms such as `scale` and `bs` learn of all rows, found out in passes before a design is made."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.engines.first_pass import Reading
from nutslite.engines.moments import Moments
from nutslite.engines.quantiles import quantiles
from nutslite.engines.sources.source import Source
from nutslite.engines.way import Look, Way
from nutslite.exceptions import DataError, NutsliteError
from nutslite.formula.columns.data import columns_of
from nutslite.formula.evaluation.evaluation import Evaluator, Memory
from nutslite.formula.evaluation.functions import STATEFUL
from nutslite.formula.evaluation.transforms import BSpline, Center, Polynomial, Standardize
from nutslite.formula.language.expression import Expression, canonical_name

FloatArray = NDArray[np.float64]
Arguments = dict[str, Any]

STEPS = 8  # values between two knots, where values with these quantiles stand for all


@dataclass(frozen=True)
class Extent:
    """The arguments of a call beside its column, and of the column its moments, smallest and largest value."""

    arguments: Arguments
    moments: Moments
    low: float
    high: float

    def __add__(self, other: Extent) -> Extent:
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Extent(self.arguments, self.moments + other.moments, low, high)

    @property
    def rows(self) -> int:
        """How many values there are."""
        return self.moments.rows


def extent(x: FloatArray, arguments: Arguments) -> Extent:
    """Of one block."""
    return Extent(arguments, Moments.of(x[None]), float(x.min()), float(x.max()))


def center() -> Way:
    """`Center`."""
    transform, found = Center(), (yield extent)
    transform.mean = found.moments.mean[0]
    return transform


def standardize() -> Way:
    """`Standardize`."""
    transform, found = Standardize(), (yield extent)
    transform.take(found.rows, found.moments.mean[0], found.moments.scatter[0, 0], **found.arguments)
    return transform


def polynomial() -> Way:
    """`Polynomial`: a pass for each degree, as its recurrence has it."""
    transform, found = Polynomial(), (yield extent)
    degree, raw = (found.arguments.get(name, default) for name, default in (("degree", 1), ("raw", False)))
    transform.begin(found.low, found.high, found.rows, degree, raw)
    for _ in range(0 if raw else int(degree) + 1):
        transform.take((yield _Sums(transform)), int(degree))
    return transform


@dataclass(frozen=True)
class _Sums:
    """A polynomial's next sums."""

    transform: Polynomial

    def __call__(self, x: FloatArray, arguments: Arguments) -> FloatArray:
        return self.transform.sums(x)


def b_spline() -> Way:
    """`BSpline`, whose knots are quantiles: a few values with the same ones stand for all."""
    transform, found = BSpline(), (yield extent)
    given = found.arguments
    lower, upper = given.get("lower_bound"), given.get("upper_bound")
    if (lower is not None and found.low < lower) or (upper is not None and found.high > upper):
        raise ValueError(f"its values lie between {found.low:g} and {found.high:g}, and its bounds leave some out")
    inner = 0
    if given.get("df") is not None and given.get("knots") is None:
        intercept = given.get("include_intercept", False) if given.get("intercept") is None else given["intercept"]
        inner = max(0, int(given["df"]) - int(given.get("degree", 3)) - bool(intercept))
    knots = yield from quantiles(found.low, found.high, found.rows, np.linspace(0.0, 1.0, inner + 2)[1:-1].tolist())
    ends = np.array([found.low, *knots, found.high])
    places = np.arange(STEPS * (len(ends) - 1) + 1) / STEPS
    transform.memorize_chunk(np.interp(places, np.arange(len(ends)), ends), **given)
    transform.memorize_finish()
    return transform


WAYS: dict[str, Callable[[], Way]] = {
    "center": center,
    "scale": standardize,
    "standardize": standardize,
    "poly": polynomial,
    "bs": b_spline,
}
"""By function of a formula, how what it learns is found out."""


def calls_that_learn(expressions: Sequence[Expression], extra: Mapping[str, Any]) -> dict[str, Expression]:
    """By canonical text, the calls in expressions that learn from all rows."""
    return {
        canonical_name(node): replace(expression, name=canonical_name(node), tree=node)
        for expression in expressions
        for node in ast.walk(expression.tree)
        if isinstance(node, ast.Call) and learns(node, extra)
    }


def learns(node: ast.Call, extra: Mapping[str, Any]) -> bool:
    """Whether a call's values depend on all rows."""
    if not isinstance(node.func, ast.Name):
        return False
    own = extra.get(node.func.id)
    return node.func.id in STATEFUL or getattr(own, "__patsy_stateful_transform__", None) is not None


def unknown_call(calls: Mapping[str, Expression], extra: Mapping[str, Any]) -> str | None:
    """A call among those that learn of which it is not known how, or one within another one; None where all are."""
    for text, expression in calls.items():
        within = [node for node in ast.walk(expression.tree) if isinstance(node, ast.Call) and learns(node, extra)]
        if len(within) > 1 or canonical_name(within[0]).partition("(")[0] not in WAYS:
            return text
    return None


@dataclass(frozen=True)
class Asked:
    """What else an expression may use, and which columns are categories because the user says so."""

    extra: Mapping[str, Any]
    categorical: frozenset[str]


def learn(source: Source, reading: Reading, calls: Mapping[str, Expression], asked: Asked, cores: int) -> Memory:
    """What the calls learn of all complete rows, each by the passes that it takes; they share these.

    Raises
    ------
    FormulaError, DataError
    """
    memory = Memory()
    ways = {text: WAYS[text.partition("(")[0]]() for text in calls}
    sums: dict[str, Any] = dict.fromkeys(calls)
    while ways:
        looks = {}
        for text in list(ways):
            try:
                looks[text] = ways[text].send(sums[text])
            except StopIteration as end:
                memory.transforms[text] = end.value
                del ways[text]
            except NutsliteError:
                raise
            except Exception as error:
                reason = str(error.args[0] if error.args else error).rstrip(".")
                raise calls[text].error(f"'{text}' cannot be computed: {reason}.") from error
        sums = _pass(source, reading, {text: calls[text] for text in looks}, looks, asked, cores) if looks else {}
    return memory


def _pass(
    source: Source,
    reading: Reading,
    calls: Mapping[str, Expression],
    looks: Mapping[str, Look],
    asked: Asked,
    cores: int,
) -> dict[str, Any]:
    """The sum of what each look returns of the blocks."""
    total: dict[str, Any] = {}
    for found in source.map(_OnCalls(reading, calls, looks, asked), reading.columns, cores):
        for text, part in found.items():
            total[text] = total[text] + part if text in total else part
    if not total:
        raise DataError("No row of the data is complete.")
    return total


@dataclass(frozen=True)
class _OnCalls:
    """Looks at what calls are given in one block."""

    reading: Reading
    calls: Mapping[str, Expression]
    looks: Mapping[str, Look]
    asked: Asked

    def __call__(self, place: tuple[int, int], frame: pd.DataFrame) -> dict[str, Any]:
        frame, _ = self.reading.complete(frame)
        if frame.empty:
            return {}
        listeners = {text: _Listener() for text in self.calls}
        columns = columns_of(frame, self.asked.categorical)
        evaluator = Evaluator(columns, len(frame), self.asked.extra, Memory(dict(listeners)), False)
        found = {}
        for text, expression in self.calls.items():
            evaluator.evaluate(expression)
            found[text] = self.looks[text](*listeners[text].given(STATEFUL[text.partition("(")[0]]))
        return found


class _Listener:
    """Stands where a transform will, and keeps what it is given."""

    def transform(self, *arguments: Any, **keywords: Any) -> FloatArray:
        """Keep the arguments."""
        self.arguments, self.keywords = arguments, keywords
        return np.empty(0)

    def given(self, factory: Callable[[], Any]) -> tuple[FloatArray, Arguments]:
        """The column, and the other arguments by name."""
        bound = inspect.signature(factory().memorize_chunk).bind(*self.arguments, **self.keywords).arguments
        x = np.asarray(bound.pop("x"), dtype=float)
        if x.ndim != 1:
            raise DataError("A transform takes one numeric column.")
        return x, dict(bound)
