"""Static Hamiltonian Monte Carlo: a number of steps that no trajectory decides, and Metropolis' decision."""

from __future__ import annotations

import numpy as np

from nutslite.exceptions import SettingError, SettingTypeError
from nutslite.sampler.parts.leap import acceptance_of, begin_trajectory
from nutslite.sampler.parts.system import System, leap_at
from nutslite.sampler.parts.trajectory_rule import Trajectory
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.trajectory import (
    DIVERGED,
    DIVERGING,
    ENERGY,
    FORWARD,
    GOES_ON,
    GROWN_END,
    INITIAL_ENERGY,
    N_LEAPS,
    SELECTED,
    SUM_ACCEPTANCE,
    Workspace,
    _choose,
)

STEPS, VARIES = range(2)
"""In ``system.settings``."""

DEFAULT_STEPS = 16


@uncounted
def static_transition(
    system: System, rng: np.random.Generator, workspace: Workspace, step_size: float, max_treedepth: int
) -> None:
    """Replace the SELECTED point by the end of a trajectory, or leave it.

    Always forwards in time: a fresh momentum is as likely as its opposite. `max_treedepth` is not used. The acceptance
    that the step size adapts to is that of the end.
    """
    begin_trajectory(system, rng, workspace)
    tally, values = workspace.tally, workspace.values
    n_steps = int(system.settings[STEPS])
    if system.settings[VARIES] > 0.0:
        n_steps = 1 + int(rng.random() * n_steps)
    leap = leap_at(system.leap)
    tally[GROWN_END] = FORWARD
    outcome = GOES_ON
    for _ in range(n_steps):
        outcome = leap(system, workspace, FORWARD, step_size)
        if outcome != GOES_ON:
            break
    if outcome == DIVERGED:
        tally[DIVERGING] = 1.0
    acceptance = acceptance_of(values[FORWARD, ENERGY] - tally[INITIAL_ENERGY]) if outcome == GOES_ON else 0.0
    tally[SUM_ACCEPTANCE] = acceptance * tally[N_LEAPS]
    if rng.random() < acceptance:
        _choose(workspace.points, values, FORWARD, SELECTED)


def static(steps: int = DEFAULT_STEPS, *, varies: bool = True) -> Trajectory:
    """Static HMC.

    Parameters
    ----------
    steps : int
        Steps of a trajectory.
    varies : bool
        Whether each trajectory has a number of steps of its own, drawn from 1 to `steps`. With a fixed number, steps
        that happen to be a period of the motion lead back to where they began, draw after draw.

    Raises
    ------
    SettingError
        If `steps` is no positive integer.
    """
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer):
        raise SettingTypeError(f"steps must be a positive integer, not {steps!r}.")
    if steps < 1:
        raise SettingError(f"steps must be a positive integer, not {steps!r}.")
    return Trajectory(
        "static",
        static_transition,
        settings=(float(steps), float(bool(varies))),
        doubles=False,
        source="Neal 2011, Handbook of Markov Chain Monte Carlo, 5.3.2; the number of steps varies as in 5.4.2.2",
    )


STATIC = static()
