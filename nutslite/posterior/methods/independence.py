"""Independence Metropolis for posteriors of few parameters that are nearly normal, as most with much data are.

And for those with group effects that are drawn level by level beside them, by a proposal that the launch has made.

Proposals do not depend on the chain, so their log densities are computed all at once, in threads, each block of data
being read once for dozens of them, and without gradients (Tierney 1994, section 2.3.3). Whether the proposal fits the
posterior is measured on draws of their own before any chain starts; where it does not fit closely, NUTS samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

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
from nutslite.sampler.independence.axes import along_axes
from nutslite.sampler.independence.independence import compiled_acceptance
from nutslite.sampler.independence.nested import WithUniforms
from nutslite.sampler.independence.proposals import DefensiveMixture, Fitness, Proposal, fitness, normalised
from nutslite.sampler.independence.tails import has_heavier_tails
from nutslite.sampler.interrupts import careful_interrupts, ended_by
from nutslite.sampler.progress import transition_bar

FloatArray = NDArray[np.float64]

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
LONG_STAY = 8  # draws
BURN_IN = 5  # transitions; chains start at draws of the posterior by importance resampling
PROBED_ROWS = 20_000  # with more data posteriors have no heavy tails, and a density costs something
FEW_ROWS = 25  # so few that densities cost next to nothing: then ...
RARE_TRIALS, LARGEST_RARE_WEIGHT = 10_000, 30.0  # ... so many more draws, none with a weight above this
STREAM = 1000  # keeps these random numbers apart from those of NUTS with the same seed
PROPOSALS_PER_BLOCK = 8192  # between two reports, and after Ctrl-C before the end; fewer ...
NUMBERS_PER_BLOCK = 5e8  # ... where each reads many rows ...
WIDTHS_PER_BLOCK = 2e7  # ... or is many numbers itself


@dataclass(frozen=True)
class Independence:
    """A proposal that fits, how many transitions make one draw, and the random numbers to go on with.

    Attributes
    ----------
    trial : Trial
        Draws of the proposal, by which it was found to fit; chains start at some of them.
    """

    proposal: Proposal
    acceptance: float
    thinning: int
    cores: int
    trial: Trial
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
    target: Target,
    launch: Launch,
    wanted: Settings,
    close: float = CLOSE,
    correlation: float = CORRELATION,
    shaped: bool = True,
) -> Independence | None:
    """The launch's own proposal, or one from the mode's curvature, refined by importance sampling; None: none fits.

    Where the first trial's acceptance is `close` or more, that proposal is taken as it is, without a second trial.
    Transitions are left out until successive draws have about the `correlation`. Unless `shaped`, the shape along axes
    is not looked at, which takes evaluations of its own.
    """
    proposal = _proposal(target, launch)
    if proposal is None:
        return None
    transitions = wanted.chains * wanted.draws
    cores = wanted.cores or available_cpus()
    trial_seed, chain_seeds, recovery_seed = np.random.SeedSequence(wanted.random_seed, spawn_key=(STREAM,)).spawn(3)
    trials = _Trials(target, np.random.default_rng(trial_seed), cores)
    if not isinstance(proposal, DefensiveMixture):
        found = trials.of(proposal, FEWEST_TRIALS)
    else:
        n = int(np.clip(TRIAL_SHARE * transitions, FEWEST_TRIALS, MOST_TRIALS))
        found = (trials.along_axes(proposal) if shaped else None) or trials.refined(proposal, n, close)
    if found is None:
        return None
    staying = max(1e-3, 1.0 - found.fitness.acceptance)
    thinning = min(MOST_THINNING, max(1, math.ceil(math.log(correlation) / math.log(staying))))
    recovery_rng = np.random.default_rng(recovery_seed)
    return Independence(
        found.proposal, found.fitness.acceptance, thinning, cores, found.trial, chain_seeds, recovery_rng
    )


class Trial(NamedTuple):
    """Draws (n, d) of a proposal, their log weights, and their log densities under the target, shape (n,)."""

    positions: FloatArray
    log_weights: FloatArray
    log_densities: FloatArray


class _Tried(NamedTuple):
    """A proposal that fits, the draws that say so, and how well it does."""

    proposal: Proposal
    trial: Trial
    fitness: Fitness


@dataclass(frozen=True)
class _Trials:
    """What tries proposals of a target; each method returns the first that serves, or None."""

    target: Target
    rng: np.random.Generator
    cores: int

    def of(self, proposal: Proposal, n: int, close: float = 0.0) -> _Tried | None:
        """The proposal, if its `n` draws are accepted at a rate of `close` or more."""
        return self._serving(proposal, self._trial(proposal, n), close)

    def along_axes(self, normal: DefensiveMixture) -> _Tried | None:
        """With the target's shape along its axes, if that fits so closely that no draw need be left out."""
        shaped = along_axes(self._log_densities, normal)
        return None if shaped is None else self.of(shaped, FEWEST_TRIALS, CLOSE)

    def refined(self, normal: DefensiveMixture, n: int, close: float) -> _Tried | None:
        """As it is, if it is `close`; otherwise corrected by its weighted draws, and tried by `n` others."""
        seen = self._trial(normal, FEWEST_TRIALS)
        acceptance = fitness(seen.log_weights).acceptance
        if acceptance >= close:
            return self._serving(normal, seen)
        if acceptance < 0.5 * LOWEST_ACCEPTANCE:
            return None
        for correct in (normal.refined, normal.with_moments):  # the second has longer tails
            corrected = correct(seen.positions, seen.log_weights)
            trial = self._trial(corrected, n)
            if (found := self._serving(corrected, trial)) is not None:
                return found
        return None

    def _serving(self, proposal: Proposal, trial: Trial, close: float = 0.0) -> _Tried | None:
        """The proposal of a trial, if it fits well enough for chains to be run."""
        found, rows = fitness(trial.log_weights), self.target.rows
        if found.acceptance < max(close, LOWEST_ACCEPTANCE) or found.largest > LARGEST_WEIGHT:
            return None
        if rows <= PROBED_ROWS and has_heavier_tails(self._log_densities, proposal, trial.log_weights, LARGEST_WEIGHT):
            return None
        if 0 < rows <= FEW_ROWS:  # a chain may stay at one point for dozens of draws, which a short trial does not see
            weights = self._trial(proposal, RARE_TRIALS).log_weights
            if fitness(weights).largest > LARGEST_RARE_WEIGHT:
                return None
        return _Tried(proposal, trial, found)

    def _trial(self, proposal: Proposal, n: int) -> Trial:
        """Weights are minus infinity where the link leaves no density, never undefined."""
        positions, of_proposal = proposal.drawn(self.rng, n)
        log_densities = self.target.log_densities(positions, self.cores)
        log_weights = log_densities - of_proposal
        return Trial(positions, np.where(np.isfinite(log_weights), log_weights, -np.inf), log_densities)

    def _log_densities(self, positions: FloatArray) -> FloatArray:
        return self.target.log_densities(positions, 1)


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


