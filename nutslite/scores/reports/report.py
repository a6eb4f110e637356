"""`Report`: what was measured of a prediction, as tables, in words, as HTML and JSON."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite._columns import columns_of, folded
from nutslite.exceptions import DataError
from nutslite.scores.kinds.prediction import Prediction
from nutslite.scores.reports.omnibus import Omnibus
from nutslite.scores.reports.pictured import Pictured
from nutslite.scores.reports.tree import tree_of
from nutslite.scores.reports.verdict import sentences

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataTree

FloatArray = NDArray[np.float64]


@public
@dataclass(frozen=True, repr=False, eq=False)
class Report(Pictured):
    """How good a prediction is, beside how good it would be if it were right.

    Attributes
    ----------
    table : pandas.DataFrame
        One line a score: ``estimate``, its standard error ``se`` and confidence interval ``low`` to ``high``; what a
        calibrated forecaster would get, ``expected``, and the range ``expected_low`` to ``expected_high`` in which
        chance leaves it; ``better`` says what is good; ``n`` rows; ``note``.
    pointwise : pandas.DataFrame
        Scores of each row, and ``pit``, its randomised probability integral transform.
    by : pandas.DataFrame or None
        The table for each label of `by`, indexed by label and score.
    observed : ndarray, shape (n,), of several numbers a row (n, K)
        Observations, of classes their codes.
    whole : bool
        Whether whole numbers are predicted.
    groups : ndarray of int or None
        Codes of groups.
    weights : ndarray or None
        Of rows; they add up to one.
    confidence : float
        Of intervals and ranges.
    notes : tuple of str
        What a reader should know.
    joint : pandas.DataFrame or None
        Scores of all rows of a group at once, one line a group: ``rows``, the joint scores that were asked for, and of
        held-out rows of models ``joint_nll``, the negative log predictive density of them together.
    prediction : Prediction or None
        What was scored, for pictures.
    omnibus : Omnibus or None
        Of the numbers that the verdict looks at, ``p_value``: how often chance takes one of them as far from what is
        expected, if the forecast is right; ``adjusted`` has that of each. None without simulations.
    """

    table: pd.DataFrame
    pointwise: pd.DataFrame
    by: pd.DataFrame | None
    observed: FloatArray
    whole: bool
    groups: NDArray[np.int64] | None
    weights: FloatArray | None
    confidence: float
    notes: tuple[str, ...]
    joint: pd.DataFrame | None = None
    prediction: Prediction | None = None
    omnibus: Omnibus | None = None

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.observed)

    def verdict(self) -> str:
        """Two plain sentences: whether the uncertainty is right, and what stands out beside.

        A right forecast has a fault found in it with a probability of at most ``1 - confidence``, however many numbers
        are looked at: see `omnibus`.
        """
        return " ".join(sentences(self.table, self.omnibus, 1.0 - self.confidence))

    def conformalize(self, P: Prediction) -> Prediction:
        """Quantiles, or intervals, of other rows widened by these, so that they cover: see `scores.conformalize`.

        That holds where the rows of this report were held out: ``model.evaluate(results, data=others)``. With groups,
        whole groups are what is calibrated by.

        Parameters
        ----------
        P : Prediction
            Of other rows, made as the prediction of this report was.

        Raises
        ------
        ArgumentTypeError, DataError
            As for `scores.conformalize`.
        """
        from nutslite.scores.calibration.conformal import conformalize

        if self.prediction is None:
            raise DataError("This report does not have the prediction that it is of: give it to scores.conformalize.")
        return conformalize(P, self.observed, self.prediction, groups=self.groups)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the scores of rows, of types that JSON knows; what is not finite is None or a text."""
        return {
            "n": self.n,
            "groups": None if self.groups is None else int(self.groups.max()) + 1,
            "confidence": self.confidence,
            "table": {str(name): _plain(line) for name, line in self.table.to_dict(orient="index").items()},
            "by": None
            if self.by is None
            else [
                {**_plain(line), "score": str(line["score"])}
                for line in self.by.reset_index().to_dict(orient="records")
            ],
            "verdict": self.verdict(),
            "p_value": None if self.omnibus is None else self.omnibus.p_value,
            "notes": list(self.notes),
        }

    def to_datatree(self) -> DataTree:
        """The report as xarray has trees of data, for ``to_netcdf``, ``to_zarr``, or beside a model's results.

        Returns
        -------
        xarray.DataTree
            Groups ``table`` (dimension ``score``), ``pointwise`` (``row``), and where there are any ``by`` (``label``,
            ``score``) and ``joint`` (``group``). The verdict, notes and confidence are attributes.
        """
        return tree_of(self)

    def __str__(self) -> str:
        width = columns_of(sys.stdout)
        table = self.table.drop(columns="note")
        shown = table.to_string(float_format=lambda x: f"{x:.4g}", na_rep="", line_width=width)
        words = "\n".join([self.verdict(), *self.notes])
        return f"{shown}\n\n{folded(words, width, hanging=0)}"

    def __repr__(self) -> str:
        return f"<Report of {self.n:,} rows: {len(self.table)} scores>"

    def _repr_html_(self) -> str:
        from html import escape

        table = self.table.to_html(float_format=lambda x: f"{x:.4g}", na_rep="", border=0)
        words = "".join(f"<p>{escape(text)}</p>" for text in (self.verdict(), *self.notes))
        return f"<div>{table}{words}</div>"


def _plain(line: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): _value(value) for name, value in line.items()}


def _value(value: Any) -> Any:
    """A number or text for JSON."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if isinstance(value, int | float | str | bool) or value is None else str(value)
