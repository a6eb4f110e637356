"""Trials of slices: how wide the posterior is in which directions, and how many updates make a draw.

A trial goes on until it is long beside the autocorrelation time that it measures, or its budget is spent. Nothing in it
depends on how many draws follow. Where straight slices alone would need too many updates, it tries jumps between them
as well, and keeps whichever needs fewer evaluations for a draw that hardly depends on the one before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.slicing.autocorrelation import autocorrelation_time
from nutslite.posterior.slicing.chains import Chains
from nutslite.posterior.slicing.moves import Moves, axes, moves_of
from nutslite.sampler.tempering import no_mixture

FloatArray = NDArray[np.float64]

FIRST_DRAWS = 60  # of each chain: they find directions for the trial
TRIAL_DRAWS = 1000  # of each of its rounds, which have to see what is rare
TRIAL_CHAINS = 4
LONG_ENOUGH = 150  # autocorrelation times in the draws of a round's chain that are looked at
KNOWN = 30  # such times, with which too many updates are certain
AIM, LONGER = 2.5, 8  # the next round's time in its draws, by more sweeps between them; how many times more at most
MOST_TRIAL_SWEEPS = 64  # between draws of the trial
SHARE_OF_TIME = 0.4  # of the slowest parameter's autocorrelation time, between draws ...
SHARE_IN_PIECES = 1.0  # ... and where pieces that are seldom come to may make it longer than it seems
FEWEST_SWEEPS = 2.0  # between draws; a sweep is as many updates as there are parameters
MOST_UPDATES = 150  # for each draw, those at all powers: one or two milliseconds
MOST_EVALUATIONS = 1500  # of the density, for each draw
MOST_TRIAL_UPDATES = 300_000  # of all rounds
MOST_TRIAL_EVALUATIONS = 3_000_000
WORTHWHILE = 1.5  # times more sweeps than in the round before


@dataclass(frozen=True)
class Round:
    """Draws `kept` (chains, n, powers, dimension) with so many sweeps between them, and what they say.

    `time` is the autocorrelation time in draws, `price` the evaluations of an update at all powers; `made` are the
    sweeps between draws of all rounds until this one, and `spent` their evaluations.
    """

    kept: FloatArray
    sweeps: int
    time: float
    price: float
    made: int
    spent: int

    @property
    def updates(self) -> float:
        """That ought to lie between two draws."""
        n_powers, dimension = self.kept.shape[2:]
        share = SHARE_OF_TIME if n_powers == 1 else SHARE_IN_PIECES
        return dimension * max(share * self.time * self.sweeps, FEWEST_SWEEPS)

    @property
    def most_updates(self) -> float:
        """That may lie between two draws."""
        return most_updates(MOST_UPDATES, MOST_EVALUATIONS, self.kept.shape[2], self.price)

    @property
    def is_long(self) -> bool:
        """Whether even rare excursions are seen."""
        return self.time * LONG_ENOUGH <= self.kept.shape[1]

    @property
    def is_known(self) -> bool:
        """Whether it is long enough to be compared with another."""
        return self.time * KNOWN <= self.kept.shape[1]

    @property
    def next_sweeps(self) -> int:
        """That the next round ought to have, and may have."""
        n_powers, dimension = self.kept.shape[2:]
        each = TRIAL_CHAINS * TRIAL_DRAWS * dimension
        left = MOST_TRIAL_UPDATES // (each * n_powers) - self.made
        affordable = int((MOST_TRIAL_EVALUATIONS - self.spent) / (each * self.price))
        return min(self.sweeps * min(math.ceil(self.time / AIM), LONGER), MOST_TRIAL_SWEEPS, left, affordable)

    @property
    def evaluations(self) -> float:
        """For a draw that hardly depends on the one before, up to a factor."""
        return self.time * self.sweeps * self.price


def most_updates(updates: int, evaluations: int, n_powers: int, price: float) -> float:
    """For a draw: so many at all powers together, and so many evaluations, of which each has `price` at all powers."""
    return max(1.0, min(updates / n_powers, evaluations / max(price, 1.0)))


def tried(chains: Chains, covariance: FloatArray, rng: np.random.Generator) -> tuple[Moves, Round]:
    """Moves, and the last round of the trial, after which the chains have the kernel that serves better."""
    n_powers, dimension = chains.powers.size, chains.target.dimension
    directions = np.repeat(axes(covariance)[None], n_powers, axis=0)
    kept = chains.settled(Moves(directions, np.empty((0, 2)), no_mixture(dimension)), 1, FIRST_DRAWS)
    last = _rounds(chains, _round(chains, kept, rng), rng, until_known=chains.may_jump)
    if chains.may_jump and last.updates > last.most_updates:
        straight = last
        chains.jump()
        last = _rounds(chains, _round(chains, straight.kept, rng), rng)
        if not last.is_known:  # once more, with jumps to all that it has come to
            last = _round(chains, last.kept, rng, last, last.sweeps)
        if straight.evaluations < last.evaluations:
            chains.follow(None)
            last = _rounds(chains, straight, rng)
    return moves_of(chains.target, last.kept, chains.lines, rng), last


def _rounds(chains: Chains, last: Round, rng: np.random.Generator, until_known: bool = False) -> Round:
    """The last round after this one.

    Each is longer than the one before, until one is long beside the autocorrelation time, or the budget is spent, or,
    where that is enough, it is certain that more updates are wanted than there may be.
    """
    while not last.is_long and last.next_sweeps >= WORTHWHILE * last.sweeps:
        if until_known and last.is_known and last.updates > last.most_updates:
            break
        last = _round(chains, last.kept, rng, last)
    return last


def _round(
    chains: Chains, kept: FloatArray, rng: np.random.Generator, before: Round | None = None, sweeps: int | None = None
) -> Round:
    """The first round after some draws, or the one after another; with so many sweeps, or as many as that asks for."""
    made, spent = (0, 0) if before is None else (before.made, before.spent)
    if sweeps is None:
        sweeps = 1 if before is None else before.next_sweeps
    already = chains.evaluations
    kept = chains.settled(moves_of(chains.target, kept, chains.lines, rng), sweeps, TRIAL_DRAWS)
    found = chains.evaluations - already
    price = found / (TRIAL_CHAINS * TRIAL_DRAWS * sweeps * chains.target.dimension)
    return Round(kept, sweeps, autocorrelation_time(kept[:, :, 0]), price, made + sweeps, spent + found)
