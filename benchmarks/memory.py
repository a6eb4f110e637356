"""Memory of models of a million rows: the peak of `Model(...)` and of `fit` beside the size of the data.

    python benchmarks/memory.py [--out benchmarks/results] [--cases gaussian-columns,...] [--rows 100000]

Three families, with ten columns, and with an effect of each of 100,000 groups; groups are whole numbers, texts or
categories. Each case is a process of its own, which first fits the same formula to 4,000 rows of 400 groups, by the
method of a million, so that imports and compiled code are no part of the figures. Memory is resident memory above that
of the process with the data frame in it; its peak is the kernel's own (VmHWM, set back before each step), so it runs on
Linux only. The size of the data is pandas' ``memory_usage(deep=True)``. Draws of group effects are results: their size
stands in a column of its own and is no part of the peak beside it.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from provenance import made_by
from repository import ROOT

ROWS, COLUMNS, GROUPS = 1_000_000, 10, 100_000
DRAWS, CHAINS = 20, 2
SMALL_ROWS, SMALL_GROUPS = 4_000, 400
FAMILIES = ("gaussian", "bernoulli", "poisson")
KINDS = {"columns": "10 columns", "groups": "groups of 10 rows, numbers", "texts": "groups of 10 rows, texts"} | {
    "categories": "groups of 10 rows, categories"
}
MEBIBYTE = 2**20
HEAD = ("family", "data", "size of the data", "peak of Model", "kept by it", "peak of fit", "draws")
HEAD += ("Model / data", "fit / data", "log likelihoods to disk", "their file", "method")


def simulate(family: str, kind: str, rows: int, groups: int) -> pd.DataFrame:
    """Data of a case; every group is there."""
    rng = np.random.default_rng(1)
    count = COLUMNS if kind == "columns" else 1
    columns: dict[str, Any] = {f"x{place}": rng.normal(size=rows) for place in range(1, count + 1)}
    eta = sum(0.1 * column for column in columns.values())
    if kind != "columns":
        level = np.arange(rows) % groups
        rng.shuffle(level)
        eta = eta + 0.5 * rng.normal(size=groups)[level]
        columns["g"] = level
        if kind != "groups":
            names = np.array([f"group {place}" for place in range(groups)])
            columns["g"] = pd.Series(names[level]) if kind == "texts" else pd.Categorical.from_codes(level, names)
    if family == "gaussian":
        response = eta + rng.normal(size=rows)
    elif family == "bernoulli":
        response = (rng.random(rows) < 1 / (1 + np.exp(-eta))).astype(int)
    else:
        response = rng.poisson(np.exp(eta))
    return pd.DataFrame({"y": response, **columns})


def measured(case: str, rows: int) -> dict[str, Any]:
    """Mebibytes of one case, in this process."""
    import nutslite as nl

    warnings.simplefilter("ignore")
    family, kind = case.split("-")
    terms = " + ".join(f"x{place}" for place in range(1, COLUMNS + 1)) if kind == "columns" else "x1 + (1|g)"
    options: dict[str, Any] = {"draws": DRAWS, "chains": CHAINS, "cores": 1, "random_seed": 1}
    options |= {"progressbar": False, "compute_convergence_checks": False}
    small = nl.Model(f"y ~ {terms}", simulate(family, kind, SMALL_ROWS, SMALL_GROUPS), family=family).fit(**options)
    small["posterior"]  # waits for imports beside the fit
    data = simulate(family, kind, rows, max(SMALL_GROUPS, GROUPS * rows // ROWS))
    found: dict[str, Any] = {"case": case, "data": data.memory_usage(deep=True).sum() / MEBIBYTE}
    before = begin()
    started = time.perf_counter()
    model = nl.Model(f"y ~ {terms}", data, family=family)
    found |= {"model": highest() - before, "model_seconds": time.perf_counter() - started}
    found["kept"] = begin() - before
    started = time.perf_counter()
    results = model.fit(**options)
    found |= {"fit": highest() - before, "fit_seconds": time.perf_counter() - started}
    posterior = results["posterior"]
    found["draws"] = sum(int(variable.nbytes) for variable in posterior.data_vars.values()) / MEBIBYTE
    found["method"] = str(posterior.attrs["inference_method"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "likelihoods.nc"
        model.compute_log_likelihood(results.isel(draw=[0]), to=path, inplace=False)  # imports
        before = begin()
        model.compute_log_likelihood(results, to=path)
        found |= {"written": highest() - before, "file": path.stat().st_size / MEBIBYTE}
    return found


def begin() -> float:
    """Mebibytes that this process has now, without what it could give back; its peak starts here."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return _status("VmRSS")


def highest() -> float:
    """The most mebibytes that this process had since `begin`."""
    return _status("VmHWM")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def table(found: list[dict[str, Any]], head: str, rows: int) -> str:
    """The page."""
    lines = [
        "# Memory of large models",
        "",
        f"{head} {rows:,} rows; {DRAWS} draws of {CHAINS} chains. Mebibytes above those of the process with the data",
        "frame in it. `fit` is the peak while it runs, with what the model keeps, without the draws (in their own",
        "column); its ratio is to the size of the data. Log likelihoods are those of all draws, by",
        "`compute_log_likelihood(results, to=...)`: the peak above what there was before, and the netCDF file.",
        "",
        f"| {' | '.join(HEAD)} |",
        f"| --- | --- | {'---: | ' * (len(HEAD) - 3)}--- |",
    ]
    for one in found:
        family, kind = one["case"].split("-")
        fit = one["fit"] - one["draws"]
        sizes = (one["data"], one["model"], one["kept"], fit, one["draws"])
        cells = [family, KINDS[kind], *(f"{size:.0f}" for size in sizes)]
        cells += [f"{one['model'] / one['data']:.2f}", f"{fit / one['data']:.2f}"]
        cells += [f"{one['written']:.0f}", f"{one['file']:.0f}", one["method"]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure every case in a process of its own; write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(f"{family}-{kind}" for kind in KINDS for family in FAMILIES))
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--here", action="store_true", help="one case, in this process, as JSON")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.here:
        print(json.dumps(measured(arguments.cases, arguments.rows)))
        return
    found = []
    for case in arguments.cases.split(","):
        words = [sys.executable, __file__, "--here", "--cases", case, "--rows", str(arguments.rows)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            raise SystemExit(f"{case}: {done.stderr[-2000:]}")
        found.append(json.loads(done.stdout.splitlines()[-1]))
        print({name: f"{one:.1f}" if isinstance(one, float) else one for name, one in found[-1].items()}, flush=True)
    text = table(found, made_by("memory.py"), arguments.rows)
    print(text)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "memory.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
