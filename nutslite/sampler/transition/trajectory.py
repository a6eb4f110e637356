"""One NUTS trajectory: doubling in random directions, and the choice of a point along it.

Starting from one phase point, the trajectory doubles in length, forwards or backwards in time, until it turns, diverges
or reaches its greatest depth (Hoffman and Gelman 2014). A point is chosen with multinomial weights exp(-energy)
(Betancourt 2017, arXiv:1701.02434, appendix A.3): uniformly by weight inside each new half, biased towards the new half
where halves are joined. Directions come as the bits of one integer, so that a test can script a trajectory.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nutslite.sampler.transition.compiling import uncounted, uncounted_inlined
from nutslite.sampler.transition.hamiltonian import (
    GRADIENT,
    MOMENTUM,
    N_ROWS,
    POSITION,
    VELOCITY,
    kinetic_energy,
    leapfrog,
)
from nutslite.sampler.transition.logdensity import LogDensity, Matrix, Vector
from nutslite.sampler.transition.metric import Metric
from nutslite.sampler.transition.turning import (
    FIRST_VELOCITY,
    LAST_MOMENTUM,
    LAST_VELOCITY,
    N_SPAN_ROWS,
    RHO,
    add_leaf,
    join,
    turns,
)

SELECTED, FORWARD, BACKWARD, CANDIDATE = range(4)
"""Points of a trajectory: the choice so far, its two ends, the choice inside the newest half.

