"""Which acceptance rate chains should aim at where a pilot has found the metric: effective draws per gradient.

Run from the repository: ``python benchmarks/target_accept.py --out benchmarks/results/target_accept.md``. NUTS
by leapfrogs without a centre, NUTS around the pilot's centre, and rotations, as fits of many parameters make them.
Gradients are counted, not timed, so that a busy machine does not matter.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
from pathlib import Path

import numpy as np
from cases import CASES

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from nutslite.model import Model  # noqa: E402
from nutslite.posterior.methods import nuts_start  # noqa: E402
from nutslite.posterior.methods.fit import Fit  # noqa: E402
from nutslite.posterior.methods.settings import Settings  # noqa: E402
from nutslite.posterior.run.run import run  # noqa: E402
from nutslite.results.diagnostics.diagnostics import ess_bulk, ess_tail, rhat  # noqa: E402

LINE = "| {} | {} | {} | {:.2f} | {:.2f} | {} | {:,} | {:.0f} | {:.0f} | {:.3f} |"


def line(name: str, motion: str, target: float, fit: Fit) -> str:
    """One row of the table."""
    draws = np.concatenate([fit.values, fit.effects], axis=2)
    draws = draws[:, :, np.ptp(draws, axis=(0, 1)) > 0.0]
    steps = fit.stats["n_steps"]
    lengths, counts = np.unique(steps, return_counts=True)
    most = int(lengths[np.argmax(counts)])
    gradients = int(steps.sum())
    bulk, tail = (1000.0 * float(np.min(ess(draws))) / gradients for ess in (ess_bulk, ess_tail))
    return LINE.format(
        name,
        motion,
        target,
        float(fit.stats["acceptance_rate"].mean()),
        float(fit.stats["step_size"].mean()),
        most,
        gradients,
        bulk,
        tail,
        float(np.max(rhat(draws))),
    )


def main() -> None:
    """Fit every case with every target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="M3,M4,ticks,VerbAgg", help="cases with many parameters, by name and comma")
    parser.add_argument("--targets", default="0.6,0.65,0.7,0.75,0.8,0.9")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    logging.getLogger("nutslite").setLevel(logging.ERROR)
    lines = [
        "# Acceptance to aim at after a pilot\n",
        f"Made by `python benchmarks/target_accept.py --only {arguments.only} --targets {arguments.targets}`; the "
        "cases are those of `benchmarks/cases.py`, 4 chains x 1,000 draws after a pilot. ESS are the smallest of all "
        "parameters, per 1,000 gradients of the draws.\n",
        "| case | motion | target | acceptance | step | most steps | gradients | bulk ESS | tail ESS | R-hat |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    around = nuts_start.centred_at
    motions = {
        "NUTS, leapfrog": ("nuts", lambda metric, center: metric),
        "NUTS around the centre": ("nuts", around),
        "rotations": ("hmc", around),
    }
    for case in CASES:
        if case.name not in arguments.only.split(","):
            continue
        plan = Model(case.formula, case.make(), family=case.family, link=case.link).plan()
        for motion, target in itertools.product(motions, map(float, arguments.targets.split(","))):
            method, nuts_start.centred_at = motions[motion]
            settings = Settings(random_seed=1, progressbar=False, inference_method=method, target_accept=target)
            lines.append(line(case.name, motion, target, run(plan, settings)))
            sys.stdout.write(lines[-1] + "\n")
    if arguments.out is not None:
        arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
