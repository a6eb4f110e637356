"""Tests of uniform ranks: against SciPy, against brute force, and against what they should and should not find."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from nutslite.calibration.uniformity import (
    chi_squared_bins,
    chi_squared_tail,
    chi_squared_test,
    ecdf_band,
    ecdf_counts,
    ecdf_test,
)


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
