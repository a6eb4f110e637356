"""Nanoseconds a row of family kernels with native links, beside an older commit, by the rows of a call.

Run from the repository: ``python benchmarks/kernel_rows.py --commit 7e7b479 [--out FOLDER]``. The commit is checked out
beside the sources. Processes of the two take turns; a figure is the least processor time of several loops in compiled
code. ``total`` is a sum without derivatives, as proposals over data on an engine take it. Parents vary, others do not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from provenance import made_by
from repository import ROOT, checked_out

FAMILIES = (
    "bernoulli,binomial,poisson,negativebinomial,zero_inflated_poisson,gamma,exponential,beta,weibull,gaussian,"
    "lognormal,t"
)
ROWS = (50, 220, 1000, 20_000)
WORK = """
import json, sys, time
tree, families, sizes = sys.argv[1], sys.argv[2].split(","), json.loads(sys.argv[3])
sys.path[:0] = [tree, tree + "/benchmarks"]
import numba, numpy as np
from gradient import simulate
from nutslite.families.record.family import compiled_loglik
from nutslite.families.record.register import get_family

def least(loop, arguments, rows):
    loop(1, *arguments)
    times = max(1, 1_000_000 // rows)
    found = []
    for _ in range(9):
        began = time.process_time()
        loop(times, *arguments)
        found.append((time.process_time() - began) / times / rows * 1e9)
    return min(found)

prices = {}
for name in families:
    family = get_family(name)
    codes = np.array([parameter.native_link for parameter in family.parameters])
    kernel, total = compiled_loglik(family, codes), family.total

    @numba.njit
    def often(times, y, weights, eta, varies, links, out, slopes):
        for _ in range(times):
            kernel(y, weights, 0, eta, varies, links, out, slopes)

    @numba.njit
    def add_often(times, y, rows, eta):
        added = 0.0
        for _ in range(times):
            added += total(y, 0, rows, eta)
        return added

    for rows in sizes:
        data = simulate(family, rows, 2, 0)
        y = np.ascontiguousarray(family.prepare(data[["y", *family.companions]].to_numpy().T.copy()))
        eta = np.random.default_rng(1).normal(size=(len(codes), rows))
        varies = np.zeros(len(codes), np.int64)
        varies[0] = 1
        out, slopes = np.empty(rows), np.empty_like(eta)
        prices[f"{name}|{rows}"] = least(often, (y, np.empty(0), eta, varies, codes, out, slopes), rows)
        if total is not None:
            prices[f"{name}, total|{rows}"] = least(add_often, (y, rows, eta), rows)
print(json.dumps(prices))
"""


def measure(trees: dict[str, Path], families: str, folder: Path, repeats: int) -> dict[str, dict[str, float]]:
    """By tree: the least of all processes, by family and rows."""
    found: dict[str, dict[str, float]] = {name: {} for name in trees}
    for _ in range(repeats):
        for name, tree in trees.items():
            kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
            command = [sys.executable, "-c", WORK, str(tree), families, json.dumps(ROWS)]
            environment = {**kept, "NUMBA_CACHE_DIR": str(folder / f"cache-{name}")}
            printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
            for key, price in json.loads(printed.splitlines()[-1]).items():
                found[name][key] = min(price, found[name].get(key, price))
    return found


def page(found: dict[str, dict[str, float]], commit: str) -> str:
    """The Markdown page."""
    lines = [
        f"| kernel | {' | '.join(f'{rows:,} rows: before | now | ratio' for rows in ROWS)} |",
        f"| --- {'| --- | --- | --- ' * len(ROWS)}|",
    ]
    for name in dict.fromkeys(key.split("|")[0] for key in found["now"]):
        cells = [name]
        for rows in ROWS:
            before, now = found["before"][f"{name}|{rows}"], found["now"][f"{name}|{rows}"]
            cells += [f"{before:.2f}", f"{now:.2f}", f"{now / before:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    title = "# Nanoseconds a row of family kernels, beside an older commit"
    about = f"{made_by('kernel_rows.py')} The older commit is {commit}; processes take turns, least processor times."
    return "\n\n".join([title, about, "\n".join(lines)]) + "\n"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--families", default=FAMILIES)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "benchmarks", help="default: build/benchmarks")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with checked_out(arguments.commit, folder) as before:
            found = measure({"before": before, "now": ROOT}, arguments.families, folder, arguments.repeats)
    text = page(found, arguments.commit)
    print(text)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "kernel_rows.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
