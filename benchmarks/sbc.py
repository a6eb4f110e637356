"""Are fits calibrated? Simulation-based calibration of every family and every path.

Run from the repository: ``python benchmarks/sbc.py [--only poisson,crossed] [--simulations 300] [--workers 2]
[--out benchmarks/results/sbc.md]``. Every case is a model: parameters are drawn from its prior, a response from its
likelihood, and the fit to that response says how the parameters rank among their posterior draws. Ranks must be uniform
(`nutslite.calibration`). A case that is finished is written to a file beside the table at once, and a case that is
there already, from these sources and as many simulations, is not run again: a study may be interrupted and goes on
where it was. Exit status 1 if ranks of any case are not uniform.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one fit a process
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

from sbc_cases import Case, all_cases, apply_patches  # noqa: E402  # after the path above

from nutslite.calibration import Calibration, simulation_based_calibration  # noqa: E402

SIMULATIONS = 100
ALARM = 0.01  # of one case
FAIL = 0.05  # of the whole study: divided by the number of cases
PICTURED = ("one factor: marginal", "bernoulli: default priors", "crossed: large marginal")
COLUMNS = (
    "case", "what for", "quantities", "p", "least uniform", "mean rank", "spread", "rejected", "failed",
    "divergences", "correlated", "thin", "s per fit", "verdict",
)  # fmt: skip
TEXT_COLUMNS = ("case", "what for", "least uniform", "verdict")

INTRODUCTION = """\
Parameters are drawn from the prior of a model and a response from its likelihood; ranks of the parameters, of all group
effects and of the log likelihood among {draws} nearly independent posterior draws must be uniform. `p` is the smallest
p-value of a case (largest excursion of the ECDF, exact) times its number of `quantities`; `mean rank` and `spread` of
the least uniform quantity are 0.5 and 1 where all is well. `rejected` responses were impossible or out of bounds and
drawn anew, parameters included, which leaves ranks uniform. `failed` fits raised an error; `divergences` are those of
all fits per 1,000 transitions; `correlated` simulations have an effective size below 70 % of the draws in spite of
thinning; `thin` is the largest number of transitions per draw. A case is looked at below p = {alarm}, and fails below
{fail} divided by the number of cases. With {simulations} simulations a bias of about {bias:.2f} posterior standard
deviations is found more often than not."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases that are asked for and not there yet; write the table and pictures."""
    options = _options(arguments)
    logging.disable(logging.WARNING)  # single fits; the table counts what they would say
    cases = _chosen(options.only)
    out = Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    store = out.with_suffix(".jsonl")
    key = {"sources": _digest(), "simulations": options.simulations, "seed": options.seed}
    done = {} if options.again else _stored(store, key)
    with Pools(options.workers) as pools:
        for case in cases:
            if case.name in done:
                continue
            started = time.perf_counter()
            row = _run(case, pools, options, out.parent / f"{out.stem}_{_slug(case.name)}.png")
            done[case.name] = row
            with store.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "row": row}) + "\n")
            print(f"{_line(row, len(cases))}  ({time.perf_counter() - started:.0f} s)", flush=True)
    rows = [done[case.name] for case in cases]
    _write(out, rows, options)
    return int(any(_verdict(row, len(rows)) == "FAIL" for row in rows))


