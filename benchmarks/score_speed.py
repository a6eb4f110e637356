"""How fast are scores beside other programs' in the same process, and how does time grow with draws?

    python benchmarks/score_speed.py --out benchmarks/results

in an environment with scoringrules and properscoring beside this package; what is not installed is left out.
Scoringrules computes by Numba here; without, its fair estimator holds all pairs of draws (24 GB for 200 rows of 4,000).
Each time is the least of several calls, made in turns; compilation is not in it. Ratios are what counts: seconds depend
on the machine, and on what else it does.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
from provenance import made_by

from nutslite import scores
from nutslite.scores.calibration.bands import band_at, equal_steps

Call = Callable[[], Any]
TURNS = 3
IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def least_of_turns(calls: dict[str, Call], turns: int = TURNS) -> dict[str, float]:
    """Seconds of each call, the first of each left out."""
    for call in calls.values():
        call()
    found = dict.fromkeys(calls, np.inf)
    for _ in range(turns):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            found[name] = min(found[name], time.perf_counter() - start)
    return found


def peers() -> dict[str, Any]:
    """Those that are installed."""
    found = {}
    for name in ("scoringrules", "properscoring"):
        try:
            found[name] = import_module(name)
        except ImportError:
            print(f"{name} is not installed")
    return found


def cases(others: dict[str, Any]) -> dict[str, dict[str, Call]]:
    """What is timed: ours first, then whatever computes the same."""
    rng = np.random.default_rng(1)
    found: dict[str, dict[str, Call]] = {}
    sr, ps = others.get("scoringrules"), others.get("properscoring")
    for draws, rows in ((20, 20_000), (1000, 100), (4000, 20)):
        y, x = rng.normal(size=rows), rng.normal(size=(draws, rows))
        by_row = np.ascontiguousarray(x.T)
        calls: dict[str, Call] = {"nutslite": lambda y=y, x=x: scores.crps(y, x)}
        if sr:
            calls["scoringrules, fair"] = lambda y=y, x=by_row: sr.crps_ensemble(
                y, x, estimator="fair", backend="numba"
            )
            calls["scoringrules, pwm"] = lambda y=y, x=by_row: sr.crps_ensemble(y, x, estimator="pwm", backend="numba")
        if ps:
            calls["properscoring (biased)"] = lambda y=y, x=by_row: ps.crps_ensemble(y, x)
        found[f"CRPS of {draws:,} draws, {rows:,} rows"] = calls
    y, mu = rng.normal(size=100_000), rng.normal(size=100_000)
    calls = {"nutslite": lambda: scores.crps_gaussian(y, mu, 1.5)}
    if sr:
        calls["scoringrules"] = lambda: sr.crps_normal(y, mu, 1.5, backend="numba")
    if ps:
        calls["properscoring"] = lambda: ps.crps_gaussian(y, mu, 1.5)
    found["CRPS of 100,000 normal distributions"] = calls
    counts, rate = rng.poisson(20.0, 20_000).astype(float), rng.gamma(4.0, 5.0, 20_000)
    calls = {"nutslite": lambda: scores.crps_poisson(counts, rate)}
    if sr:
        calls["scoringrules"] = lambda: sr.crps_poisson(counts, rate, backend="numba")
    found["CRPS of 20,000 Poisson distributions"] = calls
    y10, x10 = rng.normal(size=(20, 10)), rng.normal(size=(500, 20, 10))
    ordered = np.ascontiguousarray(x10.transpose(1, 0, 2))
    calls = {"nutslite": lambda: scores.energy_score(y10, x10)}
    if sr:
        calls["scoringrules"] = lambda: sr.es_ensemble(y10, ordered, estimator="fair", backend="numba")
    found["energy score of 500 draws of 10 numbers, 20 vectors"] = calls
    return found


def compared(others: dict[str, Any]) -> list[str]:
    """Lines of the table of ratios."""
    lines = ["| what | program | milliseconds | times ours |", "| --- | --- | --- | --- |"]
    for what, calls in cases(others).items():
        seconds = least_of_turns(calls)
        ours = seconds["nutslite"]
        lines += [
            f"| {what} | {name} | {1e3 * each:.3g} | {'' if name == 'nutslite' else f'{each / ours:.2g}'} |"
            for name, each in seconds.items()
        ]
    return lines


def grown() -> list[str]:
    """Lines of the table of growth with draws: sorting would double a bit more than twice, pairs four times."""
    rng, lines = (
        np.random.default_rng(2),
        ["| draws | milliseconds for 50 rows | times the line above |", "| --- | --- | --- |"],
    )
    before = None
    for draws in (1000, 4000, 16_000, 64_000):
        y, x = rng.normal(size=50), rng.normal(size=(draws, 50))
        each = least_of_turns({"ours": lambda y=y, x=x: scores.crps(y, x)})["ours"]
        lines.append(f"| {draws:,} | {1e3 * each:.3g} | {'' if before is None else f'{each / before:.2g}'} |")
        before = each
    return lines


def large() -> str:
    """Seconds and memory of 20,000 rows by 4,000 draws."""
    rng = np.random.default_rng(3)
    y, x = rng.normal(size=20_000), rng.normal(size=(4000, 20_000))
    tracemalloc.start()
    start = time.perf_counter()
    scores.crps(y, x)
    seconds = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return (
        f"20,000 rows by 4,000 draws ({x.nbytes / 1e6:.0f} MB): {seconds:.2g} s, and {peak:.0f} MB at most beside the "
        "draws."
    )


def bands() -> str:
    """Milliseconds of simultaneous bands, each of other values than those before."""
    points = equal_steps(101)
    band_at(40, points)
    found = {}
    for n in (100, 1000, 10_000):
        times = []
        for k in range(3):
            start = time.perf_counter()
            band_at(n + k + 1, points)
            times.append(1e3 * (time.perf_counter() - start))
        found[n] = min(times)
    return (
        "Simultaneous bands at 100 points: "
        + ", ".join(f"{ms:.3g} ms for {n:,} values" for n, ms in found.items())
        + "."
    )


def imported(others: dict[str, Any]) -> str:
    """Seconds of imports in fresh processes, the least of three."""
    found = {}
    for name in ("nutslite.scores", *others):
        runs = [
            subprocess.run([sys.executable, "-c", IMPORT.format(name)], capture_output=True, text=True)
            for _ in range(3)
        ]
        found[name] = min(float(run.stdout) for run in runs)
    return (
        "Imports in fresh processes (names of nutslite.scores load when they are used): "
        + ", ".join(f"{name} {each:.2g} s" for name, each in found.items())
        + "."
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"))
    out = parser.parse_args().out
    others = peers()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in others)
    parts = [
        "# Speed of scores",
        f"{made_by('score_speed.py')} {versions}. Least of {TURNS} calls made in turns, compilation left out.",
        "\n".join(compared(others)),
        "\n".join(grown()),
        large(),
        bands(),
        imported(others),
    ]
    out.mkdir(parents=True, exist_ok=True)
    (out / "score_speed.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
