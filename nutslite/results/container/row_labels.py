"""The way back from results to the user's rows: the labels of the rows that a model uses, beside their numbers.

Along ``__obs__`` rows are numbered from 0 in all results, as in Bambi. Where incomplete rows were left out, or the data
have an index of their own, the numbers say nothing; the coordinate ``__row__`` of ``observed_data`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.formula.columns.level_names import level_name
from nutslite.formula.records import STATUSES
from nutslite.posterior.record.inventory import OBSERVATIONS, ROW_LABELS, STATUS, UPPER_ENDS
from nutslite.results.container.inference_data import group_names, note, size_along

if TYPE_CHECKING:
    from nutslite.formula.design import Design
    from nutslite.results.container.inference_data import Container

KEPT_KINDS = "ifM"
"""Labels of these kinds, of at most 64 bits, are kept as they are; all others become texts."""


def row_labels(index: pd.Index) -> NDArray[Any]:
    """Labels as every file of results can hold them, shape (n,): numbers, times without zone, or texts.

    >>> row_labels(pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])).tolist()
    ['a, 1', 'b, 2']
    """
    if isinstance(index, pd.RangeIndex):
        return np.arange(index.start, index.stop, index.step)  # pandas would keep its own beside the user's data
    if isinstance(index.dtype, np.dtype) and index.dtype.kind in KEPT_KINDS:
        return index.to_numpy()
    labels = np.empty(len(index), dtype=object)
    labels[:] = [_text(label) for label in index]
    return labels.astype(str) if labels.size else labels


def _own_labels(index: pd.Index) -> NDArray[Any] | pd.RangeIndex:
    """The same where results are no file yet: of a range, whose numbers nobody has to keep, another one."""
    if isinstance(index, pd.RangeIndex):
        return pd.RangeIndex(index.start, index.stop, index.step)
    return row_labels(index)


def _text(label: Any) -> str:
    text = ", ".join(map(level_name, label)) if isinstance(label, tuple) else level_name(label)
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")


def label_rows(results: Container, design: Design) -> Container:
    """Put the labels of a model's rows into ``observed_data``, in place, in the order of its ``__obs__``.

    Of a censored response beside them: the status of each row, and the ends of intervals, nan where there is none.

    Returns
    -------
    InferenceData or DataTree
        `results` itself.
    """
    if "observed_data" not in group_names(results):
        return results
    if size_along(results, "observed_data", OBSERVATIONS) == design.n_rows:
        coords: dict[str, Any] = {ROW_LABELS: _own_labels(design.rows)}
        if (censoring := design.response.censoring) is not None:
            coords[STATUS] = np.array(STATUSES)[censoring.status]
            if censoring.upper is not None:
                coords[UPPER_ENDS] = np.where(censoring.status == STATUSES.index("interval"), censoring.upper, np.nan)
        note(results, "observed_data", coords={name: (OBSERVATIONS, labels) for name, labels in coords.items()})
    return results
