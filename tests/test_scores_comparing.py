"""Comparisons of forecasts, and weights of their mixture: by hand, against ArviZ, where there is nothing to choose."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nutslite import scores
from nutslite.exceptions import ArgumentError, ArgumentTypeError, DataError
from nutslite.scores import Prediction, compare, evaluate, stack
from nutslite.scores.numerics.simplex import smallest_on_simplex, violation

RECORDED = json.loads((Path(__file__).parent / "fixtures" / "scores_stacking.json").read_text())


@pytest.fixture(scope="module")
def case():
    """Two forecasts of grouped rows, one of which does not know the predictor; and their reports."""
    rng = np.random.default_rng(21)
    mu, labels = rng.normal(size=200), np.repeat(np.arange(20), 10)
    y = mu + 0.7 * rng.standard_normal(20)[labels] + 0.7 * rng.standard_normal(200)
    forecasts = {
        "flat": Prediction.from_normal(np.zeros(200), np.full(200, 1.4)),
        "knows": Prediction.from_normal(mu, np.ones(200)),
    }
    reports = {name: evaluate(y, each, groups=labels, simulations=0, levels=(0.9,)) for name, each in forecasts.items()}
    return y, labels, forecasts, reports


def test_texts_fit_a_terminal(case, monkeypatch):
    """Of a report, a comparison and weights; a pipe has whole lines."""
    y, _, forecasts, reports = case
    found = compare(reports), stack(forecasts, "crps", y=y), evaluate(y, forecasts["flat"], simulations=39)
    assert max(len(line) for line in str(found[2]).splitlines()) > 80
    monkeypatch.setenv("COLUMNS", "80")
    for each in found:
        assert max(len(line) for line in str(each).splitlines()) <= 80
    assert "knows" in str(found[1])


# --- compare


def test_the_best_comes_first_and_differences_are_paired(case):
    y, labels, forecasts, reports = case
    found = compare(reports, "crps")
    assert list(found.table.index) == ["knows", "flat"]
    expected = scores.difference_with_error(forecasts["flat"].crps(y), forecasts["knows"].crps(y), labels)
    line = found.table.loc["flat"]
    assert tuple(line[["difference", "difference_se", "low", "high"]]) == pytest.approx(expected[:4])
    assert line["p_worse"] == pytest.approx(stats.t.cdf(expected.estimate / expected.se, 19))
    assert "Mean crps; lower is better" in str(found)
    assert "There are 20 groups: below 100" in " ".join(found.notes)
    assert "<table" in found._repr_html_()


def test_the_usual_score_follows_what_is_forecast(case):
    assert compare(case[3]).score == "crps"
    y, chances = np.array([0, 1, 1, 0, 1]), {"even": np.full(5, 0.5), "sure": np.array([0.1, 0.9, 0.9, 0.1, 0.9])}
    events = {name: evaluate(y, Prediction.from_probabilities(p), simulations=0) for name, p in chances.items()}
    found = compare(events)
    assert (found.score, found.table.index[0]) == ("log_loss", "sure")


def test_intervals_of_differences_cover():
    rng, covered = np.random.default_rng(22), []
    labels = np.repeat(np.arange(12), 6)
    for _ in range(150):
        hard = rng.exponential(3.0, 72)
        first = hard + 0.4 * rng.standard_normal(12)[labels] + 0.3 * rng.standard_normal(72)
        found = scores.difference_with_error(first, hard, labels)
        covered.append(found.low < 0.0 < found.high)
    assert np.mean(covered) > 0.95 - 4.5 * np.sqrt(0.05 * 0.95 / 150)


def test_a_transformed_response_is_compared_by_its_jacobian():
    """The same forecast, once of y and once of log y, has the same score."""
    rng = np.random.default_rng(23)
    mu = rng.normal(size=60)
    y = np.exp(mu + rng.standard_normal(60))
    reports = {
        "of y": evaluate(y, Prediction.from_distribution("lognormal", mu=mu, sigma=np.ones(60)), simulations=0),
        "of log y": evaluate(np.log(y), Prediction.from_normal(mu, np.ones(60)), simulations=0),
    }
    found = compare(reports, "nll", log_jacobian={"of log y": -np.log(y)})
    assert found.table["difference"].abs().max() < 1e-12
    assert "differ by less than 4" in " ".join(found.notes)
    with pytest.raises(DataError, match="give log_jacobian="):
        compare(reports, "nll")


def test_what_one_forecast_held_impossible_is_said():
    y = np.array([0.0, 1.0, 1.0])
    reports = {
        "sure": evaluate(y, Prediction.from_probabilities([0.0, 1.0, 0.0]), simulations=0),
        "unsure": evaluate(y, Prediction.from_probabilities([0.5, 0.5, 0.5]), simulations=0),
    }
    found = compare(reports, "log_loss")
    assert list(found.table.index) == ["unsure", "sure"]
    assert found.table.loc["sure", "difference"] == np.inf
    assert "sure held 1 observations impossible" in " ".join(found.notes)


def other(y, **options):
    return evaluate(y, Prediction.from_normal(np.zeros(len(y)), np.ones(len(y))), simulations=0, **options)


@pytest.mark.parametrize(
    ("reports", "score", "error", "words"),
    [
        (lambda a, y: {"a": a, "b": other(y[:9])}, "crps", DataError, "'a' has 200 rows and 'b' 9"),
        (lambda a, y: {"a": a, "b": other(y + 1e-12)}, "crps", DataError, "about different observations"),
        (lambda a, y: {"a": a, "b": other(y[::-1])}, "crps", DataError, "about different observations"),
        (lambda a, y: {"a": a, "b": other(pd.Series(y, index=range(1, 201)))}, "crps", DataError, "other labels"),
        (lambda a, y: {"a": a, "b": other(y, weights=np.arange(1, 201))}, "crps", DataError, "different weights"),
        (lambda a, y: {"a": a, "b": other(y, groups=np.arange(200) % 3)}, "crps", DataError, "different groups"),
        (lambda a, y: {"a": a, "b": a}, "coverage_90", ArgumentError, "no proper score"),
        (lambda a, y: {"a": a, "b": a}, "pit_spread", ArgumentError, "no proper score"),
        (lambda a, y: {"a": a, "b": a}, "cprs", ArgumentError, "Did you mean 'crps'"),
        (lambda a, y: {"a": a}, "crps", ArgumentError, "two or more"),
        (lambda a, y: [a, a], "crps", ArgumentTypeError, "reports is a dict"),
    ],
)
def test_what_cannot_be_compared_is_refused(case, reports, score, error, words):
    y, _, _, known = case
    with pytest.raises(error, match=words):
        compare(reports(known["flat"], y), score)


def test_counts_and_continuous_forecasts_are_not_compared():
    y = np.arange(5.0)
    counts = evaluate(y, Prediction.from_distribution("poisson", mu=np.full(5, 2.0)), simulations=0)
    with pytest.raises(DataError, match="probabilities and densities cannot be compared"):
        compare({"counts": counts, "normal": other(y)}, "nll")


# --- stack


def test_weights_are_those_of_arviz():
    found = stack(RECORDED["log_densities"])
    assert found.weights == pytest.approx(RECORDED["stacking"], abs=1e-4)
    assert found.optimality < 1e-8
    p = np.exp(np.array(list(RECORDED["log_densities"].values())))
    w = np.array(list(found.weights.values()))
    gradient = np.mean(p / (w @ p), axis=1)
    assert np.abs(gradient[w > 0] - 1).max() < 1e-8
    assert gradient.max() < 1 + 1e-8


def test_densities_that_underflow_are_weighed():
    """exp of each is 0; the same weights as without the shift."""
    columns = {name: np.array(values) for name, values in RECORDED["log_densities"].items()}
    shift = -np.linspace(800.0, 5000.0, 80)
    found = stack({name: values + shift for name, values in columns.items()})
    assert found.weights == pytest.approx(stack(columns).weights, abs=1e-7)


def test_identical_forecasts_share_equally():
    a, b = np.array(RECORDED["log_densities"]["a"]), np.array(RECORDED["log_densities"]["b"])
    assert stack({"x": a, "y": a}).weights == pytest.approx({"x": 0.5, "y": 0.5})
    found = stack({"x": a, "y": a, "z": b}).weights
    assert found["x"] == pytest.approx(found["y"], abs=1e-9)
    assert found["x"] + found["y"] == pytest.approx(stack({"x": a, "z": b}).weights["x"], abs=1e-6)


def test_pseudo_bma_is_that_of_a_bayesian_bootstrap():
    a, b = np.array(RECORDED["log_densities"]["a"]), np.array(RECORDED["log_densities"]["b"])
    found = stack({"a": a, "b": b}, method="pseudo-bma+", seed=1).weights["a"]
    totals = 80 * np.random.default_rng(2).dirichlet(np.ones(80), 20_000) @ (a - b)
    assert found == pytest.approx(np.mean(1 / (1 + np.exp(-totals))), abs=0.05)
    grouped = stack({"a": a, "b": b}, method="pseudo-bma+", groups=np.repeat([0, 1], 40), seed=1).weights["a"]
    assert 0.0 < grouped < 1.0
    impossible = stack({"a": a, "b": np.where(np.arange(80) == 3, -np.inf, b + 1)}, method="pseudo-bma+")
    assert impossible.weights["a"] == pytest.approx(1.0)


def test_the_mixture_with_the_best_crps(case):
    y, _, forecasts, _ = case
    found = stack(forecasts, "crps", y=y)
    assert found.optimality < 1e-8
    assert found.predict(forecasts).crps(y).mean() == pytest.approx(found.mean_score, abs=6e-3)
    assert found.mean_score <= forecasts["knows"].crps(y).mean() + 2e-3
    for shift in (-0.1, 0.1):  # no other weights are better
        w = np.clip(found.weights["knows"] + shift, 0, 1)
        moved = scores.Stacked({"knows": w, "flat": 1 - w}, "crps", "stacking", 0.0, 0.0)
        assert moved.predict(forecasts).crps(y).mean() > found.mean_score - 6e-3


def test_the_mixture_with_the_best_brier_score():
    rng = np.random.default_rng(24)
    p = rng.random(300)
    y = (rng.random(300) < p).astype(int)
    first, second = np.clip(p + 0.3, 0, 1), np.clip(p - 0.25, 0, 1)
    forecasts = {"high": Prediction.from_probabilities(first), "low": Prediction.from_probabilities(second)}
    found = stack(forecasts, "brier", y=y)
    grid = np.linspace(0, 1, 2001)
    best = grid[np.argmin([np.mean((w * first + (1 - w) * second - y) ** 2) for w in grid])]
    assert found.weights["high"] == pytest.approx(best, abs=1e-3)
    mixed = found.predict(forecasts).probabilities()
    np.testing.assert_allclose(mixed, found.weights["high"] * first + found.weights["low"] * second)
    assert np.mean(scores.brier(y, mixed)) == pytest.approx(found.mean_score)


def test_reports_are_stacked_with_their_jacobians(case):
    reports = case[-1]
    by_arrays = stack({name: -report.pointwise["nll"].to_numpy() for name, report in reports.items()})
    assert stack(reports).weights == pytest.approx(by_arrays.weights)


@pytest.mark.parametrize("size", [2, 6, 20])
def test_the_smallest_value_on_the_simplex(size):
    """Against projections by hand: of a quadratic with equal curvature the minimum is the nearest point."""
    rng = np.random.default_rng(size)
    for _ in range(20):
        target = rng.normal(size=size)
        w = smallest_on_simplex(lambda w, t=target: (0.5 * np.sum((w - t) ** 2), w - t, np.eye(size)), size)
        ordered = np.sort(target)[::-1]
        sums = (np.cumsum(ordered) - 1) / np.arange(1, size + 1)
        nearest = np.maximum(target - sums[np.flatnonzero(ordered > sums)[-1]], 0.0)
        np.testing.assert_allclose(w, nearest, atol=1e-9)
        assert violation(w, w - target) < 1e-9


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: stack({"a": [0.0]}), ArgumentTypeError, "two forecasts or more"),
        (lambda: stack({"a": [0.0], "b": [0.0, 1.0]}), DataError, "same rows"),
        (lambda: stack({"a": [-np.inf], "b": [-np.inf]}), DataError, "hold 1 observations impossible"),
        (lambda: stack({"a": [0.0], "b": [1.0]}, "crps", y=[0.0]), ArgumentTypeError, "'a' is a Prediction here"),
        (lambda: stack({"a": [0.0], "b": [1.0]}, "elpd"), ArgumentError, "score is one of"),
        (lambda: stack({"a": [0.0], "b": [1.0]}, "crps", method="pseudo-bma+"), ArgumentError, "take score='nll'"),
    ],
)
def test_what_cannot_be_stacked_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_mixture_needs_all_that_have_a_weight(case):
    _, _, forecasts, _ = case
    found = scores.Stacked({"flat": 0.5, "knows": 0.5}, "crps", "stacking", 0.0, 0.0)
    with pytest.raises(ArgumentError, match="has none for knows"):
        found.predict({"flat": forecasts["flat"]})
