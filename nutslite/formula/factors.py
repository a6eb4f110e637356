"""Evaluated factors: what one factor is (numeric with k columns, or categorical with levels), and its values.

The description is settled by the data that the model is built from; new data must agree with it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError, did_you_mean, warn
from nutslite.formula.columns.categories import Categories
from nutslite.formula.columns.data import check_finite, matrix_of, numbers_in_texts
from nutslite.formula.columns.level_names import level_name
from nutslite.formula.evaluation.evaluation import Evaluator
from nutslite.formula.language.expression import Expression


@dataclass(frozen=True)
class Factor:
    """What a factor is in the data that the model was built from.

    Attributes
    ----------
    name : str
        Canonical text.
    columns : int
        Number of columns of a numeric factor; 0 for a categorical one.
    levels : tuple
        Levels of a categorical factor; empty for a numeric one.
    contrast : object
        Its contrast; None for treatment coding.
    """

    name: str
    columns: int
    levels: tuple[Any, ...] = ()
    contrast: Any = None

    @property
    def numeric(self) -> bool:
        """Whether it is numbers, not categories."""
        return self.columns > 0


# Numeric: float64 (columns, n). Categorical: int32 codes (n,).
FactorValues = NDArray[Any]


def learn_factors(expressions: Iterable[Expression], evaluator: Evaluator) -> tuple[dict[str, Factor], dict[str, Any]]:
    """Evaluate every distinct factor once.

    Returns
    -------
    factors, values : dict
        Canonical text -> its `Factor`, and -> its `FactorValues`.

    Raises
    ------
    DataError
        When a factor is not finite in some row, or is categorical with one level only.
    """
    factors: dict[str, Factor] = {}
    values: dict[str, Any] = {}
    for expression in expressions:
        if expression.name in factors:
            continue
        value = _numbers_or_categories(expression, evaluator)
        if isinstance(value, Categories):
            value = value.without_unused()
            if len(value.levels) < 2:
                only = f"'{value.names[0]}' in all {evaluator.rows} rows"
                raise DataError(f"The term '{expression.name}' has only 1 category! It is {only}; remove the term.")
            if isinstance(expression.tree, ast.Name) and expression.name not in evaluator.categorical:
                _warn_of_numbers(expression.name, value)
            factors[expression.name] = Factor(expression.name, 0, value.levels, value.contrast)
            values[expression.name] = value.codes
        else:
            factors[expression.name] = Factor(expression.name, value.shape[0])
            values[expression.name] = value
    return factors, values


def _warn_of_numbers(name: str, value: Categories) -> None:
    odd = numbers_in_texts(value)
    if odd:
        warn(
            f"Column '{name}' {odd}. It is taken as categorical, with {len(value.levels)} levels: "
            f"pandas.to_numeric(data['{name}']) makes numbers of it, categorical=['{name}'] says that this is meant."
        )


def apply_factors(
    expressions: Iterable[Expression], factors: dict[str, Factor], evaluator: Evaluator
) -> dict[str, FactorValues]:
    """Evaluate the same factors on new data.

    Raises
    ------
    DataError
        When a categorical has a level that it did not have before, or a factor changed from numbers to categories.
    """
    values: dict[str, FactorValues] = {}
    for expression in expressions:
        name, factor = expression.name, factors[expression.name]
        if name in values:
            continue
        value = _numbers_or_categories(expression, evaluator, factor)
        if isinstance(value, Categories):
            values[name] = _known_codes(value, factor)
        elif value.shape[0] != factor.columns:
            raise DataError(f"'{name}' has {value.shape[0]} columns in the new data, and had {factor.columns}.")
        else:
            values[name] = value
    return values


def _known_codes(value: Categories, factor: Factor) -> NDArray[np.int32]:
    recoded = value.recoded(factor.levels, factor.name)
    if recoded.unseen:
        level, names = level_name(recoded.unseen[0]), [level_name(item) for item in factor.levels]
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise DataError(
            f"'{factor.name}' has the level '{level}' in the new data, which the data that the model was built from "
            f"do not have ({shown}).{did_you_mean(level, names)}"
        )
    return recoded.codes


def _numbers_or_categories(expression: Expression, evaluator: Evaluator, before: Factor | None = None) -> Any:
    """A finite matrix of shape (columns, n), or `Categories`; agreeing with what the factor was `before`."""
    name, rows, value = expression.name, evaluator.rows, evaluator.evaluate(expression)
    if not isinstance(value, Categories):
        array = np.asarray(value)
        if array.dtype.kind in "OUT" or (before is not None and not before.numeric):
            if array.ndim != 1:
                raise expression.error(f"'{name}' is neither numbers nor a column of categories.")
            value = evaluator.categories(array, expression.tree, name)
    if isinstance(value, Categories):
        if before is not None and before.numeric:
            raise DataError(f"'{name}' is categorical in the new data, and was numeric.")
        if value.codes.shape != (rows,):
            raise DataError(f"'{name}' has {value.codes.size} rows, and the data have {rows}.")
        return value
    matrix = matrix_of(value, rows, name)
    check_finite(matrix, name)
    return matrix
