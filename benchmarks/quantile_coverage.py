"""How often intervals of quantile regressions cover, as drawn and adjusted, over simulated data.

Run from the repository: ``python benchmarks/quantile_coverage.py --out benchmarks/results/quantile_coverage.md``.
`y = 1 + 2 x + s(x) e` with normal e, 200 rows (100 clusters: 500). In clusters a part of x and of e is one for all five
rows of a cluster. Group effects take some seconds a fit, the others a tenth of one. Of the family `quantiles`, which
models all levels at once, the quantiles at x = 1 are looked at: gaps are log-linear where others are linear.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from provenance import made_by  # noqa: E402

import nutslite as nl  # noqa: E402
from nutslite.results.container.inference_data import get_group  # noqa: E402

SIZE = 5  # of clusters
LEVELS = (0.1, 0.5, 0.9)
SPREADS = {
    "equal spread": (1.0, 0.0),
    "spread grows": (0.5, 0.5),
    "100 clusters": (1.0, 0.0),
    "40 clusters": (1.0, 0.0),
    "group effects": (1.0, 0.0),
}
"""By kind of data, s(x) as an intercept and a slope."""
FAMILIES = ("asymmetriclaplace", "elf", "quantiles")
SEVERAL = "quantiles"
AT = 1.0  # x of its quantiles
INTERVAL = (0.025, 0.975)
CLUSTER_SHARE = 0.4  # of the variance of e
AIM = (0.92, 0.97)
Found = dict[tuple[float, str], tuple[bool, float, bool, float]]
HEAD = """\
| data | level | family | coefficient | as drawn | width | adjusted | width |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


