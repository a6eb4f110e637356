"""``fit(file=...)``: results on disk that are used again as long as the same call would make the same ones."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from nutslite._log import log
from nutslite._schema import Misfit, Text, check, read_json
from nutslite.exceptions import DataError
from nutslite.results.container.inference_data import Container, get_group, group_names
from nutslite.results.storage.storage import check_results_destination, load, save
from nutslite.sampler.checkpoint.checkpoint import IDENTITY as IDENTITY_KIND
from nutslite.sampler.checkpoint.checkpoint import differences
from nutslite.sampler.checkpoint.digest import digest

IDENTITY = "nutslite_identity"
"""Attribute of the posterior: what determined it, as JSON (`nutslite.posterior.run.identity`)."""

LONGEST_ATTRIBUTE = 30_000
"""Characters; HDF5 takes 64 kB of attributes."""


class StoredFit:
    """A file of results and the call that it is for.

    Parameters
    ----------
    path : path-like
    identity : dict
        What determines the results of this call, plain values and digests by name.

    Raises
    ------
    DataError
        If no file can be made there.
    """

    def __init__(self, path: str | os.PathLike[str], identity: Mapping[str, Any]) -> None:
        self.path = check_results_destination(path)
        self.identity = _storable(identity)

    def results(self) -> Container | None:
        """The results in the file, or None where there is none, or it is of another call: a line says what changed.

        Raises
        ------
        DataError
            If the file cannot be read, or holds something else: it is never overwritten.
        """
        if not self.path.exists():
            return None
        results = load(self.path)
        attrs = dict(get_group(results, "posterior").attrs) if "posterior" in group_names(results) else {}
        if IDENTITY not in attrs:
            raise DataError(
                f"'{self.path}' holds results that fit(file=...) did not write, so it cannot tell whether they are of "
                "this model. Give another name, or delete the file."
            )
        if attrs.get("interrupted"):
            log.info("'%s' holds an interrupted fit: fitting again.", self.path)
            return None
        changed = differences(self._identity_in(attrs[IDENTITY]), self.identity)
        if changed:
            log.info("'%s' is of another call, different are: %s. Fitting again.", self.path, "; ".join(changed))
            return None
        log.info("'%s' holds this fit: loaded instead of sampled.", self.path)
        return results

    def _identity_in(self, text: Any) -> dict[str, Any]:
        try:
            check(text, Text(longest=2 * LONGEST_ATTRIBUTE), f"its attribute '{IDENTITY}'")
            identity: dict[str, Any] = read_json(text.encode(errors="surrogatepass"), f"its attribute '{IDENTITY}'")
            check(identity, IDENTITY_KIND, f"its attribute '{IDENTITY}'")
        except Misfit as misfit:
            raise DataError(
                f"'{self.path}' is not as fit(file=...) wrote it: {misfit}. Give another name, or delete the file."
            ) from None
        return identity

    def keep(self, results: Container) -> None:
        """Write new results; where that fails, a warning says so, and the results are not lost."""
        try:
            _set_attribute(results, "posterior", IDENTITY, json.dumps(self.identity))
            save(results, self.path)
        except Exception as error:  # whatever it is, hours of sampling are worth more
            log.warning("%s The results are in memory only: nutslite.save(results, path) elsewhere.", error)


def _set_attribute(results: Container, group: str, name: str, value: str) -> None:
    dataset = results[group]
    dataset.attrs[name] = value


def _storable(identity: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON gives it back, without what is None; one digest of all where netCDF would not take the text."""
    named = {name: value for name, value in identity.items() if value is not None}
    text = json.dumps(named, default=_plain)
    if len(text) > LONGEST_ATTRIBUTE:
        return {"the call": digest(named)}
    read: dict[str, Any] = json.loads(text)
    return read


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not a plain value")
