"""Leaps: from one point of a trajectory to the next. The plain one is a step of the integrator."""

from __future__ import annotations

import math

import numpy as np

from nutslite.sampler.parts.system import System, draw_point_momentum, energy_of, integrate
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.logdensity import Vector
from nutslite.sampler.transition.trajectory import (
    BACKWARD,
    DIVERGED,
    ENERGY,
    FORWARD,
    GOES_ON,
    INDEX,
    INITIAL_ENERGY,
    LOGP,
    MAX_ENERGY_ERROR,
    MAX_ENERGY_ERROR_ALLOWED,
    N_LEAPS,
    N_STEPS,
    SELECTED,
    SUM_ACCEPTANCE,
    Workspace,
    _start,
)

IRREVERSIBLE = DIVERGED + 1
"""Outcome of a leap that would not lead back: the trajectory ends before it, as before a turn."""


@uncounted
def begin_trajectory(system: System, rng: np.random.Generator, workspace: Workspace) -> None:
    """Draw a momentum for the SELECTED point, and make it the whole trajectory; all tallies are zero then."""
    draw_point_momentum(system, rng, workspace.points[SELECTED])
    _start(workspace)
    values = workspace.values
    for end in (BACKWARD, FORWARD):
        values[end, LOGP] = values[SELECTED, LOGP]
        values[end, ENERGY] = values[SELECTED, ENERGY]


@uncounted
def plain_leap(system: System, workspace: Workspace, end: int, step_size: float) -> int:
    """Move an end of the trajectory by one step; return GOES_ON or DIVERGED.

    Parameters
    ----------
    workspace : Workspace
        The point `end` and its values are overwritten, counts are added to `tally`.
    step_size : float
        Negative backwards in time.
    """
    point, tally = workspace.points[end], workspace.tally
    logp = integrate(system, point, step_size)
    energy = energy_of(point, logp)
    arrive(workspace, end, logp, energy, step_size)
    error = energy - tally[INITIAL_ENERGY]
    count_leap(tally, float(system.gradients), acceptance_of(error))
    return GOES_ON if keeps_energy(tally, error) else DIVERGED


@uncounted
def arrive(workspace: Workspace, end: int, logp: float, energy: float, step_size: float) -> None:
    """Note the numbers of an end that was moved."""
    values = workspace.values
    values[end, LOGP] = logp
    values[end, ENERGY] = energy
    values[end, INDEX] += 1.0 if step_size > 0.0 else -1.0


@uncounted
def acceptance_of(error: float) -> float:
    """Probability that Metropolis accepts an energy error; 0 for a nan."""
    if error > 0.0:
        return math.exp(-error)
    return 1.0 if error <= 0.0 else 0.0


@uncounted
def count_leap(tally: Vector, gradients: float, acceptance: float) -> None:
    """Count one leap, what it cost, and the acceptance that the step size adapts to."""
    tally[N_LEAPS] += 1.0
    tally[N_STEPS] += gradients
    tally[SUM_ACCEPTANCE] += acceptance


@uncounted
def keeps_energy(tally: Vector, error: float) -> bool:
    """Whether an energy error, noted if it is the greatest so far, is none of a divergence; a nan is."""
    if math.isnan(error):
        error = math.inf
    if abs(error) > abs(tally[MAX_ENERGY_ERROR]):
        tally[MAX_ENERGY_ERROR] = error
    return -math.inf < error <= MAX_ENERGY_ERROR_ALLOWED
