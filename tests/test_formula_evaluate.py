"""`Design.evaluate`: the same terms on new rows."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from nutslite.exceptions import DataError, NutsliteError
from nutslite.formula.design import Design, build_design
from nutslite.formula.formula import Formula

FORMULAS = [
    "y ~ x",
    "y ~ x*g + b",
    "y ~ scale(x) + center(z)*h",
    "y ~ poly(x, 3) + bs(z, df=5)",
    "y ~ cr(x, df=4) + cc(z, df=4, constraints='center')",
    "y ~ te(cr(x, df=3), cr(z, df=3), constraints='center')",
    "y ~ I(center(x) ** 2) + np.log(z + 10)",
    "y ~ C(g, Sum) + T(h, 'v') + C(k) + S(g, 'a'):x",
    "y ~ 0 + o:h + x",
    "y ~ x + offset(log(z + 10)) + (scale(x)*g|k) + (1|g:h)",
    "y ~ I(g == 'a') + binary(h, 'u') + np.where(x > 0, 'pos', 'neg')",
    "weighted(p(c, n), w) ~ x + (1|k)",
    "g['b'] ~ x",
    "o ~ x",
]


def frame(n: int = 60, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "g": rng.choice(list("abc"), n),
            "h": rng.choice(list("uv"), n),
            "k": rng.integers(0, 5, n),
            "b": rng.random(n) > 0.5,
            "o": pd.Categorical(rng.choice(["lo", "mid", "hi"], n), categories=["lo", "mid", "hi"]),
            "c": rng.integers(0, 5, n),
            "n": rng.integers(5, 9, n),
            "w": rng.random(n),
        }
    )


def assert_same(found: Design, expected: Design, rows: np.ndarray) -> None:
    """`found` is `expected` restricted to `rows`."""
    for name, predictor in expected.predictors.items():
        other = found.predictors[name]
        assert other.terms == predictor.terms
        np.testing.assert_allclose(other.matrix, predictor.matrix[:, rows], rtol=1e-12, atol=1e-12)
        if predictor.offset is not None:
            np.testing.assert_allclose(other.offset, predictor.offset[rows], rtol=1e-13)
        for one, two in zip(other.group_terms, predictor.group_terms, strict=True):
            assert (one.name, one.labels, one.correlated) == (two.name, two.labels, two.correlated)
            if two.matrix is not None:
                np.testing.assert_allclose(one.matrix, two.matrix[:, rows], rtol=1e-12, atol=1e-12)
    for name, factor in expected.factors.items():
        assert found.factors[name].levels == factor.levels
        np.testing.assert_array_equal(found.factors[name].index, factor.index[rows])
        assert found.factors[name].new_levels == ()


@pytest.mark.parametrize("formula", FORMULAS)
def test_rows_of_the_old_data_come_back(formula: str) -> None:
    data = frame()
    design = build_design(formula, data)
    for rows in (np.arange(60), np.array([7]), np.array([59, 0, 0, 12, 3])):
        new = design.evaluate(data.iloc[rows], response=True)
        assert_same(new, design, rows)
        np.testing.assert_array_equal(new.response.values, design.response.values[:, rows])
        assert new.response.levels == design.response.levels
        if design.weights is not None:
            assert new.weights is not None
            np.testing.assert_array_equal(new.weights, design.weights[rows])


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_response_is_not_needed(formula: str) -> None:
    data = frame()
    design = build_design(formula, data)
    used = [name for name in design.used_columns if name not in ("y", "c", "n", "w")]
    if formula.startswith(("g[", "o ~")):
        used = ["x"]
    new = design.evaluate(data[used])
    assert_same(new, design, np.arange(60))
    assert new.weights is None
    assert new.response.values.shape == design.response.values.shape
    assert np.isnan(new.response.values).all()


def test_evaluation_leaves_the_design_alone() -> None:
    data = frame()
    design = build_design("y ~ scale(x) + poly(z, 2) + C(g) + (1|k)", data)
    before = design.predictors["mu"].matrix.copy()
    design.evaluate(frame(seed=2).assign(x=5.0, k=99))
    np.testing.assert_array_equal(design.predictors["mu"].matrix, before)
    assert_same(design.evaluate(data), design, np.arange(60))


def test_transforms_use_what_they_learned() -> None:
    data = frame()
    new = build_design("y ~ scale(x) + center(z)", data).evaluate(pd.DataFrame({"x": [1.0, 2.0], "z": [0.0, 0.0]}))
    np.testing.assert_allclose(
        new.predictors["mu"].matrix[0], (np.array([1.0, 2.0]) - data.x.mean()) / data.x.std(ddof=0)
    )
    np.testing.assert_allclose(new.predictors["mu"].matrix[1], -data.z.mean())


def test_constant_terms_and_single_categories_are_fine_in_new_data() -> None:
    new = build_design("y ~ x*g", frame()).evaluate(pd.DataFrame({"x": [2.0, 2.0], "g": ["b", "b"]}))
    np.testing.assert_array_equal(new.predictors["mu"].matrix[:, 0], [2, 1, 0, 2, 0])


def test_comparison_with_a_level_that_new_data_lack() -> None:
    new = build_design("y ~ I(g == 'a') + T(g, 'c')", frame()).evaluate({"g": ["b", "b"]})
    np.testing.assert_array_equal(new.predictors["mu"].matrix, [[0, 0], [0, 0], [1, 1]])


def test_trials_are_taken_where_they_are_there() -> None:
    design = build_design("p(c, n) ~ x", frame())
    assert np.isnan(design.evaluate({"x": [1.0]}).response.values).all()
    values = design.evaluate({"x": [1.0, 2.0], "n": [7, 8]}).response.values
    np.testing.assert_array_equal(values, [[np.nan, np.nan], [7, 8]])
    assert np.isnan(design.evaluate({"x": [1.0, 2.0], "n": [7, None]}).response.values).all()
    fixed = build_design("p(c, 10) ~ x", frame()).evaluate({"x": [1.0]})
    np.testing.assert_array_equal(fixed.response.values, [[np.nan], [10]])


def test_every_parameter_is_evaluated() -> None:
    design = build_design(Formula("y ~ x", "sigma ~ scale(z) + (1|k)"), frame())
    assert_same(design.evaluate(frame().iloc[:4]), design, np.arange(4))


@pytest.mark.parametrize(
    ("formula", "change", "message"),
    [
        ("y ~ g", {"g": "d"}, r"'g' has the level 'd' in the new data.*\(a, b, c\)"),
        ("y ~ x:g", {"g": "aa"}, "Did you mean 'a'"),
        ("y ~ (g|k)", {"g": "d"}, "'g' has the level 'd'"),
        ("y ~ C(k)", {"k": 17}, r"'C\(k\)' has the level '17'"),
        ("y ~ x", {"x": "text"}, "'x' is categorical in the new data, and was numeric"),
        ("y ~ x", {"x": np.nan}, r"missing values in 'x' \(3\)"),
        ("y ~ (1|k)", {"k": None}, "missing values in 'k'"),
        ("y ~ log(w)", {"w": -1.0}, "not finite in 3 of 3"),
        ("y ~ bs(x, df=4)", {"x": 100.0}, r"'bs\(x, df=4\)'.*3 of 3 rows lie outside"),
    ],
)
def test_refused(formula: str, change: dict[str, object], message: str) -> None:
    with pytest.raises(NutsliteError, match=message):
        build_design(formula, frame()).evaluate(frame().iloc[:3].assign(**change))


def test_missing_columns_are_named() -> None:
    design = build_design("y ~ x + g + (1|k)", frame())
    with pytest.raises(DataError, match="lack the columns 'x', 'k'"):
        design.evaluate(frame()[["g"]])
    with pytest.raises(DataError, match="lack the column 'g'"):
        design.evaluate(frame()[["x", "k"]])
    with pytest.raises(DataError, match="lack the column 'y'"):
        design.evaluate(frame()[["x", "k", "g"]], response=True)


def test_new_responses_must_fit() -> None:
    design = build_design("o ~ x", frame())
    with pytest.raises(DataError, match="level 'best'"):
        design.evaluate({"x": [1.0], "o": ["best"]}, response=True)
    binary = build_design("g['b'] ~ x", frame()).evaluate({"x": [1.0, 2.0], "g": ["b", "b"]}, response=True)
    np.testing.assert_array_equal(binary.response.values, [[1, 1]])


def test_splines_extrapolate_only_where_they_can() -> None:
    new = build_design("y ~ cr(x, df=4)", frame()).evaluate({"x": [100.0]})
    assert np.isfinite(new.predictors["mu"].matrix).all()


def test_evaluating_twice_from_an_evaluated_design() -> None:
    design = build_design("y ~ scale(x) + (1|k)", frame())
    again = design.evaluate(frame(seed=3)).evaluate(frame())
    assert_same(again, design, np.arange(60))


@pytest.mark.parametrize(
    "term",
    ["bs(x, df=4)", "cr(x, df=4)", "cc(x, df=4)", "te(cr(x, df=3), cr(z, df=3))", "s(x, k=5)", "hsgp(x, m=4, c=2)"],
)
def test_designs_travel_to_other_processes(term: str) -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({name: rng.uniform(size=20) for name in ("x", "z", "y")})
    design = build_design(f"y ~ {term}", data)
    there = pickle.loads(pickle.dumps(design))
    one, other = (some.evaluate(data.iloc[:5]).predictors["mu"] for some in (design, there))
    np.testing.assert_array_equal(one.matrix, other.matrix)
    for own, copied in zip(one.basis_terms, other.basis_terms, strict=True):
        np.testing.assert_array_equal(own.matrix, copied.matrix)
