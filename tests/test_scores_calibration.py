"""Calibration by numbers: against other programs' recorded values, quadrature, formulas by hand, and simulation."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from nutslite.exceptions import ArgumentError, DataError
from nutslite.scores.calibration import smooth
from nutslite.scores.calibration.calibration_error import (
    calibration_error,
    classwise_error,
    confidence_error,
    debiased_error,
    debiased_l1_error,
    top_label_error,
)
from nutslite.scores.calibration.coverage import (
    coverage_band,
    coverage_by,
    coverage_by_size,
    coverage_interval,
    group_sizes,
    randomised_coverage,
)
from nutslite.scores.calibration.isotonic import pooled_means
from nutslite.scores.calibration.pit import mid_pit, pit, pit_from_cdf, pit_from_draws, pit_histogram
from nutslite.scores.calibration.reliability import (
    decompose,
    decompose_binned,
    recalibrated,
    reliability,
)
from nutslite.scores.calibration.spiegelhalter import spiegelhalter
from nutslite.scores.pointwise.quantile import pinball

RECORDED = json.loads((Path(__file__).parent / "fixtures" / "scores_calibration.json").read_text())
EVENTS, TIED, MEANS = RECORDED["events"], RECORDED["tied"], RECORDED["means"]


def uniform(u):
    return stats.kstest(u, "uniform").pvalue


# --- the probability integral transform


def test_transform_of_counts_is_uniform_under_the_truth():
    rng = np.random.default_rng(1)
    y, model = rng.poisson(1.3, 5000), stats.poisson(1.3)
    prediction = SimpleNamespace(cdf=model.cdf, cdf_below=lambda y: model.cdf(y - 1))
    u = pit(y, prediction)
    assert uniform(u) > 0.01
    np.testing.assert_array_equal(u, pit(y, prediction))
    assert uniform(model.cdf(y)) < 1e-10  # without randomness it is not
    assert abs(np.mean(mid_pit(model.cdf(y), model.cdf(y - 1))) - 0.5) < 0.01


def test_variance_of_the_transform_of_forecasts_that_are_too_narrow():
    """Of N(0, s^2) responses under N(0, 1) forecasts it is asin(s^2 / (1 + s^2)) / (2 pi)."""
    s, rng = 2.0, np.random.default_rng(2)
    u = pit_from_cdf(stats.norm.cdf(s * rng.standard_normal(200_000)))
    assert np.var(u) == pytest.approx(np.arcsin(s**2 / (1 + s**2)) / (2 * np.pi), abs=5e-4)


def test_distribution_functions_are_averaged_over_draws():
    cdf = np.array([[0.2, 0.9], [0.4, 0.5]])
    np.testing.assert_allclose(pit_from_cdf(cdf), [0.3, 0.7])
    np.testing.assert_allclose(pit_from_cdf(cdf, weights=[3, 1]), [0.25, 0.8])
    np.testing.assert_allclose(pit_from_cdf(cdf, weights=[[1, 0], [0, 1]]), [0.2, 0.5])
    np.testing.assert_allclose(mid_pit(cdf, cdf - 0.2), [0.2, 0.6])


@pytest.mark.parametrize("members", [1, 4, 20])
def test_ranks_among_few_members_are_exactly_uniform(members):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((members + 1, 4000))
    assert uniform(pit_from_draws(x[0], x[1:])) > 0.01
    counts = rng.poisson(0.7, (members + 1, 4000))
    assert uniform(pit_from_draws(counts[0], counts[1:])) > 0.01


def test_weighted_draws_count_by_their_weights():
    np.testing.assert_allclose(pit_from_draws([1.5], [[1.0], [2.0]], weights=[1, 3]), [0.25])


def test_histogram_without_randomness_is_the_mean_of_random_ones():
    rng = np.random.default_rng(4)
    y = rng.poisson(2.0, 300)
    cdf, below = stats.poisson.cdf(y, 1.0), stats.poisson.cdf(y - 1, 1.0)
    heights = pit_histogram(cdf, below, bins=8)
    random = [np.histogram(pit_from_cdf(cdf, below, seed=seed), 8, (0, 1))[0] for seed in range(300)]
    np.testing.assert_allclose(heights, np.mean(random, axis=0) * 8 / 300, atol=0.03)
    assert heights.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(pit_histogram([0.0, 0.3, 1.0], bins=2), [4 / 3, 2 / 3])


# --- coverage


def test_intervals_of_coverage():
    found = coverage_interval([1] * 18 + [0] * 2)
    expected = stats.binomtest(18, 20).proportion_ci()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    jeffreys = coverage_interval([1] * 18 + [0] * 2, method="jeffreys")
    assert (jeffreys.low, jeffreys.high) == pytest.approx(stats.beta(18.5, 2.5).interval(0.95), rel=1e-9)
    assert coverage_interval([1, 1, 1])[:3] == pytest.approx((1.0, 0.025 ** (1 / 3), 1.0))
    assert coverage_interval([0, 0])[:3] == pytest.approx((0.0, 0.0, 1 - 0.025**0.5))


@pytest.mark.parametrize("n", [5, 30])
def test_clopper_pearson_holds_at_least_what_it_says_everywhere(n):
    ends = [coverage_interval([1] * k + [0] * (n - k)) for k in range(n + 1)]
    for p in np.linspace(0.01, 0.99, 49):
        inside = [k for k, found in enumerate(ends) if found.low <= p <= found.high]
        assert stats.binom.pmf(inside, n, p).sum() >= 0.95


def test_randomised_coverage_of_counts_is_nominal():
    y = np.random.default_rng(5).poisson(1.0, 20_000)
    model = stats.poisson(1.0)
    u = pit_from_cdf(model.cdf(y), model.cdf(y - 1))
    assert abs(randomised_coverage(u, 0.8).mean() - 0.8) < 0.012
    low, high = model.ppf(0.1), model.ppf(0.9)
    assert np.mean((y >= low) & (y <= high)) > 0.9  # the intervals themselves hold more


def test_coverage_by_group_and_by_size_finds_what_the_whole_hides():
    rng = np.random.default_rng(6)
    spread = np.repeat([0.5, 1.5], 500)
    covered = (np.abs(spread * rng.standard_normal(1000)) < 1.7).astype(float)
    by = coverage_by(covered, np.repeat(["calm", "wild"], 500))
    assert list(by) == ["calm", "wild"]
    assert by["calm"].low > 0.9 > by["wild"].high
    (small, large) = coverage_by_size(covered, spread, bins=2)
    assert small[:2] == (0.5, 0.5)
    assert small[2] == by["calm"]
    assert large[2] == by["wild"]
    assert len(coverage_by_size(covered, np.ones(1000), bins=5)) == 1
    np.testing.assert_array_equal(group_sizes(["a", "b", "a"]), [2, 1, 2])


def test_band_over_all_levels_holds_all_coverages():
    levels = [0.9, 0.5, 0.8]
    low, high = coverage_band(200, levels)
    u = np.abs(2 * np.random.default_rng(7).random((4000, 200)) - 1)
    shares = np.stack([np.mean(u <= level, axis=1) for level in levels], axis=1)
    inside = np.mean(((shares >= low - 1e-12) & (shares <= high + 1e-12)).all(axis=1))
    assert 0.95 - 4.5 * np.sqrt(0.05 * 0.95 / 4000) < inside < 0.975


# --- calibration errors, each by its own name


def test_binned_errors_by_hand():
    """The values of a discussion in scikit-learn's repository."""
    y, p = [0, 0, 0, 1, 1, 1, 1, 1], [0.25] * 4 + [0.75] * 4
    weights = [1.0] * 4 + [3.0] * 4
    assert calibration_error(y, p, weights=weights) == pytest.approx(0.1875, abs=1e-15)
    assert calibration_error(y, p, norm="max", weights=weights) == pytest.approx(0.25, abs=1e-15)
    assert calibration_error(y, p, norm="l2", weights=weights) == pytest.approx(0.21650635094610965, abs=1e-15)
    assert calibration_error(y, p) == pytest.approx(0.125, abs=1e-15)


