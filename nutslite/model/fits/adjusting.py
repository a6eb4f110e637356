"""What `Model.adjust_intervals` does: which rows belong together, and the draws adjusted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import DataError, DataTypeError, did_you_mean, shown
from nutslite.model.fits.after_fit import check_results, prediction_task
from nutslite.model.record.specification import Specification

ROWS = "rows"


def adjust_intervals(specification: Specification, idata: Any, groups: Any) -> Any:
    """What `Model.adjust_intervals` does."""
    from nutslite.results.adjusted import adjust_intervals as adjust

    family = specification.spec.family
    if family.quantile is None:
        raise DataError(
            f"Intervals are adjusted in regressions of quantiles. This model is of the family '{family.name}' without "
            "quantile=, and its likelihood says what its intervals are."
        )
    check_results(specification, idata)
    clusters, note = clusters_of(specification, groups)
    return adjust(idata, specification.posterior.assembled, prediction_task(specification), clusters, note)


def clusters_of(specification: Specification, groups: Any) -> tuple[NDArray[np.int64] | None, str]:
    """The cluster of each row, 0, 1, ..., and what clusters are; None where rows are independent.

    Raises
    ------
    DataError
        For a column that is not there, labels that are missing or too many, factors of which none was chosen.
    """
    specification.need_rows("adjust_intervals")
    design = specification.spec.design
    factors = list(dict.fromkeys(term.factor for term in design.group_terms))
    if groups is None and len(factors) > 1:
        raise DataError(
            f"The model has effects of {' and '.join(factors)}: say whose rows belong together, groups='{factors[0]}' "
            "for example, the largest groups if one is within the other."
        )
    if groups is None:
        groups = factors[0] if factors else ROWS
    if not isinstance(groups, str):
        return _codes(_labels(groups, design.n_rows), "groups"), "labels"
    if groups in design.factors:
        return _codes(design.factors[groups].index, groups), groups
    if groups in specification.data.columns:
        return _codes(_column(specification, groups), groups), groups
    if groups == ROWS:
        return None, ROWS
    known = [*design.factors, *map(str, specification.data.columns), ROWS]
    raise DataError(
        f"groups='{groups}': the model's data have no such column.{did_you_mean(groups, known)} A list or array with a "
        "label for each row does as well."
    )


def _column(specification: Specification, name: str) -> Any:
    """A column of the model's data, in the rows that are in use."""
    design, column = specification.spec.design, specification.data[name]
    if not design.n_dropped:
        return column
    if not column.index.is_unique:
        raise DataError(
            f"groups='{name}': incomplete rows were left out, and labels of rows are not unique, so nobody knows which."
            " Give groups= an array, or the data another index."
        )
    return column.loc[design.rows]


def _labels(groups: Any, rows: int) -> Any:
    """An array of labels that the user gave."""
    try:
        labels = pd.Series(groups)
    except Exception:
        labels = pd.Series(dtype=object)
    if len(labels) != rows or np.ndim(groups) != 1:
        raise DataTypeError(
            f"groups is the name of a column, or one label for each of the {rows} rows, not {shown(groups)}."
        )
    return labels


def _codes(labels: Any, name: str) -> NDArray[np.int64]:
    codes = pd.factorize(pd.Series(labels))[0]
    if (codes < 0).any():
        raise DataError(f"groups: '{name}' has no label in {int((codes < 0).sum())} rows.")
    return np.asarray(codes, dtype=np.int64)
