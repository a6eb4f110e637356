"""What a fit costs as rows, groups, columns and chains grow: a Markdown table and a plot.

Run from the repository: ``python benchmarks/scaling.py [--sweeps rows,groups] [--small] [--out build/benchmarks]``. Two
models, one for each path: a Gaussian one (coefficients and effects integrated out) and a Poisson one (all of them
sampled), both ``y ~ x1 + ... + (x1|g)``. Everything is compiled before the first figure. Sampling is the wall time of
pilot, chains with warm-up, and recovery, as in ``peers.py``; other is the rest of ``fit``: diagnostics, container.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from engine_run import own_seconds
from gradient import build
from report import machine, sum_of
from repository import ROOT

from nutslite.results.diagnostics import ess_bulk, rhat

BASE = {"rows": 10_000, "groups": 100, "columns": 5, "chains": 4}
SWEEPS = {
    "rows": (1_000, 3_000, 10_000, 30_000, 100_000),
    "groups": (10, 30, 100, 300, 1_000),
    "columns": (2, 5, 10, 20, 50),
    "chains": (1, 2, 4, 8),
}
SMALL = {
    "rows": (500, 1_000, 2_000),
    "groups": (5, 10, 20),
    "columns": (2, 4, 8),
    "chains": (1, 2, 4),
}
MODELS = {"gaussian": "Gaussian, integrated", "poisson": "Poisson, joint"}


@dataclass(frozen=True)
class Cost:
    """Medians of a few fits of one setting."""

    model: str
    sweep: str
    value: int
    sampling: float
    other: float
    gradients: int
    ess: float
    r_hat: float

    @property
    def per_thousand(self) -> float:
        """Seconds of sampling per thousand effective draws of the worst parameter."""
        return 1000 * self.sampling / self.ess


def fit(model: Any, chains: int, draws: int, seed: int) -> tuple[float, float, int, float, float]:
    """Seconds of sampling and of the rest, gradients, worst ESS and R-hat of one fit."""
    began = time.perf_counter()
    results = model.fit(draws=draws, chains=chains, random_seed=seed, progressbar=False)
    seconds = time.perf_counter() - began
    posterior = results["posterior"]
    options = {"draws": draws, "tune": None, "chains": chains, "cores": None}
    sampling = sum_of(own_seconds(model, options, seed, posterior.attrs))
    arrays = [v.transpose("chain", "draw", ...).to_numpy() for v in posterior.data_vars.values()]
    ess = min(float(np.min(ess_bulk(array))) for array in arrays)
    r_hat = max(float(np.max(rhat(array))) for array in arrays) if chains > 1 else float("nan")
    stats = results["sample_stats"]
    gradients = int(stats["n_steps"].sum()) if "n_steps" in stats else 0  # independence Metropolis has none
    return sampling, max(0.0, seconds - sampling), gradients, ess, r_hat


def measure(family: str, sweep: str, value: int, base: dict[str, int], draws: int, repeats: int) -> Cost:
    """One point of a sweep."""
    setting = base | {sweep: value}
    model = build(family, setting["rows"], setting["columns"], setting["groups"])
    found = [fit(model, setting["chains"], draws, seed) for seed in range(1, repeats + 1)]
    sampling, other, gradients, ess, r_hat = (statistics.median(column) for column in zip(*found, strict=True))
    return Cost(family, sweep, value, sampling, other, int(gradients), ess, r_hat)


def table(costs: list[Cost], draws: int, command: str) -> str:
    """The Markdown table, with the power of the size that sampling seconds grew by between neighbours."""
    lines = [
        f"Made by `{command}` on {machine()}. Where a sweep does not change them: {_words(BASE)}; {draws} draws "
        "a chain, default warm-up. Power: sampling s grew as the size to this power since the line above.\n",
        "| model | varied | value | sampling s | power | other s | gradients | min bulk ESS | s / 1,000 ESS | R-hat |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    before: Cost | None = None
    for cost in costs:
        power = "–"
        if before is not None and (before.model, before.sweep) == (cost.model, cost.sweep):
            power = f"{np.log(cost.sampling / before.sampling) / np.log(cost.value / before.value):.2f}"
        lines.append(
            f"| {MODELS[cost.model]} | {cost.sweep} | {cost.value:,} | {cost.sampling:.3f} "
            f"| {power} | {cost.other:.2f} | {cost.gradients:,} | {cost.ess:,.0f} "
            f"| {cost.per_thousand:.3f} | {'–' if np.isnan(cost.r_hat) else f'{cost.r_hat:.3f}'} |"
        )
        before = cost
    return "\n".join(lines) + "\n"


def plot(costs: list[Cost], path: Path) -> None:
    """Seconds per thousand effective draws against every size, one panel each, on logarithmic axes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    sweeps = list(dict.fromkeys(cost.sweep for cost in costs))
    figure, panels = plt.subplots(1, len(sweeps), figsize=(3.4 * len(sweeps), 3.2), squeeze=False, sharey=True)
    for panel, sweep in zip(panels[0], sweeps, strict=True):
        for family, label in MODELS.items():
            points = [cost for cost in costs if (cost.model, cost.sweep) == (family, sweep)]
            panel.plot([p.value for p in points], [p.per_thousand for p in points], "o-", label=label)
        panel.set(xscale="log", yscale="log", xlabel=sweep)
        panel.grid(visible=True, which="major", alpha=0.3)
    panels[0][0].set_ylabel("s of sampling per 1,000 ESS")
    panels[0][0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _words(setting: dict[str, int]) -> str:
    return ", ".join(f"{value:,} {name}" for name, value in setting.items())


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", default=",".join(SWEEPS), help="some of rows,groups,columns,chains (default: all)")
    parser.add_argument("--models", default=",".join(MODELS), help="some of gaussian,poisson (default: both)")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="small sizes, to try the benchmark itself")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "benchmarks", help="default: build/benchmarks")
    arguments = parser.parse_args()
    sizes = SMALL if arguments.small else SWEEPS
    if arguments.small:
        BASE.update(rows=1_000, groups=10)
    for given, known in ((arguments.sweeps, SWEEPS), (arguments.models, MODELS)):
        if wrong := set(given.split(",")) - set(known):
            sys.exit(f"There is no {', '.join(sorted(wrong))}; there are {', '.join(known)}.")
    logging.getLogger("nutslite").setLevel(logging.ERROR)  # what it warns of, ESS and R-hat, is in the table
    arguments.out.mkdir(parents=True, exist_ok=True)
    costs: list[Cost] = []
    for family in arguments.models.split(","):
        measure(family, "rows", 500, BASE, 50, 1)  # compiles
        for sweep in arguments.sweeps.split(","):
            for value in sizes[sweep]:
                costs.append(measure(family, sweep, value, BASE, arguments.draws, arguments.repeats))
                last = costs[-1]
                print(f"{family} {sweep} {value:,}: {last.sampling:.3f} s, min ESS {last.ess:.0f}", flush=True)
    options = " ".join(word for word in sys.argv[1:] if not word.startswith("--out") and word != str(arguments.out))
    text = table(costs, arguments.draws, f"python benchmarks/scaling.py {options}".strip())
    print(f"\n{text}")
    (arguments.out / "scaling.md").write_text(text, encoding="utf-8")
    (arguments.out / "scaling.json").write_text(json.dumps([vars(cost) for cost in costs], indent=1), encoding="utf-8")
    plot(costs, arguments.out / "scaling.png")


if __name__ == "__main__":
    main()
