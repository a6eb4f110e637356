"""Hamiltonian dynamics: phase points, the leapfrog integrator, and the energy.

A phase point is kept as a ``(4, dim)`` array whose rows are named below. Kernels take the rows as vectors of their own,
since in compiled code every view made inside a loop costs a reference count.
The energy of a point is ``H = -logdensity(position) + momentum' M^-1 momentum / 2`` (constants left out).
"""

from __future__ import annotations

from typing import Any

from nutslite.sampler.transition.compiling import uncounted, uncounted_inlined
from nutslite.sampler.transition.logdensity import LogDensity, Vector
from nutslite.sampler.transition.metric import Metric, set_velocity

POSITION, MOMENTUM, GRADIENT, VELOCITY = range(4)
N_ROWS = 4


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

    Half a step of momentum, a full step of position, half a step of momentum. A negative step size goes back in time.

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


@uncounted
def kinetic_energy(momentum: Vector, velocity: Vector) -> float:
    """``momentum' velocity / 2``, where velocity = M^-1 momentum."""
    total = 0.0
    for i in range(momentum.shape[0]):
        total += momentum[i] * velocity[i]
    return 0.5 * total
