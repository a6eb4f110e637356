"""Independence Metropolis for posteriors of few parameters that are nearly normal, as most with much data are.

And for those with group effects that are drawn level by level beside them, by a proposal that the launch has made.

Proposals do not depend on the chain, so their log densities are computed all at once, in threads, each block of data
being read once for dozens of them, and without gradients (Tierney 1994, section 2.3.3). Whether the proposal fits the
posterior is measured on draws of their own before any chain starts; where it does not fit closely, NUTS samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._awaited import MANY, NATURAL
from nutslite._log import log
from nutslite.posterior.independence.chain import BURN_IN, Chain
from nutslite.posterior.independence.trials import CORRELATION, FEW_ROWS, Independence, Trial, independence_for
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.task import IndependentDraws, Task, independent_fit
from nutslite.posterior.slicing.autocorrelation import is_slow
from nutslite.posterior.targets.plan import Plan
from nutslite.posterior.targets.target import Target
from nutslite.sampler.interrupts import careful_interrupts, ended_by
from nutslite.sampler.progress import transition_bar

CORRELATION_BY_LEVELS = 0.15  # where a transition costs as much as ten of the others
AGAIN, MOST_THINNING_AGAIN = 4, 64  # times as many transitions, where draws turn out slow; and at most so many
LONG_STAY = 8  # draws
PROPOSALS_PER_BLOCK = 8192  # between two reports, and after Ctrl-C before the end; fewer ...
NUMBERS_PER_BLOCK = 5e8  # ... where each reads many rows ...
WIDTHS_PER_BLOCK = 2e7  # ... or is many numbers itself


def run(task: Task) -> Fit | None:
    """Draw by proposals that fit, which are tried in the coordinates of `warp`, too; None where none do."""
    if task.plan.by_levels:
        task = task.by_levels()
    if task.target.in_pieces:
        return None
    settings = task.settings
    correlation = CORRELATION_BY_LEVELS if task.plan.by_levels else CORRELATION
    wanted: dict[str, Any] = {"transitions": settings.chains * settings.draws, "correlation": correlation}
    wanted |= {"cores": settings.cores, "random_seed": settings.random_seed}
    method = independence_for(task.target, task.launched(), **wanted)
    if method is None and task.plan.is_small and task.moved:
        method = independence_for(task.target, task.launched(), **wanted)
    if method is None:
        if task.plan.by_levels:
            log.debug("Proposals with group effects level by level do not fit closely.")
        return None
    task.clock.lap("pilot")
    task.before_sampling()
    with transition_bar(settings.chains, settings.draws, settings.progressbar) as report:
        drawn = run_independence(task.target, method, draws=settings.draws, chains=settings.chains, report=report)
    effects = ", group effects level by level" if task.plan.by_levels else ""
    remark = f", by independence Metropolis (acceptance {drawn.stats['acceptance_rate'].mean():.2f}{effects})"
    fit = independent_fit(task, "independence", drawn, method.recovery_rng, remark)
    task.warn_of_pieces(fit.values, fit.effects)
    return fit


def run_independence(
    target: Target,
    method: Independence,
    *,
    draws: int,
    chains: int,
    report: Callable[[int, int, float], None],
) -> IndependentDraws:
    """Sample; Ctrl-C, or an error on the way, keeps the draws that all chains have.

    With few rows, which cost next to nothing, draws that depend on each other too much are made again with more
    transitions between them: a chain may stay at a point that the trial did not come to.

    Parameters
    ----------
    report : callable
        ``report(chain, draws done, acceptance so far)`` after every block of draws.

    Raises
    ------
    KeyboardInterrupt
        If stopped before the first block of draws.
    """
    found = _draws(target, method, draws, chains, report)
    while not found.interrupted and target.rows <= FEW_ROWS and _stays(found.positions) and is_slow(found.positions):
        method = replace(method, thinning=AGAIN * method.thinning)
        if method.thinning > MOST_THINNING_AGAIN:
            break
        try:
            again = _draws(target, method, draws, chains, lambda *progress: None)
        except (Exception, KeyboardInterrupt) as error:
            ended_by(error, drawn=True)
            return replace(found, interrupted=True)
        if again.interrupted:
            return replace(found, interrupted=True)
        found = again
    return found


def _stays(positions: NDArray[np.float64]) -> bool:
    """Whether some chain of (chains, n, dimension) stays long at a point: without that no draws depend on others."""
    moved = (positions[:, 1:, 0] != positions[:, :-1, 0]).ravel()
    return bool(np.diff(np.flatnonzero(moved), prepend=-1, append=moved.size).max() > LONG_STAY)


def _draws(
    target: Target,
    method: Independence,
    draws: int,
    chains: int,
    report: Callable[[int, int, float], None],
    states: list[Chain] | None = None,
) -> IndependentDraws:
    """All draws, or those that all chains have before Ctrl-C or an error; chains with `states` go on from there."""
    width = target.dimension + target.uniforms
    positions = np.empty((chains, draws, width))
    stats = {name: np.zeros((chains, draws)) for name in ("lp", "acceptance_rate")}
    proposals_per_block = min(
        PROPOSALS_PER_BLOCK, NUMBERS_PER_BLOCK / max(1, target.rows), WIDTHS_PER_BLOCK / max(1, width)
    )
    per_block = max(1, int(proposals_per_block) // (chains * method.thinning))
    done, interrupted, begins = 0, False, 0
    with careful_interrupts() as interrupts:
        try:
            if states is None:
                states, begins = [Chain(method, seed) for seed in method.chain_seeds.spawn(chains)], BURN_IN
            while done < draws:
                stop = min(draws, done + per_block)
                burn_in = begins if done == 0 else 0
                numbers = np.concatenate([state.numbers(stop - done, burn_in) for state in states])
                flat, of_proposal = method.proposal.placed(numbers)
                evaluated = target.log_densities(flat, method.cores)  # uniform numbers in `flat` become effects
                proposals = flat.reshape(chains, -1, width)
                log_weights = (evaluated - of_proposal).reshape(chains, -1)
                evaluated = evaluated.reshape(chains, -1)
                rows = slice(done, stop)
                for c, state in enumerate(states):
                    walked = state.walk(Trial(proposals[c], log_weights[c], evaluated[c]), burn_in)
                    positions[c, rows], stats["lp"][c, rows], stats["acceptance_rate"][c, rows] = walked
                    report(c, stop, float(stats["acceptance_rate"][c, :stop].mean()))
                done = stop
            interrupts.hold()
        except (Exception, KeyboardInterrupt) as error:
            interrupts.hold()
            ended_by(error, drawn=done > 0)
            interrupted = True
    kept: dict[str, NDArray[Any]] = {name: array[:, :done] for name, array in stats.items()}
    kept["diverging"] = np.zeros((chains, done), dtype=bool)
    kept["energy"] = -kept["lp"]  # potential energy is all there is without a momentum

    def go_on(more: int, report: Callable[[int, int, float], None]) -> IndependentDraws:
        return _draws(target, method, more, chains, report, states)

    return IndependentDraws(positions[:, :done], kept, interrupted, None if interrupted else go_on)


def serves(plan: Plan) -> str | None:
    """Not where group effects are sampled, unless level by level or in models of few rows."""
    if plan.by_levels:
        return None
    if plan.reduction is None and plan.assembled.data.centring.size and not plan.is_small:
        return "Group effects are sampled, for which no proposal is tried: use NUTS."
    return None


def parts(plan: Plan) -> tuple[str, ...]:
    """Of many densities at once and of the way to natural scales."""
    return (MANY, NATURAL)


METHOD = Method(
    name="independence",
    about="independence Metropolis where a proposal fits",
    title=lambda plan: "Independence Metropolis",
    heeds=frozenset({"cores"}),
    parts=parts,
    run=run,
    serves=serves,
)