def test_a_probability_of_one_is_in_the_last_bin():
    assert calibration_error([0, 0], [1.0, 1.0]) == 1.0
    assert calibration_error([0, 1], [1.0, 0.95], bins=10) == pytest.approx(0.475)


def test_bins_of_equal_mass_never_part_equal_probabilities():
    y, p = [1, 0, 1, 0, 1, 1], [0.3, 0.3, 0.3, 0.3, 0.3, 0.9]
    expected = 5 / 6 * abs(0.6 - 0.3) + 1 / 6 * 0.1
    for bins in (2, 3, 6, 50):
        assert calibration_error(y, p, bins=bins, strategy="mass") == pytest.approx(expected, abs=1e-15)


def test_three_errors_of_several_classes_differ():
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.75, 0.15, 0.1]])
    y = [0, 0, 2, 1]
    assert confidence_error(y, p, bins=1) == pytest.approx(abs(0.5 - np.mean([0.7, 0.8, 0.4, 0.75])))
    top = 0.5 * abs(0.5 - 0.725) + 0.25 * 0.8 + 0.25 * 0.6
    assert top_label_error(y, p, bins=1) == pytest.approx(top)
    by_class = np.abs([0.5, 0.25, 0.25] - p.mean(axis=0))
    np.testing.assert_allclose(classwise_error(y, p, bins=1), by_class)
    assert confidence_error([0, 1], [0.2, 0.8]) == pytest.approx(confidence_error([0, 1], [[0.8, 0.2], [0.2, 0.8]]))
    with pytest.raises(DataError, match="confidence_error, top_label_error and classwise_error"):
        calibration_error(y, p)


