"""The user's data, in whatever container -> a DataFrame -> plain columns: bool, int64, float64 arrays, `Categories`."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nutslite.exceptions import DataError, DataTypeError, checked_path
from nutslite.formula.columns.categories import Categories, categories_of
from nutslite.formula.columns.lent import copies_on_write
from nutslite.formula.columns.tables import column_of_list, decoded, frame_of_table, read_table

LARGEST = 1e100  # sums of squares must stay in range, for the data and in the sampler


def as_frame(data: Any) -> pd.DataFrame:
    """A DataFrame of the user's data, without copying what is one already.

    Parameters
    ----------
    data : DataFrame, mapping of arrays, structured array, or path
        A pandas DataFrame; a polars or pyarrow table; a dict of equally long arrays; or the path of a file that ends
        in .csv, .tsv, .tab, .txt, .parquet or .pq.

    Raises
    ------
    DataError
        When it is none of these, or a file or a reader for it is missing.
    """
    frame = _frame_of(data)
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError(
            f"The data have column names in {frame.columns.nlevels} rows (a MultiIndex); give every column one name: "
            "data.columns = ['_'.join(names) for names in data.columns]."
        )
    if frame.shape[1] == 0:
        raise DataError("The data have no columns.")
    return frame


def _frame_of(data: Any) -> pd.DataFrame:
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, str | os.PathLike):
        return _read_file(os.fspath(data))
    if isinstance(data, Mapping) and not hasattr(data, "groups"):  # which results have
        try:
            return pd.DataFrame({name: _one_dimension(name, values) for name, values in data.items()})
        except UnicodeEncodeError as error:
            raise DataError(f"The data hold a text that is none: {error.object!r} has half of a character.") from None
        except ValueError as error:
            raise DataError(f"The data are a dict whose entries make no table: {str(error).rstrip('.')}.") from None
    if isinstance(data, np.ndarray) and data.dtype.names is not None:
        return pd.DataFrame(data)
    if hasattr(data, "collect_schema") and hasattr(data, "collect"):
        data = data.collect()  # a lazy polars frame
    if hasattr(data, "to_pandas"):
        return frame_of_table(data)
    kind = "NumPy array" if isinstance(data, np.ndarray) else type(data).__name__
    raise DataTypeError(
        f"The data are a {kind}; give a DataFrame, a dict of arrays, or the path of a CSV or Parquet file."
    )


def _one_dimension(name: Any, values: Any) -> Any:
    try:
        dimensions = np.ndim(values)
    except ValueError:  # lists of unequal lengths
        raise DataError(f"Column '{name}' holds lists; a column has one value per row.") from None
    if dimensions > 1:
        raise DataError(f"Column '{name}' has {dimensions} dimensions; a column has one.")
    return column_of_list(values)


def _read_file(name: str) -> pd.DataFrame:
    path = Path(checked_path("data", name) if name else name)
    if "://" in name:
        raise DataError(f"'{name}' is an address; read it first, by pandas.read_csv('{name}') for example.")
    if not name or not path.exists():
        raise DataError(f"There is no file '{name}'. Data are a DataFrame, a dict of arrays, or a path.")
    if path.is_dir():
        raise DataError(f"'{name}' is a folder; name one file.")
    return read_table(path)


def select(frame: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """The columns `names`, in that order.

    Raises
    ------
    DataError
        When two columns share one of the names.
    """
    names = list(names)
    for name in names:
        if not isinstance(frame.columns.get_loc(name), int):
            raise DataError(f"The data have several columns named '{name}'; rename them.")
    columns = {name: frame[name].array for name in names}  # frame[names] would copy what stands in one block
    own = not copies_on_write()  # what a design reads must stay what it is
    return pd.DataFrame(columns, index=frame.index, columns=pd.Index(names, dtype=object), copy=own)


def columns_of(frame: pd.DataFrame, categorical: Collection[str]) -> dict[str, Any]:
    """Each column of `frame` as the array that expressions are evaluated on; with gaps, if any, as nan.

    Returns
    -------
    dict
        name -> read-only ndarray of bool, int64, uint64 or float64, or `Categories`; columns in `categorical` are
        always the latter.
    """
    return {str(name): _column(frame[name], str(name), name in categorical) for name in frame.columns}


def rounded_columns(frame: pd.DataFrame, columns: Mapping[str, Any]) -> dict[str, pd.Series]:
    """The numbers that are not float64 by themselves and became so in `columns`: levels are made of these instead."""
    exact = ("float64", "Float64", "double[pyarrow]")
    return {
        name: frame[name]
        for name, values in columns.items()
        if isinstance(values, np.ndarray) and values.dtype == np.float64 and str(frame[name].dtype) not in exact
    }


def _column(series: pd.Series, name: str, categorical: bool) -> Any:
    series = decoded(series)
    if series.dtype == object:
        series = series.infer_objects() if categorical else _one_kind(_inferred(series), name)
    if categorical or isinstance(series.dtype, pd.CategoricalDtype) or _is_text(series):
        return categories_of(series, name)
    kind = _kind(series)
    if kind is None:
        raise DataError(
            f"Column '{name}' holds {series.dtype} values; turn them into numbers or texts, or list it in "
            "categorical=[...]."
        )
    gaps = kind is not np.float64 and not isinstance(series.dtype, np.dtype) and bool(series.isna().any())
    values: np.ndarray[Any, Any] = series.to_numpy(np.float64, na_value=np.nan) if gaps else series.to_numpy(dtype=kind)
    values = values.view()
    values.flags.writeable = False  # extra_namespace functions see this array, and it may be the user's own
    return values


def _is_text(series: pd.Series) -> bool:
    return series.dtype == object or pd.api.types.is_string_dtype(series.dtype)


def _kind(series: pd.Series) -> type[np.generic] | None:
    if pd.api.types.is_bool_dtype(series.dtype):
        return np.bool_
    if pd.api.types.is_integer_dtype(series.dtype):
        return np.int64 if series.size == 0 or series.max() <= np.iinfo(np.int64).max else np.uint64
    if pd.api.types.is_float_dtype(series.dtype) or str(series.dtype).startswith("decimal"):
        return np.float64
    return None


def _inferred(series: pd.Series) -> pd.Series:
    """An object column as what its values are: ``[1, 2.5]`` and Decimals are numbers, for arithmetic in float64."""
    series = series.infer_objects()
    kind = pd.api.types.infer_dtype(series) if series.dtype == object else ""
    if kind in ("decimal", "mixed-integer-float", "integer"):
        try:
            return series.astype(np.float64)
        except OverflowError:
            raise DataError(f"Column '{series.name}' holds whole numbers that are too large for float64.") from None
    return series


def _one_kind(series: pd.Series, name: str) -> pd.Series:
    """`series`; raises where its objects are neither all texts nor something that has a type of its own."""
    kind = pd.api.types.infer_dtype(series) if series.dtype == object else "string"
    if kind in ("string", "boolean", "empty"):
        return series
    types = list(dict.fromkeys(type(value).__name__ for value in series))
    if types == ["ndarray"]:
        raise DataError(f"Column '{name}' holds arrays; a column has one value per row.")
    if len(types) == 1:
        raise DataError(
            f"Column '{name}' holds {types[0]} objects; turn them into numbers or texts, or list it in "
            "categorical=[...]."
        )
    text = next((value for value in series if isinstance(value, str)), None)
    example = "" if text is None else f", {text!r} for example"
    raise DataError(
        f"Column '{name}' mixes values of different types ({', '.join(types[:4])}{example}). "
        f"pandas.to_numeric(data['{name}'], errors='coerce') makes numbers and missing values of them, "
        f"data['{name}'].astype(str) categories."
    )


def numbers_in_texts(found: Categories) -> str:
    """What is odd about a column of texts most of which read as numbers, in words; empty where nothing is."""
    levels = found.levels
    if len(levels) < 3 or not all(isinstance(level, str) for level in levels):
        return ""
    others = [level for level in levels if not _reads_as_number(level)]
    if 2 * len(others) >= len(levels):
        return ""
    if not others:
        return f"holds texts that all read as numbers, {levels[0]!r} for example"
    return f"holds texts, of which {len(levels) - len(others)} read as numbers; {others[0]!r} does not"


def _reads_as_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def matrix_of(value: Any, rows: int, what: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A numeric value as float64 of shape (columns, rows), C-contiguous.

    Raises
    ------
    DataError
        When it has another number of rows, more than two dimensions, or is not numeric.
    """
    if isinstance(value, Categories):
        raise DataError(f"'{what}' is categorical, and this needs numbers.")
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise DataError(f"'{what}' is not numeric.")
    if array.ndim == 0:
        array = np.broadcast_to(array, (rows,))
    if array.ndim > 2 or array.shape[0] != rows:
        raise DataError(f"'{what}' has shape {array.shape}, and the data have {rows} rows; put it into the data.")
    return np.ascontiguousarray(np.atleast_2d(array.T), dtype=np.float64)


def check_finite(matrix: np.ndarray[Any, np.dtype[np.float64]], name: str) -> None:
    """Raise when a factor is infinite or not a number although no value is missing.

    Raises
    ------
    DataError
        Naming the factor, the number of rows, and the first of them.
    """
    finite = np.isfinite(matrix).all(axis=0)
    if not finite.all():
        count, first = int(np.count_nonzero(~finite)), int(np.argmin(finite))
        raise DataError(
            f"'{name}' is not finite in {count} of {finite.size} rows (the first is row {first} of those used, counted "
            "from 0), although no value is missing there: a logarithm of zero, a division by zero, or infinite data?"
        )
    lowest, highest = matrix.min(axis=1), matrix.max(axis=1)
    largest = float(np.max(np.abs([lowest, highest])))
    spread = float(np.min(highest - lowest))
    if largest > LARGEST or 0.0 < spread < 1.0 / LARGEST:
        size = f"values up to {largest:.3g}" if largest > LARGEST else f"values only {spread:.3g} apart"
        raise DataError(f"'{name}' has {size}, whose squares are beyond float64; rescale the column.")