@dataclass(frozen=True)
class Case:
    """One model on one kind of data."""

    kind: str
    levels: tuple[float, ...]
    family: str

    @property
    def formula(self) -> str | nl.Formula:
        """With group effects, or without; with gaps that grow where the spread does."""
        formula = "y ~ x + (1|g)" if self.kind == "group effects" else "y ~ x"
        if self.family != SEVERAL or self.kind != "spread grows":
            return formula
        return nl.Formula(formula, "gap_10 ~ log1p(x)", "gap_90 ~ log1p(x)")

    @property
    def quantile(self) -> float | tuple[float, ...]:
        """What the model is of."""
        return self.levels if self.family == SEVERAL else self.levels[0]

    @property
    def groups(self) -> str | None:
        """What is given to `adjust_intervals`."""
        return "g" if self.kind.endswith("clusters") else None

    @property
    def rows(self) -> int:
        """Of the data."""
        return 500 if self.kind == "100 clusters" else 200

    @property
    def truth(self) -> dict[tuple[float, str], float]:
        """Of the population's quantiles, by level and name; with group effects the intercept is the average group's."""
        base, slope = SPREADS[self.kind]
        inside = 1.0 - CLUSTER_SHARE if self.kind == "group effects" else 1.0
        found = {}
        for level in self.levels:
            z = NormalDist().inv_cdf(level) * math.sqrt(inside)
            intercept, slope_of_x = 1.0 + base * z, 2.0 + slope * z
            if self.family == SEVERAL:
                found[level, f"at x = {AT:g}"] = intercept + AT * slope_of_x
            else:
                found |= {(level, "Intercept"): intercept, (level, "x"): slope_of_x}
        return found

    def draws(self, model: nl.Model, results: Any) -> dict[tuple[float, str], Any]:
        """Of what `truth` is of."""
        if self.family != SEVERAL:
            return {(level, name): get_group(results, "posterior")[name].to_numpy() for level, name in self.truth}
        where = pd.DataFrame({"x": [AT], "g": ["0"]})
        predicted = model.predict(results, data=where, include_group_specific=False, inplace=False)
        mu = get_group(predicted, "predictions")["mu"]
        return {(level, name): mu.sel(quantile_dim=level).to_numpy() for level, name in self.truth}

    def data(self, seed: int) -> pd.DataFrame:
        """One simulated set."""
        rng = np.random.default_rng([seed, list(SPREADS).index(self.kind)])
        rows = self.rows
        g = np.arange(rows) // SIZE
        x, e = rng.uniform(0.0, 2.0, rows), rng.normal(size=rows)
        if self.groups or self.kind == "group effects":
            x = 0.5 * x + rng.uniform(0.0, 1.0, rows // SIZE)[g]
            e = math.sqrt(1 - CLUSTER_SHARE) * e + math.sqrt(CLUSTER_SHARE) * rng.normal(size=rows // SIZE)[g]
        base, slope = SPREADS[self.kind]
        return pd.DataFrame({"x": x, "y": 1.0 + 2.0 * x + (base + slope * x) * e, "g": g.astype(str)})


def one(task: tuple[Case, int]) -> Found:
    """By level and name: whether the interval covers and how wide it is, as drawn and adjusted."""
    logging.getLogger("nutslite").setLevel(logging.ERROR)
    case, seed = task
    model = nl.Model(case.formula, case.data(seed), family=case.family, quantile=case.quantile)
    raw = model.fit(draws=500, chains=4, cores=1, random_seed=seed, progressbar=False)
    both = [case.draws(model, results) for results in (raw, model.adjust_intervals(raw, case.groups))]
    out = {}
    for of, truth in case.truth.items():
        parts: list[float] = []
        for draws in both:
            low, high = np.quantile(draws[of], INTERVAL)
            parts += [low <= truth <= high, high - low]
        out[of] = (bool(parts[0]), float(parts[1]), bool(parts[2]), float(parts[3]))
    return out


def table(found: dict[Case, list[Found]]) -> str:
    """One row a case, level and coefficient."""
    lines = []
    for case, sets in found.items():
        for level, name in case.truth:
            own = np.array([found_set[level, name] for found_set in sets], dtype=float)
            raw, raw_width, new, new_width = own.mean(axis=0)
            lines.append(
                f"| {case.kind} | {level} | {case.family} | {name} | {raw:.3f} | {raw_width:.2f} | {new:.3f} | "
                f"{new_width:.2f} |"
            )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=500, help="simulated sets a case")
    parser.add_argument("--kind", choices=SPREADS, action="append", help="these kinds of data only")
    parser.add_argument("--family", choices=FAMILIES, action="append", help="these families only")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, help="file of the table")
    options = parser.parse_args(arguments)
    cases = [
        Case(kind, levels, family)
        for family, kind in product(options.family or FAMILIES, options.kind or SPREADS)
        for levels in ([LEVELS] if family == SEVERAL else [(level,) for level in LEVELS])
    ]
    found: dict[Case, list[Found]] = {}
    begin = time.perf_counter()
    with ProcessPoolExecutor(options.processes) as pool:
        for case in cases:
            found[case] = list(pool.map(one, [(case, seed) for seed in range(options.sets)]))
            seconds = f"{time.perf_counter() - begin:.0f} s"
            print(f"{table({case: found[case]})} {seconds}", file=sys.stderr, flush=True)
            if options.out:  # as far as it goes
                options.out.write_text(page(found, options.sets), "utf-8")
    print(page(found, options.sets))


def page(found: dict[Case, list[Found]], sets: int) -> str:
    """The table, and what it says."""
    error = math.sqrt(0.95 * 0.05 / sets)
    return (
        "# Coverage of intervals of quantile regressions\n\n"
        f"Share of {sets} simulated sets whose 95 % interval holds the truth, and the mean width of intervals: "
        "of the draws as they are, and of `model.adjust_intervals(results)`. The standard error of a share of 0.95 is "
        f"{error:.3f}; adjusted shares are to be within {AIM[0]} and {AIM[1]}.\n\n"
        f"{HEAD}\n{table(found)}\n\n{made_by('quantile_coverage.py')}"
    )


if __name__ == "__main__":
    main()
