"""Data beyond memory: time and memory of fits to Parquet files, by the number of rows.

    python benchmarks/data_on_engines.py --rows 1000000 10000000

Makes 10 columns of normal numbers, a Gaussian response and a yes/no answer, in blocks, and fits ``y ~ x0 + ... + x9``
to the files, each fit in a process of its own: of a Gaussian model (one pass), of a logistic regression (passes of many
positions), and of the Gaussian model read into memory, where `--ways` asks for that. Printed are seconds of making the
model and of fitting it, those of all processors beside them, and the peak of memory above that of a small fit before.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from repository import ROOT

COLUMNS = 10
BLOCK = 1_000_000
FILE_ROWS = 10_000_000
WAYS = ("gaussian", "bernoulli", "in memory")
RESULTS = ROOT / "benchmarks" / "results" / "data_on_engines.json"
HEADER = "| rows | model | draws | s to make it | of all processors | s to fit | of all processors | MB at most |"


def make_files(folder: Path, rows: int) -> None:
    """Parquet files with row groups of a million rows, 8 bytes a number, not compressed."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    slopes = np.linspace(-0.5, 0.5, COLUMNS)
    folder.mkdir(parents=True)
    writer, written = None, 0
    for number, start in enumerate(range(0, rows, BLOCK)):
        n = min(BLOCK, rows - start)
        rng = np.random.default_rng([1, number])
        x = rng.standard_normal((COLUMNS, n))
        eta = 0.3 + slopes @ x
        table = pa.table(
            {
                "y": eta + rng.standard_normal(n),
                "b": (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(np.int8),
                **{f"x{j}": x[j] for j in range(COLUMNS)},
            }
        )
        if writer is None or written >= FILE_ROWS:
            if writer is not None:
                writer.close()
            name = folder / f"part{start // FILE_ROWS:04d}.parquet"
            writer, written = parquet.ParquetWriter(name, table.schema, compression="none", use_dictionary=["b"]), 0
        writer.write_table(table, row_group_size=BLOCK)
        written += n
    if writer is not None:
        writer.close()


def run_one(folder: str, way: str, draws: int) -> dict[str, Any]:
    """One fit, in this process."""
    import resource

    import nutslite as nl

    warm_up(way)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    right = " + ".join(f"x{j}" for j in range(COLUMNS))
    family = "bernoulli" if way == "bernoulli" else "gaussian"
    formula = f"{'b' if family == 'bernoulli' else 'y'} ~ {right}"
    start, cpu = time.perf_counter(), time.process_time()
    model = nl.Model(formula, read(folder) if way == "in memory" else folder, family)
    made, cpu_made = time.perf_counter(), time.process_time()
    results = model.fit(draws=draws, random_seed=1, progressbar=False)
    end, cpu_end = time.perf_counter(), time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    slopes = [float(results["posterior"][f"x{j}"].mean()) for j in (0, COLUMNS - 1)]
    seconds = {"model": made - start, "fit": end - made, "model_cpu": cpu_made - cpu, "fit_cpu": cpu_end - cpu_made}
    return {"way": way, **seconds, "megabytes": (peak - before) / 1024, "slopes": slopes, "draws": 4 * draws}


def read(folder: str) -> Any:
    """The Gaussian model's columns in memory."""
    from pyarrow import dataset

    return dataset.dataset(folder).to_table(columns=["y", *(f"x{j}" for j in range(COLUMNS))])


def warm_up(way: str) -> None:
    """Compile, or load what was compiled, on a few rows."""
    with tempfile.TemporaryDirectory() as small:
        make_files(Path(small) / "few", 2000)
        import nutslite as nl

        family, response = ("bernoulli", "b") if way == "bernoulli" else ("gaussian", "y")
        model = nl.Model(f"{response} ~ x0 + x1", str(Path(small) / "few"), family)
        model.fit(draws=50, random_seed=1, progressbar=False)


def stored(path: Path) -> list[dict[str, Any]]:
    """What was measured before."""
    return json.loads(path.read_text()) if path.exists() else []


def write_table(found: list[dict[str, Any]], path: Path) -> None:
    """A table in Markdown."""
    from provenance import made_by

    lines = [
        "# Data on engines: time and memory by the number of rows",
        "",
        f"{made_by('data_on_engines.py')} The machine was shared with other work: seconds of all processors are those "
        "of this work alone. Rows of the table were measured one by one, some at earlier commits. "
        "Memory is the peak above that of a small fit before.",
        "",
        HEADER,
        "|" + " --- |" * (HEADER.count("|") - 1),
    ]
    for one in found:
        numbers = [f"{one[key]:.1f}" for key in ("model", "model_cpu", "fit", "fit_cpu")]
        lines.append(
            f"| {one['rows']:,} | {one['way']} | {one['draws']:,} | {' | '.join(numbers)} | {one['megabytes']:.0f} |"
        )
    path.write_text("\n".join(lines) + "\n")


def draw(found: list[dict[str, Any]], path: Path) -> None:
    """Seconds and memory by rows, both axes logarithmic."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    for way in sorted({one["way"] for one in found}):
        own = [one for one in found if one["way"] == way]
        rows = [one["rows"] for one in own]
        left.loglog(rows, [one["model_cpu"] + one["fit_cpu"] for one in own], "o-", label=way)
        right.loglog(rows, [one["megabytes"] for one in own], "o-", label=way)
    rows = sorted({one["rows"] for one in found})
    right.loglog(rows, [8e-6 * n * (COLUMNS + 1) for n in rows], "--", color="0.6", label="the columns themselves")
    for axes, what in ((left, "seconds of all processors"), (right, "MB at most")):
        axes.set(xlabel="rows", title=what)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Make what is missing, run each fit in a fresh process, print a table, keep it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--ways", nargs="+", default=["gaussian", "bernoulli"], choices=WAYS)
    parser.add_argument("--draws", type=int, default=250, help="of each of four chains")
    parser.add_argument("--folder", default=os.path.join(tempfile.gettempdir(), "nutslite-rows"))
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON; a table and a picture are written beside it")
    parser.add_argument("--report", action="store_true", help="only write the table and the picture anew")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(run_one(*given.one, given.draws)))
        return
    for rows in [] if given.report else given.rows:
        folder = Path(given.folder) / str(rows)
        if not folder.exists():
            make_files(folder, rows)
        for way in given.ways:
            command = [sys.executable, __file__, "--one", str(folder), way, "--draws", str(given.draws)]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            one = {"rows": rows, **json.loads(printed.splitlines()[-1])}
            found = [old for old in stored(given.out) if (old["rows"], old["way"]) != (rows, way)] + [one]
            found.sort(key=lambda one: (one["way"], one["rows"]))
            given.out.write_text(json.dumps(found, indent=1) + "\n")
            print(
                f"{rows:>12,} rows, {way:>10}: model {one['model']:7.1f} s ({one['model_cpu']:.1f} of CPU), "
                f"fit {one['fit']:7.1f} s ({one['fit_cpu']:.1f} of CPU), {one['megabytes']:6.0f} MB",
                flush=True,
            )
    write_table(stored(given.out), given.out.with_suffix(".md"))
    draw(stored(given.out), given.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
