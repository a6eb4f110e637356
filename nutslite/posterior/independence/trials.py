"""Which proposal of independence Metropolis fits a posterior: found and tried before any chain starts.

A proposal is the launch's own, one with the posterior's shape along its axes, or a normal at the mode that importance
sampling corrects. Whether it fits is measured on draws of its own, whose weights are all that acceptance depends on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._parallel import available_cpus
from nutslite.posterior.pilot.information import Information
from nutslite.posterior.targets.target import Launch, Target
from nutslite.sampler.independence.axes import along_axes
from nutslite.sampler.independence.nested import WithUniforms
from nutslite.sampler.independence.proposals import DefensiveMixture, Fitness, Proposal, fitness
from nutslite.sampler.independence.tails import has_heavier_tails

FloatArray = NDArray[np.float64]

MOST_DIMENSIONS = 40
TRIAL_SHARE = 0.15  # proposals that test the fit, as a share of the chains' transitions
FEWEST_TRIALS, MOST_TRIALS = 250, 1000
LOWEST_ACCEPTANCE = 0.6
CLOSE = 0.92  # acceptance that no refinement raises by much: the wide part of the proposals alone costs 0.05
LARGEST_WEIGHT = 8.0  # multiple of the mean weight: transitions that a chain may stay at one point
CORRELATION = 0.11  # of successive kept draws, about: where nine of ten proposals are accepted, none is left out
MOST_THINNING = 4
PROBED_ROWS = 20_000  # with more data posteriors have no heavy tails, and a density costs something
FEW_ROWS = 25  # so few that densities cost next to nothing: then ...
RARE_TRIALS, LARGEST_RARE_WEIGHT = 10_000, 30.0  # ... so many more draws, none with a weight above this
STREAM = 1000  # keeps these random numbers apart from those of NUTS with the same seed


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


def independence_for(
    target: Target,
    launch: Launch,
    *,
    transitions: int,
    cores: int | None,
    random_seed: int | None,
    close: float = CLOSE,
    correlation: float = CORRELATION,
    shaped: bool = True,
) -> Independence | None:
    """The launch's own proposal, or one from the mode's curvature, refined by importance sampling; None: none fits.

    Parameters
    ----------
    transitions : int
        Of all chains: with more of them, more draws try a proposal.
    close : float
        Where the first trial's acceptance is as high, that proposal is taken as it is, without a second trial.
    correlation : float
        Of successive draws, about: transitions are left out until it is no larger.
    shaped : bool
        Whether the shape along axes is looked at, which takes evaluations of its own.
    """
    proposal = _proposal(target, launch)
    if proposal is None:
        return None
    cores = cores or available_cpus()
    trial_seed, chain_seeds, recovery_seed = np.random.SeedSequence(random_seed, spawn_key=(STREAM,)).spawn(3)
    trials = Trials(target, np.random.default_rng(trial_seed), cores)
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
class Trials:
    """What tries proposals of a target; methods that return a proposal return the first that serves, or None."""

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

    def has_longer_tails(self, normal: DefensiveMixture) -> bool:
        """Whether weights far out are larger than chains of proposals could bear."""
        log_weights = self._trial(normal, FEWEST_TRIALS).log_weights
        return has_heavier_tails(self._log_densities, normal, log_weights, LARGEST_WEIGHT)

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
        return None if target.uniforms else laplace(launch)
    return WithUniforms(launch.proposal, target.uniforms)


def laplace(launch: Launch) -> DefensiveMixture | None:
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
