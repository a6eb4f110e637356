"""Independence Metropolis for posteriors of few parameters that are nearly normal, as most with much data are.

And for those with group effects that are drawn level by level beside them, by a proposal that the launch has made.

Proposals do not depend on the chain, so their log densities are computed all at once, in threads, each block of data
being read once for dozens of them, and without gradients (Tierney 1994, section 2.3.3). Whether the proposal fits the
posterior is measured on draws of their own before any chain starts; where it does not fit closely, NUTS samples.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nutslite._awaited import MANY, NATURAL
from nutslite._log import log
from nutslite._parallel import available_cpus
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.methods.task import IndependentDraws, Task, independent_fit
from nutslite.posterior.pilot.information import Information
from nutslite.posterior.slicing.autocorrelation import is_slow
from nutslite.posterior.targets.plan import Plan
from nutslite.posterior.targets.target import Launch, Target
from nutslite.sampler.independence.independence import compiled_acceptance
from nutslite.sampler.independence.nested import WithUniforms
from nutslite.sampler.independence.proposals import DefensiveMixture, Fitness, fitness, normalised
from nutslite.sampler.interrupts import careful_interrupts, ended_by
from nutslite.sampler.progress import transition_bar

FloatArray = NDArray[np.float64]
Proposal: TypeAlias = DefensiveMixture | WithUniforms

MOST_DIMENSIONS = 40
TRIAL_SHARE = 0.15  # proposals that test the fit, as a share of the chains' transitions
FEWEST_TRIALS, MOST_TRIALS = 250, 1000
LOWEST_ACCEPTANCE = 0.6
CLOSE = 0.92  # acceptance that no refinement raises by much: the wide part of the proposals alone costs 0.05
LARGEST_WEIGHT = 8.0  # multiple of the mean weight: transitions that a chain may stay at one point
CORRELATION = 0.11  # of successive kept draws, about: where nine of ten proposals are accepted, none is left out
CORRELATION_BY_LEVELS = 0.15  # where a transition costs as much as ten of the others
MOST_THINNING = 4
AGAIN, MOST_THINNING_AGAIN = 4, 64  # times as many transitions, where draws turn out slow; and at most so many
BURN_IN = 5  # transitions; chains start at draws of the posterior by importance resampling
PROBED_ROWS = 20_000  # with more data posteriors have no heavy tails, and a density costs something
PROBES = np.array([3.0, 4.5, 7.0, 10.0, 15.0, 25.0, 40.0])  # distances in standard deviations
PROBED_DIRECTIONS = 32  # besides the principal axes
NEGLIGIBLE = 1e-5  # share of the posterior that does not matter, however small the proposal is there
FEW_ROWS = 25  # so few that densities cost next to nothing: then ...
RARE_TRIALS, LARGEST_RARE_WEIGHT = 10_000, 30.0  # ... so many more draws, none with a weight above this
STREAM = 1000  # keeps these random numbers apart from those of NUTS with the same seed
STARTS = 64  # proposals that a chain's start is resampled from
PROPOSALS_PER_BLOCK = 8192  # between two reports, and after Ctrl-C before the end; fewer ...
NUMBERS_PER_BLOCK = 5e8  # ... where each reads many rows ...
WIDTHS_PER_BLOCK = 2e7  # ... or is many numbers itself


@dataclass(frozen=True)
class Independence:
    """A proposal that fits, how many transitions make one draw, and the random numbers to go on with.

    Attributes
    ----------
    trial : tuple of ndarray
        Draws of the proposal and their log weights, by which it was found to fit.
    """

    proposal: Proposal
    acceptance: float
    thinning: int
    cores: int
    trial: tuple[FloatArray, FloatArray]
    chain_seeds: np.random.SeedSequence
    recovery_rng: np.random.Generator


def run(task: Task) -> Fit | None:
    """Draw by proposals that fit, which are tried in the coordinates of `warp`, too; None where none do."""
    if task.plan.by_levels:
        task = task.by_levels()
    if task.target.in_pieces:
        return None
    correlation = CORRELATION_BY_LEVELS if task.plan.by_levels else CORRELATION
    method = independence_for(task.target, task.launched(), task.settings, correlation=correlation)
    if method is None and task.plan.is_small and task.moved:
        method = independence_for(task.target, task.launched(), task.settings)
    if method is None:
        if task.plan.by_levels:
            log.debug("Proposals with group effects level by level do not fit closely.")
        return None
    task.clock.lap("pilot")
    task.before_sampling()
    settings = task.settings
    with transition_bar(settings.chains, settings.draws, settings.progressbar) as report:
        drawn = run_independence(task.target, method, draws=settings.draws, chains=settings.chains, report=report)
    effects = ", group effects level by level" if task.plan.by_levels else ""
    remark = f", by independence Metropolis (acceptance {drawn.stats['acceptance_rate'].mean():.2f}{effects})"
    fit = independent_fit(task, "independence", drawn, method.recovery_rng, remark)
    task.warn_of_pieces(fit.values, fit.effects)
    return fit


def independence_for(
    target: Target, launch: Launch, wanted: Settings, close: float = CLOSE, correlation: float = CORRELATION
) -> Independence | None:
    """The launch's own proposal, or one from the mode's curvature, refined by importance sampling; None: none fits.

    Where the first trial's acceptance is `close` or more, that proposal is taken as it is, without a second trial.
    Transitions are left out until successive draws have about the `correlation`.
    """
    proposal = _proposal(target, launch)
    if proposal is None:
        return None
    transitions = wanted.chains * wanted.draws
    cores = wanted.cores or available_cpus()
    trial_seed, chain_seeds, recovery_seed = np.random.SeedSequence(wanted.random_seed, spawn_key=(STREAM,)).spawn(3)
    rng = np.random.default_rng(trial_seed)
    trial = _weighted(target, proposal, rng, FEWEST_TRIALS, cores)
    first = fitness(trial[1])
    if first.acceptance < 0.5 * LOWEST_ACCEPTANCE:
        return None
    found = None
    if first.acceptance >= close or not isinstance(proposal, DefensiveMixture):  # which may be refined
        found = _serves(target, proposal, trial[1], rng, cores)
    else:
        n, seen, start = int(np.clip(TRIAL_SHARE * transitions, FEWEST_TRIALS, MOST_TRIALS)), trial, proposal
        for refined in (start.refined, start.with_moments):  # the second has longer tails
            if found is None:
                proposal = refined(*seen)
                trial = _weighted(target, proposal, rng, n, cores)
                found = _serves(target, proposal, trial[1], rng, cores)
    if found is None:
        return None
    staying = max(1e-3, 1.0 - found.acceptance)
    thinning = min(MOST_THINNING, max(1, math.ceil(math.log(correlation) / math.log(staying))))
    recovery_rng = np.random.default_rng(recovery_seed)
    return Independence(proposal, found.acceptance, thinning, cores, trial, chain_seeds, recovery_rng)


def _serves(
    target: Target, proposal: Proposal, log_weights: FloatArray, rng: np.random.Generator, cores: int
) -> Fitness | None:
    """How well a proposal fits, whose draws have these weights, if well enough for chains to be run."""
    found = fitness(log_weights)
    if found.acceptance < LOWEST_ACCEPTANCE or found.largest > LARGEST_WEIGHT:
        return None
    if target.rows <= PROBED_ROWS and _has_heavier_tails(target, proposal, log_weights):
        return None
    if 0 < target.rows <= FEW_ROWS and _has_rare_weights(target, proposal, rng, cores):
        return None
    return found


def _has_rare_weights(target: Target, proposal: Proposal, rng: np.random.Generator, cores: int) -> bool:
    """Whether a chain would now and then stay at one point for dozens of draws, which a short trial does not see."""
    _, log_weights = _weighted(target, proposal, rng, RARE_TRIALS, cores)
    return fitness(log_weights).largest > LARGEST_RARE_WEIGHT


def _has_heavier_tails(target: Target, proposal: Proposal, log_weights: FloatArray) -> bool:
    """Whether the posterior falls more slowly than the proposal somewhere that hardly any of its draws reach.

    Looked at along the proposal's axes and some other directions, always the same ones. A chain that came to such a
    point would stay there, and one that does not come there misses a part of the posterior without a word.
    """
    d, probes = target.dimension, _probes(target.dimension)
    positions = proposal.center + probes @ proposal.factor.T
    values = target.log_densities(np.concatenate([proposal.center[None], positions]), 1)
    # A bound of what is as far out as a probe: the density there, times the space that there is
    shares = values[1:] - values[0] + d * np.log(np.linalg.norm(probes, axis=1))
    found = np.where(shares > math.log(NEGLIGIBLE), values[1:] - proposal.log_density(positions), -np.inf)
    largest = float(np.max(np.where(np.isfinite(found), found, -np.inf)))
    highest = float(np.max(log_weights))
    mean = highest + math.log(float(np.mean(np.exp(log_weights - highest))))
    return largest > mean + math.log(LARGEST_WEIGHT)


@functools.cache
def _probes(d: int) -> FloatArray:
    """Where `_has_heavier_tails` looks, in standard deviations, shape (n, d)."""
    directions = np.concatenate(
        [np.eye(d), np.random.default_rng(STREAM).normal(size=(PROBED_DIRECTIONS if d > 1 else 0, d))]
    )
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.concatenate([PROBES[:, None, None] * directions, -PROBES[:, None, None] * directions]).reshape(-1, d)


def _proposal(target: Target, launch: Launch) -> Proposal | None:
    """The launch's own proposal, with uniform numbers behind it where the target wants some, or that at the mode."""
    if launch.proposal is None:
        return None if target.uniforms else _laplace(launch)
    return WithUniforms(launch.proposal, target.uniforms)


