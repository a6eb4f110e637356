"""How often a fit with default settings is a good one: reference models, the peers' cases and real mixed models.

Run from the repository: ``python benchmarks/reliability.py --out benchmarks/results/reliability.md``. A fit is *clean*
where the largest R-hat of all parameters, group effects included, is below 1.01, the smallest bulk and tail effective
sizes are above 1,000 of 4,000, and nothing diverged. By chance alone some R-hat of several hundred independent
parameters is above 1.01, so that of the population's parameters stands beside it. Fits are added to ``--runs`` as they
end: a run that was broken off goes on.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cases import CASES
from matrix_centring import bacteria, grouseticks
from processes import commit
from provenance import made_by
from reference_cases import CASES as REFERENCES
from reference_values import shared_folder
from repository import ROOT

from nutslite.model import Model
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.run.run import run
from nutslite.results.diagnostics.diagnostics import ess_bulk, ess_tail, rhat

LARGEST_R_HAT, SMALLEST_SIZE = 1.01, 1000
LONG = ("M2", "M6", "M7", "InstEval", "VerbAgg", "six slopes")  # not by default: half a minute or more for each fit
HEAD = """\
| model | parameters | way | fits | clean | ... by the population's R-hat | largest R-hat | ... of the population | \
smallest bulk ESS | smallest tail ESS | most divergences | s of processors, median |
| --- | --: | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |"""


def owls() -> Model:
    """Calls of owlets, more at unfed nests."""
    data = _real("Owls")
    return Model(
        "SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1|Nest)",
        data,
        "negativebinomial",
    )


def _real(name: str) -> pd.DataFrame:
    return pd.read_csv(shared_folder() / "data" / f"{name}.csv")


REAL: dict[str, Callable[[], Model]] = {
    "grouseticks": grouseticks,
    "cbpp": lambda: Model("p(incidence, size) ~ C(period) + (1|herd)", _real("cbpp"), "binomial"),
    "Salamanders": lambda: Model("count ~ mined + (1|site)", _real("Salamanders"), "negativebinomial"),
    "Salamanders, zeros": lambda: Model("count ~ mined + (1|site)", _real("Salamanders"), "zero_inflated_poisson"),
    "Owls": owls,
    "VerbAgg": lambda: Model(
        "r2['Y'] ~ Anger + Gender + btype + situ + (1|id) + (1|item)", _real("VerbAgg"), "bernoulli"
    ),
    "bacteria": bacteria,
    "quine": lambda: Model("Days ~ Eth + Sex + Age + Lrn", _real("quine"), "negativebinomial"),
}


def models(only: str) -> dict[str, Callable[[], Model]]:
    """What is fitted, by name."""
    every: dict[str, Callable[[], Model]] = dict(REAL)
    for case in CASES:
        every[case.name] = lambda case=case: _of_peers(case)
    for reference in REFERENCES.values() if isinstance(REFERENCES, dict) else REFERENCES:
        every[f"reference: {reference.name}"] = lambda case=reference: case.model(shared_folder() / "data")
    words = [word for word in only.split(",") if word]
    return {
        name: make
        for name, make in every.items()
        if (any(word in name for word in words) if words else name not in LONG)
    }


def _of_peers(case: Any) -> Model:
    data = case.make()
    for name in case.ordered:
        data[name] = pd.Categorical(data[name], categories=sorted(data[name].unique()), ordered=True)
    return Model(case.formula, data, case.family, link=case.link)


def one(model: Model, seed: int) -> dict[str, Any]:
    """Numbers of one fit."""
    began = time.process_time()
    fit = run(model.plan(), Settings(random_seed=seed, progressbar=False, cores=1))
    seconds = time.process_time() - began
    population, groups = (array[:, :, np.ptp(array, axis=(0, 1)) > 0.0] for array in (fit.values, fit.effects))
    every = np.concatenate([population, groups], axis=2)
    return {
        "parameters": every.shape[2],
        "way": f"{fit.plan.path}, {fit.method}",
        "r_hat": float(rhat(every).max()),
        "population": float(rhat(population).max()),
        "bulk": float(ess_bulk(every).min()),
        "tail": float(ess_tail(every).min()),
        "divergences": int(np.sum(fit.stats.get("diverging", 0))),
        "seconds": seconds,
    }


def line(name: str, fits: list[dict[str, Any]]) -> str:
    """One model's row of the table."""

    def clean(fit: dict[str, Any], r_hat: str) -> bool:
        enough = min(fit["bulk"], fit["tail"]) > SMALLEST_SIZE
        return bool(fit[r_hat] < LARGEST_R_HAT and enough and not fit["divergences"])

    return (
        f"| {name} | {fits[0]['parameters']} | {' / '.join(sorted({fit['way'] for fit in fits}))} | {len(fits)} | "
        f"{sum(clean(fit, 'r_hat') for fit in fits)} | {sum(clean(fit, 'population') for fit in fits)} | "
        f"{max(fit['r_hat'] for fit in fits):.3f} | {max(fit['population'] for fit in fits):.3f} | "
        f"{min(fit['bulk'] for fit in fits):,.0f} | {min(fit['tail'] for fit in fits):,.0f} | "
        f"{max(fit['divergences'] for fit in fits)} | {np.median([fit['seconds'] for fit in fits]):.2f} |"
    )


def page(found: dict[str, list[dict[str, Any]]]) -> str:
    """The table, and what it says in sum."""
    head = [
        "# Reliability at default settings\n",
        f"{made_by('reliability.py')}\n",
        (__doc__ or "").split("\n\n")[1],
        "",
    ]
    return "\n".join([*head, HEAD, *(line(name, fits) for name, fits in found.items()), ""])


def main() -> None:
    """Fit, and write the table after each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="words, by commas: models whose names contain one (default: all)")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--runs", type=Path, default=ROOT / "build" / "benchmarks" / "reliability.jsonl")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    logging.getLogger("nutslite").setLevel(logging.ERROR)
    arguments.runs.parent.mkdir(parents=True, exist_ok=True)
    now = commit()
    before = arguments.runs.read_text("utf-8").splitlines() if arguments.runs.exists() else []
    known = {(one["model"], one["seed"]): one for one in map(json.loads, before) if one["commit"] == now}
    found: dict[str, list[dict[str, Any]]] = {}
    for name, make in models(arguments.only).items():
        fits, model = [], None
        for seed in range(arguments.seeds):
            fit = known.get((name, seed))
            if fit is None:
                model = make() if model is None else model
                fit = {"model": name, "seed": seed, "commit": now, **one(model, seed)}
                with arguments.runs.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(fit) + "\n")
            fits.append(fit)
        found[name] = fits
        sys.stdout.write(line(name, fits) + "\n")
        sys.stdout.flush()
        if arguments.out is not None:
            arguments.out.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
