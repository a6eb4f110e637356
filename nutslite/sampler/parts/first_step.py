"""The first step size, over any integrator and metric: the twin of `search_step_size` in `transition/step_size.py`."""

from __future__ import annotations

import math

import numpy as np

from nutslite.sampler.parts.system import System, draw_point_momentum, energy_of, integrate
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.hamiltonian import GRADIENT, POSITION
from nutslite.sampler.transition.logdensity import Vector
from nutslite.sampler.transition.step_size import LOG_SEARCH_TARGET, SEARCH_LIMIT, STEP_SIZE
from nutslite.sampler.transition.trajectory import FORWARD, LOGP, SELECTED, Workspace


@uncounted
def search_first_step(system: System, rng: np.random.Generator, workspace: Workspace, state: Vector) -> bool:
    """Double or halve the step size until the acceptance rate of one step crosses 0.8; False if none works.

    Arguments as of `search_step_size`.
    """
    grows = False
    step_size = state[STEP_SIZE]
    for trial in range(SEARCH_LIMIT):
        accepts = _log_acceptance(system, rng, workspace, step_size) > LOG_SEARCH_TARGET
        if trial == 0:
            grows = accepts
        if accepts:
            state[STEP_SIZE] = step_size
        if accepts != grows:
            return True
        step_size *= 2.0 if grows else 0.5
    return False


@uncounted
def _log_acceptance(system: System, rng: np.random.Generator, workspace: Workspace, step_size: float) -> float:
    """Log of the Metropolis ratio of one step with a fresh momentum; -inf where it is not a number."""
    start, point = workspace.points[SELECTED], workspace.points[FORWARD]
    for i in range(point.shape[1]):
        point[POSITION, i] = start[POSITION, i]
        point[GRADIENT, i] = start[GRADIENT, i]
    draw_point_momentum(system, rng, point)
    energy = energy_of(point, workspace.values[SELECTED, LOGP])
    logp = integrate(system, point, step_size)
    ratio = energy - energy_of(point, logp)
    return ratio if math.isfinite(ratio) else -math.inf
