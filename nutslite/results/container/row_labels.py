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
from nutslite.results.container.inference_data import group_names

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
    if isinstance(index.dtype, np.dtype) and index.dtype.kind in KEPT_KINDS:
        return index.to_numpy()
    labels = np.empty(len(index), dtype=object)
    labels[:] = [_text(label) for label in index]
    return labels.astype(str) if labels.size else labels


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
    if "observed_data" in group_names(results):
        observed = results["observed_data"]
        if observed.sizes.get(OBSERVATIONS) == design.n_rows:
            observed.coords[ROW_LABELS] = (OBSERVATIONS, row_labels(design.rows))
            if (censoring := design.response.censoring) is not None:
                observed.coords[STATUS] = (OBSERVATIONS, np.array(STATUSES)[censoring.status])
                if censoring.upper is not None:
                    ends = np.where(censoring.status == STATUSES.index("interval"), censoring.upper, np.nan)
                    observed.coords[UPPER_ENDS] = (OBSERVATIONS, ends)
    return results
