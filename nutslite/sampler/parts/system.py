"""What a replaceable part is given: the log density, the metric and the other parts, each by its address.

The usual sampler is compiled as one piece (`transition/chain.py`). Where a part of it is replaced, the parts are
compiled each for itself, and call one another by address. So a part compiles in a second, once, and fits all others;
what that costs is a call through a pointer, some ten nanoseconds, in a few places of each step.

A part is a plain function that Numba can compile. It must not make arrays: all memory is in the `System` and in the
`Workspace`, which come by reference. The functions of this file are what it is written with. A point is a ``(4, dim)``
array, its rows POSITION, MOMENTUM, GRADIENT and VELOCITY.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from nutslite._addresses import caller_of
from nutslite._numba import MATRIX, VECTOR
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.hamiltonian import GRADIENT, MOMENTUM, N_ROWS, POSITION, VELOCITY, kinetic_energy
from nutslite.sampler.transition.handle import logdensity_at
from nutslite.sampler.transition.logdensity import Matrix, Vector
from nutslite.sampler.transition.metric import Metric, diagonal_metric
from nutslite.sampler.transition.reference import Reference, refer
from nutslite.sampler.transition.trajectory import Workspace, new_workspace


class System(NamedTuple):
    """The parts of a sampler, for compiled code.

    Attributes
    ----------
    function, data : int
        Log density and data, as in a `Handle`.
    metric : Metric
        By reference.
    velocity, momentum : int
        Addresses of what the metric's kind does (`metric_kind`).
    step : int
        Address of the integrator's step.
    coefficients : ndarray
        The integrator's own numbers.
    gradients : int
        How many gradients its step costs.
    leap : int
        Address of what leads from one point of a trajectory to the next (`leap`).
    settings : ndarray
        The trajectory rule's own numbers.
    scratch : ndarray (n, 4, dim)
        Points that the trajectory rule may overwrite.
    """

    function: Any
    data: Any
    metric: Metric
    velocity: Any
    momentum: Any
    step: Any
    coefficients: Vector
    gradients: int
    leap: Any
    settings: Vector
    scratch: npt.NDArray[np.float64]


METRIC = Reference(numba.typeof(diagonal_metric([1.0])))


def _example() -> System:
    metric, numbers = refer(diagonal_metric([1.0]), METRIC), np.zeros(1)
    return System(0, 0, metric, 0, 0, 0, numbers, 1, 0, numbers, np.zeros((1, N_ROWS, 1)))


SYSTEM = Reference(numba.typeof(_example()))
GENERATOR = numba.typeof(np.random.default_rng(0))
WORKSPACE = Reference(numba.typeof(new_workspace(1, 1)))

VELOCITY_POINTER = types.FunctionType(types.void(METRIC, VECTOR, VECTOR))
MOMENTUM_POINTER = types.FunctionType(types.void(METRIC, GENERATOR, VECTOR))
STEP_POINTER = types.FunctionType(types.float64(SYSTEM, MATRIX, types.float64))
LEAP_POINTER = types.FunctionType(types.int64(SYSTEM, WORKSPACE, types.int64, types.float64))

velocity_at = caller_of(VELOCITY_POINTER)
momentum_at = caller_of(MOMENTUM_POINTER)
step_at = caller_of(STEP_POINTER)
leap_at = caller_of(LEAP_POINTER)


@uncounted
def evaluate(system: System, point: Matrix) -> float:
    """The log density at a point's position; its gradient is overwritten."""
    logdensity = logdensity_at(system.function)
    logp: float = logdensity(point[POSITION], point[GRADIENT], system.data)
    return logp


@uncounted
def kick(point: Matrix, time: float) -> None:
    """Let the gradient act on the momentum for some time."""
    for i in range(point.shape[1]):
        point[MOMENTUM, i] += time * point[GRADIENT, i]


@uncounted
def drift(system: System, point: Matrix, time: float) -> None:
    """Let a point move at the velocity of its momentum for some time; velocity and position are overwritten."""
    set_point_velocity(system, point)
    for i in range(point.shape[1]):
        point[POSITION, i] += time * point[VELOCITY, i]


@uncounted
def set_point_velocity(system: System, point: Matrix) -> None:
    """Overwrite a point's velocity with that of its momentum."""
    velocity = velocity_at(system.velocity)
    velocity(system.metric, point[MOMENTUM], point[VELOCITY])


@uncounted
def draw_point_momentum(system: System, rng: np.random.Generator, point: Matrix) -> None:
    """Overwrite a point's momentum with a fresh one, and its velocity with that of it."""
    momentum = momentum_at(system.momentum)
    momentum(system.metric, rng, point[MOMENTUM])
    set_point_velocity(system, point)


@uncounted
def integrate(system: System, point: Matrix, step_size: float) -> float:
    """Move a point by one step of the integrator, its velocity too; return the log density, possibly not finite."""
    step = step_at(system.step)
    logp: float = step(system, point, step_size)
    set_point_velocity(system, point)
    return logp


@uncounted
def energy_of(point: Matrix, logp: float) -> float:
    """Kinetic energy of a point minus its log density."""
    return kinetic_energy(point[MOMENTUM], point[VELOCITY]) - logp


@uncounted
def copy_point(source: Matrix, target: Matrix) -> None:
    """Overwrite a point with another."""
    for row in range(source.shape[0]):
        for i in range(source.shape[1]):
            target[row, i] = source[row, i]


__all__ = [
    "GENERATOR",
    "GRADIENT",
    "LEAP_POINTER",
    "METRIC",
    "MOMENTUM",
    "MOMENTUM_POINTER",
    "N_ROWS",
    "POSITION",
    "STEP_POINTER",
    "SYSTEM",
    "VELOCITY",
    "VELOCITY_POINTER",
    "WORKSPACE",
    "System",
    "Workspace",
    "copy_point",
    "draw_point_momentum",
    "drift",
    "energy_of",
    "evaluate",
    "integrate",
    "kick",
    "leap_at",
    "set_point_velocity",
]
