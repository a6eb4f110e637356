"""The step size: a first guess, then dual averaging towards a target acceptance rate.

Dual averaging is Nesterov's scheme as Hoffman and Gelman (2014, section 3.2.1) apply it, with their constants
gamma = 0.05, t0 = 10, kappa = 0.75. Its state is a small array, so that it lives beside the compiled chain.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nutslite.sampler.transition.compiling import uncounted, uncounted_inlined
from nutslite.sampler.transition.hamiltonian import (
    GRADIENT,
    MOMENTUM,
    POSITION,
    VELOCITY,
    kinetic_energy,
    leapfrog,
    longest_step,
)
from nutslite.sampler.transition.logdensity import LogDensity, Vector
from nutslite.sampler.transition.metric import Metric, draw_momentum, set_velocity
from nutslite.sampler.transition.trajectory import FORWARD, LOGP, SELECTED, Workspace

STEP_SIZE, LOG_AVERAGE, MEAN_ERROR, ANCHOR, COUNT = range(5)
"""State of the adaptation: step size in use, log of its weighted average, running mean of (target - acceptance), the
log step size that errors are measured from, number of updates."""

GAMMA, T0, KAPPA = 0.05, 10.0, 0.75

LOG_SEARCH_TARGET = math.log(0.8)

SEARCH_LIMIT = 200
"""Doublings or halvings after which the initial search gives up: 2**200 leaves no sensible scale out."""


def new_adaptation(step_size: float) -> Vector:
    """State of an adaptation that starts at `step_size`."""
    state = np.zeros(5)
    state[STEP_SIZE] = step_size
    state[LOG_AVERAGE] = math.log(step_size)
    return state


@uncounted
def restart_adaptation(state: Vector) -> None:
    """Forget the past of `state` and start anew from its step size, tending to ten times it at first."""
    state[ANCHOR] = math.log(10.0 * state[STEP_SIZE])
    state[LOG_AVERAGE] = math.log(state[STEP_SIZE])
    state[MEAN_ERROR] = 0.0
    state[COUNT] = 0.0


@uncounted
def update_adaptation(state: Vector, acceptance: float, target: float) -> None:
    """One step of dual averaging after a transition with this acceptance rate. `state` is overwritten."""
    state[COUNT] += 1.0
    count = state[COUNT]
    weight = 1.0 / (count + T0)
    state[MEAN_ERROR] = (1.0 - weight) * state[MEAN_ERROR] + weight * (target - acceptance)
    log_step = state[ANCHOR] - math.sqrt(count) / GAMMA * state[MEAN_ERROR]
    forget = count**-KAPPA
    state[LOG_AVERAGE] = (1.0 - forget) * state[LOG_AVERAGE] + forget * log_step
    state[STEP_SIZE] = math.exp(log_step)


@uncounted
def limit_step_size(state: Vector, longest: float) -> None:
    """Let neither step size of the adaptation be longer."""
    if state[STEP_SIZE] > longest:
        state[STEP_SIZE] = longest
    if state[LOG_AVERAGE] > math.log(longest):
        state[LOG_AVERAGE] = math.log(longest)


@uncounted_inlined
def search_step_size(
    logdensity: LogDensity,
    data: Any,
    rng: np.random.Generator,
    metric: Metric,
    workspace: Workspace,
    state: Vector,
) -> bool:
    """Double or halve the step size until the acceptance rate of ONE leapfrog step crosses 0.8.

    Hoffman and Gelman (2014), algorithm 4, with 0.8 where they have 0.5, and a fresh momentum for every trial. What is
    kept is the last step size whose acceptance was above 0.8.

    Parameters
    ----------
    workspace : Workspace
        Starts from its SELECTED point, which is kept; ``points[FORWARD]`` is scratch.
    state : ndarray (5,)
        STEP_SIZE is the first trial and is overwritten.

    Returns
    -------
    bool
        False if no step size worked.
    """
    grows = False
    step_size = state[STEP_SIZE]
    for trial in range(SEARCH_LIMIT):
        ratio = _log_acceptance(logdensity, data, rng, metric, workspace, step_size)
        accepts = ratio > LOG_SEARCH_TARGET
        if trial == 0:
            grows = accepts
        if accepts:
            state[STEP_SIZE] = step_size
        step_size *= 2.0 if grows else 0.5
        if accepts != grows or (grows and step_size > longest_step(metric)):
            return True
    return False


@uncounted_inlined
def _log_acceptance(
    logdensity: LogDensity,
    data: Any,
    rng: np.random.Generator,
    metric: Metric,
    workspace: Workspace,
    step_size: float,
) -> float:
    """Log of the Metropolis ratio of one leapfrog step with a fresh momentum; -inf where it is not a number."""
    points = workspace.points
    position, momentum = points[FORWARD, POSITION], points[FORWARD, MOMENTUM]
    gradient, velocity = points[FORWARD, GRADIENT], points[FORWARD, VELOCITY]
    for i in range(position.shape[0]):
        position[i] = points[SELECTED, POSITION, i]
        gradient[i] = points[SELECTED, GRADIENT, i]
    draw_momentum(metric, rng, momentum)
    set_velocity(metric, momentum, velocity)
    energy = kinetic_energy(momentum, velocity) - workspace.values[SELECTED, LOGP]
    logp = leapfrog(logdensity, data, metric, position, momentum, gradient, velocity, step_size)
    ratio = energy - (kinetic_energy(momentum, velocity) - logp)
    return ratio if math.isfinite(ratio) else -math.inf
