"""Trajectories that turn around a metric's centre: exact in its own normal, reversible, refused where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from part_systems import MEAN, NORMAL_DATA, banana
from sampler_targets import correlated_normal

from nutslite.exceptions import SamplingError, SettingError
from nutslite.sampler import centred_at, dense_metric, diagonal_metric, sample
from nutslite.sampler.catalogue.rotation import LONGEST_ANGLE, MOST_STEPS, SHORTEST_ANGLE

OWN = centred_at(dense_metric(np.linalg.inv(NORMAL_DATA[1])), MEAN)
SETTINGS = {"initial": np.zeros(3), "chains": 2, "random_seed": 1, "trajectory": "rotation"}


@pytest.mark.parametrize("step_size", [0.1, 3.0])
def test_its_own_normal_is_drawn_without_rejections(step_size):
    """Whatever the step; and draws are as good as independent: their angles' cosines are about zero on average."""
    drawn = sample(
        correlated_normal, NORMAL_DATA, metric=OWN, step_size=step_size, tune=0, draws=4000, cores=1, **SETTINGS
    )
    np.testing.assert_allclose(drawn.stats["acceptance_rate"], 1.0, atol=1e-8)
    steps = drawn.stats["n_steps"]
    least, most = np.ceil(SHORTEST_ANGLE / step_size), np.ceil(LONGEST_ANGLE / step_size)
    assert ((steps >= least) & (steps <= most)).all()
    z = (drawn.positions - MEAN) @ np.linalg.cholesky(NORMAL_DATA[1])
    after = (z[:, 1:] * z[:, :-1]).mean()
    angles = np.linspace(SHORTEST_ANGLE, LONGEST_ANGLE, 1001)
    assert abs(after - np.cos(angles).mean()) < 0.03
    np.testing.assert_allclose((z**2).mean(axis=(0, 1)), 1.0, atol=0.06)


def test_steps_shrink_where_the_normal_is_poor():
    """The acceptance is what was asked for, with more gradients."""
    poor = centred_at(diagonal_metric([4.0, 4.0, 4.0]), [1.0, 1.0, 1.0])
    rough, fine = (
        sample(banana, 0.0, metric=poor, target_accept=accept, draws=500, tune=500, **SETTINGS)
        for accept in (0.6, 0.95)
    )
    assert rough.stats["acceptance_rate"].mean() < 0.8 < 0.9 < fine.stats["acceptance_rate"].mean()
    assert rough.n_gradients.sum() < fine.n_gradients.sum()


def test_a_step_of_next_to_nothing_costs_no_more_than_the_longest_trajectory():
    drawn = sample(correlated_normal, NORMAL_DATA, metric=OWN, step_size=1e-12, tune=0, draws=3, **SETTINGS)
    assert (drawn.stats["n_steps"] == MOST_STEPS).all()


def test_a_density_that_ends_on_the_way_is_a_divergence():
    """The point stays where it was."""

    def half_normal(position, gradient, data):
        gradient[:] = -position
        return -0.5 * np.sum(position * position) if position[0] > 0.0 else -np.inf

    metric = centred_at(diagonal_metric([1.0]), [0.0])
    drawn = sample(
        half_normal, 0.0, **{**SETTINGS, "initial": [1.0]}, metric=metric, tune=0, step_size=1.0, draws=300, cores=1
    )
    diverging = drawn.stats["diverging"]
    assert 0.2 < diverging.mean() < 0.8
    assert (drawn.positions > 0.0).all()
    stayed = drawn.positions[:, 1:, 0] == drawn.positions[:, :-1, 0]
    assert stayed[diverging[:, 1:]].all()
    assert (drawn.stats["acceptance_rate"][diverging] == 0.0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"metric": diagonal_metric(np.ones(3))},
            "turns around the centre of a metric that stays: give metric=",
        ),
        ({}, "turns around the centre of a metric that stays"),
        ({"metric": OWN, "adapt_metric": True}, "without adapt_metric"),
        ({"metric": OWN, "integrator": "two_stage"}, "makes its own steps: leave integrator out"),
    ],
)
def test_what_does_not_go_with_it_is_refused(options, message):
    with pytest.raises(SettingError, match=message):
        sample(correlated_normal, NORMAL_DATA, **SETTINGS, **options)


def test_it_is_not_recorded():
    from nutslite.recording import Recorder

    with pytest.raises(SamplingError, match="the usual NUTS"):
        sample(correlated_normal, NORMAL_DATA, metric=OWN, recorder=Recorder(), **SETTINGS)
