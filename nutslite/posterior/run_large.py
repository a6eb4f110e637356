"""Run independence Metropolis on a large marginal density; integrated parameters are drawn along the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from nutslite.exceptions import SamplingError
from nutslite.posterior.large_marginal import Conditional, LargeMarginal
from nutslite.sampler.independence import IndependenceChain, Proposal, centred_proposal

FloatArray = NDArray[np.float64]

DRAWS_PER_TRANSITION = 2  # draws of coefficients and effects for each transition of the expensive parameters
WARMUP_TRANSITIONS = 100  # in all, shared by the chains: they refine the proposal
BURN_IN = 10  # transitions of every chain before its first draw; it starts at a draw of the proposal
SECOND_DIFFERENCE = 0.02  # step of the differences that give the curvature at the mode, on the log scale


@dataclass(frozen=True)
class LargeDraws:
    """Draws of all chains in the joint model's quantities, with statistics by ArviZ's names."""

    values: FloatArray
    effects: FloatArray
    stats: dict[str, NDArray[Any]]
    interrupted: bool


def laplace_proposal(density: LargeMarginal, start: FloatArray) -> Proposal:
    """Mode and curvature of the density, by evaluations alone."""

    def negative(position: FloatArray) -> float:
        value = density.evaluate(position)[0]
        return -value if np.isfinite(value) else 1e10

    options = {"initial_tr_radius": 0.5, "final_tr_radius": 0.01}
    center = optimize.minimize(negative, start, method="COBYQA", options=options).x
    hessian = _hessian(negative, center)
    try:
        factor = np.linalg.cholesky(np.linalg.inv(hessian))
    except np.linalg.LinAlgError:
        raise SamplingError(
            "The marginal density has no regular mode: a scale may be hardly informed. Fit with plan='joint'."
        ) from None
    return Proposal(center, factor)


def _hessian(function: Callable[[FloatArray], float], center: FloatArray) -> FloatArray:
    d = center.size
    steps = np.eye(d) * SECOND_DIFFERENCE
    at_center = function(center)
    single = np.array([[function(center + sign * step) for step in steps] for sign in (1, -1)])
    out = np.empty((d, d))
    for i in range(d):
        out[i, i] = single[0, i] + single[1, i] - 2.0 * at_center
        for j in range(i):
            both = function(center + steps[i] + steps[j]) + function(center - steps[i] - steps[j])
            out[i, j] = 0.5 * (both + 2.0 * at_center - single[:, i].sum() - single[:, j].sum())
            out[j, i] = out[i, j]
    return out / SECOND_DIFFERENCE**2


def refined_proposal(density: LargeMarginal, proposal: Proposal, rng: np.random.Generator) -> Proposal:
    """The proposal with its mean by importance sampling from itself."""
    positions = np.array([proposal.draw(rng) for _ in range(WARMUP_TRANSITIONS)])
    weights = np.array([density.evaluate(p)[0] - proposal.log_density(p) for p in positions])
    return centred_proposal(positions, weights, proposal)


class _Chain:
    """A chain of the remaining parameters, with the conditional of the integrated ones at its current position."""

    def __init__(self, density: LargeMarginal, proposal: Proposal, rng: np.random.Generator) -> None:
        self.density, self.rng = density, rng
        self.candidate: Conditional | None = None
        self.current: Conditional | None = None
        self.chain = IndependenceChain(self._evaluate, proposal, rng)
        self.current = self.candidate

    def _evaluate(self, position: FloatArray) -> float:
        value, self.candidate = self.density.evaluate(position)
        return value

    def step(self) -> None:
        """One transition."""
        if self.chain.step():
            self.current = self.candidate

    def draw(self, n: int) -> tuple[FloatArray, FloatArray]:
        """Draw the integrated parameters given the current position."""
        if self.current is None:  # `IndependenceChain` starts at a finite density only
            raise AssertionError("a chain without a current position")
        return self.density.draw(self.current, n, self.rng)


def run_large(
    density: LargeMarginal,
    proposal: Proposal,
    *,
    draws: int,
    chains: int,
    seeds: np.random.SeedSequence,
    report: Callable[[int, int, float], None],
) -> LargeDraws:
    """Sample; Ctrl-C keeps the chains that are complete.

    Parameters
    ----------
    report : callable
        ``report(chain, draws done, acceptance so far)`` after every transition.
    """
    reduction = density.reduction
    values = np.empty((chains, draws, reduction.n_values))
    effects = np.empty((chains, draws, reduction.n_effects))
    stats = {name: np.zeros((chains, draws)) for name in ("lp", "acceptance_rate", "perf_counter_start")}
    finished, interrupted = 0, False
    try:
        for chain, seed in enumerate(seeds.spawn(chains)):
            state = _Chain(density, proposal, np.random.default_rng(seed))
            for _ in range(BURN_IN):
                state.step()
            for start in range(0, draws, DRAWS_PER_TRANSITION):
                rows = slice(start, min(draws, start + DRAWS_PER_TRANSITION))
                stats["perf_counter_start"][chain, rows] = time.perf_counter()
                state.step()
                values[chain, rows], effects[chain, rows] = state.draw(rows.stop - rows.start)
                stats["lp"][chain, rows] = state.chain.value
                stats["acceptance_rate"][chain, rows] = state.chain.acceptance
                report(chain, rows.stop, float(stats["acceptance_rate"][chain, : rows.stop].mean()))
            finished += 1
    except KeyboardInterrupt:
        interrupted = True
        if not finished:
            raise
    kept: dict[str, NDArray[Any]] = {name: array[:finished] for name, array in stats.items()}
    kept["diverging"] = np.zeros((finished, draws), dtype=bool)
    return LargeDraws(values[:finished], effects[:finished], kept, interrupted)
