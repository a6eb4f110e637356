"""Data beyond memory: time and memory of fits to Parquet files, by the number of rows.

    python benchmarks/data_on_engines.py --rows 1000000 10000000

Makes 10 columns of normal numbers, a Gaussian response and a yes/no answer, in blocks, and fits ``y ~ x0 + ... + x9``
to the files, each fit in a process of its own: of a Gaussian model (one pass), of a logistic regression (passes of many
positions), of this by one and by two workers of a Dask cluster, and of the Gaussian model read into memory, where
`--ways` asks for that. Printed are seconds of making the model and of fitting it, those of all processors beside them,
those of the busiest worker, and the peak of memory (of one worker) above that of a small fit before.

A hundred million rows (``--rows 100000000``) are 9 GB on disk, made a million at a time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from repository import ROOT

COLUMNS = 10
BLOCK = 1_000_000
FILE_ROWS = 10_000_000
WORKERS = {"bernoulli, 1 worker": 1, "bernoulli, 2 workers": 2}
WAYS = ("gaussian", "bernoulli", *WORKERS, "in memory")
RESULTS = ROOT / "benchmarks" / "results" / "data_on_engines.json"
HEADER = (
    "| rows | model | draws | s to make it | of all processors | s to fit | of all processors | busiest worker | "
    "microseconds of processors a row | MB at most |"
)


def make_files(folder: Path, rows: int, block: int = BLOCK) -> None:
    """Parquet files with row groups of a block, 8 bytes a number, not compressed."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    slopes = np.linspace(-0.5, 0.5, COLUMNS)
    folder.mkdir(parents=True)
    writer, written = None, 0
    for number, start in enumerate(range(0, rows, block)):
        n = min(block, rows - start)
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
        writer.write_table(table, row_group_size=block)
        written += n
    if writer is not None:
        writer.close()


def run_one(folder: str, way: str, draws: int) -> dict[str, Any]:
    """One fit, in this process or by workers."""
    import nutslite as nl

    with cluster_of(way) as client:
        warm_up(way)
        right = " + ".join(f"x{j}" for j in range(COLUMNS))
        family = "gaussian" if way in ("gaussian", "in memory") else "bernoulli"
        formula = f"{'b' if family == 'bernoulli' else 'y'} ~ {right}"
        before, start = spent(client), time.perf_counter()
        model = nl.Model(formula, read(folder, way), family)
        made, at_model = time.perf_counter(), spent(client)
        results = model.fit(draws=draws, random_seed=1, progressbar=False)
        end, after = time.perf_counter(), spent(client)
    slopes = [float(results["posterior"][f"x{j}"].mean()) for j in (0, COLUMNS - 1)]
    cpu = [
        [many - few for (few, _), (many, _) in zip(*pair, strict=True)]
        for pair in ((before, at_model), (at_model, after))
    ]
    return {
        "way": way,
        "model": made - start,
        "fit": end - made,
        "model_cpu": sum(cpu[0]),
        "fit_cpu": sum(cpu[1]),
        "busiest": max(map(sum, zip(*cpu, strict=True))) if client is not None else None,
        "megabytes": max(much - little for (_, little), (_, much) in zip(before, after, strict=True)) / 1024,
        "slopes": slopes,
        "draws": 4 * draws,
    }


@contextlib.contextmanager
def cluster_of(way: str) -> Iterator[Any]:
    """A client of as many workers as the way has, each with one thread; None where there are none."""
    if way not in WORKERS:
        yield None
        return
    from distributed import Client, LocalCluster

    options = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with LocalCluster(n_workers=WORKERS[way], **options) as cluster, Client(cluster) as client:
        yield client


def spent(client: Any) -> list[tuple[float, float]]:
    """Seconds of processor and kilobytes at most so far, of this process and each worker."""
    return [usage(), *([] if client is None else client.run(usage).values())]


def usage() -> tuple[float, float]:
    """Of the process that calls it."""
    import resource
    import time

    return time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def read(folder: str, way: str) -> Any:
    """What `Model` gets: the folder, a Dask DataFrame of it, or the Gaussian model's columns in memory."""
    if way in WORKERS:
        from dask import dataframe

        return dataframe.read_parquet(folder, split_row_groups=True)
    if way == "in memory":
        from pyarrow import dataset

        return dataset.dataset(folder).to_table(columns=["y", *(f"x{j}" for j in range(COLUMNS))])
    return folder


def warm_up(way: str) -> None:
    """Compile, or load what was compiled, on a few rows."""
    with tempfile.TemporaryDirectory() as small:
        make_files(Path(small) / "few", 2000, block=500)
        import nutslite as nl

        family, response = ("gaussian", "y") if way in ("gaussian", "in memory") else ("bernoulli", "b")
        model = nl.Model(f"{response} ~ x0 + x1", read(str(Path(small) / "few"), way), family)
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
        numbers.append("" if one.get("busiest") is None else f"{one['busiest']:.1f}")
        numbers.append(f"{1e6 * (one['model_cpu'] + one['fit_cpu']) / one['rows']:.2f}")
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
    left.loglog(rows, [1e-6 * n for n in rows], ":", color="0.6", label="1 microsecond a row")
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
        if not folder.exists():  # half of the files, left by a run that was stopped, are not taken for all
            half = folder.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            make_files(half, rows)
            half.rename(folder)
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
