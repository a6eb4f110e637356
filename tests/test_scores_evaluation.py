"""Reports of predictions: right ones are inside their ranges as often as these say, wrong ones are found out."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nutslite import scores
from nutslite.exceptions import ArgumentError, ArgumentTypeError, DataError
from nutslite.scores import Prediction, evaluate, expected_range
from nutslite.scores.kinds.censored import Censored
from nutslite.scores.reports.answers import Answers, Asked, CountTable
from nutslite.scores.reports.omnibus import Omnibus, omnibus_of
from nutslite.scores.reports.verdict import away, sentences


@pytest.fixture(autouse=True)
def few_replicates(monkeypatch):
    """Standard errors of numbers that are no means are not what is tested here."""
    monkeypatch.setattr("nutslite.scores.reports.tables.REPLICATES", 20)


def within(reports, names=None):
    """Share of the reports whose number is in its range, by score."""
    tables = [report.table for report in reports]
    names = names or [name for name in tables[0].index if np.isfinite(tables[0].loc[name, "expected_low"])]
    return {
        name: np.mean(
            [t.loc[name, "expected_low"] <= t.loc[name, "estimate"] <= t.loc[name, "expected_high"] for t in tables]
        )
        for name in names
    }


def tolerated(runs, probability=0.95):
    """The share that a right range holds in all but one of 10,000 tests."""
    return stats.binom.ppf(1e-4, runs, probability) / runs


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(12)


def normal_forecast(rng, n):
    mu, sigma = rng.normal(size=n), np.exp(0.3 * rng.normal(size=n))
    return mu, sigma, mu + sigma * rng.standard_normal(n)


# --- right forecasts


@pytest.mark.parametrize("runs", [15, pytest.param(200, marks=pytest.mark.slow)])
def test_right_forecasts_are_in_their_ranges(rng, runs):
    """Every number of the table, in 95 % of runs; together over all numbers, too."""
    labels, reports = np.repeat(np.arange(20), 5), []
    for _ in range(runs):
        mu, sigma, y = normal_forecast(rng, 100)
        reports.append(evaluate(y, Prediction.from_normal(mu, sigma), groups=labels, levels=(0.8, 0.9), simulations=39))
    found = within(reports)
    assert set(found) >= {
        "nll",
        "crps",
        "wis",
        "coverage_90",
        "pit_spread",
        "pit_distance",
        "pit_between_groups",
        "rmse",
    }
    assert min(found.values()) >= tolerated(runs)
    assert 0.9 < np.mean(list(found.values())) < 0.995  # whole numbers of rows covered: a little above


@pytest.mark.parametrize("runs", [15, pytest.param(200, marks=pytest.mark.slow)])
def test_right_counts_are_in_their_ranges(rng, runs):
    reports = []
    for _ in range(runs):
        mu = np.exp(rng.normal(size=80))
        prediction = Prediction.from_distribution("negativebinomial", mu=mu, alpha=np.full(80, 2.0))
        y = prediction.sample(rng, 1)[0]
        reports.append(evaluate(y, prediction, levels=(0.9,), simulations=39))
    found = within(reports)
    assert "coverage_90_randomised" in found
    assert min(found.values()) >= tolerated(runs)
    table = reports[0].table
    assert table.loc["coverage_90", "expected"] > 0.91  # whole numbers hold more than they say
    assert table.loc["coverage_90_randomised", "expected"] == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("runs", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_right_probabilities_are_in_their_ranges(rng, runs):
    reports = []
    for _ in range(runs):
        p = rng.beta(1.0, 2.0, 120)
        y = (rng.random(120) < p).astype(int)
        reports.append(evaluate(y, Prediction.from_probabilities(p), simulations=39))
    found = within(reports)
    assert {"ece", "smooth_ece", "miscalibration", "spiegelhalter_z"} <= set(found)
    assert min(found.values()) >= tolerated(runs)
    assert reports[0].table.loc["ece", "expected"] > 0.05  # not 0 for right probabilities


def test_draws_that_share_what_is_not_known_are_judged_together(rng):
    """A posterior whose rows share one unknown: the range of the bias is that of the unknown, not of rows."""
    inside, naive = [], []
    for _ in range(15):
        shared = rng.normal(size=(300, 1))
        x = shared + 0.3 * rng.standard_normal((300, 60))
        y = rng.normal() + 0.3 * rng.standard_normal(60)
        line = evaluate(y, Prediction.from_draws(x), levels=(0.9,), simulations=39).table.loc["bias"]
        inside.append(line["expected_low"] <= line["estimate"] <= line["expected_high"])
        naive.append(abs(line["estimate"]) < 2 * np.hypot(1, 0.3) / np.sqrt(60))
    assert np.mean(inside) >= tolerated(15)
    assert np.mean(naive) < 0.5


def test_a_perfect_ensemble_of_ten_is_not_called_too_narrow(rng):
    """Its 90 % intervals hold 80 %: no member stands for more. Their range says so."""
    inside = []
    for seed in range(10):
        x = rng.standard_normal((11, 150))
        with pytest.warns(UserWarning, match="10 draws do not reach"):
            report = evaluate(x[0], Prediction.from_draws(x[1:]), levels=(0.9,), simulations=39, seed=seed)
        line = report.table.loc["coverage_90"]
        inside.append(line["expected_low"] <= line["estimate"] <= line["expected_high"])
        assert line["expected"] < 0.86
    assert np.mean(inside) >= tolerated(10)
    assert any("10 draws are too few" in note for note in report.notes)


# --- wrong forecasts


def test_forecasts_that_are_too_narrow_are_found_out(rng):
    mu, sigma, y = normal_forecast(rng, 400)
    report = evaluate(y, Prediction.from_normal(mu, 0.7 * sigma), simulations=39)
    assert report.verdict().startswith("Intervals are too narrow: 90 % intervals hold 7")
    assert report.table.loc["pit_spread", "estimate"] > report.table.loc["pit_spread", "expected_high"]
    wide = evaluate(y, Prediction.from_normal(mu, 1.6 * sigma), simulations=39)
    assert "Intervals are too wide" in wide.verdict()


def test_forecasts_that_are_biased_are_found_out(rng):
    mu, sigma, y = normal_forecast(rng, 400)
    verdict = evaluate(y + 0.4, Prediction.from_normal(mu, sigma), simulations=99).verdict()
    assert "what came is larger than forecast" in verdict
    assert "what came is smaller" in evaluate(y - 0.4, Prediction.from_normal(mu, sigma), simulations=99).verdict()


def test_forecasts_that_ignore_groups_are_found_out(rng):
    """They are right row by row, and their rows are off together."""
    labels = np.repeat(np.arange(40), 10)
    y = 0.6 * rng.standard_normal(40)[labels] + 0.8 * rng.standard_normal(400)
    report = evaluate(y, Prediction.from_normal(np.zeros(400), np.ones(400)), groups=labels, simulations=39)
    assert "the forecast ignores what they share" in report.verdict()
    line = report.table.loc["pit_between_groups"]
    assert line["estimate"] == pytest.approx(1 + 9 * 0.36, rel=0.5)
    known = evaluate(y, Prediction.from_normal(np.zeros(400), np.ones(400)), simulations=39)
    assert "pit_between_groups" not in known.table.index
    assert report.table.loc["crps", "se"] > 1.2 * known.table.loc["crps", "se"]


def test_one_group_that_is_off_is_found_out(rng):
    """Too few of the rows to move any mean, or the average group."""
    labels = np.repeat(np.arange(40), 5)
    y = rng.standard_normal(200) + 3.0 * (labels == 7)
    report = evaluate(y, Prediction.from_normal(np.zeros(200), np.ones(200)), groups=labels, simulations=99)
    assert report.omnibus.adjusted["pit_farthest_group"] == report.omnibus.p_value == 0.01
    assert "off together" in report.verdict()
    line = report.table.loc["pit_farthest_group"]
    z = y[labels == 7].sum() / np.sqrt(5)
    assert line["estimate"] == pytest.approx(abs(z))
    assert np.isnan(line["se"])


def test_probabilities_that_ignore_groups_are_found_out(rng):
    """Of each row by itself they are right; whoever knows the effects is inside all ranges."""
    labels = np.repeat(np.arange(60), 6)
    effect = np.where(rng.random(60) < 0.5, 0.2, 0.8)[labels]
    y = (rng.random(360) < effect).astype(int)
    for p, found in ((np.full(360, 0.5), True), (effect, False)):
        for prediction in (Prediction.from_probabilities(p), Prediction.from_probabilities(np.stack([1 - p, p], 1))):
            report = evaluate(y, prediction, groups=labels, simulations=99)
            assert ("the forecast ignores what they share" in report.verdict()) is found
            line = report.table.loc["residuals_between_groups"]
            assert (line["estimate"] > line["expected_high"]) is np.bool_(found)
    assert line["estimate"] == pytest.approx(1.0, abs=0.6)


@pytest.mark.parametrize("simulations", [19, pytest.param(99, marks=pytest.mark.slow)])
def test_a_right_forecast_has_small_p_values_as_often_as_they_say(rng, simulations):
    """However skewed, tied and correlated numbers are: observed ones are one of so many that are alike."""
    names, both = list("abcde"), [True, True, False, True, False]
    found = []
    for _ in range(1000):
        common = rng.normal(size=(simulations + 1, 1))
        values = common + rng.normal(size=(simulations + 1, 5))
        values[:, 2] = np.exp(2.0 * values[:, 2])
        values[:, 3] = np.round(values[:, 3])
        values[:, 4] = 1.0  # never changes
        result = omnibus_of(names, both, values[0], values[1:])
        assert set(result.adjusted) == set("abcd")
        assert result.p_value == min(result.adjusted.values())
        found.append(result.p_value)
    assert stats.binomtest(int(np.sum(np.array(found) <= 0.05)), 1000, 0.05).pvalue > 1e-3


def test_sides_that_are_no_fault_do_not_count(rng):
    simulated = rng.normal(size=(99, 2))
    below = omnibus_of(["a", "b"], [True, False], np.array([0.0, -5.0]), simulated)
    above = omnibus_of(["a", "b"], [True, False], np.array([0.0, 5.0]), simulated)
    assert below.adjusted["b"] == 1.0
    assert above.adjusted["b"] == above.p_value == 0.01
    assert omnibus_of(["a"], [True], np.array([np.inf]), simulated[:, :1]) is None
    assert omnibus_of(["a"], [True], np.array([1.0]), simulated[:0, :1]) is None


def test_a_number_a_little_outside_its_range_is_no_fault(rng):
    """Of a dozen numbers one is, by chance; the verdict says so and does not call intervals wrong."""
    mu, sigma, y = normal_forecast(rng, 200)
    report = evaluate(y, Prediction.from_normal(mu, sigma), simulations=99)
    line = report.table.loc["coverage_90"].copy()
    line["estimate"] = line["expected_low"] - 0.005
    table = report.table.copy()
    table.loc["coverage_90"] = line
    by_itself = sentences(table)[0]
    assert by_itself.startswith("Intervals are too narrow: 90 % intervals hold")
    adjusted = dict.fromkeys(report.omnibus.adjusted, 0.4)
    assert sentences(table, Omnibus(0.4, adjusted))[0].startswith("Intervals are narrow by no more than chance makes")
    assert sentences(table, Omnibus(0.01, {**adjusted, "coverage_90": 0.01}))[0] == by_itself


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda p: p**2, "too low"),
        (lambda p: 1 - (1 - p) ** 2, "too high"),
        (lambda p: stats.norm.cdf(2.5 * stats.norm.ppf(p)), "too extreme"),
        (lambda p: stats.norm.cdf(0.4 * stats.norm.ppf(p)), "not extreme enough"),
    ],
)
def test_wrong_probabilities_are_found_out_in_words(wrong, words):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        p = rng.random(800)
        y = (rng.random(800) < p).astype(int)
        report = evaluate(y, Prediction.from_probabilities(wrong(p)), simulations=19)
        assert f"Probabilities are not calibrated, {words}" in report.verdict()
    for name in ("smooth_ece", "ece", "miscalibration"):
        assert report.table.loc[name, "estimate"] > report.table.loc[name, "expected_high"]


def test_intervals_of_one_width_are_right_on_the_whole_and_wrong_in_parts(rng):
    sigma = np.repeat([0.5, 1.5], 300)
    y = sigma * rng.standard_normal(600)
    by = np.repeat(["calm", "wild"], 300)
    report = evaluate(y, Prediction.from_normal(np.zeros(600), np.full(600, 1.0)), by=by, simulations=39, levels=(0.9,))
    lines = report.by.xs("coverage_90", level="score")
    assert lines.loc["calm", "estimate"] > lines.loc["calm", "expected_high"]
    assert lines.loc["wild", "estimate"] < lines.loc["wild", "expected_low"]
    bins = evaluate(y, Prediction.from_normal(np.zeros(600), sigma), by=rng.random(600), simulations=0).by
    assert len(bins.index.get_level_values("by").unique()) == 5


# --- what the table says


def test_numbers_are_those_of_the_functions(rng):
    mu, sigma, y = normal_forecast(rng, 50)
    prediction = Prediction.from_normal(mu, sigma)
    report = evaluate(y, prediction, levels=(0.5, 0.9), quantiles=(0.7,), simulations=0)
    table, rows = report.table, report.pointwise
    assert list(table.index[:3]) == ["nll", "crps", "wis"]
    assert list(table.index[-3:]) == ["bias", "rmse", "mae"]
    np.testing.assert_allclose(rows["nll"], -stats.norm.logpdf(y, mu, sigma), rtol=1e-12)
    np.testing.assert_allclose(rows["crps"], scores.crps_gaussian(y, mu, sigma), rtol=1e-12)
    low, high = prediction.interval(0.9)
    np.testing.assert_array_equal(rows["coverage_90"], scores.coverage(y, low, high))
    q = prediction.quantile([0.05, 0.25, 0.5, 0.75, 0.95])
    np.testing.assert_allclose(rows["wis"], scores.wis(y, q, [0.05, 0.25, 0.5, 0.75, 0.95]), rtol=1e-12)
    np.testing.assert_allclose(rows["pinball_70"], scores.pinball(y, prediction.quantile(0.7), 0.7), rtol=1e-12)
    np.testing.assert_allclose(rows["pit"], stats.norm.cdf(y, mu, sigma), rtol=1e-12)
    assert table.loc["rmse", "estimate"] == pytest.approx(np.sqrt(np.mean((y - mu) ** 2)))
    assert table.loc["nll", "se"] == pytest.approx(rows["nll"].std() / np.sqrt(50))
    assert table["expected"].isna().sum() == len(table) - 2  # of coverages alone the nominal value is known


def test_draws_and_mixtures_are_scored_as_by_themselves(rng):
    y = rng.normal(size=30)
    x = rng.normal(size=(500, 30))
    rows = evaluate(y, Prediction.from_draws(x), simulations=0).pointwise
    np.testing.assert_allclose(rows["crps"], scores.crps(y, x), rtol=1e-12)
    mixture = Prediction.from_mixture("gamma", mu=rng.uniform(1, 2, (7, 30)), alpha=np.full((7, 1), 3.0))
    rows = evaluate(np.abs(y), mixture, simulations=0).pointwise
    np.testing.assert_allclose(rows["crps"], mixture.crps(np.abs(y)), rtol=1e-9)


def test_answers_to_counts_are_looked_up_rightly(rng):
    asked = Asked(Prediction.from_distribution("poisson", mu=np.array([0.5, 3.0, 20.0])), ())
    sets = rng.poisson([0.5, 3.0, 20.0], (25, 3)).astype(float)
    table = CountTable(asked, sets)
    assert len(table.distinct) < 25
    for place, y in enumerate(sets):
        looked_up, plain = table.answers(place, rng), Answers(asked, y, rng)
        np.testing.assert_array_equal(looked_up.nll, plain.nll)
        np.testing.assert_array_equal(looked_up.crps, plain.crps)
        np.testing.assert_array_equal(looked_up.ask("cdf_below"), plain.ask("cdf_below"))


def test_quantiles_and_intervals_are_judged_by_what_they_say(rng):
    y = rng.normal(size=200)
    levels = np.array([0.1, 0.5, 0.9])
    report = evaluate(y, Prediction.from_quantiles(np.tile(stats.norm.ppf(levels), (200, 1)), levels))
    assert {"wis", "coverage_80", "width_80", "below_10", "pinball_90", "mae"} <= set(report.table.index)
    line = report.table.loc["below_10"]
    assert (line["expected"], line["expected_low"]) == pytest.approx((0.1, stats.binom.ppf(0.025, 200, 0.1) / 200))
    assert "nll" not in report.table.index
    narrow = evaluate(y, Prediction.from_interval(np.full(200, -0.7), np.full(200, 0.7), prob=0.9))
    assert narrow.verdict().startswith("Intervals are too narrow")
    assert list(narrow.table.index) == ["interval_score_90", "coverage_90", "width_90"]
    crossed = evaluate(y, Prediction.from_quantiles(np.tile([0.0, 1.0], (200, 1)), [0.9, 0.1]), simulations=0)
    assert "Quantiles cross in 200 of 200 rows" in " ".join(crossed.notes)


def test_several_classes(rng):
    p = rng.dirichlet(np.ones(3), 200)
    y = np.array(["a", "b", "c"])[(rng.random((200, 1)) > np.cumsum(p, axis=1)).sum(axis=1)]
    report = evaluate(y, Prediction.from_probabilities(p, classes=["a", "b", "c"]), simulations=39)
    assert {"log_loss", "brier", "confidence_ece", "top_label_ece", "classwise_ece"} <= set(report.table.index)
    assert "are calibrated as far as 200 rows can tell" in report.verdict()
    sure = (p**6) / (p**6).sum(axis=1, keepdims=True)
    wrong = evaluate(y, Prediction.from_probabilities(sure, classes=["a", "b", "c"]), simulations=39)
    assert "too sure of the likeliest class" in wrong.verdict()


def test_a_distribution_of_events_is_judged_as_events(rng):
    p = rng.random(60)
    y = (rng.random(60) < p).astype(int)
    by_name = evaluate(y, Prediction.from_distribution("bernoulli", p=p), simulations=0)
    np.testing.assert_allclose(by_name.table.loc["log_loss", "estimate"], np.mean(scores.log_loss(y, p)), rtol=1e-9)


def test_what_was_held_impossible_is_said(rng):
    report = evaluate([0, 1], Prediction.from_probabilities([1.0, 0.5]), simulations=39)
    assert report.table.loc["log_loss", "estimate"] == np.inf
    assert "1 observations were held impossible" in " ".join(report.notes)
    assert json.loads(json.dumps(report.to_dict()))["table"]["log_loss"]["estimate"] == "inf"


@pytest.mark.parametrize("shape", [(4,), (3, 4)])
def test_forecasts_without_a_mean_have_no_bias(shape):
    prediction = Prediction.from_distribution("t", nu=np.full(shape, 0.9), mu=np.zeros(shape), sigma=np.ones(shape))
    report = evaluate([0.0, 1.0, -3.0, 50.0], prediction, simulations=19)
    assert report.table.loc["crps", "estimate"] == np.inf
    assert np.isfinite(report.table.loc["nll", "expected"])
    assert {"bias", "rmse"}.isdisjoint(report.table.index)
    assert "Intervals" in report.verdict()


def test_reports_are_text_html_and_json_and_come_again(rng):
    mu, sigma, y = normal_forecast(rng, 40)
    labels = pd.Series(np.repeat(["a", "b", "c", "d"], 10), index=pd.RangeIndex(100, 140))
    series = pd.Series(y, index=labels.index)
    prediction = Prediction.from_normal(mu, sigma)
    report = evaluate(series, prediction, groups=labels, by=labels, simulations=39, seed=3)
    assert list(report.pointwise.index) == list(range(100, 140))
    record = json.loads(json.dumps(report.to_dict()))
    assert record["groups"] == 4
    assert record["by"][0]["by"] == "a"
    assert record["verdict"] == report.verdict()
    assert report.verdict() in str(report)
    assert "<table" in report._repr_html_()
    again = evaluate(series, prediction, groups=labels, by=labels, simulations=39, seed=3)
    pd.testing.assert_frame_equal(report.table, again.table)


def test_weights_are_repeated_rows(rng):
    mu, sigma, y = normal_forecast(rng, 30)
    times = rng.integers(1, 4, 30)
    weighted = evaluate(y, Prediction.from_normal(mu, sigma), weights=times, simulations=0).table
    prediction = Prediction.from_normal(np.repeat(mu, times), np.repeat(sigma, times))
    repeated = evaluate(np.repeat(y, times), prediction, simulations=0).table
    np.testing.assert_allclose(weighted["estimate"], repeated["estimate"], rtol=1e-10)


def test_expected_range_of_any_statistic(rng):
    prediction = Prediction.from_normal(np.zeros(50), np.full(50, 2.0))
    found = expected_range(lambda y, P: np.mean(y**2), prediction, simulations=399)
    assert found.mean == pytest.approx(4.0, abs=0.2)
    exact = 4.0 * stats.chi2(50).ppf([0.025, 0.975]) / 50
    assert (found.low, found.high) == pytest.approx(exact, abs=0.4)
    assert expected_range(lambda y, P: [y[0], y[1]], prediction, simulations=39).mean.shape == (2,)
    with pytest.raises(ArgumentError, match="cannot be drawn from"):
        expected_range(lambda y, P: 0.0, Prediction.from_interval([0.0], [1.0], prob=0.9))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda P: evaluate([0.0, 1.0], [0.0, 1.0]), ArgumentTypeError, "Prediction.from_draws"),
        (lambda P: evaluate([0.0], P), DataError, "y has 1 rows"),
        (lambda P: evaluate([0.0, np.nan], P), DataError, "y must be finite"),
        (lambda P: evaluate([0.0, 1.0], P, groups=["a"]), DataError, "groups has one label for each of 2 rows"),
        (lambda P: evaluate([0.0, 1.0], P, weights=[0.0, 0.0]), DataError, "not all zero"),
        (lambda P: evaluate([0.0, 1.0], P, levels=0.9), ArgumentTypeError, "levels is a sequence"),
        (lambda P: evaluate([0.0, 1.0], P, levels=[90]), ArgumentError, "For 90 per cent write 0.9"),
        (lambda P: evaluate([0.0, 1.0], P, simulations=-1), ArgumentError, "simulations"),
        (lambda P: evaluate([0.0, 1.0], P, seed="one"), ArgumentError, "seed"),
        (
            lambda P: evaluate(pd.Series([0.0, 1.0]), P, groups=pd.Series(["a", "b"], index=[1, 0])),
            DataError,
            "other row labels than y",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call(Prediction.from_normal(np.zeros(2), np.ones(2)))


# --- rows of a group at once


def test_joint_scores_are_those_of_the_functions_and_see_what_rows_share():
    """Rows of a group share half of their variance: right draws know, draws with the same margins do not."""
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, 6, 60)
    labels = np.repeat(np.arange(60), sizes)
    rng.shuffle(labels)

    def drawn(size):
        return (rng.standard_normal((size, 60))[:, labels] + rng.standard_normal((size, labels.size))) / np.sqrt(2)

    x, y = drawn(400), drawn(1)[0]
    apart = rng.standard_normal((400, labels.size))
    options = {"groups": labels, "levels": (0.9,), "simulations": 59, "joint": ("variogram", "energy", "dss")}
    right, wrong = (
        evaluate(y, Prediction.from_draws(x), **options),
        evaluate(y, Prediction.from_draws(apart), **options),
    )
    assert list(right.table.index[:7]) == ["crps", "wis", "energy", "variogram", "dss", "coverage_90", "width_90"]
    assert right.joint is not None
    for group in range(60):
        inside = labels == group
        line = right.joint.loc[group]
        assert line["rows"] == sizes[group]
        assert line["energy"] == pytest.approx(float(scores.energy_score(y[inside], x[:, inside])), rel=1e-12)
        assert line["variogram"] == pytest.approx(float(scores.variogram_score(y[inside], x[:, inside])), rel=1e-12)
        assert line["dss"] == pytest.approx(float(scores.dss(y[inside], x[:, inside])), rel=1e-12)
    for name in ("energy", "variogram", "dss"):
        line = right.table.loc[name]
        assert line["estimate"] == pytest.approx(right.joint[name].mean())
        assert line["se"] == pytest.approx(right.joint[name].std() / np.sqrt(60))
        assert line["n"] == 60
        assert abs(away(line)) < 2.0
        assert line["estimate"] < wrong.table.loc[name, "estimate"]
    assert abs(wrong.table.loc["crps", "estimate"] - right.table.loc["crps", "estimate"]) < 0.05


def test_weights_of_rows_are_weights_of_their_groups():
    rng = np.random.default_rng(5)
    mu, sigma, y = normal_forecast(rng, 12)
    labels, times = np.repeat([0, 1, 2], 4), np.repeat([1, 3, 2], 4)
    report = evaluate(
        y, Prediction.from_normal(mu, sigma), groups=labels, sample_weight=times, joint="energy", simulations=0
    )
    mean = np.average(report.joint["energy"], weights=[1, 3, 2])
    assert report.table.loc["energy", "estimate"] == pytest.approx(mean)


# --- responses that were not all seen


def censored(rng, y, whole=False):
    """Responses with limits of all kinds, at random: what stands for each, its status, lower ends."""
    status = rng.integers(0, 4, y.size)
    limit = rng.poisson(3.0, y.size).astype(float) if whole else rng.standard_normal(y.size)
    lower, upper = np.minimum(limit, limit + 1.0), limit + 1.0
    status = np.where((status == 1) & (y > limit), 0, status)
    status = np.where((status == 2) & (y < limit), 0, status)
    status = np.where((status == 3) & ~((lower < y) & (y <= upper)), 0, status)
    seen = np.where(status == 3, upper, np.where(status > 0, limit, y))
    return seen, status, np.where(status == 3, lower, seen)


@pytest.mark.parametrize("whole", [False, True], ids=["normal", "counts"])
def test_right_forecasts_of_censored_responses_have_a_uniform_transform(whole):
    rng = np.random.default_rng(6)
    if whole:
        prediction = Prediction.from_distribution("poisson", mu=np.full(4000, 3.0))
    else:
        prediction = Prediction.from_normal(rng.normal(size=4000), np.full(4000, 1.5))
    y, status, lower = censored(rng, prediction.sample(rng, 1)[0], whole)
    given = Prediction(Censored(prediction.kind, y, status, lower, np.zeros(4000)))
    report = evaluate(y, given, levels=(0.9,), simulations=39)
    assert 0.1 < np.mean(status > 0) < 0.9
    assert stats.kstest(report.pointwise["pit"], "uniform").pvalue > 1e-3
    assert abs(away(report.table.loc["coverage_90_randomised"])) < 2.0
    assert np.isnan(report.table.loc["nll", "expected"])
    assert {"crps", "wis", "mae", "rmse", "coverage_90"}.isdisjoint(report.table.index)
    assert "responses were not seen" in " ".join(report.notes)
    if not whole:
        kind = prediction.kind
        narrow = Prediction.from_normal(kind.parameters[0], 0.6 * kind.parameters[1])
        wrong = Prediction(Censored(narrow.kind, y, status, lower, np.zeros(4000)))
        assert "too narrow" in evaluate(y, wrong, levels=(0.9,), simulations=39).verdict()


def test_pictures_of_censored_responses():
    rng = np.random.default_rng(5)
    prediction = Prediction.from_normal(np.zeros(60), np.ones(60))
    y, status, lower = censored(rng, prediction.sample(rng, 1)[0])
    report = evaluate(y, Prediction(Censored(prediction.kind, y, status, lower, np.zeros(60))), simulations=0)
    assert len(report.plot().figure.axes) >= 3
    report.plot_pit(kind="histogram")
    for picture in (report.plot_reliability, lambda: report.plot_fan(y)):
        with pytest.raises(ArgumentError, match="Not all responses were seen"):
            picture()


# --- as trees of data


def test_reports_are_trees_of_data(tmp_path):
    rng = np.random.default_rng(7)
    xarray = pytest.importorskip("xarray")
    mu, sigma, y = normal_forecast(rng, 30)
    series = pd.Series(y, index=[f"row {k}" for k in range(30)])
    by = np.repeat(["a", "b", "c"], 10)
    report = evaluate(series, Prediction.from_normal(mu, sigma), groups=by, by=by, joint="energy", simulations=19)
    tree = report.to_datatree()
    assert isinstance(tree, xarray.DataTree)
    assert tree.attrs["verdict"] == report.verdict()
    assert float(tree["table"]["estimate"].sel(score="crps")) == report.table.loc["crps", "estimate"]
    assert float(tree["by"]["estimate"].sel(label="b", score="crps")) == report.by.loc[("b", "crps"), "estimate"]
    np.testing.assert_array_equal(tree["pointwise"]["pit"], report.pointwise["pit"])
    assert tree["pointwise"]["row"].to_numpy()[3] == "row 3"
    assert tree["joint"].sizes == {"group": 3}
    tree.to_netcdf(tmp_path / "report.nc", engine="h5netcdf")
    stored = xarray.open_datatree(tmp_path / "report.nc", engine="h5netcdf")
    assert str(stored["table"]["better"].sel(score="crps").to_numpy()) == "lower"
    stored.close()
    grouped = evaluate(
        pd.Series(y, index=pd.MultiIndex.from_product([["u", "v"], range(15)], names=["who", "when"])),
        Prediction.from_normal(mu, sigma),
        simulations=0,
    ).to_datatree()
    assert list(grouped["pointwise"]["who"].to_numpy()[[0, 29]]) == ["u", "v"]
