"""Standard errors of mean scores: by hand, against coverage of their intervals, with and without groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nutslite.exceptions import DataError
from nutslite.scores.sampling_error.standard_errors import (
    bootstrapped,
    difference_with_error,
    mean_with_error,
    root_mean_with_error,
    share_with_error,
)


def test_independent_rows_are_the_usual_formula():
    values = np.random.default_rng(1).standard_normal(12)
    found = mean_with_error(values)
    assert found.se == pytest.approx(values.std(ddof=1) / np.sqrt(12), rel=1e-14)
    expected = stats.t(11, values.mean(), found.se).interval(0.95)
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-12)
    assert mean_with_error(values, groups=np.arange(12)) == pytest.approx(found)


def test_groups_by_hand():
    found = mean_with_error([1.0, 3.0, 2.0, 6.0], groups=["b", "a", "b", "a"], confidence=0.9)
    # deviations from 3: -2, 0, -1, 3; sums: b -3, a 3
    assert found.se == pytest.approx(np.sqrt(2 / 1 * (9 + 9)) / 4)
    assert found.groups == 2
    assert found.high == pytest.approx(3.0 + stats.t.ppf(0.95, 1) * found.se)


def test_weights_are_repeated_rows():
    repeated = mean_with_error([1.0, 1.0, 4.0], groups=["a", "a", "b"])
    weighted = mean_with_error([1.0, 4.0], groups=["a", "b"], weights=[2, 1])
    assert weighted[:4] == pytest.approx(repeated[:4])


def test_intervals_of_grouped_scores_cover_and_those_that_ignore_groups_do_not():
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(15), 10)
    with_groups, without = [], []
    for _ in range(400):
        values = rng.standard_normal(15)[labels] + rng.standard_normal(150)
        for covered, found in [(with_groups, mean_with_error(values, labels)), (without, mean_with_error(values))]:
            covered.append(found.low < 0 < found.high)
    assert abs(np.mean(with_groups) - 0.95) < 4.5 * np.sqrt(0.05 * 0.95 / 400)
    assert np.mean(without) < 0.75


def test_shares_of_grouped_rows_cover():
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(30), 8)
    covered = []
    for _ in range(300):
        p = rng.beta(18.0, 2.0, 30)[labels]  # coverage differs between groups, 0.9 on average
        found = share_with_error((rng.random(240) < p).astype(float), labels)
        assert 0.0 <= found.low <= found.estimate <= found.high <= 1.0
        covered.append(found.low <= 0.9 <= found.high)
    assert np.mean(covered) > 0.95 - 4.5 * np.sqrt(0.05 * 0.95 / 300)
    all_held = share_with_error(np.ones(40), np.repeat([0, 1, 2, 3], 10))
    assert all_held.low == pytest.approx(0.025 ** (1 / 4))  # four groups, not forty rows


def test_roots_are_by_the_delta_method():
    squares = np.random.default_rng(4).chisquare(1, 500)
    found, mean = root_mean_with_error(squares), mean_with_error(squares)
    assert found.estimate == pytest.approx(np.sqrt(squares.mean()))
    assert found.se == pytest.approx(mean.se / 2 / np.sqrt(squares.mean()))
    assert found.high == pytest.approx(np.sqrt(mean.high))
    assert root_mean_with_error([0.0, 0.0]).se == 0.0


def test_bootstrap_agrees_with_formulas_and_draws_whole_groups():
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(40), 5)
    values = rng.standard_normal(40)[labels] + 0.3 * rng.standard_normal(200)

    def mean(weights):
        return float(np.sum(weights * values) / weights.sum())

    assert bootstrapped(mean, 200).se == pytest.approx(mean_with_error(values).se, rel=0.12)
    found = bootstrapped(mean, 200, groups=labels)
    assert found.se == pytest.approx(mean_with_error(values, labels).se, rel=0.12)
    assert found.estimate == pytest.approx(values.mean())
    assert found == bootstrapped(mean, 200, groups=labels)


def test_paired_differences_are_surer_than_means():
    rng = np.random.default_rng(6)
    hard = rng.exponential(5.0, 100)
    found = difference_with_error(hard + 0.1 + 0.05 * rng.standard_normal(100), hard)
    assert found.low > 0.05
    assert found.se < 0.1 * mean_with_error(hard).se


def test_one_group_says_nothing_of_chance_and_infinity_is_no_error():
    assert np.isnan(mean_with_error([1.0, 2.0], groups=["a", "a"]).se)
    found = mean_with_error([1.0, np.inf])
    assert found.estimate == np.inf
    assert np.isnan(found.se)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mean_with_error([]), "at least one"),
        (lambda: mean_with_error([1.0, np.nan]), "nan"),
        (lambda: mean_with_error([1.0], groups=["a", "b"]), "one label for each of 1 rows"),
        (lambda: difference_with_error([1.0], [1.0, 2.0]), "same rows"),
        (lambda: mean_with_error([1.0], weights=[-1.0]), "weights"),
    ],
)
def test_what_cannot_be_is_named(call, words):
    with pytest.raises(DataError, match=words):
        call()
