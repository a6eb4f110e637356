"""WALNUTS is exactly reversible: leaps lead back, a textbook is in detailed balance, and ours is the textbook."""

from __future__ import annotations

import math

import numpy as np
import pytest
from part_systems import NORMAL_DATA, Dynamics, jacobian
from sampler_targets import RecursiveNuts, RecursiveTree, light_funnel
from test_sampler_balance import ChoosingNuts

from nutslite.exceptions import SettingError
from nutslite.results.diagnostics.diagnostics import ess_mean
from nutslite.sampler import diagonal_metric, sample, walnuts
from nutslite.sampler.parts.leap import IRREVERSIBLE
from nutslite.sampler.sample import seed_sequence
from nutslite.sampler.transition.trajectory import DIVERGED, GOES_ON

STEP, MAX_ERROR, MAX_HALVINGS, DEPTH = 1.1, 0.2, 6, 3
RULE = walnuts(MAX_ERROR, max_halvings=MAX_HALVINGS)
VARIANCES = np.array([1.0, 0.8, 1.3])


def density(position):
    gradient = np.zeros_like(position)
    return getattr(light_funnel, "py_func", light_funnel)(position, gradient, None), gradient


def step(position, momentum, size):
    """A leapfrog."""
    momentum = momentum + 0.5 * size * density(position)[1]
    position = position + size * VARIANCES * momentum
    return position, momentum + 0.5 * size * density(position)[1]


class LeapingNuts(RecursiveNuts):
    """The textbook's recursion, from leap to leap as the paper's definitions have them."""

    looks_back = True

    def __init__(self):
        super().__init__(np.eye(3), np.diag(VARIANCES), STEP, DEPTH)

    def energy(self, position, momentum):
        return 0.5 * momentum @ (VARIANCES * momentum) - density(position)[0]

    def path(self, position, momentum, time, halvings):
        """Where so many halvings lead, and whether the energies on the way are close enough."""
        energies = [self.energy(position, momentum)]
        for _ in range(2**halvings):
            position, momentum = step(position, momentum, time / 2**halvings)
            energies.append(self.energy(position, momentum))
        return position, momentum, max(energies) - min(energies) <= MAX_ERROR

    def halvings(self, position, momentum, time):
        """The fewest that are good enough; None where none are."""
        return next((n for n in range(MAX_HALVINGS + 1) if self.path(position, momentum, time, n)[2]), None)

    def leap(self, position, momentum, time):
        """Where a leap leads; None where there is none."""
        forth = self.halvings(position, momentum, time)
        if forth is None:
            return None
        new_position, new_momentum, _ = self.path(position, momentum, time, forth)
        if self.looks_back and any(self.path(new_position, new_momentum, -time, fewer)[2] for fewer in range(forth)):
            return None
        return new_position, new_momentum

    def leaf(self, direction):
        index, position, momentum = self.ends[direction]
        landed = self.leap(position, momentum, direction * self.step_size)
        if landed is None:
            return RecursiveTree([], False)
        position, momentum = landed
        self.ends[direction] = (index + direction, position, momentum)
        self.visited.append((index + direction, position))
        error = self.energy(position, momentum) - self.initial_energy
        return RecursiveTree([(index + direction, position, momentum, -error)], True)


def imbalance(textbook, seed, reach=9):
    """Greatest relative violation of weight(i) P(i -> j) = weight(j) P(j -> i) on an orbit; how many were compared."""
    rng = np.random.default_rng(seed)
    position, momentum = rng.normal(size=3) * [1.0, 0.5, 0.5] - [1.0, 0.0, 0.0], rng.normal(size=3) / np.sqrt(VARIANCES)
    points = {0: (position, momentum)}
    for direction in (1, -1):
        point = points[0]
        for index in range(1, reach + 1):
            point = textbook().leap(*point, direction * STEP)
            if point is None:
                break
            points[direction * index] = point
    chances = {}
    for start, point in points.items():
        for directions in range(2**DEPTH):
            for offset, chance in textbook().run(*point, directions).probabilities.items():
                chances[start, start + offset] = chances.get((start, start + offset), 0.0) + chance / 2**DEPTH
    energy = {index: textbook().energy(*point) for index, point in points.items()}
    worst, compared = 0.0, 0
    for (i, j), forth in chances.items():
        if i == j or j not in points or forth == 0.0:
            continue
        back = math.exp(energy[i] - energy[j]) * chances.get((j, i), 0.0)
        worst = max(worst, abs(forth - back) / max(forth, back))
        compared += 1
    return worst, compared


def test_the_textbook_is_in_detailed_balance():
    found = [imbalance(LeapingNuts, seed) for seed in (0, 1, 3)]
    assert max(worst for worst, _ in found) < 1e-8
    assert sum(compared for _, compared in found) > 100


def test_without_the_look_back_it_is_not():
    class Careless(LeapingNuts):
        looks_back = False

    assert max(imbalance(Careless, seed)[0] for seed in (0, 1)) > 0.01


