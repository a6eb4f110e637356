"""Columns, labels and order of common terms; against Patsy where the two mean the same."""

from __future__ import annotations

import itertools
import re
import warnings

import numpy as np
import pandas as pd
import patsy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nutslite.exceptions import DataError, FormulaError, NutsliteError
from nutslite.formula.design import Design, build_design
from nutslite.formula.formula import Formula


def frame(n: int = 48) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "z": rng.uniform(1, 2, size=n),
            "g": np.resize(["b", "a", "c"], n),
            "h": np.resize(["u", "u", "v", "v"], n),
            "k": np.resize([3, 1, 2, 10], n),
            "b": np.resize([True, False, False], n),
            "o": pd.Categorical(np.resize(["mid", "low", "high"], n), categories=["low", "mid", "high", "never"]),
        }
    )


def terms(formula: str, data: pd.DataFrame | None = None, **kwargs: object) -> dict[str, tuple[str, ...]]:
    design = build_design(formula, frame() if data is None else data, **kwargs)  # type: ignore[arg-type]
    return {term.name: term.labels for term in design.predictors["mu"].terms}


class TestLabels:
    @pytest.mark.parametrize(
        ("formula", "expected"),
        [
            ("y ~ g", {"g": ("b", "c")}),
            ("y ~ 0 + g", {"g": ("a", "b", "c")}),
            ("y ~ 0 + g + h", {"g": ("a", "b", "c"), "h": ("v",)}),
            ("y ~ x + g", {"x": ("x",), "g": ("b", "c")}),
            ("y ~ b", {"b": ("b",)}),
            ("y ~ C(b)", {"C(b)": ("True",)}),
            ("y ~ o", {"o": ("mid", "high")}),
            ("y ~ C(k)", {"C(k)": ("2", "3", "10")}),
            ("y ~ g:h", {"g:h": ("v", "b, u", "b, v", "c, u", "c, v")}),
            ("y ~ 0 + g:h", {"g:h": ("a, u", "a, v", "b, u", "b, v", "c, u", "c, v")}),
            ("y ~ g*h", {"g": ("b", "c"), "h": ("v",), "g:h": ("b, v", "c, v")}),
            ("y ~ x*g", {"x": ("x",), "g": ("b", "c"), "x:g": ("b", "c")}),
            ("y ~ x:g", {"x:g": ("a", "b", "c")}),
            ("y ~ x:z", {"x:z": ("x:z",)}),
            ("y ~ g/x", {"g": ("b", "c"), "g:x": ("a", "b", "c")}),
            ("y ~ poly(x, 3)", {"poly(x, 3)": ("0", "1", "2")}),
            ("y ~ poly(x, 2):g", {"poly(x, 2):g": ("0, a", "0, b", "0, c", "1, a", "1, b", "1, c")}),
            ("y ~ T(g, 'b')", {"T(g, 'b')": ("a", "c")}),
            ("y ~ T(g, ref='c')", {"T(g, ref='c')": ("a", "b")}),
            ("y ~ C(g, Treatment('b'))", {"C(g, Treatment('b'))": ("a", "c")}),
            ("y ~ C(k, Treatment(10))", {"C(k, Treatment(10))": ("1", "2", "3")}),
            ("y ~ C(g, Treatment(reference=-1))", {"C(g, Treatment(reference=-1))": ("a", "b")}),
            ("y ~ C(g, Sum)", {"C(g, Sum)": ("a", "b")}),
            ("y ~ 0 + C(g, Sum)", {"C(g, Sum)": ("mean", "a", "b")}),
            ("y ~ S(g)", {"S(g)": ("a", "b")}),
            ("y ~ S(g, 'a')", {"S(g, 'a')": ("b", "c")}),
            ("y ~ C(g, Poly)", {"C(g, Poly)": ("Linear", "Quadratic")}),
            ("y ~ C(g, Helmert)", {"C(g, Helmert)": ("b", "c")}),
            ("y ~ C(g, Diff)", {"C(g, Diff)": ("a", "b")}),
            ("y ~ C(g, levels=['c', 'b', 'a'])", {"C(g, levels=['c', 'b', 'a'])": ("b", "a")}),
        ],
    )
    def test_of(self, formula: str, expected: dict[str, tuple[str, ...]]) -> None:
        found = terms(formula)
        assert found == expected
        assert list(found) == list(expected)

    def test_of_an_explicit_contrast_matrix(self) -> None:
        predictor = build_design("y ~ C(g, [[0, 1], [0.5, 0], [0, 0]])", frame()).predictors["mu"]
        assert predictor.terms[0].labels == ("custom0", "custom1")
        np.testing.assert_array_equal(predictor.matrix[:, :3], [[0.5, 0, 0], [0, 1, 0]])

    def test_categorical_argument_forces_categories_sorted_as_numbers(self) -> None:
        assert terms("y ~ k", categorical=["k"]) == {"k": ("2", "3", "10")}
        assert terms("y ~ k", categorical="k") == {"k": ("2", "3", "10")}
        assert terms("y ~ k") == {"k": ("k",)}

    def test_level_names_are_not_mistaken_for_decorations(self) -> None:
        data = frame().assign(g=np.resize(["T.a", "S.b", "[c]"], 48))
        assert terms("y ~ 0 + g", data) == {"g": ("S.b", "T.a", "[c]")}

    def test_equal_levels_of_two_factors_stay_apart(self) -> None:
        data = frame().assign(h=np.resize(["b", "b", "c", "c"], 48))
        labels = terms("y ~ g:h", data)["g:h"]
        assert len(set(labels)) == len(labels) == 5

    def test_column_names_with_blanks(self) -> None:
        data = frame().rename(columns={"x": "my col", "g": "the group"})
        assert terms("y ~ `my col`*`the group`", data) == {
            "my col": ("my col",),
            "the group": ("b", "c"),
            "my col:the group": ("b", "c"),
        }


