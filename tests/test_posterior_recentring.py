"""Coordinates of scales from a short run: another map to the same posterior, in which scales are about normal."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from small_models import small_model
from test_posterior_matrix import MODELS, UNCHECKED, densities, launched, log_jacobian

from nutslite.posterior.density.joint import compiled_joint
from nutslite.posterior.methods import nuts_start
from nutslite.posterior.methods.nuts_start import TUNE_AFTER_RECENTRING, first_state
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.pilot.recentring import _constrained, _least_skewed, _skewness, _unconstrained
from nutslite.posterior.record.transforms import BENT_LOG
from nutslite.posterior.targets.matrix_target import MatrixTarget

NAMES = ("nested", "crossed and correlated")


def moved(name, n=60):
    """A target in new coordinates, draws in them, and what the draws were before on their natural scale."""
    before = launched(name)
    coordinates = np.random.default_rng(3).normal(size=(n, before.dimension)) * 0.7 + 0.4
    natural = before.natural(coordinates[None], np.random.default_rng(0))
    target = MatrixTarget(before.assembled, before.structure)
    target.pilot, target.model, target.centring = before.pilot, before.model, before.centring
    target.move_to(before.model, before.centring)
    return target, target.recentre(coordinates), natural


@pytest.mark.parametrize("name", NAMES)
def test_draws_are_where_they_were(name):
    target, draws, before = moved(name)
    after = target.natural(draws[None], np.random.default_rng(0))
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_scales_and_correlations_have_mean_zero_and_covariance_one(name):
    target, draws, _ = moved(name)
    hyper = draws[:, target.centring.hyper]
    np.testing.assert_allclose(hyper.mean(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(np.cov(hyper, rowvar=False), np.eye(hyper.shape[1]), atol=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_the_density_is_the_joint_one_and_the_jacobian(name):
    target, draws, _ = moved(name)
    draws = np.ascontiguousarray(draws[:3])
    values, gradients = densities(target, draws)
    positions = target.joint_positions(draws)
    data = (target.reference, target.priors, target.loglik)
    joint = [compiled_joint()(position, np.empty_like(position), data) for position in positions]
    np.testing.assert_allclose(values, [j + log_jacobian(target, p) for j, p in zip(joint, positions, strict=True)])
    step = 1e-5 * np.eye(target.dimension)
    slopes = (densities(target, draws[:1] + step)[0] - densities(target, draws[:1] - step)[0]) / 2e-5
    np.testing.assert_allclose(gradients[0], slopes, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [0.05, 1.0, 20.0])
def test_a_scale_bends_where_its_draws_are_least_skewed(size):
    """Draws that a bend elsewhere makes normal are made so again, whatever their unit."""
    normal = np.random.default_rng(1).normal(-0.5, 0.7, size=4000)
    scales = _constrained(BENT_LOG, normal, 0.0, size)
    found = _least_skewed(scales, 0.0)
    assert abs(_skewness(_unconstrained(BENT_LOG, scales, 0.0, found))) < 0.15
    assert abs(_skewness(np.log(scales))) > 0.5  # there is something to bend
    assert found == pytest.approx(size, rel=0.5)


def test_chains_start_at_draws_with_the_centre_of_these():
    target = small_model(MODELS["nested"]).plan("joint", pilot="matrix").target()
    begun = first_state(target, target.launch(), Settings(chains=3), np.random.default_rng(1))
    assert begun.tune == TUNE_AFTER_RECENTRING
    assert begun.initial.shape == (3, target.dimension)
    assert begun.metric.center.shape == (target.dimension,)
    np.testing.assert_allclose(begun.metric.center[target.centring.hyper], 0.0, atol=1e-9)


def test_chains_that_did_not_move_teach_nothing(monkeypatch):
    target = small_model(MODELS["nested"]).plan("joint", pilot="matrix").target()
    launch = target.launch()
    stuck = SimpleNamespace(positions=np.zeros((4, 150, target.dimension)), interrupted=False)
    monkeypatch.setattr(nuts_start, "sample", lambda *_, **__: stuck)
    centring = target.centring
    begun = first_state(target, launch, Settings(chains=2), np.random.default_rng(1))
    assert target.centring is centring
    np.testing.assert_array_equal(begun.metric.center, 0.0)


def test_ctrl_c_in_the_run_before_ends_the_fit(monkeypatch):
    target = small_model(MODELS["nested"]).plan("joint", pilot="matrix").target()
    launch = target.launch()
    part = SimpleNamespace(positions=np.zeros((4, 3, target.dimension)), interrupted=True)
    monkeypatch.setattr(nuts_start, "sample", lambda *_, **__: part)
    with pytest.raises(KeyboardInterrupt):
        first_state(target, launch, Settings(chains=2), np.random.default_rng(1))


def test_own_starting_values_are_where_chains_start():
    target = small_model(MODELS["nested"]).plan("joint", pilot="matrix").target()
    launch = target.launch()
    usual = first_state(target, launch, Settings(chains=2, tune=50), np.random.default_rng(1))
    begun = first_state(target, launch, Settings(chains=2, start={"Intercept": 0.25}), np.random.default_rng(1))
    assert begun.tune != TUNE_AFTER_RECENTRING
    assert np.abs(begun.initial - usual.initial).max() > 0.0


def test_own_warmup_follows_the_run_before():
    """Which belongs to the launch, however long the warm-up is."""
    model = small_model(MODELS["nested"])
    target = model.plan("joint", pilot="matrix").target()
    begun = first_state(target, target.launch(), Settings(chains=2, tune=77), np.random.default_rng(1))
    assert begun.tune == 77
    assert np.abs(begun.metric.center).max() > 0.0


def test_the_run_before_uses_the_seed():
    model = small_model(MODELS["nested"])
    settings = {"draws": 20, "chains": 2, "pilot": "matrix", "plan": "joint", "progressbar": False, **UNCHECKED}
    one, other, third = (model.fit(random_seed=seed, **settings) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.posterior["Intercept"], other.posterior["Intercept"])
    assert np.abs(np.asarray(one.posterior["Intercept"]) - np.asarray(third.posterior["Intercept"])).max() > 0.0
