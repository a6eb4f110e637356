"""How often intervals of quantile regressions cover, as drawn and adjusted, over simulated data.

Run from the repository: ``python benchmarks/quantile_coverage.py --out benchmarks/results/quantile_coverage.md``.
`y = 1 + 2 x + s(x) e` with normal e, 200 rows (100 clusters: 500). In clusters a part of x and of e is one for all five
rows of a cluster. Group effects take some seconds a fit, the others a tenth of one.
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
FAMILIES = ("asymmetriclaplace", "elf")
INTERVAL = (0.025, 0.975)
CLUSTER_SHARE = 0.4  # of the variance of e
AIM = (0.92, 0.97)
HEAD = """\
| data | level | family | coefficient | as drawn | width | adjusted | width |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


@dataclass(frozen=True)
class Case:
    """One model on one kind of data."""

    kind: str
    level: float
    family: str

    @property
    def formula(self) -> str:
        """With group effects, or without."""
        return "y ~ x + (1|g)" if self.kind == "group effects" else "y ~ x"

    @property
    def groups(self) -> str | None:
        """What is given to `adjust_intervals`."""
        return "g" if self.kind.endswith("clusters") else None

    @property
    def rows(self) -> int:
        """Of the data."""
        return 500 if self.kind == "100 clusters" else 200

    @property
    def truth(self) -> dict[str, float]:
        """Of the population's quantile; with group effects the intercept's is that of the average group."""
        base, slope = SPREADS[self.kind]
        inside = 1.0 - CLUSTER_SHARE if self.kind == "group effects" else 1.0
        z = NormalDist().inv_cdf(self.level) * math.sqrt(inside)
        return {"Intercept": 1.0 + base * z, "x": 2.0 + slope * z}

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


def one(task: tuple[Case, int]) -> dict[str, tuple[bool, float, bool, float]]:
    """By coefficient: whether the interval covers and how wide it is, as drawn and adjusted."""
    logging.getLogger("nutslite").setLevel(logging.ERROR)
    case, seed = task
    model = nl.Model(case.formula, case.data(seed), family=case.family, quantile=case.level)
    raw = model.fit(draws=500, chains=4, cores=1, random_seed=seed, progressbar=False)
    out = {}
    found = [get_group(results, "posterior") for results in (raw, model.adjust_intervals(raw, case.groups))]
    for name, truth in case.truth.items():
        parts: list[float] = []
        for posterior in found:
            low, high = np.quantile(posterior[name].to_numpy(), INTERVAL)
            parts += [low <= truth <= high, high - low]
        out[name] = (bool(parts[0]), float(parts[1]), bool(parts[2]), float(parts[3]))
    return out


def table(found: dict[Case, list[dict[str, tuple[bool, float, bool, float]]]]) -> str:
    """One row a case and coefficient."""
    lines = []
    for case, sets in found.items():
        for name in case.truth:
            raw, raw_width, new, new_width = np.array([found_set[name] for found_set in sets], dtype=float).mean(axis=0)
            lines.append(
                f"| {case.kind} | {case.level} | {case.family} | {name} | {raw:.3f} | {raw_width:.2f} | {new:.3f} | "
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
        Case(kind, level, family)
        for family, kind, level in product(options.family or FAMILIES, options.kind or SPREADS, LEVELS)
    ]
    found: dict[Case, list[dict[str, tuple[bool, float, bool, float]]]] = {}
    begin = time.perf_counter()
    with ProcessPoolExecutor(options.processes) as pool:
        for case in cases:
            found[case] = list(pool.map(one, [(case, seed) for seed in range(options.sets)]))
            seconds = f"{time.perf_counter() - begin:.0f} s"
            print(f"{table({case: found[case]})} {seconds}", file=sys.stderr, flush=True)
    error = math.sqrt(0.95 * 0.05 / options.sets)
    text = (
        "# Coverage of intervals of quantile regressions\n\n"
        f"Share of {options.sets} simulated sets whose 95 % interval holds the truth, and the mean width of intervals: "
        "of the draws as they are, and of `model.adjust_intervals(results)`. The standard error of a share of 0.95 is "
        f"{error:.3f}; adjusted shares are to be within {AIM[0]} and {AIM[1]}.\n\n"
        f"{HEAD}\n{table(found)}\n\n{made_by('quantile_coverage.py')}"
    )
    print(text)
    if options.out:
        options.out.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
