"""Log densities that the sampler's tests draw from, and a textbook NUTS to compare trajectories with."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from nutslite._numba import kernel

CAPACITY = 256
"""Evaluations that a recording keeps; a trajectory of the tests makes 63."""


@kernel
def independent_normals(position, gradient, data):
    """data: (variances,)."""
    total = 0.0
    for i in range(position.shape[0]):
        gradient[i] = -position[i] / data[0][i]
        total += position[i] * gradient[i]
    return 0.5 * total


@kernel
def correlated_normal(position, gradient, data):
    """data: (mean, precision)."""
    mean, precision = data
    total = 0.0
    for i in range(position.shape[0]):
        gradient[i] = 0.0
        for j in range(position.shape[0]):
            gradient[i] -= precision[i, j] * (position[j] - mean[j])
        total += (position[i] - mean[i]) * gradient[i]
    return 0.5 * total


@kernel
def recording_normal(position, gradient, data):
    """A normal around 0 that writes down where it is evaluated. data: (precision, visited, counter)."""
    precision, visited, counter = data
    total = 0.0
    for i in range(position.shape[0]):
        visited[counter[0] % visited.shape[0], i] = position[i]
        gradient[i] = 0.0
        for j in range(position.shape[0]):
            gradient[i] -= precision[i, j] * position[j]
        total += position[i] * gradient[i]
    counter[0] += 1
    return 0.5 * total


@kernel
def light_funnel(position, gradient, data):
    """x[0] ~ N(0, 1), x[i] | x[0] ~ N(0, exp(x[0] / 2)): a funnel with a gentle slope. data is not used."""
    scale, n = position[0], position.shape[0] - 1
    precision = math.exp(-scale)
    squares = 0.0
    for i in range(1, n + 1):
        squares += position[i] * position[i]
        gradient[i] = -precision * position[i]
    gradient[0] = -scale - 0.5 * n + 0.5 * precision * squares
    return -0.5 * scale * scale - 0.5 * n * scale - 0.5 * precision * squares


@kernel
def half_line(position, gradient, data):
    """An exponential density on x > 0, nowhere else defined. data is not used."""
    gradient[0] = -1.0
    if position[0] <= 0.0:
        gradient[0] = math.nan
        return -math.inf
    return -position[0]


@kernel
def nowhere_finite(position, gradient, data):
    """A density whose second gradient coordinate is never a number."""
    for i in range(position.shape[0]):
        gradient[i] = 0.0
    gradient[1] = math.nan
    return 0.0


def new_recording(precision):
    """Data of `recording_normal`."""
    precision = np.ascontiguousarray(precision, dtype=np.float64)
    return precision, np.zeros((CAPACITY, precision.shape[0])), np.zeros(1, dtype=np.int64)


@dataclass
class RecursiveTree:
    """A subtree of the textbook algorithm: its leaves in the order in which they were integrated."""

    leaves: list = field(default_factory=list)  # (index, position, momentum, log weight)
    valid: bool = True


class RecursiveNuts:
    """The No-U-Turn sampler as papers write it: recursive, clear and slow.

    One trajectory with scripted directions; keeps every point it visits, and computes for each the probability of being
    selected instead of drawing one.
    """

    def __init__(self, precision, inverse_mass, step_size, max_treedepth):
        self.precision = np.asarray(precision)
        self.inverse_mass = np.asarray(inverse_mass)
        self.step_size = step_size
        self.max_treedepth = max_treedepth

    def run(self, position, momentum, directions):
        self.visited, self.diverged, self.depth = [], False, 0
        self.initial_energy = self.energy(position, momentum)
        self.ends = {-1: (0, position, momentum), 1: (0, position, momentum)}
        trajectory = [(0, position, momentum, 0.0)]  # in order of time
        self.probabilities = {0: 1.0}
        self.finished = True
        for depth in range(self.max_treedepth):
            direction = 1 if (directions >> depth) & 1 else -1
            new = self.build(direction, depth)
            if not new.valid:
                return self
            self.depth += 1
            self.select(trajectory, new.leaves)
            halves = (trajectory, new.leaves) if direction == 1 else (new.leaves[::-1], trajectory)
            trajectory = [*halves[0], *halves[1]]
            if self.joined_turns(*halves):
                return self
        self.finished = False
        return self

    def select(self, old, new):
        old_weight, new_weight = (np.logaddexp.reduce([leaf[3] for leaf in leaves]) for leaves in (old, new))
        accept = min(1.0, math.exp(min(0.0, new_weight - old_weight)))
        for index in self.probabilities:
            self.probabilities[index] *= 1.0 - accept
        for leaf in new:
            self.probabilities[leaf[0]] = accept * math.exp(leaf[3] - new_weight)

    def build(self, direction, depth):
        if depth == 0:
            return self.leaf(direction)
        first = self.build(direction, depth - 1)
        if not first.valid:
            return first
        second = self.build(direction, depth - 1)
        both = RecursiveTree([*first.leaves, *second.leaves], second.valid)
        if both.valid:
            both.valid = not self.joined_turns(first.leaves, second.leaves)
        return both

    def leaf(self, direction):
        index, position, momentum = self.ends[direction]
        step = direction * self.step_size
        momentum = momentum - 0.5 * step * self.precision @ position
        position = position + step * self.inverse_mass @ momentum
        momentum = momentum - 0.5 * step * self.precision @ position
        self.ends[direction] = (index + direction, position, momentum)
        self.visited.append(position)
        error = self.energy(position, momentum) - self.initial_energy
        self.diverged = not error <= 1000.0
        return RecursiveTree([(index + direction, position, momentum, -error)], not self.diverged)

    def joined_turns(self, first, second):
        return (
            self.turns(first + second, first[0], second[-1])
            or self.turns(first + second[:1], first[0], second[0])
            or self.turns(first[-1:] + second, first[-1], second[-1])
        )

    def turns(self, leaves, one_end, other_end):
        rho = sum(leaf[2] for leaf in leaves)
        along = [(self.inverse_mass @ end[2]) @ rho for end in (one_end, other_end)]
        return not min(along) > 0.0

    def energy(self, position, momentum):
        return 0.5 * position @ self.precision @ position + 0.5 * momentum @ self.inverse_mass @ momentum
