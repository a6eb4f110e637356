"""Integrators as replaceable parts: reversible, volume preserving, of the order that they claim."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from part_systems import BEND, NORMAL_DATA, banana, jacobian

from nutslite.exceptions import SettingError
from nutslite.sampler import diagonal_metric
from nutslite.sampler.catalogue.splitting import LEAPFROG, THREE_STAGE, TWO_STAGE, splitting
from nutslite.sampler.catalogue.trial import flow
from nutslite.sampler.choices import INTEGRATORS

POSITION, MOMENTUM = np.array([0.7, BEND, -0.4]), np.array([0.8, -0.5, 0.3])


METRIC = diagonal_metric([0.5, 1.0, 2.0])


def moved(integrator, position, momentum, step_size, n_steps):
    return flow(integrator, banana, NORMAL_DATA, position, momentum, step_size, n_steps, METRIC)


def energy_error(integrator, time=3.0, n_steps=40):
    """Greatest energy error on the way, at a given number of steps."""
    energies = moved(integrator, POSITION, MOMENTUM, time / n_steps, n_steps).energies
    return np.abs(energies - energies[0]).max()


@pytest.mark.parametrize("integrator", INTEGRATORS.values(), ids=lambda each: each.name)
class TestEveryIntegrator:
    def test_is_a_palindrome_that_moves_by_the_whole_step(self, integrator):
        shares = np.array(integrator.coefficients)
        np.testing.assert_array_equal(shares, shares[::-1])
        assert shares[::2].sum() == pytest.approx(1.0, abs=1e-14)
        assert shares[1::2].sum() == pytest.approx(1.0, abs=1e-14)
        assert integrator.gradients == shares[1::2].size

    def test_leads_back(self, integrator):
        position, momentum, _ = moved(integrator, POSITION, MOMENTUM, 0.2, 15)
        assert np.linalg.norm(position - POSITION) > 0.5
        back, momentum_back, _ = moved(integrator, position, momentum, -0.2, 15)
        np.testing.assert_allclose(back, POSITION, atol=1e-10)
        np.testing.assert_allclose(momentum_back, MOMENTUM, atol=1e-10)

    def test_keeps_volumes(self, integrator):
        matrix = jacobian(lambda q, p: moved(integrator, q, p, 0.3, 4), POSITION, MOMENTUM)
        assert np.abs(matrix - np.eye(6)).max() > 0.3
        assert np.linalg.det(matrix) == pytest.approx(1.0, abs=1e-6)

    def test_has_the_order_that_it_says(self, integrator):
        coarse, fine = (energy_error(integrator, n_steps=n) for n in (60, 120))
        assert np.log2(coarse / fine) == pytest.approx(integrator.order, abs=0.15)


def test_an_asymmetric_splitting_is_seen():
    """The tests above can fail: this one has order one, and does not lead back."""
    lame = dataclasses.replace(LEAPFROG, name="lame", coefficients=(0.9, 1.0, 0.1))
    assert np.log2(energy_error(lame, n_steps=60) / energy_error(lame, n_steps=120)) < 1.3
    position, momentum, _ = moved(lame, POSITION, MOMENTUM, 0.2, 15)
    assert np.abs(moved(lame, position, momentum, -0.2, 15).position - POSITION).max() > 1e-3


@pytest.mark.parametrize("integrator", [TWO_STAGE, THREE_STAGE], ids=lambda each: each.name)
def test_minimum_error_integrators_beat_the_leapfrog_at_equal_cost(integrator):
    """Steps as long as HMC takes them: the number of gradients is what counts."""
    gradients = 24
    leapfrog = energy_error(LEAPFROG, n_steps=gradients)
    assert energy_error(integrator, n_steps=gradients // integrator.gradients) < 0.5 * leapfrog


def expected_error(kick, drift, step_size):
    """Blanes, Casas and Sanz-Serna 2014, section 4.2: the mean energy error in a standard normal of one dimension."""
    shares = splitting("trial", (kick, drift, 0.5 - kick, 1.0 - 2.0 * drift), order=2, source="").coefficients
    matrix = np.eye(2)
    for stage, share in enumerate(shares):
        shear = [[1.0, 0.0], [-share * step_size, 1.0]] if stage % 2 == 0 else [[1.0, share * step_size], [0.0, 1.0]]
        matrix = np.array(shear) @ matrix
    across, along = matrix[0, 1], matrix[1, 0]
    half = 0.5 * np.trace(matrix)
    return 0.5 * (across + along) ** 2 / (1.0 - half**2)


def test_three_stages_have_the_least_error_of_their_family():
    """The coefficients are those of the paper's equation 6.7: no neighbour is better for all steps up to 3."""
    kick, drift = THREE_STAGE.coefficients[:2]
    steps = np.linspace(0.3, 3.0, 60)

    def worst(shift_kick, shift_drift):
        return max(expected_error(kick + shift_kick, drift + shift_drift, step) for step in steps)

    best = worst(0.0, 0.0)
    assert best < 1e-4
    for angle in np.linspace(0.0, 2.0 * np.pi, 8, endpoint=False):
        assert worst(0.002 * np.cos(angle), 0.002 * np.sin(angle)) > best


def test_a_splitting_is_made_of_half_its_palindrome():
    made = splitting("yoshida", (0.6, 1.2, -0.1, -1.4), order=4, source="")
    assert made.coefficients == (0.6, 1.2, -0.1, -1.4, -0.1, 1.2, 0.6)
    assert made.gradients == 3


@pytest.mark.parametrize("momentum", [np.zeros(2), np.zeros((1, 3)), 1.0])
def test_what_is_no_point_is_refused(momentum):
    with pytest.raises(SettingError, match="must be vectors as long as the metric"):
        flow(LEAPFROG, banana, NORMAL_DATA, POSITION, momentum, 0.1)
