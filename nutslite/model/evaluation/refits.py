"""Refits without some rows: the same model, its priors and levels as they are, with what it then says of these rows.

Rows that are left out keep their place with a weight of zero, so that no prior is scaled anew and no level is lost:
effects of a group without rows are drawn from the distribution of all groups, as those of a new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nutslite._parallel import run_on
from nutslite.exceptions import SamplingError
from nutslite.formula.rows import rows_of_design
from nutslite.posterior.assembly.assembly import assemble
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.run.run import run
from nutslite.posterior.targets.plan import make_plan
from nutslite.results.diagnostics.diagnostics import rhat
from nutslite.results.evaluation.predictive import Predictive, predictive
from nutslite.results.predictions.response_draws import PredictionTask

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class RefitTask:
    """What all refits share; picklable, so that any executor can run them.

    Attributes
    ----------
    assembled : Assembled
    settings : Settings
        Of each refit, but for its seed.
    """

    assembled: Assembled
    settings: Settings


@dataclass(frozen=True)
class Refit:
    """What a refit says of the rows that it has not seen.

    Attributes
    ----------
    rows : ndarray of int
        Places of these rows in the model's data.
    predictive : Predictive
        Of them, in this order.
    rhat : float
        The largest of all parameters and group effects; 1 where one chain says nothing of it.
    divergences : int
    """

    rows: Rows
    predictive: Predictive
    rhat: float
    divergences: int


def refit_without(task: RefitTask, rows: Rows, seed: np.random.SeedSequence) -> Refit:
    """Fit without some rows and predict them; the result depends on nothing but the arguments.

    Raises
    ------
    SamplingError
        Naming the rows.
    """
    spec = task.assembled.spec
    weights = np.ones(spec.design.n_rows) if spec.design.weights is None else spec.design.weights.copy()
    weights[rows] = 0.0
    assembled = assemble(replace(spec, design=replace(spec.design, weights=weights)), task.assembled.inventory)
    try:
        fit = run(make_plan(assembled), replace(task.settings, random_seed=seed))
    except SamplingError as error:
        raise SamplingError(f"Without {_named(spec.design.rows[rows])} the model cannot be fitted: {error}") from error
    if fit.interrupted:  # it kept what it had; the study that it is a part of ends
        raise KeyboardInterrupt
    draws = assembled.layout.unpack(fit.values, fit.effects)
    prediction = PredictionTask(spec.family, spec.links, spec.priors.fixed)
    held_out = predictive(draws, rows_of_design(spec.design, rows), prediction, random_seed=seed.spawn(1)[0])
    worst = max((float(np.nan_to_num(rhat(x), nan=1.0).max()) for x in draws.values() if x.size), default=1.0)
    return Refit(rows, held_out, worst, int(np.sum(fit.stats["diverging"])) if "diverging" in fit.stats else 0)


def refits(
    task: RefitTask, parts: Sequence[Rows], seeds: Sequence[np.random.SeedSequence], executor: Executor | None = None
) -> Iterator[Refit]:
    """A refit for each part of the rows, in order."""
    yield from run_on(executor, refit_without, [(task, rows, seed) for rows, seed in zip(parts, seeds, strict=True)])


def concerns(found: Sequence[Refit]) -> list[str]:
    """What the user should know of refits that did not converge."""
    bad = [place for place, refit in enumerate(found) if refit.rhat > 1.05]
    divergences = sum(refit.divergences for refit in found)
    said = []
    if bad:
        worst = max(found[place].rhat for place in bad)
        said.append(
            f"{len(bad)} of {len(found)} refits have not converged (R-hat up to {worst:.2f}): more draws or a longer "
            "warm-up (tune=) may help."
        )
    if divergences:
        said.append(f"There were {divergences} divergences in {len(found)} refits: a higher target_accept may help.")
    return said


def _named(labels: object) -> str:
    shown = [str(label) for label in labels]  # type: ignore[attr-defined]
    return f"rows {', '.join(shown[:5])}{', ...' if len(shown) > 5 else ''}"
