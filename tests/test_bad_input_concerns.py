"""Warnings before sampling: said where they are true, silent where they are not, and pointing at the user's line."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
import pytest
from bad_calls import frame, model
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import nutslite as nl
from nutslite.exceptions import NutsliteWarning
from nutslite.families.rows.separation import separating_columns
from nutslite.formula.collinearity import independent_columns
from nutslite.formula.design import build_design
from nutslite.formula.records import CommonTerm, LinearPredictor
from nutslite.model import Model
from nutslite.posterior.methods.nuts_start import _inverse
from nutslite.sampler.transition.metric import dense_metric

OF_FAMILIES = (("gaussian", "y"), ("t", "y"), ("lognormal", "pos"))  # those with a residual sigma, and a response


def predictor(matrix: np.ndarray, intercept: bool) -> LinearPredictor:
    matrix = np.ascontiguousarray(matrix, dtype=float)
    terms = tuple(CommonTerm(f"x{j}", j, j + 1, (f"x{j}",), True, "numeric") for j in range(len(matrix)))
    return LinearPredictor("mu", intercept, matrix, terms)


def messages(formula: str, data: pd.DataFrame, **options: object) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model(formula, data, **options)
    return [str(item.message) for item in caught if issubclass(item.category, NutsliteWarning)]


def singular_values(matrix, intercept):
    """The least one of the first columns, as many as there may be: what lies between 0 and 1e-3 is neither."""
    every = np.vstack([np.ones((int(intercept), matrix.shape[1])), matrix])
    unit = every / np.linalg.norm(every, axis=1)[:, None]
    return [np.linalg.svd(unit[:stop], compute_uv=False)[-1] for stop in range(1, len(unit) + 1)]


class TestCollinearColumns:
    @settings(max_examples=60)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(0, 3), st.booleans())
    def test_the_rank_is_numpys(self, seed: int, independent: int, dependent: int, intercept: bool) -> None:
        """Random combinations of random columns, on scales from 1e-6 to 1e6, in any order."""
        rng = np.random.default_rng(seed)
        base = rng.normal(size=(independent, 40))
        mixed = rng.normal(size=(dependent, independent)) @ base + (3.0 if intercept else 0.0)
        matrix = np.vstack([base, mixed])[rng.permutation(independent + dependent)]
        assume(not any(1e-10 < nearness < 1e-3 for nearness in singular_values(matrix, intercept)))
        matrix *= 10.0 ** rng.uniform(-6, 6, (len(matrix), 1))
        kept, found = independent_columns(predictor(matrix, intercept))
        assert (len(kept), len(found)) == (independent, dependent)
        assert np.linalg.matrix_rank(matrix[kept] / np.linalg.norm(matrix[kept], axis=1)[:, None]) == independent

    def test_the_columns_of_a_combination_are_named_and_no_others(self) -> None:
        rng = np.random.default_rng(1)
        matrix = rng.normal(size=(5, 50))
        matrix[4] = 2.0 * matrix[1] - 0.1 * matrix[3] + 7.0
        kept, (found,) = independent_columns(predictor(matrix, True))
        assert (kept, found.column, found.others) == ([0, 1, 2, 3], "x4", ("x1", "x3"))

    @pytest.mark.parametrize("distance", [1e-3, 1e-5])
    def test_nearly_equal_columns_are_not_equal(self, distance: float) -> None:
        rng = np.random.default_rng(2)
        x, noise = rng.normal(size=(2, 200))
        assert not independent_columns(predictor(np.vstack([x, x + distance * noise]), True))[1]

    def test_a_large_offset_is_no_reason(self) -> None:
        """Years: the correlation of year and year**2 has twelve nines, but they are different columns."""
        year = np.arange(1990.0, 2020.0)
        assert not independent_columns(predictor(np.vstack([year, year**2]), True))[1]

    def test_only_an_intercept_makes_a_shift_a_copy(self) -> None:
        data = frame(z=frame().x + 10.0)
        assert len(messages("y ~ x + z", data)) == 1
        assert messages("y ~ 0 + x + z", data) == []

    def test_every_redundant_column_is_counted(self) -> None:
        text = "y ~ x + " + " + ".join(f"I({factor}*x)" for factor in range(2, 12))
        found = messages(text, frame())
        assert len(found) == 5
        assert "5 further columns" in found[0]

    @pytest.mark.parametrize(
        "basis",
        [
            "te(cr(x, df=31), cr(z, df=31))",
            "te(te(cr(x, df=30), cr(z, df=30)), x)",
            "bs(x, df=100)",
            "poly(x, 8) + bs(z, df=95)",
            "cr(x, df=60) + cr(x, df=59)",
        ],
    )
    def test_a_basis_of_more_columns_than_rows_is_a_warning(self, basis: str) -> None:
        rng = np.random.default_rng(0)
        data = pd.DataFrame(rng.normal(size=(100, 3)), columns=["y", "x", "z"])
        with np.errstate(all="raise"):
            (found,) = messages(f"y ~ {basis}", data)
        assert "the data have 100 rows: they cannot tell all coefficients apart" in found
        assert "(1|" not in found
        matrix = build_design(f"y ~ {basis}", data).predictors["mu"]
        kept, dependent = independent_columns(matrix)
        assert len(kept) < 100
        assert len(kept) + len(dependent) == len(matrix.matrix)

    def test_so_are_more_columns_than_are_looked_at_one_by_one(self) -> None:
        rng = np.random.default_rng(0)
        ids = [f"id {k}" for k in range(1700)]
        data = pd.DataFrame({"y": rng.normal(size=1700), "g": ids, "h": ids[:900] + ids[:800]})
        (found,) = messages("y ~ g + h", data)
        assert "The formula has 2599 columns, intercept included, and the data have 1700 rows" in found
        assert "(1|g)" in found

    def test_columns_that_differ_in_the_last_digits_make_no_nonsense(self) -> None:
        """Columns ever nearer to those before them: kept or not, nothing overflows, and copies are found after them."""
        rng = np.random.default_rng(6)
        x = rng.normal(size=(30, 60))
        near = np.cumsum(x * 10.0 ** -np.arange(30.0)[:, None], axis=0)
        with np.errstate(all="raise"):
            kept, found = independent_columns(predictor(np.vstack([near, x[0], rng.normal(size=60)]), True))
        assert {0, 1, 2, 31} <= set(kept)
        assert "x30" in {item.column for item in found}

    def test_cost(self) -> None:
        """A million rows take no second copy of the matrix, and about as long as reading them a few times."""
        rng = np.random.default_rng(3)
        large = predictor(rng.normal(size=(6, 300_000)), True)
        start = time.monotonic()
        assert independent_columns(large) == (list(range(6)), [])
        assert time.monotonic() - start < 10.0


def separated_by_definition(columns: np.ndarray, lowest: np.ndarray, highest: np.ndarray) -> bool:
    """Row by row: can this row be strictly on its side, while no row is on the wrong one? (Albert and Anderson 1984)"""
    rows = np.vstack([columns[highest], -columns[lowest]])
    mixed = columns[~(lowest | highest)]
    for row in rows:
        best = linprog(
            -row,
            A_ub=-rows,
            b_ub=np.zeros(len(rows)),
            A_eq=mixed if len(mixed) else None,
            b_eq=np.zeros(len(mixed)) if len(mixed) else None,
            bounds=[(-1, 1)] * columns.shape[1],
        )
        if -best.fun > 1e-6:
            return True
    return False


class TestColumnsThatSayNothing:
    def test_a_column_is_told_from_its_term(self) -> None:
        """A tensor product has columns where no data are; the term as a whole varies."""
        with pytest.raises(nl.exceptions.DataError, match=r"Column \d+ of 'te\(.*is 0 in all rows.*fewer columns"):
            model("y ~ te(bs(x, df=9), bs(z, df=9))")

    @pytest.mark.parametrize("size", [1e15, -3e14])
    def test_a_small_change_of_a_large_number_is_not_called_constant(self, size: float) -> None:
        data = frame(x=size + np.linspace(0.0, 100.0, 24))
        with pytest.raises(nl.exceptions.DataError, match=r"constant but for its last digits.*center\(x\)"):
            model("y ~ x", data)
        model("y ~ center(x)", data)


class TestSeparation:
    @settings(max_examples=60)
    @given(
        st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(6, 14), st.booleans(), st.booleans(), st.booleans()
    )
    def test_found_exactly_where_the_definition_says(
        self, seed: int, p: int, rows: int, intercept: bool, whole: bool, mixed: bool
    ) -> None:
        rng = np.random.default_rng(seed)
        matrix = rng.integers(-1, 3, (p, rows)).astype(float) if whole else rng.normal(size=(p, rows))
        kept, _ = independent_columns(predictor(matrix, intercept))
        matrix = matrix[kept]
        outcome = rng.integers(0, 3 if mixed else 2, rows)
        lowest, highest = outcome == 0, outcome == 1
        columns = np.vstack([matrix, np.ones((int(intercept), rows))]).T
        if not len(kept) or lowest.all() or highest.all():
            return
        expected = separated_by_definition(columns, lowest, highest)
        event("separated" if expected else "overlap")
        assert bool(separating_columns(matrix, intercept, lowest, highest)) == expected

    def test_columns_that_are_not_needed_are_not_named(self) -> None:
        rng = np.random.default_rng(4)
        matrix = rng.normal(size=(6, 80))
        above = matrix[1] + matrix[4] > 0.3
        assert separating_columns(matrix, True, ~above, above) == [1, 4]

    def test_overlap_is_proved_on_a_part_of_large_data(self) -> None:
        rng = np.random.default_rng(5)
        matrix = rng.normal(size=(8, 200_000))
        outcome = rng.uniform(size=200_000) < 1 / (1 + np.exp(-matrix[0]))
        start = time.monotonic()
        assert separating_columns(matrix, True, ~outcome, outcome) == []
        assert time.monotonic() - start < 10.0

    def test_a_rare_level_of_large_data_is_found(self) -> None:
        rng = np.random.default_rng(6)
        outcome = rng.uniform(size=100_000) < 0.4
        rare = np.zeros(100_000)
        rare[np.flatnonzero(outcome)[:3]] = 1.0
        assert separating_columns(np.vstack([rng.normal(size=100_000), rare]), True, ~outcome, outcome) == [1]

    def test_rows_without_weight_do_not_count(self) -> None:
        data = frame(b=(frame().x > 0).astype(int), w=1.0)
        data.loc[len(data)] = data.iloc[0]
        data.loc[24, ["b", "x", "w"]] = 0, data.x.max() + 1.0, 0.0
        assert messages("b ~ x", data, family="bernoulli") == []
        (text,) = messages("weighted(b, w) ~ x", data, family="bernoulli")
        assert "'x' separates" in text

    def test_the_posterior_exists_all_the_same(self) -> None:
        """The warning says that priors decide; the model builds, and its log density falls off on both sides."""
        with pytest.warns(NutsliteWarning, match="separates"):
            one = model("b ~ x", frame(b=(frame().x > 0).astype(int)), family="bernoulli")
        one.build()


class TestSilence:
    @pytest.mark.parametrize("name", list(nl.load_data().index))
    def test_bundled_data_with_the_model_that_suits_them(self, name: str) -> None:
        suggestion = nl.load_data().loc[name]
        with warnings.catch_warnings():
            warnings.simplefilter("error", NutsliteWarning)
            Model(suggestion["formula"], nl.load_data(name), suggestion["family"], dropna=True)

    def test_ordinary_models(self) -> None:
        for formula, family in [
            ("y ~ x*z + g*x + (x|s)", "gaussian"),
            ("y ~ poly(x, 3) + bs(z, df=4) + (1|s)", "gaussian"),
            ("b ~ x + g + (1|s)", "bernoulli"),
            ("p(hits, n) ~ x + z", "binomial"),
            ("k ~ x + offset(z)", "poisson"),
        ]:
            assert messages(formula, frame(), family=family) == []

    def test_texts_of_numbers_are_silent_where_they_are_meant(self) -> None:
        data = frame(t=[str(v) for v in np.tile([1, 2, 3, 4], 6)])
        assert len(messages("y ~ t", data)) == 1
        assert messages("y ~ t", data, categorical="t") == []
        assert messages("y ~ t", data.astype({"t": "category"})) == []
        assert messages("y ~ C(t)", data) == []
        assert messages("y ~ x + (1|t)", data) == []


class TestExactResponses:
    """Said where terms leave no residual and there are more rows than coefficients; noise of any size silences it."""

    FORMULAS = ("{} ~ x", "{} ~ x + z + g", "{} ~ x + (1|s)", "{} ~ 0 + x + g", "{} ~ z + offset(x)")

    @staticmethod
    def found(family: str, formula: object, noise: float = 0.0, **options: object) -> list[str]:
        data = frame()
        exact = 3.0 + (data.x if "offset(x)" in str(formula) else 2.0 * data.x)
        exact = exact if "~ 0" not in str(formula) else 2.0 * data.x
        exact = exact + noise * np.random.default_rng(0).normal(size=len(data))
        data = data.assign(y=exact, pos=np.exp(exact))
        return messages(formula, data, family=family, **options)

    @pytest.mark.parametrize(("family", "y"), OF_FAMILIES)
    @pytest.mark.parametrize("formula", FORMULAS)
    def test_said(self, family: str, y: str, formula: str) -> None:
        (text,) = self.found(family, formula.format(y))
        assert f"The terms give every response '{y}' exactly" in text
        assert "sigma" in text

    @pytest.mark.parametrize("formula", ["{} ~ 1", "{} ~ x", "{} ~ z + (1|s)"])
    def test_said_of_equal_responses(self, formula: str) -> None:
        """Whose logarithms are equal but for rounding once an intercept is subtracted."""
        data = frame(pos=0.002, y=0.3)
        for family, y in (("lognormal", "pos"), ("gaussian", "y")):
            priors = {"Intercept": nl.Prior("Normal", mu=0, sigma=1)}
            said = messages(formula.format(y), data, family=family, priors=priors, auto_scale=False)
            assert any(f"Every response '{y}' is {data[y][0]}" in text and "sigma" in text for text in said)

    @pytest.mark.parametrize(("family", "y"), OF_FAMILIES)
    @pytest.mark.parametrize("formula", FORMULAS)
    @pytest.mark.parametrize("noise", [1e-8, 1.0])
    def test_not_said_of_small_residuals(self, family: str, y: str, formula: str, noise: float) -> None:
        assert self.found(family, formula.format(y), noise=noise) == []

    def test_not_said_where_sigma_is_known_or_rows_are_few(self) -> None:
        assert self.found("gaussian", "y ~ x", priors={"sigma": 0.1}) == []
        few = pd.DataFrame({"y": [1.2, 3.4, 2.2, 9.1], "a": list("uuvv"), "b": list("pqpq")})
        assert messages("y ~ a*b", few) == []


class TestExactWithinGroups:
    """The same where it takes the effects of groups: means of groups, a line for each of them, two factors."""

    LINKS = (("gaussian", "identity"), ("gaussian", "log"), ("t", "identity"), ("lognormal", "softplus"))

    @staticmethod
    def found(formula: str, noise: float = 0.0, family: str = "gaussian", link: str = "identity") -> list[str]:
        rng = np.random.default_rng(3)
        a, b = np.arange(24) % 4, np.arange(24) // 4 % 3
        x = rng.normal(size=24)
        effects, others = np.array([1.2, 0.4, 2.0, 1.0]), np.array([0.3, 0.9, 0.1])
        location = {
            "y ~ 1 + (1|a)": effects[a],
            "y ~ x + (1|a)": 0.1 * x + effects[a],
            "y ~ 1 + (x|a)": effects[a] + (0.1 * effects[a]) * x,
            "y ~ 1 + (1|a) + (1|b)": effects[a] + others[b],
        }[formula]
        location = location + noise * rng.normal(size=24)
        y = {"identity": lambda v: v, "log": np.exp, "softplus": lambda v: np.exp(np.logaddexp(0.0, v))}[link](location)
        data = pd.DataFrame({"y": y, "x": x, "a": [f"a{i}" for i in a], "b": [f"b{i}" for i in b]})
        return messages(formula, data, family=family, link=link)

    FORMULAS = ("y ~ 1 + (1|a)", "y ~ x + (1|a)", "y ~ 1 + (x|a)", "y ~ 1 + (1|a) + (1|b)")

    @pytest.mark.parametrize(("family", "link"), LINKS)
    @pytest.mark.parametrize("formula", FORMULAS)
    def test_said_with_the_name_of_the_factor(self, formula: str, family: str, link: str) -> None:
        (text,) = self.found(formula, family=family, link=link)
        assert "The levels of 'a'" in text
        assert ("and 'b'" in text) == ("|b" in formula)
        assert "sigma" in text

    @pytest.mark.parametrize("formula", FORMULAS)
    def test_not_said_of_small_residuals(self, formula: str) -> None:
        assert self.found(formula, noise=1e-8) == []

    def test_not_said_where_there_are_no_more_rows_than_effects(self) -> None:
        data = pd.DataFrame({"y": [1.0, 2.5, 0.5, 3.1], "g": list("abcd")})
        assert not any("exactly" in text for text in messages("y ~ 1 + (1|g)", data))


class TestASigmaOfItsOwn:
    """Said where sigma is free in some rows that the mean can give exactly, so that their likelihood has no bound."""

    @staticmethod
    def found(mean: str, sigma: str, noise: float = 0.0, alike: int = 6) -> list[str]:
        rng = np.random.default_rng(3)
        data = pd.DataFrame({"y": rng.normal(size=48), "x": rng.normal(size=48), "g": np.repeat(list("abcdefgh"), 6)})
        rows = np.arange(12, 12 + alike)  # of level c
        data.loc[rows, "y"] = 0.4 + (0.3 * data.x[rows] if "x" in mean else 0.0) + noise * rng.normal(size=alike)
        return messages(nl.Formula(f"y ~ {mean}", f"sigma ~ {sigma}"), data.assign(c=(data.g == "c") * 1.0))

    SAID = (("1", "(1|g)"), ("x + (1|g)", "x + (1|g)"), ("g", "g"), ("1", "c"), ("x", "0 + g"), ("(x|g)", "c"))

    @pytest.mark.parametrize(("mean", "sigma"), SAID)
    def test_said_with_the_term(self, mean: str, sigma: str) -> None:
        (text,) = self.found(mean, sigma)
        term = sigma.split(" + ")[-1].strip("()")
        assert f"By '{term}' the 6 rows" in text
        assert "like row 12 have a sigma of their own" in text
        assert ("of 'c' like" in text, "may not hold it" in text) == ("|" in sigma, "|" in sigma)

    @pytest.mark.parametrize(("mean", "sigma"), [*SAID, ("x + g", "x")])
    def test_not_said_of_small_residuals(self, mean: str, sigma: str) -> None:
        assert self.found(mean, sigma, noise=1e-8) == []

    @pytest.mark.parametrize(("mean", "sigma"), [("g", "1"), ("g", "x"), ("g", "x + (0 + x|g)")])
    def test_not_said_where_sigma_is_shared_with_other_rows(self, mean: str, sigma: str) -> None:
        assert [text for text in self.found(mean, sigma) if "of their own" in text] == []

    def test_not_said_where_one_other_row_of_the_level_differs(self) -> None:
        assert self.found("g", "g", alike=5) == []


class TestALevelForEveryRow:
    """Said where the sd of a residual and that of effects by row are both open, and nowhere else."""

    OPEN = (
        ("gaussian", "y ~ x + (1|row)", {}),
        ("t", "y ~ x + (1|row)", {}),
        ("lognormal", "pos ~ x + (1|row)", {}),
        ("gaussian", "y ~ x + (x|row)", {}),
        ("gaussian", nl.Formula("y ~ x + (1|row)", "sigma ~ x"), {}),
        ("gaussian", nl.Formula("y ~ x + (1|row)", "sigma ~ 0 + (1|s)"), {}),
        ("t", "y ~ x + (1|row)", {"nu": 5}),
        ("gaussian", "y ~ x + (1|row)", {"sigma": nl.Prior("HalfNormal", sigma=3)}),
    )
    KNOWN = (
        *((family, f"{y} ~ x + (1|row)", {"sigma": 10}) for family, y in OF_FAMILIES),
        *((family, nl.Formula(f"{y} ~ 1 + (1|row)", "sigma ~ 0 + offset(log(se))"), {}) for family, y in OF_FAMILIES),
        ("gaussian", nl.Formula("y ~ x + (1|row)", "sigma ~ 1 + offset(log(se))"), {}),  # a multiple of what is known
        ("gaussian", "weighted(y, se) ~ x + (1|row)", {}),
        ("gaussian", "y ~ x + (1|row)", {"1|row": nl.Prior("Normal", mu=0, sigma=2)}),
        ("poisson", "k ~ x + (1|row)", {}),  # has no residual: the effects are the overdispersion
        ("binomial", "p(hits, n) ~ x + (1|row)", {}),
        ("gaussian", "y ~ 1 + (0 + x|row)", {}),
    )

    @staticmethod
    def found(family: str, formula: object, priors: dict[str, object]) -> list[str]:
        data = frame(row=[f"r{i}" for i in range(24)], se=np.linspace(0.5, 2.0, 24))
        return messages(formula, data, family=family, priors=priors)

    @pytest.mark.parametrize(("family", "formula", "priors"), OPEN)
    def test_said(self, family: str, formula: object, priors: dict[str, object]) -> None:
        (text,) = self.found(family, formula, priors)
        assert text.startswith("'1|row' has a level for every row, and sigma varies by row too")

    @pytest.mark.parametrize(("family", "formula", "priors"), KNOWN)
    def test_silent(self, family: str, formula: object, priors: dict[str, object]) -> None:
        assert self.found(family, formula, priors) == []


def test_warnings_point_at_the_line_that_made_the_model() -> None:
    for data, formula, family in [
        (frame(z=frame().x), "y ~ x + z", "gaussian"),
        (frame(t=[str(v) for v in range(24)]), "y ~ t + x", "gaussian"),
        (frame(b=(frame().x > 0).astype(int)), "b ~ x", "bernoulli"),
        (frame(), "pos ~ x", "gamma"),
        (frame(h=np.where(frame().g == "b", "u", frame().h)), "b ~ g*h", "bernoulli"),
    ]:
        with pytest.warns(NutsliteWarning) as caught:
            Model(formula, data, family)
        assert {item.filename for item in caught} == {__file__}


def test_empty_cells_are_named() -> None:
    data = frame(h=np.where(frame().g == "b", "u", frame().h))
    (found,) = messages("b ~ g*h", data, family="bernoulli")
    assert found == "No row has 'g:h[b, v]': the data say nothing about this coefficient, only its prior does."
    with pytest.raises(nl.PriorError, match=r"about \[b, v\] of 'g:h'.* an empty cell.*priors=\{'g:h\[b, v\]': Prior"):
        model("y ~ g*h", data)
    own = {"g:h[b, v]": nl.Prior("Normal", mu=0, sigma=1)}
    for automatic in ("default", "mle"):  # the remedy
        assert len(messages("y ~ g*h", data, priors=own, automatic_priors=automatic)) == 1
    with pytest.raises(nl.PriorError, match=r"\[b, v\] of 'g:h'"):
        model("y ~ g*h", data, automatic_priors="mle")
    with pytest.raises(nl.PriorError, match=r"'g:h\|s': Prior\('Normal', mu=0, sigma=Prior\('HalfNormal'"):
        model("y ~ 1 + (g*h|s)", data)


class TestNearlySingularInformation:
    @pytest.mark.parametrize("spread", [0.0, 6.0, 12.0])
    def test_a_metric_is_made_of_it(self, spread: float) -> None:
        """Columns of a basis of more columns than rows: singular but for priors whose scales differ widely."""
        rng = np.random.default_rng(8)
        scale = 10.0 ** rng.uniform(-spread, 0.0, 60)
        basis = rng.normal(size=(20, 60)) * scale
        information = basis.T @ basis + np.diag(1e-13 * scale**2)
        covariance = _inverse(information)
        np.testing.assert_array_equal(covariance, covariance.T)
        metric = dense_metric(covariance)
        assert np.isfinite(metric.factor).all()

    def test_others_are_inverted_as_ever(self) -> None:
        basis = np.random.default_rng(9).normal(size=(50, 6))
        np.testing.assert_array_equal(_inverse(basis.T @ basis), np.linalg.inv(basis.T @ basis))
