"""One chain of independence Metropolis over proposals whose densities are computed many at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.independence.trials import Independence, Trial
from nutslite.sampler.independence.independence import compiled_acceptance
from nutslite.sampler.independence.proposals import normalised

FloatArray = NDArray[np.float64]

BURN_IN = 5  # transitions; chains start at draws of the posterior by importance resampling


class Chain:
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

    def walk(self, proposals: Trial, burn_in: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Positions, log densities and mean acceptance of the draws, one for every `thinning` transitions."""
        n = len(proposals.positions)
        indices, acceptances = np.empty(n, dtype=np.int64), np.empty(n)
        log_uniforms = np.log(self.rng.random(n))
        compiled_acceptance()(
            np.ascontiguousarray(proposals.log_weights), log_uniforms, self.state, indices, acceptances
        )
        # index -1 is the point from before
        positions = np.concatenate([proposals.positions, self.position[None]])[indices]
        values = np.append(proposals.log_densities, self.log_density)[indices]
        self.position, self.log_density = positions[-1], float(values[-1])
        kept = slice(burn_in + self.thinning - 1, None, self.thinning)
        acceptance = acceptances[burn_in:].reshape(-1, self.thinning).mean(axis=1)
        return positions[kept], values[kept], acceptance
