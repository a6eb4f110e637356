"""Tests of uniform ranks: against SciPy, against brute force, and against what they should and should not find."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from nutslite.exceptions import ArgumentError, DataError
from nutslite.scores.calibration.bands import (
    band_at,
    ecdf_band,
    ecdf_counts,
    ecdf_test,
    equal_steps,
    excursion_test,
    tail_probabilities,
)
from nutslite.scores.calibration.clusters import independent_rows
from nutslite.scores.calibration.uniformity import (
    chi_squared_bins,
    chi_squared_tail,
    chi_squared_test,
    uniformity_test,
)

RECORDED = json.loads((Path(__file__).parent / "fixtures" / "scores_uniformity.json").read_text())


@pytest.mark.parametrize("degrees", range(1, 41))
def test_tail_of_chi_squared(degrees):
    x = [0.0, 0.01, 0.5, 1.0, 7.0, 30.0, 200.0]
    ours = [chi_squared_tail(value, degrees) for value in x]
    np.testing.assert_allclose(ours, stats.chi2.sf(x, degrees), rtol=1e-10, atol=0)


def test_bins_divide_the_ranks_and_hold_enough():
    assert chi_squared_bins(1000, 100) == 20
    assert chi_squared_bins(60, 100) == 10
    assert chi_squared_bins(1000, 99) == 11
    assert chi_squared_bins(8, 100) == 0
    assert chi_squared_bins(1000, 97) == 0
    assert all(np.isnan(chi_squared_test(np.arange(8), 100)))


def test_chi_squared_of_ranks():
    ranks = np.random.default_rng(2).integers(0, 100, 300)
    statistic, p = chi_squared_test(ranks, 100)
    expected = stats.chisquare(np.bincount(ranks // 5, minlength=20))
    assert statistic == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue)


def test_counts_are_of_ranks_below_every_step():
    assert list(ecdf_counts(np.array([0, 0, 2, 3]), 4)) == [2, 2, 3]


@pytest.mark.parametrize(("n_ranks", "n_values"), [(1, 3), (4, 3), (5, 4), (3, 6)])
def test_p_values_are_exact(n_ranks, n_values):
    """Every outcome of a few ranks: the p-value of each is the share of outcomes at least as extreme."""
    outcomes = list(itertools.product(range(n_values), repeat=n_ranks))
    smallest = []
    for outcome in outcomes:
        counts = ecdf_counts(np.array(outcome), n_values)
        binomial = stats.binom(n_ranks, np.arange(1, n_values) / n_values)
        smallest.append(np.minimum(1.0, 2 * np.minimum(binomial.cdf(counts), binomial.sf(counts - 1))).min())
    for outcome, statistic in list(zip(outcomes, smallest, strict=True))[:: max(1, len(outcomes) // 60)]:
        share = np.mean(np.array(smallest) <= statistic * (1 + 1e-9))
        assert ecdf_test(np.array(outcome), n_values) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize(("n_ranks", "n_values"), [(40, 20), (300, 100)])
def test_p_values_of_uniform_ranks_are_uniform(n_ranks, n_values):
    rng = np.random.default_rng(5)
    p = np.array([ecdf_test(rng.integers(0, n_values, n_ranks), n_values) for _ in range(400)])
    for level in (0.05, 0.2, 0.5):
        assert abs(np.mean(p <= level) - level) < 4.5 * np.sqrt(level * (1 - level) / 400)


@pytest.mark.parametrize(("n_ranks", "n_values"), [(40, 20), (300, 100)])
def test_bands_hold_the_whole_curve_as_often_as_they_say(n_ranks, n_values):
    low, high = ecdf_band(n_ranks, n_values, 0.9)
    rng = np.random.default_rng(6)
    curves = np.array([ecdf_counts(rng.integers(0, n_values, n_ranks), n_values) for _ in range(3000)])
    inside = np.mean(((curves >= low) & (curves <= high)).all(axis=1))
    assert 0.9 - 4.5 * np.sqrt(0.09 / 3000) < inside < 0.97  # counts are whole numbers: never below, a little above
    wider = ecdf_band(n_ranks, n_values, 0.99)
    assert np.all(wider[0] <= low)
    assert np.all(wider[1] >= high)


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("shifted", lambda rng: rng.beta(1.3, 1.0, 400)),
        ("in the middle", lambda rng: rng.beta(1.4, 1.4, 400)),
        ("at the ends", lambda rng: rng.beta(0.7, 0.7, 400)),
    ],
)
def test_ranks_that_are_not_uniform_are_found(name, draw):
    rng = np.random.default_rng(7)
    found = [ecdf_test((100 * draw(rng)).astype(int), 100) < 0.05 for _ in range(50)]
    assert np.mean(found) > 0.8


def test_ranks_at_one_place_are_impossible():
    assert ecdf_test(np.zeros(200, dtype=np.int64), 100) < 1e-10
    assert ecdf_test(np.full(200, 99), 100) < 1e-10
    assert 0.0 <= ecdf_test(np.full(1000, 50), 100) < 1e-10


def multinomial_curves(n, points):
    """Every way n values can fall between the points: counts at most each point, and the probability of it."""
    widths = np.diff([0.0, *points, 1.0])
    for counts in itertools.product(range(n + 1), repeat=len(points)):
        rest = n - sum(counts)
        if rest >= 0:
            yield np.cumsum(counts), stats.multinomial.pmf([*counts, rest], n, widths)


@pytest.mark.parametrize("points", [(0.25, 0.5, 0.75), (0.1, 0.13, 0.8)])
@pytest.mark.parametrize("probability", [0.5, 0.9, 0.99])
def test_band_of_ten_values_is_that_of_brute_force(points, probability):
    """The narrowest region of one pointwise level that holds enough of all ways in which ten values can fall."""
    curves, masses = zip(*multinomial_curves(10, points), strict=True)
    binomial = stats.binom(10, np.array(points)[:, None])
    k = np.arange(11)
    tails = np.minimum(1.0, 2 * np.minimum(binomial.cdf(k), binomial.sf(k - 1)))
    smallest = tails[np.arange(3), np.array(curves)].min(axis=1)
    levels = [level for level in [0.0, *np.unique(tails)] if level <= 1 - probability]
    level = max(x for x in levels if np.sum(np.array(masses)[smallest > x * (1 + 1e-9)]) >= probability - 1e-12)
    inside = tails > level * (1 + 1e-9)
    low, high = band_at(10, points, probability)
    np.testing.assert_array_equal(low, inside.argmax(axis=1))
    np.testing.assert_array_equal(high, 10 - inside[:, ::-1].argmax(axis=1))


@pytest.mark.parametrize("points", [(0.25, 0.5, 0.75), (0.1, 0.13, 0.8)])
def test_p_values_at_any_points_are_those_of_brute_force(points):
    curves, masses = (np.array(list(items)) for items in zip(*multinomial_curves(7, points), strict=True))
    tails = tail_probabilities(7, points).values
    smallest = tails[np.arange(3), curves].min(axis=1)
    for curve, statistic in list(zip(curves, smallest, strict=True))[::7]:
        exact = masses[smallest <= statistic * (1 + 1e-9)].sum()
        assert excursion_test(curve, 7, points) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize(("n", "p"), [(5, 0.5), (10_000, 0.01), (1_000_000, 0.37)])
def test_tail_probabilities_are_binomial(n, p):
    tails = tail_probabilities(n, (p,))
    counts = tails.first[0] + np.arange(tails.values.shape[1])
    expected = np.minimum(1.0, 2 * np.minimum(stats.binom.cdf(counts, n, p), stats.binom.sf(counts - 1, n, p)))
    np.testing.assert_allclose(tails.values[0], expected, rtol=1e-8, atol=1e-16)


@pytest.mark.parametrize("n", [50, 500])
def test_ninety_five_per_cent_bands_hold_ninety_five_per_cent_of_curves(n):
    low, high = ecdf_band(n, 101)
    u = np.sort(np.random.default_rng(n).random((5000, n)), axis=1)
    curves = np.stack([np.searchsorted(row, equal_steps(101), side="right") for row in u])
    assert abs(np.mean(((curves >= low) & (curves <= high)).all(axis=1)) - 0.95) < 0.01


@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_bands_of_groups_hold_their_curves(shared):
    """Values of a group that share half their variance: the band of so many independent rows is far too narrow."""
    rng, points = np.random.default_rng(9), equal_steps(20)
    steps, codes = np.array(points), np.repeat(np.arange(40), 5)
    inside, naive = [], []
    for _ in range(200):
        z = np.sqrt(shared) * rng.standard_normal(40)[codes] + np.sqrt(1.0 - shared) * rng.standard_normal(200)
        below = stats.norm.cdf(z)[:, None] <= steps
        for kept, n in ((inside, independent_rows(below, steps, codes)), (naive, independent_rows(below, steps, None))):
            low, high = band_at(n, points)
            share = below.mean(axis=0)
            kept.append(((share >= low / n - 1e-12) & (share <= high / n + 1e-12)).all())
    assert np.mean(inside) > 0.90
    assert np.mean(naive) < (0.8 if shared else 1.0)


def test_rows_of_a_group_that_balance_each_other_are_worth_no_more_than_independent_ones():
    below = np.tile([[0.0], [1.0]], (50, 1))
    assert independent_rows(below, np.array([0.5]), np.repeat(np.arange(50), 2)) == 100
    assert independent_rows(np.repeat(below, 2, axis=0), np.array([0.5]), np.repeat(np.arange(100), 2)) == 100
    assert independent_rows(below, np.array([0.5]), np.zeros(100, dtype=np.int64)) == 100


def test_a_band_of_many_values_takes_no_simulation():
    ecdf_band(30, 101)  # compiled
    start = time.perf_counter()
    low, high = ecdf_band(10_000, 101)
    assert time.perf_counter() - start < 3.0  # 0.07 s on a quiet machine; by simulation 14 s
    assert np.all(np.diff(low) >= 0)
    assert np.all(high - low < 400)


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: f"{case['name']}-{case['method']}")
def test_dependent_values_are_tested_as_arviz_does(case):
    found = uniformity_test(case["u"], method=case["method"])
    assert found.p_value == pytest.approx(case["p_value"], rel=1e-9)
    if case["method"] != "prit":  # ArviZ's p-values of single ranks may exceed 1, and then count as evidence
        np.testing.assert_allclose(np.sort(found.influence), np.sort(case["influence"]), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", ["ecdf", "pot", "piet", "prit"])
def test_right_forecasts_are_rarely_rejected_and_wrong_ones_are(method):
    rng = np.random.default_rng(3)
    rejected = np.mean([uniformity_test(rng.random(200), method).p_value < 0.05 for _ in range(400)])
    assert rejected < 0.05 + 4.5 * np.sqrt(0.05 * 0.95 / 400)
    assert uniformity_test(rng.beta(0.3, 0.3, 200), method).p_value < 0.001  # intervals are too narrow
    # every value ten times over: as dependent as values can be
    dependent = np.mean([uniformity_test(np.repeat(rng.random(20), 10), "piet").p_value < 0.05 for _ in range(200)])
    assert dependent < 0.1


def test_a_value_in_the_very_middle_hides_nothing():
    u = np.append(np.full(30, 1e-9), 0.5)
    assert uniformity_test(u, "piet").p_value < 1e-6


@pytest.mark.parametrize("wrong", [[0.2, 1.2], [], [[0.1]], [0.1, np.nan]])
def test_what_is_no_value_of_a_transform_is_refused(wrong):
    with pytest.raises(DataError, match="u"):
        uniformity_test(wrong)


def test_unknown_test_is_named():
    with pytest.raises(ArgumentError, match="Did you mean 'piet'"):
        uniformity_test([0.1], method="pietc")
