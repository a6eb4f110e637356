"""Models on disk, and what a model is recognised by."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

import pandas as pd

from nutslite._calls import public
from nutslite._log import log
from nutslite.exceptions import DataError, checked_path, did_you_mean
from nutslite.model.wiring import Wiring

NOT_ARGUMENTS = ("self", "data", "__class__")
PASSED_AGAIN = {
    "extra_namespace": "extra_namespace={{{names}}}",
    "family": "family=<the family '{first}'>",
    "link": "link=<the link '{first}'>",
    "potentials": "potentials=[...]",
}


def given_arguments(local_variables: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `Model`, from the variables at the beginning of its constructor."""
    return {name: value for name, value in local_variables.items() if name not in NOT_ARGUMENTS}


def used_data(frame: pd.DataFrame, used: Collection[str], categorical: Any) -> pd.DataFrame:
    """A copy of the columns that a model uses, those that `categorical` names included, whose names are checked."""
    from nutslite.results.storage.columns_file import keepable

    named = {categorical} if isinstance(categorical, str) else set(categorical or ())
    return keepable(frame[[name for name in frame.columns if name in used or name in named]])


@public
class Saving(Wiring):
    """The part of `Model` that goes to disk and comes back."""

    _arguments: dict[str, Any]  # as given to the constructor, without the data
    _data: pd.DataFrame  # the columns that the formula uses, all rows

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to one file: formula, the used columns of the data, family, links, priors, all arguments.

        Draws are not in it: ``nutslite.save`` writes results. Functions of your own (in ``extra_namespace``,
        ``potentials``, a family or a link) cannot be written; a line says so, and `load` asks for them.

        Parameters
        ----------
        path : path-like
            A file there is replaced once the new one is complete.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        DataError
            If no file can be made there, or a column holds values that cannot be stored.

        Examples
        --------
        >>> import nutslite as nl
        >>> model = nl.Model("Reaction ~ Days", nl.load_data("sleepstudy"))
        >>> path = model.save("sleep.model")  # doctest: +SKIP
        >>> same = nl.Model.load("sleep.model")  # doctest: +SKIP
        """
        from nutslite.results.storage.model_file import write_model

        path = checked_path("path", path)
        arguments = {**self._arguments, "priors": dict(self._given_priors)}
        state = {"aliases": self._aliases, "fitted": self._fitted}
        written = write_model(path, arguments, self._data, self._identity(), state)
        if written.missing:
            log.info(
                "'%s' lacks what no file can hold; load it by Model.load(path, %s).", path, _again(written.missing)
            )
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], **again: Any) -> Self:
        """Read a model that `save` wrote.

        Parameters
        ----------
        path : path-like
        **again
            What the file could not hold: ``extra_namespace``, ``family``, ``link``, ``potentials``, as for `Model`.

        Raises
        ------
        DataError
            If there is no such file, it is no model, damaged, or of a newer version; if something that it lacks is not
            passed, or something that it has.
        NutsliteError
            As for `Model`.
        """
        from nutslite.results.storage.model_file import read_model

        path = checked_path("path", path)
        stored = read_model(path)
        _check_again(path, stored.missing, again)
        arguments = {**stored.arguments, **again}
        if "extra_namespace" in again:
            arguments["extra_namespace"] = {
                **(stored.arguments.get("extra_namespace") or {}),
                **(again["extra_namespace"] or {}),
            }
        try:
            model = cls(data=stored.data, **arguments)  # type: ignore[call-arg]  # what `Model` takes
        except Exception as error:  # the file's fields have the right types; what they say must make a model
            raise DataError(f"What '{path}' holds makes no model: {error}") from error
        model._aliases, model._fitted = stored.state["aliases"], stored.state["fitted"]
        model._warn_of_differences(path, stored.identity)
        return model

    def _identity(self) -> dict[str, Any]:
        """What determines the posterior, by the names of the model's parts."""
        from nutslite.posterior.run.identity import column_digest, model_identity

        columns = {str(name): column_digest(self._data[name]) for name in self.design.used_columns}
        return model_identity(str(self.formula), self._assembly.spec, self._given_priors, columns)

    def _warn_of_differences(self, path: str | os.PathLike[str], identity: Mapping[str, Any]) -> None:
        from nutslite.sampler.checkpoint.checkpoint import differences

        changed = differences(identity, self._identity())
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
