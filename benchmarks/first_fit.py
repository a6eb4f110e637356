"""How long a new user waits: import, cold first fit (compilation included), warm fit in a fresh process, what compiled.

Run from the repository: ``python benchmarks/first_fit.py [--repeats 3] [--draws 1000]``. Every figure is wall time of a
process of its own, from its start until the summary is printed, of ``Reaction ~ Days + (Days|Subject)`` on the bundled
data. "Cold" starts from an empty NUMBA_CACHE_DIR, "warm" from the one that a process before it filled. The table of
what compiled comes from Numba's own events in another cold process; a function that compiles others while it compiles
is charged only for the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FIT = """
import nutslite as nl
model = nl.Model("Reaction ~ Days + (Days|Subject)", nl.load_data("sleepstudy"))
results = model.fit(draws={draws}, chains=4, random_seed=1, progressbar=False)
print(nl.summary(results))
"""

# What Numba compiles, with nested compilations taken out of the time of the one that asked for them. One stack per
# thread, since chains are threads.
LISTENER = """
import json, threading, time
from numba.core import event

class Compilations(event.Listener):
    def __init__(self):
        self.open, self.done = threading.local(), []
    def on_start(self, happened):
        self.stack.append([time.perf_counter(), 0.0])
    def on_end(self, happened):
        started, nested = self.stack.pop()
        seconds = time.perf_counter() - started
        if self.stack:
            self.stack[-1][1] += seconds
        function = happened.data["dispatcher"].py_func
        self.done.append([function.__module__, function.__qualname__, seconds - nested])
    @property
    def stack(self):
        if not hasattr(self.open, "stack"):
            self.open.stack = []
        return self.open.stack

compilations = Compilations()
event.register("numba:compile", compilations)
"""


def run(code: str, cache: Path) -> tuple[float, str]:
    """Wall seconds and standard output of `code` in a fresh process that keeps compiled kernels in `cache`."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"NUMBA_CACHE_DIR": str(cache), "MPLBACKEND": "Agg"}
    started = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if ran.returncode:
        sys.exit(f"The benchmarked process failed:\n{ran.stderr}")
    return seconds, ran.stdout


def median_of(times: list[float]) -> str:
    """Median and, where there are several, range."""
    spread = f"  (of {len(times)}, {min(times):.2f} to {max(times):.2f})" if len(times) > 1 else ""
    return f"{statistics.median(times):7.2f} s{spread}"


def compiled_functions(code: str) -> list[tuple[str, str, float]]:
    """Module, name and own seconds of everything that Numba compiles when `code` runs with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        _, printed = run(f"{LISTENER}\n{code}\nprint(json.dumps(compilations.done))", Path(cache))
    return [tuple(row) for row in json.loads(printed.splitlines()[-1])]


def print_compilations(rows: list[tuple[str, str, float]], shown: int) -> None:
    """Seconds by room, then by function, longest first."""
    rooms: dict[str, float] = defaultdict(float)
    functions: dict[str, list[float]] = defaultdict(list)
    for module, name, seconds in rows:
        parts = module.split(".")
        rooms[parts[1] if parts[0] == "nutslite" and len(parts) > 1 else parts[0]] += seconds
        functions[f"{module}.{name}"].append(seconds)
    print(f"\ncompiled, cold: {len(rows)} specialisations, {sum(rooms.values()):.2f} s (own time, listener attached)")
    for room, seconds in sorted(rooms.items(), key=lambda item: -item[1]):
        print(f"{seconds:7.2f} s  {room}")
    print(f"\nthe {min(shown, len(functions))} longest of {len(functions)} functions")
    for name, times in sorted(functions.items(), key=lambda item: -sum(item[1]))[:shown]:
        print(f"{sum(times):7.2f} s  {len(times):2} x  {name}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="fresh processes per figure (default: 3)")
    parser.add_argument("--draws", type=int, default=1000, help="draws of each chain (default: 1000)")
    parser.add_argument("--functions", type=int, default=25, help="rows of the table of functions (default: 25)")
    arguments = parser.parse_args()
    fit = FIT.format(draws=arguments.draws)

    draws = f"4 chains x {arguments.draws} draws and the default warm-up"
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {draws}\n")
    with tempfile.TemporaryDirectory() as folder:
        keep = Path(folder) / "warm"
        run(fit, keep)  # bytecode of every package, and the cache for the warm runs
        bare = [run("pass", keep)[0] for _ in range(arguments.repeats)]
        imported = [run("import nutslite", keep)[0] for _ in range(arguments.repeats)]
        cold = [run(fit, Path(folder) / f"cold{repeat}")[0] for repeat in range(arguments.repeats)]
        warm = [run(fit, keep)[0] for _ in range(arguments.repeats)]
        kept = [file.stat().st_size for file in keep.rglob("*.nb?")]
    print(f"python alone        {median_of(bare)}")
    print(f"import nutslite     {median_of(imported)}")
    print(f"cold, to summary    {median_of(cold)}")
    print(f"warm, to summary    {median_of(warm)}")
    print(f"kept on disk        {len(kept)} files, {sum(kept) / 1e6:.1f} MB")
    print_compilations(compiled_functions(fit), arguments.functions)


if __name__ == "__main__":
    main()
