"""Approximations beside known posteriors: how wrong they are, and whether they say so; beside them PyMC's and others'.

Run from the repository::

    python benchmarks/approximations.py --peers-python peers/bin/python --out benchmarks/results/approximations.md

Every model with a known posterior (`reference_posteriors.py`), and some of other families, whose posterior a long run
of our own tells, by every approximate method; where coefficients and effects are integrated out, also over all
parameters (``plan="joint"``). A fit is one line of ``approximations.jsonl``, so that what was interrupted goes on where
it was. The peers live in an environment of their own (``pip install bambi pymc-extras``), each fit in a process of its
own; without ``--peers-python`` they are left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from approximation_cases import CASES, OWN, PEERS, for_bambi
from approximation_measures import errors, with_sums
from approximation_report import report
from processes import PHASES, commit, environment, wait
from provenance import made_by
from reference_cases import Case
from reference_runs import named_draws
from reference_values import Target, read_reference, shared_folder
from repository import ROOT

from nutslite.exceptions import NutsliteError
from nutslite.posterior.methods import registry
from nutslite.results.container.inference_data import get_group

METHODS = ("laplace", "pathfinder", "vi", "meanfield")
ENGINES = ("advi", "fullrank_advi", "dadvi", "pathfinder")
LONG = 5000  # draws a chain of a run that stands for the posterior
ATTRIBUTES = ("khat", "n_gradients", "converged", "elbo", "unique_draws")
ABOUT_QUALITY = ("k-hat", "approximation")  # words of a warning that is about how good the draws are

Record = dict[str, Any]


class Runs:
    """The record of all fits: a line each, written when it ends."""

    def __init__(self, path: Path, any_commit: bool) -> None:
        self.path, self.commit = path, commit()
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.done: dict[str, Record] = {}
        for record in map(json.loads, filter(None, lines)):
            if any_commit or record["commit"] == self.commit or record["kind"] == "peer":
                self.done[record["key"]] = record

    def add(self, key: str, kind: str, record: Record) -> None:
        """Write one down and say it."""
        self.done[key] = {"key": key, "kind": kind, "commit": self.commit, **record}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.done[key]) + "\n")
        shown = {name: value for name, value in record.items() if name not in ("stages", "versions", "targets")}
        print(time.strftime("%H:%M:%S"), key, shown, flush=True)

    def of_kind(self, kind: str) -> list[Record]:
        """Those of one kind: ``"fit"``, ``"peer"``, ``"reference"``."""
        return [record for record in self.done.values() if record["kind"] == kind]


@contextlib.contextmanager
def what_is_said() -> Iterator[list[str]]:
    """Messages of the package's log and of Python's warnings."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, listener = logging.getLogger("nutslite"), Listener(logging.WARNING)
    logger.addHandler(listener)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield said
        said += [str(each.message) for each in caught]
    finally:
        logger.removeHandler(listener)


def flat(results: Any) -> dict[str, np.ndarray]:
    """Draws of every element by label, chains one after another."""
    return {name: values.reshape(-1) for name, values in named_draws(results).items()}


def targets_of(case: Case, model: Any, runs: Runs) -> dict[str, Target]:
    """The reference's, or those of a long run of our own, which is written down once."""
    if case.name not in OWN:
        return read_reference(case, shared_folder()).targets
    key = f"{case.name}/reference"
    if key not in runs.done:
        draws = flat(model.fit(draws=LONG, random_seed=11, progressbar=False))
        runs.add(key, "reference", {"targets": {n: [float(x.mean()), float(x.std())] for n, x in draws.items()}})
    return {name: Target(mean, sd) for name, (mean, sd) in runs.done[key]["targets"].items()}


def measured(model: Any, options: dict[str, Any], targets: dict[str, Target], name: str) -> Record:
    """Fit; what it says of itself, and how far it is from the posterior. `name` says which draws these are."""
    with what_is_said() as said:
        results = model.fit(**options)
    attributes = get_group(results, "posterior").attrs
    own = {key: attributes[key] for key in ATTRIBUTES if key in attributes}
    warned = [text for text in said if any(word in text for word in ABOUT_QUALITY)]
    found = errors(with_sums(flat(results), targets, model), targets) | {"khat": own.get("khat"), "warned": warned}
    return {name: found} | (own | {"warned": warned} if name == "kept" else {})


def fit_ours(case: Case, arguments: argparse.Namespace, runs: Runs) -> None:
    """One model by every method, over what `fit` would sample and over all parameters."""
    model = case.model(shared_folder() / "data")
    plans = ["auto", "joint"] if model.plan().path == "marginal" else ["auto"]
    for plan in plans:
        dimension = model.plan(plan).target().dimension
        for method in arguments.methods:
            heeds = registry.method_called(method).heeds
            for seed in range(1, arguments.seeds + 1):
                key = f"{case.name}/{plan}/{method}/{seed}"
                if key in runs.done:
                    continue
                targets = targets_of(case, model, runs)
                options: Any = {"inference_method": method, "plan": plan, "random_seed": seed, "progressbar": False}
                record: Record = {"case": case.name, "plan": plan, "method": method, "d": dimension}
                try:
                    record |= measured(model, options, targets, "kept")
                    if "importance" in heeds:
                        record |= measured(model, {**options, "importance": None}, targets, "raw")
                except NutsliteError as error:
                    runs.add(key, "fit", record | {"refused": str(error)})
                    continue
                runs.add(key, "fit", json.loads(json.dumps(record, default=float)))


