"""Columns of a DataFrame in a zip archive, without pickle, so that they come back with their types."""

from __future__ import annotations

import re
import zipfile
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite._schema import Misfit
from nutslite.exceptions import DataError
from nutslite.formula.columns.level_names import level_name, python_value
from nutslite.formula.columns.tables import decoded
from nutslite.results.storage.typed_values import ZONE, from_typed, to_typed
from nutslite.results.storage.zip_members import Members

PLAIN_KINDS = "biufmM"


def write_columns(archive: zipfile.ZipFile, frame: pd.DataFrame, folder: str = "columns") -> list[dict[str, Any]]:
    """Write all columns; return the descriptions that `read_columns` needs.

    Raises
    ------
    DataError
        For values of types that `keepable` changes.
    """
    return [
        _write(archive, frame.iloc[:, place], str(name), f"{folder}/{place}")
        for place, name in enumerate(frame.columns)
    ]


def keepable(frame: pd.DataFrame) -> pd.DataFrame:
    """The same columns, where objects of types that no file holds are categories by name: a model takes them for these.

    Columns of a frame that needs no change are not copied.
    """
    changed = {}
    for name in frame.columns:
        column = frame[name]
        kept = _of_known_types(column)
        if kept is not column:
            changed[name] = kept
    return frame.assign(**changed) if changed else frame


def _of_known_types(column: pd.Series) -> pd.Series:
    column = decoded(column)
    categorical = isinstance(column.dtype, pd.CategoricalDtype)
    values = column.cat.categories if categorical else column
    if values.dtype != object:
        return column
    try:
        for value in set(values.dropna()):
            to_typed(value)
        return column
    except TypeError:  # not known, or not hashable
        pass
    if categorical:
        named: pd.Series = column.cat.remove_unused_categories().cat.rename_categories(level_name)
        return named
    try:
        codes, levels = pd.factorize(column, sort=True)
    except TypeError:  # lists and the like, which nothing but their text tells apart
        codes, levels = pd.factorize(column.map(level_name, na_action="ignore"), sort=True)
    names = pd.Index([level_name(level) for level in levels])
    return pd.Series(pd.Categorical.from_codes(codes, names), index=column.index, name=column.name)


def read_columns(members: Members, described: list[dict[str, Any]], folder: str = "columns") -> pd.DataFrame:
    """The DataFrame that `write_columns` was given, but for its index.

    Parameters
    ----------
    members : Members
    described : list of dict
        As `write_columns` gave them, checked (`model_schema.COLUMN`).

    Raises
    ------
    Misfit
        If arrays and descriptions do not belong together.
    """
    columns: dict[str, pd.Series] = {}
    length = None
    for place, entry in enumerate(described):
        if entry["name"] in columns:
            raise Misfit(f"two columns are called '{entry['name'][:100]}'")
        columns[entry["name"]] = _read(members, entry, f"{folder}/{place}", length)
        length = len(columns[entry["name"]])
    return pd.DataFrame(columns)


