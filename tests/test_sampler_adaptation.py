"""Warm-up: dual averaging by hand, Stan's windows, estimated metrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampler_targets import correlated_normal, independent_normals

from nutslite.sampler import diagonal_metric, inverse_mass_matrix, sample
from nutslite.sampler.choices import METRIC_RULES
from nutslite.sampler.mass_matrix import Window, gradient_informed_variances, regularised
from nutslite.sampler.parts.stage import Stage
from nutslite.sampler.transition.metric import DENSE, DIAGONAL
from nutslite.sampler.transition.step_size import (
    LOG_AVERAGE,
    STEP_SIZE,
    new_adaptation,
    restart_adaptation,
    update_adaptation,
)
from nutslite.sampler.warmup import warmup_stages

PRECISION = np.array([[2.0, 0.9, 0.0], [0.9, 1.0, -0.3], [0.0, -0.3, 0.5]])


def test_dual_averaging_as_in_the_paper():
    """Hoffman and Gelman (2014), equation 6 and algorithm 5, line by line."""
    acceptances = np.random.default_rng(3).uniform(size=50)
    target, step_size, gamma, t0, kappa = 0.8, 0.25, 0.05, 10.0, 0.75
    state = new_adaptation(step_size)
    restart_adaptation(state)
    mu, error_bar, log_bar = math.log(10 * step_size), 0.0, 0.0
    for m, acceptance in enumerate(acceptances, start=1):
        update_adaptation(state, acceptance, target)
        error_bar = (1 - 1 / (m + t0)) * error_bar + (target - acceptance) / (m + t0)
        log_step = mu - math.sqrt(m) / gamma * error_bar
        log_bar = m**-kappa * log_step + (1 - m**-kappa) * log_bar
        assert state[STEP_SIZE] == pytest.approx(math.exp(log_step), rel=1e-12)
        assert state[LOG_AVERAGE] == pytest.approx(log_bar, rel=1e-12)


def test_dual_averaging_finds_the_step_size_for_a_known_acceptance_curve():
    state = new_adaptation(5.0)
    restart_adaptation(state)
    for _ in range(2000):
        update_adaptation(state, math.exp(-state[STEP_SIZE]), 0.8)
    assert math.exp(state[LOG_AVERAGE]) == pytest.approx(-math.log(0.8), rel=0.05)


def stan_window_ends(tune):
    """Ends of Stan's slow windows, from the state machine that its manual describes, transition by transition."""
    first, base, last = 75, 25, 50
    if first + base + last > tune:
        first, last = int(0.15 * tune), int(0.10 * tune)
        base = tune - first - last
    size, end, ends = base, first + base, []
    while end < tune - last:
        ends.append(end)
        size *= 2
        end += size
        if end + 2 * size > tune - last:
            end = tune - last
    return [*ends, end]


@given(tune=st.integers(20, 5000))
def test_windows_are_those_of_stan(tune):
    stages = warmup_stages(tune)
    ends = np.cumsum([stage.length for stage in stages])
    assert ends[-1] == tune
    assert [end for end, stage in zip(ends, stages, strict=True) if stage.learns_metric] == stan_window_ends(tune)
    assert not stages[0].learns_metric
    assert not stages[-1].learns_metric


def test_windows_for_a_thousand():
    stages = warmup_stages(1000)
    assert [stage.length for stage in stages] == [75, 25, 50, 100, 200, 500, 50]
    assert [stage.learns_metric for stage in stages] == [False, True, True, True, True, True, False]


@pytest.mark.parametrize("tune", [1, 5, 19])
def test_a_very_short_warmup_adapts_only_the_step_size(tune):
    assert warmup_stages(tune) == (Stage(tune, False),)
    assert warmup_stages(1000, adapt_metric=False) == (Stage(1000, False),)


def window_of(positions, gradients, cuts):
    window = Window()
    for block in np.split(np.arange(len(positions)), cuts):
        window.add(positions[block], gradients[block])
    return window


