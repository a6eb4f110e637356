"""One mask of complete rows for the whole model: all formulas, groups, weights, offsets and the response together."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite._log import log
from nutslite.exceptions import DataError


def complete_rows(frame: pd.DataFrame, dropna: bool | None) -> NDArray[np.bool_]:
    """Which rows have a value in every column of `frame`.

    Parameters
    ----------
    frame : DataFrame
        The used columns.
    dropna : bool or None
        Whether incomplete rows may be left out; if so, the "nutslite" logger says how many. None: rows to predict for,
        of which none may be left out.

    Raises
    ------
    DataError
        When rows are incomplete and `dropna` is false; when the data have no rows, or none that is complete.
    """
    complete = np.ones(len(frame), dtype=bool)
    counts: dict[str, int] = {}
    for name in frame.columns:
        try:
            missing = frame[name].isna().to_numpy(dtype=bool)
        except ArithmeticError:  # a Decimal("sNaN") raises where it is looked at
            raise DataError(f"Column '{name}' holds a signalling NaN; use None for missing values.") from None
        if missing.any():
            counts[str(name)] = int(np.count_nonzero(missing))
            complete &= ~missing
    if len(frame) == 0:
        raise DataError("The data have no rows.")
    dropped = int(np.count_nonzero(~complete))
    if dropped and not dropna:
        listed = ", ".join(f"'{name}' ({count})" for name, count in counts.items())
        which = "new data" if dropna is None else "data"
        remedy = "out" if dropna is None else "out by dropna=True"
        raise DataError(
            f"The {which} hold {dropped} incomplete row{'s' if dropped > 1 else ''}; missing values in {listed}. "
            f"Fill them in, or leave these rows {remedy}."
        )
    if dropped == len(frame):
        listed = ", ".join(f"'{name}' ({count})" for name, count in counts.items())
        raise DataError(f"No row of the data is complete; missing values in {listed}.")
    if dropped:
        log.info("Automatically removing %d/%d rows from the dataset.", dropped, len(frame))
    return complete