def _write(archive: zipfile.ZipFile, series: pd.Series, name: str, member: str) -> dict[str, Any]:
    """One column: how it is kept, by kind, and what was written under `member`."""
    described: dict[str, Any] = {"name": name, "member": member, "dtype": str(series.dtype)}
    if isinstance(series.dtype, pd.CategoricalDtype):
        _write_array(archive, member, series.cat.codes.to_numpy().astype(np.int32))
        levels = _write(archive, series.cat.categories.to_series(), name, f"{member}.levels")
        return {**described, "kind": "categorical", "ordered": bool(series.cat.ordered), "levels": levels}
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in PLAIN_KINDS:
        _write_array(archive, member, series.to_numpy())
        return {**described, "kind": "plain"}
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        _write_array(archive, member, series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
        zone = str(series.dt.tz)
        if not re.fullmatch(ZONE.pattern or "", zone):
            raise DataError(
                f"Column '{name}' has the time zone {zone}, which no file can name; give it one by name: "
                f"data['{name}'] = data['{name}'].dt.tz_convert('UTC')."
            )
        return {**described, "kind": "zoned", "zone": zone}
    number = pd.api.types.is_bool_dtype(series.dtype) or pd.api.types.is_numeric_dtype(series.dtype)
    if number and not str(series.dtype).startswith("decimal"):
        return {**described, **_write_masked(archive, series, member)}
    codes, values = _factorized(series, name)
    _write_array(archive, member, codes)
    kind = "objects" if any(isinstance(value, dict) for value in values) else "values"
    return {**described, "kind": kind, "values": values}


def _write_masked(archive: zipfile.ZipFile, series: pd.Series, member: str) -> dict[str, Any]:
    """A column of one of pandas' own numeric types, which may lack values: numbers, and which are there."""
    missing = series.isna().to_numpy(dtype=bool)
    kind: type[np.generic] = np.float64
    if pd.api.types.is_bool_dtype(series.dtype):
        kind = np.bool_
    elif pd.api.types.is_integer_dtype(series.dtype):
        kind = np.uint64 if pd.api.types.is_unsigned_integer_dtype(series.dtype) else np.int64
    filled = series.fillna(False if kind is np.bool_ else 0) if missing.any() else series
    _write_array(archive, member, filled.to_numpy(dtype=kind))
    _write_array(archive, f"{member}.missing", missing)
    return {"kind": "masked"}


def _factorized(series: pd.Series, name: str) -> tuple[NDArray[np.int32], list[Any]]:
    """Codes, -1 where a value is missing, and the different values as JSON holds them, with their types."""
    seen: dict[tuple[type, Any], int] = {}
    codes = np.empty(len(series), dtype=np.int32)
    missing = series.isna().to_numpy(dtype=bool)
    for row, value in enumerate(series.tolist()):
        if missing[row]:
            codes[row] = -1
            continue
        plain = python_value(value)
        codes[row] = seen.setdefault((type(plain), plain), len(seen))
    try:
        return codes, [to_typed(value) for _, value in seen]
    except TypeError as error:
        raise DataError(
            f"Column '{name}' holds a {error}, which cannot be saved; turn the column into numbers or texts."
        ) from None


def _read(members: Members, entry: dict[str, Any], member: str, length: int | None) -> pd.Series:
    """A column of `length` rows, or of any number for None."""
    kind, array, name = entry["kind"], members.read_array(member, length), entry["name"]
    if entry["member"] != member:
        raise Misfit(f"column '{name}' is said to be in '{entry['member'][:100]}', not in '{member}'")
    if kind == "plain":
        return pd.Series(array)
    if kind == "categorical":
        levels = pd.Index(_read(members, entry["levels"], f"{member}.levels", None))
        _check_codes(array, len(levels), name)
        if levels.hasnans or not levels.is_unique:
            raise Misfit(f"column '{name}' has levels that are missing or alike")
        return pd.Series(pd.Categorical.from_codes(array, categories=levels, ordered=entry["ordered"]))
    if kind == "zoned":
        if array.dtype.kind != "M":
            raise Misfit(f"column '{name}' has a time zone and holds {array.dtype}")
        return pd.Series(array).dt.tz_localize("UTC").dt.tz_convert(entry["zone"])
    if kind == "masked":
        missing = members.read_array(f"{member}.missing", array.size)
        return _typed([None if gap else value for value, gap in zip(array.tolist(), missing, strict=True)], entry)
    values = [from_typed(value) for value in entry["values"]]
    _check_codes(array, len(values), name)
    return _typed([None if code < 0 else values[code] for code in array.tolist()], entry)


def _check_codes(codes: NDArray[Any], count: int, name: str) -> None:
    """Raise where codes are no integers from -1 (missing) to `count` - 1."""
    if codes.dtype.kind != "i" or codes.min(initial=-1) < -1 or codes.max(initial=-1) >= count:
        raise Misfit(f"column '{name}' has codes that are not of its {count} values")


def _typed(values: list[Any], entry: dict[str, Any]) -> pd.Series:
    """A column of the type it had, or of objects where this pandas does not have that type."""
    try:
        typed: pd.Series = pd.Series(values, dtype=entry["dtype"])
    except Exception:  # pandas and pyarrow have many names for values that are of another type
        return pd.Series(values, dtype=object)
    return typed if len(typed) == len(values) else pd.Series(values, dtype=object)


def _write_array(archive: zipfile.ZipFile, member: str, array: NDArray[Any]) -> None:
    with archive.open(f"{member}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