def test_metrics_estimated_from_a_window():
    rng = np.random.default_rng(5)
    covariance = np.array([[4.0, 1.2, 0.0], [1.2, 1.0, 0.1], [0.0, 0.1, 0.25]])
    n = 400
    positions = rng.multivariate_normal(np.zeros(3), covariance, size=n)
    gradients = -positions @ np.linalg.inv(covariance)
    window = window_of(positions, gradients, [3, 50, 51])
    shrink = n / (n + 5)
    dense = window.metric(METRIC_RULES["dense"])
    assert dense.kind == DENSE
    expected = shrink * np.cov(positions.T) + (1 - shrink) * 1e-3 * np.eye(3)
    np.testing.assert_allclose(inverse_mass_matrix(dense), expected, rtol=1e-9, atol=1e-12)
    diagonal = window.metric(METRIC_RULES["diag"])
    assert diagonal.kind == DIAGONAL
    np.testing.assert_allclose(diagonal.variances, np.diag(expected), rtol=1e-9)
    informed = window.metric(METRIC_RULES["diag_grad"]).variances
    ideal = np.sqrt(np.diag(covariance) / np.diag(np.linalg.inv(covariance)))
    np.testing.assert_allclose(informed, ideal, rtol=0.25)
    # how the window was cut into blocks leaves not a bit of difference
    np.testing.assert_array_equal(
        informed, window_of(positions, gradients, [200]).metric(METRIC_RULES["diag_grad"]).variances
    )


def test_gradient_informed_variances_are_exact_for_independent_normals_from_few_draws():
    rng = np.random.default_rng(0)
    variances = np.array([1e-4, 1.0, 1e4])
    positions = rng.normal(size=(8, 3)) * np.sqrt(variances)
    estimate = gradient_informed_variances(positions, -positions / variances)
    np.testing.assert_allclose(estimate, regularised(variances, 8), rtol=1e-9)


def test_windows_that_teach_nothing():
    assert Window().metric(METRIC_RULES["diag"]) is None
    constant = np.ones((10, 2))
    still = window_of(constant, 0.0 * constant, [4]).metric(METRIC_RULES["diag_grad"])  # a chain that never moved
    assert np.all(np.isfinite(still.variances))
    assert np.all(still.variances > 0)


def test_warmup_heeds_the_target_acceptance_rate():
    """The averaged step size is on the safe side of the target (a bias that every dual averaging of this kind has)."""
    data = (np.zeros(3), PRECISION)
    rates = []
    for target in (0.6, 0.8, 0.95):
        result = sample(
            correlated_normal, data, initial=np.zeros(3), chains=4, draws=500, target_accept=target, random_seed=4
        )
        rates.append(result.stats["acceptance_rate"].mean())
        assert target - 0.05 < rates[-1] < target + 0.23
    assert rates == sorted(rates)


@pytest.mark.parametrize("metric", ["diag", "diag_grad", "dense"])
def test_adapted_metrics_approach_the_posterior(metric):
    precision, covariance = PRECISION, np.linalg.inv(PRECISION)
    data = (np.zeros(3), precision)
    result = sample(correlated_normal, data, initial=np.zeros(3), chains=2, draws=10, random_seed=2, metric=metric)
    if metric == "diag_grad":
        ideal = np.diag(np.sqrt(np.diag(covariance) / np.diag(precision)))
    else:
        ideal = covariance if metric == "dense" else np.diag(np.diag(covariance))
    for found in result.metrics:
        np.testing.assert_allclose(inverse_mass_matrix(found), ideal, atol=0.35 * np.abs(ideal).max())


def test_a_given_metric_stays_and_only_the_step_size_adapts():
    given_metric = diagonal_metric([1.0, 4.0])
    result = sample(
        independent_normals,
        (np.array([1.0, 4.0]),),
        initial=np.zeros(2),
        metric=given_metric,
        tune=100,
        draws=50,
        chains=2,
        random_seed=1,
    )
    assert all(metric is given_metric for metric in result.metrics)
    assert len(set(result.step_sizes)) == 2
    assert np.all(result.step_sizes > 0.3)
