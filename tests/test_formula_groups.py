"""Group-specific terms and grouping factors."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.exceptions import DataError, FormulaError
from nutslite.formula.design import build_design
from nutslite.formula.records import GroupTerm


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "y": np.arange(12.0),
            "x": np.arange(12.0) ** 2,
            "z": np.cos(np.arange(12.0)),
            "c": np.resize(["p", "q", "r"], 12),
            "d": np.repeat(["m", "n"], 6),
            "g": np.resize([30, 4, 100], 12),
            "h": np.repeat(["v", "u"], 6),
            "b": np.resize([True, False], 12),
        }
    )


def group_terms(formula: str) -> list[GroupTerm]:
    return list(build_design(formula, frame()).predictors["mu"].group_terms)


class TestTerms:
    @pytest.mark.parametrize(
        ("bar", "expected"),
        [
            ("(1|g)", ["1|g"]),
            ("(x|g)", ["1|g", "x|g"]),
            ("(0 + x|g)", ["x|g"]),
            ("(x||g)", ["1|g", "x|g"]),
            ("(x|g/h)", ["1|g", "x|g", "1|g:h", "x|g:h"]),
            ("(1|g:h)", ["1|g:h"]),
            ("(x|g + h)", ["1|g", "x|g", "1|h", "x|h"]),
            ("(1|g*h)", ["1|g", "1|h", "1|g:h"]),
            ("(x*z|g)", ["1|g", "x|g", "z|g", "x:z|g"]),
            ("(poly(x, 2)|g)", ["1|g", "poly(x, 2)|g"]),
            ("(1|g) + (0 + x|g) + (0 + z|g)", ["1|g", "x|g", "z|g"]),
            ("(1|h) + (1|g)", ["1|h", "1|g"]),
        ],
    )
    def test_names(self, bar: str, expected: list[str]) -> None:
        found = group_terms(f"y ~ {bar}")
        assert [term.name for term in found] == expected
        assert [f"{term.expression}|{term.factor}" for term in found] == expected

    def test_intercept(self) -> None:
        (term,) = group_terms("y ~ (1|g)")
        assert term.matrix is None
        assert (term.columns, term.labels, term.scalar, term.kind) == (1, ("1",), True, "numeric")

    @pytest.mark.parametrize(
        ("bar", "labels", "kind"),
        [
            ("(c|g)", ("q", "r"), "categorical"),
            ("(0 + c|g)", ("p", "q", "r"), "categorical"),
            ("(0 + d|g)", ("m", "n"), "categorical"),
            ("(0 + c:d|g)", ("p, m", "p, n", "q, m", "q, n", "r, m", "r, n"), "categorical"),
            ("(0 + x:c|g)", ("p", "q", "r"), "interaction"),
            ("(0 + poly(x, 2)|g)", ("0", "1"), "numeric"),
        ],
    )
    def test_columns_of_slopes(self, bar: str, labels: tuple[str, ...], kind: str) -> None:
        term = group_terms(f"y ~ {bar}")[-1]
        assert (term.labels, term.kind, term.scalar) == (labels, kind, False)
        assert term.matrix is not None
        assert term.matrix.shape == (len(labels), 12)

    def test_values_of_slopes(self) -> None:
        data = frame()
        slope, dummies = group_terms("y ~ (0 + x|g) + (c|h)")[0], group_terms("y ~ (0 + x|g) + (c|h)")[2]
        np.testing.assert_array_equal(slope.matrix, [data.x])
        np.testing.assert_array_equal(dummies.matrix, [data.c == "q", data.c == "r"])
        assert slope.scalar

    def test_boolean_slope_is_one_number(self) -> None:
        term = group_terms("y ~ (b|g)")[1]
        assert (term.name, term.scalar) == ("b|g", True)
        np.testing.assert_array_equal(term.matrix, [frame().b.astype(float)])

    def test_coding_of_slopes_does_not_depend_on_common_terms(self) -> None:
        assert group_terms("y ~ c + (0 + c|g)")[0].labels == ("p", "q", "r")

    @pytest.mark.parametrize(
        ("bar", "same"),
        [
            ("(x|g)", True),
            ("(x||g)", False),
            ("(0 + x + z|g)", True),
            ("(x|g/h)", None),
            ("(1|g) + (0 + x|g)", False),
        ],
    )
    def test_marks_of_correlation(self, bar: str, same: bool | None) -> None:
        marks = [term.correlated for term in group_terms(f"y ~ {bar}")]
        if same is None:
            assert marks[0] == marks[1] != marks[2] == marks[3]
            assert None not in marks
        elif same:
            assert len(set(marks)) == 1
            assert marks[0] is not None
        else:
            assert set(marks) == {None}

    def test_two_correlated_blocks_of_one_factor_stay_apart(self) -> None:
        marks = [term.correlated for term in group_terms("y ~ (x|g) + (0 + c|g)")]
        assert marks[0] == marks[1] != marks[2]

    def test_many_columns_of_one_term_are_correlated_among_themselves(self) -> None:
        assert group_terms("y ~ (0 + c|g)")[0].correlated is not None


class TestRepeatedEffects:
    """Each effect of each factor counts once: the model of R and Bambi."""

    @pytest.mark.parametrize(
        ("bars", "same"),
        [
            ("(1|g) + (1|g)", "(1|g)"),
            ("(1|g) + (x|g)", "(x|g)"),
            ("(x|g) + (1|g)", "(x|g)"),
            ("(1|g) + (x||g)", "(x||g)"),
            ("(x|g) + (0 + x|g)", "(x|g)"),
            ("(0 + x|g) + (x|g)", "(0 + x|g) + (1|g)"),
            ("(c|g) + (1|g)", "(c|g)"),
            ("(1|g) + (c|g)", "(c|g)"),
            ("(1|g/h) + (1|g)", "(1|g/h)"),
            ("(1|g:h) + (1|h:g)", "(1|g:h)"),
            ("(x:z|g) + (0 + z:x|g)", "(x:z|g)"),
            ("(x|g) + (z|g)", "(x + z||g)"),
            ("(x||g) + (x|g)", "(x||g)"),
            ("(x|g + h) + (1|h) + (z|g)", "(x|g) + (x|h) + (0 + z|g)"),
        ],
    )
    def test_the_effects_are_those_of_the_shorter_formula(self, bars: str, same: str) -> None:
        found, expected = group_terms(f"y ~ x + {bars}"), group_terms(f"y ~ x + {same}")
        assert [(term.name, term.labels, term.kind) for term in found] == [
            (term.name, term.labels, term.kind) for term in expected
        ]
        for own, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(own.matrix, other.matrix)

    @pytest.mark.parametrize("bars", ["(1|g) + (x|g)", "(x|g) + (1|g)", "(x|g) + (0 + x|g)", "(x|g) + (x|g)"])
    def test_what_is_correlated_is_what_the_larger_bar_says(self, bars: str) -> None:
        first, second = group_terms(f"y ~ {bars}")
        assert first.correlated == second.correlated == "1 + x|g"
        assert first.contested is second.contested is None

    @pytest.mark.parametrize("bars", ["(x|g) + (z|g)", "(x||g) + (x|g)", "(x|g) + (0 + x + z|g)"])
    def test_bars_that_disagree_are_refused_where_it_matters(self, bars: str) -> None:
        nl.Model(f"y ~ {bars}", frame(), correlated=False)
        nl.Model(f"y ~ {bars} + (x|h)", frame(), priors_cor={"h": 1.0})
        with pytest.raises(FormulaError, match="does not say what the effects"):
            nl.Model(f"y ~ {bars}", frame(), correlated=True)

    def test_it_is_noted(self, caplog: pytest.LogCaptureFixture) -> None:
        group_terms("y ~ (1|g) + (x|g)")
        assert "'1|g' is there twice; it counts once" in caplog.text

    def test_nothing_is_noted_where_nothing_is_repeated(self, caplog: pytest.LogCaptureFixture) -> None:
        group_terms("y ~ x*z + (x|g) + (1|h) + (1|g:h)")
        assert not caplog.text


class TestFactors:
    def test_numbers_are_sorted_numerically(self) -> None:
        factor = build_design("y ~ (1|g)", frame()).factors["g"]
        assert factor.levels == ("4", "30", "100")
        np.testing.assert_array_equal(factor.index[:3], [1, 0, 2])
        assert factor.new_levels == ()

    def test_texts_are_sorted(self) -> None:
        assert build_design("y ~ (1|h)", frame()).factors["h"].levels == ("u", "v")

    def test_categoricals_keep_their_order_and_lose_unused_levels(self) -> None:
        data = frame().assign(h=lambda d: pd.Categorical(d.h, categories=["w", "v", "u"]))
        factor = build_design("y ~ (1|h)", data).factors["h"]
        assert factor.levels == ("v", "u")
        np.testing.assert_array_equal(factor.index, np.repeat([0, 1], 6))

    def test_interactions_hold_observed_combinations(self) -> None:
        data = frame()
        data = data[~((data.g == 4) & (data.h == "u"))]
        factor = build_design("y ~ (1|h:g)", data).factors["h:g"]
        assert factor.levels == ("u:30", "u:100", "v:4", "v:30", "v:100")
        names = [f"{h}:{g}" for h, g in zip(data.h, data.g, strict=True)]
        assert [factor.levels[level] for level in factor.index] == names

    def test_three_factors(self) -> None:
        data = frame()
        factor = build_design("y ~ (1|h:g:c)", data).factors["h:g:c"]
        names = [f"{h}:{g}:{c}" for h, g, c in zip(data.h, data.g, data.c, strict=True)]
        assert [factor.levels[level] for level in factor.index] == names
        assert len(factor.levels) == len(set(names))

    def test_factors_are_shared_between_terms_and_parameters(self) -> None:
        from nutslite.formula.formula import Formula

        design = build_design(Formula("y ~ (1|g) + (0 + x|g)", "sigma ~ (1|g) + (1|h)"), frame())
        assert list(design.factors) == ["g", "h"]

    @pytest.mark.parametrize("code", ["b", "C(g)", "T(g, 4)", "I(x > 20)", "np.floor(z)"])
    def test_expressions_may_group(self, code: str) -> None:
        factor = build_design(f"y ~ (1|{code})", frame()).factors[code]
        assert factor.index.min() == 0
        assert factor.index.max() == len(factor.levels) - 1 >= 1

    def test_booleans_group(self) -> None:
        assert build_design("y ~ (1|b)", frame()).factors["b"].levels == ("False", "True")

    def test_one_level_is_allowed(self) -> None:
        assert build_design("y ~ (1|only)", frame().assign(only="same")).factors["only"].levels == ("same",)

    def test_as_many_levels_as_rows_are_allowed(self) -> None:
        data = frame().assign(row=range(12))
        np.testing.assert_array_equal(build_design("y ~ (1|row)", data).factors["row"].index, range(12))

    def test_names_that_would_collide(self) -> None:
        data = frame().assign(g=np.resize(["a:b", "a"], 12), h=np.repeat(["c", "b:c"], 6))
        with pytest.raises(DataError, match="would have the same name"):
            build_design("y ~ (1|g:h)", data)
        mixed = frame().assign(g=pd.Series([1, "1"] * 6, dtype=object))
        with pytest.raises(DataError, match="both read '1'"):
            build_design("y ~ (1|g)", mixed, categorical="g")

    def test_values_that_cannot_be_levels(self) -> None:
        with pytest.raises(DataError, match="'g'"):
            build_design("y ~ (1|g)", frame().assign(g=[[1]] * 12))
        with pytest.raises(DataError, match=r"categorical=\[\.\.\.\]"):
            build_design("y ~ (1|t)", frame().assign(t=pd.date_range("2020", periods=12)))

    def test_dates_group_when_declared_categorical(self) -> None:
        data = frame().assign(t=np.repeat(pd.date_range("2020-01-01", periods=6), 2))
        levels = build_design("y ~ (1|t)", data, categorical=["t"]).factors["t"].levels
        assert levels[0].startswith("2020-01-01")
        assert len(levels) == 6


class TestNewLevels:
    def test_unseen_levels_are_minus_one_and_named(self) -> None:
        design = build_design("y ~ (x|g) + (1|h:g)", frame())
        new = design.evaluate(pd.DataFrame({"x": [1.0, 2, 3, 4], "g": [4, 7, 30, 7], "h": ["u", "v", "w", "u"]}))
        np.testing.assert_array_equal(new.factors["g"].index, [0, -1, 1, -1])
        assert new.factors["g"].new_levels == ("7", "7")
        assert new.factors["g"].levels == design.factors["g"].levels
        np.testing.assert_array_equal(new.factors["h:g"].index, [0, -1, -1, -1])
        assert new.factors["h:g"].new_levels == ("v:7", "w:30", "u:7")

    def test_known_parts_in_an_unobserved_combination(self) -> None:
        data = frame()
        kept = data[~((data.g == 4) & (data.h == "u"))]
        new = build_design("y ~ (1|h:g)", kept).evaluate(data[["h", "g"]])
        assert set(new.factors["h:g"].new_levels) == {"u:4"}
        known = new.factors["h:g"].index >= 0
        names = np.array([f"{h}:{g}" for h, g in zip(data.h, data.g, strict=True)])
        assert [new.factors["h:g"].levels[i] for i in new.factors["h:g"].index[known]] == list(names[known])

    def test_whole_numbers_that_became_floats_are_the_same_levels(self) -> None:
        new = build_design("y ~ (1|g)", frame()).evaluate(pd.DataFrame({"g": [100.0, 4.0, 8.0]}))
        np.testing.assert_array_equal(new.factors["g"].index, [2, 0, -1])
        assert new.factors["g"].new_levels == ("8",)

    def test_levels_of_new_data_may_be_fewer_or_reordered(self) -> None:
        data = frame().assign(h=lambda d: pd.Categorical(d.h, categories=["v", "u"]))
        new = build_design("y ~ (1|h)", data).evaluate(
            pd.DataFrame({"h": pd.Categorical(["u"], categories=["u", "v"])})
        )
        np.testing.assert_array_equal(new.factors["h"].index, [1])


@pytest.mark.parametrize("kind", ["integers", "texts"])
def test_many_groups_take_seconds_and_little_memory(kind: str) -> None:
    """200,000 rows, 20,000 groups, and their interaction with a second factor."""
    rng = np.random.default_rng(3)
    n = 200_000
    data = pd.DataFrame({"y": rng.normal(size=n), "x": rng.normal(size=n), "u": rng.integers(0, 20_000, n)})
    if kind == "texts":
        data["u"] = "subject-" + data["u"].astype(str)
    data["w"] = rng.integers(0, 10, n)
    size = int(data.memory_usage(deep=True).sum())
    start = time.perf_counter()
    design = build_design("y ~ x + (x|u) + (1|w)", data)
    seconds = time.perf_counter() - start
    tracemalloc.start()
    build_design("y ~ x + (x|u) + (1|w)", data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(design.factors["u"].levels) == len(data["u"].unique())
    assert seconds < 5.0
    assert peak < 5 * size
    some = rng.integers(0, n, 1000)
    levels = np.array(design.factors["u"].levels)
    np.testing.assert_array_equal(levels[design.factors["u"].index[some]], data["u"].iloc[some].astype(str))


def test_interactions_of_many_groups() -> None:
    rng = np.random.default_rng(4)
    n = 200_000
    data = pd.DataFrame({"y": rng.normal(size=n), "u": rng.integers(0, 20_000, n), "w": rng.integers(0, 10, n)})
    start = time.perf_counter()
    factor = build_design("y ~ (1|u:w)", data).factors["u:w"]
    assert time.perf_counter() - start < 5.0
    assert factor.index.max() == len(factor.levels) - 1 == len(data.groupby(["u", "w"]).size()) - 1