class Pools:
    """Processes to fit in; others for cases that set thresholds, which are then the process's."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.executors: dict[str, ProcessPoolExecutor] = {}

    def __enter__(self) -> Pools:
        return self

    def __exit__(self, *exception: object) -> None:
        for executor in self.executors.values():
            executor.shutdown(cancel_futures=True)

    def get(self, case: Case) -> ProcessPoolExecutor:
        """The processes that fit this case."""
        thresholds = dict(case.patches)
        name = json.dumps(thresholds)
        if name not in self.executors:
            context = multiprocessing.get_context("spawn")
            self.executors[name] = ProcessPoolExecutor(self.workers, context, apply_patches, (thresholds,))
        return self.executors[name]


def _run(case: Case, pools: Pools, options: argparse.Namespace, picture: Path) -> dict[str, Any]:
    executor = pools.get(case)
    started = time.perf_counter()
    found = simulation_based_calibration(
        case.model(),
        options.simulations,
        executor,
        random_seed=[options.seed, *case.name.encode()],  # a case's seed does not depend on the others
        draws=options.draws,
        **case.arguments(),
    )
    seconds = (time.perf_counter() - started) * options.workers / options.simulations
    if case.name in PICTURED or found.p_value < ALARM:
        found.plot(picture, var_names=[name for name in found.ranks if "|" not in name or name.endswith("_sigma")])
    return _row(case, found, seconds)


def _row(case: Case, found: Calibration, seconds: float) -> dict[str, Any]:
    table = found.table()
    least = table["p_ecdf"].idxmin()
    transitions = float((found.thin * found.draws).sum())
    return {
        "case": case.name,
        "what for": case.about,
        "quantities": len(table),
        "p": found.p_value,
        "least uniform": str(least),
        "mean rank": float(table.loc[least, "mean_rank"]),
        "spread": float(table.loc[least, "spread"]),
        "rejected": found.rejected,
        "failed": len(found.failures),
        "divergences": 1000.0 * float(found.divergences.sum()) / transitions,
        "correlated": int(found.correlated.sum()),
        "thin": int(found.thin.max()),
        "s per fit": seconds,
    }


def _verdict(row: dict[str, Any], n_cases: int) -> str:
    if row["p"] < FAIL / n_cases:
        return "FAIL"
    return "look" if row["p"] < ALARM or row["failed"] else "ok"


def _line(row: dict[str, Any], n_cases: int) -> str:
    formats = {"p": ".3g", "mean rank": ".3f", "spread": ".3f", "divergences": ".2f", "s per fit": ".2f"}
    cells = [
        _verdict(row, n_cases) if name == "verdict" else format(row[name], formats.get(name, "")) for name in COLUMNS
    ]
    return _cells([cell.replace("|", "\\|") for cell in cells])


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _write(out: Path, rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """The table, with the command that made it."""
    introduction = INTRODUCTION.format(
        draws=options.draws,
        simulations=options.simulations,
        alarm=ALARM,
        fail=FAIL,
        bias=3.6 / options.simulations**0.5,
    )
    failed = sum(_verdict(row, len(rows)) == "FAIL" for row in rows)
    rule = ["---" if name in TEXT_COLUMNS else "--:" for name in COLUMNS]
    command = f"python benchmarks/sbc.py --simulations {options.simulations} --draws {options.draws}" + (
        f" --only {options.only}" if options.only else ""
    )
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("numpy", "numba"))
    pictures = sorted(out.parent.glob(f"{out.stem}_*.png"))
    text = [
        "# Simulation-based calibration",
        f"`{command}`, seed {options.seed}; Python {platform.python_version()}, {versions}.",
        introduction,
        f"{len(rows)} cases, of which {failed} failed.",
        "\n".join([_cells(COLUMNS), _cells(rule), *(_line(row, len(rows)) for row in rows)]),
        *(f"![{picture.stem}]({picture.name})" for picture in pictures),
    ]
    out.write_text("\n\n".join(text) + "\n", encoding="utf-8")
    print(f"written: {out}")


def _chosen(only: str | None) -> list[Case]:
    cases = all_cases()
    if only is None:
        return cases
    wanted = [word.strip() for word in only.split(",")]
    chosen = [case for case in cases if any(word in case.name for word in wanted)]
    missing = [word for word in wanted if not any(word in case.name for case in cases)]
    if missing:
        sys.exit(f"No case has {missing[0]!r} in its name. There are: {'; '.join(case.name for case in cases)}")
    return chosen


def _stored(store: Path, key: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Rows of an earlier run of the same sources, seed and number of simulations."""
    if not store.exists():
        return {}
    records = [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines()]
    return {record["row"]["case"]: record["row"] for record in records if record["key"] == key}


def _digest() -> str:
    """Of the package's sources and the cases."""
    files = [*sorted((ROOT / "nutslite").rglob("*.py")), ROOT / "benchmarks" / "sbc_cases.py"]
    return sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]


def _slug(name: str) -> str:
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name).split())


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="cases whose names hold one of these words, separated by commas")
    parser.add_argument("--simulations", type=int, default=SIMULATIONS, help=f"of every case (default {SIMULATIONS})")
    parser.add_argument("--draws", type=int, default=99, help="posterior draws that ranks are among (default 99)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default=str(ROOT / "build" / "benchmarks" / "sbc.md"), help="the table")
    parser.add_argument("--again", action="store_true", help="run cases again that are there already")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