def test_debiased_errors_are_about_zero_for_right_probabilities():
    rng = np.random.default_rng(8)
    squared, l1, plain = [], [], []
    for _ in range(300):
        p = rng.random(400)
        y = (rng.random(400) < p).astype(int)
        squared.append(debiased_error(y, p).squared)
        l1.append(debiased_l1_error(y, p))
        plain.append(calibration_error(y, p, strategy="mass"))
    assert abs(np.mean(squared)) < 4.5 * np.std(squared) / np.sqrt(300)
    assert 0.3 < np.mean(np.array(squared) < 0) < 0.7
    assert np.mean(l1) / np.mean(plain) == pytest.approx(2 - np.sqrt(2), abs=0.05)
    wrong = debiased_error((rng.random(4000) < 0.5).astype(int), rng.random(4000))
    assert wrong.root == pytest.approx(np.sqrt(1 / 12), abs=0.03)
    assert debiased_error([0, 1, 1], [0.1, 0.5, 0.9], bins=3).left_out == 3


# --- smooth calibration error


def by_quadrature(y, p, width):
    """The definition: images of every probability, roots by bisection, SciPy's quadrature between them."""
    shifts = 2.0 * np.arange(-6, 7)
    images = np.concatenate([p[:, None] + shifts, shifts - p[:, None]], axis=1)

    def curve(t):
        return np.mean((y - p) * stats.norm.pdf(t, images, width).sum(axis=1))

    grid = np.linspace(0, 1, 801)
    values = np.array([curve(t) for t in grid])
    change = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0)
    roots = [optimize.brentq(curve, grid[k], grid[k + 1], xtol=1e-14) for k in change]
    pieces = itertools.pairwise([0.0, *roots, 1.0])
    return sum(abs(integrate.quad(curve, a, b, epsabs=1e-11, epsrel=1e-10)[0]) for a, b in pieces)


@pytest.mark.parametrize("n", [3, 25])
def test_smooth_error_is_the_width_that_equals_its_error(n):
    rng = np.random.default_rng(n)
    p = rng.random(n)
    y = (rng.random(n) < p).astype(float)
    found = smooth.smooth_ece(y, p)
    assert by_quadrature(y, p, found) == pytest.approx(found, abs=1e-8)


@pytest.mark.parametrize("name", ["events", "tied"])
def test_smooth_error_is_near_another_programs(name):
    assert smooth.smooth_ece(**{k: RECORDED[name][k] for k in ("y", "p")}) == pytest.approx(
        RECORDED["smooth"][name], abs=2e-3
    )


def test_smooth_error_at_the_ends(monkeypatch):
    assert smooth.smooth_ece([1, 0], [1.0, 0.0]) == 0.0
    assert smooth.smooth_ece([0], [1.0]) == pytest.approx(1.0)
    assert smooth.smooth_ece([1, 0, 1], [1.0, 0.0, 1.0 - 3e-5]) == pytest.approx(1e-5, abs=1e-12)
    exact = smooth.smooth_ece(EVENTS["y"], EVENTS["p"])
    monkeypatch.setattr(smooth, "MOST_ROWS", 10)
    assert smooth.smooth_ece(EVENTS["y"], EVENTS["p"]) == pytest.approx(exact, abs=1e-6)


