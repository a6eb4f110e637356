"""Nanoseconds per row of one joint gradient, by family, rows and groups, beside one pass over the same memory.

Run from the repository: ``python benchmarks/gradient.py [--families poisson,t] [--out benchmarks/results]``. A gradient
cannot be cheaper than reading its data once; the pass is a vectorised sum over as many bytes. Each time is the least of
several loops of at least a twentieth of a second, one thread, compiled code only.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pandas as pd
from numba import types
from provenance import made_by
from repository import ROOT

from nutslite._numba import VECTOR, kernel_with_signature
from nutslite.families.record.family import Family
from nutslite.families.record.register import get_family
from nutslite.families.user.built_in import family_names
from nutslite.model import Model
from nutslite.model.record.specification import specification_of
from nutslite.posterior.targets.target import JointTarget, Target
from nutslite.sampler.transition.logdensity import compiled_logdensity

TYPICAL = {"real": 0.0, "positive": 1.0, "unit": 0.3}


def simulate(family: Family, rows: int, columns: int, groups: int, seed: int = 1) -> pd.DataFrame:
    """Data of a family: standard normal columns x1, x2, ..., a factor g, mild effects of all of them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(columns, rows))
    g = rng.integers(0, max(groups, 1), rows)
    intercepts, slopes = rng.normal(0.0, 0.3, (2, max(groups, 1)))
    eta = x.T @ rng.normal(0.0, 0.2, columns) + intercepts[g] + slopes[g] * x[0]
    parameters = {parameter.name: np.full(rows, TYPICAL[parameter.support]) for parameter in family.parameters}
    natural = {"real": eta, "positive": np.exp(eta), "unit": 1 / (1 + np.exp(-eta))}
    parameters[family.parent.name] = natural[family.parent.support]
    trials = rng.integers(1, 11, rows).astype(float)
    companions = {"trials": trials} if family.companions else {}
    y = np.asarray(family.random(rng, parameters, companions), dtype=float)
    if family.response_support == "unit":
        y = np.clip(y, 1e-6, 1 - 1e-6)
    common = {f"x{column + 1}": x[column] for column in range(columns)}
    return pd.DataFrame({"y": y, **companions, **common, "g": [f"g{level}" for level in g]})


def build(name: str, rows: int, columns: int, groups: int) -> Model:
    """A model of `columns` common columns, with an intercept and a slope by group where there are groups."""
    family = get_family(name)
    data = simulate(family, rows, columns, groups)
    response = "p(y, trials)" if family.companions else "y"
    terms = [f"x{column + 1}" for column in range(columns)] + (["(x1|g)"] if groups else [])
    link = "log" if family.parent.support == "positive" else None
    return Model(f"{response} ~ {' + '.join(terms)}", data, family=name, link=link)


@functools.cache
def compiled_loop(data_type: Any) -> Callable[..., float]:
    """``loop(logdensity, position, gradient, data, times)``: so many gradients in a row, without Python."""
    density = types.FunctionType(types.float64(VECTOR, VECTOR, data_type))
    return kernel_with_signature(_loop, types.float64(density, VECTOR, VECTOR, data_type, types.int64))


def _loop(logdensity, position, gradient, data, times):
    total = 0.0
    for _ in range(times):
        total += logdensity(position, gradient, data)
    return total


def best_seconds(work: Callable[[int], Any], at_least: float = 0.05, tries: int = 5) -> float:
    """Seconds of one unit of work: the best of several loops, each long enough to be timed."""
    times = 1
    while True:
        began = time.perf_counter()
        work(times)
        spent = time.perf_counter() - began
        if spent >= at_least:
            break
        times = max(times + 1, int(times * min(20.0, 1.5 * at_least / max(spent, 1e-7))))
    best = spent
    for _ in range(tries - 1):
        began = time.perf_counter()
        work(times)
        best = min(best, time.perf_counter() - began)
    return best / times


def gradient_seconds(target: Target) -> float:
    """Seconds of one gradient at the place where chains start."""
    logdensity = compiled_logdensity(target.logdensity, target.data_type)
    loop = compiled_loop(target.data_type)
    position = target.launch().center
    gradient, data = np.empty_like(position), target.data
    if not np.isfinite(loop(logdensity, position, gradient, data, 1)):
        sys.exit("The log density is not finite where the gradient was to be timed.")
    return best_seconds(lambda times: loop(logdensity, position, gradient, data, times))