class TestRecords:
    def test_columns_cover_the_matrix_in_order(self) -> None:
        design = build_design("y ~ x + g + x:g + poly(z, 2)", frame())
        predictor = design.predictors["mu"]
        assert [(term.start, term.stop) for term in predictor.terms] == [(0, 1), (1, 3), (3, 5), (5, 7)]
        assert [term.scalar for term in predictor.terms] == [True, False, False, False]
        assert [term.kind for term in predictor.terms] == ["numeric", "categorical", "interaction", "numeric"]
        assert predictor.matrix.shape == (7, 48)

    def test_a_single_dummy_is_not_scalar(self) -> None:
        predictor = build_design("y ~ h + x:h - 1", frame()).predictors["mu"]
        assert [term.scalar for term in predictor.terms] == [False, False]

    def test_arrays_are_what_kernels_want(self) -> None:
        data = frame().astype({"x": np.float32})
        design = build_design("weighted(y, z) ~ x + g + offset(z) + (x|g) + (1|o)", data)
        predictor = design.predictors["mu"]
        floats = [design.response.values, predictor.matrix, predictor.offset, design.weights]
        floats += [term.matrix for term in predictor.group_terms if term.matrix is not None]
        for array in floats:
            assert array is not None
            assert array.dtype == np.float64
            assert array.flags.c_contiguous
            if any(np.shares_memory(array, data[name].to_numpy()) for name in ("y", "z")):
                assert not array.flags.writeable
        for factor in design.factors.values():
            assert factor.index.dtype == np.int32
            assert factor.index.flags.writeable

    def test_every_parameter_has_its_own_predictor(self) -> None:
        formula = Formula("y ~ x + (1|g)", "sigma ~ z + (0 + x|g)", "nu ~ 0 + offset(log(z))")
        design = build_design(formula, frame(), parameters=("mu", "sigma", "nu"))
        assert list(design.predictors) == ["mu", "sigma", "nu"]
        assert list(design.factors) == ["g"]
        nu = design.predictors["nu"]
        assert (nu.intercept, nu.matrix.shape, nu.offset_names) == (False, (0, 48), ("offset(log(z))",))
        assert design.used_columns == ("y", "x", "g", "z")

    def test_offsets_add_up(self) -> None:
        predictor = build_design("y ~ x + offset(log(z)) + offset(x)", frame()).predictors["mu"]
        np.testing.assert_allclose(predictor.offset, np.log(frame().z) + frame().x, rtol=1e-15)
        assert predictor.offset_names == ("offset(log(z))", "offset(x)")

    def test_intercept_alone(self) -> None:
        predictor = build_design("y ~ 1", frame()).predictors["mu"]
        assert predictor.intercept
        assert predictor.matrix.shape == (0, 48)


