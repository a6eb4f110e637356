"""What recording costs: nothing where nothing is recorded; noting starts, and making a transition again, where it is.

Run from the repository: ``python benchmarks/recording.py --commit a475cb7 [--processes 6] [--out FOLDER]``.
The commit, one without the recorder, is checked out beside the sources. Every figure is of a process of its own, and
those of the two take turns. Time is processor time of one chain, per gradient, the least of several runs. Compilation
is processor time of the block of transitions with an empty cache. Its instructions are compared as text.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from provenance import made_by
from repository import ROOT, checked_out

WORK = r"""
import hashlib, json, re, sys, time
tree, phase = sys.argv[1:3]
sys.path.insert(0, tree)
import numpy as np
from nutslite._numba import kernel

@kernel
def normal(position, gradient, data):
    total = 0.0
    for i in range(position.shape[0]):
        gradient[i] = -position[i] / data[i]
        total += position[i] * gradient[i]
    return 0.5 * total

from nutslite.sampler.transition.chain import compiled_block
if phase == "compile":
    began = time.process_time()
    block = compiled_block()
    seconds = time.process_time() - began
    lines = "".join(block.inspect_asm().values()).splitlines()
    code = [line for line in lines if line.startswith("\t") and not line.startswith("\t.")]
    # words of errors have the path of the source in them, and are named by a digest
    code = re.sub(r"(pickle\w+\.)[0-9a-f]{40}", r"\1", "\n".join(code))
    digest = hashlib.sha256(code.encode()).hexdigest()
    print(json.dumps({"compile": seconds, "code": digest, "length": code.count("\n") + 1}))
    sys.exit()
from nutslite.sampler import sample
DIMENSIONS, RUNS, DRAWS = (2, 20, 200), 5, 1000
found = {}
for dimension in DIMENSIONS:
    data = np.linspace(1.0, 3.0, dimension)
    options = {"initial": np.zeros(dimension), "draws": DRAWS, "tune": 200, "random_seed": 1}
    def timed(run):
        least = np.inf
        for _ in range(RUNS):
            began = time.process_time()
            steps = run()
            least = min(least, (time.process_time() - began) / steps)
        return least
    def off():
        drawn = sample(normal, data, chains=1, cores=1, **options)
        return int(drawn.n_gradients[0] + drawn.n_warmup_gradients[0])
    off()
    costs = {"off": timed(off)}
    if phase == "on":
        from nutslite.recording import record_chain
        kept = []
        def on():
            kept[:] = [record_chain(normal, data, **options)]
            return int(kept[0].stats["n_steps"].sum())
        costs["noting"] = timed(on)
        began = time.process_time()
        steps = sum(kept[0][number].stats["n_steps"] for number in range(400, 430))
        costs["again"] = (time.process_time() - began) / steps
    found[dimension] = costs
print(json.dumps(found))
"""

ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


COMPILATIONS = 2
"""Processes of each tree that compile."""


def run(tree: Path, phase: str, cache: Path) -> dict[str, Any]:
    """One process on one tree of sources: what it prints."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")}
    environment = {**kept, **ONE_THREAD, "NUMBA_CACHE_DIR": str(cache), "NUTSLITE_COMPILE_BESIDE": "0"}
    script = cache.parent / "work.py"  # a file, so that its kernel is kept
    script.write_text(WORK, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), str(tree), phase],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=cache.parent,
    )
    if done.returncode:
        sys.exit(f"{tree}, {phase}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(before: Path, folder: Path, processes: int) -> dict[str, Any]:
    """Compile seconds and code of both trees; least seconds per gradient by dimension and kind."""
    trees = {"before": before, "now": ROOT}
    compiled: dict[str, list[dict[str, Any]]] = {name: [] for name in trees}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in trees}
    for repeat in range(COMPILATIONS):
        for name, tree in trees.items():
            cache = folder / f"cache-{name}-{repeat}"
            cache.mkdir()
            compiled[name].append(run(tree, "compile", cache))
    for _ in range(processes):
        for name, tree in trees.items():
            runs[name].append(run(tree, "on" if name == "now" else "off", folder / f"cache-{name}-0"))
    least = {
        dimension: {
            "before": min(found[dimension]["off"] for found in runs["before"]),
            **{kind: min(found[dimension][kind] for found in runs["now"]) for kind in ("off", "noting", "again")},
        }
        for dimension in runs["now"][0]
    }
    seconds = {name: median(each["compile"] for each in found) for name, found in compiled.items()}
    same = {each["code"] for found in compiled.values() for each in found}
    return {"least": least, "compile": seconds, "same": len(same) == 1, "length": compiled["now"][0]["length"]}


def page(found: dict[str, Any], commit: str, processes: int) -> str:
    """The Markdown page."""
    before, now = found["compile"]["before"], found["compile"]["now"]
    code = "are the same" if found["same"] else "DIFFER"
    lines = [
        "# What recording costs",
        f"{made_by('recording.py')} Commit {commit} has no recorder. {processes} processes each, taking turns.",
        f"The {found['length']:,} machine instructions of the block of transitions {code} with the recorder in the "
        f"package and without. It compiles in {before:.2f} s without and {now:.2f} s with it, ratio "
        f"{now / before:.2f}.",
        "Processor time per gradient of one chain, 200 warm-up transitions and 1,000 draws of a normal density, in "
        "microseconds: before there was a recorder; now, without one; with one that notes what transitions start from; "
        "of transitions made again in plain Python, with all their states.",
    ]
    rows = ["| dimensions | before | now | ratio | noting | ratio to now | made again |", f"|{' --- |' * 7}"]
    for dimension, each in found["least"].items():
        micro = {kind: 1e6 * seconds for kind, seconds in each.items()}
        rows.append(
            f"| {dimension} | {micro['before']:.2f} | {micro['off']:.2f} | {micro['off'] / micro['before']:.2f} "
            f"| {micro['noting']:.1f} | {micro['noting'] / micro['off']:.1f} | {micro['again']:.0f} |"
        )
    return "\n\n".join([*lines, "\n".join(rows)]) + "\n"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with checked_out(arguments.commit, folder) as before:
            text = page(measure(before, folder, arguments.processes), arguments.commit, arguments.processes)
    print(text)
    if arguments.out:
        (arguments.out / "recording.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