def _laplace(launch: Launch) -> DefensiveMixture | None:
    """The normal approximation at the mode; None where there is none, or of too many dimensions."""
    information = launch.information
    if information is None or launch.center.size > MOST_DIMENSIONS:
        return None
    if isinstance(information, Information):
        if information.blocks.size:
            return None
        covariance = np.asarray(np.linalg.inv(information.border), dtype=float)
    elif information.ndim == 1:  # matrix centring: group effects are sampled, as above
        return None
    else:
        covariance = information
    return DefensiveMixture(launch.center, np.linalg.cholesky(covariance))


def _weighted(
    target: Target, proposal: Proposal, rng: np.random.Generator, n: int, cores: int
) -> tuple[FloatArray, FloatArray]:
    """Draws of the proposal and their log weights: minus infinity where the link leaves no density, never undefined."""
    positions = proposal.draw(rng, n)
    return positions, _weights(target, positions, proposal.log_density(positions), cores)


def _weights(target: Target, positions: FloatArray, of_proposal: FloatArray, cores: int) -> FloatArray:
    log_weights = target.log_densities(positions, cores) - of_proposal
    return np.where(np.isfinite(log_weights), log_weights, -np.inf)


def _started(target: Target, method: Independence, chains: int) -> list[_Chain]:
    """Chains with seeds of their own, each at a proposal that is chosen by its weight."""
    rngs = [np.random.default_rng(seed) for seed in method.chain_seeds.spawn(chains)]
    proposed = np.concatenate([method.proposal.draw(rng, STARTS) for rng in rngs])
    log_densities = method.proposal.log_density(proposed)
    log_weights = _weights(target, proposed, log_densities, method.cores)
    some = [slice(c * STARTS, (c + 1) * STARTS) for c in range(chains)]
    return [
        _Chain(method, rng, proposed[p], log_densities[p], log_weights[p]) for rng, p in zip(rngs, some, strict=True)
    ]