def patsy_columns(formula: str, data: pd.DataFrame) -> dict[str, np.ndarray]:
    """Patsy's columns by name, with the factors of interactions in alphabetical order."""
    matrix = patsy.dmatrix(formula, data.assign(b=data.b.astype(float), o=data.o.cat.remove_unused_categories()))
    names = matrix.design_info.column_names
    return {_canonical(name): np.asarray(matrix)[:, j] for j, name in enumerate(names)}


def _canonical(name: str) -> str:
    return ":".join(sorted(re.sub(r"\[T\.", "[", name).split(":")))


def our_columns(design: Design) -> dict[str, np.ndarray]:
    predictor = design.predictors["mu"]
    columns = {"Intercept": np.ones(design.n_rows)} if predictor.intercept else {}
    numeric = {"x", "z", "b", "log(z)"}
    for term in predictor.terms:
        factors = term.name.split(":")
        for label, column in zip(term.labels, predictor.matrix[term.start : term.stop], strict=True):
            if term.scalar:
                columns[_canonical(term.name)] = column
                continue
            levels = iter(label.split(", "))
            # a run of columns may leave out factors; the level says which factor it belongs to
            pending = [factor for factor in factors if factor not in numeric]
            named = [factor for factor in factors if factor in numeric]
            for level in levels:
                while level not in LEVELS[pending[0]]:
                    pending.pop(0)
                named.append(f"{pending.pop(0)}[{level}]")
            columns[_canonical(":".join(named))] = column
    return columns


LEVELS = {"g": "abc", "h": "uv", "o": ("low", "mid", "high")}


@st.composite
def _formulas(draw: st.DrawFn) -> str:
    atoms = ["x", "z", "b", "g", "h", "o", "log(z)"]
    pool = [
        ":".join(combo) for size in (1, 2, 3) for combo in itertools.permutations(atoms, size) if "b" not in combo[1:]
    ]
    chosen = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=5, unique_by=lambda t: frozenset(t.split(":"))))
    return draw(st.sampled_from(["", "0 + "])) + " + ".join(chosen)


@settings(max_examples=120, deadline=None)
@given(_formulas())
def test_random_formulas_agree_with_patsy(right: str) -> None:
    """Same columns, same names, whatever the order; written order is ours."""
    data = frame()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = patsy_columns(right.replace("log(", "np.log("), data)
    expected = {name.replace("np.log(", "log("): column for name, column in expected.items()}
    design = build_design(f"y ~ {right}", data)
    found = our_columns(design)
    assert set(found) == set(expected)
    for name, column in found.items():
        np.testing.assert_allclose(column, expected[name], rtol=1e-14, err_msg=name)
    written = [frozenset(term.split(":")) for term in right.removeprefix("0 + ").split(" + ")]
    assert [frozenset(term.name.split(":")) for term in design.predictors["mu"].terms] == written


@pytest.mark.parametrize("right", ["g*h", "0 + g*h", "x*g*h", "g:h:o", "h:o:g", "g + g:h:o", "0 + o/h", "x:g + g:h"])
def test_the_column_space_is_full(right: str) -> None:
    """Coding drops exactly the redundant columns: full column rank, and as many columns as Patsy's."""
    rng = np.random.default_rng(0)
    data = pd.DataFrame(
        {
            "y": rng.normal(size=200),
            "x": rng.normal(size=200),
            "g": rng.choice(list("abc"), 200),
            "h": rng.choice(list("uv"), 200),
            "o": rng.choice(["low", "mid", "high"], 200),
        }
    )
    predictor = build_design(f"y ~ {right}", data).predictors["mu"]
    matrix = np.vstack([np.ones((int(predictor.intercept), 200)), predictor.matrix])
    assert np.linalg.matrix_rank(matrix) == matrix.shape[0] == patsy.dmatrix(right, data).shape[1]


