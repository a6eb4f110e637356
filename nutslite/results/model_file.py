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
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nutslite.exceptions import DataError
from nutslite.results.columns_file import read_columns, write_columns
from nutslite.results.plain_values import Unstorable, from_plain, to_plain
from nutslite.results.whole_file import whole_file

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
        The columns that the formula uses, all rows.
    missing : dict
        Arguments that no file can hold, and what they were: ``{"extra_namespace": ["my_function"]}``.
    identity : dict
        What the model was, by digest (`nutslite.posterior.identity`).
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
    with whole_file(path, "the model") as partial, zipfile.ZipFile(partial, "x", zipfile.ZIP_DEFLATED) as archive:
        content = {
            "format": FORMAT,
            "versions": versions,
            "arguments": stored,
            "missing": missing,
            "identity": dict(identity),
            "state": {name: to_plain(value) for name, value in state.items()},
            "columns": write_columns(archive, data),
        }
        archive.writestr(CONTENT, json.dumps(content, indent=1))
    return StoredModel(dict(arguments), data, missing, dict(identity), dict(state))


def read_model(path: str | os.PathLike[str]) -> StoredModel:
    """Read what `write_model` wrote.

    Raises
    ------
    DataError
        If there is no such file, it is no model or damaged, or a newer version wrote it.
    """
    source = Path(path)
    if not source.is_file():
        raise DataError(f"There is no file '{source}'.")
    try:
        with zipfile.ZipFile(source) as archive:
            content = json.loads(archive.read(CONTENT))
            _check_format(content, source)
            return StoredModel(
                arguments={name: from_plain(value) for name, value in content["arguments"].items()},
                data=read_columns(archive, content["columns"]),
                missing=content["missing"],
                identity=content["identity"],
                state={name: from_plain(value) for name, value in content["state"].items()},
            )
    except DataError:
        raise
    except (OSError, EOFError, ValueError, KeyError, TypeError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"'{source}' is not a model that Model.save wrote, or is damaged: {error}") from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"'{source}' is not a model that Model.save wrote, or is damaged: {error}") from error


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


def _check_format(content: Mapping[str, Any], source: Path) -> None:
    if int(content["format"]) > FORMAT:
        raise DataError(
            f"'{source}' was written by nutslite {content['versions'].get('nutslite', '?')}, in format "
            f"{content['format']} of its models; this version, {_own_version()}, reads formats up to {FORMAT}: "
            "upgrade nutslite."
        )


def _own_version() -> str:
    return str(sys.modules[__name__.partition(".")[0]].__version__)
