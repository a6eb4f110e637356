"""Hamiltonian dynamics: phase points, the leapfrog integrator, and the energy.

A phase point is a ``(4, dim)`` array whose rows are named below, so that a step works in place and a copy is one loop.
The energy of a point is ``H = -logdensity(position) + momentum' M^-1 momentum / 2`` (constants left out).
"""

from __future__ import annotations

from typing import Any

from nutslite._numba import kernel
from nutslite.sampler.logdensity import LogDensity, Matrix, Vector
from nutslite.sampler.metric import Metric, set_velocity

POSITION, MOMENTUM, GRADIENT, VELOCITY = range(4)
N_ROWS = 4


@kernel
def leapfrog(logdensity: LogDensity, data: Any, metric: Metric, point: Matrix, step_size: float) -> float:
    """Move `point` by one leapfrog step (Leimkuhler and Reich 2004; Neal 2011, section 5.2.3).

    Half a step of momentum, a full step of position, half a step of momentum. A negative step size goes back in time.

    Parameters
    ----------
    point : ndarray (4, dim)
        Rows POSITION, MOMENTUM, GRADIENT are read and overwritten; VELOCITY is overwritten.

    Returns
    -------
    float
        The log density at the new position, possibly not finite.
    """
    position, momentum, gradient, velocity = point[POSITION], point[MOMENTUM], point[GRADIENT], point[VELOCITY]
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


@kernel
def kinetic_energy(momentum: Vector, velocity: Vector) -> float:
    """``momentum' velocity / 2``, where velocity = M^-1 momentum."""
    total = 0.0
    for i in range(momentum.shape[0]):
        total += momentum[i] * velocity[i]
    return 0.5 * total
