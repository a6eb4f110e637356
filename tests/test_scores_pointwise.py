"""Pinball, intervals, classes beside recorded values of scikit-learn, scoringrules, properscoring; identities."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from nutslite import scores

RECORD = json.loads((Path(__file__).parent / "fixtures" / "scores_others.json").read_text(encoding="utf-8"))
IN = {name: np.array(value) for name, value in RECORD["inputs"].items()}
OTHERS = {name: np.array(value) for name, value in RECORD["scores"].items()}
Y, X, Q, LEVELS = IN["y"], IN["x"], IN["q"], IN["levels"]


def same(found, name, rtol=1e-13):
    np.testing.assert_allclose(found, OTHERS[name], rtol=rtol)


def test_quantiles_and_intervals_beside_other_programs():
    same(scores.pinball(Y, Q, LEVELS), "pinball")
    same(scores.interval_score(Y, Q[:, 0], Q[:, 4], 0.1), "interval")
    same(scores.wis(Y, Q, LEVELS), "wis")


def test_classes_beside_other_programs():
    same(scores.log_loss(IN["codes"], IN["p"]), "log_loss")
    same(scores.log_loss(IN["binary"], IN["share"]), "log_loss_binary")
    same(scores.brier(IN["codes"], IN["p"]), "brier")
    same(scores.brier(IN["codes"], IN["p"]), "brier_multiclass")
    same(scores.brier(IN["binary"], IN["share"]), "brier_binary")
    same(scores.rps(IN["codes"], IN["p"]), "rps")


def test_draws_beside_other_programs():
    same(scores.crps(Y, X, "ecdf"), "crps_ecdf", 1e-12)
    same(scores.crps(Y, X, "ecdf"), "crps_properscoring", 1e-12)
    same(scores.crps(Y, X), "crps_fair", 1e-12)
    same(scores.energy_score(IN["vector"], IN["vectors"], "ecdf"), "energy_ecdf", 1e-12)
    same(scores.variogram_score(IN["vector"], IN["vectors"]), "variogram", 1e-12)
    same(scores.dss(IN["vector"], IN["vectors"]), "dss", 1e-11)


def test_closed_forms_beside_other_programs():
    same(scores.crps_lognormal(Y, 2.0, 0.5), "crps_lognormal", 1e-11)
    same(scores.crps_gamma(Y, 3.0 / 0.4, 3.0), "crps_gamma", 1e-11)
    same(scores.crps_t(Y, 9.0, 2.0, 5.0), "crps_t", 1e-11)
    same(scores.crps_negativebinomial(np.floor(Y), 4.0 * 0.7 / 0.3, 4.0), "crps_negbinom", 1e-11)
    same(scores.crps_logistic(Y, 9.0, 2.0), "crps_logistic", 1e-11)
    mixture = scores.Prediction.from_mixture(mu=X[:5], sigma=np.abs(X[5:10]) / 5.0)
    same(mixture.crps(Y), "crps_mixnorm", 1e-12)


# ---------------------------------------------------------------------------------------------- identities


def test_weighted_interval_score_by_hand():
    """scoringrules' NumPy backend leaves the distance to the median out, and says 3.6."""
    assert scores.wis([10.0], [[8.0, 10.0, 12.0]], [0.1, 0.5, 0.9])[0] == pytest.approx(0.8 / 3, rel=1e-14)


def test_weighted_interval_score_is_twice_the_mean_pinball_loss():
    found = scores.wis(Y, Q, LEVELS)
    np.testing.assert_allclose(found, 2.0 * scores.pinball(Y, Q, LEVELS).mean(axis=1), rtol=1e-13)
    parts = scores.wis_parts(Y, Q, LEVELS)
    np.testing.assert_allclose(sum(parts.values()), found, rtol=1e-14)
    mixed = [3, 0, 4, 2, 1]
    np.testing.assert_allclose(scores.wis(Y, Q[:, mixed], LEVELS[mixed]), found, rtol=1e-14)
    assert scores.wis_parts([99.0], [[1.0, 2.0, 3.0]], [0.1, 0.5, 0.9])["overprediction"][0] == 0.0


def test_interval_score_is_two_pinball_losses():
    alpha = 0.1
    ends = scores.pinball(Y, Q[:, [0, 4]], [alpha / 2, 1 - alpha / 2]).sum(axis=1)
    np.testing.assert_allclose(0.5 * alpha * scores.interval_score(Y, Q[:, 0], Q[:, 4], alpha), ends, rtol=1e-13)