# --- recalibration and decomposition


@pytest.mark.parametrize(("name", "expected"), RECORDED["decompositions"].items())
def test_decompositions_are_another_programs(name, expected):
    data, score, *more = name.split()
    given = RECORDED[data]
    options = {"weights": given["weights"]} if "weighted" in more else {}
    if score == "pinball":
        options["level"] = float(more[0])
    if score == "cube":  # a Bregman score: not symmetric, smallest at the mean
        score = lambda y, x: 2 / 12 * (y**4 - x**4 - 4 * x**3 * (y - x))  # noqa: E731
    found = decompose(given["y"], given.get("p", given.get("forecast")), score=score, **options)
    for part, value in expected.items():
        scale = max(abs(value), abs(expected["score"]))
        assert abs(getattr(found, part) - value) < 1e-11 * scale, part
    total = found.miscalibration - found.discrimination + found.uncertainty
    assert found.score == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize(("bins", "strategy"), [(None, "width"), (1, "width"), (10, "width"), (7, "mass")])
@pytest.mark.parametrize("name", ["events", "tied"])
def test_parts_by_bins_add_up_to_the_brier_score(name, bins, strategy):
    """Weighted, too; of distinct forecasts nothing happens within bins, of one bin there is no resolution."""
    y, p = np.array(RECORDED[name]["y"]), np.array(RECORDED[name]["p"])
    weights = np.random.default_rng(12).integers(0, 4, y.size)
    found = decompose_binned(y, p, bins, strategy, weights)
    score, reliable, resolved, uncertain, variance, covariance = found
    assert score == pytest.approx(np.average((p - y) ** 2, weights=weights), rel=1e-13)
    assert score == pytest.approx(reliable - resolved + uncertain + variance - covariance, rel=1e-12)
    if bins is None:
        assert (variance, covariance) == pytest.approx((0.0, 0.0), abs=1e-30)
    if bins == 1:
        assert resolved == pytest.approx(0.0, abs=1e-30)
        assert covariance == pytest.approx(2 * np.cov(y, p, fweights=weights, bias=True)[0, 1], rel=1e-12)


def test_binned_parts_by_hand():
    """Two bins of two: 0.1, 0.3 with one event, 0.6, 0.8 with two."""
    found = decompose_binned([0, 1, 1, 1], [0.1, 0.3, 0.6, 0.8], bins=2)
    assert found.reliability == pytest.approx(0.5 * (0.2 - 0.5) ** 2 + 0.5 * (0.7 - 1.0) ** 2)
    assert found.resolution == pytest.approx(0.25**2)
    assert found.uncertainty == pytest.approx(0.75 * 0.25)
    assert found.within_variance == pytest.approx(0.01)
    assert found.within_covariance == pytest.approx(0.5 * (0.5 * 0.1 + 0.5 * 0.1))


def test_equal_forecasts_are_recalibrated_alike():
    """Three distinct forecasts give three values; a program that parts ties gives many, and four times the error."""
    fit, p = recalibrated(TIED["y"], TIED["p"]), np.array(TIED["p"])
    assert [np.unique(fit[p == value]).size for value in np.unique(p)] == [1, 1, 1]


def test_pooling_is_scikit_learns():
    fit = recalibrated(EVENTS["y"], EVENTS["p"], weights=EVENTS["weights"])
    np.testing.assert_allclose(fit, RECORDED["isotonic"], atol=1e-12)
    np.testing.assert_allclose(pooled_means(np.array([3.0, 9.0, 1.0]), np.array([1.0, 0.0, 1.0])), [2.0, 2.0, 2.0])


