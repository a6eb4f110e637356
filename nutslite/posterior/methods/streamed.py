"""Independence Metropolis by passes over data on an engine: some ten passes, whatever the number of rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nutslite._log import log
from nutslite.exceptions import SamplingError
from nutslite.posterior.independence.chain import BURN_IN, Chain
from nutslite.posterior.independence.trials import Independence, Trial, independence_for
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.task import IndependentDraws, Task, independent_fit
from nutslite.posterior.targets.plan import Plan
from nutslite.posterior.targets.streamed_target import StreamedTarget
from nutslite.posterior.targets.target import Target
from nutslite.sampler.interrupts import careful_interrupts, ended_by

CORRELATION = 0.15  # of successive draws, about: a transition that is left out costs a density of all rows
CLOSE = 0.75  # acceptance of the curvature at the mode as it is, from which draws of it correct nothing


def run(task: Task) -> Fit:
    """A search for the mode, a trial of proposals or two, then all draws of all chains in one pass.

    Raises
    ------
    SamplingError
        Where no proposal fits: nothing else samples data on an engine.
    """
    target = task.target
    settings = task.settings
    wanted: dict[str, Any] = {"transitions": settings.chains * settings.draws, "cores": settings.cores}
    wanted |= {"random_seed": settings.random_seed, "close": CLOSE, "correlation": CORRELATION}
    method = independence_for(target, task.launched(), **wanted, shaped=False)
    if method is None:
        raise SamplingError(
            "The posterior is not close enough to a normal distribution for proposals, and data on an engine are "
            "sampled by nothing else. Give priors without long tails to what the data leave open, or fit the model to "
            "a part of the rows that fits into memory."
        )
    task.clock.lap("pilot")
    task.before_sampling()
    chains = [Chain(method, seed) for seed in method.chain_seeds.spawn(settings.chains)]
    drawn = _draws(target, method, settings.draws, chains, BURN_IN)
    passes = target.passes if isinstance(target, StreamedTarget) else 0
    log.debug("%d passes over the data.", passes)
    acceptance = drawn.stats["acceptance_rate"].mean()
    remark = f", by independence Metropolis (acceptance {acceptance:.2f}) in {passes} passes over the data"
    return independent_fit(task, "independence", drawn, method.recovery_rng, remark)


def _draws(target: Target, method: Independence, draws: int, chains: list[Chain], burn_in: int) -> IndependentDraws:
    """Proposals of all chains, evaluated together, then each chain's walk over its own.

    Ctrl-C, or an error on the way, leaves the walks over the trial's proposals: no density of the others is known
    before the last row. Chains that go on have draws already: then the error is raised.
    """
    flat, of_proposal = method.proposal.placed(np.concatenate([chain.numbers(draws, burn_in) for chain in chains]))
    few = min(draws, len(method.trial.positions) // (len(chains) * method.thinning)) if burn_in else 0
    with careful_interrupts() as interrupts:
        try:
            values = target.log_densities(flat, method.cores)
            interrupts.hold()
        except (Exception, KeyboardInterrupt) as error:
            interrupts.hold()
            ended_by(error, drawn=few > 0)
            log.warning(
                "The pass of the draws was not at its end, and no draw is one before the last row is read. What is "
                "kept are the draws of the trial before it, %d of each chain.",
                few,
            )
            of_trial = (found[: len(chains) * few * method.thinning] for found in method.trial)
            return replace(_walks(chains, Trial(*of_trial), 0), interrupted=True)
    values = np.where(np.isfinite(values), values, -np.inf)
    found = _walks(chains, Trial(flat, values - of_proposal, values), burn_in)
    return replace(found, go_on=lambda more, report: _draws(target, method, more, chains, 0))


def _walks(chains: list[Chain], proposals: Trial, burn_in: int) -> IndependentDraws:
    """The draws of chains, each over its own part of the proposals."""
    parts = zip(*(np.split(array, len(chains)) for array in proposals), strict=True)
    walks = [chain.walk(Trial(*its_own), burn_in) for chain, its_own in zip(chains, parts, strict=True)]
    drawn, lp, acceptance = (np.array(each) for each in zip(*walks, strict=True))
    stats = {"lp": lp, "acceptance_rate": acceptance, "diverging": np.zeros(lp.shape, dtype=bool), "energy": -lp}
    return IndependentDraws(drawn, stats, interrupted=False)


def _serves(plan: Plan) -> str | None:
    return None if plan.streams else "This method is for data on an engine."


METHOD = Method(
    name="independence",
    about="independence Metropolis by passes over the data",
    title=lambda plan: "Independence Metropolis by passes over the data",
    heeds=frozenset({"cores"}),
    parts=lambda plan: (),
    run=run,
    serves=_serves,
)
