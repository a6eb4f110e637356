"""Fit a case on one of the paths and hold the draws against its reference."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from reference_cases import Case
from reference_comparison import Difference, compare, compare_elpd, exact_margins, laplace_margins
from reference_values import CENTRED_INTERCEPT, Reference, Target

from nutslite import Model
from nutslite.posterior.assembly import equal_rows
from nutslite.posterior.targets.plan import Plan
from nutslite.results.container.inference_data import get_group, named_arrays
from nutslite.results.diagnostics import diagnostics
from nutslite.results.diagnostics.labels import element_labels

FloatArray = NDArray[np.float64]

PATHS: dict[str, dict[str, Any]] = {
    "auto": {"plan": "auto"},
    "joint": {"plan": "joint", "inference_method": "nuts"},
    "rotations": {"plan": "joint", "inference_method": "hmc"},
    "joint-no-pilot": {"plan": "joint", "pilot": False, "inference_method": "nuts"},
    "merged": {"inference_method": "nuts"},
    "unmerged": {"inference_method": "nuts"},
    "marginal": {"plan": "marginal", "inference_method": "nuts"},
    "laplace": {"inference_method": "laplace"},
}
APPROXIMATE = ("laplace", "meanfield", "pathfinder", "vi")
PARTS = 5  # of the draws, whose leave-one-out scores show how much that score varies
REFERENCE_DRAWS = 4000  # behind the references' scores
LARGEST_R_HAT = 1.01
SMALLEST_ESS = 1000.0


@dataclass(frozen=True)
class Health:
    """How well a fit went: the worst of all its quantities.

    Attributes
    ----------
    r_hat, ess_bulk, ess_tail : float
    divergences : int
    leapfrogs : float
        Mean number per draw; none in independence Metropolis.
    """

    r_hat: float
    ess_bulk: float
    ess_tail: float
    divergences: int
    leapfrogs: float

    @property
    def ess(self) -> float:
        """The smaller of both."""
        return min(self.ess_bulk, self.ess_tail)

    @property
    def good(self) -> bool:
        """Whether this is what default settings must give."""
        return self.r_hat < LARGEST_R_HAT and self.ess > SMALLEST_ESS and self.divergences == 0


@dataclass(frozen=True)
class Outcome:
    """One case on one path.

    Attributes
    ----------
    case, path : str
    served_by : str
        Density and method, such as ``"joint, nuts"``.
    differences : list of Difference
        Of the long run.
    default, long : Health
        At default settings, and of the run that the comparison used.
    draws_per_second : float
        Kept draws of all chains over the wall time of the long fit, warm-up included, compilation excluded.
    """

    case: str
    path: str
    served_by: str
    differences: list[Difference]
    default: Health
    long: Health
    draws_per_second: float

    @property
    def agrees(self) -> bool:
        """Whether every number agrees with the reference."""
        return all(difference.agrees for difference in self.differences)

    @property
    def passed(self) -> bool:
        """Whether every number agrees and the fit at default settings is healthy.

        Without a pilot health is reported but not required: that is nobody's default.
        """
        return self.agrees and (self.default.good or not PATHS[self.path].get("pilot", True))

    @property
    def worst(self) -> Difference:
        """The difference that uses up most of what is allowed."""
        return max(self.differences, key=lambda difference: difference.share)

    @property
    def largest_z(self) -> Difference:
        """The difference that is largest in Monte Carlo standard errors."""
        return max((d for d in self.differences if np.isfinite(d.z)), key=lambda difference: difference.z)


def serves(model: Model, path: str) -> bool:
    """Whether a path can sample this model, and is another one than ``"joint"``."""
    if path == "marginal":
        return model.plan().path == "marginal"
    if path == "merged":
        return merged_plan(model).merged is not None and model.plan("joint").merged is None
    return path != "unmerged" or model.plan("joint").merged is not None


def merged_plan(model: Model) -> Plan:
    """The joint plan with equal rows merged wherever there are any, whether that saves time or not."""
    with mock.patch.multiple(equal_rows, FEWEST_ROWS=0, LARGEST_SHARE=1.0 - 1e-12):
        return model.plan("joint")


def fit(model: Model, path: str, **settings: Any) -> Any:
    """Fit a model on a path that `serves` it."""
    options = dict(PATHS[path])
    if path == "merged":
        options["plan"] = merged_plan(model)
    elif path == "unmerged":
        options["plan"] = model.plan("joint", merge=False)
    return model.fit(**options, **settings, progressbar=False)


def run_case(case: Case, reference: Reference, data_folder: Path, path: str, draws: int, seed: int) -> Outcome:
    """Fit a case twice, at default settings and with `draws` per chain, and compare the long run.

    Parameters
    ----------
    case : Case
    reference : Reference
    data_folder : Path
    path : str
        One of `PATHS`, and one that `serves` the model.
    draws : int
        Per chain, of the run that is compared.
    seed : int
        Each case and path gets its own from it.
    """
    model = case.model(data_folder)
    seeds = np.random.SeedSequence([seed, *f"{case.name} {path}".encode()]).generate_state(2).tolist()
    default = fit(model, path, random_seed=seeds[0])
    started = time.perf_counter()
    long = fit(model, path, draws=draws, random_seed=seeds[1])
    seconds = time.perf_counter() - started
    posterior = get_group(long, "posterior")
    return Outcome(
        case=case.name,
        path=path,
        served_by=_served_by(model, path, posterior.attrs),
        differences=differences(case, model, long, reference, data_folder),
        default=health(default),
        long=health(long),
        draws_per_second=posterior.sizes["chain"] * posterior.sizes["draw"] / seconds,
    )


def _served_by(model: Model, path: str, attributes: Mapping[str, Any]) -> str:
    """Density and method, and how many of the rows a merged density reads."""
    text = f"{attributes['plan']}, {attributes['inference_method']}"
    if attributes["plan"] != "joint" or path == "unmerged":
        return text
    merged = (merged_plan(model) if path == "merged" else model.plan("joint")).merged
    rows = model.design.n_rows
    return text if merged is None else f"{text}, {merged.y.shape[1]:,} of {rows:,} rows"


def differences(case: Case, model: Model, results: Any, reference: Reference, data_folder: Path) -> list[Difference]:
    """Everything that the reference knows: parameters, group effects, expected responses, the leave-one-out score."""
    draws = named_draws(results)
    targets = reference.targets
    for name in targets:
        if " + " in name:
            draws[name] = np.sum([draws[part] for part in name.split(" + ")], axis=0)
    if CENTRED_INTERCEPT in targets:
        draws[CENTRED_INTERCEPT] = _centred_intercept(model, draws)
    approximate = get_group(results, "posterior").attrs["inference_method"] in APPROXIMATE
    margins_of = laplace_margins if approximate else exact_margins
    found = compare(draws, targets, margins_of)
    if reference.predictions:
        found += _compare_predictions(case, model, results, reference.predictions, data_folder, margins_of)
    if reference.elpd is not None and not approximate:
        model.compute_log_likelihood(results)
        score, error = _elpd_loo(results)
        found.append(compare_elpd(score, error, reference.elpd, reference.bad_pareto))
    return found


def named_draws(results: Any) -> dict[str, FloatArray]:
    """Draws of every element of every variable, shape (chains, draws), by label."""
    arrays, dims, coords = named_arrays(get_group(results, "posterior"))
    out = {}
    for name, array in arrays.items():
        labels = element_labels(name, array.shape[2:], dims, coords)
        columns = array.reshape(*array.shape[:2], -1)
        out.update({label: columns[:, :, i] for i, label in enumerate(labels)})
    return out


def health(results: Any) -> Health:
    """The worst diagnostics of a fit."""
    stacked = np.stack(list(named_draws(results).values()), axis=-1)
    table = diagnostics.convergence(stacked)
    if get_group(results, "posterior").attrs["inference_method"] in APPROXIMATE:
        stats = {"diverging": np.zeros(1)}  # there are no trajectories
    else:
        stats = get_group(results, "sample_stats")
    return Health(
        r_hat=float(table["r_hat"].max()),
        ess_bulk=float(table["ess_bulk"].min()),
        ess_tail=float(table["ess_tail"].min()),
        divergences=int(stats["diverging"].sum()),
        leapfrogs=float(stats["n_steps"].mean()) if "n_steps" in stats else 0.0,
    )


def _centred_intercept(model: Model, draws: dict[str, FloatArray]) -> FloatArray:
    """The linear predictor at the mean of every column, from the data and not from what the sampler used."""
    parent = model.design.predictors[model.family.parent.name]
    names = [term.name for term in parent.terms]
    means = parent.matrix.mean(axis=1)
    return draws["Intercept"] + np.tensordot(means, np.stack([draws[name] for name in names]), axes=1)


def _compare_predictions(
    case: Case,
    model: Model,
    results: Any,
    targets: dict[int, Target],
    data_folder: Path,
    margins_of: Callable[[str], Mapping[str, float]],
) -> list[Difference]:
    rows = case.data(data_folder).iloc[list(targets)]
    predicted = model.predict(results, data=rows, inplace=False)
    mean = get_group(predicted, "predictions")[model.family.parent.name].to_numpy()
    if case.trials:
        mean = mean * rows[case.trials].to_numpy()
    labels = [f"expected response of row {row}" for row in targets]
    return compare(
        {label: mean[:, :, i] for i, label in enumerate(labels)},
        dict(zip(labels, targets.values(), strict=True)),
        margins_of,
    )


def _elpd_loo(results: Any) -> tuple[float, float]:
    """The score of all draws, and the Monte Carlo error of its difference from one of `REFERENCE_DRAWS` draws.

    The error follows from the spread of the scores of disjoint parts of the draws; smoothed importance weights with a
    heavy tail make it much larger than the sampled parameters would suggest.
    """
    score = _score(results)
    draws = get_group(results, "posterior").sizes["draw"]
    part = draws // PARTS
    parts = [_score(results.isel(draw=slice(i * part, (i + 1) * part))) for i in range(PARTS)]
    variance_per_draw = np.var(parts, ddof=1) * part
    chains = get_group(results, "posterior").sizes["chain"]
    return score, float(np.sqrt(variance_per_draw * (1 / draws + chains / REFERENCE_DRAWS)))


def _score(results: Any) -> float:
    import arviz

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # Pareto k above 0.7: the reference says where, and we allow for it
        score = arviz.loo(results)
    return float(score.elpd_loo if hasattr(score, "elpd_loo") else score.elpd)
