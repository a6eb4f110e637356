"""Random models of 3 to 12 rows over all families, links and kinds of priors: are default fits clean, and right?

Run from the repository: ``python benchmarks/small_models.py --fits 4000 --out benchmarks/results/small_models.md``.
Each fit is kept in the file of ``--store`` as soon as it is done, so that a run goes on where it was ended;
``--minutes 30`` ends it after that time, ``--only 17`` makes one model again, by its number, and prints it.

Clean is a fit at default settings without divergences, with every R-hat below 1.01 and every effective sample size of
at least 100 a chain. What is not clean has to say so. Models that have no posterior, and are said to have none before
they are fitted, are told. Where a model has one to three parameters its draws are compared
with quadrature (`small_quadrature.py`), which knows SciPy's densities and none of the package's.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import multiprocessing
import os
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import repository
from provenance import made_by
from scipy.stats import norm
from small_quadrature import Posterior, exact_shares

import nutslite as nl
from nutslite.families.record.register import get_family
from nutslite.results.diagnostics.diagnostics import convergence

SEED = 20261128
DESIGNS = ("1", "1", "x", "x", "0 + x", "f", "x + z", "x * f", "f * k", "x + (1|g)", "1 + (1|g)", "1 + (1|one)")
PRIORS = ("default", "default", "wide", "heavy tails", "narrow")
RANGES = {"inverse", "inverse_squared", "sqrt", "identity"}
FAMILIES = (
    *("bernoulli", "beta", "binomial", "gamma", "gaussian", "lognormal"),
    *("negativebinomial", "poisson", "t", "wald", "zero_inflated_poisson"),
)
"""Written down: numbers of models stay what they are when families are added."""
NO_POSTERIOR = "the posterior has no bound"  # what a model says before it is fitted, where priors and data give none
POINTS = (0.1, 0.5, 0.9)
GRID_ERROR = 1e-3  # of shares
DEAR = 4  # every fourth model of three parameters is integrated
CHANCE = 0.05  # of one false alarm of "silently wrong" in the whole study
SHOWN = 25
LONGEST = 1e6  # seconds of a run


@dataclass(frozen=True)
class Case:
    """A random model; `number` makes it again."""

    number: int
    family: str
    link: str
    design: str
    kind: str
    data: pd.DataFrame = field(repr=False)
    priors: dict[str, nl.Prior] = field(repr=False)

    def model(self) -> nl.Model:
        """The model itself."""
        left = "p(y, trials)" if self.family == "binomial" else "y"
        return nl.Model(f"{left} ~ {self.design}", self.data, self.family, link=self.link, priors=self.priors)

    def cause(self, parameters: int) -> str:
        """What is most likely to be hard about it."""
        support = get_family(self.family).parent.support
        if "|" in self.design:
            return "few levels"
        if self.link in RANGES and not (support == "real" and self.link == "identity"):
            return "range of the link"
        if parameters >= len(self.data):
            return "as many parameters as rows"
        return "heavy tails" if self.kind in ("heavy tails", "wide") else "few rows"


def make_case(number: int, seed: int = SEED) -> Case:
    """The model of a number."""
    rng = np.random.default_rng([seed, number])
    name = FAMILIES[rng.integers(len(FAMILIES))]
    family = get_family(name)
    parent = family.parent
    link = parent.links[0 if rng.random() < 0.3 else rng.integers(len(parent.links))]
    design, kind = DESIGNS[rng.integers(len(DESIGNS))], PRIORS[rng.integers(len(PRIORS))]
    n = int(rng.integers(4 if design == "f * k" else 3, 13))  # no empty cell: that has no automatic prior
    n_levels = 2 if design == "f * k" else int(rng.integers(2, 4))
    levels = np.array(list("abc"))
    data = pd.DataFrame(
        {
            "x": rng.normal(size=n).round(2) * 10.0 ** rng.integers(-1, 2),
            "z": rng.normal(size=n).round(2),
            "f": levels[np.arange(n) % n_levels],
            "k": np.array(list("uv"))[(np.arange(n) // 2) % 2],
            "g": levels[rng.integers(0, 3, n)],
            "one": "a",
            "trials": rng.integers(1, 9, n),
        }
    )
    if design == "0 + x" and link in RANGES:  # otherwise hardly any slope gives every row a mean
        data["x"] = data["x"].abs() + 0.1
    data["y"] = _response(rng, family, parent.support, link, data)
    return Case(number, name, link, design, kind, data, _priors(rng, kind, design))


def _response(rng: np.random.Generator, family: Any, support: str, link: str, data: pd.DataFrame) -> Any:
    """Numbers of the family itself, whose mean may depend on the predictors."""
    n = len(data)
    location = {"unit": rng.uniform(0.1, 0.9), "positive": float(np.exp(rng.normal(0.5, 0.8)))}.get(support)
    if location is None:
        location = rng.normal(0.0, 3.0) if link == "identity" else float(np.exp(rng.normal(0.5, 0.8)))
    mean = np.full(n, location)
    if rng.random() < 0.5:
        mean = mean * np.exp(0.3 * rng.normal() * (data["x"] / data["x"].abs().max()))
        mean = np.minimum(mean, 0.95) if support == "unit" else mean
    others = {"sigma": 0.7, "nu": 5.0, "alpha": 3.0, "kappa": 8.0, "lam": 3.0, "psi": 0.7}
    parameters = {family.parent.name: mean}
    parameters |= {
        name: np.full(n, others[name] * np.exp(0.5 * rng.normal())) for name in (p.name for p in family.auxiliary)
    }
    if "psi" in parameters:
        parameters["psi"] = np.full(n, rng.uniform(0.3, 0.95))
    y = np.asarray(family.random(rng, parameters, {"trials": data["trials"].to_numpy()}), dtype=float)
    if family.name == "beta":
        y = np.clip(y, 1e-3, 1 - 1e-3)
    elif family.name in ("gamma", "wald", "lognormal"):
        y = np.maximum(y, 1e-3)
    y = np.round(y, 3) if family.name not in ("beta",) else y
    return y.astype(int) if family.discrete else y


def _priors(rng: np.random.Generator, kind: str, design: str) -> dict[str, nl.Prior]:
    """Priors of the common terms."""
    if kind == "default":
        return {}
    prior = {
        "wide": nl.Prior("Normal", mu=0, sigma=30),
        "narrow": nl.Prior("Normal", mu=0.5, sigma=0.5),
        "heavy tails": nl.Prior("StudentT", nu=2, mu=0, sigma=2)
        if rng.random() < 0.5
        else nl.Prior("Cauchy", alpha=0, beta=2),
    }[kind]
    terms = [term for term in ("x", "z", "f", "k", "x:f", "f:k") if _has(design, term)]
    return dict.fromkeys(terms if design.startswith("0") else ["Intercept", *terms], prior)


def _has(design: str, term: str) -> bool:
    if ":" in term:
        return design == term.replace(":", " * ")
    return term in design.split("(")[0].replace("*", "+").replace(" ", "").split("+")


class _Heard(logging.Handler):
    """Keeps what the package warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def study(number: int) -> dict[str, Any]:
    """Fit one model and judge the fit; a record of plain values."""
    case = make_case(number)
    record: dict[str, Any] = {name: getattr(case, name) for name in ("number", "family", "link", "design", "kind")}
    record["rows"] = len(case.data)
    logger, heard = logging.getLogger("nutslite"), _Heard()
    logger.handlers = [heard]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                model = case.model()
            record["told"] = any(NO_POSTERIOR in str(one.message) for one in said)
            results = model.fit(random_seed=number, cores=1, progressbar=False)
    except Exception as error:  # whatever it is, it is what the study is about
        return record | {"parameters": 0, "crash": f"{type(error).__name__}: {str(error)[:200]}"}
    draws = {name: values.to_numpy() for name, values in results.posterior.data_vars.items() if "_offset" not in name}
    columns = np.concatenate([values.reshape(*values.shape[:2], -1) for values in draws.values()], axis=2)
    varying = np.ptp(columns, axis=(0, 1)) > 0
    table = convergence(columns[:, :, varying])
    record |= {
        "parameters": int(varying.sum()),
        "method": results.posterior.attrs["inference_method"],
        "divergences": int(np.asarray(results.sample_stats["diverging"]).sum()),
        "r_hat": float(np.max(table["r_hat"])),
        "ess": float(min(table["ess_bulk"].min(), table["ess_tail"].min())),
        "warned": bool(heard.lines),
        "seconds": float(results.posterior.attrs["sampling_time"]),
        "z": 0.0,
        "compared": 0,
    }
    record["cause"] = case.cause(record["parameters"])
    if (
        "|" not in case.design
        and varying.all()
        and (columns.shape[2] < 3 or (columns.shape[2] == 3 and number % 4 == 0))
    ):
        _compare(model, draws, record)
    return record


