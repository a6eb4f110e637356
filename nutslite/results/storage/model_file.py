"""Models on disk: the arguments that a model was made of, and the columns that its formula uses, in one zip file.

``model.json`` holds everything but long columns, which are ``.npy`` members; nothing is ever pickled or unpickled. What
a model learned from its data (levels, transforms, scales of default priors) is not stored: it is learned again from the
same data, and compared by digest with what it was.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite._files import most_unpacked, open_to_read
from nutslite._log import log
from nutslite._schema import Misfit, check
from nutslite.exceptions import DataError, shown
from nutslite.results.container.row_labels import row_labels
from nutslite.results.storage.columns_file import read_columns, write_columns
from nutslite.results.storage.model_schema import CONTENT as SCHEMA
from nutslite.results.storage.model_schema import LONGEST_JSON
from nutslite.results.storage.plain_values import Unstorable, from_plain, to_plain
from nutslite.results.storage.whole_file import whole_file
from nutslite.results.storage.zip_members import Members

FORMAT = 1
"""Raised with every change that older versions would misread."""

CONTENT = "model.json"


@dataclass(frozen=True)
class StoredModel:
    """What a file says about a model.

    Attributes
    ----------
    arguments : dict
        Of `Model`, without the data and without what `missing` names.
    data : DataFrame
        The columns that the formula uses, all rows, under the labels that results know them by.
    missing : dict
        Arguments that no file can hold, and what they were: ``{"extra_namespace": ["my_function"]}``.
    identity : dict
        What the model was, by digest (`nutslite.posterior.run.identity`).
    state : dict
        Whatever else belongs to it: aliases, whether it was fitted.
    """

    arguments: dict[str, Any]
    data: pd.DataFrame
    missing: dict[str, list[str]]
    identity: dict[str, Any]
    state: dict[str, Any] = field(default_factory=dict)


def write_model(
    path: str | os.PathLike[str],
    arguments: Mapping[str, Any],
    data: pd.DataFrame,
    identity: Mapping[str, Any],
    state: Mapping[str, Any],
) -> StoredModel:
    """Write a model; the file appears when it is complete.

    Returns
    -------
    StoredModel
        What was written; `missing` tells what was left out.

    Raises
    ------
    DataError
        If no file can be made there, or a column holds values that no file can.
    """
    stored, missing = _storable_arguments(arguments)
    versions = {"nutslite": _own_version(), "python": platform.python_version()}
    versions |= {module.__name__: module.__version__ for module in (np, pd)}
    content = {
        "format": FORMAT,
        "versions": versions,
        "arguments": stored,
        "missing": missing,
        "identity": dict(identity),
        "state": {name: to_plain(value) for name, value in state.items()},
    }
    with whole_file(path, "the model") as partial:
        if not _write_archive(partial, content, data, zipfile.ZIP_DEFLATED):
            partial.unlink()
            _write_archive(partial, content, data, zipfile.ZIP_STORED)
    return StoredModel(dict(arguments), data, missing, dict(identity), dict(state))


def read_model(path: str | os.PathLike[str]) -> StoredModel:
    """Read what `write_model` wrote.

    Raises
    ------
    DataError
        If there is no such file, it is no model or damaged, or a newer version wrote it.
    """
    source = Path(path)
    with open_to_read(source, DataError) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _stored_model(Members(archive, os.fstat(file.fileno()).st_size), source)
        except DataError:
            raise
        except MemoryError:
            raise DataError(f"The model in '{source}' does not fit into memory.") from None
        except Exception as error:  # zipfile, zlib, NumPy and pandas have many names for what is damaged
            raise DataError(f"'{source}' is not a model that Model.save wrote, or is damaged: {error}.") from error


def _stored_model(members: Members, source: Path) -> StoredModel:
    content = members.read_json(CONTENT, LONGEST_JSON)
    _check_format(content, source)
    check(content, SCHEMA, f"'{CONTENT}'")
    data = read_columns(members, content["columns"])
    if "rows" in content:
        labels = read_columns(members, content["rows"], "rows")
        if len(labels) != len(data):
            raise Misfit(f"it has {len(labels)} labels of {len(data)} rows")
        data = data.set_axis(pd.Index(labels.iloc[:, 0]), axis=0)
    stored = StoredModel(
        arguments={name: from_plain(value) for name, value in content["arguments"].items()},
        data=data,
        missing=content["missing"],
        identity=content["identity"],
        state={name: from_plain(value) for name, value in content["state"].items()},
    )
    members.check_all_read()
    return stored


def _write_archive(path: Path, content: dict[str, Any], data: pd.DataFrame, method: int) -> bool:
    """Write all members; whether `read_model` will not take the file for one that unpacks to too much."""
    with zipfile.ZipFile(path, "x", method) as archive:
        content = {**content, "columns": write_columns(archive, data)}
        labels = _labels_to_keep(data.index)
        if labels is not None:
            content["rows"] = write_columns(archive, pd.DataFrame({"rows": labels}), "rows")
        text = json.dumps(content, indent=1).encode()
        if len(text) > LONGEST_JSON:
            raise DataError(
                f"The model cannot be saved: its columns have too many different texts, {len(text):,} bytes of them. "
                "Turn texts that identify rows into numbers."
            )
        archive.writestr(CONTENT, text)
        unpacked = sum(info.file_size for info in archive.infolist())
    return unpacked <= most_unpacked(path.stat().st_size)


def _labels_to_keep(index: pd.Index) -> NDArray[Any] | None:
    """Labels of rows, unless they are 0, 1, 2, ..., or texts that take more room than a model has."""
    if isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1:
        return None
    labels = row_labels(index)
    if labels.dtype.kind == "U" and labels.nbytes > LONGEST_JSON:
        log.info(
            "The labels of the data's %d rows are too long to be saved: the rows are numbered instead.", len(labels)
        )
        return None
    return labels


def _storable_arguments(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Arguments as plain values, and the names of what cannot be."""
    stored: dict[str, Any] = {}
    missing: dict[str, list[str]] = {}
    for name, value in arguments.items():
        if name == "extra_namespace" and isinstance(value, Mapping):
            plain, functions = _parted(value)
            stored[name] = to_plain(plain)
            if functions:
                missing[name] = functions
            continue
        try:
            stored[name] = to_plain(value)
        except Unstorable as error:
            missing[name] = [error.what]
    return stored, missing


def _parted(namespace: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Plain values of a namespace, and the names of the others."""
    plain, others = {}, []
    for name, value in namespace.items():
        try:
            to_plain(value)
        except Unstorable:
            others.append(name)
        else:
            plain[name] = value
    return plain, others


def _check_format(content: Any, source: Path) -> None:
    """Files of newer versions have other schemas, too."""
    found = content.get("format") if isinstance(content, dict) else None
    if isinstance(found, int) and found > FORMAT:
        versions = content.get("versions")
        writer = versions.get("nutslite", "?") if isinstance(versions, dict) else "?"
        raise DataError(
            f"'{source}' was written by nutslite {shown(writer)}, in format {found} of its models; this version, "
            f"{_own_version()}, reads formats up to {FORMAT}: upgrade nutslite."
        )


def _own_version() -> str:
    return str(sys.modules[__name__.partition(".")[0]].__version__)
