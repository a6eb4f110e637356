"""NUTS over any leap: doubling in random directions until the trajectory turns.

The twin of `transition/trajectory.py`, which see: that one has the leapfrog compiled into it, this one calls a leap by
its address. With the leapfrog both draw the same to the last bit.
"""

from __future__ import annotations

import math

import numpy as np

from nutslite.sampler.parts.leap import begin_trajectory
from nutslite.sampler.parts.system import System, leap_at
from nutslite.sampler.parts.trajectory_rule import Trajectory
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.hamiltonian import MOMENTUM, VELOCITY
from nutslite.sampler.transition.trajectory import (
    BACKWARD,
    CANDIDATE,
    DIVERGED,
    DIVERGING,
    ENERGY,
    FORWARD,
    GOES_ON,
    GROWN_END,
    INITIAL_ENERGY,
    REACHED_MAX_TREEDEPTH,
    SELECTED,
    TREE_DEPTH,
    TURNED,
    Workspace,
    _choose,
    _face,
    _log_add_exp,
)
from nutslite.sampler.transition.turning import add_leaf, join, turns


@uncounted
def doubling_transition(
    system: System, rng: np.random.Generator, workspace: Workspace, step_size: float, max_treedepth: int
) -> None:
    """Replace the SELECTED point by a point of a trajectory that doubles until it turns."""
    begin_trajectory(system, rng, workspace)
    directions = int(rng.random() * (1 << max_treedepth))
    points, values, tally, spans = workspace.points, workspace.values, workspace.tally, workspace.spans
    log_weight = 0.0
    for depth in range(max_treedepth):
        forwards = (directions >> depth) & 1
        near = FORWARD if forwards else BACKWARD
        far = BACKWARD if forwards else FORWARD
        tally[GROWN_END] = near
        _face(spans, points, far, near)
        signed_step = step_size if forwards else -step_size
        outcome, new_log_weight = _extend(system, rng, workspace, near, signed_step, 1 << depth)
        if outcome == DIVERGED:
            tally[DIVERGING] = 1.0
        if outcome != GOES_ON:
            return
        tally[TREE_DEPTH] += 1.0
        if new_log_weight >= log_weight or rng.random() < math.exp(new_log_weight - log_weight):
            _choose(points, values, CANDIDATE, SELECTED)
        log_weight = _log_add_exp(log_weight, new_log_weight)
        if turns(spans, 0, 1, points[near, VELOCITY]):
            return
        join(spans, 0, 1)
    tally[REACHED_MAX_TREEDEPTH] = 1.0


@uncounted
def _extend(
    system: System, rng: np.random.Generator, workspace: Workspace, end: int, signed_step: float, n_leaps: int
) -> tuple[int, float]:
    """Leap on from one end; return the outcome and the log of the new points' total weight, as in `trajectory`."""
    leap = leap_at(system.leap)
    points, values, spans = workspace.points, workspace.values, workspace.spans
    initial_energy = workspace.tally[INITIAL_ENERGY]
    log_weight = -math.inf
    for number in range(n_leaps):
        outcome = leap(system, workspace, end, signed_step)
        if outcome != GOES_ON:
            return outcome, log_weight
        point_log_weight = initial_energy - values[end, ENERGY]
        log_weight = _log_add_exp(log_weight, point_log_weight)
        if number == 0 or rng.random() < math.exp(point_log_weight - log_weight):
            _choose(points, values, end, CANDIDATE)
        if add_leaf(spans, 1, number, points[end, MOMENTUM], points[end, VELOCITY]):
            return TURNED, log_weight
    return GOES_ON, log_weight


NUTS = Trajectory("nuts", doubling_transition, source="Hoffman and Gelman 2014; Betancourt 2017, appendix A")
