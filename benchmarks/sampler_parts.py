"""What the sampler's replaceable parts give for a gradient: effective draws on three densities.

Run from the repository: ``python benchmarks/sampler_parts.py --out benchmarks/results/sampler_parts.md``. Gradients are
counted, not timed, so that a busy machine does not matter. Each row replaces what it names; all else is as usual.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from provenance import made_by

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from known_targets import funnel  # noqa: E402
from part_systems import banana  # noqa: E402
from sampler_targets import correlated_normal  # noqa: E402

from nutslite.results.diagnostics.diagnostics import ess_bulk, ess_tail  # noqa: E402
from nutslite.sampler import Draws, sample  # noqa: E402

DIMENSION = 20
NECK = -3.0 * 1.6448536269514722
"""The 5 % quantile of x[0] in Neal's funnel."""

ROWS: tuple[dict[str, Any], ...] = (
    {},
    {"integrator": "two_stage"},
    {"integrator": "three_stage"},
    {"integrator": "fourth_order"},
    {"trajectory": "static"},
    {"trajectory": "walnuts"},
    {"step_size_rule": "adam"},
    {"step_size_rule": "robbins_monro"},
    {"metric": "diag_grad"},
    {"metric": "dense"},
    {"metric": "low_rank"},
    {"warmup": "fisher", "metric": "diag_grad"},
    {"warmup": "fisher", "metric": "low_rank"},
    {"trajectory": "walnuts", "warmup": "fisher", "metric": "low_rank"},
)


NOTES = (
    "ESS are the smallest of all coordinates, per 1,000 gradients of the draws; those that WALNUTS spends on the "
    "way back, and an integrator on its stages, are counted. The normal has scales over two powers of ten and "
    "three directions of other variance; the banana is bent along its first coordinate; the funnel is Neal's, "
    "where ESS of draws that miss the neck say nothing: the last column should be 0.050."
)


class Target(NamedTuple):
    """A density, its data, how many coordinates it has, and what is said of its draws beside their number."""

    name: str
    density: Callable[..., Any]
    data: Any
    dimension: int
    note: Callable[[Draws], str] | None = None


def normal_data(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Scales over two powers of ten, and three directions in which they are far from telling the whole."""
    rng = np.random.default_rng(seed)
    scales = np.exp(rng.uniform(-1.0, 1.0, DIMENSION) * math.log(10.0))
    basis = np.linalg.qr(rng.normal(size=(DIMENSION, 3)))[0]
    inner = np.eye(DIMENSION) + basis @ np.diag([200.0, 50.0, -0.99]) @ basis.T
    return np.zeros(DIMENSION), np.linalg.inv(scales[:, None] * inner * scales)


def share_in_neck(draws: Draws) -> str:
    """How much of the draws is in the narrowest twentieth of the funnel."""
    return f"{(draws.positions[..., 0] < NECK).mean():.3f}"


TARGETS = (
    Target("normal", correlated_normal, normal_data(), DIMENSION),
    Target("banana", banana, normal_data(), 3),
    Target("funnel", funnel, 0.0, 6, share_in_neck),
)


def line(target: Target, options: dict[str, Any], chains: int, draws: int) -> str:
    """One row of the table of a density."""
    start = np.zeros(target.dimension)
    result = sample(
        target.density, target.data, initial=start, chains=chains, draws=draws, cores=2, random_seed=1, **options
    )
    gradients = int(result.n_gradients.sum())
    bulk, tail = (1000.0 * float(np.min(ess(result.positions))) / gradients for ess in (ess_bulk, ess_tail))
    words = ", ".join(f"{name} {value}" for name, value in options.items()) or "as usual"
    cells = [
        words,
        f"{result.stats['acceptance_rate'].mean():.2f}",
        f"{gradients / (chains * draws):.1f}",
        f"{result.n_warmup_gradients.sum() / chains:,.0f}",
        f"{bulk:.1f}",
        f"{tail:.1f}",
        f"{result.stats['diverging'].sum()}",
        *([] if target.note is None else [target.note(result)]),
    ]
    return f"| {' | '.join(cells)} |"


def table(target: Target, chains: int, draws: int) -> list[str]:
    """All rows of a density."""
    head = ["part", "acceptance", "gradients a draw", "gradients of a warm-up", "bulk ESS", "tail ESS", "divergences"]
    head += [] if target.note is None else ["share below the 5 % quantile of x[0]"]
    lines = [f"\n## {target.name}, {target.dimension} coordinates\n", f"| {' | '.join(head)} |"]
    lines.append("|" + " --- |" * len(head))
    for options in ROWS:
        lines.append(line(target, options, chains, draws))
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Sample every density with every part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    lines = [
        "# What replaceable parts give for a gradient\n",
        made_by("sampler_parts.py"),
        f"\n{arguments.chains} chains x {arguments.draws:,} draws after 1,000 transitions of warm-up, target 0.8. "
        + NOTES,
    ]
    for target in TARGETS:
        lines += table(target, arguments.chains, arguments.draws)
    text = "\n".join(lines) + "\n"
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