@pytest.mark.parametrize("code", ["Sum", "Poly", "Helmert", "Diff", "Treatment('c')", "Sum('a')"])
@pytest.mark.parametrize("start", ["", "0 + "])
def test_contrasts_are_patsys(code: str, start: str) -> None:
    data = frame()
    expected = np.asarray(patsy.dmatrix(f"{start}C(g, {code})", data)).T
    found = build_design(f"y ~ {start}C(g, {code})", data).predictors["mu"].matrix
    np.testing.assert_allclose(found, expected[0 if start else 1 :], rtol=1e-14)


@pytest.mark.parametrize(
    "code",
    [
        "bs(x, df=5)",
        "bs(x, knots=[-0.5, 0.5], degree=2)",
        "bs(x, df=6, include_intercept=True)",
        "cr(x, df=4)",
        "cc(x, df=4, constraints='center')",
        "te(cr(x, df=3), cr(z, df=3))",
        "center(x)",
        "standardize(x)",
    ],
)
def test_splines_are_patsys(code: str) -> None:
    data = frame()
    expected = np.asarray(patsy.dmatrix(f"0 + {code}", data)).T
    np.testing.assert_allclose(build_design(f"y ~ 0 + {code}", data).predictors["mu"].matrix, expected, atol=1e-14)


def test_intercept_is_an_alias_in_bs() -> None:
    both = [f"y ~ bs(x, df=5, {name}=True)" for name in ("intercept", "include_intercept")]
    first, second = (build_design(text, frame()).predictors["mu"].matrix for text in both)
    np.testing.assert_array_equal(first, second)


class TestPoly:
    def test_columns_are_orthonormal_and_ordered_by_degree(self) -> None:
        data = frame()
        basis = build_design("y ~ poly(x, 4)", data).predictors["mu"].matrix
        np.testing.assert_allclose(basis @ basis.T, np.eye(4), atol=1e-12)
        np.testing.assert_allclose(basis.sum(axis=1), 0.0, atol=1e-12)
        for degree in range(1, 5):  # column k is a polynomial of degree k with a positive leading coefficient
            fitted = np.polynomial.Polynomial.fit(data.x, basis[degree - 1], degree).convert().coef
            np.testing.assert_allclose(np.polynomial.Polynomial(fitted)(data.x), basis[degree - 1], atol=1e-10)
            assert fitted[-1] > 0

    def test_values_of_r(self) -> None:
        """poly(1:5, 2): the textbook orthogonal polynomial contrasts."""
        data = pd.DataFrame({"y": np.arange(5.0), "x": np.arange(1.0, 6.0)})
        basis = build_design("y ~ poly(x, 2)", data).predictors["mu"].matrix
        np.testing.assert_allclose(basis[0] * np.sqrt(10), [-2, -1, 0, 1, 2], atol=1e-14)
        np.testing.assert_allclose(basis[1] * np.sqrt(14), [2, -1, -2, -1, 2], atol=1e-14)

    def test_raw(self) -> None:
        basis = build_design("y ~ poly(x, 3, raw=True)", frame()).predictors["mu"].matrix
        np.testing.assert_allclose(basis, [frame().x, frame().x ** 2, frame().x ** 3], rtol=1e-14)

    def test_large_values_do_not_lose_precision(self) -> None:
        data = pd.DataFrame({"y": np.arange(60.0), "x": 1e6 + np.arange(60.0)})
        basis = build_design("y ~ poly(x, 6)", data).predictors["mu"].matrix
        np.testing.assert_allclose(basis @ basis.T, np.eye(6), atol=1e-12)

    def test_degree_needs_distinct_values(self) -> None:
        with pytest.raises(NutsliteError, match="4 distinct values"):
            build_design("y ~ poly(k, 4)", frame())


