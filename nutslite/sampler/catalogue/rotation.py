"""Hamiltonian Monte Carlo around a metric's centre: trajectories turn by a random angle and end where they are.

A metric with a centre stands for a normal distribution that is about the posterior. Its own motion is a rotation with
the same period in all directions, so how far a trajectory should go is known and need not be searched: a quarter of a
turn forgets where it began. NUTS finds that out anew with each trajectory, and picks one of its points; that takes
more gradients for as many effective draws (`benchmarks/results/target_accept.md`).

The angle is drawn anew for each trajectory, since a normal that is too narrow or too wide in some direction turns there
by another angle (randomised Hamiltonian Monte Carlo: Bou-Rabee and Sanz-Serna 2017, doi:10.1214/16-AAP1255).
"""

from __future__ import annotations

import math

import numpy as np

from nutslite.sampler.parts.leap import acceptance_of, begin_trajectory, keeps_energy
from nutslite.sampler.parts.system import System, evaluate
from nutslite.sampler.parts.trajectory_rule import Trajectory
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.hamiltonian import GRADIENT, MOMENTUM, POSITION, VELOCITY, kinetic_energy
from nutslite.sampler.transition.metric import set_momentum, set_velocity
from nutslite.sampler.transition.trajectory import (
    DIVERGING,
    ENERGY,
    FORWARD,
    GROWN_END,
    INDEX,
    INITIAL_ENERGY,
    LOGP,
    N_LEAPS,
    N_STEPS,
    SELECTED,
    SUM_ACCEPTANCE,
    Workspace,
    _choose,
)

SHORTEST, LONGEST = range(2)
"""In ``system.settings``: angles."""

SHORTEST_ANGLE, LONGEST_ANGLE = 0.4 * math.pi, 0.8 * math.pi
MOST_STEPS = 1023
"""As many gradients as the longest trajectory of NUTS has by default."""


@uncounted
def rotation_transition(
    system: System, rng: np.random.Generator, workspace: Workspace, step_size: float, max_treedepth: int
) -> None:
    """Replace the SELECTED point by the end of a trajectory, or leave it.

    The steps are those of `hamiltonian.rotate`, as many equal ones as keep within `step_size`; w = M (x - c) is carried
    from step to step, in the row of the SELECTED point's momentum, which has been used. Always forwards in time: a
    fresh momentum is as likely as its opposite. `max_treedepth` is not used. The acceptance that the step size adapts
    to is that of the end.
    """
    begin_trajectory(system, rng, workspace)
    metric, tally, values = system.metric, workspace.tally, workspace.values
    center, shortest = metric.center, system.settings[SHORTEST]
    angle = shortest + (system.settings[LONGEST] - shortest) * rng.random()
    n_steps = min(max(1.0, math.ceil(angle / step_size)), float(MOST_STEPS))
    step = angle / n_steps
    cosine, sine = math.cos(step), math.sin(step)
    point, pull = workspace.points[FORWARD], workspace.points[SELECTED, MOMENTUM]
    position, momentum, gradient, velocity = point[POSITION], point[MOMENTUM], point[GRADIENT], point[VELOCITY]
    for i in range(position.shape[0]):
        velocity[i] = position[i] - center[i]
    set_momentum(metric, velocity, pull)
    tally[GROWN_END] = FORWARD
    logp, kick = 0.0, 0.5 * step
    for _ in range(int(n_steps)):
        for i in range(position.shape[0]):
            momentum[i] += kick * (gradient[i] + pull[i])
        set_velocity(metric, momentum, velocity)
        for i in range(position.shape[0]):
            position[i] = center[i] + cosine * (position[i] - center[i]) + sine * velocity[i]
            before = pull[i]
            pull[i] = cosine * before + sine * momentum[i]
            momentum[i] = cosine * momentum[i] - sine * before
        logp = evaluate(system, point)
        tally[N_STEPS] += 1.0
        kick = step
        if not math.isfinite(logp):
            break
    for i in range(position.shape[0]):
        momentum[i] += 0.5 * step * (gradient[i] + pull[i])
    set_velocity(metric, momentum, velocity)
    values[FORWARD, LOGP] = logp
    values[FORWARD, ENERGY] = kinetic_energy(momentum, velocity) - logp
    values[FORWARD, INDEX] = tally[N_STEPS]
    error = values[FORWARD, ENERGY] - tally[INITIAL_ENERGY]
    if not keeps_energy(tally, error):
        tally[DIVERGING] = 1.0
    acceptance = acceptance_of(error) if tally[DIVERGING] == 0.0 else 0.0
    tally[N_LEAPS], tally[SUM_ACCEPTANCE] = 1.0, acceptance
    if rng.random() < acceptance:
        _choose(workspace.points, values, FORWARD, SELECTED)


ROTATION = Trajectory(
    "rotation",
    rotation_transition,
    settings=(SHORTEST_ANGLE, LONGEST_ANGLE),
    around_center=True,
    doubles=False,
    source="Shahbaba, Lan, Johnson, Neal 2014, Split HMC, 3.1; Bou-Rabee, Sanz-Serna 2017, doi:10.1214/16-AAP1255",
)
"""The step size is an angle: the longest step of a trajectory whose own angle is between these two."""
