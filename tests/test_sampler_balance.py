"""Why trajectories leave the density as it is: the textbook is in detailed balance, and ours makes the same choices.

The textbook's probabilities (`sampler_targets.RecursiveNuts`) are exact numbers, so that its balance can be checked
without drawing. The package's trajectory is then the textbook's with the same random numbers, draw for draw.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from sampler_targets import RecursiveNuts, new_recording, recording_normal
from test_sampler_trajectory import MAX_TREEDEPTH, METRICS, compiled_repeat

from nutslite.sampler import inverse_mass_matrix
from nutslite.sampler.transition.hamiltonian import MOMENTUM, POSITION, VELOCITY
from nutslite.sampler.transition.logdensity import compiled_logdensity, data_type_of
from nutslite.sampler.transition.trajectory import new_workspace


class Orbit:
    """Points of one leapfrog orbit by index, as far as trajectories of so many doublings may reach."""

    def __init__(self, precision, inverse_mass, step_size, depth, seed):
        rng = np.random.default_rng(seed)
        n = precision.shape[0]
        position = rng.multivariate_normal(np.zeros(n), np.linalg.inv(precision))
        momentum = rng.multivariate_normal(np.zeros(n), np.linalg.inv(inverse_mass))
        self.nuts = lambda: RecursiveNuts(precision, inverse_mass, step_size, depth)
        self.points = {0: (position, momentum)}
        reach = 2 * 2**depth
        for direction in (1, -1):
            q, p = position, momentum
            for index in range(direction, direction * (reach + 1), direction):
                p = p - 0.5 * direction * step_size * precision @ q
                q = q + direction * step_size * inverse_mass @ p
                p = p - 0.5 * direction * step_size * precision @ q
                self.points[index] = (q, p)

    def log_weight(self, index):
        q, p = self.points[index]
        return -self.nuts().energy(q, p)

    def transitions(self, start, depth):
        """Probability of every point of the orbit, all directions being equally likely."""
        out = {}
        for directions in range(2**depth):
            run = self.nuts().run(*self.points[start], directions)
            for offset, probability in run.probabilities.items():
                out[start + offset] = out.get(start + offset, 0.0) + probability / 2**depth
        return out


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("step_size", [0.15, 0.5, 0.8])
def test_the_textbook_is_in_detailed_balance(name, step_size):
    """weight(i) P(i -> j) = weight(j) P(j -> i) along an orbit, whatever turns and directions do."""
    depth, (precision, metric) = 4, METRICS[name]
    orbit = Orbit(precision, inverse_mass_matrix(metric), step_size, depth, seed=3)
    chance = {start: orbit.transitions(start, depth) for start in range(-12, 13)}
    compared = 0
    for i, row in chance.items():
        assert sum(row.values()) == pytest.approx(1.0, abs=1e-12)
        for j, forth in row.items():
            if j not in chance or j == i:
                continue
            back = chance[j].get(i, 0.0)
            ratio = math.exp(orbit.log_weight(j) - orbit.log_weight(i))
            assert forth == pytest.approx(ratio * back, rel=1e-9, abs=1e-15)
            compared += forth > 0
    assert compared > 40


def test_a_greedy_choice_is_not_balanced():
    """The test above can fail: a choice that always prefers the new half is not balanced."""

    class Greedy(RecursiveNuts):
        def select(self, old, new):
            new_weight = np.logaddexp.reduce([leaf[3] for leaf in new])
            self.probabilities = {leaf[0]: math.exp(leaf[3] - new_weight) for leaf in new}

    precision, metric = METRICS["stretched"]
    inverse_mass = inverse_mass_matrix(metric)
    orbit = Orbit(precision, inverse_mass, 0.5, 4, seed=3)
    orbit.nuts = lambda: Greedy(precision, inverse_mass, 0.5, 4)
    chance = {start: orbit.transitions(start, 4) for start in range(-12, 13)}
    errors = [
        abs(forth - math.exp(orbit.log_weight(j) - orbit.log_weight(i)) * chance[j].get(i, 0.0))
        for i, row in chance.items()
        for j, forth in row.items()
        if j in chance
    ]
    assert max(errors) > 1e-3


class ChoosingNuts(RecursiveNuts):
    """The textbook with random numbers: leaves by reservoir as they come, a new half against the old one."""

    def __init__(self, *arguments, rng):
        super().__init__(*arguments)
        self.rng = rng

    def run(self, position, momentum, directions):
        self.chosen, self.candidate, self.halves = 0, 0, 0
        self.pool = []
        return super().run(position, momentum, directions)

    def build(self, direction, depth):
        if depth == self.halves:  # the whole new half, not a part of it
            self.pool, self.halves = [], self.halves + 1
        return super().build(direction, depth)

    def leaf(self, direction):
        tree = super().leaf(direction)
        if not tree.valid:
            return tree
        ((index, _, _, log_weight),) = tree.leaves
        self.pool.append(log_weight)
        total = np.logaddexp.reduce(self.pool)
        if len(self.pool) == 1 or self.rng.random() < math.exp(log_weight - total):
            self.candidate = index
        return tree

    def select(self, old, new):
        super().select(old, new)
        old_weight, new_weight = (np.logaddexp.reduce([leaf[3] for leaf in leaves]) for leaves in (old, new))
        if new_weight >= old_weight or self.rng.random() < math.exp(new_weight - old_weight):
            self.chosen = self.candidate


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("step_size", [0.1, 0.4, 0.9])
def test_the_same_random_numbers_choose_the_same_points(name, step_size):
    precision, metric = METRICS[name]
    inverse_mass = inverse_mass_matrix(metric)
    data = new_recording(precision)
    data_type = data_type_of(data)
    n, chosen = precision.shape[0], set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        position, momentum = rng.normal(size=n), rng.normal(size=n)
        directions = int(rng.integers(0, 2**MAX_TREEDEPTH))
        start = np.zeros((4, n))
        start[POSITION], start[MOMENTUM], start[VELOCITY] = position, momentum, inverse_mass @ momentum
        ours, textbooks = np.random.default_rng(seed + 1000), np.random.default_rng(seed + 1000)
        indices = np.zeros(8)
        compiled_repeat(data_type)(
            compiled_logdensity(recording_normal, data_type),
            data,
            ours,
            metric,
            new_workspace(n, MAX_TREEDEPTH),
            start,
            step_size,
            directions,
            indices,
        )
        textbook = ChoosingNuts(precision, inverse_mass, step_size, MAX_TREEDEPTH, rng=textbooks)
        expected = [textbook.run(position, momentum, directions).chosen for _ in indices]
        np.testing.assert_array_equal(indices, expected)
        assert ours.random() == textbooks.random()  # as many random numbers were used
        chosen |= set(expected)
    assert len(chosen) > 5