class TestRefusedData:
    @pytest.mark.parametrize("formula", ["y ~ c", "y ~ x + c", "y ~ (c|g)", "y ~ I(c * 2)", "y ~ 0 + I(0 * c)"])
    def test_constant_term(self, formula: str) -> None:
        name = {"y ~ I(c * 2)": "I(c * 2)", "y ~ 0 + I(0 * c)": "I(0 * c)"}.get(formula, "c")
        with pytest.raises(DataError, match=re.escape(f"The term '{name}' is constant!")):
            build_design(formula, frame().assign(c=3.0))

    def test_a_single_row_is_called_one(self) -> None:
        with pytest.raises(DataError, match=r"The term 'x' is constant! It has one value in the only row, so"):
            build_design("y ~ x", frame().iloc[:1])

    def test_a_constant_may_take_the_place_of_the_intercept(self) -> None:
        assert build_design("y ~ 0 + c", frame().assign(c=3.0)).predictors["mu"].matrix.shape == (1, 48)
        assert build_design("y ~ (0 + c|g)", frame().assign(c=3.0)).n_rows == 48

    @pytest.mark.parametrize("formula", ["y ~ c", "y ~ 0 + c", "y ~ c:g", "y ~ (c|g)"])
    def test_single_category(self, formula: str) -> None:
        with pytest.raises(DataError, match="The term 'c' has only 1 category!"):
            build_design(formula, frame().assign(c="same"))

    def test_constant_response_is_fine(self) -> None:
        assert build_design("y ~ x", frame().assign(y=1.0)).response.values.std() == 0

    def test_response_is_no_predictor_but_a_function_of_it_may_be(self) -> None:
        with pytest.raises(FormulaError, match="The response 'y' stands on the right as well"):
            terms("y ~ y")
        assert terms("y ~ log(abs(y) + 1)") == {"log(abs(y) + 1)": ("log(abs(y) + 1)",)}

    def test_empty_cells_of_interactions_are_kept(self) -> None:
        data = frame()
        data = data[~((data.g == "b") & (data.h == "v"))]
        predictor = build_design("y ~ g*h", data).predictors["mu"]
        assert not predictor.matrix[predictor.terms[2].labels.index("b, v") + predictor.terms[2].start].any()

    def test_non_finite_factors_are_named_and_counted(self) -> None:
        with pytest.raises(DataError, match=r"'log\(x\)' is not finite in \d+ of 48 rows"):
            build_design("y ~ log(x)", frame())
        data = frame()
        data.loc[[3, 7], "x"] = np.inf
        with pytest.raises(DataError, match=r"'x' is not finite in 2 of 48 rows \(the first is row 3"):
            build_design("y ~ x", data)
        with pytest.raises(DataError, match=r"'offset\(x\)' is not finite in 2 of 48"):
            build_design("y ~ offset(x)", data)

    def test_categories_where_numbers_are_needed(self) -> None:
        for formula in ("y ~ log(g)", "y ~ I(g + 1)", "y ~ offset(g)", "y ~ center(g)", "p(g, 10) ~ x"):
            with pytest.raises(DataError, match=r"g\b.*categorical"):
                build_design(formula, frame())

    def test_reference_that_does_not_exist(self) -> None:
        with pytest.raises(DataError, match=r"'zz' is not a level of 'C\(g, Treatment\('zz'\)\)' \(a, b, c\)"):
            build_design("y ~ C(g, Treatment('zz'))", frame())
        with pytest.raises(DataError, match="'zz' is not a level of g"):
            build_design("y ~ T(g, 'zz')", frame())

    def test_unlisted_level(self) -> None:
        with pytest.raises(DataError, match="the level 'c', which levels= does not list"):
            build_design("y ~ C(g, levels=['a', 'b'])", frame())

    def test_bad_spline_arguments_name_the_term(self) -> None:
        with pytest.raises(NutsliteError, match=r"'bs\(x, df=2\)' cannot be computed.*df=2 is too small"):
            build_design("y ~ bs(x, df=2)", frame())
        with pytest.raises(NutsliteError, match=r"bs\(\) has no argument 'dff'.*Did you mean 'df'"):
            build_design("y ~ bs(x, dff=5)", frame())

    def test_names_in_categorical_are_checked(self) -> None:
        with pytest.raises(DataError, match="categorical: column 'kk' not found"):
            build_design("y ~ k", frame(), categorical=["kk"])


def test_large_categorical_costs_no_more_than_its_columns() -> None:
    import tracemalloc

    rng = np.random.default_rng(0)
    n, levels = 20_000, 300
    data = pd.DataFrame({"y": rng.normal(size=n), "g": rng.integers(0, levels, n)})
    tracemalloc.start()
    matrix = build_design("y ~ 0 + g", data, categorical="g").predictors["mu"].matrix
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert matrix.shape == (levels, n)
    assert peak < 1.15 * matrix.nbytes
