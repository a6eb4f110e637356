"""Names of terms as users write them: in formulas, with their quotes; in priors, however they are spelled."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nutslite as nl
from nutslite.exceptions import NutsliteWarning, PriorError
from nutslite.formula.design import build_design
from nutslite.formula.language.spelling import as_spelled, normal_spelling, other_spellings

ROWS = 24
COMMON = nl.Prior("Normal", mu=0, sigma=7.25)
GROUPED = nl.Prior("Normal", mu=0, sigma=nl.Prior("HalfNormal", sigma=7.25))


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "y": rng.normal(size=ROWS),
            "x": rng.normal(size=ROWS),
            "z": rng.uniform(1.0, 2.0, ROWS),
            "my col": rng.normal(size=ROWS),
            "k": np.resize(list("abc"), ROWS),
            "h": np.repeat(list("uv"), ROWS // 2),
            "s": np.resize(list("pqrst"), ROWS),
        }
    )


def model(formula: Any, **settings: Any) -> nl.Model:
    with warnings.catch_warnings():
        warnings.simplefilter("error", NutsliteWarning)
        return nl.Model(formula, frame(), **settings)


class TestQuotes:
    @pytest.mark.parametrize(
        ("written", "name"),
        [
            ('C(k, Treatment("b"))', 'C(k, Treatment("b"))'),
            ("C(k, Treatment('b'))", "C(k, Treatment('b'))"),
            ('T( k,"b" )', 'T(k, "b")'),
            ('S(k, omit="a")', 'S(k, omit="a")'),
            ('C(k, levels=["c", \'b\', "a"])', 'C(k, levels=["c", \'b\', "a"])'),
            ('I(k == "a")', 'I(k == "a")'),
            ('np.where(k == "it\'s", x, z)', 'np.where(k == "it\'s", x, z)'),
            ('C(Q("my col") > 0, Sum)', "C(`my col` > 0, Sum)"),
        ],
    )
    def test_they_stay_as_written(self, written: str, name: str) -> None:
        data = frame()
        data.loc[0, "k"] = "it's" if "it's" in written else "a"
        assert build_design(f"y ~ {written}", data).predictors["mu"].terms[0].name == name

    def test_a_term_in_both_quotes_is_one_term(self, caplog: pytest.LogCaptureFixture) -> None:
        found = build_design("y ~ T(k, \"b\") + T(k, 'b') + x:T(k, 'b')", frame()).predictors["mu"]
        assert [(term.name, len(term.labels)) for term in found.terms] == [('T(k, "b")', 2), ('x:T(k, "b")', 3)]
        assert "there twice" in caplog.text

    def test_results_have_the_name(self) -> None:
        prior = model('y ~ T(k, "b")').prior_predictive(draws=2, random_seed=1).prior
        assert prior['T(k, "b")'].coords['T(k, "b")_dim'].values.tolist() == ["a", "c"]


SPELLINGS = [
    # formula, key, term of the model
    ("y ~ T(k, 'b')", "T(k,'b')", "T(k, 'b')"),
    ("y ~ T(k, 'b')", 'T(k, "b")', "T(k, 'b')"),
    ('y ~ T(k,"b")', "T(k,'b')", 'T(k, "b")'),
    ("y ~ x:k", "k:x", "x:k"),
    ("y ~ x:k:h", "h : x : k", "x:k:h"),
    ("y ~ np.log(z):x", "x:np.log( z )", "np.log(z):x"),
    ("y ~ {x + 1}", "{x+1}", "I(x + 1)"),
    ("y ~ `my col`", "`my col`", "my col"),
    ("y ~ `my col`:x", "x:`my col`", "my col:x"),
    ("y ~ bs(x, df=4)", "bs(x,df = 4)", "bs(x, df=4)"),
    ("y ~ C(k, Sum)", "C( k,Sum )", "C(k, Sum)"),
    ("y ~ x + (1 | s)", "1 | s", "1|s"),
    ("y ~ x + (1|s)", "(1|s)", "1|s"),
    ("y ~ x + (1|s:h)", "1|h:s", "1|s:h"),
    ("y ~ x + (x:z|s)", "z:x | s", "x:z|s"),
    ("y ~ x + (1|C(k))", "1 | C( k )", "1|C(k)"),
]


class TestPriors:
    @pytest.mark.parametrize(("formula", "key", "term"), SPELLINGS)
    @pytest.mark.parametrize("way", ["flat", "tuple", "nested", "later"])
    def test_a_key_is_found_however_it_is_spelled(self, formula: str, key: str, term: str, way: str) -> None:
        prior = GROUPED if "|" in term else COMMON
        given = {"flat": {key: prior}, "tuple": {(key,): prior}, "nested": {"mu": {key: prior}}}.get(way, {})
        found = model(formula, priors=given)
        if way == "later":
            found.set_priors({term: GROUPED if "|" in term else nl.Prior("Normal", mu=0, sigma=1)})
            found.set_priors({key: prior})
        assert found.priors.terms["mu"][term].args.keys() == prior.args.keys()
        assert "7.25" in str(found)

    @pytest.mark.parametrize(
        ("formula", "key", "column"),
        [
            ("y ~ T(k, 'b')", "T(k,'b')[c]", ("T(k, 'b')", 1)),
            ("y ~ 0 + k:h", "h:k[v, b]", ("k:h", 3)),
            ("y ~ 0 + k:h", "h[v]:k[b]", ("k:h", 3)),
            ("y ~ 0 + x:k", "k[b]:x", ("x:k", 1)),
            ("y ~ 0 + x:k", "k:x[b]", ("x:k", 1)),
            ("y ~ bs(x, df=4)", "bs(x,df=4)[2]", ("bs(x, df=4)", 2)),
        ],
    )
    def test_single_coefficients(self, formula: str, key: str, column: tuple[str, int]) -> None:
        term, place = column
        chosen = model(formula, priors={key: COMMON}).priors.terms["mu"][term]
        sigmas = np.asarray(chosen.args["sigma"])
        assert [index for index, sigma in enumerate(sigmas) if sigma == 7.25] == [place]

    def test_other_formulas_and_correlations(self) -> None:
        formula = nl.Formula("y ~ x + (x|s:h)", "sigma ~ np.log(z)")
        found = model(formula, priors={"sigma": {"np.log( z )": COMMON}}, priors_cor={"h:s": 3.0})
        assert "7.25" in str(found)
        assert found.correlations == {"s:h": 3.0}

    def test_two_spellings_of_one_name(self) -> None:
        with pytest.raises(PriorError, match="'x:k' is named twice, once as 'k:x'"):
            model("y ~ x:k", priors={"x:k": COMMON, "k:x": COMMON})

    @pytest.mark.parametrize("key", ["q:x", "x x", "k:k", "x:k:h", "1|x", "((", "x|", "|s", "k[zz]", "h:k[v]", ""])
    def test_other_names_are_not_found(self, key: str) -> None:
        with pytest.warns(NutsliteWarning, match="Nothing in the model is called"):
            nl.Model("y ~ 0 + k:h + x + (1|s)", frame(), priors={key: GROUPED})


def test_a_name_is_its_own_spelling_and_orders_agree() -> None:
    assert list(other_spellings("a:b[u, v]")) == ["a:b[u, v]", "b:a[v, u]"]
    assert as_spelled("b : a", ["a:b", "a"]) == "a:b"
    assert normal_spelling("b:a") == normal_spelling("a : b")
    assert normal_spelling("not a term") == "not a term"


@settings(max_examples=80)
@given(st.text(alphabet="xk:|()[]'\"`, T{}b1+", max_size=30))
def test_any_text_is_a_name_or_none(text: str) -> None:
    assert all(isinstance(name, str) for name in other_spellings(text))
