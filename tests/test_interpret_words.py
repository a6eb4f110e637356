"""What users write to `nutslite.interpret`, as names and functions, and what they are shown: notes, pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_interpret import DATA, DRAWS, asked, close

import nutslite as nl
from nutslite import interpret
from nutslite.exceptions import ArgumentError, DataError, PriorError

NAMES = "y ~ x * f + I(z > 0) + exp(z) + (x|g)"
QUOTED = [
    ("x:f[v] > 0", "`x:f[v]` > 0"),
    ("1|g_sigma > x|g_sigma", "`1|g_sigma` > `x|g_sigma`"),
    ("1|g[g1] - 2*x|g[g2] < x", "`1|g[g1]` - 2 * `x|g[g2]` < x"),
    ("f[v] > f['w']", "`f[v]` > `f[w]`"),
    ("I(z > 0) > 0", "`I(z > 0)` > 0"),
    ("x:f[v] > `x:f[w]` + x", "`x:f[v]` > `x:f[w]` + x"),
]


@pytest.mark.parametrize(("text", "quoted"), QUOTED)
def test_names_that_are_no_arithmetic_need_no_quotes(text, quoted):
    model, results, _ = asked(NAMES)
    plain, same = (interpret.hypothesis(model, results, one).drop(columns="hypothesis") for one in (text, quoted))
    pd.testing.assert_frame_equal(plain, same)


def test_arithmetic_is_arithmetic_where_a_term_has_its_name():
    model, results, d = asked(NAMES)
    table = interpret.hypothesis(model, results, ["exp(x) > 0", "`exp(z)` > 0"])
    assert table["estimate"][0] == pytest.approx(np.exp(d["x"]).mean())
    assert table["estimate"][1] == pytest.approx(d["exp(z)"].mean())


def test_messages_have_the_names_of_users():
    model, results, _ = asked(NAMES)
    with pytest.raises(ArgumentError) as caught:
        interpret.hypothesis(model, results, "x:f[v]:q > 0")
    assert "quoted" not in str(caught.value)
    assert "`x:f[v]`" in str(caught.value)


def test_hypotheses_of_draws_that_are_no_numbers_are_told():
    model, results, d = asked("y ~ x")
    unknown = int((d["x"] < 0).sum())
    with pytest.warns(nl.NutsliteWarning, match=f"{unknown} of {DRAWS} draws are nan"):
        interpret.hypothesis(model, results, "log(x) > 0")


def test_densities_need_draws_and_a_prior():
    model, results, _ = asked("y ~ x")
    with pytest.raises(DataError, match="1 draws are too few"):
        interpret.hypothesis(model, results.isel(draw=[0]), "x = 0")
    flat = nl.Model("y ~ x", DATA, priors={"x": nl.Prior("Flat")})
    with pytest.raises(PriorError, match=r"density of the prior.*'x'"):
        interpret.hypothesis(flat, results, "x = 0")


def test_an_answer_is_a_hypothesis_of_its_own():
    model, results, d = asked("y ~ x")
    found = interpret.predictions(model, results, {"x": [0.0]}).hypothesis(equivalence=(-1.0, 1.0))
    assert found.summary["p_inside"].tolist() == [(np.abs(d["Intercept"]) < 1.0).mean()]


def test_functions_are_called_with_before_and_after():
    model, results, d = asked("y ~ x")
    found = interpret.comparisons(model, results, {"x": [0.0, 1.0]}, {"x": [0.0]}, comparison=lambda a, b: b - 2.0 * a)
    close(found, (d["x"] - d["Intercept"])[:, None])
    assert found.summary["estimate_type"].tolist() == ["custom"]


def test_functions_of_covariates_keep_rows_and_levels():
    model, results, _ = asked("y ~ x + f")
    shouted = {"f": lambda column: column.astype(str).str.upper(), "x": lambda column: [f"{x:g} m" for x in column]}
    found = interpret.predictions(model, results, {"x": [0.0], "f": ["u", "w"]}, transforms=shouted).summary
    assert found[["x", "f"]].to_numpy().tolist() == [["0 m", "U"], ["0 m", "W"]]


def test_tables_and_their_notes_fit_a_terminal():
    model, results, _ = asked("y ~ x + (1|g)")
    for options in ({}, {"groups": "new"}, {"groups": "population", "integrate": 3}, {"prob": [0.5, 0.94]}):
        text = str(interpret.avg_predictions(model, results, **options))
        assert max(len(line) for line in text.splitlines()) <= 80


def test_wide_tables_break_between_columns(monkeypatch):
    """In a terminal, between columns; a pipe has whole lines."""
    model, results, _ = asked("y ~ x + z + a + f + b + n + (1|g)")
    found = interpret.comparisons(model, results, "x", newdata=DATA.head(3))
    assert max(map(len, str(found).splitlines())) > 80
    monkeypatch.setenv("COLUMNS", "80")
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 80
    assert "upper" in str(found)


def test_notes_tell_groups_that_are_new():
    model, results, _ = asked("y ~ x + (1|g)")
    rows = DATA.head(2).assign(g="another")
    assert "effects of a new group" in interpret.predictions(model, results, newdata=rows, sample_new_groups=True).note


def test_names_of_other_packages_lead_to_ours():
    with pytest.raises(AttributeError, match=r"no attribute 'VarCorr'\. Did you mean 'varcorr'\?"):
        interpret.VarCorr  # noqa: B018


class TestPictures:
    """What is drawn, and what is not."""

    def test_answers_that_would_lie_over_each_other(self):
        model, results, _ = asked("hit ~ x * f", "bernoulli")
        with pytest.raises(ArgumentError, match=r"180 answers at 3 places.*by=.*conditional="):
            interpret.plot_comparisons(model, results, "f")
        interpret.plot_comparisons(model, results, "f", by=True)
        interpret.plot_predictions(model, results, {"x": [0.0, 0.0, 1.0]})

    def test_legends_have_what_a_panel_shows(self):
        model, results, _ = asked("y ~ x + f + b")
        figure = interpret.plot_comparisons(model, results, ["f", "b"], {"x": [0.0, 1.0]})
        legends = [ax.get_legend() for ax in figure.axes]
        shown = [[text.get_text() for text in legend.get_texts()] for legend in legends if legend is not None]
        assert shown == [["f"], ["f"], ["f"], ["b"]]

    def test_legends_keep_clear_of_bars(self):
        """The legend knows lines, and no collections of them."""
        model, results, _ = asked("y ~ x + f + b")
        ax = interpret.plot_predictions(model, results, ["f", "b"]).axes[0]
        bars = [line for line in ax.lines if line.get_marker() == "None" and np.size(line.get_xdata()) == 2]
        assert len(bars) == 6
        assert not ax.collections

    def test_what_was_observed_lies_side_by_side(self):
        model, results, _ = asked("y ~ x + f")
        ax = interpret.plot_predictions(model, results, "f", points=True).axes[0]
        (dots,) = (line for line in ax.lines if line.get_marker() == ".")
        across = np.asarray(dots.get_xdata(), dtype=float)
        assert np.unique(across).size == len(DATA)
        levels = [["u", "v", "w"].index(level) for level in DATA["f"]]
        assert np.abs(across - levels).max() <= 0.1
        np.testing.assert_array_equal(np.asarray(dots.get_ydata(), dtype=float), DATA["y"])

    def test_responses_are_called_without_what_stands_around_them(self):
        model, results, _ = asked("weighted(r, weight) ~ x + f + b", "cumulative")
        figure = interpret.plot_predictions(model, results, ["f", "b"])
        assert [ax.get_title() for ax in figure.axes] == ["r = low", "r = mid", "r = high"]
        assert figure.axes[0].get_ylabel() == "probability of r"

    def test_a_share_is_called_a_share(self):
        model, results, _ = asked("p(hit, n) ~ x", "binomial")
        assert interpret.plot_predictions(model, results, "x").axes[0].get_ylabel() == "mean of p(hit, n)"