class ChoosingWalnuts(ChoosingNuts, LeapingNuts):
    """The textbook with random numbers: a chain of its own."""

    def __init__(self, rng):
        LeapingNuts.__init__(self)
        self.rng = rng

    def draw(self, position):
        momentum = np.array([self.rng.standard_normal() for _ in VARIANCES]) / np.sqrt(VARIANCES)
        directions = int(self.rng.random() * (1 << DEPTH))
        chosen = self.run(position, momentum, directions).chosen
        return dict([(0, position), *self.visited])[chosen], chosen


def test_our_chain_is_the_textbooks():
    """The same random numbers lead to the same draws, through funnels, halvings and leaps that do not lead back."""
    options = {
        "metric": diagonal_metric(VARIANCES),
        "tune": 0,
        "step_size": STEP,
        "max_treedepth": DEPTH,
        "jitter": 0.0,
    }
    start = np.array([-0.5, 0.3, -0.2])
    ours = sample(
        light_funnel, NORMAL_DATA, initial=start, trajectory=RULE, draws=100, chains=1, random_seed=4, **options
    )
    rng = np.random.Generator(np.random.PCG64(seed_sequence(4).spawn(1)[0]))
    textbook, position = ChoosingWalnuts(rng), start
    for number in range(100):
        position, chosen = textbook.draw(position)
        np.testing.assert_allclose(ours.positions[0, number], position, rtol=1e-7, atol=1e-9)
        assert ours.stats["index_in_trajectory"][0, number] == chosen
    assert not np.array_equal(ours.positions[0, 0], ours.positions[0, -1])
    assert ours.stats["n_steps"].max() > 3 * 2**DEPTH  # gradients of halvings and of looks back are counted


@pytest.fixture(scope="module")
def leaps():
    """Leaps from points of a funnel, and back."""
    dynamics = Dynamics(light_funnel, trajectory=RULE, metric=diagonal_metric(VARIANCES))
    rng, found = np.random.default_rng(1), []
    for _ in range(300):
        neck = rng.normal() - 1.0
        position = np.array([neck, *np.exp(0.5 * neck) * rng.normal(size=2)])
        momentum = rng.normal(size=3) / np.sqrt(VARIANCES)
        found.append((position, momentum, *dynamics.leap(position, momentum, STEP)))
    return dynamics, found


def test_leaps_lead_back(leaps):
    dynamics, found = leaps
    outcomes = [leap[4] for leap in found]
    assert min(outcomes.count(GOES_ON), outcomes.count(IRREVERSIBLE)) >= 10
    halved = 0
    for position, momentum, new_position, new_momentum, outcome, gradients in found:
        if outcome == GOES_ON:
            back, momentum_back, there, _ = dynamics.leap(new_position, new_momentum, -STEP)
            assert there == GOES_ON
            np.testing.assert_allclose(np.concatenate([back, momentum_back]), [*position, *momentum], atol=1e-8)
            halved += gradients > 1
    assert halved > 20


def test_leaps_keep_volumes(leaps):
    """Where a small change of the start does not change the number of steps."""
    dynamics, found = leaps
    determinants = []
    for position, momentum, _, _, outcome, gradients in found[:60]:
        if outcome == GOES_ON and gradients > 1:
            moved = jacobian(lambda q, p: dynamics.leap(q, p, STEP), position, momentum, width=1e-6)
            determinants.append(np.linalg.det(moved))
    assert len(determinants) > 8
    assert np.median(np.abs(np.array(determinants) - 1.0)) < 1e-6


def test_where_no_step_keeps_the_energy_it_diverges():
    stiff = Dynamics(light_funnel, trajectory=walnuts(1e-12, max_halvings=1), metric=diagonal_metric(VARIANCES))
    position, momentum = np.array([-2.0, 0.3, 0.2]), np.ones(3)
    at, _, outcome, gradients = stiff.leap(position, momentum, STEP)
    assert outcome == DIVERGED
    np.testing.assert_array_equal(at, position)
    assert gradients >= 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"max_error": 0.0}, "max_error must be a positive number, not 0.0"),
        ({"max_error": math.nan}, "max_error"),
        ({"max_error": "small"}, "max_error"),
        ({"max_halvings": -1}, "max_halvings must be an integer from 0 to 30, not -1"),
        ({"max_halvings": 2.5}, "max_halvings"),
    ],
)
def test_impossible_settings_are_refused(arguments, words):
    with pytest.raises(SettingError, match=words):
        walnuts(**arguments)


@pytest.mark.slow
def test_a_deep_funnel_is_drawn_right():
    """Neal's funnel, whose neck NUTS with one step size does not reach: mean, spread and both tails of x[0]."""
    from known_targets import funnel
    from scipy import stats

    draws = sample(
        funnel,
        0.0,
        initial=np.zeros(6),
        trajectory=walnuts(0.3),
        draws=6000,
        tune=1000,
        chains=4,
        target_accept=0.8,
        random_seed=2,
    )
    neck = draws.positions[..., 0] / 3.0
    for values, expected in (
        (neck, 0.0),
        (neck**2, 1.0),
        (1.0 * (neck < stats.norm.ppf(0.05)), 0.05),
        (1.0 * (neck > stats.norm.ppf(0.95)), 0.05),
    ):
        error = values.std() / math.sqrt(ess_mean(values))
        assert abs(values.mean() - expected) < 4.5 * error
        assert error < 0.1 * max(expected, 1.0)
