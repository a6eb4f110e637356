"""What an older commit costs beside the present sources: gradients, and compilation of a first fit, of M1 to M8.

Run from the repository: ``python benchmarks/against_commit.py --commit a68bcea [--repeats 3] [--out FOLDER]``.
The commit is checked out beside the sources. Every figure is of a process of its own, and those of the two take turns.
A gradient is the least of several loops, of the density that the default plan samples and of the joint one. Compilation
is processor time between Numba's own events in a short fit that begins with an empty cache.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median

from cases import CASES, Case, write_data
from provenance import made_by
from repository import ROOT, checked_out

WORK = """
import json, sys, threading, time
tree, path, phase, case = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
sys.path[:0] = [tree, tree + "/benchmarks"]
import numpy as np, pandas as pd
from numba.core import event
with np.load(path) as arrays:
    frame = pd.DataFrame({name: arrays[name] for name in arrays.files})

class Compilations(event.Listener):
    seconds, depth = 0.0, threading.local()
    def on_start(self, happened):
        self.depth.open = getattr(self.depth, "open", 0) + 1
        if self.depth.open == 1:
            self.depth.began = time.thread_time()
    def on_end(self, happened):
        self.depth.open -= 1
        if self.depth.open == 0:
            self.seconds += time.thread_time() - self.depth.began

compilations = Compilations()
with event.install_listener("numba:compile", compilations):
    from nutslite.model import Model
    model = Model(case["formula"], frame, family=case["family"], link=case["link"])
    if phase == "fit":
        model.fit(draws=20, chains=2, cores=1, random_seed=1, progressbar=False, compute_convergence_checks=False)
        print(json.dumps(compilations.seconds))
        sys.exit()
from gradient import gradient_seconds
try:
    from nutslite.model.record.specification import specification_of
    from nutslite.posterior.targets.plan import make_plan
    assembled = specification_of(model).posterior.assembled
except ImportError:  # before rooms had wings
    from nutslite.posterior.plan import make_plan
    assembled = model._assembly
plans = [make_plan(assembled), make_plan(assembled, "joint", pilot=False, merge=False)]
print(json.dumps([gradient_seconds(plan.target()) for plan in plans]))
"""

GRADIENT_PROCESSES = 16
ONE_THREAD = {
    "NUTSLITE_COMPILE_BESIDE": "0",
    "NUMBA_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONWARNINGS": "ignore",
}


def run(tree: Path, data: Path, phase: str, case: Case, cache: Path) -> float | list[float]:
    """One process on one tree of sources: what it prints last."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")}
    told = json.dumps({name: value for name, value in asdict(case).items() if name in ("formula", "family", "link")})
    done = subprocess.run(
        [sys.executable, "-c", WORK, str(tree), str(data), phase, told],
        env={**kept, **ONE_THREAD, "NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=False,
        cwd=cache.parent,
    )
    if done.returncode:
        sys.exit(f"{tree}, {case.name}, {phase}: {done.stderr[-2000:]}")
    found: float | list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(trees: dict[str, Path], case: Case, data: Path, folder: Path, repeats: int) -> dict[str, dict[str, float]]:
    """By tree: median compile seconds, least seconds of the plan's gradient and of the joint one."""
    compiled: dict[str, list[float]] = {name: [] for name in trees}
    gradients: dict[str, list[list[float]]] = {name: [] for name in trees}
    caches = {}
    for repeat in range(repeats):
        for name, tree in trees.items():
            caches[name] = folder / f"cache-{name}-{case.name}-{repeat}"
            caches[name].mkdir()
            seconds = run(tree, data, "fit", case, caches[name])
            assert isinstance(seconds, float)
            compiled[name].append(seconds)
    for _ in range(GRADIENT_PROCESSES):  # where arrays lie in memory changes a gradient by a tenth
        for name, tree in trees.items():
            found = run(tree, data, "gradient", case, caches[name])
            assert isinstance(found, list)
            gradients[name].append(found)
    return {
        name: {
            "compile": median(compiled[name]),
            "plan": min(own for own, _ in gradients[name]),
            "joint": min(own for _, own in gradients[name]),
        }
        for name in trees
    }


def page(found: dict[str, dict[str, dict[str, float]]], commit: str, repeats: int) -> str:
    """The Markdown page."""
    lines = [
        "# Gradients and compilation beside an older commit",
        f"{made_by('against_commit.py')} The older commit is {commit}; processes take turns. Compilation is processor "
        f"time, the median of {repeats} processes each; gradients are the least of {GRADIENT_PROCESSES} processes.",
        "| model | compile, s: before | now | ratio | gradient of the plan's density, us: before | now | ratio "
        "| joint gradient, us: before | now | ratio |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    rows = []
    for name, trees in found.items():
        before, now = trees["before"], trees["now"]
        cells = [name]
        for key, unit in (("compile", 1.0), ("plan", 1e6), ("joint", 1e6)):
            cells += [f"{before[key] * unit:.2f}", f"{now[key] * unit:.2f}", f"{now[key] / before[key]:.2f}"]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n\n".join([*lines[:2], "\n".join([lines[2], *rows])]) + "\n"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--models", default=",".join(f"M{number}" for number in range(1, 9)))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with checked_out(arguments.commit, folder) as before:
            found = {}
            for case in CASES:
                if case.name in arguments.models.split(","):
                    data = write_data(case, folder / "data")
                    trees = {"before": before, "now": ROOT}
                    found[case.name] = measure(trees, case, data, folder, arguments.repeats)
                    print(case.name, found[case.name], flush=True)
            text = page(found, arguments.commit, arguments.repeats)
    print(text)
    if arguments.out:
        (arguments.out / "against_commit.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
