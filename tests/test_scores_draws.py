"""Scores of draws against brute force over all pairs, and the identities between estimators."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nutslite import scores
from nutslite.exceptions import NutsliteWarning
from nutslite.scores import Prediction

RNG = np.random.default_rng(7)
Y = RNG.normal(3.0, 2.0, 5)
X = RNG.normal(3.0, 2.0, (31, 5)).round(1)  # with ties
WEIGHTS = RNG.random(31)


def brute_force(y, x, estimator, weights=None):
    """Of one row, over all pairs."""
    w = np.full(x.size, 1.0 / x.size) if weights is None else weights / weights.sum()
    pairs = np.sum(w[:, None] * w[None, :] * np.abs(x[:, None] - x[None, :]))
    if estimator == "fair":
        pairs /= 1.0 - np.sum(w**2)
    return np.sum(w * np.abs(x - y)), pairs


@pytest.mark.parametrize("estimator", ["fair", "ecdf"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_crps_is_that_of_all_pairs(estimator, weights, shift):
    found = scores.crps(Y + shift, X + shift, estimator, weights)
    scaled = scores.scaled_crps(Y + shift, X + shift, estimator, weights)
    for row in range(5):
        deviation, pairs = brute_force(Y[row], X[:, row], estimator, weights)
        exact = 1e-12 if shift == 0.0 else 1e-9  # the inputs themselves have lost four digits
        assert found[row] == pytest.approx(deviation - 0.5 * pairs, rel=exact, abs=1e-12 if shift == 0.0 else 1e-10)
        assert scaled[row] == pytest.approx(deviation / pairs + 0.5 * math.log(pairs), rel=exact, abs=exact)


def test_fair_and_ecdf_differ_by_the_mean_difference():
    _, pairs = zip(*(brute_force(Y[row], X[:, row], "fair") for row in range(5)), strict=True)
    difference = scores.crps(Y, X, "ecdf") - scores.crps(Y, X, "fair")
    np.testing.assert_allclose(difference, np.array(pairs) / (2 * 31), rtol=1e-12)


def test_equal_weights_are_no_weights():
    for estimator in ("fair", "ecdf"):
        given = scores.crps(Y, X, estimator, np.full(31, 3.0))
        np.testing.assert_allclose(given, scores.crps(Y, X, estimator), rtol=1e-12)
    by_row = scores.crps(Y, X, weights=np.repeat(WEIGHTS[:, None], 5, axis=1))
    np.testing.assert_allclose(by_row, scores.crps(Y, X, weights=WEIGHTS), rtol=1e-12)


def test_zero_weights_are_absent_draws():
    weights = (np.arange(31) < 20).astype(float)
    np.testing.assert_allclose(scores.crps(Y, X, weights=weights), scores.crps(Y, X[:20]), rtol=1e-12)


def test_fair_is_unbiased_where_ecdf_is_not():
    """Small ensembles of the true distribution: the mean fair score is the score of the distribution."""
    rng = np.random.default_rng(3)
    y, x = np.zeros(40_000), rng.normal(size=(5, 40_000))
    truth = float(scores.crps_gaussian(0.0, 0.0, 1.0))
    fair, ecdf = scores.crps(y, x), scores.crps(y, x, "ecdf")
    error = fair.std() / math.sqrt(fair.size)
    assert abs(fair.mean() - truth) < 4 * error
    assert ecdf.mean() - truth == pytest.approx(1 / math.sqrt(math.pi) / 5, abs=4 * error)


def test_many_draws_reach_the_closed_form():
    x = np.random.default_rng(5).gamma(2.0, 1.0, (50_000, 3))
    y = np.array([0.1, 2.0, 9.0])
    np.testing.assert_allclose(scores.crps(y, x), scores.crps_gamma(y, 2.0, 2.0), atol=0.02)


def test_leading_axes():
    y, x = RNG.normal(size=(2, 3)), RNG.normal(size=(7, 2, 3))
    found = scores.crps(y, x)
    assert found.shape == (2, 3)
    assert found[1, 2] == pytest.approx(float(scores.crps(y[1, 2], x[:, 1, 2])))


def test_rows_in_blocks_are_the_same(monkeypatch):
    from nutslite.scores.pointwise import crps as module

    whole = scores.crps(Y, X)
    monkeypatch.setattr(module, "NUMBERS_AT_ONCE", 62)
    np.testing.assert_allclose(scores.crps(Y, X), whole, rtol=1e-14)


# ---------------------------------------------------------------------------------------------- of several numbers


def test_energy_score_is_that_of_all_pairs():
    y, x = RNG.normal(size=(4, 3)), RNG.normal(size=(17, 4, 3))
    for estimator, pairs in (("fair", 17 * 16), ("ecdf", 17**2)):
        found = scores.energy_score(y, x, estimator)
        for row in range(4):
            draws = x[:, row]
            between = np.linalg.norm(draws[:, None] - draws[None, :], axis=2).sum() / pairs
            expected = np.linalg.norm(draws - y[row], axis=1).mean() - 0.5 * between
            assert found[row] == pytest.approx(expected, rel=1e-12)


def test_energy_score_of_one_number_is_the_crps():
    np.testing.assert_allclose(scores.energy_score(Y[:, None], X[:, :, None]), scores.crps(Y, X), rtol=1e-12)


@pytest.mark.parametrize(("size", "expected"), [(2, 0.367087211862742), (5, 0.623186606013624)])
def test_energy_score_of_a_normal_vector_at_its_mean(size, expected):
    mean_norm = math.sqrt(2) * math.gamma((size + 1) / 2) / math.gamma(size / 2)
    assert mean_norm * (1 - 1 / math.sqrt(2)) == pytest.approx(expected, rel=1e-12)
    x = np.random.default_rng(2).normal(size=(3000, size))
    assert float(scores.energy_score(np.zeros(size), x)) == pytest.approx(expected, abs=0.03)


def test_variogram_score_of_a_normal_vector():
    """``E|X_i - X_j|^p = s^p 2^(p/2) Gamma((p+1)/2)/sqrt(pi)``, s the standard deviation of the difference."""
    x = np.random.default_rng(2).normal(size=(100_000, 2))
    moment = 2**0.25 * 2**0.25 * math.gamma(0.75) / math.sqrt(math.pi)
    found = float(scores.variogram_score([0.0, 4.0], x))
    assert found == pytest.approx(2 * (2.0 - moment) ** 2, rel=0.02)
    weighted = float(scores.variogram_score([0.0, 4.0], x, weights=[[0.0, 3.0], [1.0, 0.0]]))
    assert weighted == pytest.approx(2 * found, rel=1e-12)


def test_dawid_sebastiani_score():
    x = RNG.normal(size=(40, 3)) @ np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.3], [0.0, 0.0, 2.0]])
    y = np.array([0.3, -1.0, 2.0])
    m, c = x.mean(axis=0), np.cov(x.T)
    expected = np.linalg.slogdet(c)[1] + (y - m) @ np.linalg.solve(c, y - m)
    assert float(scores.dss(y, x)) == pytest.approx(expected, rel=1e-12)
    one = float(scores.dss(y[:1], x[:, :1]))
    s = x[:, 0].std(ddof=1)
    assert one == pytest.approx(2 * math.log(s) + ((y[0] - m[0]) / s) ** 2, rel=1e-12)


def test_joint_scores_see_correlation_that_marginal_ones_do_not():
    rng = np.random.default_rng(4)
    shared = rng.normal(size=(300, 1))
    y = shared + 0.1 * rng.normal(size=(300, 4))
    right = rng.normal(size=(400, 300, 1)) + 0.1 * rng.normal(size=(400, 300, 4))
    wrong = math.sqrt(1.01) * rng.normal(size=(400, 300, 4))
    assert scores.crps(y, right).mean() == pytest.approx(scores.crps(y, wrong).mean(), rel=0.03)
    for score in (scores.variogram_score, scores.energy_score, scores.dss):
        assert score(y, right).mean() < score(y, wrong).mean() - 0.05


# ---------------------------------------------------------------------------------------------- from log densities


def test_nll_of_two_normal_components_by_hand():
    y, mu = 0.4, np.array([-1.0, 2.0])
    log_density = -0.5 * (y - mu) ** 2 - 0.5 * math.log(2 * math.pi)
    expected = -math.log(0.25 * math.exp(log_density[0]) + 0.75 * math.exp(log_density[1]))
    assert float(scores.nll(log_density, weights=[1.0, 3.0])) == pytest.approx(expected, rel=1e-14)


def test_nll_does_not_underflow():
    assert scores.nll(np.full((4, 2), -2000.0)) == pytest.approx(2000.0, rel=1e-15)
    assert scores.nll([[-np.inf, -np.inf], [-3.0, -np.inf]])[0] == pytest.approx(3.0 + math.log(2.0))
    assert scores.nll([[-np.inf], [-np.inf]])[0] == np.inf


def test_monte_carlo_error_of_nll():
    """The delta method, beside the spread of the score over many sets of draws."""
    rng = np.random.default_rng(1)
    log_density = -0.5 * (1.0 - rng.normal(size=(400, 500))) ** 2
    spread = scores.nll(log_density).std()
    assert scores.nll_error(log_density).mean() == pytest.approx(spread, rel=0.1)
    quartered = scores.nll_error(log_density, effective=100.0)
    np.testing.assert_allclose(quartered, 2.0 * scores.nll_error(log_density), rtol=1e-12)
    equal = scores.nll_error(log_density, weights=np.ones(400))
    np.testing.assert_allclose(equal, scores.nll_error(log_density), rtol=1e-12)


def test_joint_nll_adds_rows_before_it_averages():
    log_density = np.log(np.random.default_rng(1).random((50, 4)) + 0.5)
    groups = np.array(["b", "a", "b", "a"])
    levels, found = scores.joint_nll(log_density, groups)
    assert levels.tolist() == ["a", "b"]
    expected = -np.log(np.exp(log_density[:, [1, 3]].sum(axis=1)).mean())
    assert found[0] == pytest.approx(expected, rel=1e-13)
    with pytest.warns(UserWarning, match="rests on fewer than 10 effective draws"):
        scores.joint_nll(log_density * 50.0, groups)


def test_a_warning_names_the_group_as_users_do():
    density = np.zeros((50, 4))
    density[0] = [200.0, 200.0, 0.0, 0.0]
    with pytest.warns(NutsliteWarning, match=r"1 of 2 groups .*\(group q: 1\.0\)"):
        scores.joint_nll(density, ["q", "q", "r", "r"])


def test_inputs_are_left_alone():
    y, x = Y.copy(), X.copy()
    Prediction.from_draws(x).crps(y)
    scores.energy_score(y, x)
    np.testing.assert_array_equal(y, Y)
    np.testing.assert_array_equal(x, X)
