"""What the reference posteriors say, under our names: moments, quantiles and their Monte Carlo errors."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference_cases import Case

ROOT = Path(__file__).resolve().parent.parent
CENTRED_INTERCEPT = "Intercept_centred"


@dataclass(frozen=True)
class Target:
    """What a quantity's posterior looks like according to the reference.

    Attributes
    ----------
    mean, sd : float
    q5, q95 : float or None
    error : float
        Monte Carlo standard error of the mean; 0 for quadrature.
    """

    mean: float
    sd: float
    q5: float | None = None
    q95: float | None = None
    error: float = 0.0


@dataclass(frozen=True)
class Reference:
    """All that is known about the posterior of one case.

    Attributes
    ----------
    targets : dict
        By our name of the quantity: ``"Intercept"``, ``"1|g_sigma"``, ``"1|g[level]"``.
    predictions : dict
        By row (from 0): the expected response there.
    elpd : float or None
        ``elpd_loo`` by Pareto-smoothed importance sampling, conditional on the group effects.
    bad_pareto : int
        Rows whose Pareto k exceeds 0.7 in the reference.
    """

    targets: dict[str, Target]
    predictions: dict[int, Target]
    elpd: float | None
    bad_pareto: int


def shared_folder() -> Path:
    """Where the data sets and references are: NUTSLITE_SHARED, or beside the repository."""
    return Path(os.environ.get("NUTSLITE_SHARED", ROOT.parent / "shared"))


@functools.cache
def _entries(path: Path) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in json.loads(path.read_text(encoding="utf-8"))["cases"]}


def reference_names(shared: Path) -> list[str]:
    """Names of all cases that the file holds."""
    return list(_entries(shared / "reference_posteriors" / "cases.json"))


def read_reference(case: Case, shared: Path) -> Reference:
    """The reference of a case: quadrature where there is one, a long NUTS run by others for the rest."""
    entry = _entries(shared / "reference_posteriors" / "cases.json")[case.name]
    sampled = entry.get("parameters") or {}
    error = _largest_error(sampled)
    targets = {}
    for source in (entry.get("group_effects"), sampled, entry.get("exact")):  # the later ones win
        exact = source is entry.get("exact")
        for name, values in (source or {}).items():
            targets[our_name(name, case)] = _target(values, 0.0 if exact else error)
    loo = entry.get("loo") or {}
    return Reference(
        targets=targets,
        predictions={row["row_1based"] - 1: _target(row, error) for row in entry.get("epred") or ()},
        elpd=loo.get("elpd_loo"),
        bad_pareto=loo.get("n_k_gt_0.7", 0),
    )


def _largest_error(sampled: Mapping[str, Mapping[str, float]]) -> float:
    """Largest error of a mean in posterior sds: what is assumed where a NUTS reference gives none."""
    return max((values["mcse_mean"] / values["sd"] for values in sampled.values() if "mcse_mean" in values), default=0)


def _target(values: Mapping[str, Any], relative_error: float) -> Target:
    error = values.get("mcse_mean", relative_error * values["sd"])
    return Target(values["mean"], values["sd"], values.get("q5"), values.get("q95"), error)


def our_name(name: str, case: Case) -> str:
    """Our name of a quantity that a reference calls `name`.

    Sums (``"Intercept + 1|school[s1]"``) stay sums of our names; ``"Intercept_centred"`` stays as it is.
    """
    if " + " in name:
        return " + ".join(our_name(part, case) for part in name.split(" + "))
    name = {"(Intercept)": "Intercept", "sigma (value_sigma)": "sigma"}.get(name, name)
    if match := re.fullmatch(r"sd\((.+)\|(.+)\)", name):
        return f"{_effect(match[1])}|{match[2]}_sigma"
    if match := re.fullmatch(r"cor\((.+),(.+)\|(.+)\)", name):
        return f"{_effect(match[1])}+{match[2]}|{match[3]}_corr[{_effect(match[1])}, {match[2]}]"
    if match := re.fullmatch(r"r_(.+)\[(.+),(.+)\]", name):
        return f"{_effect(match[3])}|{match[1]}[{match[2]}]"
    if match := re.fullmatch(r"(.+)\|(.+)\[(.+)\]", name):
        return f"{_effect(match[1])}|{match[2]}[{match[3]}]"
    if (match := re.fullmatch(r"(.+)\[(.+)\]", name)) and case.group_term.endswith(f"|{match[1]}"):
        return f"{case.group_term}[{match[2]}]"
    return name


def _effect(name: str) -> str:
    return "1" if name == "Intercept" else name
