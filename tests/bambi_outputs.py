"""What Bambi 0.21 made of small models (fixtures/bambi_outputs.json), and the same models and draws on our side."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray

import nutslite as nl
from nutslite.results.container.inference_data import build_container

RECORD: dict[str, Any] = json.loads((Path(__file__).parent / "fixtures" / "bambi_outputs.json").read_text("utf-8"))
CASES: dict[str, dict[str, Any]] = RECORD["cases"]
# In Bambi an alias of sigma is one of all parameters called sigma, of group effects too, and an alias of a group effect
# renames its dimension.
OTHERWISE = {"person_spread": "person_sigma", "x|s_spread": "x|s_sigma", "person__factor_dim": "s__factor_dim"}
for _there, _here in OTHERWISE.items():
    CASES["other names"] = json.loads(json.dumps(CASES["other names"]).replace(_there, _here))
DATA = pd.DataFrame(RECORD["data"]["rows"])
NEW = pd.DataFrame(RECORD["data"]["new"])
UNSEEN = pd.DataFrame(RECORD["data"]["unseen"])
POTENTIALS: dict[str, Callable[[Any], Any]] = {"half_square": lambda value: -0.5 * value * value}
OPTIONS = ("family", "link", "categorical", "dropna", "auto_scale", "center_predictors", "extra_namespace")

Group = dict[str, dict[str, Any]]


def prior_of(value: Any) -> Any:
    """A prior from ``[name, arguments]``; numbers stay."""
    if isinstance(value, list):
        return nl.Prior(value[0], **{key: prior_of(argument) for key, argument in value[1].items()})
    return {key: prior_of(nested) for key, nested in value.items()} if isinstance(value, dict) else value


def plain_prior(prior: Any) -> Any:
    """And back, numbers as arrays."""
    if isinstance(prior, nl.Prior):
        return prior.name, {key: plain_prior(value) for key, value in prior.args.items()}
    return np.asarray(prior, dtype=float)


def model_of(case: Mapping[str, Any]) -> nl.Model:
    """Our model of a case."""
    options = {name: case[name] for name in OPTIONS if name in case}
    if "potentials" in case:
        options["potentials"] = [(name, POTENTIALS[function]) for name, function in case["potentials"]]
    model = nl.Model(nl.Formula(*case["formula"]), DATA, priors=prior_of(case.get("priors")), **options)
    if "set_priors" in case:
        model.set_priors(**{key: prior_of(value) for key, value in case["set_priors"].items()})
    if "set_alias" in case:
        model.set_alias(case["set_alias"])
    return model


@cache
def built_model(name: str) -> nl.Model:
    """The model of a recorded case, made once."""
    model = model_of(CASES[name]["case"])
    model.build()
    return model


def coordinate(recorded: Mapping[str, Any]) -> np.ndarray:
    """Values along a dimension."""
    values = recorded["values"]
    return np.arange(values) if isinstance(values, int) else np.array(values)


def dataset(group: Group) -> xarray.Dataset:
    """A recorded group with values."""
    variables = {name: (item["dims"], np.array(item["values"])) for name, item in group["variables"].items()}
    coords = {name: coordinate(item) for name, item in group["coords"].items()}
    draws = {"chain": np.arange(2), "draw": np.arange(2)}
    return xarray.Dataset(variables, coords={**draws, **coords})


def results_of(name: str) -> Any:
    """A container of ours with the recorded draws, which say of which variables they are under another name."""
    posterior = dataset(CASES[name]["fit"]["posterior"])
    for original, alias in aliases_of(CASES[name]["case"]).items():
        for variable in posterior.data_vars:
            if str(variable) in (alias, f"{alias}_sigma"):
                posterior[variable].attrs["alias_of"] = str(variable).replace(alias, original)
    return build_container({"posterior": posterior})


def aliases_of(case: Mapping[str, Any]) -> dict[str, str]:
    """Aliases by full name of a variable."""
    found: dict[str, str] = {}
    for name, alias in case.get("set_alias", {}).items():
        nested = alias if isinstance(alias, dict) else {name: alias}
        prefix = f"{name}_" if isinstance(alias, dict) and name != "mu" else ""
        found |= {term if term == name else f"{prefix}{term}": other for term, other in nested.items()}
    return found


def structure(found: xarray.Dataset, names: Any = None) -> Group:
    """Our group in the form of the record, without values."""
    variables = {
        str(name): {"dims": list(variable.dims), "type": variable.dtype.kind}
        for name, variable in found.data_vars.items()
        if names is None or name in names
    }
    used = {dim for variable in variables.values() for dim in variable["dims"]} - {"chain", "draw"}
    coords = {}
    for dim in sorted(used):
        values = found.coords[dim].values
        counted = values.tolist() == list(range(len(values)))
        coords[dim] = {"type": values.dtype.kind, "values": len(values) if counted else values.tolist()}
    return {"coords": coords, "variables": variables}


def without_values(group: Group) -> Group:
    """A recorded group as `structure` gives ours."""
    variables = {name: {"dims": item["dims"], "type": item["type"]} for name, item in group["variables"].items()}
    used = {dim for variable in variables.values() for dim in variable["dims"]}
    coords = {name: item for name, item in sorted(group["coords"].items()) if name in used}
    return {"coords": coords, "variables": variables}


def assert_group(found: xarray.Dataset, recorded: Group, *, rtol: float = 1e-10) -> None:
    """Names, dimensions, coordinates, types, and values where there are any."""
    here, there = structure(found, recorded["variables"]), without_values(recorded)
    assert here["variables"] == there["variables"]
    assert here["coords"] == there["coords"]
    for name, item in recorded["variables"].items():
        if "values" in item:
            np.testing.assert_allclose(
                found[name].values, np.array(item["values"], dtype=float), rtol=rtol, atol=1e-11, err_msg=name
            )


COMPARED: dict[tuple[str, str], list[str]] = {}
"""By heading of a table in docs/coming_from_bambi.md and name of a row: the tests that compare it."""


def compares(heading: str, *names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a test as the comparison of rows that the page calls the same."""

    def note(test: Callable[..., None]) -> Callable[..., None]:
        for name in names:
            COMPARED.setdefault((heading, name), []).append(test.__name__)
        return test

    return note
