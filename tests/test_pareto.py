"""Pareto-smoothed importance sampling: known tails, ArviZ's numbers, weights that are no sample of anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

from nutslite._pareto import largest_shape, pareto_fit, smoothed
from nutslite.posterior.methods.approximation import Weighted, smoothed_by_tail


def arviz_smoothed(log_weights, relative_efficiency=1.0):
    try:
        from arviz_stats.base import array_stats
    except ImportError:
        import arviz

        return arviz.psislw(log_weights, reff=relative_efficiency)
    smooth, shape = array_stats.psislw(-log_weights, r_eff=relative_efficiency)
    return smooth, float(shape)


# Sizes of whole tails: ArviZ rounds others up before 1.0, as the authors of the paper do, and down since.
@pytest.mark.parametrize("n", [30, 100, 1600, 6400])
@pytest.mark.parametrize("efficiency", [1.0, 0.64])
@pytest.mark.parametrize("tail", ["normal", "exponential", "heavy", "with zeros"])
def test_agreement_with_arviz(n, efficiency, tail):
    rng = np.random.default_rng(n)
    log_weights = {
        "normal": lambda: rng.normal(size=n),
        "exponential": lambda: rng.exponential(size=n),
        "heavy": lambda: 3.0 * rng.standard_t(4, size=n),
        "with zeros": lambda: np.where(rng.random(n) < 0.3, -1e9, rng.normal(size=n)),
    }[tail]()
    wanted, wanted_shape = arviz_smoothed(log_weights.copy(), efficiency)
    found, shape = smoothed(log_weights, efficiency)
    assert shape == pytest.approx(wanted_shape, abs=1e-8)
    np.testing.assert_allclose(np.exp(found), np.exp(wanted), atol=1e-12, rtol=1e-8)


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.3, 0.7, 1.2])
def test_the_shape_of_known_tails(shape):
    """Weights of a generalised Pareto distribution have its tail beyond every cutoff."""
    weights = stats.genpareto(shape, scale=2.0).rvs(100_000, random_state=1)
    assert smoothed(np.log(weights))[1] == pytest.approx(shape, abs=0.1)


def test_the_fit_finds_shape_and_scale():
    exceedances = np.sort(stats.genpareto(0.4, scale=3.0).rvs(20_000, random_state=2))
    shape, scale = pareto_fit(exceedances)
    assert shape == pytest.approx(0.4, abs=0.03)
    assert scale == pytest.approx(3.0, rel=0.03)


def test_an_importance_sample_is_mended():
    """A t distribution's mean square from normal draws: nearer with smoothed weights, over many repetitions."""
    target, errors = stats.t(5), []
    for seed in range(200):
        draws = np.random.default_rng(seed).normal(size=400)
        log_weights = target.logpdf(draws) - stats.norm.logpdf(draws)
        raw = np.exp(log_weights - log_weights.max())
        smooth = np.exp(smoothed(log_weights)[0])
        errors.append([np.sum(raw / raw.sum() * draws**2) - 5 / 3, np.sum(smooth * draws**2) - 5 / 3])
    raw_error, smooth_error = np.sqrt(np.mean(np.square(errors), axis=0))
    assert smooth_error < raw_error


def test_weights_add_up_and_keep_their_order():
    log_weights = np.random.default_rng(3).standard_t(3, size=500)
    found, _ = smoothed(log_weights)
    assert np.exp(found).sum() == pytest.approx(1.0)
    order = np.argsort(log_weights)
    assert (np.diff(found[order]) >= 0.0).all()


def test_what_is_given_stays():
    log_weights = np.random.default_rng(3).normal(size=50)
    before = log_weights.copy()
    smoothed(log_weights)
    np.testing.assert_array_equal(log_weights, before)


def test_equal_weights_have_no_tail():
    found, shape = smoothed(5.0 + 1e-13 * np.random.default_rng(0).normal(size=100))
    assert shape == -np.inf
    np.testing.assert_allclose(found, -np.log(100))


@pytest.mark.parametrize("kept", [1, 3])
def test_hardly_any_weight(kept):
    log_weights = np.full(200, -np.inf)
    log_weights[:kept] = np.arange(kept)
    found, shape = smoothed(log_weights)
    assert shape == np.inf
    assert np.exp(found).sum() == pytest.approx(1.0)
    assert np.isneginf(found[kept:]).all()


def test_how_heavy_a_tail_may_be_depends_on_the_draws():
    assert largest_shape(100) == pytest.approx(0.5)
    assert largest_shape(10_000) == 0.7
    assert largest_shape(1) < largest_shape(50) < largest_shape(1000)


def test_a_nearly_perfect_approximation_is_not_taken_for_a_bad_one():
    """log of a gamma variable, from normals with its moments: all weights are nearly equal, the largest a flat top."""
    a, n, limit = 400.0, 4000, 0.7
    mean, sd = special.digamma(a) - np.log(a), np.sqrt(special.polygamma(1, a))
    shapes = []
    for seed in range(10):
        z = np.random.default_rng(seed).normal(size=n)
        x = mean + sd * z
        log_weights = a * (x - np.expm1(x)) + 0.5 * z**2
        shapes.append(smoothed_by_tail(log_weights, limit)[1])
        assert smoothed(log_weights)[1] > 1.0
    assert max(shapes) < limit


def test_a_tail_that_is_too_heavy_is_not_looked_for_elsewhere():
    z = np.random.default_rng(1).normal(size=(16_000, 3))
    log_weights = 0.5 * np.sum(z**2, axis=1) * (1 - 1 / 2.2**2)
    weights, shape = smoothed_by_tail(log_weights, 0.7)
    assert shape == smoothed(log_weights)[1] > 0.7
    np.testing.assert_array_equal(weights, smoothed(log_weights)[0])


def test_weights_tell_how_far_plain_draws_are_off():
    """Draws of N(0, I), half of them the approximation's own, for N((0.4, 0), I)."""
    rng = np.random.default_rng(5)
    z, d = rng.normal(size=(40_000, 2)), 0.4
    lp, log_q = -0.5 * (z[:, 0] - d) ** 2 - 0.5 * z[:, 1] ** 2, -0.5 * np.sum(z**2, axis=1)
    log_weights, khat = smoothed(lp - log_q)
    found = Weighted(z * [3.0, 1.0], np.arange(40_000) < 20_000, lp, log_q, log_q, log_weights, khat, 0.7, 0.0, 1e4)
    assert found.good
    assert found.effective == pytest.approx(40_000 * np.exp(-(d**2)), rel=0.05)
    assert not replace(found, enough=39_000.0).good
    assert found.mean_shift == pytest.approx(d, abs=0.03)
