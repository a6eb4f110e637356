"""`fit_many` over thousands of segments beside loops of nutpie and numpyro fits: the same models, priors and data.

Run from the repository::

    python benchmarks/many_fits.py --peers-python peers/bin/python --out benchmarks/results/many_fits.md

The peers live in an environment of their own: ``python3.12 -m venv peers``, ``peers/bin/pip install pymc nutpie
numpyro``. They fit the first few segments only (``--peer-segments``); what all segments would take them is worked out
from that. Ours fits all of them, and makes a table; theirs are timed without one and with one. Beside wall time stand
seconds of processors, which other programs disturb less.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from many_fits_peer import processor_seconds
from provenance import made_by
from repository import ROOT

import nutslite as nl

ROWS = 50
CHAINS, DRAWS, TUNE = 4, 1000, 400
FAMILIES = ("gaussian", "bernoulli")
PEERS = (("nutpie", "once"), ("numpyro", "once"), ("nutpie", "each"), ("numpyro", "each"))
MODES = {"once": "compiled once, data changed", "each": "model and compilation for each"}
NORMAL = nl.Prior("Normal", mu=0.0, sigma=2.5)


def simulated(segments: int, family: str, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Predictors (segments, rows, 2) and responses (segments, rows); coefficients differ between segments."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(segments, ROWS, 2))
    b = rng.normal([0.3, 0.8, -0.5], 0.3, size=(segments, 3))
    eta = b[:, :1] + (x * b[:, None, 1:]).sum(axis=2)
    noise = rng.normal(size=eta.shape)
    return x, eta + noise if family == "gaussian" else (rng.random(eta.shape) < 1.0 / (1.0 + np.exp(-eta))).astype(int)


def ours(x: np.ndarray, y: np.ndarray, family: str, executor: Any) -> tuple[float, pd.DataFrame]:
    """Wall seconds of `fit_many`, and the means by segment."""
    segments = len(x)
    frame = pd.DataFrame({"segment": np.repeat(np.arange(segments), ROWS), "y": y.ravel()})
    frame["x1"], frame["x2"] = x.reshape(-1, 2).T
    priors = {"Intercept": NORMAL, "x1": NORMAL, "x2": NORMAL}
    if family == "gaussian":
        priors["sigma"] = nl.Prior("HalfNormal", sigma=2.5)
    began = time.perf_counter()
    fits = nl.fit_many(
        "y ~ x1 + x2",
        frame,
        family,
        by="segment",
        executor=executor,
        priors=priors,
        center_predictors=False,
        fit={"random_seed": 1, "draws": DRAWS, "chains": CHAINS, "progressbar": False},
    )
    return time.perf_counter() - began, fits.wide("mean")


def peer(python: str, engine: str, mode: str, family: str, x: np.ndarray, y: np.ndarray, cores: int) -> dict[str, Any]:
    """What the peer's process prints about its fits to these segments."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        np.savez(path, x=x, y=y)
        order = {
            "engine": engine, "mode": mode, "family": family, "data": str(path), "segments": len(x),
            "draws": DRAWS, "chains": CHAINS, "tune": TUNE, "cores": cores,
        }  # fmt: skip
        run = subprocess.run(
            [python, str(ROOT / "benchmarks/many_fits_peer.py"), json.dumps(order)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if run.returncode:
        print(f"{engine}, {mode}: {run.stderr[-500:]}", file=sys.stderr)
        return {"means": [], **{f"{part}{of}": [np.nan] for part in ("", "table ") for of in ("wall", "processors")}}
    return dict(json.loads(run.stdout.strip().splitlines()[-1]))


def measured(arguments: argparse.Namespace, family: str) -> list[dict[str, Any]]:
    """One record an engine: seconds per fit, and how many fits they are from."""
    x, y = simulated(arguments.segments, family)
    with ProcessPoolExecutor(arguments.cores) as pool:
        ours(x[: 4 * arguments.cores], y[: 4 * arguments.cores], family, pool)  # loads or compiles, off the clock
        used = processor_seconds()
        wall, means = ours(x, y, family, pool)
    processors = processor_seconds() - used  # of its workers' whole life, with the loading of kernels
    n = arguments.segments
    found = [{"engine": "nutslite", "mode": "fit_many", "fits": n, "wall": wall / n, "processors": processors / n}]
    print(family, found[0], flush=True)
    for engine, mode in PEERS if arguments.peers_python else ():
        some = arguments.peer_segments if mode == "once" else max(1, arguments.peer_segments // 4)
        record = peer(arguments.peers_python, engine, mode, family, x[:some], y[:some], arguments.cores)
        own = [
            means.loc[place].get(name) - value
            for place, one in enumerate(record["means"])
            for name, value in one.items()
        ]
        apart = float(np.abs(own).max()) if own else np.nan
        for what, parts in (("", ("",)), (", and a table", ("", "table "))):
            seconds = {
                of: sum(float(np.mean(record[f"{part}{of}"])) for part in parts) for of in ("wall", "processors")
            }
            found.append(
                {"engine": engine, "mode": MODES[mode] + what, "fits": len(record["wall"]), "apart": apart, **seconds}
            )
            print(family, found[-1], flush=True)
    return found


def table(found: list[dict[str, Any]], segments: int) -> list[str]:
    """Lines of Markdown."""
    first = found[0]
    lines = [
        f"| engine | loop | fits timed | s per fit | ... of processors | {segments:,} segments | times ours, wall | "
        "... processors | means apart by at most |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in found:
        lines.append(
            f"| {one['engine']} | {one['mode']} | {one['fits']:,} | {one['wall']:.4f} | {one['processors']:.4f} | "
            f"{one['wall'] * segments / 60:.1f} min | {one['wall'] / first['wall']:.1f} | "
            f"{one['processors'] / first['processors']:.1f} | {one.get('apart', 0.0):.3f} |"
        )
    return lines


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=5000)
    parser.add_argument("--peer-segments", type=int, default=20)
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--peers-python")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    lines = [
        "# Many small fits",
        "",
        f"`y ~ x1 + x2`, {ROWS} rows a segment, {CHAINS} chains of {DRAWS:,} draws, the same priors, "
        f"{arguments.cores} cores for everyone. Ours includes the table with R-hat and effective sizes; the peers' "
        "loops stand there without one, and with that of `arviz.summary`, which is the same work. The peers fitted the "
        f"first segments only; what {arguments.segments:,} would take is worked out from these.",
        "",
    ]
    for family in arguments.families.split(","):
        found = measured(arguments, family)
        lines += [f"## {family}", "", *table(found, arguments.segments), ""]
        print("\n".join(table(found, arguments.segments)), flush=True)
        if arguments.out:
            arguments.out.write_text("\n".join([*lines, made_by("many_fits.py")]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