@pytest.mark.parametrize("level", [0.2, 0.5, 0.9])
def test_recalibrated_quantiles_have_the_smallest_loss_of_all_increasing_ones(level):
    """By linear programming, over all increasing sequences."""
    rng = np.random.default_rng(9)
    forecast = np.sort(rng.integers(0, 8, 30)).astype(float)
    y = 0.4 * forecast + rng.standard_normal(30)
    distinct, where = np.unique(forecast, return_inverse=True)
    n, k = 30, distinct.size
    cost = np.concatenate([np.zeros(k), np.full(n, level), np.full(n, 1 - level)])
    equal = np.hstack([np.eye(k)[where], np.eye(n), -np.eye(n)])
    order = np.hstack([np.eye(k)[:-1] - np.eye(k)[1:], np.zeros((k - 1, 2 * n))])
    best = optimize.linprog(
        cost, order, np.zeros(k - 1), equal, y, bounds=[(None, None)] * k + [(0, None)] * (2 * n)
    ).fun
    fit = recalibrated(y, forecast, level=level)
    assert np.all(np.diff(fit) >= 0)
    assert pinball(y, fit, level).sum() == pytest.approx(best, rel=1e-9)


def test_consistency_band_holds_the_curve_of_right_forecasts():
    rng, inside = np.random.default_rng(10), []
    for seed in range(60):
        p = rng.choice(np.linspace(0.05, 0.95, 10), 300)
        y = (rng.random(300) < p).astype(int)
        curve = reliability(y, p, draws=200, seed=seed)
        inside.append(np.mean((curve.recalibrated >= curve.low) & (curve.recalibrated <= curve.high)))
    assert 0.86 < np.mean(inside) < 0.97
    wrong = reliability((rng.random(2000) < 0.5).astype(int), rng.choice([0.1, 0.5, 0.9], 2000))
    assert wrong.recalibrated[0] > wrong.high[0]
    assert wrong.recalibrated[2] < wrong.low[2]


def test_reliability_of_means_and_quantiles_takes_simulated_responses():
    rng = np.random.default_rng(11)
    mean = rng.choice([0.0, 1.0, 2.0], 400)
    y, simulated = mean + rng.standard_normal(400), mean + rng.standard_normal((200, 400))
    assert reliability(y, mean, simulated=simulated).rows.sum() == 400
    curve = reliability(y, mean + stats.norm.ppf(0.9), level=0.9, simulated=simulated)
    assert np.all((curve.recalibrated > curve.low - 0.2) & (curve.recalibrated < curve.high + 0.2))
    with pytest.raises(DataError, match="give simulated="):
        reliability(y, mean)


def test_spiegelhalters_z():
    z, p_value = spiegelhalter(EVENTS["y"], EVENTS["p"])
    assert stats.norm.sf(z) == pytest.approx(RECORDED["spiegelhalter_p"], rel=1e-9)  # one-sided there
    assert p_value == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9)
    assert np.isnan(spiegelhalter([0, 1], [0.5, 0.5])[0])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: calibration_error([0, 1], [0.2, 1.2]), DataError, "p must lie between 0 and 1"),
        (lambda: calibration_error([0, 2], [0.2, 0.2]), DataError, "2 classes"),
        (lambda: calibration_error([0, 1], [0.2]), DataError, "shape"),
        (lambda: calibration_error([0], [0.2], strategy="massive"), ArgumentError, "Did you mean 'mass'"),
        (lambda: calibration_error([0], [0.2], norm=2), ArgumentError, "norm is one of"),
        (lambda: calibration_error([0], [0.2], bins=0), ArgumentError, "bins is a whole number"),
        (lambda: calibration_error([0], [0.2], weights=[0.0]), DataError, "not all zero"),
        (lambda: decompose([0.0], [0.2], score="pinball"), ArgumentError, "needs level="),
        (lambda: decompose([0.0], [0.2], level=0.5), ArgumentError, "level=0.5 is for quantiles"),
        (lambda: coverage_interval([0.5]), DataError, "covered"),
        (lambda: coverage_interval([1], method="wald"), ArgumentError, "method"),
        (lambda: coverage_by([1, 0], ["a"]), DataError, "one label"),
        (lambda: coverage_by([1, 0], ["a", None]), DataError, "no label in 1 rows"),
        (lambda: pit_from_cdf([0.2], [0.3]), DataError, "below is larger than cdf"),
        (lambda: pit_from_cdf([0.2], weights=[1.0]), DataError, "no axis of draws"),
        (lambda: pit_from_draws([0.2, 0.1], np.zeros((2, 3))), DataError, "draws come first"),
    ],
)
def test_what_cannot_be_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
