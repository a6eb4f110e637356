"""Hamiltonian dynamics: phase points, the leapfrog integrator, and the energy.

A phase point is kept as a ``(4, dim)`` array whose rows are named below. Kernels take the rows as vectors of their own,
since in compiled code every view made inside a loop costs a reference count.
Where the metric has a centre c, it stands for a normal distribution that is about the posterior, and a step follows the
motion in that normal exactly: the rest of the gradient alone is left to kicks.

The energy of a point is ``H = -logdensity(position) + momentum' M^-1 momentum / 2`` (constants left out).
"""

from __future__ import annotations

import math
from typing import Any

from nutslite.sampler.transition.compiling import uncounted, uncounted_inlined
from nutslite.sampler.transition.logdensity import LogDensity, Vector
from nutslite.sampler.transition.metric import Metric, set_momentum, set_velocity

POSITION, MOMENTUM, GRADIENT, VELOCITY = range(4)
N_ROWS = 4

LONGEST_ROTATION = 1.2
"""Longest adapted step around a centre, as an angle: three of them make half a turn, after which a trajectory ends."""


@uncounted_inlined
def leapfrog(
    logdensity: LogDensity,
    data: Any,
    metric: Metric,
    position: Vector,
    momentum: Vector,
    gradient: Vector,
    velocity: Vector,
    step_size: float,
) -> float:
    """Move a phase point by one leapfrog step (Neal 2011, section 5.2.3) and return the log density there.

    Half a step of momentum, a full step of position, half a step of momentum; around the centre of a metric that has
    one, see `rotate`. A negative step size goes back in time.

    Parameters
    ----------
    logdensity, data, metric
        What is sampled, and the mass matrix.
    position, momentum, gradient : ndarray (dim,)
        The phase point, with the gradient of the log density there; read and overwritten.
    velocity : ndarray (dim,)
        Overwritten with the velocity of the new momentum.
    step_size : float
        Time of the step, negative for one back.

    Returns
    -------
    float
        The log density at the new position, possibly not finite.
    """
    if metric.center.shape[0] > 0:
        return rotate(logdensity, data, metric, position, momentum, gradient, velocity, step_size)
    half_step = 0.5 * step_size
    for i in range(momentum.shape[0]):
        momentum[i] += half_step * gradient[i]
    set_velocity(metric, momentum, velocity)
    for i in range(position.shape[0]):
        position[i] += step_size * velocity[i]
    logp: float = logdensity(position, gradient, data)
    for i in range(momentum.shape[0]):
        momentum[i] += half_step * gradient[i]
    set_velocity(metric, momentum, velocity)
    return logp


@uncounted_inlined
def rotate(
    logdensity: LogDensity,
    data: Any,
    metric: Metric,
    position: Vector,
    momentum: Vector,
    gradient: Vector,
    velocity: Vector,
    step_size: float,
) -> float:
    """Move by one step around the metric's centre c; arguments and result as of `leapfrog`.

    The density is split into the normal N(c, M^-1) and a rest with the gradient g + M (x - c). Half a step of momentum
    by the rest, a full step of the normal's own motion, half a step of momentum by the rest (Shahbaba, Lan, Johnson and
    Neal 2014, Split Hamiltonian Monte Carlo, section 3.1). That motion is a rotation, with v = M^-1 p, w = M (x - c)::

        x <- c + cos(h) (x - c) + sin(h) v,      p <- cos(h) p - sin(h) w,      w <- cos(h) w + sin(h) p

    All parts keep volumes and lead back. The energy error is that of the rest: none at all in a normal posterior.
    """
    center = metric.center
    half_step, cosine, sine = 0.5 * step_size, math.cos(step_size), math.sin(step_size)
    for i in range(position.shape[0]):
        momentum[i] += half_step * gradient[i]
        velocity[i] = position[i] - center[i]
    pull = gradient  # w takes the gradient's place, which has been used
    set_momentum(metric, velocity, pull)
    for i in range(position.shape[0]):
        momentum[i] += half_step * pull[i]
    set_velocity(metric, momentum, velocity)
    for i in range(position.shape[0]):
        position[i] = center[i] + cosine * (position[i] - center[i]) + sine * velocity[i]
        velocity[i] = cosine * pull[i] + sine * momentum[i]  # the new w, until the velocity is known
        momentum[i] = cosine * momentum[i] - sine * pull[i]
    logp: float = logdensity(position, gradient, data)
    for i in range(position.shape[0]):
        momentum[i] += half_step * (gradient[i] + velocity[i])
    set_velocity(metric, momentum, velocity)
    return logp


@uncounted
def longest_step(metric: Metric) -> float:
    """The longest step that adaptation may choose."""
    return LONGEST_ROTATION if metric.center.shape[0] > 0 else math.inf


@uncounted
def kinetic_energy(momentum: Vector, velocity: Vector) -> float:
    """``momentum' velocity / 2``, where velocity = M^-1 momentum."""
    total = 0.0
    for i in range(momentum.shape[0]):
        total += momentum[i] * velocity[i]
    return 0.5 * total