class _Chain:
    """One chain: its random numbers, its current point and that point's log weight and log density.

    It starts at one of the trial's draws, chosen by its weight.
    """

    def __init__(self, method: Independence, seed: np.random.SeedSequence) -> None:
        self.rng, self.proposal, self.thinning = np.random.default_rng(seed), method.proposal, method.thinning
        shares = np.cumsum(normalised(method.trial.log_weights))
        chosen = int(np.searchsorted(shares / shares[-1], self.rng.random(), side="right"))
        self.position, log_weight, self.log_density = (each[chosen] for each in method.trial)
        self.state = np.array([log_weight, -1.0])

    def numbers(self, draws: int, burn_in: int) -> FloatArray:
        """Of the proposals for as many draws."""
        return self.proposal.numbers(self.rng, burn_in + draws * self.thinning)

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


def _stays(positions: FloatArray) -> bool:
    """Whether some chain of (chains, n, dimension) stays long at a point: without that no draws depend on others."""
    moved = (positions[:, 1:, 0] != positions[:, :-1, 0]).ravel()
    return bool(np.diff(np.flatnonzero(moved), prepend=-1, append=moved.size).max() > LONG_STAY)


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
                states, begins = [_Chain(method, seed) for seed in method.chain_seeds.spawn(chains)], BURN_IN
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
