"""Does less data ever cost more? Gaussian models with two crossed factors, as rows, levels and columns grow.

Run from the repository: ``python benchmarks/cliffs.py [--only rows,levels,columns] [--out benchmarks/results]``. The
plan takes the cheapest of three ways by prices from sizes alone; where two ways meet, a fit may not become longer with
fewer rows. Measured is the wall time of pilot, chains and recovery of 4 chains of 250 draws, with the cross-products of
the data, the faster of two; the lines are prices of the ways for as many draws, those of 1,000 times 0.25.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from provenance import made_by

from nutslite.model import Model
from nutslite.posterior.marginal import crossproducts
from nutslite.posterior.marginal.prices import Sizes, cheapest, prices
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.run.run import run
from nutslite.results.diagnostics.diagnostics import ess_bulk, rhat

BASE = {"rows": 20_000, "levels": 600, "columns": 5}
SWEEPS = {
    "rows": (300, 1_000, 3_000, 10_000, 30_000, 100_000),
    "levels": (20, 60, 200, 600, 1_500),
    "columns": (2, 5, 10, 20, 50),
}
DRAWS, REPEATS = 250, 2
SECOND = 0.4  # levels of the second factor, as a share of those of the first


@dataclass(frozen=True)
class Point:
    """One fit: its way, its seconds, what all ways were to cost, and how good its draws are."""

    sweep: str
    value: int
    way: str
    seconds: float
    prices: dict[str, float]
    ess: float
    r_hat: float


def crossed(rows: int, levels: int, columns: int) -> Model:
    """Every row of a random level of each factor."""
    rng = np.random.default_rng(1)
    second = max(2, int(SECOND * levels))
    data = pd.DataFrame({f"x{i}": rng.normal(size=rows) for i in range(columns)})
    s, d = rng.integers(0, levels, rows), rng.integers(0, second, rows)
    y = 0.3 * data["x0"] + 0.5 * rng.normal(size=levels)[s] + 0.7 * rng.normal(size=second)[d] + rng.normal(size=rows)
    data = data.assign(y=y, s=[f"s{i}" for i in s], d=[f"d{i}" for i in d])
    return Model(f"y ~ {' + '.join(f'x{i}' for i in range(columns))} + (1|s) + (1|d)", data)


def measure(sweep: str, value: int) -> Point:
    """The fit at one size; its plan is asked for prices on the way."""
    seen: list[Sizes] = []

    def noted(sizes: Sizes) -> str:
        seen.append(sizes)
        return cheapest(sizes)

    model = crossed(**{**BASE, sweep: value})
    crossproducts.cheapest = noted  # type: ignore[attr-defined]
    try:
        began = time.perf_counter()
        plan = model.plan()
        reduction = time.perf_counter() - began
    finally:
        crossproducts.cheapest = cheapest  # type: ignore[attr-defined]
    fits = [run(plan, Settings(draws=DRAWS, random_seed=1, progressbar=False)) for _ in range(REPEATS)]
    fit = fits[0]
    arrays = np.concatenate([fit.values, fit.effects], axis=2)
    arrays = arrays[:, :, arrays.std(axis=(0, 1)) > 0]
    way = "joint" if plan.reduction is None else "large" if plan.reduction.large else "marginal"
    return Point(
        sweep,
        value,
        way,
        reduction + min(sum(fit.seconds.values()) - fit.seconds["compilation"] for fit in fits),
        {name: 0.25 * price for name, price in prices(seen[-1]).items()} if seen else {},
        min(float(np.min(ess_bulk(arrays[:, :, i]))) for i in range(arrays.shape[2])),
        max(float(np.max(rhat(arrays[:, :, i]))) for i in range(arrays.shape[2])),
    )


def report(points: list[Point]) -> str:
    """The Markdown page."""
    lines = [
        "# Less data, never a longer fit",
        "",
        f"{made_by('cliffs.py')} Where a sweep does not change them: "
        f"{', '.join(f'{size:,} {name}' for name, size in BASE.items())}; the second factor has {SECOND:g} times as "
        f"many levels. 4 chains of {DRAWS} draws; prices are for as many.",
        "",
        "![Seconds by size](cliffs.png)",
        "",
        "| varied | value | way | s | price of marginal | of large | of joint | least bulk ESS | largest R-hat |",
        "| --- | --: | --- | --: | --: | --: | --: | --: | --: |",
    ]
    for p in points:
        priced = " | ".join(f"{p.prices.get(way, np.nan):,.2f}" for way in ("marginal", "large", "joint"))
        lines.append(
            f"| {p.sweep} | {p.value:,} | {p.way} | {p.seconds:,.2f} | {priced} | {p.ess:,.0f} | {p.r_hat:.3f} |"
        )
    return "\n".join(lines) + "\n"


def picture(points: list[Point], path: Path) -> None:
    """A panel a sweep: points are fits, lines are prices."""
    import matplotlib.pyplot as plt

    sweeps = list(dict.fromkeys(p.sweep for p in points))
    figure, axes = plt.subplots(1, len(sweeps), figsize=(4.2 * len(sweeps), 3.6), sharey=True, squeeze=False)
    colours = {"marginal": "C0", "large": "C1", "joint": "C2"}
    for ax, sweep in zip(axes[0], sweeps, strict=True):
        some = [p for p in points if p.sweep == sweep]
        values = [p.value for p in some]
        for way, colour in colours.items():
            ax.plot(values, [p.prices.get(way, np.nan) for p in some], color=colour, lw=1, alpha=0.6)
            own = [p for p in some if p.way == way]
            ax.plot([p.value for p in own], [p.seconds for p in own], "o", color=colour, label=way)
        ax.set(xscale="log", yscale="log", xlabel=sweep, xticks=values, xticklabels=[f"{value:,}" for value in values])
        ax.minorticks_off()
        ax.tick_params(axis="x", labelsize=8)
    axes[0, 0].set_ylabel("seconds")
    axes[0, -1].legend(title="way: fits, prices")
    figure.tight_layout()
    figure.savefig(path, dpi=130)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SWEEPS))
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"))
    arguments = parser.parse_args()
    for levels in (20, 600):  # compiles
        run(crossed(2_000, levels, 2).plan(), Settings(draws=20, chains=2, random_seed=1, progressbar=False))
    points = []
    for sweep in arguments.only.split(","):
        for value in SWEEPS[sweep]:
            points.append(measure(sweep, value))
            print(points[-1], flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "cliffs.md").write_text(report(points), encoding="utf-8")
    picture(points, arguments.out / "cliffs.png")
    print(report(points))


if __name__ == "__main__":
    main()
