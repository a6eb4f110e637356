"""Independence Metropolis by passes over data on an engine: some ten passes, whatever the number of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite.exceptions import SamplingError
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.independence import BURN_IN, Independence, Trial, independence_for
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.task import IndependentDraws, Task, independent_fit
from nutslite.posterior.targets.plan import Plan
from nutslite.posterior.targets.streamed_target import StreamedTarget
from nutslite.posterior.targets.target import Target
from nutslite.sampler.independence.independence import compiled_acceptance
from nutslite.sampler.independence.proposals import normalised
from nutslite.sampler.interrupts import careful_interrupts, ended_by

FloatArray = NDArray[np.float64]

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
    method = independence_for(target, task.launched(), task.settings, CLOSE, CORRELATION, shaped=False)
    if method is None:
        raise SamplingError(
            "The posterior is not close enough to a normal distribution for proposals, and data on an engine are "
            "sampled by nothing else. Give proper priors to what the data leave open, or fit the model to a part of "
            "the rows that fits into memory."
        )
    task.clock.lap("pilot")
    task.before_sampling()
    walkers = [_Walker(seed) for seed in method.chain_seeds.spawn(task.settings.chains)]
    drawn = _draws(target, method, task.settings.draws, walkers, BURN_IN)
    passes = target.passes if isinstance(target, StreamedTarget) else 0
    log.debug("%d passes over the data.", passes)
    acceptance = drawn.stats["acceptance_rate"].mean()
    remark = f", by independence Metropolis (acceptance {acceptance:.2f}) in {passes} passes over the data"
    return independent_fit(task, "independence", drawn, method.recovery_rng, remark)


class _Walker:
    """A chain: its random numbers, and where it is with the log weight there, once it has begun."""

    def __init__(self, seed: np.random.SeedSequence) -> None:
        self.rng = np.random.default_rng(seed)
        self.position: FloatArray | None = None
        self.log_weight = -np.inf

    def begin(self, trial: Trial) -> FloatArray:
        """Where it is; at first one of the trial's proposals, resampled by their weights."""
        if self.position is None:
            start = int(self.rng.choice(len(trial.positions), p=normalised(trial.log_weights)))
            self.position, self.log_weight = trial.positions[start], trial.log_weights[start]
        return self.position


def _draws(target: Target, method: Independence, draws: int, walkers: list[_Walker], burn_in: int) -> IndependentDraws:
    """Proposals of all chains, evaluated together, then each chain's walk over its own.

    Ctrl-C, or an error on the way, leaves the walks over the trial's proposals: no density of the others is known
    before the last row. Chains that go on have draws already: then the error is raised.
    """
    chains, proposal = len(walkers), method.proposal
    drawn = [proposal.drawn(walker.rng, burn_in + draws * method.thinning) for walker in walkers]
    flat, of_proposal = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    few = min(draws, len(method.trial.positions) // (chains * method.thinning)) if burn_in else 0
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
            return _of_trial(method, walkers, few)
    values = np.where(np.isfinite(values), values, -np.inf)
    log_weights = (values - of_proposal).reshape(chains, -1)
    found = _walks(method, walkers, flat.reshape(chains, -1, target.dimension), log_weights, burn_in)
    return replace(found, go_on=lambda more, report: _draws(target, method, more, walkers, 0))


def _of_trial(method: Independence, walkers: list[_Walker], draws: int) -> IndependentDraws:
    """Each chain's walk over its own part of the trial's proposals."""
    each = draws * method.thinning
    some, chains = slice(len(walkers) * each), (len(walkers), each, -1)
    positions, log_weights = (found[some].reshape(chains) for found in method.trial[:2])
    return replace(_walks(method, walkers, positions, log_weights[:, :, 0], 0), interrupted=True)


def _walks(
    method: Independence, walkers: list[_Walker], proposals: FloatArray, log_weights: FloatArray, burn_in: int
) -> IndependentDraws:
    """The draws of chains over proposals (chains, n, dimension) with their log weights (chains, n)."""
    walks = [_walk(method, *of_chain, burn_in) for of_chain in zip(walkers, proposals, log_weights, strict=True)]
    positions, lp, acceptance = (np.array(parts) for parts in zip(*walks, strict=True))
    stats = {"lp": lp, "acceptance_rate": acceptance, "diverging": np.zeros(lp.shape, dtype=bool), "energy": -lp}
    return IndependentDraws(positions, stats, interrupted=False)


def _walk(
    method: Independence, walker: _Walker, proposals: FloatArray, log_weights: FloatArray, burn_in: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Positions, log densities and mean acceptance of a chain's draws, one for every `thinning` transitions."""
    start = walker.begin(method.trial)
    state = np.array([walker.log_weight, -1.0])
    n = len(proposals)
    indices, acceptances = np.empty(n, dtype=np.int64), np.empty(n)
    compiled_acceptance()(np.ascontiguousarray(log_weights), np.log(walker.rng.random(n)), state, indices, acceptances)
    places = indices[burn_in + method.thinning - 1 :: method.thinning]  # -1 is the start, behind all proposals
    positions = np.concatenate([proposals, start[None]])[places]
    weights = np.append(log_weights, walker.log_weight)[places]
    walker.position, walker.log_weight = positions[-1], weights[-1]
    lp = weights + method.proposal.log_density(positions)
    return positions, lp, acceptances[burn_in:].reshape(-1, method.thinning).mean(axis=1)


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
