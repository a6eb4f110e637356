"""Pictures of forecasts: what is drawn are the numbers that they should be, and matplotlib is left as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure

from nutslite import scores
from nutslite.exceptions import NutsliteError
from nutslite.scores import Prediction
from nutslite.scores.calibration.bands import band_at, equal_steps, excursion_test
from nutslite.scores.calibration.coverage import coverage_band
from nutslite.scores.calibration.pit import pit_histogram
from nutslite.scores.calibration.reliability import decompose, recalibrated, reliability
from nutslite.scores.evaluation import evaluate
from nutslite.scores.pictures.figures import PlotsMissingError
from nutslite.scores.pictures.pit import bar_band
from nutslite.scores.reports.report import Report
from nutslite.scores.sampling_error.standard_errors import mean_with_error

RNG = np.random.default_rng(8)
N = 60
X = pd.Series(RNG.uniform(0.0, 10.0, N), name="dose")
Y = RNG.normal(X, 2.0)
NORMAL = Prediction.from_normal(X.to_numpy(), np.full(N, 1.5))
LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]
SUBJECT = np.array(list("abc"))[np.arange(N) % 3]
PROBABILITY = RNG.beta(2.0, 2.0, N)
EVENT = (RNG.random(N) < PROBABILITY).astype(int)
COUNT = RNG.poisson(np.exp(0.2 * X))
CLASSES = RNG.dirichlet([2.0, 1.0, 1.0], N)
LABEL = np.array(["x", "y", "z"])[np.arange(N) % 3]

PREDICTIONS: dict[str, tuple[Any, Prediction]] = {
    "normal": (Y, NORMAL),
    "draws": (Y, Prediction.from_draws(NORMAL.sample(1, 100))),
    "weighted draws": (Y, Prediction.from_draws(NORMAL.sample(1, 100), RNG.random((100, N)))),
    "counts": (COUNT, Prediction.from_distribution("poisson", mu=np.exp(0.2 * X.to_numpy()))),
    "count draws": (COUNT, Prediction.from_draws(RNG.poisson(np.exp(0.2 * X), (100, N)))),
    "quantiles": (Y, Prediction.from_quantiles(NORMAL.quantile(LEVELS), LEVELS)),
    "interval": (Y, Prediction.from_interval(*NORMAL.interval(0.8), prob=0.8)),
    "events": (EVENT, Prediction.from_probabilities(PROBABILITY)),
    "classes": (LABEL, Prediction.from_probabilities(CLASSES, ["x", "y", "z"])),
}


def report(name: str) -> Report:
    """A report without simulations, made once for each kind."""
    if name not in REPORTS:
        REPORTS[name] = evaluate(*PREDICTIONS[name], simulations=0)
    return REPORTS[name]


REPORTS: dict[str, Report] = {}


def line(ax: Any, colour: str = "#0072B2") -> Any:
    """The curve of the data."""
    (found,) = [each for each in ax.lines if each.get_color() == colour]
    return found


def area(ax: Any, place: int = 0) -> Any:
    """Lower and upper ends of a filled area by place along x: rows of (x, low, high)."""
    points = ax.collections[place].get_paths()[0].vertices
    return np.array(
        [(x, points[points[:, 0] == x, 1].min(), points[points[:, 0] == x, 1].max()) for x in np.unique(points[:, 0])]
    )


def test_the_transform_is_drawn_less_the_uniform_function_in_its_exact_band():
    u = (np.arange(N) + 0.5) / N + 0.3 * np.sin(np.arange(N)) / N
    ax = scores.plot_pit(u)
    steps = np.array(equal_steps(100))
    share = np.array([np.mean(u <= step) for step in steps])
    np.testing.assert_allclose(line(ax).get_xdata()[1:-1], steps)
    np.testing.assert_allclose(line(ax).get_ydata(), [0.0, *(share - steps), 0.0])
    low, high = band_at(N, equal_steps(100))
    np.testing.assert_allclose(area(ax)[1:-1, 1:], np.stack([low / N - steps, high / N - steps], axis=1))
    p_value = excursion_test(np.round(share * N).astype(int), N, equal_steps(100))
    assert f"p = {p_value:.2f}" in [text.get_text() for text in ax.texts]


def test_bars_are_those_of_the_averaged_histogram_and_the_band_holds_them_together():
    prediction = PREDICTIONS["counts"][1]
    cdf, below = prediction.cdf(COUNT), prediction.cdf_below(COUNT)
    ax = report("counts").plot_pit("histogram", bins=8)
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches[:8]], pit_histogram(cdf, below, 8))
    low, high = bar_band(400, 10, 0.95)
    heights = RNG.multinomial(400, [0.1] * 10, 4000) / 40.0
    held = np.mean(((heights >= low - 1e-9) & (heights <= high + 1e-9)).all(axis=1))
    assert 0.95 - 0.011 < held < 0.98


def test_coverage_of_all_levels_and_of_groups():
    u = RNG.random(N)
    ax = scores.plot_coverage(u)
    levels = line(ax).get_xdata()
    np.testing.assert_allclose(line(ax).get_ydata(), [np.mean(np.abs(2 * u - 1) <= level) for level in levels])
    low, high = coverage_band(N, levels, 0.95)
    np.testing.assert_allclose(area(ax)[1:-1, 1:], np.stack([low, high], axis=1))
    grouped = scores.plot_coverage(u, by=SUBJECT)
    drawn = {each.get_label(): each for each in grouped.lines}
    own = u[SUBJECT == "b"]
    np.testing.assert_allclose(drawn["b (20)"].get_ydata(), [np.mean(np.abs(2 * own - 1) <= each) for each in levels])
    assert len({(each.get_linestyle()) for name, each in drawn.items() if "(20)" in name}) == 3  # without colours too


def test_of_many_groups_those_outside_their_band_are_named():
    groups = np.repeat(np.arange(10), 30)
    u = (np.arange(300) % 30 + 0.5) / 30
    u[groups == 7] = 0.5 + 0.49 * np.sign(u[groups == 7] - 0.5)  # all in the tails
    ax = scores.plot_coverage(u, by=groups)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["7 (30)"]
    assert "1 of 10 groups leave their bands" in ax.get_title(loc="left")


@pytest.mark.parametrize("level", [None, 0.75])
def test_reliability_of_means_and_quantiles(level):
    forecast = NORMAL.mean() if level is None else NORMAL.quantile(level)
    simulated = NORMAL.sample(2, 40)
    ax = scores.plot_reliability(Y, forecast, level, simulated, seed=3)
    order = np.argsort(forecast)
    np.testing.assert_allclose(line(ax).get_xdata(), forecast[order])
    np.testing.assert_allclose(line(ax).get_ydata(), recalibrated(Y, forecast, level)[order])
    found = reliability(Y, forecast, level, simulated)
    np.testing.assert_allclose(area(ax), np.stack([found.forecast, found.low, found.high], axis=1))
    parts = decompose(Y, forecast, "squared_error" if level is None else "pinball", level)
    assert f"miscalibration {parts.miscalibration:.3g}" in ax.get_title(loc="left")
    assert sum(bar.get_height() for bar in ax.child_axes[0].patches) == N


def test_reliability_of_events_and_of_one_class():
    ax = report("events").plot_reliability()
    order = np.argsort(PROBABILITY)
    np.testing.assert_allclose(line(ax).get_ydata(), recalibrated(EVENT, PROBABILITY)[order])
    assert "Brier score" in ax.get_title(loc="left")
    one = report("classes").plot_reliability(label="y")
    order = np.argsort(CLASSES[:, 1])
    np.testing.assert_allclose(line(one).get_ydata(), recalibrated((LABEL == "y") * 1.0, CLASSES[:, 1])[order])
    top = report("classes").plot_reliability()
    np.testing.assert_allclose(line(top).get_xdata(), np.sort(CLASSES.max(axis=1)))


def test_a_fan_has_the_quantiles_and_marks_what_lies_outside():
    few = np.floor(X.to_numpy())
    ax = report("normal").plot_fan(pd.Series(few, name="dose"), levels=(0.5, 0.9))
    widest = area(ax)
    expected = [NORMAL.quantile(0.05)[few == each].mean() for each in np.unique(few)]
    np.testing.assert_allclose(widest[:, 1], expected)
    low, high = NORMAL.interval(0.9)
    outside = (low > Y) | (high < Y)
    crosses = next(each for each in ax.lines if each.get_marker() == "x")
    np.testing.assert_allclose(crosses.get_ydata(), Y[outside])
    assert ax.get_xlabel() == "dose"


def test_widths_of_intervals_and_what_they_hold():
    ax = report("normal").plot_sharpness()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["50 %", "80 %", "90 %", "95 %"]
    held = report("normal").pointwise["coverage_90"].mean()
    assert f"hold {100 * held:.3g} %" in [text.get_text() for text in ax.texts]
    sd = {"network": RNG.gamma(5.0, size=N), "model": RNG.gamma(3.0, size=N)}
    medians = [each.get_xdata()[0] for each in scores.plot_sharpness(sd).lines if each.get_linewidth() == 1.4]
    np.testing.assert_allclose(medians, [np.median(each) for each in sd.values()])


def test_scores_against_a_predictor_have_running_means_with_errors():
    crps = NORMAL.crps(Y)
    ax = scores.plot_scores(crps, X, groups=SUBJECT, window=0.3)
    order = np.argsort(X.to_numpy())[:18]
    first = mean_with_error(crps[order], SUBJECT[order])
    mean = line(ax, "#D55E00")
    assert (mean.get_xdata()[0], mean.get_ydata()[0]) == pytest.approx((X.to_numpy()[order].mean(), first.estimate))
    np.testing.assert_allclose(area(ax)[0], [X.to_numpy()[order].mean(), first.low, first.high])
    by_label = scores.plot_scores(crps, SUBJECT)
    centres = by_label.lines[1].get_ydata()
    np.testing.assert_allclose(centres, [crps[each == SUBJECT].mean() for each in "abc"])
    far = np.where(np.arange(N) == 3, np.inf, crps)
    assert "1 rows above" in scores.plot_scores(far, X).get_title(loc="left")


@pytest.mark.parametrize("name", list(PREDICTIONS))
def test_every_kind_has_an_overview_that_leaves_no_open_figure(name):
    from matplotlib import _pylab_helpers

    open_before = list(_pylab_helpers.Gcf.figs)  # other tests may leave some
    axes = report(name).plot()
    assert isinstance(axes.figure, Figure)
    assert axes._repr_png_().startswith(b"\x89PNG")
    assert list(_pylab_helpers.Gcf.figs) == open_before


def test_users_axes_are_drawn_on_and_given_back():
    given = Figure().add_subplot()
    assert report("normal").plot_pit(ax=given) is given
    assert given.xaxis.label.get_fontsize() == 10  # matplotlib's own
    own = report("normal").plot_pit()
    assert own.figure.get_size_inches()[0] == pytest.approx(80 / 25.4)
    assert own._repr_png_().startswith(b"\x89PNG")


WRONG: list[tuple[Any, tuple[str, ...]]] = [
    (lambda: report("events").plot_pit(), ("take plot_reliability",)),
    (lambda: report("quantiles").plot_pit("histogram"), ("take kind='ecdf'",)),
    (lambda: report("events").plot_fan(X), ("have no intervals",)),
    (lambda: report("events").plot_coverage(), ("plot_reliability",)),
    (lambda: report("events").plot_reliability(0.5), ("level is of quantiles",)),
    (lambda: report("classes").plot_reliability(label="w"), ("label is one of 'x', 'y', 'z'; not 'w'",)),
    (lambda: report("normal").plot_reliability(label="x"), ("label is one of several classes",)),
    (lambda: report("quantiles").plot_reliability(0.6), ("0.6 is not among them",)),
    (lambda: report("normal").plot_pit("ecdff"), ("kind is one of", "Did you mean 'ecdf'")),
    (lambda: report("normal").plot_fan(X[:5]), ("x has one value for each of 60 rows", "(5,)")),
    (lambda: report("normal").plot_fan(np.arange(N).astype(str)), ("x has 60 labels", "40")),
    (lambda: report("normal").plot_fan(pd.date_range("2020", periods=N)), ("x holds numbers, not datetime64",)),
    (lambda: report("normal").plot_scores(X, "crsp"), ("score is one of", "Did you mean 'crps'")),
    (lambda: report("normal").plot_coverage(by=SUBJECT[:3]), ("by has one label for each of 60 rows",)),
    (lambda: report("normal").plot_pit(ax="here"), ("ax is an Axes of matplotlib, not str",)),
    (
        lambda: report("normal").plot_pit(ax=Figure().subplots(2)),
        ("ax is an Axes of matplotlib, not ndarray", "axes[0]"),
    ),
    (lambda: scores.plot_pit([0.1, 1.2]), ("u must lie between 0 and 1",)),
    (lambda: scores.plot_coverage(np.ones((5, 2))), ("give levels=",)),
    (lambda: scores.plot_coverage(np.ones((5, 2)), [0.5, 0.8, 0.9]), ("there are 3 levels",)),
    (lambda: scores.plot_coverage([0.3, 0.4], [0.5]), ("u has 1 where an interval holds",)),
    (
        lambda: scores.plot_fan(Y, X, NORMAL.quantile([0.1, 0.5]), [0.1, 0.5]),
        ("no pair that makes a central interval",),
    ),
    (lambda: scores.plot_sharpness({"a": [-1.0]}), ("widths of 'a' must be finite and not negative",)),
    (lambda: scores.plot_sharpness({}), ("there is nothing to draw",)),
    (lambda: scores.plot_scores([np.inf, np.inf], [0.0, 1.0]), ("No score is finite",)),
    (lambda: scores.plot_scores(Y, X, window=15), ("window lies between 0 and 1",)),
]


@pytest.mark.parametrize(("call", "words"), WRONG, ids=[words[0] for _, words in WRONG])
def test_what_cannot_be_drawn_is_said(call, words):
    with pytest.raises(NutsliteError) as caught:
        call()
    for each in words:
        assert each in str(caught.value)


def test_weights_are_not_left_out_in_silence():
    weighted = evaluate(Y, NORMAL, simulations=0, weights=np.arange(1.0, N + 1.0))
    with pytest.warns(UserWarning, match="count every row once"):
        weighted.plot_pit()


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(PlotsMissingError, match=r'pip install "nutslite\[plots\]"'):
        scores.plot_pit([0.2, 0.7])
