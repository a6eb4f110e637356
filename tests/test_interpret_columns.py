"""Questions of `nutslite.interpret` about odd columns: narrow integers, numbers that are levels, names of tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_interpret import DATA, DRAWS, asked, close, drawn

import nutslite as nl
from nutslite import interpret
from nutslite.exceptions import ArgumentError, DataError


@pytest.mark.parametrize("kind", ["int8", "uint8", "Int8"])
def test_the_largest_number_of_a_narrow_column_has_a_next_one(kind):
    """127 + 1 is -128 in int8."""
    top = np.iinfo(kind.lower()).max
    data = DATA.assign(narrow=(DATA["a"] - DATA["a"].max() + top).astype(kind))
    model, results, d = drawn(nl.Model("y ~ narrow", data))
    close(interpret.comparisons(model, results, "narrow"), np.repeat(d["narrow"][:, None], len(data), axis=1))


class TestLevelsThatAreNumbers:
    """x of C(x) and mo(x) has no values between or beyond those of the data."""

    @staticmethod
    def model():
        return asked("y ~ x + mo(n)")

    def test_they_are_compared_as_levels(self):
        model, results, d = drawn(nl.Model("y ~ x + C(n)", DATA))
        found = interpret.comparisons(model, results, {"n": [5, 8]}, {"x": [0.0]})
        close(found, d["C(n)"][:, -1:])
        table = interpret.avg_comparisons(*self.model()[:2]).summary
        assert table["value"].tolist() == ["+1", "5_vs_6", "5_vs_7", "5_vs_8"]

    def test_they_have_no_slope(self):
        model, results, _ = self.model()
        assert interpret.avg_slopes(model, results).summary["term"].tolist() == ["x"]
        with pytest.raises(DataError, match="'n' is a category"):
            interpret.slopes(model, results, "n")


class TestNamesOfTables:
    """Covariates that are called as columns of the tables."""

    @staticmethod
    def model():
        data = DATA.assign(estimate=DATA["x"], value=DATA["z"], term=DATA["f"])
        return drawn(nl.Model("y ~ estimate + value + term", data))

    def test_no_column_is_lost(self):
        model, results, d = self.model()
        found = interpret.predictions(model, results, {"estimate": [0.5, 1.0]}).hypothesis(0.0)
        assert found.summary["estimate_"].tolist() == [0.5, 1.0]
        assert {"value", "term"} <= set(found.summary)
        found = interpret.comparisons(model, results, "estimate", {"value": [0.0, 2.0], "term": ["u", "w"]})
        assert found.summary["value_"].tolist() == [0.0, 0.0, 2.0, 2.0]
        assert found.summary["term_"].tolist() == ["u", "w"] * 2
        assert found.summary["term"].tolist() == ["estimate"] * 4
        close(found, np.repeat(d["estimate"][:, None], 4, axis=1))

    def test_pictures_are_drawn_along_them(self):
        model, results, _ = self.model()
        figure = interpret.plot_comparisons(model, results, "estimate", ["value", "term"])
        assert len(figure.axes[0].lines) == 3
        figure = interpret.predictions(model, results, {"estimate": [0.0, 1.0]}).plot(points=True)
        np.testing.assert_allclose(figure.axes[0].lines[-1].get_xdata(), [0.0, 1.0])
        terms = interpret.plot_predictions(model, results, "term").axes[0]
        assert [label.get_text() for label in terms.get_xticklabels()] == ["u", "v", "w"]


class TestWhichGroups:
    """Groups that a question names are those that it gets."""

    def test_a_named_group_is_compared_at_held_covariates(self):
        model, results, d = asked("y ~ x + (1|g)")
        found = interpret.comparisons(model, results, {"g": ["g1", "g3"]}, {"x": [0.0]})
        close(found, (d["1|g"][:, 2] - d["1|g"][:, 0])[:, None])

    def test_some_of_them_are_refused(self):
        model, results, _ = asked("y ~ x + (1|g) + (1|f)")
        with pytest.raises(ArgumentError, match="names the group 'g' and not 'f'"):
            interpret.predictions(model, results, "g")
        named = interpret.predictions(model, results, "g", groups="observed")
        assert named.summary["g"].tolist() == ["g1", "g2", "g3", "g4"]
        typical = interpret.predictions(model, results, "g", groups="typical").summary
        assert typical["g"].tolist() == ["g1", "g2", "g3", "g4"]

    @pytest.mark.parametrize(("formula", "column"), [("(1|gr(g, cov=K))", "g"), ("(1|C(n))", "n")])
    def test_factors_are_not_always_columns(self, formula, column):
        names = ["g1", "g2", "g3", "g4"]
        known = pd.DataFrame(0.5 + 0.5 * np.eye(4), names, names)
        model, results, d = drawn(nl.Model(f"y ~ x + {formula}", DATA, extra_namespace={"K": known}))
        found = interpret.predictions(model, results, {"x": [0.0], column: None})
        close(found, d["Intercept"][:, None] + d[formula.strip("()") + ")"])
        without = interpret.predictions(model, results, newdata=DATA[["x"]].head(1))
        close(without, d["Intercept"][:, None] + d["x"][:, None] * DATA["x"][0])

    def test_slopes_that_vary_by_group_alone(self):
        model, results, _ = asked("y ~ x + (z|g)")
        assert interpret.avg_slopes(model, results).summary["term"].tolist() == ["x", "z"]


def test_a_column_of_one_value_has_a_slope():
    """There is no range to take a part of."""
    prior = {"one": nl.Prior("Normal", mu=0.0, sigma=1.0)}
    model, results, d = drawn(nl.Model("y ~ 0 + one", DATA.assign(one=2.0), priors=prior))
    close(interpret.slopes(model, results, {"one": [2.0]}), d["one"][:, None], rtol=1e-7)


def test_an_index_may_have_the_name_of_a_column():
    """Of one level or two, with labels that come twice."""
    model, results, _ = asked("y ~ x + f")
    plain = interpret.avg_predictions(model, results, newdata=DATA, by=["f", "f"]).summary
    assert list(plain.columns[:2]) == ["f", "estimate"]
    for names in (["f"], ["f", "b"]):
        again = interpret.avg_predictions(model, results, newdata=DATA.set_index(names, drop=False), by="f").summary
        pd.testing.assert_frame_equal(again, plain)
    model, results, _ = drawn(nl.Model("y ~ x + f", DATA.set_index("f", drop=False)))
    pd.testing.assert_frame_equal(interpret.avg_predictions(model, results, by="f").summary, plain)


def test_what_is_no_number_has_no_probability():
    """Of inf - inf nobody knows the sign."""
    model, results, _ = asked("y ~ x")
    found = interpret.predictions(model, results, {"x": [0.0, 1.0]}, transform=lambda y: np.where(y > 0, np.inf, y))
    table = found.hypothesis("pairwise", equivalence=(-1.0, 1.0)).summary
    assert table[["estimate", "p_above", "p_inside", "evidence_ratio"]].isna().all(axis=None)


def test_coefficients_have_the_names_of_results():
    data = DATA.copy()
    model = nl.Model("y ~ x + f", data)
    model.set_alias({"x": "slope", "f": "level"})
    model, results, d = drawn(model)
    table = interpret.fixef(model, results)
    assert table.index.tolist() == ["Intercept", "slope", "level[v]", "level[w]"]
    assert table.loc["slope", "estimate"] == pytest.approx(d["slope"].mean())
    assert len(d["slope"]) == DRAWS


def test_answers_that_are_no_numbers_are_told():
    """The mean of a gamma response with its inverse link, where the linear predictor is below zero."""
    model, results, d = asked("v ~ x", "gamma")
    assert (d["Intercept"] < 0.0).any()
    with pytest.warns(nl.NutsliteWarning, match="1 of 1 answers are nan"):
        interpret.predictions(model, results, {"x": [0.0]}, transform=np.sqrt)