def bytes_read(target: JointTarget) -> int:
    """Size of what one gradient reads row by row."""
    model = target.model
    return sum(array.nbytes for array in (model.y, model.matrix, model.z, model.weights, model.offsets, model.levels))


@numba.njit(nogil=True, fastmath={"reassoc", "contract"})
def _sum_often(values, times):
    total = 0.0
    for _ in range(times):
        one = 0.0
        for i in range(values.shape[0]):
            one += values[i]
        values[0] = 1e-9 * one  # so that no pass can be left out
        total += one
    return total


def pass_seconds(size: int) -> float:
    """Seconds of one vectorised sum over so many bytes."""
    values = np.ones(max(size // 8, 1))
    return best_seconds(lambda times: _sum_often(values, times))


@dataclass(frozen=True)
class Price:
    """Seconds of one gradient and of one pass over what it reads."""

    family: str
    rows: int
    groups: int
    gradient: float
    one_pass: float

    @property
    def per_row(self) -> float:
        """Nanoseconds per row of the gradient."""
        return self.gradient / self.rows * 1e9

    @property
    def pass_per_row(self) -> float:
        """Nanoseconds per row of the pass."""
        return self.one_pass / self.rows * 1e9


def price(family: str, rows: int, columns: int, groups: int) -> Price:
    """Measure one model."""
    target = JointTarget(specification_of(build(family, rows, columns, groups)).posterior.assembled, use_pilot=False)
    return Price(family, rows, groups, gradient_seconds(target), pass_seconds(bytes_read(target)))


HEADER = (
    "| family | rows | groups | one gradient, us | ns per row | one pass, ns per row | gradient / pass |\n"
    "| --- | --- | --- | --- | --- | --- | --- |"
)


def line(found: Price) -> str:
    """A row of the table."""
    return (
        f"| {found.family} | {found.rows:,} | {found.groups:,} | {found.gradient * 1e6:,.1f} | {found.per_row:.2f} "
        f"| {found.pass_per_row:.2f} | {found.gradient / found.one_pass:.1f} |"
    )


def report(prices: list[Price], columns: int) -> str:
    """The Markdown page."""
    parts = [
        "# What one gradient costs",
        f"{made_by('gradient.py')} {columns} columns; groups are the levels of a factor with an intercept and a slope. "
        "One thread; least of several loops. A pass is a vectorised sum over as many bytes as the gradient reads.",
        "\n".join([HEADER, *map(line, prices)]),
    ]
    return "\n\n".join(parts) + "\n"


def plot(prices: list[Price], path: Path) -> None:
    """Nanoseconds per row at the largest number of rows, one line for each family and number of groups."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    most = max(found.rows for found in prices)
    shown = sorted((found for found in prices if found.rows == most), key=lambda found: (found.per_row, found.family))
    labels = [f"{found.family}, {found.groups:,} groups" if found.groups else found.family for found in shown]
    figure, axes = plt.subplots(figsize=(6.4, 0.6 + 0.24 * len(shown)))
    axes.plot([found.pass_per_row for found in shown], labels, "|", color="black", ms=9, label="one pass over its data")
    axes.plot([found.per_row for found in shown], labels, "o", label="one gradient")
    axes.set(xscale="log", xlabel=f"ns per row at {most:,} rows")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", default="", help="by name and comma (default: all)")
    parser.add_argument("--rows", default="1000,10000,100000")
    parser.add_argument("--groups", default="0,100", help="levels of the factor; 0: no groups")
    parser.add_argument("--columns", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "benchmarks", help="default: build/benchmarks")
    arguments = parser.parse_args()
    names = (
        arguments.families.split(",")
        if arguments.families
        else [name for name in family_names() if get_family(name).bind is None]
    )
    if wrong := set(names) - set(family_names()):
        sys.exit(f"There is no {', '.join(sorted(wrong))}; there are {', '.join(family_names())}.")
    arguments.out.mkdir(parents=True, exist_ok=True)
    print(HEADER, flush=True)
    prices: list[Price] = []
    for name in names:
        for rows in map(int, arguments.rows.split(",")):
            for groups in map(int, arguments.groups.split(",")):
                prices.append(price(name, rows, arguments.columns, groups))
                print(line(prices[-1]), flush=True)
    (arguments.out / "gradient.md").write_text(report(prices, arguments.columns), encoding="utf-8")
    plot(prices, arguments.out / "gradient.png")


if __name__ == "__main__":
    main()
