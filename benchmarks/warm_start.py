"""How long a warm process takes from its start to a printed summary, and what of it; beside another checkout by turns.

    python benchmarks/warm_start.py --repeats 12 --beside ../older --out benchmarks/results

``--beside`` is a checkout, made by ``git worktree add ../older COMMIT`` for example. Each checkout has compiled code of
its own in a temporary folder, which a first process fills. Then the two take turns, so that what else the machine does
meanwhile falls on both. Compared are medians of the time until the summary is printed, until the process has ended, and
of user time; parts are processor seconds (user and system) inside one process, the least of all repeats.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from provenance import made_by
from repository import ROOT

SCRIPT = """
import resource
def used():
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime
times = [0.0, used()]
import numpy, pandas
times.append(used())
import numba
times.append(used())
import nutslite as nl
data = nl.load_data("sleepstudy")
nl.Model
times.append(used())
model = nl.Model("Reaction ~ Days + (Days|Subject)", data)
times.append(used())
results = model.fit(random_seed=1, progressbar=False)
times.append(used())
str(nl.summary(results))
times.append(used())
print(*(after - before for before, after in zip(times, times[1:])))
"""
PARTS = (
    "Python",
    "NumPy and pandas",
    "Numba",
    "modules of nutslite, data",
    "`Model(...)`",
    "`fit`",
    "`summary`, printed",
)
WHOLE = """
import nutslite as nl
model = nl.Model("Reaction ~ Days + (Days|Subject)", nl.load_data("sleepstudy"))
print(nl.summary(model.fit(random_seed=1, progressbar=False)), flush=True)
"""


def run(code: str, checkout: Path, cache: Path) -> tuple[float, float, float, str]:
    """Seconds until a process printed, until it had ended, and of user time; and what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "NUMBA_CACHE_DIR": str(cache)}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, time.perf_counter()
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, env=environment, cwd=cache, stdout=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        printed = time.perf_counter() - began
        rest = process.stdout.read()
    wall = time.perf_counter() - began
    if process.returncode != 0:
        raise SystemExit(f"The process of {checkout} failed.")
    return printed, wall, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, first + rest


def table(repeats: int, beside: Path | None) -> str:
    """The measurements as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        checkouts = {"this": ROOT} | ({} if beside is None else {"other": beside.resolve()})
        caches = {name: Path(folder, name) for name in checkouts}
        for name, checkout in checkouts.items():
            caches[name].mkdir()
            run(WHOLE, checkout, caches[name])
        seconds: dict[str, list[tuple[float, float, float]]] = {name: [] for name in checkouts}
        for _ in range(repeats):
            for name, checkout in checkouts.items():
                seconds[name].append(run(WHOLE, checkout, caches[name])[:3])
        parts = [[float(word) for word in run(SCRIPT, ROOT, caches["this"])[3].split()] for _ in range(repeats)]
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in seconds.items()
    }
    lines = ["| process | s until printed | s until its end | user s |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {name} checkout | " + " | ".join(f"{each:.2f}" for each in row) + " |" for name, row in medians.items()
    ]
    if beside is not None:
        ratios = [this / other for this, other in zip(medians["this"], medians["other"], strict=True)]
        lines.append("| ratio | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |")
    lines += ["", "| part of this checkout's | processor s |", "| --- | --- |"]
    lines += [f"| {part} | {min(column):.2f} |" for part, column in zip(PARTS, zip(*parts, strict=True), strict=True)]
    return "\n".join(lines)


def main() -> None:
    """Measure and print, or write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--beside", type=Path, help="another checkout")
    parser.add_argument("--out", type=Path, help="folder for warm_start.md")
    arguments = parser.parse_args()
    measured = table(arguments.repeats, arguments.beside)
    found = f"# From a warm start to a printed summary\n\n{made_by('warm_start.py')}\n\n{measured}\n"
    print(found)
    if arguments.out is not None:
        (arguments.out / "warm_start.md").write_text(found, encoding="utf-8")


if __name__ == "__main__":
    main()
