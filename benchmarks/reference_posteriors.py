"""Do all paths sample the right posterior? 28 models with known posteriors, every path that can serve each.

Run from the repository: ``python benchmarks/reference_posteriors.py [--cases radon,cbpp] [--paths auto,joint]
[--draws 5000] [--seed 1] [--out benchmarks/results/reference_posteriors.md]``. Every case is fitted twice on every
path: at default settings (are R-hat, effective sizes and divergences as they should be?) and with many draws, which are
compared with the reference: means, standard deviations, 5 % and 95 % quantiles of every parameter, group effect and
expected response that it gives, and the leave-one-out score. Exit status 1 if anything disagrees.

The references need the folder beside the repository (or NUTSLITE_SHARED) with reference_posteriors/ and data/.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

from reference_cases import CASES  # noqa: E402  # after the path above
from reference_comparison import (  # noqa: E402
    ELPD_MARGIN,
    ELPD_MARGIN_BAD_PARETO,
    ERRORS,
    LAPLACE_MARGINS,
    LAPLACE_MARGINS_OF_SKEWED,
    MARGINS,
)
from reference_runs import LARGEST_R_HAT, PATHS, SMALLEST_ESS, Health, Outcome, run_case, serves  # noqa: E402
from reference_values import read_reference, shared_folder  # noqa: E402

PACKAGES = ("numpy", "numba", "scipy", "pandas", "arviz")

INTRODUCTION = f"""\
For every case and path, `largest difference` is the number of ours that uses up most of what is allowed, and `share`
how much of it. Allowed are {MARGINS["mean"]} posterior sd for means and sds and {MARGINS["q5"]} for 5 % and 95 %
quantiles, each plus {ERRORS:g} Monte Carlo standard errors (ours and the reference's together); for `elpd_loo`
{ELPD_MARGIN} ({ELPD_MARGIN_BAD_PARETO} where the reference has Pareto k above 0.7) plus {ERRORS:g} errors. `z` is the
largest difference in Monte Carlo standard errors, of as many comparisons as `n` says. R-hat, ESS (the worst of bulk
and tail of all parameters and group effects), divergences and leapfrogs (mean per draw) are those of 4 x 1000 draws at
default settings, which must give R-hat below {LARGEST_R_HAT}, ESS above {SMALLEST_ESS:g} and no divergence (reported
but not required without a pilot, which is nobody's default). `ESS long` is the worst of the run that was compared,
`draws/s` its kept draws over its whole wall time, warm-up included, compilation excluded.

Paths. `auto`: what `fit` does by itself. `joint`: NUTS over all parameters, after a pilot; `rotations`: by angles
around the pilot's mode in place of NUTS, whatever the number of parameters; `joint-no-pilot`: NUTS without a pilot.
`marginal`: NUTS on the sufficient statistics (cross-products) of a Gaussian model, coefficients and group effects
integrated out; without groups that leaves sigma alone. `merged`: as joint, with equal rows merged where joint would not
do it because it saves no time; `unmerged`: every row by itself where joint merges. `laplace`: draws of the normal
approximation at the mode of the density that auto would sample, on its unconstrained scale.

Laplace is not from the posterior and has margins of its own, the same for all cases, plus the same {ERRORS:g} errors:
what is expected where the posterior has skewness 1/2, {LAPLACE_MARGINS["mean"]} sd for means, {LAPLACE_MARGINS["sd"]}
for sds, {LAPLACE_MARGINS["q5"]} for quantiles, of coefficients, sigma and group effects; and where it has skewness 1,
{LAPLACE_MARGINS_OF_SKEWED["mean"]}, {LAPLACE_MARGINS_OF_SKEWED["sd"]} and {LAPLACE_MARGINS_OF_SKEWED["q5"]}, of scales
and correlations of group effects and of expected responses, for which it is poor: few groups inform a scale, and a
normal distribution around its mode cannot follow. No leave-one-out score is asked of it, and its R-hat and ESS, those
of independent draws, say nothing of how good it is."""


def versions() -> str:
    """What ran."""
    own = f"nutslite {metadata.version('nutslite')}" if _installed("nutslite") else "nutslite (this checkout)"
    others = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    return f"{own}, Python {platform.python_version()}, {others}; {os.cpu_count()} cores"


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes in Markdown, a line each."""
    head = (
        "| case | path | served by | n | largest difference | share | z | R-hat | ESS | divergences | leapfrogs "
        "| ESS long | draws/s | verdict |\n|---|---|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|---|"
    )
    return "\n".join([head, *map(_line, outcomes)])


def _line(outcome: Outcome) -> str:
    health, worst = outcome.default, outcome.worst
    cells = [
        outcome.case, outcome.path, outcome.served_by, str(len(outcome.differences)),
        f"{worst.statistic} of {worst.quantity}".replace("|", "\\|"), f"{worst.share:.2f}",
        f"{outcome.largest_z.z:.1f}", f"{health.r_hat:.4f}", f"{health.ess:.0f}", str(health.divergences),
        f"{health.leapfrogs:.1f}", f"{outcome.long.ess:.0f}", f"{outcome.draws_per_second:,.0f}", verdict(outcome),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def verdict(outcome: Outcome) -> str:
    """Pass, or in a few words what is wrong."""
    wrong = []
    if failed := sum(not difference.agrees for difference in outcome.differences):
        wrong.append(f"{failed} differ")
    if not outcome.default.good:
        wrong.append(_ailment(outcome.default))
    if outcome.passed:
        return f"agrees, but {wrong[0]}" if wrong else "pass"
    return "**FAIL**: " + ", ".join(wrong)


def _ailment(health: Health) -> str:
    ills = []
    if not health.r_hat < LARGEST_R_HAT:
        ills.append("R-hat")
    if not health.ess > SMALLEST_ESS:
        ills.append("ESS")
    if health.divergences:
        ills.append("divergences")
    return " and ".join(ills)


def report(outcomes: Sequence[Outcome], command: str, seconds: float) -> str:
    """The whole Markdown file."""
    passed = sum(outcome.passed for outcome in outcomes)
    agreeing = sum(outcome.agrees for outcome in outcomes)
    compared = sum(len(outcome.differences) for outcome in outcomes)
    lines = [
        "# Reference posteriors",
        f"{agreeing} of {len(outcomes)} fits agree with their reference ({len({o.case for o in outcomes})} cases, "
        f"{compared:,} comparisons), {passed} pass. "
        f"Made in {seconds:.0f} s by `{command}` with {versions()}.",
        INTRODUCTION,
        table(outcomes),
    ]
    failures = [
        f"- {outcome.case}, {outcome.path}: {difference} (allowed {difference.allowed:.3g}, z {difference.z:.1f})"
        for outcome in outcomes
        for difference in outcome.differences
        if not difference.agrees
    ]
    if failures:
        lines += ["## Differences larger than allowed", "\n".join(failures)]
    return "\n\n".join(lines) + "\n"


def _chosen(text: str | None, known: Sequence[str], what: str) -> list[str]:
    """Names that contain one of the comma-separated words; all without any."""
    if text is None:
        return list(known)
    words = text.split(",")
    for word in words:
        if not any(word in name for name in known):
            sys.exit(f"No {what} is called '{word}'. There are: {', '.join(known)}.")
    return [name for name in known if any(word in name for word in words)]


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Compare every path with reference posteriors.")
    parser.add_argument("--cases", help="words, by commas: cases whose names contain one (default: all)")
    parser.add_argument("--paths", help=f"names, by commas: {', '.join(PATHS)} (default: all)")
    parser.add_argument("--draws", type=int, default=5000, help="per chain, of the run that is compared")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="Markdown file to write (default: only print)")
    chosen = parser.parse_args(arguments)
    chosen.cases = _chosen(chosen.cases, list(CASES), "case")
    paths = list(PATHS) if chosen.paths is None else chosen.paths.split(",")
    if unknown := [path for path in paths if path not in PATHS]:
        parser.error(f"there is no path '{unknown[0]}'; there are {', '.join(PATHS)}")
    chosen.paths = paths
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; 0 if all of it passes."""
    chosen = parse_arguments(arguments)
    shared = shared_folder()
    if not (shared / "reference_posteriors" / "cases.json").is_file():
        sys.exit(f"No reference_posteriors/cases.json in {shared}; NUTSLITE_SHARED can name another folder.")
    logging.getLogger("nutslite").setLevel(logging.ERROR)
    started = time.perf_counter()
    outcomes = []
    for name in chosen.cases:
        case = CASES[name]
        reference = read_reference(case, shared)
        for path in chosen.paths:
            if serves(case.model(shared / "data"), path):
                outcomes.append(run_case(case, reference, shared / "data", path, chosen.draws, chosen.seed))
                print(_line(outcomes[-1]), flush=True)
    command = " ".join(
        ["python benchmarks/reference_posteriors.py", *(sys.argv[1:] if arguments is None else arguments)]
    )
    text = report(outcomes, command, time.perf_counter() - started)
    if chosen.out is not None:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(text, encoding="utf-8")
    print("\n" + text)
    return int(not all(outcome.passed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
