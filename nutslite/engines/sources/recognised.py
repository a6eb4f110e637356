"""Which data are on an engine: told by their type, so that no engine is loaded for other data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nutslite.engines.sources.source import Source
from nutslite.exceptions import DataError, checked_path

PARQUET = (".parquet", ".pq")
DEEPEST = 4  # level of folders at which a first file is looked for: partitions by year, month and day
INSTALL = "Data on an engine need it and pyarrow: pip install 'nutslite[engines]'."


def source_of(data: Any) -> Source | None:
    """The source that holds the data; None for data in memory, and for one file, which is read into memory.

    Parameters
    ----------
    data : path of a folder, list of paths, pyarrow Dataset, DuckDB relation, Dask DataFrame, or anything else

    Raises
    ------
    DataError
        For a folder or list without Parquet files, or where the engine's package is missing.
    """
    library = type(data).__module__.partition(".")[0]
    if library in ("duckdb", "_duckdb") and hasattr(data, "aggregate"):
        from nutslite.engines.sources.duckdb import DuckDBSource

        _need("pyarrow")
        return DuckDBSource(data)
    if library in ("dask", "dask_expr") and hasattr(data, "npartitions") and hasattr(data, "columns"):
        from nutslite.engines.sources.dask import DaskSource

        return DaskSource(data)
    if library == "pyarrow" and hasattr(data, "get_fragments"):
        from nutslite.engines.sources.arrow import ArrowSource

        return ArrowSource(data)
    files = _parquet_files(data)
    if files is None:
        return None
    _need("pyarrow")
    from pyarrow import ArrowException, dataset

    from nutslite.engines.sources.arrow import ArrowSource

    try:
        return ArrowSource(dataset.dataset(files, format="parquet", partitioning="hive"))
    except (ArrowException, OSError) as error:
        raise DataError(f"The folder or files make no Parquet dataset: {error}.") from None


def _parquet_files(data: Any) -> str | list[str] | None:
    """A folder or list of Parquet files, or None."""
    if isinstance(data, str | os.PathLike) and os.fspath(data):
        name = os.fspath(data)
        if not isinstance(name, str) or "://" in name or "\0" in name:
            return None
        folder = Path(checked_path("data", name))
        if not folder.is_dir():
            return None
        if not _has_parquet(folder):
            raise DataError(f"'{name}' is a folder without Parquet files; name one file, or a folder that has them.")
        return str(folder)
    if not isinstance(data, Sequence) or isinstance(data, str | bytes) or not data:
        return None
    if not all(isinstance(item, str | os.PathLike) for item in data):
        return None
    names = [str(checked_path("data", os.fspath(item))) for item in data]
    wrong = next((name for name in names if Path(name).suffix.lower() not in PARQUET), None)
    if wrong is not None:
        raise DataError(f"A list of data files is of Parquet files (.parquet or .pq); '{wrong}' is none.")
    missing = next((name for name in names if not Path(name).exists()), None)
    if missing is not None:
        raise DataError(f"There is no file '{missing}'.")
    return names


def _has_parquet(folder: Path) -> bool:
    """Whether the folder, or one a few levels below, has a Parquet file: a whole disk is not searched."""
    patterns = ("/".join(["*"] * depth) for depth in range(1, DEEPEST + 1))
    return any(path.suffix.lower() in PARQUET for pattern in patterns for path in folder.glob(pattern))


def _need(package: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise DataError(f"{package} is missing. {INSTALL}")
