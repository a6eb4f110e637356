"""Does the sampler find hard distributions again that are known? With alert and fail thresholds.

Run from the repository: ``python benchmarks/sampler_study.py [--draws 5000] [--seeds 3] [--only banana]
[--out benchmarks/results/sampler_study.md]``. The densities are those of tests/known_targets.py. Exit status 1 if any
fails.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from known_targets import TARGETS, Judgement, judge  # noqa: E402  # after the path above

INTRODUCTION = """\
Four chains of {draws} draws after 1,000 warm-up transitions. Under each density some functions of a draw are uniform;
`z` is the largest error of their means, mean squared distances from the middle and 5 % tails, in Monte Carlo standard
errors, of all functions and seeds. `ESS/draw` is the smallest effective size of these per draw, `leapfrogs` the mean
number a draw. An alert is a z beyond the first threshold, an R-hat above 1.01 or fewer than 0.05 effective draws per
draw; a failure a z beyond the second or an R-hat above 1.05. Where the second is missing NUTS is known not to reach all
of the density (the neck of a centred funnel, the tails of a Cauchy distribution), and only alerts."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=5000, help="of each of four chains (default 5000)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each density (default 3)")
    parser.add_argument("--only", default="", help="densities whose names hold this word")
    parser.add_argument("--out", default=str(ROOT / "build" / "benchmarks" / "sampler_study.md"))
    options = parser.parse_args(arguments)
    lines = [
        "| density | z | alert, fail beyond | R-hat | ESS/draw | divergences | leapfrogs | verdict |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    verdicts = []
    for name, target in TARGETS.items():
        if options.only in name:
            runs = [judge(target, options.draws, seed=seed + 1) for seed in range(options.seeds)]
            verdicts.append(worst(runs))
            limits = f"{target.alert_z}, {target.fail_z}".replace("inf", "none")
            lines.append(line(name, runs, limits))
            print(lines[-1], flush=True)
    versions = ", ".join(f"{package} {metadata.version(package)}" for package in ("numpy", "numba"))
    text = [
        "# Known distributions",
        f"`python benchmarks/sampler_study.py --draws {options.draws} --seeds {options.seeds}`; "
        f"Python {platform.python_version()}, {versions}.",
        INTRODUCTION.format(draws=f"{options.draws:,}"),
        "\n".join(lines),
    ]
    out = Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n\n".join(text) + "\n", encoding="utf-8")
    return int("FAIL" in verdicts)


def worst(runs: Sequence[Judgement]) -> str:
    """The worst verdict of some runs."""
    return max((run.verdict for run in runs), key=("ok", "alert", "FAIL").index)


def line(name: str, runs: Sequence[Judgement], limits: str) -> str:
    """A row of the table."""
    cells = [
        name,
        f"{max(run.z for run in runs):.1f}",
        limits,
        f"{max(run.r_hat for run in runs):.4f}",
        f"{min(run.ess_share for run in runs):.3f}",
        str(sum(run.divergences for run in runs)),
        f"{sum(run.leapfrogs for run in runs) / len(runs):.1f}",
        worst(runs),
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
