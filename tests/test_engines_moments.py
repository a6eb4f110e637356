"""Moments against NumPy, whatever the blocks, and few rows that have the same."""

from __future__ import annotations

import functools
import itertools
import operator

import numpy as np
import pytest

from nutslite.engines.moments import Line, Moments


@pytest.fixture
def numbers():
    rng = np.random.default_rng(1)
    rows = (
        rng.normal(size=(4, 500)) * np.array([1.0, 1e-3, 1e4, 1.0])[:, None] + np.array([0.0, 5.0, 1e9, -3.0])[:, None]
    )
    rows[3] += rows[1] * 100.0
    return rows


@pytest.mark.parametrize("weighted", [False, True])
def test_blocks_add_up_to_the_moments_of_all_rows(numbers, weighted):
    weights = np.random.default_rng(2).uniform(0.0, 3.0, 500) if weighted else None
    edges = [0, 1, 7, 300, 500]
    parts = [
        Moments.of(numbers[:, a:b], None if weights is None else weights[a:b]) for a, b in itertools.pairwise(edges)
    ]
    found = functools.reduce(operator.add, parts)
    assert found.rows == 500
    assert found.weight == pytest.approx(500.0 if weights is None else weights.sum())
    assert found.mean == pytest.approx(np.average(numbers, axis=1, weights=weights), rel=1e-13)
    expected = np.cov(numbers, aweights=weights, ddof=0)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert np.abs(found.scatter / found.weight - expected).max() < 1e-6 * scale.max()
    assert np.all(np.abs(found.scatter / found.weight - expected) < 1e-6 * scale)


def test_a_block_without_weight_changes_nothing(numbers):
    nothing = Moments.of(numbers[:, :5] + 1e6, np.zeros(5))
    own = Moments.of(numbers)
    for both in (own + nothing, nothing + own):
        assert both.rows == 505
        assert np.array_equal(both.mean, own.mean)
        assert np.array_equal(both.scatter, own.scatter)


@pytest.mark.parametrize("fewest", [1, 7, 64])
def test_equivalent_rows_have_the_same_moments(numbers, fewest):
    numbers[2] = 4.0  # a constant
    numbers = np.concatenate([numbers, numbers[:1] - 2.0 * numbers[1:2]])  # a column that others span
    own = Moments.of(numbers)
    rows, weight = own.equivalent_rows(fewest)
    assert rows.shape == (5, max(4, fewest))
    again = Moments.of(rows, np.full(rows.shape[1], weight))
    assert again.weight == pytest.approx(500.0)
    assert again.mean == pytest.approx(own.mean, rel=1e-12)
    scale = np.sqrt(np.outer(np.diag(own.scatter), np.diag(own.scatter)))
    assert np.all(np.abs(again.scatter - own.scatter) <= 1e-9 * scale + 1e-20)
    assert np.ptp(rows[2]) == 0.0


def test_one_row_stands_for_itself():
    rows, weight = Moments.of(np.array([[1.0], [2.0]])).equivalent_rows()
    assert rows.tolist() == [[1.0], [2.0]]
    assert weight == 1.0


def test_the_line_is_taken_off_and_put_on(numbers):
    line = Line.through(numbers[:, :50])
    off = line.off(numbers)
    assert line.on(off) == pytest.approx(numbers, rel=1e-12)
    slopes = np.linalg.lstsq(
        (numbers[:3, :50] - numbers[:3, :50].mean(axis=1)[:, None]).T, numbers[3, :50], rcond=None
    )[0]
    assert line.slopes == pytest.approx(slopes, rel=1e-6)
    assert off[3].std() < numbers[3].std() * 1.01
