"""Models on disk: what is written of a specification, and what is asked for again when it is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nutslite._log import log
from nutslite.exceptions import DataError, checked_path, did_you_mean
from nutslite.model.record.specification import Specification

if TYPE_CHECKING:
    from nutslite.results.storage.model_file import StoredModel

PASSED_AGAIN = {
    "extra_namespace": "extra_namespace={{{names}}}",
    "family": "family=<the family '{first}'>",
    "link": "link=<the link '{first}'>",
    "potentials": "potentials=[...]",
}


def save_model(path: str | os.PathLike[str], specification: Specification, *, fitted: bool) -> Path:
    """What `Model.save` does."""
    from nutslite.results.storage.model_file import write_model

    specification.need_rows("Model.save", "nutslite.save writes results")
    path = checked_path("path", path)
    arguments = {**vars(specification.arguments), "priors": dict(specification.arguments.priors)}
    state = {"aliases": specification.aliases, "fitted": fitted}
    written = write_model(path, arguments, specification.used, specification.identity(), state)
    if written.missing:
        log.info("'%s' lacks what no file can hold; load it by Model.load(path, %s).", path, _again(written.missing))
    return Path(path)


def read_file(path: str | os.PathLike[str], again: Mapping[str, Any]) -> StoredModel:
    """What a file says of a model, its arguments completed by those that are passed again.

    Raises
    ------
    DataError
        As for `Model.load`.
    """
    from nutslite.results.storage.model_file import read_model

    path = checked_path("path", path)
    stored = read_model(path)
    _check_again(path, stored.missing, again)
    arguments = {**stored.arguments, **again}
    if "extra_namespace" in again:
        known = stored.arguments.get("extra_namespace") or {}
        arguments["extra_namespace"] = {**known, **(again["extra_namespace"] or {})}
    return replace(stored, arguments=arguments)


def warn_of_differences(
    path: str | os.PathLike[str], identity: Mapping[str, Any], specification: Specification
) -> None:
    """Say what of a loaded model is not what it was when it was saved."""
    from nutslite.sampler.checkpoint.checkpoint import differences

    changed = differences(identity, specification.identity())
    if changed:
        log.warning(
            "The model in '%s' is not quite what it was when it was saved, different are: %s. Another version of "
            "nutslite, or another function passed to load, makes something else of the same arguments.",
            path,
            "; ".join(changed),
        )


def _check_again(path: str | os.PathLike[str], missing: Mapping[str, list[str]], again: Mapping[str, Any]) -> None:
    """Whether what was passed is what the file lacks."""
    for name in again:
        if name not in missing and not (name == "extra_namespace" and not again[name]):
            raise DataError(
                f"Model.load('{path}', {name}=...): the file has its own {name}, or knows nothing of it."
                + did_you_mean(name, missing)
            )
    namespace = again.get("extra_namespace") or {}
    lacks = {name: [what for what in names if what not in namespace] for name, names in missing.items()}
    lacks = {
        name: names for name, names in lacks.items() if (names if name == "extra_namespace" else name not in again)
    }
    if lacks:
        raise DataError(
            f"The model in '{path}' was made with functions or objects of your own, which no file can hold. Pass them "
            f"again: Model.load('{path}', {_again(lacks)})."
        )


def _again(missing: Mapping[str, list[str]]) -> str:
    """The arguments of `load` that bring back what a file lacks, as one would write them."""
    shown = []
    for name, what in missing.items():
        names = ", ".join(f"'{one}': {one}" for one in what)
        shown.append(PASSED_AGAIN.get(name, f"{name}=...").format(names=names, first=what[0]))
    return ", ".join(shown)
