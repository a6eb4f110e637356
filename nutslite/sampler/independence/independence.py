"""Independence Metropolis: for few parameters whose log density is smooth, nearly normal and very expensive.

Proposals come from a distribution fitted to the density (`proposals`) and do not depend on the current point, so a
density that costs as much as a large matrix factorisation is evaluated once per transition, without a gradient
(Tierney 1994, section 2.3.3).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nutslite._awaited import MANY, wait_for
from nutslite._numba import kernel
from nutslite.exceptions import SamplingError
from nutslite.sampler.independence.proposals import DefensiveMixture

FloatArray = NDArray[np.float64]

MOST_STARTS = 100


class IndependenceChain:
    """One chain; `step` makes a transition and says whether the proposal was accepted.

    Parameters
    ----------
    log_density : callable
        ``log_density(position) -> float``.
    proposal : DefensiveMixture
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
        proposal: DefensiveMixture,
        rng: np.random.Generator,
        position: FloatArray | None = None,
    ) -> None:
        self.log_density, self.proposal, self.rng = log_density, proposal, rng
        for _ in range(MOST_STARTS):
            self.position = proposal.draw(rng, 1)[0] if position is None else position
            self.value = log_density(self.position)
            if math.isfinite(self.value):
                break
        else:
            raise SamplingError(
                f"The log density is not finite at any of {MOST_STARTS} starting points around its mode."
            )
        self.log_weight = self._log_weight(self.position, self.value)
        self.acceptance = 1.0

    def step(self) -> bool:
        """One transition; afterwards `position`, `value` and `acceptance` (the probability) are current."""
        candidate = self.proposal.draw(self.rng, 1)[0]
        value = self.log_density(candidate)
        log_weight = self._log_weight(candidate, value)
        self.acceptance = math.exp(min(0.0, log_weight - self.log_weight))
        accepted = self.rng.random() < self.acceptance
        if accepted:
            self.position, self.value, self.log_weight = candidate, value, log_weight
        return accepted

    def _log_weight(self, position: FloatArray, value: float) -> float:
        return value - float(self.proposal.log_density(position[None])[0]) if math.isfinite(value) else -math.inf


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
