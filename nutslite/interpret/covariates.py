"""The columns that a model's predictors use, and a value of each that stands for all rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nutslite.exceptions import DataError, did_you_mean
from nutslite.model.record.specification import Specification

MOST_VALUES = 50
"""Of a numeric covariate in a grid."""


@dataclass(frozen=True)
class Covariate:
    """One column of the data that a predictor uses.

    Attributes
    ----------
    name : str
    kind : {"float", "integer", "category"}
        Truth values, texts, declared categories, grouping factors and x of ``C(x)`` and ``mo(x)`` are categories.
    column : Series
        Its values in the rows that the model uses.
    levels : tuple
        Of a category, in order; empty for numbers.
    """

    name: str
    kind: str
    column: pd.Series[Any]
    levels: tuple[Any, ...] = ()

    @property
    def numeric(self) -> bool:
        """Whether it holds numbers."""
        return self.kind != "category"

    def typical(self) -> Any:
        """The mean of fractional numbers; of whole numbers and categories the most frequent value."""
        return float(self.column.mean()) if self.kind == "float" else self.column.mode().iloc[0]

    def spread(self) -> list[Any]:
        """Values for a grid: all levels; all whole numbers that occur; numbers from the least to the largest."""
        if not self.numeric:
            return list(self.levels)
        low, high = self.column.min(), self.column.max()
        if self.kind == "float":
            return list(np.linspace(low, high, MOST_VALUES))
        found = np.sort(self.column.unique())
        if found.size > MOST_VALUES:
            found = np.unique(np.round(np.linspace(low, high, MOST_VALUES)).astype(found.dtype))
        return list(found)

    def check(self, values: list[Any]) -> None:
        """Refuse values that are not of this column's kind.

        Raises
        ------
        DataError
        """
        if self.numeric:
            wrong = [value for value in values if isinstance(value, str) or not np.isreal(value) or not _finite(value)]
            if wrong:
                raise DataError(f"'{self.name}' holds numbers, and {wrong[0]!r} is none.")

    def column_of(self, values: Any, index: pd.Index) -> pd.Series[Any]:
        """A column of such values that formulas read as they read this one."""
        if isinstance(self.column.dtype, pd.CategoricalDtype):
            known = self.column.cat.categories
            if all(value in known for value in values):
                return pd.Series(pd.Categorical(values, dtype=self.column.dtype), index=index)
        return pd.Series(list(values), index=index)


def _finite(value: Any) -> bool:
    return bool(np.isfinite(float(value)))


def rows_in_use(specification: Specification) -> pd.DataFrame:
    """The columns that predictors use, in the rows that the model uses, under the user's labels."""
    design, used = specification.spec.design, specification.used
    if design.n_dropped:
        used = used[~used[list(design.used_columns)].isna().any(axis=1)]
    return used[list(design.predictor_columns)]


def covariates_of(specification: Specification) -> dict[str, Covariate]:
    """By name, what each column is."""
    frame, design = rows_in_use(specification), specification.spec.design
    levels = design.categorical | design.level_columns | design.grouping_columns
    return {str(name): _covariate(str(name), frame[name], name in levels) for name in frame}


def changeable(specification: Specification) -> dict[str, Covariate]:
    """The covariates whose effects are asked for where none is named: all but those that only group the rows."""
    only_groups = specification.spec.design.grouping_columns - set(specification.spec.design.common_columns)
    return {name: item for name, item in covariates_of(specification).items() if name not in only_groups}


def _covariate(name: str, column: pd.Series[Any], category: bool) -> Covariate:
    kinds = pd.api.types
    if category or kinds.is_bool_dtype(column.dtype) or not kinds.is_numeric_dtype(column.dtype):
        return Covariate(name, "category", column, _levels(column))
    kind = "integer" if kinds.is_integer_dtype(column.dtype) else "float"
    return Covariate(name, kind, column)


def _levels(column: pd.Series[Any]) -> tuple[Any, ...]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        present = set(column.unique())
        return tuple(level for level in column.cat.categories if level in present)
    return tuple(np.sort(column.unique()))


def known_covariate(name: Any, covariates: Mapping[str, Covariate], argument: str) -> Covariate:
    """The covariate of that name.

    Raises
    ------
    DataError
        Where the model's predictors use no such column.
    """
    if name not in covariates:
        hint = did_you_mean(str(name), covariates)
        raise DataError(f"{argument}: the model's predictors use no column '{name}'{_listed(covariates)}.{hint}")
    return covariates[name]


def _listed(names: Mapping[str, Any]) -> str:
    return ", but " + ", ".join(f"'{name}'" for name in names) if names else ", and no other"
