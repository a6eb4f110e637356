"""Matrix centring beside a weight of centring for each level: effective draws of the slowest parameter, and CPU time.

Run from the repository: ``python benchmarks/matrix_centring.py --out benchmarks/results/matrix_centring.md``. The
data of grouseticks are those of the folder beside the repository (or NUTSLITE_SHARED); others are simulated.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from reference_values import shared_folder

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from nutslite.model import Model  # noqa: E402
from nutslite.posterior.methods.settings import Settings  # noqa: E402
from nutslite.posterior.run.run import run  # noqa: E402
from nutslite.results.diagnostics.diagnostics import ess_bulk, ess_tail, rhat  # noqa: E402

LINE = "| {} | {} | {} | {:,.0f} | {:,.0f} | {:.3f} | {} | {:.1f} | {:.1f} |"


def grouseticks() -> Model:
    """Counts of ticks on chicks within broods within places."""
    texts = dict.fromkeys(("YEAR", "BROOD", "INDEX", "LOCATION"), object)
    data = pd.read_csv(shared_folder() / "data" / "grouseticks.csv", dtype=texts)
    data["h"] = (data["HEIGHT"] - data["HEIGHT"].mean()) / 100
    formula = "TICKS ~ YEAR + h + (1|BROOD) + (1|INDEX) + (1|LOCATION)"
    return Model(formula, data, family="poisson", categorical=["YEAR"])


def nested(outer: int, inner: int, rows: int = 6) -> Model:
    """Yes or no, levels within levels."""
    rng = np.random.default_rng(0)
    o, i = np.repeat(np.arange(outer), inner * rows), np.repeat(np.arange(outer * inner), rows)
    x = rng.normal(size=o.size)
    eta = -0.5 + 0.5 * x + 0.5 * rng.normal(size=outer)[o] + 0.7 * rng.normal(size=outer * inner)[i]
    return _yes_or_no(rng, eta, {"x": x, "o": [f"o{k}" for k in o], "i": [f"i{k}" for k in i]}, "x + (1|o) + (1|i)")


def pupils(pupils: int = 400, schools: int = 40, rows: int = 2400) -> Model:
    """Yes or no, pupils of whom a tenth of the answers are from other schools than their own."""
    rng = np.random.default_rng(0)
    home, pupil = rng.integers(0, schools, pupils), rng.integers(0, pupils, rows)
    school = np.where(rng.uniform(size=rows) < 0.9, home[pupil], rng.integers(0, schools, rows))
    x = rng.normal(size=rows)
    eta = 0.3 * x + 0.6 * rng.normal(size=pupils)[pupil] + 0.4 * rng.normal(size=schools)[school]
    columns = {"x": x, "p": [f"p{k}" for k in pupil], "s": [f"s{k}" for k in school]}
    return _yes_or_no(rng, eta, columns, "x + (1|p) + (1|s)")


def one_factor(family: str, levels: int, rows: int, sds: tuple[float, ...], mean: float = 0.0) -> Model:
    """An intercept and slopes of its own for each level of one factor."""
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(levels), rows)
    x = np.column_stack([np.ones(g.size), rng.normal(size=(g.size, len(sds) - 1))])
    common = np.array([mean, *[0.3] * (len(sds) - 1)])
    eta = (x * (common + rng.normal(size=(levels, len(sds))) * sds)[g]).sum(axis=1)
    slopes = [f"x{k}" for k in range(1, len(sds))]
    terms = " + ".join(["1", *slopes])
    columns = {**dict(zip(slopes, x.T[1:], strict=True)), "g": [f"g{k}" for k in g]}
    if family == "bernoulli":
        return _yes_or_no(rng, eta, columns, f"{terms} + ({terms}|g)")
    data = pd.DataFrame({"y": rng.poisson(np.exp(eta)), **columns})
    return Model(f"y ~ {terms} + ({terms}|g)", data, family=family)


def bacteria() -> Model:
    """Presence of bacteria in 50 children, a few times each."""
    return Model("y['y'] ~ trt + week + (1|ID)", pd.read_csv(shared_folder() / "data" / "bacteria.csv"), "bernoulli")


def _yes_or_no(rng: np.random.Generator, eta: np.ndarray, columns: dict[str, object], terms: str) -> Model:
    y = (rng.uniform(size=eta.size) < 1.0 / (1.0 + np.exp(-eta))).astype(int)
    return Model(f"y ~ {terms}", pd.DataFrame({"y": y, **columns}), family="bernoulli")


CASES: dict[str, Callable[[], Model]] = {
    "grouseticks": grouseticks,
    "nested, 20 x 5": lambda: nested(20, 5),
    "nested, 50 x 8": lambda: nested(50, 8),
    "pupils in schools": pupils,
    "one factor: bacteria": bacteria,
    "one factor: yes or no, 50 x 5": lambda: one_factor("bernoulli", 50, 5, (1.0,)),
    "one factor: yes or no, 200 x 5, small sd": lambda: one_factor("bernoulli", 200, 5, (0.4,)),
    "one factor: yes or no, 100 x 20": lambda: one_factor("bernoulli", 100, 20, (0.7,)),
    "one factor: yes or no, 200 x 10, 2 columns": lambda: one_factor("bernoulli", 200, 10, (0.8, 0.4)),
    "one factor: yes or no, 200 x 15, 3 columns": lambda: one_factor("bernoulli", 200, 15, (0.8, 0.4, 0.3)),
    "one factor: yes or no, 100 x 20, 4 columns": lambda: one_factor("bernoulli", 100, 20, (0.8, 0.4, 0.3, 0.2)),
    "one factor: counts, 60 x 4": lambda: one_factor("poisson", 60, 4, (0.4,), -0.5),
    "one factor: counts, 300 x 4, small sd": lambda: one_factor("poisson", 300, 4, (0.2,)),
    "one factor: counts, 200 x 5, 2 columns": lambda: one_factor("poisson", 200, 5, (0.3, 0.15)),
    "one factor: counts, 100 x 20, 3 columns": lambda: one_factor("poisson", 100, 20, (0.5, 0.2, 0.15), 0.5),
}
WAYS: tuple[Literal["matrix", "levels"], ...] = ("matrix", "levels")


def line(name: str, model: Model, way: Literal["matrix", "levels"], seed: int) -> str:
    """One row of the table."""
    began = time.process_time()
    fit = run(model.plan(pilot=way), Settings(random_seed=seed, progressbar=False, inference_method="nuts", cores=1))
    seconds = time.process_time() - began
    draws = np.concatenate([fit.values, fit.effects], axis=2)
    draws = draws[:, :, np.ptp(draws, axis=(0, 1)) > 0.0]
    bulk, tail = (float(np.min(ess(draws))) for ess in (ess_bulk, ess_tail))
    divergences, steps = int(fit.stats["diverging"].sum()), float(fit.stats["n_steps"].mean())
    return LINE.format(name, way, seed, bulk, tail, float(np.max(rhat(draws))), divergences, steps, seconds)


def main() -> None:
    """Fit every case in both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose names begin so")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    logging.getLogger("nutslite").setLevel(logging.ERROR)
    lines = [
        "# Matrix centring\n",
        "Made by `python benchmarks/matrix_centring.py`: 4 chains of 1,000 draws after a pilot, default settings, "
        "kernels compiled. ESS are the smallest of all parameters, R-hat the largest; steps are leapfrogs a draw; CPU "
        "seconds are pilot, warm-up and draws of all chains.\n",
        "| case | `pilot=` | seed | bulk ESS | tail ESS | R-hat | divergences | steps | CPU s |",
        "| --- | --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for name, make in CASES.items():
        if not name.startswith(arguments.only):
            continue
        model = make()
        for way in WAYS:
            run(model.plan(pilot=way), Settings(draws=2, tune=2, chains=1, progressbar=False, inference_method="nuts"))
            for seed in range(arguments.seeds):
                lines.append(line(name, model, way, seed))
                sys.stdout.write(lines[-1] + "\n")
                sys.stdout.flush()
    if arguments.out is not None:
        arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
