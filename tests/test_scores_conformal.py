"""Quantiles and intervals widened by rows held out: coverage of finite samples, rules worked out by hand, groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nutslite import scores
from nutslite.scores import Prediction

REPETITIONS = 4000


def interval(n: int, prob: float) -> Prediction:
    """The same wrong interval for n rows."""
    return Prediction.from_interval(np.full(n, -0.3), np.full(n, 0.5), prob)


@pytest.mark.parametrize(("n", "prob"), [(9, 0.9), (10, 0.9), (25, 0.8)])
def test_coverage_is_exact_in_finite_samples(n: int, prob: float) -> None:
    """``ceil(p (n + 1)) / (n + 1)`` where there are no ties (Romano, Patterson and Candes, 2019)."""
    rng = np.random.default_rng(n)
    y = rng.standard_t(2, size=(REPETITIONS, n + 1))
    held = 0
    for row in y:
        margin = scores.conformal_margins(row[:n], interval(n, prob))[0]
        held += -0.3 - margin <= row[n] <= 0.5 + margin
    exact = np.ceil(prob * (n + 1) - 1e-9) / (n + 1)
    assert stats.binomtest(int(held), REPETITIONS, exact).pvalue > 1e-3


@pytest.mark.parametrize(("count", "prob"), [(9, 0.8), (30, 0.9)])
def test_groups_that_have_rows_in_common_are_calibrated_as_a_whole(count: int, prob: float) -> None:
    """Rows of a group are alike, and groups differ in size: rows taken for independent hold too little."""
    rng = np.random.default_rng(count)
    held = by_rows = 0
    for _ in range(REPETITIONS // 4):
        sizes = np.where(np.arange(count) < 2, 30, 1)
        rng.shuffle(sizes)
        groups = np.repeat(np.arange(count), sizes)
        y = rng.normal(scale=3.0, size=count)[groups] + rng.normal(size=groups.size)
        new = rng.normal(scale=3.0) + rng.normal()
        margin = scores.conformal_margins(y, interval(groups.size, prob), groups=groups)[0]
        held += -0.3 - margin <= new <= 0.5 + margin
        margin = scores.conformal_margins(y, interval(groups.size, prob))[0]
        by_rows += -0.3 - margin <= new <= 0.5 + margin
    assert held / (REPETITIONS // 4) > prob - 2.0 * np.sqrt(prob * (1 - prob) / (REPETITIONS // 4))
    assert by_rows < held


def test_margins_by_hand() -> None:
    """Of groups of 3, 1 and 2 rows: weights 1/12, 1/4 and 1/8, and 1/4 out of reach."""
    y = np.array([0.1, 0.5, 0.2, 3.0, 1.2, -0.4])
    groups = list("aaabcc")
    outside = np.array([-0.1, -0.5, -0.2, 2.0, 0.2, 0.4])  # of [0, 1]: max(l - y, y - u)
    P = Prediction.from_interval(np.zeros(6), np.ones(6), 0.5)
    np.testing.assert_allclose(np.maximum(-y, y - 1.0), outside)
    # In order: -0.5, -0.2, -0.1 (each 1/12: 1/4), 0.2 (3/8), 0.4 (1/2), 2.0 (3/4).
    np.testing.assert_allclose(scores.conformal_margins(y, P, groups=groups), [0.4, 0.4])
    # Rows: the fourth smallest of six, ceil(0.5 * 7).
    np.testing.assert_allclose(scores.conformal_margins(y, P), [0.2, 0.2])
    each = scores.conformal_margins(y, P, groups=np.arange(6))
    np.testing.assert_array_equal(each, scores.conformal_margins(y, P))


def test_every_level_has_its_own_margin_and_quantiles_stay_in_order() -> None:
    rng = np.random.default_rng(2)
    levels = np.array([0.025, 0.25, 0.5, 0.75, 0.9, 0.975])
    y = rng.normal(size=99)
    q = np.tile(
        stats.norm.ppf(levels) * [0.5, 3.0, 1.0, 3.0, 1.0, 0.5], (99, 1)
    )  # inner ones too wide, outer too narrow
    P = Prediction.from_quantiles(q, levels)
    margins = scores.conformal_margins(y, P)
    rank = lambda x, share: np.sort(x)[int(np.ceil(share * 100 - 1e-9)) - 1]  # noqa: E731
    outer, inner = (np.maximum(q[:, k] - y, y - q[:, -1 - (k and 2)]) for k in (0, 1))
    expected = [rank(outer, 0.95), rank(inner, 0.5), 0.0, rank(inner, 0.5), rank(y - q[:, 4], 0.9), rank(outer, 0.95)]
    np.testing.assert_allclose(margins, expected)
    assert margins[1] < 0.0 < margins[0]
    moved = scores.conformalize(P, y, P).quantile(levels)
    assert (np.diff(moved, axis=1) >= 0.0).all()
    np.testing.assert_array_equal(moved[:, 2], q[:, 2])
    assert ((moved[:, 0] <= y) & (y <= moved[:, -1])).sum() >= 95
    crossed = Prediction.from_quantiles([[2.0, 1.0]], [0.25, 0.75])
    assert (np.diff(scores.conformalize(crossed, np.zeros(3), Prediction.from_quantiles([[0.0, 0.0]] * 3, [0.25, 0.75]))
                    .quantile([0.25, 0.75])) >= 0.0).all()  # fmt: skip
    point = scores.conformalize(interval(1, 0.5), np.full(9, 0.1), interval(9, 0.5)).interval(0.5)
    assert point[0] <= point[1]  # it shrinks to a point at most


def test_a_report_widens_what_it_has_not_seen() -> None:
    rng = np.random.default_rng(4)
    y, groups = pd.Series(rng.normal(size=60)), np.repeat(np.arange(20), 3)
    report = scores.evaluate(y, interval(60, 0.8), groups=groups, simulations=0)
    widened = report.conformalize(interval(2, 0.8)).interval(0.8)
    expected = scores.conformalize(interval(2, 0.8), y, interval(60, 0.8), groups=groups).interval(0.8)
    np.testing.assert_array_equal(widened, expected)
    assert widened[0][0] < -0.3
