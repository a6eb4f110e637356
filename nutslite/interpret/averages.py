"""Averages over rows, made draw by draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from nutslite.exceptions import ArgumentError, DataError, did_you_mean, shown

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Averaging:
    """Which rows are averaged together, with which weights.

    Attributes
    ----------
    matrix : csr_array, shape (cells, rows)
        Weights, which add up to one in each cell.
    cells : DataFrame
        One row for each cell, with the values that its rows share; without columns where all rows are one cell.
    """

    matrix: sparse.csr_array
    cells: pd.DataFrame

    def of(self, values: FloatArray) -> FloatArray:
        """Means of cells, (draws, cells[, K]), of values (draws, rows[, K])."""
        if values.ndim == 3:
            return np.stack([self.of(values[:, :, k]) for k in range(values.shape[2])], axis=-1)
        return np.asarray((self.matrix @ values.T).T)


def averaging_of(frame: pd.DataFrame, by: Any, weights: FloatArray | None) -> Averaging:
    """Averages of the rows of a frame.

    Parameters
    ----------
    frame : DataFrame
    by : True, str or sequence of str
        All rows together, or those together that agree in these columns.
    weights : ndarray, shape (rows,), or None

    Raises
    ------
    ArgumentError, DataError
        For columns that there are not, and cells whose weights add up to nothing.
    """
    names = _names(by, frame)
    codes = np.zeros(len(frame), dtype=np.int64)
    cells = pd.DataFrame(index=pd.RangeIndex(1))
    if names:
        plain = frame[names].reset_index(drop=True)  # an index may have the name of a column
        halves = [name for name in names if plain[name].dtype == np.float16]  # of which pandas makes no groups
        grouped = plain.astype(dict.fromkeys(halves, np.float32)).groupby(names, sort=True, observed=True, dropna=False)
        codes = np.asarray(grouped.ngroup(), dtype=np.int64)
        cells = plain.iloc[np.unique(codes, return_index=True)[1]].reset_index(drop=True)
    given = np.ones(len(frame)) if weights is None else weights
    totals = np.bincount(codes, weights=given, minlength=len(cells))
    if not (totals > 0.0).all():
        raise DataError("Weights of rows that are averaged together add up to zero; they must be more.")
    places = (codes, np.arange(len(frame)))
    return Averaging(sparse.csr_array((given / totals[codes], places), shape=(len(cells), len(frame))), cells)


def _names(by: Any, frame: pd.DataFrame) -> list[str]:
    if by is True:
        return []
    names = [by] if isinstance(by, str) else by
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ArgumentError(f"by= is True or names of covariates, not {shown(by)}.")
    for name in names:
        if name not in frame.columns:
            hint = did_you_mean(name, [str(column) for column in frame.columns])
            raise DataError(f"by='{name}': the rows have no such column.{hint}")
    return list(dict.fromkeys(names))


def weights_of(given: Any, source: pd.DataFrame, n: int) -> FloatArray | None:
    """Weights of rows, from a column's name or as they are given.

    Parameters
    ----------
    given : str, array_like or None
    source : DataFrame
        The data that hold the rows, with all their columns.
    n : int
        How many rows there are.

    Raises
    ------
    DataError
        For a column that there is not, and weights that are negative or no numbers.
    """
    if given is None:
        return None
    if isinstance(given, str):
        if given not in source.columns:
            hint = did_you_mean(given, [str(column) for column in source.columns])
            raise DataError(f"wts='{given}': the data have no such column.{hint}")
        given = source[given]
    try:
        weights = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise DataError("wts holds what is no number; it is a weight for each row.") from None
    if weights.shape != (n,):
        raise DataError(f"wts has shape {weights.shape}; it is one weight for each of {n} rows.")
    if not np.isfinite(weights).all() or (weights < 0.0).any():
        raise DataError("wts holds weights that are negative, infinite or missing.")
    return weights
