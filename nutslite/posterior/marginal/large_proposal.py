"""A proposal for a large marginal density, by evaluations alone: the mode, the curvature, draws around it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nutslite._parallel import run_in_parts
from nutslite.exceptions import SamplingError
from nutslite.posterior.marginal.folding import START, foldable, tailed
from nutslite.sampler.independence.proposals import DefensiveMixture

if TYPE_CHECKING:
    from nutslite.posterior.marginal.large_marginal import LargeMarginal

FloatArray = NDArray[np.float64]

WARMUP_DRAWS = 100  # which refine the proposal
SECOND_DIFFERENCE = 0.02  # step of the differences that give the curvature at the mode, on the log scale


def folded_proposal(density: LargeMarginal, start: FloatArray) -> tuple[DefensiveMixture, FloatArray]:
    """The proposal at the mode once scales with a long left tail are folded, and their sizes (d,), 0 of others."""
    rough = laplace_proposal(density, start)

    def values(positions: FloatArray) -> FloatArray:
        return np.array([density.evaluate(position)[0] for position in positions])

    sds = np.sqrt(np.sum(rough.factor**2, axis=1))
    which = foldable(density.reduction) & tailed(values, rough.center, sds, values(rough.center[None])[0])
    if not which.any():
        return rough, np.zeros(start.size)
    sizes = np.where(which, np.exp(rough.center), 0.0)
    density.fold(sizes)
    rough = laplace_proposal(density, np.where(which, START, rough.center))
    return replace(rough, folded=tuple(np.flatnonzero(which).tolist())), sizes


def laplace_proposal(density: LargeMarginal, start: FloatArray) -> DefensiveMixture:
    """Mode and curvature of the density, by evaluations alone."""
    from scipy import optimize  # takes longer to load than most models to fit

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
    return DefensiveMixture(center, factor)


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


def refined_proposal(
    density: LargeMarginal, proposal: DefensiveMixture, rng: np.random.Generator, cores: int = 1
) -> DefensiveMixture:
    """The proposal, refined by importance sampling from itself, in threads."""
    positions = proposal.draw(rng, WARMUP_DRAWS)
    values = np.empty(WARMUP_DRAWS)

    def work(some: slice) -> None:
        own = copy.copy(density)
        values[some] = [own.evaluate(position)[0] for position in positions[some]]

    run_in_parts(work, WARMUP_DRAWS, cores)
    return proposal.refined(positions, values - proposal.log_density(positions))
