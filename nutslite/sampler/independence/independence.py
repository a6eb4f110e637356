"""Independence Metropolis: for few parameters whose log density is smooth, nearly normal and very expensive.

Proposals come from a multivariate t distribution fitted to the density and do not depend on the current point, so a
density that costs as much as a large matrix factorisation is evaluated once per transition, without a gradient
(Tierney 1994, section 2.3.3). The heavier tails keep the ratio of density and proposal bounded, without which the chain
would get stuck in the tails.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite._awaited import MANY, wait_for
from nutslite._numba import kernel
from nutslite.exceptions import SamplingError

FloatArray = NDArray[np.float64]

DEGREES_OF_FREEDOM = 7.0
MOST_STARTS = 100
WIDER = 1.1


@dataclass(frozen=True)
class Proposal:
    """A multivariate t distribution: center (d,) and lower Cholesky factor (d, d) of its scale matrix."""

    center: FloatArray
    factor: FloatArray

    def draw(self, rng: np.random.Generator) -> FloatArray:
        """One draw, shape (d,)."""
        z = rng.standard_normal(self.center.size)
        stretch = math.sqrt(DEGREES_OF_FREEDOM / rng.chisquare(DEGREES_OF_FREEDOM))
        return self.center + stretch * (self.factor @ z)

    def log_density(self, position: FloatArray) -> float:
        """Log density up to a constant."""
        z = np.linalg.solve(self.factor, position - self.center)
        d = self.center.size
        return float(
            -0.5 * (DEGREES_OF_FREEDOM + d) * math.log1p(z @ z / DEGREES_OF_FREEDOM)
            - np.log(np.diag(self.factor)).sum()
        )


def centred_proposal(positions: FloatArray, log_weights: FloatArray, proposal: Proposal) -> Proposal:
    """The proposal moved to the mean of weighted draws (n, d); unchanged where too few of them carry weight.

    A mean is well estimated by a hundred draws, a covariance is not: one direction that comes out too narrow makes
    chains stick. So the shape stays that of the curvature at the mode, a little wider.
    """
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    if 1.0 / np.sum(weights**2) < 10.0 * positions.shape[1]:
        return proposal
    return Proposal(weights @ positions, WIDER * proposal.factor)


class IndependenceChain:
    """One chain; `step` makes a transition and says whether the proposal was accepted.

    Parameters
    ----------
    log_density : callable
        ``log_density(position) -> float``.
    proposal : Proposal
    rng : numpy Generator
    position : ndarray (d,), optional
        Where to start, instead of at a draw of the proposal.

    Raises
    ------
    SamplingError
        If no starting point with a finite density is found.
    """

    def __init__(
        self,
        log_density: Callable[[FloatArray], float],
        proposal: Proposal,
        rng: np.random.Generator,
        position: FloatArray | None = None,
    ) -> None:
        self.log_density, self.proposal, self.rng = log_density, proposal, rng
        for _ in range(MOST_STARTS):
            self.position = proposal.draw(rng) if position is None else position
            self.value = log_density(self.position)
            if math.isfinite(self.value):
                break
        else:
            raise SamplingError(
                f"The log density is not finite at any of {MOST_STARTS} starting points around its mode."
            )
        self.log_weight = self.value - proposal.log_density(self.position)
        self.acceptance = 1.0

    def step(self) -> bool:
        """One transition; afterwards `position`, `value` and `acceptance` (the probability) are current."""
        candidate = self.proposal.draw(self.rng)
        value = self.log_density(candidate)
        log_weight = value - self.proposal.log_density(candidate) if math.isfinite(value) else -math.inf
        self.acceptance = math.exp(min(0.0, log_weight - self.log_weight))
        accepted = self.rng.random() < self.acceptance
        if accepted:
            self.position, self.value, self.log_weight = candidate, value, log_weight
        return accepted


@kernel
def accept_or_stay(log_weights, log_uniforms, state, indices, acceptances):
    """Run a chain over proposals whose weights are known.

    Parameters
    ----------
    log_weights, log_uniforms : (n,) float64
        Log of target over proposal density of the `n` proposals, and of uniform random numbers.
    state : (2,) float64
        Log weight of the current point, and its index in the proposals (-1: from before); overwritten with the last.
    indices : (n,) int64
        Overwritten: the proposal that the chain is at after each transition, -1 for the point from before.
    acceptances : (n,) float64
        Overwritten: acceptance probabilities.
    """
    current, index = state[0], -1
    for i in range(log_weights.shape[0]):
        difference = log_weights[i] - current
        if not math.isfinite(log_weights[i]):
            acceptances[i] = 0.0
        else:
            acceptances[i] = math.exp(min(0.0, difference))
            if log_uniforms[i] < difference:  # logarithms on both sides: a uniform number below the acceptance
                current, index = log_weights[i], i
        indices[i] = index
    state[0], state[1] = current, index


def compiled_acceptance() -> Callable[..., None]:
    """`accept_or_stay`, which is compiled when it is first called."""
    wait_for(MANY)
    kept: Callable[..., None] = accept_or_stay
    return kept
