"""A design of other rows without reading its formula again, where every factor is a column of numbers by itself."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.formula.columns.data import check_finite
from nutslite.formula.columns.lent import Lender
from nutslite.formula.design import Design
from nutslite.formula.language.expression import Expression
from nutslite.formula.response import ResponsePlan

NUMBERS = (np.dtype(np.float64), np.dtype(np.int64))


@dataclass(frozen=True)
class SameColumns:
    """Columns that stand in a design as they are: nothing is learned from one set of rows for others.

    Attributes
    ----------
    design : Design
        Of some rows.
    response : str
    columns : dict of str to tuple of str
        By parameter, the columns of its matrix.
    """

    design: Design
    response: str
    columns: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, design: Design) -> SameColumns | None:
        """What stands in for the formula of this design; None where a term, or the response, is more than a column."""
        recipe = design._recipe
        if design.weights is not None or design.n_dropped or recipe.groups or recipe.categorical or recipe.gaps:
            return None
        response, columns = _response_column(recipe.response), {}
        for plan in recipe.predictors:
            if plan.bars or plan.special or plan.elsewhere or plan.spec.groups or plan.spec.offsets:
                return None
            named = {factor.name: factor for term in plan.spec.terms for factor in term.factors}
            pieces = [column for term in plan.terms for column in term.columns]
            if not all(len(own) == 1 and _is_column(named.get(own[0].factor)) for own in pieces):
                return None
            if not all(recipe.factors[own[0].factor].columns == 1 for own in pieces):
                return None
            columns[plan.spec.parameter] = tuple(own[0].factor for own in pieces)
        if response is None or {response, *sum(columns.values(), ())} != set(design.used_columns):
            return None
        return cls(design, response, columns)

    def rows(self, frame: pd.DataFrame, arrays: Mapping[str, NDArray[Any]]) -> Design | None:
        """The design of these rows; None where `build_design` has something to say about them.

        So it is where columns are not in `arrays` (`numbers_of`), have values that are not finite, or the same in all
        rows.
        """
        if not all(name in arrays for name in self.design.used_columns):
            return None
        values = {name: arrays[name].astype(np.float64) for name in self.design.used_columns}
        try:
            for name, array in values.items():
                check_finite(array[None, :], name)
        except (DataError, ValueError):  # the latter where there are no rows
            return None
        response = replace(self.design.response, values=values[self.response][None, :])
        predictors = {
            parameter: replace(
                predictor,
                matrix=np.array([values[name] for name in self.columns[parameter]]).reshape(-1, len(frame)),
            )
            for parameter, predictor in self.design.predictors.items()
        }
        found = replace(
            self.design,
            response=response,
            predictors=predictors,
            n_rows=len(frame),
            rows=frame.index,
            lender=Lender(),
        )
        try:
            found.check_columns()
        except DataError:
            return None
        return found


def numbers_of(frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """Columns of NumPy's float64 and int64, as they are."""
    numbers = [name for name, dtype in frame.dtypes.items() if dtype in NUMBERS]
    return {str(name): frame[name].to_numpy() for name in numbers}


def _response_column(plan: ResponsePlan) -> str | None:
    spec = plan.spec
    if spec.forms or spec.columns or spec.picks_level or plan.levels or plan.kind != "numeric":
        return None
    return spec.value.name if _is_column(spec.value) else None


def _is_column(expression: Expression | None) -> bool:
    return expression is not None and isinstance(expression.tree, ast.Name) and expression.tree.id == expression.name
