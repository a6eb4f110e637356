"""`Predictor`: what pictures are drawn against; numbers, few of them or in bins, or labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentError, DataError
from nutslite.scores.calibration.coverage import coded, equal_mass_bins
from nutslite.scores.numerics.checks import numbers
from nutslite.scores.pictures.paper import SMALL, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]

FEW = 20  # distinct numbers that stay as they are
BINS = 40
MOST_LABELS = 40


class Predictor(NamedTuple):
    """A predictor's place for each row, and the rows that fall together.

    Attributes
    ----------
    name : str
    places : ndarray, shape (n,)
        On the axis; of labels 0, 1, ....
    codes : ndarray of int, shape (n,)
        Which rows are shown together: the same number or label, or the same bin.
    centres : ndarray, shape (K,)
        Where these are.
    labels : list of str or None
    few : bool
        Whether rows together have the same predictor.
    """

    name: str
    places: FloatArray
    codes: NDArray[np.int64]
    centres: FloatArray
    labels: list[str] | None
    few: bool

    def means(self, values: FloatArray) -> FloatArray:
        """Means of values of shape (n,) or (n, K) over rows that are shown together."""
        counts = np.bincount(self.codes)
        columns = values.reshape(values.shape[0], -1).T
        found = np.stack([np.bincount(self.codes, column) / counts for column in columns], axis=1)
        return found.reshape(counts.size, *values.shape[1:])

    def spread(self) -> FloatArray:
        """Places of rows, those of one label side by side, shape (n,)."""
        if self.labels is None:
            return self.places
        order = np.argsort(self.codes, kind="stable")
        counts = np.bincount(self.codes)
        starts = np.cumsum(counts) - counts
        rank = np.empty(order.size)
        rank[order] = np.arange(order.size) - starts[self.codes[order]]
        return self.places + 0.6 * ((rank + 0.5) / counts[self.codes] - 0.5)

    def dress(self, ax: Axes) -> None:
        """Ticks and words of the axis."""
        ax.set_xlabel(self.name, fontsize=size(ax))
        if self.labels is None:
            return
        crowded = sum(len(text) for text in self.labels) > 30
        ax.set_xticks(self.centres, self.labels, rotation=90 if crowded else 0, fontsize=size(ax, SMALL))
        ax.set_xlim(-0.6, len(self.labels) - 0.4)


def predictor_of(x: Any, n: int) -> Predictor:
    """What is to be drawn against.

    Raises
    ------
    DataError
        Where there is not one number or label a row.
    ArgumentError
        Where there are too many labels.
    """
    name = str(getattr(x, "name", None) or "x")
    array = np.asarray(x)
    if array.shape != (n,):
        raise DataError(f"x has one value for each of {n} rows; its shape is {array.shape}.")
    if array.dtype.kind not in "iufmMc":
        labels, codes = coded(x, n, "x")
        if len(labels) > MOST_LABELS:
            raise ArgumentError(f"x has {len(labels)} labels; a picture has room for {MOST_LABELS}.")
        return Predictor(
            name, codes.astype(float), codes, np.arange(len(labels), dtype=float), [str(each) for each in labels], True
        )
    places = numbers("x", x)
    distinct, same = np.unique(places, return_inverse=True)
    few = distinct.size <= FEW or distinct.size == n <= 2 * FEW
    codes = same.reshape(-1).astype(np.int64) if few else equal_mass_bins(places, BINS)
    centres = np.bincount(codes, places) / np.bincount(codes)
    return Predictor(name, places, codes, centres, None, few)
