"""The left-hand side of a formula on data: numbers or categories, and what the forms around them say of each row."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass, replace
from numbers import Number
from typing import Any

import numpy as np

from nutslite._log import log
from nutslite.exceptions import DataError
from nutslite.formula.columns.categories import Categories, first_level
from nutslite.formula.columns.data import check_finite, matrix_of
from nutslite.formula.columns.lent import lent
from nutslite.formula.columns.level_names import level_name
from nutslite.formula.evaluation import functions
from nutslite.formula.evaluation.evaluation import Evaluator
from nutslite.formula.forms.form import Call, Known
from nutslite.formula.language.expression import Expression
from nutslite.formula.records import FloatArray, Response
from nutslite.formula.response_spec import FormUse, ResponseSpec


@dataclass(frozen=True)
class ResponsePlan:
    """What new data need to become the same response."""

    spec: ResponseSpec
    kind: str
    levels: tuple[Any, ...]
    success: str | None

    @property
    def companions(self) -> tuple[str, ...]:
        """Names of the numbers that the family needs beside the response."""
        return tuple(name for use in self.spec.forms for name in use.form.companions)


def learn_response(
    spec: ResponseSpec, evaluator: Evaluator, listed: Collection[str] = ()
) -> tuple[ResponsePlan, Response, FloatArray | None]:
    """The response of the data that the model is built from, and its weights.

    A categorical with two levels is binary, its second level counting as 1 (of a Boolean: True). `listed` are the
    columns that the user wants to be categorical.

    Raises
    ------
    DataError
        When values are not finite, a level does not exist, or a form refuses what it is given.
    """
    value = _value(spec, evaluator)
    if isinstance(value, Categories):
        value = value if value.levels == (False, True) else value.without_unused()
        if len(value.levels) < 2:
            only = f"it is '{value.names[0]}' in all {evaluator.rows} rows"
            raise DataError(f"The response '{spec.name}' has only 1 category! There is nothing to model: {only}.")
        plan = _categorical_plan(spec, value)
    else:
        plan = ResponsePlan(spec, spec.kind or "numeric", (), None)
    response, weights = _response(plan, value, evaluator)
    response = replace(
        response,
        as_numbers=_as_numbers(spec, plan.levels, listed),
        chosen_order=not any(isinstance(level, str) for level in plan.levels)
        or spec.value.name in evaluator.categorical,
    )
    return plan, response, weights


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
    return _response(plan, _value(plan.spec, evaluator), evaluator)


def unknown_response(plan: ResponsePlan, evaluator: Evaluator) -> Response:
    """A response for new data that need not hold it: nan, but with the companions that the new data have."""
    values = np.full((len(plan.spec.own) + len(plan.companions), evaluator.rows), np.nan)
    for use in plan.spec.forms:
        if use.form.companions and all(_is_available(item, evaluator) for item in use.arguments.values()):
            _place(plan, _said(plan.spec, use, None, evaluator), values)
    return _record(plan, values)


def _said(spec: ResponseSpec, use: FormUse, y: FloatArray | None, evaluator: Evaluator) -> Known:
    return use.form.say(Call(use.name, spec.value.name, y, use.arguments, evaluator))


def _place(plan: ResponsePlan, known: Known, values: FloatArray) -> None:
    for name, row in known.companions.items():
        values[len(plan.spec.own) + plan.companions.index(name)] = row


def _is_available(expression: Expression, evaluator: Evaluator) -> bool:
    names = [node.id for node in ast.walk(expression.tree) if isinstance(node, ast.Name)]
    called = [node.func for node in ast.walk(expression.tree) if isinstance(node, ast.Call)]
    skip = {node.id for node in called if isinstance(node, ast.Name)} | set(functions.NUMPY_MODULES)
    return all(name in evaluator.columns or name in evaluator.extra or name in skip for name in names)


def _value(spec: ResponseSpec, evaluator: Evaluator) -> Any:
    """The response proper: an array of shape (n,), of several columns (K, n), or categories."""
    if spec.columns:
        return np.stack([_one_column(spec, column, evaluator) for column in spec.columns])
    return _one_column(spec, spec.value, evaluator)


def _one_column(spec: ResponseSpec, column: Expression, evaluator: Evaluator) -> Any:
    value = evaluator.evaluate(column)
    if not isinstance(value, Categories):
        value = _column(spec, np.asarray(value), evaluator)
    refusal = next((use.form.categories for use in spec.forms if use.form.categories), "")
    if refusal and isinstance(value, Categories):
        raise DataError(refusal.format(name=column.name))
    if spec.columns:
        values = matrix_of(value, evaluator.rows, column.name)
        check_finite(values, column.name)
        return values[0]
    return value


def _column(spec: ResponseSpec, array: Any, evaluator: Evaluator) -> Any:
    """A response that is not categorical by itself: numbers, or what makes categories."""
    if array.ndim != 1 or array.size != evaluator.rows:
        raise DataError(f"The response '{spec.name}' must be one column with a value per row.")
    if spec.kind:
        return array
    if array.dtype == np.bool_:
        return Categories(array.astype(np.int32), (False, True))
    if spec.picks_level or array.dtype.kind in "OU":
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
        return ResponsePlan(spec, "binary", levels, value.names[success])
    if len(levels) == 2:
        return ResponsePlan(spec, "binary", levels, value.names[1])
    return ResponsePlan(spec, "categorical", levels, None)


def _response(plan: ResponsePlan, value: Any, evaluator: Evaluator) -> tuple[Response, FloatArray | None]:
    """The response on the evaluator's rows with all that its forms say, and its weights."""
    own = len(plan.spec.own)
    values = value if plan.spec.columns else _numbers(plan, value, evaluator)
    if plan.companions:
        values = np.concatenate([values, np.empty((len(plan.companions), evaluator.rows))])
    y = values[:own] if plan.spec.columns else values[0]
    found = [_said(plan.spec, use, y, evaluator) for use in plan.spec.forms]
    for known in found:
        _place(plan, known, values)
    weights = [known.weights for known in found if known.weights is not None]
    censoring = next((known.censoring for known in found if known.censoring is not None), None)
    return replace(_record(plan, values), censoring=censoring), np.prod(weights, axis=0) if weights else None


def _numbers(plan: ResponsePlan, value: Any, evaluator: Evaluator) -> FloatArray:
    """The response proper, shape (1, n): numbers, codes of levels, or whether it is the level that counts as 1.

    A column of the data that is float64 is lent, and read-only.
    """
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
        return np.array(codes[None], dtype=np.float64)
    values = matrix_of(value, evaluator.rows, spec.value.name)
    check_finite(values, spec.value.name)
    if values.base is None:  # made here
        return values
    found = lent([values[0]], evaluator.owners)
    return np.array(values[:1]) if found is None else found


def _record(plan: ResponsePlan, values: FloatArray) -> Response:
    levels = tuple(level_name(level) for level in plan.levels)
    columns = tuple(item.name for item in plan.spec.columns)
    return Response(plan.spec.name, values, plan.companions, plan.kind, levels, plan.success, columns=columns)