def test_crossing_quantiles_are_scored_and_told():
    crossed = [[2.0, 1.0, 3.0], [1.0, 2.0, 3.0]]
    assert scores.crosses(crossed, [0.1, 0.5, 0.9]).tolist() == [True, False]
    assert scores.crosses(crossed, [0.5, 0.1, 0.9]).tolist() == [False, True]
    found = scores.wis([1.5, 1.5], crossed, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(found, 2 * scores.pinball([1.5, 1.5], crossed, [0.1, 0.5, 0.9]).mean(axis=1))


def test_crps_from_many_quantiles():
    levels = (np.arange(2000) + 0.5) / 2000
    q = np.asarray(scores.Prediction.from_normal([0.0], [1.0]).quantile(levels))
    assert scores.crps_from_quantiles([0.3], q, levels)[0] == pytest.approx(0.269332900687, rel=1e-4)
    uneven = np.concatenate(
        [np.geomspace(1e-5, 0.1, 500), np.linspace(0.1, 0.9, 500)[1:], 1 - np.geomspace(0.1, 1e-5, 500)[1:]]
    )
    q = scores.Prediction.from_normal([0.0], [1.0]).quantile(uneven)
    assert scores.crps_from_quantiles([0.3], q, uneven)[0] == pytest.approx(0.269332900687, rel=1e-3)


def test_coverage_and_width():
    assert scores.coverage([1.0, 2.0, 3.0], [1.0, 0.0, 0.0], [2.0, 2.0, 2.0]).tolist() == [1.0, 1.0, 0.0]
    assert scores.width([1.0, 0.0], [3.0, 0.5]).tolist() == [2.0, 0.5]


def test_errors():
    assert scores.squared_error([1.0, 2.0], 0.0).tolist() == [1.0, 4.0]
    assert scores.absolute_error([1.0, -2.0], 0.0).tolist() == [1.0, 2.0]


def test_two_classes_either_way():
    y, p = np.array([0, 1, 1]), np.array([0.2, 0.7, 0.1])
    both = np.stack([1 - p, p], axis=1)
    np.testing.assert_allclose(scores.log_loss(y, p), scores.log_loss(y, both), rtol=1e-14)
    np.testing.assert_allclose(2 * scores.brier(y, p), scores.brier(y, both), rtol=1e-14)
    np.testing.assert_allclose(scores.rps(y, p), scores.rps(y, both), rtol=1e-14)
    np.testing.assert_allclose(scores.brier(y, p), scores.crps_bernoulli(y, p), rtol=1e-14)


def test_impossible_outcomes_cost_infinity():
    assert scores.log_loss([1, 0], [0.0, 0.0]).tolist() == [np.inf, 0.0]


def test_ranked_probability_score_is_the_crps_of_codes():
    n, p = 3, 0.3
    mass = np.array([math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])
    for y in range(n + 1):
        assert scores.rps([y], mass[None])[0] == pytest.approx(float(scores.crps_binomial(y, n, p)), rel=1e-12)


def test_entropy_split():
    one = np.repeat([[0.2, 0.8]], 3, axis=0)[None].repeat(5, axis=0)
    total, aleatoric, epistemic = scores.entropy_split(one)
    np.testing.assert_allclose(total, aleatoric)
    np.testing.assert_allclose(epistemic, 0.0, atol=1e-15)
    split = scores.entropy_split([[1.0], [0.0]])  # two draws that are sure of opposite things
    assert split.aleatoric[0] == 0.0
    assert split.epistemic[0] == pytest.approx(math.log(2.0), rel=1e-15)


def test_entropy_split_of_a_dirichlet_distribution():
    alpha = np.array([[2.0, 3.0, 0.5], [20.0, 1.0, 1.0]])
    split = scores.dirichlet_entropy_split(alpha)
    rng = np.random.default_rng(1)
    draws = np.stack([rng.dirichlet(row, 40_000) for row in alpha], axis=1)
    for found, drawn in zip(split, scores.entropy_split(draws), strict=True):
        np.testing.assert_allclose(found, drawn, atol=0.01)
    a, b = 2.0, 3.0  # of two classes by quadrature: the mean entropy of Beta(2, 3)
    t = (np.arange(200_000) + 0.5) / 200_000
    density = 12.0 * t ** (a - 1) * (1 - t) ** (b - 1)
    entropy = -(t * np.log(t) + (1 - t) * np.log1p(-t))
    found = scores.dirichlet_entropy_split([[a, b]]).aleatoric[0]
    assert found == pytest.approx(np.mean(density * entropy), rel=1e-8)
