"""Independence Metropolis by passes over data on an engine: some ten passes, whatever the number of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite.exceptions import SamplingError
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.independence import BURN_IN, Independence, independence_for
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.task import IndependentDraws, Task, independent_fit
from nutslite.posterior.targets.plan import Plan
from nutslite.posterior.targets.streamed_target import StreamedTarget
from nutslite.posterior.targets.target import Target
from nutslite.sampler.independence.independence import compiled_acceptance
from nutslite.sampler.independence.proposals import normalised

FloatArray = NDArray[np.float64]

STARTS = 64  # proposals that a chain's start is resampled from


def run(task: Task) -> Fit:
    """A search for the mode, two trials of proposals, then all draws of all chains in one pass.

    Raises
    ------
    SamplingError
        Where no proposal fits: nothing else samples data on an engine.
    """
    target = task.target
    method = independence_for(target, task.launched(), task.settings)
    if method is None:
        raise SamplingError(
            "The posterior is not close enough to a normal distribution for proposals, and data on an engine are "
            "sampled by nothing else. Give proper priors to what the data leave open, or fit the model to a part of "
            "the rows that fits into memory."
        )
    task.clock.lap("pilot")
    task.before_sampling()
    drawn = _draws(target, method, task.settings.draws, task.settings.chains)
    passes = target.passes if isinstance(target, StreamedTarget) else 0
    log.debug("%d passes over the data.", passes)
    acceptance = drawn.stats["acceptance_rate"].mean()
    remark = f", by independence Metropolis (acceptance {acceptance:.2f}) in {passes} passes over the data"
    return independent_fit(task, "independence", drawn, method.recovery_rng, remark)


def _draws(target: Target, method: Independence, draws: int, chains: int) -> IndependentDraws:
    """Proposals of all chains, evaluated together, then each chain's walk over its own."""
    rngs = [np.random.default_rng(seed) for seed in method.chain_seeds.spawn(chains)]
    proposal, transitions = method.proposal, BURN_IN + draws * method.thinning
    proposals = np.array([proposal.draw(rng, STARTS + transitions) for rng in rngs])
    flat = proposals.reshape(-1, target.dimension)
    values = target.log_densities(flat, method.cores)
    values = np.where(np.isfinite(values), values, -np.inf).reshape(chains, -1)
    log_weights = values - proposal.log_density(flat).reshape(chains, -1)
    walks = [_walk(*of_chain, method.thinning) for of_chain in zip(rngs, proposals, values, log_weights, strict=True)]
    positions, lp, acceptance = (np.array(parts) for parts in zip(*walks, strict=True))
    stats = {"lp": lp, "acceptance_rate": acceptance, "diverging": np.zeros(lp.shape, dtype=bool), "energy": -lp}
    return IndependentDraws(positions, stats, interrupted=False)


def _walk(
    rng: np.random.Generator, proposals: FloatArray, values: FloatArray, log_weights: FloatArray, thinning: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Positions, log densities and mean acceptance of a chain's draws, one for every `thinning` transitions.

    The first `STARTS` proposals are those that the start is resampled from.
    """
    start = int(rng.choice(STARTS, p=normalised(log_weights[:STARTS])))
    state = np.array([log_weights[start], -1.0])
    n = len(proposals) - STARTS
    indices, acceptances = np.empty(n, dtype=np.int64), np.empty(n)
    compiled_acceptance()(log_weights[STARTS:].copy(), np.log(rng.random(n)), state, indices, acceptances)
    places = np.where(indices < 0, start, STARTS + indices)[BURN_IN + thinning - 1 :: thinning]
    return proposals[places], values[places], acceptances[BURN_IN:].reshape(-1, thinning).mean(axis=1)


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
