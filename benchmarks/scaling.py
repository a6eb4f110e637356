"""What a fit costs as rows, groups, columns and chains grow: a Markdown table and a plot.

Run from the repository: ``python benchmarks/scaling.py [--sweeps rows,groups] [--small] [--out benchmarks/results]``.
Two models, one for each path: a Gaussian one (coefficients and effects integrated out) and a Poisson one (all of them
sampled), both ``y ~ x1 + ... + (x1|g)``. Everything is compiled before the first figure.

Sampling is the wall time of pilot, chains with warm-up, and recovery; what reduces the data before (cross-products, on
the path that integrates) stands in a column of its own; other is the rest of ``fit``: diagnostics, container. Times are
the least of a few equal runs of each seed, then the median over seeds.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gradient import build
from provenance import made_by
from repository import ROOT

from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.run.run import run
from nutslite.results.diagnostics.diagnostics import ess_bulk, rhat

BASE = {"rows": 10_000, "groups": 100, "columns": 5, "chains": 4}
SWEEPS = {
    "rows": (1_000, 3_000, 10_000, 30_000, 100_000),
    "groups": (10, 30, 100, 300, 1_000),
    "columns": (2, 5, 10, 20, 50),
    "chains": (1, 2, 4, 8),
}
SMALL = {
    "rows": (500, 1_000, 5_000),
    "groups": (5, 10, 20),
    "columns": (2, 4, 8),
    "chains": (1, 2, 4),
}
MODELS = {"gaussian": "Gaussian, integrated", "poisson": "Poisson, joint"}

MOST_RUNS = 5  # of one seed
ENOUGH_SECONDS = 1.0  # of runs of one seed: what takes longer is not timed again
LONG_SECONDS = 6.0  # of fits of one setting: what takes longer gets no further seed


@dataclass(frozen=True)
class Cost:
    """Medians over seeds of one setting."""

    model: str
    sweep: str
    value: int
    method: str
    reduction: float
    sampling: float
    other: float
    gradients: int
    ess: float
    r_hat: float

    @property
    def whole(self) -> float:
        """Seconds of sampling with the reduction of the data."""
        return self.reduction + self.sampling

    @property
    def per_thousand(self) -> float:
        """Seconds of all that per thousand effective draws of the worst parameter."""
        return 1000 * self.whole / self.ess


@dataclass(frozen=True)
class One:
    """Figures of one seed; seconds."""

    reduction: float
    sampling: float
    other: float
    gradients: float
    ess: float
    r_hat: float
    method: str


def fit(model: Any, chains: int, draws: int, seed: int) -> One:
    """One fit, and what of it took how long."""
    began = time.perf_counter()
    results = model.fit(draws=draws, chains=chains, random_seed=seed, progressbar=False)
    seconds = time.perf_counter() - began
    posterior = results["posterior"]
    inside = sum(posterior.attrs[f"{part}_time"] for part in ("pilot", "sampling", "recovery"))
    settings = Settings(draws=draws, chains=chains, random_seed=seed, progressbar=False)
    reduction, sampling = least_seconds(model, settings, inside)
    arrays = [v.transpose("chain", "draw", ...).to_numpy() for v in posterior.data_vars.values()]
    stats = results["sample_stats"]
    return One(
        reduction,
        sampling,
        max(0.0, seconds - reduction - inside),
        int(stats["n_steps"].sum()) if "n_steps" in stats else 0,  # independence Metropolis has none
        min(float(np.min(ess_bulk(array))) for array in arrays),
        max(float(np.max(rhat(array))) for array in arrays) if chains > 1 else float("nan"),
        str(posterior.attrs["inference_method"]),
    )


def least_seconds(model: Any, settings: Settings, first: float) -> tuple[float, float]:
    """Least seconds of reduction and of sampling; `first` is sampling as the fit itself has measured it."""
    reductions: list[float] = []
    samplings, spent = [first], first
    while not reductions or (len(samplings) < MOST_RUNS and spent < ENOUGH_SECONDS):
        began = time.perf_counter()
        plan = model.plan()
        reductions.append(time.perf_counter() - began)
        if first < ENOUGH_SECONDS:
            seconds = run(plan, settings).seconds
            samplings.append(seconds["pilot"] + seconds["sampling"] + seconds["recovery"])
        spent += reductions[-1] + samplings[-1]
    return min(reductions) if plan.reduction is not None else 0.0, min(samplings)


def measure(family: str, sweep: str, value: int, base: dict[str, int], draws: int, repeats: int) -> Cost:
    """One point of a sweep."""
    setting = base | {sweep: value}
    model = build(family, setting["rows"], setting["columns"], setting["groups"])
    began, found = time.perf_counter(), []
    for seed in range(1, repeats + 1):
        found.append(fit(model, setting["chains"], draws, seed))
        if time.perf_counter() - began > LONG_SECONDS:
            break
    middle = {
        name: statistics.median(getattr(one, name) for one in found)
        for name in ("reduction", "sampling", "other", "gradients", "ess", "r_hat")
    }
    methods = "/".join(dict.fromkeys(one.method for one in found))
    return Cost(family, sweep, value, methods, **middle | {"gradients": int(middle["gradients"])})


# ------------------------------------------------------------------------------------------------------------ tables


def report(costs: list[Cost], base: dict[str, int], draws: int) -> str:
    """The Markdown page."""
    parts = [
        "# How a fit grows",
        f"{made_by('scaling.py')} Where a sweep does not change them: {_words(base)}; {draws:,} draws a chain, default "
        "warm-up.",
        tenfold(costs),
        "## All of it",
        "Sampling is pilot, chains with warm-up and recovery, reduction the cross-products of the data before. Power: "
        "the two together grew as the size to this power since the line above. Other is the rest of a fit: diagnostics "
        "and the container (building the model from its formula is not in it). ESS is the least of all parameters'.",
        table(costs),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def tenfold(costs: list[Cost]) -> str:
    """Ten times the rows at fixed groups: how much longer sampling takes, without and with the reduction."""
    rows = {(cost.model, cost.value): cost for cost in costs if cost.sweep == "rows"}
    lines = [
        "## Ten times the rows, the same groups\n",
        "| model | rows | draws by | sampling s | ratio | with the reduction of the data s | ratio |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (model, value), few in rows.items():
        if (many := rows.get((model, 10 * value))) is not None:
            methods = " to ".join(dict.fromkeys((few.method, many.method)))
            lines.append(
                f"| {MODELS[model]} | {value:,} to {10 * value:,} | {methods} "
                f"| {few.sampling:.4f} to {many.sampling:.4f} | **{many.sampling / few.sampling:.2f}** "
                f"| {few.whole:.4f} to {many.whole:.4f} | {many.whole / few.whole:.2f} |"
            )
    return "\n".join(lines) if len(lines) > 3 else ""


def table(costs: list[Cost]) -> str:
    """Every point, with the power of the size that seconds grew by between neighbours."""
    lines = [
        "| model | varied | value | draws by | sampling s | reduction s | power | other s | gradients | min bulk ESS "
        "| s / 1,000 ESS | R-hat |",
        "|" + " --- |" * 12,
    ]
    before: Cost | None = None
    for cost in costs:
        power = "–"
        if before is not None and (before.model, before.sweep) == (cost.model, cost.sweep):
            power = f"{np.log(cost.whole / before.whole) / np.log(cost.value / before.value):.2f}"
        lines.append(
            f"| {MODELS[cost.model]} | {cost.sweep} | {cost.value:,} | {cost.method} | {cost.sampling:.3f} "
            f"| {f'{cost.reduction:.4f}' if cost.reduction else '–'} | {power} | {cost.other:.2f} "
            f"| {f'{cost.gradients:,}' if cost.gradients else '–'} | {cost.ess:,.0f} | {cost.per_thousand:.3f} "
            f"| {'–' if np.isnan(cost.r_hat) else f'{cost.r_hat:.3f}'} |"
        )
        before = cost
    return "\n".join(lines)


def _words(setting: dict[str, int]) -> str:
    return ", ".join(f"{value:,} {name}" for name, value in setting.items())


# -------------------------------------------------------------------------------------------------------------- plot


def plot(costs: list[Cost], path: Path) -> None:
    """Seconds, and seconds per thousand effective draws, against every size on logarithmic axes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    sweeps = list(dict.fromkeys(cost.sweep for cost in costs))
    quantities = {"whole": "s of sampling", "per_thousand": "s per 1,000 effective draws"}
    figure, panels = plt.subplots(
        2, len(sweeps), figsize=(3.0 * len(sweeps), 5.2), squeeze=False, sharey="row", sharex="col"
    )
    for row, (quantity, label) in zip(panels, quantities.items(), strict=True):
        for panel, sweep in zip(row, sweeps, strict=True):
            for family, name in MODELS.items():
                points = [cost for cost in costs if (cost.model, cost.sweep) == (family, sweep)]
                panel.plot([p.value for p in points], [getattr(p, quantity) for p in points], "o-", label=name)
            sizes = [cost.value for cost in costs if cost.sweep == sweep]
            panel.set(xscale="log", yscale="log")
            panel.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=8)
            panel.minorticks_off()
            panel.grid(visible=True, which="major", alpha=0.3)
        row[0].set_ylabel(label)
    for panel, sweep in zip(panels[-1], sweeps, strict=True):
        panel.set_xlabel(sweep)
    panels[0][0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


# --------------------------------------------------------------------------------------------------------------- run


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", default=",".join(SWEEPS), help="some of rows,groups,columns,chains (default: all)")
    parser.add_argument("--models", default=",".join(MODELS), help="some of gaussian,poisson (default: both)")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3, help="seeds, fewer where a fit is slow (default: 3)")
    parser.add_argument("--small", action="store_true", help="small sizes, to try the benchmark itself")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "benchmarks", help="default: build/benchmarks")
    arguments = parser.parse_args()
    families, sweeps = arguments.models.split(","), arguments.sweeps.split(",")
    for given, known in ((sweeps, SWEEPS), (families, MODELS)):
        if wrong := set(given) - set(known):
            sys.exit(f"There is no {', '.join(sorted(wrong))}; there are {', '.join(known)}.")
    sizes = SMALL if arguments.small else SWEEPS
    base = BASE | ({"rows": 1_000, "groups": 10} if arguments.small else {})
    logging.getLogger("nutslite").setLevel(logging.ERROR)  # what it warns of, ESS and R-hat, is in the table
    arguments.out.mkdir(parents=True, exist_ok=True)
    for family in families:
        for size in ({"rows": 500}, {"columns": 50, "rows": 1_000}):  # compiles, on every way that sizes lead to
            measure(family, "chains", 2, base | size, 50, 1)
    costs: list[Cost] = []
    wanted = [(family, sweep, value) for family in families for sweep in sweeps for value in sizes[sweep]]
    for family, sweep, value in wanted:
        costs.append(measure(family, sweep, value, base, arguments.draws, arguments.repeats))
        last = costs[-1]
        print(f"{family} {sweep} {value:,}: {last.whole:.3f} s, min ESS {last.ess:.0f}", flush=True)
    text = report(costs, base, arguments.draws)
    print(f"\n{text}")
    (arguments.out / "scaling.md").write_text(text, encoding="utf-8")
    plot(costs, arguments.out / "scaling.png")


if __name__ == "__main__":
    main()
