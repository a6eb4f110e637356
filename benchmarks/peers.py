"""Our engine beside Bambi's (nutpie, numpyro, PyMC): the same models, priors and data, each run in a fresh process.

Run from the repository::

    python benchmarks/peers.py --peers-python /path/to/peers/bin/python

The peers live in an environment of their own (any place)::

    python3.12 -m venv peers && peers/bin/pip install bambi nutpie numpyro pymc

Every run is appended to ``<out>/runs.jsonl`` as soon as it ends, so an interrupted benchmark goes on where it was; the
table is written to ``<out>/peers.md`` and the raw numbers to ``<out>/peers.json`` after every case. "Cold" starts from
empty compile caches, "warm" is the next process with the same caches. Engines take turns within a case.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cases import CASES, ENGINES, Case, write_data
from processes import PHASES, Run, commit, execute, settings
from report import sum_of, write_report
from repository import ROOT

# It keeps no compiled code from one process to the next, so its first process is no colder than its second.
CACHELESS = ("numpyro",)
PEER_IMPORTS = {"nutpie": "bambi, nutpie", "numpyro": "bambi, numpyro, jax", "pymc": "bambi, pymc"}
HOW_TO = "python3.12 -m venv peers && peers/bin/pip install bambi nutpie numpyro pymc"


def schedule(arguments: argparse.Namespace, cases: list[Case], engines: list[str]) -> Iterator[Run]:
    """Runs in order: within a case engines take turns, cold before warm; a cold run is not repeated."""
    for case in cases:
        present = [name for name in engines if name in case.engines or arguments.every_engine]
        for engine in present:
            yield Run(case, engine, "cold", 0)
        for repeat in range(max(arguments.repeats, arguments.peer_repeats)):
            for engine in present:
                wanted = arguments.repeats if engine == "ours" else arguments.peer_repeats
                if repeat < wanted and (engine not in CACHELESS or arguments.warm_cacheless):
                    yield Run(case, engine, "warm", repeat)


def load(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Runs of earlier calls under the same settings; of our own engine only those of the same commit."""
    path = arguments.out / "runs.jsonl"
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    records = {record["key"]: record for record in map(json.loads, filter(None, lines))}
    again = set(filter(None, arguments.again.split(",")))
    now = commit()
    return [
        record
        for record in records.values()
        if record["settings"] == settings(arguments)
        and record["engine"] not in again
        and record["status"] != "failed"
        and (record["status"] != "limit" or record["seconds"] >= arguments.limit)
        and (record["engine"] != "ours" or arguments.any_commit or record["commit"] == now)
    ]


def usable(arguments: argparse.Namespace, wanted: list[str]) -> list[str]:
    """The wanted engines that are installed; a word about every other."""
    found = []
    for engine in wanted:
        python = arguments.own_python if engine == "ours" else arguments.peers_python
        if python is None or not Path(python).exists():
            print(f"{engine}: left out, there is no Python for it; make one and pass --peers-python: {HOW_TO}")
            continue
        modules = "numba, arviz" if engine == "ours" else PEER_IMPORTS[engine]
        check = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {modules.split(', ')!r})))"
        if subprocess.run([python, "-c", check], check=False).returncode:
            print(f"{engine}: left out, {modules} are not all installed in {python}: {HOW_TO}")
            continue
        found.append(engine)
    return found


def estimate(runs: list[Run], done: list[dict[str, Any]], arguments: argparse.Namespace) -> float:
    """Seconds that the runs will take, from earlier runs where there are any."""
    known = {(record["case"], record["engine"], record["phase"]): record["seconds"] for record in done}

    def guess(run: Run, phase: str) -> float:
        expected = run.case.expected.get(run.engine, (60.0, 40.0))[PHASES.index(phase)]
        return float(known.get((run.case.name, run.engine, phase), expected))

    left_out = [run for run in runs if run.phase == "warm" and too_slow(run, guess(run, "cold"), arguments)]
    return sum(min(guess(run, run.phase), arguments.limit) for run in runs if run not in left_out)


def too_slow(run: Run, cold: float, arguments: argparse.Namespace) -> bool:
    """Whether a peer's first process took so long that a second one is left out."""
    return run.engine != "ours" and cold >= min(arguments.limit, arguments.warm_below)


def left_out(run: Run, done: list[dict[str, Any]], arguments: argparse.Namespace) -> bool:
    """Whether a warm run is not worth its time: its cold one did not finish, or took too long."""
    before = [record for record in done if (record["case"], record["engine"]) == (run.case.name, run.engine)]
    if any(record["status"] != "finished" for record in before):
        return True
    colds = [record["seconds"] for record in before if record["phase"] == "cold"]
    return run.phase == "warm" and bool(colds) and too_slow(run, max(colds), arguments)


