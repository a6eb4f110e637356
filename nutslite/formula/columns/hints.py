"""What a user who named no column of the data may have meant."""

from __future__ import annotations

import re
from keyword import iskeyword
from typing import Any

import pandas as pd

from nutslite.exceptions import DataError, FormulaError
from nutslite.formula.columns.data import as_frame


def index_hint(message: str, frame: pd.DataFrame) -> str:
    """How to make a column of an index that a message says is no column; empty where it is none."""
    for name in frame.index.names:
        if name is not None and message.startswith(f"column '{name}' not found"):
            return f"The data's index is called '{name}': data.reset_index() makes a column of it."
    return ""


def with_quote_hint(error: FormulaError, data: Any) -> FormulaError:
    """The error, and which columns of the data need back-quotes in a formula, where such names stand there without."""
    try:
        hint = quote_hint(error.formula or "", as_frame(data))
    except DataError:  # which is not what the user has to know now
        return error
    said = "in back-quotes" in error.message
    return error if said or not hint else FormulaError(f"{error.message} {hint}", error.formula, error.span)


def quote_hint(formula: str, frame: pd.DataFrame) -> str:
    """Which column of the data a formula names without the back-quotes that it needs; empty where none is."""
    for name in frame.columns:
        if not isinstance(name, str) or not name or (name.isidentifier() and not iskeyword(name)):
            continue
        if re.search(rf"(?<![\w`.]){re.escape(name)}(?![\w`])", formula):
            return f"The column '{name}' stands in back-quotes in a formula: `{name}`."
    return ""
