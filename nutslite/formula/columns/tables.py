"""Tables of polars and pyarrow, and files, as DataFrames that have lost nothing.

On its way to pandas a column of whole numbers with a gap becomes floating point, which does not hold ids of 16 digits
and more; and the codes of an unordered dictionary, numbered as its values were met, become an order of levels. Both are
undone here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from nutslite._files import open_to_read
from nutslite.exceptions import DataError

EXACT = 2.0**53
"""Whole numbers below are exact in float64."""

BYTES = 8  # of a number
MOST_BYTES = 2**38  # of a table, as numbers: more than machines have that fit models

_SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": None}


def frame_of_table(table: Any) -> pd.DataFrame:
    """A polars or pyarrow table, or another one that has ``to_pandas``, as a DataFrame.

    Raises
    ------
    DataError
        Where it is one column.
    """
    try:
        frame = _to_pandas(table)
    except Exception as error:  # each library has its own, for types that pandas or pyarrow lack
        if not _is_of(table, "polars"):
            raise DataError(f"The data, a {type(table).__name__}, make no DataFrame: {error}.") from error
        return pd.DataFrame({name: _polars_column(table[name]) for name in table.columns})
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"The data are a {type(table).__name__}, one column; give a table.")
    exact = _exact_columns(table)
    for place, name in enumerate(frame.columns):
        if name in exact and frame.columns.get_loc(name) == place:  # a name once
            frame[name] = exact[name](frame[name])
    return frame


def _is_of(table: Any, library: str) -> bool:
    return type(table).__module__.partition(".")[0] == library


def _to_pandas(table: Any) -> Any:
    try:
        return table.to_pandas()
    except TypeError:
        if not _is_of(table, "pyarrow"):
            raise
        return table.replace_schema_metadata(None).to_pandas()  # without what pandas noted, which pyarrow cannot read


def _exact_columns(table: Any) -> dict[str, Any]:
    """By name, what gives back what a column lost in `frame_of_table`: a function of the column as it is."""
    if _is_of(table, "polars"):
        changed = [
            name
            for name, dtype in table.schema.items()
            if type(dtype).__name__ == "Categorical" or (dtype.is_integer() and table[name].null_count())
        ]
        return {name: lambda _, name=name: _polars_column(table[name]) for name in changed}
    if _is_of(table, "pyarrow"):
        return _exact_arrow_columns(table)
    return {}


def _polars_column(series: Any) -> Any:
    """A polars column by its values; an Enum with the order that it declares."""
    kind = type(series.dtype).__name__
    if kind in ("Categorical", "Enum"):
        declared = series.dtype.categories.to_list() if kind == "Enum" else None
        return pd.Categorical(series.to_list(), categories=declared)
    if series.dtype.is_integer() and series.null_count():
        return whole_numbers(series.to_list())
    return pd.Series(series.to_list(), dtype=object).infer_objects()


def _exact_arrow_columns(table: Any) -> dict[str, Any]:
    import pyarrow

    declared = {
        column["name"]
        for column in (table.schema.pandas_metadata or {}).get("columns", ())
        if column["pandas_type"] == "categorical" and not column["numpy_type"].startswith("dictionary")
    }
    exact: dict[str, Any] = {}
    for field, values in zip(table.schema, table.columns, strict=True):
        if pyarrow.types.is_integer(field.type) and values.null_count:
            exact[field.name] = lambda _, values=values: whole_numbers(values.to_pylist())
        elif pyarrow.types.is_dictionary(field.type) and not field.type.ordered and field.name not in declared:
            exact[field.name] = sorted_levels
    return exact


def whole_numbers(values: list[int | None]) -> Any:
    """Whole numbers and gaps, with all digits: Int64, UInt64, or objects where neither holds them."""
    for dtype in ("Int64", "UInt64"):
        try:
            return pd.array(values, dtype=dtype)
        except (OverflowError, TypeError, ValueError):
            continue
    return np.array(values, dtype=object)


def sorted_levels(column: pd.Series) -> pd.Series:
    """A pandas Categorical whose levels have no declared order, sorted."""
    ordered: pd.Series = column.cat.reorder_categories(column.cat.categories.sort_values())
    return ordered


def decoded(column: pd.Series) -> pd.Series:
    """A pandas column that holds a pyarrow dictionary as a Categorical; any other as it is."""
    arrow = getattr(column.dtype, "pyarrow_dtype", None)
    if arrow is None or not str(arrow).startswith("dictionary"):
        return column
    categorical = pd.Series(column.array.__arrow_array__().to_pandas().array, index=column.index, name=column.name)
    return categorical if arrow.ordered else sorted_levels(categorical)


def column_of_list(values: Any) -> Any:
    """A list as a column: where it has whole numbers that large, of objects, or a gap would make floats of them."""
    large = isinstance(values, list | tuple) and any(
        isinstance(value, int | np.integer) and abs(int(value)) >= EXACT for value in values
    )
    return np.array(values, dtype=object) if large else values


def read_table(path: Path) -> pd.DataFrame:
    """The table in a file, by its ending.

    Raises
    ------
    DataError
        Where the ending is of no table, the file is no regular one or cannot be read, or a package for it is missing.
    """
    suffix = path.suffix.lower()
    columnar = suffix in (".parquet", ".pq")
    if not columnar and suffix not in _SEPARATORS:
        raise DataError(f"'{path}': a data file ends in .csv, .tsv, .tab, .txt, .parquet or .pq.")
    with open_to_read(path, DataError) as file:
        try:
            return _read_parquet(file) if columnar else _read_text(file, _SEPARATORS[suffix])
        except ImportError:
            raise DataError("Reading Parquet files needs pyarrow: pip install pyarrow.") from None
        except MemoryError:
            raise DataError(f"'{path}' does not fit into memory.") from None
        except Exception as error:  # pandas and pyarrow have many names for what is no table
            kind = "a Parquet file" if columnar else "a table"
            raise DataError(f"'{path}' cannot be read as {kind}: {error}.") from None


def _read_text(file: BinaryIO, separator: str | None) -> pd.DataFrame:
    """A table in text; without a separator pandas finds one."""
    options: dict[str, Any] = {"sep": separator, "engine": "python" if separator is None else "c"}
    frame: pd.DataFrame = pd.read_csv(file, **options)
    large = [name for name in frame.columns if _whole_with_gaps(frame[name])]
    if large:
        file.seek(0)
        frame[large] = pd.read_csv(file, **options, usecols=large, dtype_backend="numpy_nullable")[large]
    for name in frame.columns:
        if _numbers_kept_as_texts(frame[name]):
            frame[name] = whole_numbers([int(text) if text else None for text in frame[name]])
    return frame


def _numbers_kept_as_texts(column: pd.Series) -> bool:
    """Whether a column has numbers of 64 bits without sign and gaps, which pandas reads as texts, the gaps as ''."""
    if not pd.api.types.is_string_dtype(column.dtype) or not (column == "").any():
        return False
    texts = column[column != ""]
    return bool(texts.str.fullmatch("[0-9]{1,20}").all()) and max(map(int, texts), default=2**64) < 2**64


def _whole_with_gaps(column: pd.Series) -> bool:
    """Whether a column read as float64 may be one of whole numbers that float64 does not hold."""
    if column.dtype != np.float64:
        return False
    values = column.dropna().to_numpy()
    large = np.abs(values) >= EXACT
    return bool(large.any() and np.isfinite(values).all() and (values == np.floor(values)).all())


def _read_parquet(file: BinaryIO) -> pd.DataFrame:
    """A Parquet file, whose claims are counted first: a row of nothing but one value takes no space in it."""
    from pyarrow import parquet

    claimed = parquet.read_metadata(file)
    if claimed.num_rows * claimed.num_columns * BYTES > MOST_BYTES:
        raise ValueError(
            f"it claims {claimed.num_rows:,} rows of {claimed.num_columns:,} columns, more than memory holds"
        )
    file.seek(0)
    return frame_of_table(parquet.read_table(file))
