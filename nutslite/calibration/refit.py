"""One simulation: data from the model, a fit to them, and where the true parameters rank among the draws."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nutslite.calibration.simulation import Accept, Censor, SimulatedData, prediction_task, simulate_data
from nutslite.exceptions import SamplingError
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.run.run import run
from nutslite.posterior.targets.plan import Centring, Path, make_plan
from nutslite.results.diagnostics.diagnostics import ess_bulk
from nutslite.results.predictions.predict import pointwise_log_likelihood

FloatArray = NDArray[np.float64]
CountArray = NDArray[np.int64]

LOG_LIKELIHOOD = "log_likelihood"
FIRST_THIN = 4  # transitions per kept draw in the first run; takes antithetic correlations out, too
LONGEST_THIN = 64
MARGIN = 1.3  # longer than the effective size says, which is itself an estimate
MOST_RUNS = 3


@dataclass(frozen=True)
class RefitTask:
    """All that a simulation needs beside its seed; picklable, so that any executor can run it.

    Attributes
    ----------
    assembled : Assembled
    settings : Settings
        Of one chain; its draws are those that ranks are among.
    thin : int or None
        Transitions per kept draw; None: as many as the effective size asks for.
    path, pilot, merge : as for `nutslite.posterior.targets.plan.make_plan`
    accept, censor : callable or None
        As for `simulate_data`.
    """

    assembled: Assembled
    settings: Settings
    thin: int | None = None
    path: Path = "auto"
    pilot: bool | Centring = True
    merge: bool = True
    accept: Accept | None = None
    censor: Censor | None = None


@dataclass(frozen=True)
class Refit:
    """What one simulation found.

    Attributes
    ----------
    ranks : dict of ndarray of int
        By name and in the shape of the variable: how many draws are below the truth; empty where the fit failed.
    thin : int
        Transitions per draw.
    ess : float
        Smallest effective size over all quantities of the run that the draws are from.
    divergences : int
        Of that run.
    rejected : int
        As in `SimulatedData`.
    failure : str
        Why there was no fit; empty where there was.
    """

    ranks: dict[str, CountArray]
    thin: int
    ess: float
    divergences: int
    rejected: int
    failure: str = ""


def simulate_and_refit(task: RefitTask, seed: np.random.SeedSequence) -> Refit:
    """Run one simulation; the result depends on nothing but the arguments."""
    data_seed, fit_seed, tie_seed = seed.spawn(3)
    data = simulate_data(task.assembled, np.random.default_rng(data_seed), task.accept, task.censor)
    thin = task.thin or FIRST_THIN
    try:
        for attempt, run_seed in enumerate(fit_seed.spawn(MOST_RUNS)):
            fit, draws = _fit(task, data, thin, run_seed)
            ess = min(float(ess_bulk(x).min()) for x in draws.values())
            longer = _longer(task, thin, ess)
            if longer == thin or attempt == MOST_RUNS - 1:
                break
            thin = longer
    except SamplingError as error:
        return Refit({}, thin, math.nan, 0, data.rejected, str(error))
    rng = np.random.default_rng(tie_seed)
    truth = {**data.truth, LOG_LIKELIHOOD: _log_likelihood(data, {k: x[None, None] for k, x in data.truth.items()})}
    ranks = {name: _ranks(truth[name], _thinned(x, task.settings.draws), rng) for name, x in draws.items()}
    divergences = int(fit.stats["diverging"].sum()) if "diverging" in fit.stats else 0
    return Refit(ranks, thin, ess, divergences, data.rejected)


def _fit(
    task: RefitTask, data: SimulatedData, thin: int, seed: np.random.SeedSequence
) -> tuple[Fit, dict[str, FloatArray]]:
    """One run, and its draws by name, the log likelihood among them."""
    plan = make_plan(data.assembled, task.path, pilot=task.pilot, merge=task.merge)
    fit = run(plan, replace(task.settings, draws=thin * task.settings.draws, random_seed=seed))
    if fit.interrupted:  # it kept what it had; the study that it is a part of ends
        raise KeyboardInterrupt
    draws = data.assembled.layout.unpack(fit.values, fit.effects)
    return fit, {**draws, LOG_LIKELIHOOD: _log_likelihood(data, draws)}


def _longer(task: RefitTask, thin: int, ess: float) -> int:
    """How many transitions per draw the next run should have; `thin` itself where no next run is needed."""
    if task.thin is not None or ess >= task.settings.draws:
        return thin
    return max(thin, min(LONGEST_THIN, math.ceil(MARGIN * thin * task.settings.draws / max(ess, 1.0))))


def _log_likelihood(data: SimulatedData, draws: dict[str, FloatArray]) -> FloatArray:
    """Log likelihood of the whole response, shape (chains, draws); a number for the truth."""
    assembled = data.assembled
    total = pointwise_log_likelihood(draws, assembled.spec.design, prediction_task(assembled)).sum(axis=-1)
    return total if total.size > 1 else total.reshape(())


def _thinned(draws: FloatArray, count: int) -> FloatArray:
    """Evenly spaced draws of one chain, the last one among them, shape (count, ...)."""
    step = draws.shape[1] // count
    return draws[0, step - 1 :: step][:count]


def _ranks(truth: FloatArray, draws: FloatArray, rng: np.random.Generator) -> CountArray:
    """How many draws are below the truth; among equal ones its place is random."""
    below = np.sum(draws < truth, axis=0)
    equal = np.sum(draws == truth, axis=0)
    return np.asarray(below + rng.integers(0, equal + 1), dtype=np.int64)
