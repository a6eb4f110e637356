"""What users name to tell rows apart, groups for standard errors and labels to report by, made one label a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentError, DataError, did_you_mean
from nutslite.formula.design import Design
from nutslite.formula.records import GroupFactor
from nutslite.formula.rows import levels_by_row


def own_factor(design: Design) -> GroupFactor | None:
    """The grouping factor that rows of a model fall together in: of several the one with the fewest levels."""
    return min(design.factors.values(), key=lambda factor: len(factor.levels), default=None)


def said_of_groups(design: Design) -> str:
    """Which of several grouping factors `own_factor` is; empty where there is no choice."""
    own = own_factor(design)
    if own is None or len(design.factors) < 2:
        return ""
    return (
        f"Standard errors are of groups of '{own.name}', the coarsest of {', '.join(design.factors)}: groups= names "
        "another, False takes rows as independent."
    )


def said_of_ranges(design: Design) -> str:
    """What rows of a group that predict each other do to ranges under calibration; empty without groups."""
    if not design.factors:
        return ""
    return (
        "Rows of a group help to predict each other, so that their errors balance: bias, pit_mean and "
        "pit_between_groups lie nearer to their best value than the ranges say, which are of rows that do not."
    )


def group_labels(given: Any, design: Design, frame: pd.DataFrame) -> NDArray[Any] | None:
    """Groups of rows: by default those of the model's own factor; None where rows are independent.

    Parameters
    ----------
    given : None, False, str or array_like
    design : Design
        Of the rows.
    frame : DataFrame
        The data that hold these rows, and maybe incomplete ones.
    """
    if given is False:
        return None
    if given is None:
        own = own_factor(design)
        return None if own is None else levels_by_row(own)
    if isinstance(given, str) and given in design.factors:
        return levels_by_row(design.factors[given])
    return row_labels("groups", given, design, frame)


def row_labels(name: str, given: Any, design: Design, frame: pd.DataFrame) -> NDArray[Any]:
    """One label a row: of a column of the data by its name, or as they are given.

    Raises
    ------
    DataError
        For a column that there is not, and for other rows than the model uses.
    """
    if isinstance(given, bool):
        raise ArgumentError(f"{name} is the name of a column, or one label a row; not {given!r}.")
    if isinstance(given, str):
        if given not in frame.columns:
            hint = did_you_mean(given, [str(column) for column in frame.columns])
            raise DataError(f"{name}='{given}': the data have no such column.{hint}")
        given = frame[given]
    if isinstance(given, pd.Series) and len(given) == len(frame) != design.n_rows:
        given = _of_used_rows(name, given, design, frame)
    labels = np.asarray(given)
    if labels.shape != (design.n_rows,):
        raise DataError(f"{name} has shape {labels.shape}; it is one label for each of {design.n_rows} rows in use.")
    missing = int(pd.isna(labels).sum())
    if missing:
        raise DataError(f"{name} is missing in {missing} of {design.n_rows} rows.")
    return labels


def _of_used_rows(name: str, column: pd.Series[Any], design: Design, frame: pd.DataFrame) -> pd.Series[Any]:
    """Without the incomplete rows that the model left out."""
    if not frame.index.is_unique:
        raise DataError(
            f"{name}: the model left out incomplete rows, and the data's labels do not say which. Make the model of "
            "data.reset_index(drop=True)."
        )
    return column.loc[design.rows]
