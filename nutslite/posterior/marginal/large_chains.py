"""Chains of a large marginal density, with draws of what was integrated out: evaluated each step, or interpolated."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.marginal.interpolation import Interpolation
from nutslite.sampler.independence.independence import IndependenceChain, compiled_acceptance
from nutslite.sampler.independence.proposals import DefensiveMixture, normalised

if TYPE_CHECKING:
    from nutslite.posterior.marginal.large_draws import LargeDraws
    from nutslite.posterior.marginal.large_marginal import Conditional, LargeMarginal

FloatArray = NDArray[np.float64]

DRAWS_PER_TRANSITION = 2  # draws of coefficients and effects for each transition of the expensive parameters
DRAWS_PER_BLOCK, THINNING = 32, 16  # where transitions are cheap: draws at once, and transitions for each of them
STARTS = 64  # draws of the proposal that a chain then starts at one of


class EvaluatedChain:
    """A chain of the remaining parameters, with the conditional of the integrated ones at its current position.

    It starts at a draw of the proposal, or where an earlier process left it.
    """

    def __init__(
        self,
        density: LargeMarginal,
        proposal: DefensiveMixture,
        rng: np.random.Generator,
        position: FloatArray | None = None,
    ) -> None:
        self.density, self.rng = density, rng
        self.candidate: Conditional | None = None
        self.current: Conditional | None = None
        self.chain = IndependenceChain(self._evaluate, proposal, rng, position)
        self.current = self.candidate

    @property
    def position(self) -> FloatArray:
        """Where it is."""
        return self.chain.position

    def _evaluate(self, position: FloatArray) -> float:
        value, self.candidate = self.density.evaluate(position)
        return value

    def step(self) -> None:
        """Move, or stay."""
        if self.chain.step():
            self.current = self.candidate

    def transition(self) -> dict[str, NDArray[Any]]:
        """One step, and draws of the integrated parameters given where it led.

        There are always `DRAWS_PER_TRANSITION`, also where fewer are wanted: so many random numbers are used that
        later draws do not depend on where a run ended.
        """
        began = time.perf_counter()
        self.step()
        if self.current is None:  # `IndependenceChain` starts at a finite density only
            raise AssertionError("a chain without a current position")
        values, effects = self.density.draw(self.current, DRAWS_PER_TRANSITION, self.rng)
        stats = {"lp": self.chain.value, "acceptance_rate": self.chain.acceptance, "perf_counter_start": began}
        repeated = {name: np.full(DRAWS_PER_TRANSITION, value) for name, value in stats.items()}
        return {"values": values, "effects": effects, **repeated}


class InterpolatedChain:
    """A chain of the remaining parameters whose density is known between evaluations.

    It starts at a draw of the proposal, chosen by its weight, or where an earlier process left it.
    """

    def __init__(
        self,
        draws: LargeDraws,
        interpolation: Interpolation,
        proposal: DefensiveMixture,
        rng: np.random.Generator,
        position: FloatArray | None = None,
    ) -> None:
        self.draws, self.interpolation, self.proposal, self.rng = draws, interpolation, proposal, rng
        starts = proposal.draw(rng, STARTS) if position is None else position[None]
        log_weights = self._values(starts)[1]
        shares = np.cumsum(normalised(log_weights))
        chosen = 0 if position is not None else int(np.searchsorted(shares / shares[-1], rng.random(), side="right"))
        self.position, self.state = starts[chosen], np.array([log_weights[chosen], -1.0])

    def _values(self, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log densities and log weights of proposals."""
        values = self.interpolation.log_density(positions)
        return values, values - self.proposal.log_density(positions)

    def transition(self) -> dict[str, NDArray[Any]]:
        """A block of draws, always as long, with some transitions for each."""
        began = time.perf_counter()
        n = DRAWS_PER_BLOCK * THINNING
        proposals = np.concatenate([self.proposal.draw(self.rng, n), self.position[None]])  # -1 is where it was
        values, log_weights = self._values(proposals)
        indices, acceptances = np.empty(n, dtype=np.int64), np.empty(n)
        compiled_acceptance()(log_weights[:-1], np.log(self.rng.random(n)), self.state, indices, acceptances)
        kept = indices[THINNING - 1 :: THINNING]
        positions = proposals[kept]
        self.position = positions[-1]
        natural, effects = self.draws.draw(positions, self.interpolation.mean(positions), self.rng)
        return {
            "values": natural,
            "effects": effects,
            "lp": values[kept],
            "acceptance_rate": acceptances.reshape(-1, THINNING).mean(axis=1),
            "perf_counter_start": np.full(DRAWS_PER_BLOCK, began),
        }
