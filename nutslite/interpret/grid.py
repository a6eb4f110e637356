"""Rows to ask a model about: its own, values of some covariates with the others held, rows as they would have been."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, ArgumentTypeError, DataError, refuse_other
from nutslite.formula.columns.data import as_frame
from nutslite.interpret.covariates import Covariate, covariates_of, known_covariate, rows_in_use
from nutslite.model.record.specification import Specification, specification_of

GRIDS = ("mean_or_mode", "balanced", "counterfactual")
NUMBERS = {
    "minmax": (0.0, 1.0),
    "quartile": (0.25, 0.75),
    "threenum": (),
    "fivenum": (0.0, 0.25, 0.5, 0.75, 1.0),
}
"""Short words for values of a numeric covariate: quantiles; three are the mean and one sd around it."""
MOST_ROWS = 5_000_000


@public
def datagrid(model: Any, newdata: Any = None, grid_type: str = "mean_or_mode", **values: Any) -> pd.DataFrame:
    """Rows that cross values of some covariates.

    Parameters
    ----------
    model : Model
    newdata : DataFrame or the like, optional
        Rows whose means, modes and levels count, or that are repeated; the model's own by default.
    grid_type : {"mean_or_mode", "balanced", "counterfactual"}
        What becomes of covariates without a value: means (of fractional numbers) and most frequent values; the same,
        with all levels of categories crossed; or every row of the data is repeated with each combination of the values,
        as it would have been.
    **values
        By covariate: a value, a list of values, a function of its column, or ``"minmax"``, ``"quartile"``,
        ``"threenum"`` (mean and one sd around it), ``"fivenum"``; None for a grid over its range, or all its levels.

    Returns
    -------
    DataFrame
        A column for each covariate of the model.

    Raises
    ------
    DataError
        For a column that the model's predictors do not use, and values that it cannot have.

    Examples
    --------
    >>> import nutslite as nl
    >>> model = nl.Model("Reaction ~ Days", nl.load_data("sleepstudy"))
    >>> nl.interpret.datagrid(model, Days=[0, 9])["Days"].tolist()
    [0, 9]
    """
    refuse_other("grid_type", grid_type, GRIDS)
    specification = specification_of(model)
    covariates = covariates_of(specification)
    rows = rows_in_use(specification)
    if newdata is not None:
        rows = _columns(as_frame(newdata), covariates)
        covariates = {name: _in(rows, item) for name, item in covariates.items() if name in rows}
    chosen = {name: _values(known_covariate(name, covariates, "datagrid"), given) for name, given in values.items()}
    if grid_type == "counterfactual":
        return _repeated(rows, chosen, covariates)
    if grid_type == "balanced":
        chosen |= {
            name: list(item.levels) for name, item in covariates.items() if not item.numeric and name not in chosen
        }
    return crossed(chosen, covariates)


def _columns(frame: pd.DataFrame, covariates: Mapping[str, Covariate]) -> pd.DataFrame:
    return frame[[name for name in frame.columns if name in covariates]]


def _in(rows: pd.DataFrame, item: Covariate) -> Covariate:
    """The covariate with the values of other rows."""
    present = set(rows[item.name].unique())
    return Covariate(item.name, item.kind, rows[item.name], tuple(level for level in item.levels if level in present))


def conditional_grid(specification: Specification, conditional: Any) -> tuple[pd.DataFrame, list[str]]:
    """The rows that ``conditional=`` asks about, and the covariates that it names.

    Parameters
    ----------
    conditional : str, sequence of str, or mapping from name to values
        Values as for `datagrid`.

    Raises
    ------
    DataError
    """
    covariates = covariates_of(specification)
    given = named_values("conditional", conditional)
    chosen = {name: _values(known_covariate(name, covariates, "conditional"), values) for name, values in given.items()}
    return crossed(chosen, covariates), list(chosen)


def named_values(argument: str, given: Any) -> dict[str, Any]:
    """Names with what is asked of each: from a name, several names, or a dict.

    Raises
    ------
    ArgumentTypeError
    """
    if isinstance(given, str):
        return {given: None}
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, Sequence) and all(isinstance(name, str) for name in given):
        if len(set(given)) < len(given):
            raise ArgumentError(f"{argument}={list(given)!r} names a covariate twice.")
        return dict.fromkeys(given)
    raise ArgumentTypeError(
        f"{argument} is the name of a covariate, a list of names, or a dict of their values, not {given!r}."
    )


def crossed(chosen: Mapping[str, list[Any]], covariates: Mapping[str, Covariate]) -> pd.DataFrame:
    """All combinations of the chosen values, the last one changing fastest; the others at their typical value."""
    n = _count(chosen.values())
    index = pd.RangeIndex(n)
    combinations = list(product(*chosen.values()))
    columns = {
        name: covariates[name].column_of([row[place] for row in combinations], index)
        for place, name in enumerate(chosen)
    }
    for name, item in covariates.items():
        if name not in columns:
            columns[name] = item.column_of([item.typical()] * n, index)
    return pd.DataFrame(columns, index=index)


def _repeated(rows: pd.DataFrame, chosen: Mapping[str, list[Any]], covariates: Mapping[str, Covariate]) -> pd.DataFrame:
    """Every row once for each combination of the chosen values."""
    _count([*chosen.values(), range(len(rows))])
    pieces = []
    for row in product(*chosen.values()):
        piece = rows.copy()
        for name, value in zip(chosen, row, strict=True):
            piece[name] = covariates[name].column_of([value] * len(piece), piece.index)
        pieces.append(piece)
    return pd.concat(pieces, ignore_index=True)


def _count(values: Any) -> int:
    n = 1
    for some in values:
        n *= len(some)
    if n > MOST_ROWS:
        raise ArgumentError(f"These values make {n:,} rows, and {MOST_ROWS:,} are the most: give fewer of each.")
    return n


def _values(item: Covariate, given: Any) -> list[Any]:
    """What `datagrid` takes for one covariate, as a list."""
    if given is None:
        return item.spread()
    if callable(given):
        given = given(item.column)
    if isinstance(given, str) and item.numeric:
        refuse_other(f"The value of '{item.name}'", given, tuple(NUMBERS))
        if given == "threenum":
            return [float(item.column.mean() + k * item.column.std()) for k in (-1, 0, 1)]
        return [float(item.column.quantile(q)) for q in NUMBERS[given]]
    _count([given] if hasattr(given, "__len__") else [])
    values = list(given) if isinstance(given, list | tuple | np.ndarray | pd.Series | range | pd.Index) else [given]
    if not values:
        raise DataError(f"There are no values of '{item.name}': give at least one.")
    item.check(values)
    return values