def _compare(model: nl.Model, draws: dict[str, Any], record: dict[str, Any]) -> None:
    """Shares of the posterior below some of the draws' quantiles, from the draws and by quadrature."""
    posterior = Posterior(model)
    columns = posterior.unconstrained(draws)
    quantiles = np.quantile(columns.reshape(-1, columns.shape[2]), (*POINTS, 0.25, 0.75), axis=0)
    points, (lower, upper) = quantiles[: len(POINTS)], quantiles[len(POINTS) :]
    exact = exact_shares(posterior, points[len(POINTS) // 2], (upper - lower) / 1.35, points)
    if exact is None:
        return
    for j in range(columns.shape[2]):
        below = (columns[:, :, j, None] <= points[:, j]).astype(float)
        size = np.clip(convergence(below)["ess_bulk"], 4.0, None)
        share = np.clip(exact[:, j], 0.0, 1.0)
        variance = np.maximum(share * (1.0 - share), np.multiply(POINTS, np.subtract(1.0, POINTS)))
        z = (below.mean(axis=(0, 1)) - share) / np.sqrt(variance / size + GRID_ERROR**2)
        at = int(np.argmax(np.abs(z)))
        if abs(z[at]) > abs(record["z"]):
            record |= {"z": float(z[at]), "worst": f"P(u{j} < {points[at, j]:.4g}) = {share[at]:.4f}"}
        record["compared"] += len(POINTS)


def _verdict(record: dict[str, Any], bound: float) -> str:
    if "crash" in record:
        return "crashed"
    if record.get("told"):
        return "told"
    clean = record["divergences"] == 0 and record["r_hat"] < 1.01 and record["ess"] >= 400 and not record["warned"]
    if not record["warned"] and (abs(record["z"]) > bound or not clean):
        return "silently wrong"
    return "clean" if clean else "warned"


def table(records: list[dict[str, Any]], command: str) -> str:
    """The page."""
    compared = sum(record.get("compared", 0) for record in records)
    bound = max(4.0, float(norm.isf(0.5 * CHANCE / max(1, compared))))
    verdicts = [_verdict(record, bound) for record in records]
    counts = Counter(verdicts)
    n = max(1, len(records))
    quadratures = sum(record.get("compared", 0) > 0 for record in records)
    lines = [
        "# Small models",
        "",
        f"{len(records):,} random models of 3 to 12 rows at default settings: {counts['clean']:,} clean "
        f"({100 * counts['clean'] / n:.2f} %), {counts['warned']} warned, {counts['silently wrong']} silently wrong, "
        f"{counts['crashed']} crashed, {counts['told']} told before they were fitted "
        f"that they have no posterior. "
        f"{quadratures:,} of them were compared with quadrature at {compared:,} points; "
        f"wrong is more than {bound:.1f} standard errors, which chance alone exceeds once in {1 / CHANCE:.0f} such "
        "studies.",
        "",
        f"{command} Models are made by `make_case(number)`.{_left_out(records)}",
        "",
    ]
    for title, keys in (("Families and links", ("family", "link")), ("Priors", ("kind",)), ("Designs", ("design",))):
        lines += [f"## {title}", "", *_counted(records, verdicts, keys), ""]
    lines += ["## Families, links and priors", "", *_counted(records, verdicts, ("family", "link", "kind")), ""]
    lines += ["## What was not clean", "", *_worst(records, verdicts)]
    return "\n".join(lines) + "\n"


def _left_out(records: list[dict[str, Any]]) -> str:
    """A sentence on those that were not done when the run was ended: they may be the hard ones."""
    done = {record["number"] for record in records}
    missing = sorted(set(range(min(done), max(done))) - done) if done else []
    if not missing:
        return ""
    return (
        f" Numbers {', '.join(map(str, missing))} were not done when the run was ended; they are slow, and not counted."
    )


def _counted(records: list[dict[str, Any]], verdicts: list[str], keys: tuple[str, ...]) -> list[str]:
    cells: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    causes: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for record, verdict in zip(records, verdicts, strict=True):
        key = tuple(record[name] for name in keys)
        cells[key][verdict] += 1
        if verdict not in ("clean", "told"):
            causes[key][record.get("cause", "crash")] += 1
    shown = ("clean", "told", "warned", "silently wrong", "crashed")
    lines = ["| " + " | ".join([*keys, *shown, "cause"]) + " |", "| --- " * (len(keys) + len(shown) + 1) + "|"]
    for key in sorted(cells):
        why = ", ".join(f"{cause} ({count})" for cause, count in causes[key].most_common(2))
        lines.append("| " + " | ".join([*(_plain(k) for k in key), *(str(cells[key][v]) for v in shown), why]) + " |")
    return lines


def _plain(text: str) -> str:
    return text.replace("|", "\\|")


def _worst(records: list[dict[str, Any]], verdicts: list[str]) -> list[str]:
    order = ("crashed", "silently wrong", "warned")
    bad = [(order.index(v), record) for record, v in zip(records, verdicts, strict=True) if v in order]
    bad.sort(key=lambda entry: (entry[0], -abs(entry[1].get("z", 0.0)), -entry[1].get("divergences", 0)))
    lines = ["| number | model | verdict | method | divergences | R-hat | ESS | s.e. | |", "| --- " * 9 + "|"]
    for rank, r in bad[:SHOWN]:
        model = f"{r['family']}({r['link']}), y ~ {_plain(r['design'])}, {r['kind']}, {r['rows']} rows"
        if "crash" in r:
            figures = f"| | | | | {_plain(r['crash'])[:120]}".replace("\n", " ")
        else:
            figures = f"{r['method']} | {r['divergences']} | {r['r_hat']:.3f} | {r['ess']:.0f} | {r['z']:.1f} "
            figures += f"| {r.get('worst', '')}"
        lines.append(f"| {r['number']} | {model} | {order[rank]} | {figures} |")
    return lines


def _stored(path: Path) -> dict[int, dict[str, Any]]:
    if not path.exists():
        return {}
    records = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(json.JSONDecodeError):  # the last line of a run that was killed
            record = json.loads(line)
            records[record["number"]] = record
    return records


def _run(numbers: Iterable[int], processes: int, path: Path, seconds: float) -> None:
    """Study these, or as many as the time allows."""
    context = multiprocessing.get_context("spawn")
    end = time.monotonic() + seconds
    with context.Pool(processes) as pool, path.open("a", encoding="utf-8") as out:
        records = pool.imap_unordered(study, numbers)
        with contextlib.suppress(StopIteration, multiprocessing.TimeoutError):
            while True:
                out.write(json.dumps(records.next(max(0.0, end - time.monotonic()))) + "\n")
                out.flush()


def main() -> None:
    """Fit what is not stored yet, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fits", type=int, default=4000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--store", type=Path, default=repository.ROOT / "small_models.jsonl")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", type=int)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="end after so many, with what there is")
    arguments = parser.parse_args()
    if arguments.only is not None:
        case = make_case(arguments.only)
        sys.stdout.write(f"{case}\n{case.data}\n{case.model()}\n{json.dumps(study(arguments.only), indent=1)}\n")
        return
    known = _stored(arguments.store)
    wanted = range(arguments.first, arguments.first + arguments.fits)
    seconds = min(60.0 * arguments.minutes, LONGEST)
    _run([number for number in wanted if number not in known], arguments.processes, arguments.store, seconds)
    known = _stored(arguments.store)
    page = table([known[number] for number in wanted if number in known], made_by("small_models.py"))
    sys.stdout.write(page)
    if arguments.out is not None:
        arguments.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