A trajectory that goes one way has the first two only.
"""

LOGP, ENERGY, INDEX = range(3)
"""Numbers that go with a point: log density, energy, position in the trajectory (0 is the start, signed in time)."""

TREE_DEPTH, N_STEPS, SUM_ACCEPTANCE, INITIAL_ENERGY, MAX_ENERGY_ERROR, DIVERGING, REACHED_MAX_TREEDEPTH, GROWN_END = (
    range(8)
)
"""What a trajectory counts; GROWN_END is the end (BACKWARD or FORWARD) that grew last: where a divergence happened."""

N_LEAPS = 8
"""Steps from point to point of a trajectory: counted by replaceable parts alone, where one costs several gradients."""

N_TALLIES = 9

GOES_ON, TURNED, DIVERGED = range(3)

MAX_ENERGY_ERROR_ALLOWED = 1000.0
"""A leapfrog step whose energy exceeds the starting energy by more than this is a divergence."""


class Workspace(NamedTuple):
    """All memory that the transitions of one chain use, allocated once.

    Attributes
    ----------
    points : ndarray (4, 4, dim) or (2, 4, dim)
        Phase points SELECTED, FORWARD, BACKWARD, CANDIDATE; rows as in `hamiltonian`.
    values : ndarray (4, 3)
        LOGP, ENERGY, INDEX of each point.
    spans : ndarray (max_treedepth + 2, 5, dim) or (0, 5, dim)
        Waiting spans; row 0 is the whole trajectory so far, seen in the direction in which it grows.
    tally : ndarray (9,)
        Counts of the current trajectory.
    """

    points: npt.NDArray[np.float64]
    values: Matrix
    spans: npt.NDArray[np.float64]
    tally: Vector


def new_workspace(dimension: int, max_treedepth: int, doubles: bool = True) -> Workspace:
    """Allocate the workspace of one chain; of trajectories that go one way, a third of it where there is no depth."""
    return Workspace(
        np.zeros((4 if doubles else 2, N_ROWS, dimension)),
        np.zeros((4, 3)),
        np.zeros((max_treedepth + 2 if doubles else 0, N_SPAN_ROWS, dimension)),
        np.zeros(N_TALLIES),
    )


@uncounted_inlined
def sample_trajectory(
    logdensity: LogDensity,
    data: Any,
    rng: np.random.Generator,
    metric: Metric,
    workspace: Workspace,
    step_size: float,
    directions: int,
    max_treedepth: int,
) -> None:
    """Grow a trajectory from the SELECTED point, whose momentum is already drawn, and select a point of it.

    Parameters
    ----------
    workspace : Workspace
        ``points[SELECTED]`` and its LOGP are the start (position, momentum, gradient, velocity) and are overwritten by
        the selected point (position and gradient; its momentum and velocity are left as they were); `tally` is
        overwritten; all else is scratch.
    directions : int
        Bit k tells the direction of doubling k: 1 forwards, 0 backwards.
    """
    points, values, tally, spans = workspace.points, workspace.values, workspace.tally, workspace.spans
    _start(workspace)
    log_weight = 0.0  # of all points so far; that of the start is 1
    for depth in range(max_treedepth):
        forwards = (directions >> depth) & 1
        near = FORWARD if forwards else BACKWARD  # the end that grows
        far = BACKWARD if forwards else FORWARD
        tally[GROWN_END] = near
        _face(spans, points, far, near)
        signed_step = step_size if forwards else -step_size
        outcome, new_log_weight = _extend(logdensity, data, rng, metric, workspace, near, signed_step, 1 << depth)
        if outcome == DIVERGED:
            tally[DIVERGING] = 1.0
        if outcome != GOES_ON:  # without the new half: from some of its points it would have ended earlier
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
    logdensity: LogDensity,
    data: Any,
    rng: np.random.Generator,
    metric: Metric,
    workspace: Workspace,
    end: int,
    signed_step: float,
    n_leaves: int,
) -> tuple[int, float]:
    """Integrate `n_leaves` steps on from one end; return the outcome and the log of the new points' total weight.

    The CANDIDATE becomes one of the new points, drawn by weight as they come (reservoir sampling).
    """
    points, values, tally, spans = workspace.points, workspace.values, workspace.tally, workspace.spans
    position, momentum = points[end, POSITION], points[end, MOMENTUM]
    gradient, velocity = points[end, GRADIENT], points[end, VELOCITY]
    initial_energy = tally[INITIAL_ENERGY]
    log_weight = -math.inf
    for leaf in range(n_leaves):
        logp = leapfrog(logdensity, data, metric, position, momentum, gradient, velocity, signed_step)
        energy = kinetic_energy(momentum, velocity) - logp
        values[end, LOGP] = logp
        values[end, ENERGY] = energy
        values[end, INDEX] += 1.0 if signed_step > 0.0 else -1.0
        if _diverges(tally, energy - initial_energy):
            return DIVERGED, log_weight
        leaf_log_weight = initial_energy - energy
        log_weight = _log_add_exp(log_weight, leaf_log_weight)
        if leaf == 0 or rng.random() < math.exp(leaf_log_weight - log_weight):
            _choose(points, values, end, CANDIDATE)
        if add_leaf(spans, 1, leaf, momentum, velocity):
            return TURNED, log_weight
    return GOES_ON, log_weight


@uncounted
def _start(workspace: Workspace) -> None:
    """Make the SELECTED point the whole trajectory."""
    points, values, tally, spans = workspace.points, workspace.values, workspace.tally, workspace.spans
    energy = kinetic_energy(points[SELECTED, MOMENTUM], points[SELECTED, VELOCITY]) - values[SELECTED, LOGP]
    values[SELECTED, ENERGY] = energy
    values[SELECTED, INDEX] = 0.0
    for end in range(FORWARD, min(CANDIDATE, points.shape[0])):  # both ends, or the one that there is
        values[end, INDEX] = 0.0
        for row in range(points.shape[1]):
            for i in range(points.shape[2]):
                points[end, row, i] = points[SELECTED, row, i]
    if spans.shape[0] > 0:
        for i in range(points.shape[2]):
            spans[0, RHO, i] = points[SELECTED, MOMENTUM, i]
    for i in range(tally.shape[0]):
        tally[i] = 0.0
    tally[INITIAL_ENERGY] = energy


@uncounted
def _face(spans: npt.NDArray[np.float64], points: npt.NDArray[np.float64], far: int, near: int) -> None:
    """Let the span of the whole trajectory begin at its far end and end at the one that is about to grow."""
    for i in range(points.shape[2]):
        spans[0, FIRST_VELOCITY, i] = points[far, VELOCITY, i]
        spans[0, LAST_MOMENTUM, i] = points[near, MOMENTUM, i]
        spans[0, LAST_VELOCITY, i] = points[near, VELOCITY, i]


@uncounted
def _choose(points: npt.NDArray[np.float64], values: Matrix, source: int, target: int) -> None:
    """Copy position, gradient and numbers of one point to another."""
    for i in range(points.shape[2]):
        points[target, POSITION, i] = points[source, POSITION, i]
        points[target, GRADIENT, i] = points[source, GRADIENT, i]
    for i in range(values.shape[1]):
        values[target, i] = values[source, i]


@uncounted
def _diverges(tally: Vector, energy_error: float) -> bool:
    """Count one step into `tally`; return whether it diverged. A nan counts as an infinite error."""
    tally[N_STEPS] += 1.0
    if math.isnan(energy_error):
        energy_error = math.inf
    if abs(energy_error) > abs(tally[MAX_ENERGY_ERROR]):
        tally[MAX_ENERGY_ERROR] = energy_error
    tally[SUM_ACCEPTANCE] += math.exp(-energy_error) if energy_error > 0.0 else 1.0
    return energy_error > MAX_ENERGY_ERROR_ALLOWED or energy_error == -math.inf


@uncounted
def _log_add_exp(a: float, b: float) -> float:
    """log(exp(a) + exp(b)); b is finite, a may be -inf."""
    if a > b:
        return a + math.log1p(math.exp(b - a))
    return b + math.log1p(math.exp(a - b))
