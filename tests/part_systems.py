"""Parts of the sampler by themselves: systems to integrate, loops over them, densities of one type of data."""

from __future__ import annotations

import dataclasses

import numpy as np
from sampler_targets import correlated_normal, light_funnel

from nutslite._numba import kernel
from nutslite.sampler import diagonal_metric
from nutslite.sampler.catalogue.assembly import BlockOfParts, compiled_parts, kind_of
from nutslite.sampler.catalogue.doubling import NUTS
from nutslite.sampler.catalogue.splitting import LEAPFROG
from nutslite.sampler.parts.step_size_rule import DUAL_AVERAGING
from nutslite.sampler.parts.system import WORKSPACE, energy_of, evaluate, leap_at, set_point_velocity
from nutslite.sampler.transition.hamiltonian import MOMENTUM, POSITION
from nutslite.sampler.transition.handle import handle_of
from nutslite.sampler.transition.logdensity import compiled_logdensity, data_type_of
from nutslite.sampler.transition.reference import refer
from nutslite.sampler.transition.trajectory import ENERGY, FORWARD, INDEX, INITIAL_ENERGY, LOGP, N_STEPS, new_workspace

COVARIANCE = np.array([[1.0, 0.8, 0.0], [0.8, 1.0, 0.3], [0.0, 0.3, 2.0]])
MEAN = np.array([0.5, -1.0, 2.0])
NORMAL_DATA = (MEAN, np.linalg.inv(COVARIANCE))
TWIN = dataclasses.replace(LEAPFROG, name="leapfrog by address")
"""The leapfrog as a replaced part: all else the same, so are the draws."""

BEND, WIDTH = 0.7, 0.5


@kernel
def banana(position, gradient, data):
    """x[0] ~ N(0, 1), x[1] | x[0] ~ N(BEND x[0]**2, WIDTH), the rest standard normal; data are not used."""
    rest = (position[1] - BEND * position[0] * position[0]) / (WIDTH * WIDTH)
    gradient[0] = -position[0] + 2.0 * BEND * position[0] * rest
    gradient[1] = -rest
    total = -0.5 * position[0] * position[0] - 0.5 * rest * rest * WIDTH * WIDTH
    for i in range(2, position.shape[0]):
        gradient[i] = -position[i]
        total -= 0.5 * position[i] * position[i]
    return total


def normal_parts(x):
    """Independent standard normals from draws of the correlated one."""
    return (x - MEAN) @ np.linalg.inv(np.linalg.cholesky(COVARIANCE)).T


def banana_parts(x):
    """The same for the banana."""
    return np.stack([x[..., 0], (x[..., 1] - BEND * x[..., 0] ** 2) / WIDTH, x[..., 2]], axis=-1)


TARGETS = {"normal": (correlated_normal, normal_parts), "banana": (banana, banana_parts)}


@kernel
def leap_from(system, workspace, end, step_size):
    """One leap of the trajectory rule from the point `end`, whose position and momentum are given."""
    point, values = workspace.points[end], workspace.values
    logp = evaluate(system, point)
    set_point_velocity(system, point)
    values[end, LOGP] = logp
    values[end, ENERGY] = energy_of(point, logp)
    values[end, INDEX] = 0.0
    workspace.tally[INITIAL_ENERGY] = values[end, ENERGY]
    workspace.tally[N_STEPS] = 0.0
    leap = leap_at(system.leap)
    return leap(system, workspace, end, step_size)


class Dynamics:
    """Parts over a density, to be called from Python."""

    def __init__(self, density, data=NORMAL_DATA, *, integrator=TWIN, trajectory=NUTS, metric=None, dimension=3):
        metric = diagonal_metric(np.linspace(0.5, 2.0, dimension)) if metric is None else metric
        data_type = data_type_of(data)
        self.handle = handle_of(compiled_logdensity(density, data_type), data, data_type)
        parts = compiled_parts(integrator, trajectory, DUAL_AVERAGING, (kind_of(metric, None),))
        self.system = BlockOfParts(parts, dimension).system(self.handle.function, self.handle.data, metric)
        self.dimension = dimension

    def leap(self, position, momentum, step_size):
        """Position, momentum and outcome of one leap, and the gradients that it took."""
        workspace = new_workspace(self.dimension, 1)
        point = workspace.points[FORWARD]
        point[POSITION], point[MOMENTUM] = position, momentum
        outcome = leap_from(self.system, refer(workspace, WORKSPACE), FORWARD, step_size)
        return point[POSITION].copy(), point[MOMENTUM].copy(), outcome, int(workspace.tally[N_STEPS])


def jacobian(move, position, momentum, width=1e-5):
    """Derivatives of (position, momentum) after a move by those before, by central differences."""
    start, n = np.concatenate([position, momentum]), position.size
    columns = []
    for i in range(2 * n):
        shift = np.zeros(2 * n)
        shift[i] = width
        ends = [np.concatenate(move((start + sign * shift)[:n], (start + sign * shift)[n:])[:2]) for sign in (1, -1)]
        columns.append((ends[0] - ends[1]) / (2.0 * width))
    return np.array(columns).T


__all__ = ["Dynamics", "banana", "correlated_normal", "jacobian", "light_funnel"]