def run_peers(case: Case, arguments: argparse.Namespace, runs: Runs) -> None:
    """One model by every engine, each in a process of its own, ours too."""
    model = case.model(shared_folder() / "data")
    targets = targets_of(case, model, runs)
    folder = arguments.runs.parent / "approximations"
    folder.mkdir(parents=True, exist_ok=True)
    frame = case.data(shared_folder() / "data")
    columns = {
        str(n): c.to_numpy().astype(str) if c.dtype.kind not in "ifb" else c.to_numpy() for n, c in frame.items()
    }
    np.savez(folder / f"{case.name}.npz", **columns)
    engines = [(name, True) for name in arguments.methods] + [(name, False) for name in arguments.engines]
    for phase in PHASES if arguments.warm else PHASES[:1]:
        for engine, own in engines:
            key = f"{case.name}/{'ours' if own else 'peers'}/{engine}/{phase}"
            if key in runs.done:
                continue
            caches = folder / "caches" / f"{case.name}-{'ours' if own else 'peers'}-{engine}"
            if phase == "cold":
                shutil.rmtree(caches, ignore_errors=True)
            order = {
                "engine": engine, "own": own, "name": case.name, "case": for_bambi(case), "seed": 1,
                "data": str(folder / f"{case.name}.npz"), "out": str(folder / key.replace("/", "-")),
                "root": str(ROOT), "started": time.time(),
            }  # fmt: skip
            python = sys.executable if own else arguments.peers_python
            words = [python, str(Path(__file__).with_name("approximation_run.py")), json.dumps(order)]
            variables = environment(4, caches) | {"NUTSLITE_SHARED": str(shared_folder())}
            log = Path(f"{order['out']}.log")
            record = {"case": case.name, "engine": engine, "own": own, "phase": phase, "load": os.getloadavg()[0]}
            record |= wait(words, variables, log, arguments.limit)
            if record["status"] == "finished":
                record |= json.loads(Path(f"{order['out']}.json").read_text(encoding="utf-8"))
                with np.load(f"{order['out']}.npz") as draws:
                    found = with_sums({name: draws[name] for name in draws.files}, targets, model)
                record["kept"] = errors(found, targets)
            elif record["status"] == "failed":
                record["error"] = log.read_text(encoding="utf-8", errors="replace")[-600:]
            runs.add(key, "peer", record)


def main() -> None:
    """Run what is missing and write the table."""
    arguments = parse()
    logging.getLogger("nutslite").propagate = False
    runs = Runs(arguments.runs, arguments.any_commit)
    chosen = [case for name, case in CASES.items() if any(word in name for word in arguments.cases.split(","))]
    arguments.methods = [name for name in arguments.methods if name in registry.NAMES]
    arguments.engines = [name for name in arguments.engines if name in ENGINES]
    for case in () if arguments.only_table else chosen:
        fit_ours(case, arguments, runs)
    if arguments.peers_python and not arguments.only_table:
        for name in arguments.peer_cases.split(","):
            run_peers(CASES[name], arguments, runs)
    fits = runs.of_kind("fit")
    made = f"{made_by('approximations.py')} Fits of commit {', '.join(sorted({fit['commit'] for fit in fits}))}."
    text = report(made, fits, runs.of_kind("peer"), list(CASES), set(OWN))
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text, encoding="utf-8")


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="", help="words, by commas: cases whose names contain one (default: all)")
    parser.add_argument("--methods", default=",".join(METHODS), type=lambda text: text.split(","))
    parser.add_argument("--seeds", type=int, default=1, help="fits of each model by each method (default: 1)")
    parser.add_argument("--peers-python", help="Python of the peers")
    parser.add_argument("--peer-cases", default=",".join(PEERS), help="by name (default: %(default)s)")
    parser.add_argument("--engines", default=",".join(ENGINES), type=lambda text: text.split(","))
    parser.add_argument("--warm", action="store_true", help="a second process of each, with the caches of the first")
    parser.add_argument("--limit", type=float, default=400.0, help="seconds of one process (default: 400)")
    parser.add_argument("--any-commit", action="store_true", help="keep our fits of other commits")
    parser.add_argument("--only-table", action="store_true", help="run nothing")
    parser.add_argument("--runs", type=Path, default=ROOT / "build" / "benchmarks" / "approximations.jsonl")
    parser.add_argument("--out", type=Path, help="Markdown file (default: only print)")
    arguments = parser.parse_args(words)
    arguments.runs = arguments.runs.resolve()
    return arguments


if __name__ == "__main__":
    main()