def say(record: dict[str, Any]) -> None:
    """One line about a run."""
    if record["status"] != "finished":
        print(f"    {record['status']} after {record['seconds']:.0f} s {record.get('error', '')[-300:]}", flush=True)
        return
    found, sampling = record["measures"], sum_of(record["sampling"])
    print(
        f"    {record['stages']['summary']:.1f} s to the summary, {sampling:.2f} s of sampling, "
        f"min ESS {found['ess_bulk']:.0f} ({found['ess_bulk of']}), R-hat {found['r_hat']:.3f}, "
        f"{found['divergences']} divergences",
        flush=True,
    )


def main() -> None:
    """Run what is missing and write the report."""
    arguments = parse()
    arguments.out.mkdir(parents=True, exist_ok=True)
    known = [case.name for case in CASES]
    names = arguments.only.split(",") if arguments.only else known
    wanted = arguments.engines.split(",") if arguments.engines else list(ENGINES)
    for given, all_of, what in ((names, known, "case"), (wanted, list(ENGINES), "engine")):
        if wrong := set(given) - set(all_of):
            sys.exit(f"There is no {what} {', '.join(sorted(wrong))}; there are {', '.join(all_of)}.")
    cases = []
    for case in (case for case in CASES if case.name in names):
        try:
            write_data(case, arguments.out / "data")
            cases.append(case)
        except FileNotFoundError as missing:
            print(f"{case.name}: left out, {missing}")
    done = load(arguments)
    finished = {record["key"] for record in done}
    runs = list(schedule(arguments, cases, usable(arguments, wanted)))
    missing_runs = [run for run in runs if run.key not in finished]
    minutes = estimate(missing_runs, done, arguments) / 60
    print(f"{len(missing_runs)} of {len(runs)} runs to do, about {minutes:.0f} minutes", flush=True)
    if arguments.estimate:
        return
    for run in missing_runs:
        if left_out(run, done, arguments):
            continue
        print(f"{run.key}  {time.strftime('%H:%M:%S')}", flush=True)
        record = execute(run, arguments)
        done.append(record)
        with (arguments.out / "runs.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        say(record)
        write_report(done, arguments.out, command=shown_command(), limit=arguments.limit)
    write_report(done, arguments.out, command=shown_command(), limit=arguments.limit)
    shutil.rmtree(arguments.out / "caches", ignore_errors=True)
    print(f"written: {arguments.out / 'peers.md'}, {arguments.out / 'peers.json'}")


def shown_command() -> str:
    """The command that made the table, without where Pythons and folders are on this machine."""
    words = ["python benchmarks/peers.py"]
    hidden = {"--peers-python": "PEERS", "--own-python": "OWN", "--out": "OUT"}
    rest = iter(sys.argv[1:])
    for word in rest:
        option = word.split("=")[0]
        words.append(f"{option} {hidden[option]}" if option in hidden else word)
        if option in hidden and "=" not in word:
            next(rest, None)
    return " ".join(words)


def parse() -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers-python", default=os.environ.get("NUTSLITE_PEERS_PYTHON"), help="or by the variable")
    parser.add_argument("--own-python", default=sys.executable)
    parser.add_argument("--only", default="", help="cases, by name and comma (default: all)")
    parser.add_argument("--engines", default="", help=f"some of {','.join(ENGINES)} (default: all)")
    parser.add_argument("--every-engine", action="store_true", help="PyMC's own sampler in all cases, not only small")
    parser.add_argument("--repeats", type=int, default=3, help="warm runs of our engine (default: 3)")
    parser.add_argument("--peer-repeats", type=int, default=1, help="and of the peers (default: 1)")
    parser.add_argument("--limit", type=float, default=400.0, help="seconds of one process (default: 400)")
    parser.add_argument("--warm-below", type=float, default=150.0, help="no warm run of peers slower than this (150 s)")
    parser.add_argument("--cores", type=int, default=2, help="chains at a time (default: 2)")
    parser.add_argument("--draws", type=int, help="draws per chain (default: the case's)")
    parser.add_argument("--tune", type=int, help="warm-up per chain, ours too (default: the case's; ours: its own)")
    parser.add_argument("--warm-cacheless", action="store_true", help="second processes of numpyro too")
    parser.add_argument("--again", default="", help="engines to run again although they have run")
    parser.add_argument("--any-commit", action="store_true", help="keep our runs of other commits")
    parser.add_argument("--estimate", action="store_true", help="say how long it would take, and stop")
    parser.add_argument("--keep-draws", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "benchmarks", help="default: build/benchmarks")
    arguments = parser.parse_args()
    arguments.out = arguments.out.resolve()
    return arguments


if __name__ == "__main__":
    main()