class _Chain:
    """One chain: its random numbers, its current point and that point's log weight and log density.

    It starts at one of `positions`, whose log densities are those of the proposal.
    """

    def __init__(
        self,
        method: Independence,
        rng: np.random.Generator,
        positions: FloatArray,
        log_densities: FloatArray,
        log_weights: FloatArray,
    ) -> None:
        self.rng, self.proposal, self.thinning = rng, method.proposal, method.thinning
        shares = np.cumsum(normalised(log_weights))
        chosen = int(np.searchsorted(shares / shares[-1], self.rng.random(), side="right"))
        self.position, self.state = positions[chosen], np.array([log_weights[chosen], -1.0])
        self.log_density = log_weights[chosen] + log_densities[chosen]

    def propose(self, draws: int, burn_in: int) -> FloatArray:
        """Proposals for as many draws."""
        return self.proposal.draw(self.rng, burn_in + draws * self.thinning)

    def walk(
        self, proposals: FloatArray, log_densities: FloatArray, log_weights: FloatArray, burn_in: int
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Positions, log densities and mean acceptance of the draws, one for every `thinning` transitions."""
        n = proposals.shape[0]
        indices, acceptances = np.empty(n, dtype=np.int64), np.empty(n)
        log_uniforms = np.log(self.rng.random(n))
        compiled_acceptance()(log_weights, log_uniforms, self.state, indices, acceptances)
        # index -1 is the point from before
        positions = np.concatenate([proposals, self.position[None]])[indices]
        values = np.append(log_densities, self.log_density)[indices]
        self.position, self.log_density = positions[-1], float(values[-1])
        kept = slice(burn_in + self.thinning - 1, None, self.thinning)
        acceptance = acceptances[burn_in:].reshape(-1, self.thinning).mean(axis=1)
        return positions[kept], values[kept], acceptance


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
    while not found.interrupted and target.rows <= FEW_ROWS and is_slow(found.positions):
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


def _draws(
    target: Target,
    method: Independence,
    draws: int,
    chains: int,
    report: Callable[[int, int, float], None],
    states: list[_Chain] | None = None,
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
                states, begins = _started(target, method, chains), BURN_IN
            while done < draws:
                stop = min(draws, done + per_block)
                burn_in = begins if done == 0 else 0
                proposals = np.array([state.propose(stop - done, burn_in) for state in states])
                flat = proposals.reshape(-1, width)
                evaluated = target.log_densities(flat, method.cores)  # uniform numbers in `flat` become effects
                proposals = flat.reshape(chains, -1, width)
                log_weights = (evaluated - method.proposal.log_density(flat)).reshape(chains, -1)
                evaluated = evaluated.reshape(chains, -1)
                rows = slice(done, stop)
                for c, state in enumerate(states):
                    walked = state.walk(proposals[c], evaluated[c], log_weights[c], burn_in)
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
