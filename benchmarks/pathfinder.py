"""The approximations beside known posteriors: how wrong means and sds are, and whether k-hat says so.

Run from the repository: ``python benchmarks/pathfinder.py --out benchmarks/results/pathfinder.md``. It needs the
reference posteriors (docs: `reference_posteriors.py`).
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reference_cases import CASES, Case
from reference_comparison import Difference
from reference_runs import differences
from reference_values import read_reference, shared_folder

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from provenance import made_by  # noqa: E402

from nutslite._pareto import LARGEST_SHAPE  # noqa: E402
from nutslite.results.container.inference_data import get_group  # noqa: E402

METHODS: dict[str, dict[str, Any]] = {
    "laplace": {"inference_method": "laplace"},
    "pathfinder": {"inference_method": "pathfinder"},
    "pathfinder, joint": {"inference_method": "pathfinder", "plan": "joint"},
}
WRONG = 0.3  # sds that a mean is off


class Row:
    """One case by one method: its largest errors, and what the method says of itself."""

    def __init__(self, case: Case, method: str, found: Sequence[Difference], attributes: Any, seconds: float) -> None:
        self.case, self.method, self.seconds = case.name, method, seconds
        self.khat, self.unique = attributes.get("khat"), attributes.get("unique_draws")
        self.gradients = attributes.get("n_gradients")
        sds = {d.quantity: d.theirs for d in found if d.statistic == "sd"}
        means = {d.quantity: abs(d.ours - d.theirs) / sds[d.quantity] for d in found if d.statistic == "mean"}
        self.worst = max(means, key=lambda name: means[name])
        self.mean_error = means[self.worst]
        self.sd_error = max(abs(math.log(d.ours / d.theirs)) for d in found if d.statistic == "sd" and d.theirs > 0)

    def __str__(self) -> str:
        own = [f"{self.khat:.2f}", f"{self.unique:,}", f"{self.gradients:,}"] if self.khat is not None else ["", "", ""]
        cells = [self.case, self.method, f"{self.mean_error:.2f}", self.worst.replace("|", "\\|")]
        return "| " + " | ".join([*cells, f"{self.sd_error:.2f}", *own, f"{self.seconds:.2f}"]) + " |"


def run_case(case: Case, method: str, folder: Path, seed: int) -> Row:
    """Fit twice, the first time to compile, and compare the second with the reference."""
    model = case.model(folder / "data")
    options: Any = {**METHODS[method], "random_seed": seed, "progressbar": False}
    model.fit(draws=10, **options)
    began = time.perf_counter()
    results = model.fit(**options)
    seconds = time.perf_counter() - began
    found = differences(case, model, results, read_reference(case, folder), folder / "data")
    return Row(case, method, found, get_group(results, "posterior").attrs, seconds)


def summary(rows: Sequence[Row]) -> str:
    """By method: how often k-hat is good, how wrong means are there, and how many are wrong without a warning."""
    lines = []
    for method in METHODS:
        own = [row for row in rows if row.method == method]
        good = [row for row in own if row.khat is None or row.khat <= LARGEST_SHAPE]
        silent = [row for row in good if row.mean_error > WRONG]
        if good:
            lines.append(
                f"- {method}: no warning in {len(good)} of {len(own)} cases; there means are off by at most "
                f"{max(row.mean_error for row in good):.2f} sd, by more than {WRONG} in {len(silent)}."
            )
    return "\n".join(lines)


def main() -> None:
    """Run every case by both methods."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose names contain this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    logging.getLogger("nutslite").setLevel(logging.ERROR)
    folder, rows = shared_folder(), []
    lines = [
        "# Pathfinder and Laplace\n",
        f"{made_by('pathfinder.py')} 4 chains of 1,000 draws, kernels compiled. `joint`: where coefficients and "
        "effects would be integrated out, and are not. Errors are the largest of all parameters, group effects and "
        "expected responses that a reference knows: of means in posterior sds, of sds as logarithms of their ratio.\n",
        "| case | method | mean off by | worst | log sd ratio | k-hat | different draws | gradients | s |",
        "| --- | --- | --: | --- | --: | --: | --: | --: | --: |",
    ]
    for case in CASES.values():
        if arguments.only not in case.name:
            continue
        integrated = case.model(folder / "data").plan().path == "marginal"
        for method in METHODS:
            if method.endswith("joint") and not integrated:
                continue
            rows.append(run_case(case, method, folder, arguments.seed))
            lines.append(str(rows[-1]))
            sys.stdout.write(lines[-1] + "\n")
            sys.stdout.flush()
    lines.append(f"\n{summary(rows)}")
    sys.stdout.write(lines[-1] + "\n")
    if arguments.out is not None:
        arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
