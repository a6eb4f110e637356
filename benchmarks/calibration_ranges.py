"""Are numbers of right forecasts within their printed ranges in 95 % of runs, and are wrong forecasts caught?

Run from the repository: ``python benchmarks/calibration_ranges.py --out benchmarks/results/calibration_ranges.md``.
Responses are simulated, forecasts are the distribution they were drawn from, or one that is deliberately wrong; no
model is fitted. Every cell is written down when it is done, and not run again by the same command.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from provenance import made_by
from repository import ROOT
from scipy.special import expit, logit
from scipy.stats import binom, norm

from nutslite.scores import Prediction, evaluate
from nutslite.scores.reports import tables

FloatArray = NDArray[np.float64]
Forecast = tuple[FloatArray, Prediction, Any]
"""Observations, a prediction of them, labels of groups or None."""

ROWS = 200
SIZE = 5  # rows of a group
SHARED = 0.6  # sd of what rows of a group share, where their whole sd is 1
DRAWS = 300  # of a forecast that knows what rows share
SIMULATIONS = 39  # for a range: it holds 95 % whatever their number, and more make it less wide by chance
LEVELS = (0.5, 0.9)
FEWER = 4  # times, of runs with wrong forecasts
NARROW, BIAS = 0.8, 0.3  # of sds
OVERDISPERSION, COUNT_BIAS = 4.0, 1.15  # alpha of counts whose forecast is Poisson; factor of a mean
EXTREME, LOGIT_BIAS = 1.7, 0.5
SHARED_LOGIT, GAUSS = 1.2, 20  # sd of what events of a group share; points of a quadrature
ODD = 2.0  # sds that one group is off

FOLLOWED = (
    "coverage_90", "coverage_90_randomised", "pit_mean", "pit_spread", "pit_distance", "pit_between_groups",
    "pit_farthest_group", "residuals_between_groups", "residuals_farthest_group", "bias", "crps", "nll", "smooth_ece",
    "ece", "miscalibration", "spiegelhalter_z",
)  # fmt: skip
"""Measures that the second table has a column for, as far as a response has them."""


def gaussian(rng: np.random.Generator, wrong: str) -> Forecast:
    """Normal responses, each with a mean and an sd of its own."""
    mu, sigma = rng.normal(size=ROWS), np.exp(0.3 * rng.normal(size=ROWS))
    y = mu + sigma * rng.standard_normal(ROWS)
    return y, Prediction.from_normal(mu + BIAS * sigma * (wrong == "biased"), _width(wrong) * sigma), None


def poisson(rng: np.random.Generator, wrong: str) -> Forecast:
    """Counts; too narrow is a Poisson forecast of overdispersed ones."""
    mu = np.exp(1.0 + 0.5 * rng.normal(size=ROWS))
    rate = rng.gamma(OVERDISPERSION, mu / OVERDISPERSION) if wrong == "too narrow" else mu
    y = rng.poisson(rate)
    forecast = Prediction.from_distribution("poisson", mu=mu / (COUNT_BIAS if wrong == "biased" else 1.0))
    return y, forecast, None


def bernoulli(rng: np.random.Generator, wrong: str) -> Forecast:
    """Events; too narrow are probabilities that are too extreme."""
    p = rng.beta(1.5, 1.5, ROWS)
    y = (rng.random(p.size) < p).astype(int)
    steep, off = (EXTREME if wrong == "too narrow" else 1.0), (LOGIT_BIAS if wrong == "biased" else 0.0)
    return y, Prediction.from_probabilities(expit(steep * logit(p) - off)), None


def grouped(rng: np.random.Generator, wrong: str) -> Forecast:
    """Normal responses of groups that share an effect; right forecasts are draws of all rows together."""
    labels = np.repeat(np.arange(ROWS // SIZE), SIZE)
    mu, own = rng.normal(size=ROWS), (1.0 - SHARED**2) ** 0.5

    def deviations(n: int) -> FloatArray:
        shared = SHARED * rng.standard_normal((n, ROWS // SIZE))[:, labels]
        return shared + own * rng.standard_normal((n, ROWS))

    y = mu + deviations(1)[0] + ODD * (labels == 0) * (wrong == "one group off")
    if wrong == "ignoring groups":
        return y, Prediction.from_normal(mu, np.ones(ROWS)), labels
    draws = mu + BIAS * (wrong == "biased") + _width(wrong) * deviations(DRAWS)
    return y, Prediction.from_draws(draws), labels


def grouped_events(rng: np.random.Generator, wrong: str) -> Forecast:
    """Events in groups; right forecasts know what rows of a group share, wrong ones the share of events on average."""
    labels = np.repeat(np.arange(ROWS // SIZE), SIZE)
    nodes, weights = np.polynomial.hermite_e.hermegauss(GAUSS)
    eta, shared = rng.normal(size=ROWS), SHARED_LOGIT * rng.standard_normal(ROWS // SIZE)[labels]
    y = (rng.random(ROWS) < expit(eta + shared)).astype(int)
    if wrong == "ignoring groups":
        average = expit(eta[:, None] + SHARED_LOGIT * nodes) @ weights / weights.sum()
        return y, Prediction.from_probabilities(average), labels
    steep, off = (EXTREME if wrong == "too narrow" else 1.0), (LOGIT_BIAS if wrong == "biased" else 0.0)
    return y, Prediction.from_probabilities(expit(steep * (eta + shared) - off)), labels


def _width(wrong: str) -> float:
    return NARROW if wrong == "too narrow" else 1.0


RESPONSES: dict[str, Callable[[np.random.Generator, str], Forecast]] = {
    "gaussian": gaussian, "poisson": poisson, "bernoulli": bernoulli, "grouped gaussian": grouped,
    "grouped bernoulli": grouped_events,
}  # fmt: skip
WRONG = ("", "too narrow", "biased")
OF_GROUPS = {"grouped gaussian": ("ignoring groups", "one group off"), "grouped bernoulli": ("ignoring groups",)}
CELLS = [(response, wrong) for response in RESPONSES for wrong in (*WRONG, *OF_GROUPS.get(response, ()))]


def found_fault(verdict: str) -> bool:
    """Whether the two sentences of a report find anything wrong."""
    return any(
        words in verdict for words in ("too narrow", "too wide", "Beside that, ", "Probabilities are not calibrated")
    )


def run_cell(response: str, wrong: str, runs: int, seed: int) -> dict[str, Any]:
    """Shares of runs by measure: within the printed range, below it, above it; and verdicts that find a fault."""
    rng = np.random.default_rng([seed, *response.encode(), *wrong.encode()])
    inside: dict[str, list[int]] = {}
    faults = surprising = 0
    for run in range(runs):
        y, prediction, labels = RESPONSES[response](rng, wrong)
        report = evaluate(y, prediction, groups=labels, levels=LEVELS, simulations=SIMULATIONS, seed=[seed, run])
        faults += found_fault(report.verdict())
        surprising += report.omnibus.p_value <= 1.0 - report.confidence
        table = report.table
        for name in table.index[np.isfinite(table["expected_low"].to_numpy(float))]:
            line = table.loc[name]
            counts = inside.setdefault(str(name), [0, 0, 0])
            counts[
                1 + int(line["estimate"] > line["expected_high"]) - int(line["estimate"] < line["expected_low"])
            ] += 1
    shares = {name: [count / runs for count in counts] for name, counts in inside.items()}
    found = {"runs": runs, "faults": faults / runs, "any": surprising / runs, "measures": shares}
    return {"response": response, "wrong": wrong, **found}


def report(cells: Sequence[dict[str, Any]], head: str) -> str:
    """The page."""
    runs = next(cell["runs"] for cell in cells if not cell["wrong"])
    least, most = binom.ppf([0.005, 0.995], runs, 0.95) / runs
    right = [cell for cell in cells if not cell["wrong"]]
    shares = [measure[1] for cell in right for measure in cell["measures"].values()]
    text = [
        "# Printed ranges of calibrated forecasts",
        head,
        f"{runs} runs of a right forecast, {ROWS} rows, ranges from {SIMULATIONS} simulations. A right range holds "
        f"95 %; chance leaves {100 * least:.3g} to {100 * most:.3g} % of {runs} runs (99 % of measures). What takes "
        "few values, such as how many of 200 rows are covered, is inside a little more often.",
        "## Right forecasts",
        f"Of {len(shares)} measures the share within the printed range is {100 * np.mean(shares):.1f} % on average, "
        f"{100 * min(shares):.1f} to {100 * max(shares):.1f} %; {sum(share < least for share in shares)} are below "
        f"{100 * least:.3g} %.",
        _right_table(right),
        "## Wrong forecasts, and right ones",
        f"Too narrow: sds {NARROW} times the right ones; counts with negative binomial alpha {OVERDISPERSION:g} "
        f"forecast as Poisson; logits {EXTREME} times too steep. Biased: by {BIAS} sd; means of counts {COUNT_BIAS} "
        f"times too low; logits by {LOGIT_BIAS}. Ignoring groups: each row right by itself, and nothing shared (groups "
        f"of {SIZE} share {SHARED**2:.0%} of the variance; events an effect of sd {SHARED_LOGIT} on the logit). One "
        f"group off: by {ODD:g} sds. Numbers are the share of runs **outside** the range (% of runs; 5 is what right "
        "forecasts have). *Any* is the share where one of the numbers that the verdict looks at is farther from what "
        "is expected than the farthest is in 95 % of simulations; *verdict* that whose two sentences find a fault.",
        f"No test of 5 % could find a bias of {BIAS} sds of the grouped responses, whose mean over {ROWS // SIZE} "
        f"groups is known to {_error_of_mean():.2f} sds, in more than {100 * _most_power():.0f} % of runs.",
        _wrong_table(cells),
    ]
    return "\n\n".join(text) + "\n"


def _right_table(cells: Sequence[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for cell in cells for name in cell["measures"]))
    lines = [_row(["measure", *(cell["response"] for cell in cells)]), _rule(1 + len(cells))]
    for name in names:
        found = [cell["measures"].get(name) for cell in cells]
        lines.append(_row([name, *("" if shares is None else f"{100 * shares[1]:.1f}" for shares in found)]))
    return "\n".join(lines)


def _wrong_table(cells: Sequence[dict[str, Any]]) -> str:
    names = [name for name in FOLLOWED if any(name in cell["measures"] for cell in cells)]
    lines = [_row(["response", "forecast", "runs", "verdict", "any", *names]), _rule(5 + len(names))]
    for cell in cells:
        found = [cell["measures"].get(name) for name in names]
        outside = ["" if shares is None else f"{100 * (1 - shares[1]):.0f}" for shares in found]
        first = [cell["response"], cell["wrong"] or "right", str(cell["runs"])]
        first += [f"{100 * cell[name]:.0f}" for name in ("faults", "any")]
        lines.append(_row([*first, *outside]))
    return "\n".join(lines)


def _error_of_mean() -> float:
    """Of the mean residual of the grouped responses, in sds of one."""
    return float(np.sqrt((SHARED**2 + (1.0 - SHARED**2) / SIZE) / (ROWS // SIZE)))


def _most_power() -> float:
    """Of a test that this mean is zero, where it is `BIAS`: two-sided, of 5 %."""
    shift = BIAS / _error_of_mean()
    return float(norm.sf(1.96 - shift) + norm.cdf(-1.96 - shift))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(columns: int) -> str:
    return f"|{' --- |' * columns}"


def sources() -> str:
    """What determines the cells: the committed files of the scores."""
    words = ["git", "rev-parse", "HEAD:nutslite/scores"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def main(words: Sequence[str] | None = None) -> None:
    """Run the cells that are missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400, help="of each right forecast (default: 400)")
    parser.add_argument("--only", default="", help="cells whose response and forecast hold this text")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", type=Path, default=ROOT / "build" / "benchmarks" / "calibration_ranges.jsonl")
    parser.add_argument("--out", type=Path, help="Markdown file (default: only print)")
    arguments = parser.parse_args(words)
    logging.getLogger("nutslite").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    tables.REPLICATES = 20  # standard errors are not what is studied
    key = {"runs": arguments.runs, "seed": arguments.seed, "sources": sources()}
    lines = arguments.store.read_text(encoding="utf-8").splitlines() if arguments.store.exists() else []
    stored = [record["cell"] for record in map(json.loads, lines) if record["key"] == key]
    done = {(cell["response"], cell["wrong"]): cell for cell in stored}
    for response, wrong in CELLS:
        if (response, wrong) in done or arguments.only not in f"{response} {wrong}":
            continue
        began = time.perf_counter()
        runs = arguments.runs // FEWER if wrong else arguments.runs
        done[response, wrong] = run_cell(response, wrong, runs, arguments.seed)
        arguments.store.parent.mkdir(parents=True, exist_ok=True)
        with arguments.store.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "cell": done[response, wrong]}) + "\n")
        print(f"{response}, {wrong or 'right'}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    text = report([done[cell] for cell in CELLS if cell in done], made_by("calibration_ranges.py"))
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
