"""The left-hand side of a formula: numbers, categories, successes out of trials, weights."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass, replace
from numbers import Number
from typing import Any

import numpy as np

from nutslite._log import log
from nutslite.exceptions import DataError, FormulaError
from nutslite.formula.censoring import learn_censoring, read_censored
from nutslite.formula.columns.categories import Categories, first_level
from nutslite.formula.columns.data import matrix_of
from nutslite.formula.columns.level_names import level_name
from nutslite.formula.evaluation import functions
from nutslite.formula.evaluation.evaluation import Evaluator
from nutslite.formula.evaluation.signatures import SIGNATURES, what_is_wrong
from nutslite.formula.factors import check_finite
from nutslite.formula.language.expression import Expression, keyword_hint
from nutslite.formula.records import FloatArray, Response


@dataclass(frozen=True)
class ResponseSpec:
    """A response, taken apart.

    Attributes
    ----------
    name : str
        As Bambi names it.
    value : Expression
        The response proper.
    trials : Expression or None
        The second argument of ``p(y, n)``.
    weights : Expression or None
        The second argument of ``weighted(y, w)``.
    success : object
        The level that counts as 1, where the formula names one.
    picks_level : bool
        Whether one level counts as 1 and all others as 0: the first in order where none is named.
    status, upper : Expression or None
        Of ``censored(y, status)``, ``censored(y, upper, status)``.
    """

    name: str
    value: Expression
    trials: Expression | None = None
    weights: Expression | None = None
    success: Any = None
    picks_level: bool = False
    status: Expression | None = None
    upper: Expression | None = None

    def expressions(self, upper: bool = True) -> list[Expression]:
        """Everything in it that is evaluated on data; of `upper` only intervals need a value."""
        found = (self.value, self.trials, self.weights, self.status, self.upper if upper else None)
        return [item for item in found if item is not None]


def read_response(expression: Expression) -> ResponseSpec:
    """Recognise ``p(y, n)``, ``weighted(y, w)``, ``censored(y, status)``, ``binary(y, level)`` and ``y[level]``.

    Raises
    ------
    FormulaError
        When one of them has wrong arguments.
    """
    tree = expression.tree
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id in functions.RESPONSES:
        return _read_call(expression, tree, tree.func.id)
    if isinstance(tree, ast.Subscript):
        level = _level(expression, tree.slice)
        value = expression.part(tree.value)
        return ResponseSpec(value.name, value, success=level, picks_level=True)
    if isinstance(tree, ast.Constant):
        raise expression.error(f"The response is a constant; name a column.{keyword_hint(expression.name)}")
    if isinstance(tree, ast.Tuple | ast.List):
        raise expression.error("There is one response; several are not supported.")
    return ResponseSpec(expression.name, expression)


def _read_call(expression: Expression, call: ast.Call, name: str) -> ResponseSpec:
    if name == functions.CENSORED:
        value, status, upper = read_censored(expression, call)
        return ResponseSpec(expression.name, value, status=status, upper=upper)
    signature, keywords = SIGNATURES[name], {keyword.arg or "**": keyword.value for keyword in call.keywords}
    wrong = what_is_wrong(name, signature, len(call.args), list(keywords))
    if wrong:
        raise expression.error(wrong)
    bound = signature.bind(*call.args, **keywords)
    bound.apply_defaults()
    first, second = bound.arguments.values()
    value = expression.part(first)
    if name == functions.WEIGHTED:
        inner = read_response(value)
        if inner.weights is not None:
            raise expression.error("weighted() stands once.")
        weights = expression.part(second)
        return replace(inner, name=expression.name, weights=weights)
    if name in functions.SUCCESS:
        success = None if second is None else _level(expression, second)
        return ResponseSpec(expression.name, value, success=success, picks_level=True)
    return ResponseSpec(expression.name, value, trials=expression.part(second))


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


@dataclass(frozen=True)
class ResponsePlan:
    """What new data need to become the same response."""

    spec: ResponseSpec
    kind: str
    levels: tuple[Any, ...]
    companions: tuple[str, ...]
    success: str | None


def learn_response(
    spec: ResponseSpec, evaluator: Evaluator, listed: Collection[str] = ()
) -> tuple[ResponsePlan, Response, FloatArray | None]:
    """The response of the data that the model is built from, and its weights.

    A categorical with two levels is binary, its second level counting as 1 (of a Boolean: True). `listed` are the
    columns that the user wants to be categorical.

    Raises
    ------
    DataError
        When values are not finite, counts are not whole or exceed their trials, a level does not exist, weights are
        negative.
    """
    value = _value(spec, evaluator)
    if isinstance(value, Categories):
        value = value if value.levels == (False, True) else value.without_unused()
        if len(value.levels) < 2:
            only = f"it is '{value.names[0]}' in all {evaluator.rows} rows"
            raise DataError(f"The response '{spec.name}' has only 1 category! There is nothing to model: {only}.")
        plan = _categorical_plan(spec, value)
    else:
        kind = "numeric" if spec.trials is None else "proportion"
        plan = ResponsePlan(spec, kind, (), () if spec.trials is None else ("trials",), None)
    response = replace(
        _with_censoring(spec, _response(plan, value, evaluator), evaluator),
        as_numbers=_as_numbers(spec, plan.levels, listed),
        chosen_order=not any(isinstance(level, str) for level in plan.levels)
        or spec.value.name in evaluator.categorical,
    )
    return plan, response, _weights(spec, evaluator)


def _as_numbers(spec: ResponseSpec, levels: tuple[Any, ...], listed: Collection[str]) -> str:
    """How the user gets numbers of a categorical response that holds some; empty where it holds none."""
    name = spec.value.name
    numbers = all(isinstance(level, Number) and not isinstance(level, bool) for level in levels)
    if not levels or spec.picks_level or not (numbers or _read_as_numbers(levels)):
        return ""
    converted = f"pandas.to_numeric(data['{name}']): its texts read as numbers"
    if name in listed:
        return f"it without '{name}' in categorical=[...]" + ("" if numbers else f", and {converted}")
    return f"data['{name}'].astype(float): it is a pandas category of numbers" if numbers else converted


def _read_as_numbers(levels: tuple[Any, ...]) -> bool:
    try:
        return bool([float(level) for level in levels if isinstance(level, str)])
    except ValueError:
        return False


def apply_response(plan: ResponsePlan, evaluator: Evaluator) -> tuple[Response, FloatArray | None]:
    """The same response on new data, and its weights."""
    response = _response(plan, _value(plan.spec, evaluator), evaluator)
    return _with_censoring(plan.spec, response, evaluator), _weights(plan.spec, evaluator)


def unknown_response(plan: ResponsePlan, evaluator: Evaluator) -> Response:
    """A response for new data that need not hold it: nan, but with the trials that the new data have."""
    values = np.full((1 + len(plan.companions), evaluator.rows), np.nan)
    if plan.spec.trials is not None and _is_available(plan.spec.trials, evaluator):
        values[1] = _trials(plan.spec.trials, evaluator)
    return _record(plan, values)


def _with_censoring(spec: ResponseSpec, response: Response, evaluator: Evaluator) -> Response:
    if spec.status is None:
        return response
    if response.levels:
        raise DataError(f"'{spec.value.name}' is categorical; what censored() is about are numbers.")
    found = learn_censoring(spec.status, spec.upper, evaluator, response.values[0], spec.value.name)
    return replace(response, censoring=found)


def _is_available(expression: Expression, evaluator: Evaluator) -> bool:
    names = [node.id for node in ast.walk(expression.tree) if isinstance(node, ast.Name)]
    called = [node.func for node in ast.walk(expression.tree) if isinstance(node, ast.Call)]
    skip = {node.id for node in called if isinstance(node, ast.Name)} | set(functions.NUMPY_MODULES)
    return all(name in evaluator.columns or name in evaluator.extra or name in skip for name in names)


def _value(spec: ResponseSpec, evaluator: Evaluator) -> Any:
    value = evaluator.evaluate(spec.value)
    if isinstance(value, Categories):
        if spec.trials is not None:
            raise DataError(f"The counts '{spec.value.name}' are categorical, and must be whole numbers.")
        return value
    array = np.asarray(value)
    if array.ndim != 1 or array.size != evaluator.rows:
        raise DataError(f"The response '{spec.name}' must be one column with a value per row.")
    if spec.trials is None and array.dtype == np.bool_:
        return Categories(array.astype(np.int32), (False, True))
    if spec.trials is None and (spec.picks_level or array.dtype.kind in "OU"):
        return evaluator.categories(array, spec.value.tree, spec.value.name)
    return array


def _categorical_plan(spec: ResponseSpec, value: Categories) -> ResponsePlan:
    levels = value.levels
    if spec.picks_level:
        if spec.success is None:
            success = levels.index(first_level(levels))
            log.info("%s: the probability of '%s' is modelled.", spec.name, value.names[success])
        else:
            success = value.position(spec.success, f"the response '{spec.value.name}'")
        return ResponsePlan(spec, "binary", levels, (), value.names[success])
    if len(levels) == 2:
        return ResponsePlan(spec, "binary", levels, (), value.names[1])
    return ResponsePlan(spec, "categorical", levels, (), None)


def _response(plan: ResponsePlan, value: Any, evaluator: Evaluator) -> Response:
    spec = plan.spec
    if isinstance(value, Categories) != bool(plan.levels):
        was = "categorical" if plan.levels else "numeric"
        if not plan.levels:
            raise DataError(f"The response '{spec.name}' was {was} in the data that the model was built from.")
        value = evaluator.categories(value, spec.value.tree, spec.name)
    if isinstance(value, Categories):
        recoded = value.recoded(plan.levels, spec.value.name)
        if recoded.unseen:
            raise DataError(
                f"The response '{spec.name}' has the level '{level_name(recoded.unseen[0])}', which it did not have."
            )
        success = plan.success
        codes = recoded.codes if success is None else recoded.codes == recoded.names.index(success)
        return _record(plan, np.array(codes[None, :], dtype=np.float64))
    values = np.empty((1 + len(plan.companions), evaluator.rows))
    values[0] = matrix_of(value, evaluator.rows, spec.value.name)[0]
    check_finite(values[:1], spec.value.name)
    if spec.trials is not None:
        values[1] = _trials(spec.trials, evaluator)
        _check_counts(values, spec)
    return _record(plan, values)


def _record(plan: ResponsePlan, values: FloatArray) -> Response:
    levels = tuple(level_name(level) for level in plan.levels)
    return Response(plan.spec.name, values, plan.companions, plan.kind, levels, plan.success)


def _trials(expression: Expression, evaluator: Evaluator) -> FloatArray:
    trials: FloatArray = matrix_of(evaluator.evaluate(expression), evaluator.rows, expression.name)[0]
    check_finite(trials[None, :], expression.name)
    _check_whole(trials, f"The trials '{expression.name}'")
    return trials


def _check_counts(values: FloatArray, spec: ResponseSpec) -> None:
    _check_whole(values[0], f"The counts '{spec.value.name}'")
    above = values[0] > values[1]
    if above.any():
        row, trials = int(np.argmax(above)), spec.trials.name if spec.trials else ""
        raise DataError(
            f"'{spec.value.name}' exceeds '{trials}' in {int(np.count_nonzero(above))} rows, first in row {row} of "
            f"those used ({values[0, row]:g} > {values[1, row]:g}). In p(y, n), y counts the successes among n trials."
        )


def _check_whole(values: FloatArray, what: str) -> None:
    bad = (values < 0) | (values != np.floor(values))
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{what} must be whole numbers from 0 on; row {row} of those used has {values[row]:g}.")


def _weights(spec: ResponseSpec, evaluator: Evaluator) -> FloatArray | None:
    if spec.weights is None:
        return None
    value = evaluator.evaluate(spec.weights)
    if isinstance(value, int | float):
        raise FormulaError(f"The weights '{spec.weights.name}' are one number; name a column.")
    weights: FloatArray = np.array(matrix_of(value, evaluator.rows, spec.weights.name)[0])
    check_finite(weights[None, :], spec.weights.name)
    if (weights < 0).any():
        count = int(np.count_nonzero(weights < 0))
        raise DataError(f"The weights '{spec.weights.name}' are negative in {count} rows.")
    if not weights.any():
        raise DataError(f"The weights '{spec.weights.name}' are all zero.")
    return weights
