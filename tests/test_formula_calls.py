"""Calls in formulas: every function's signature, what its arguments may be, and what is said of a wrong call."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from bad_calls import frame
from internal_names import internal_names_in

from nutslite.exceptions import DataError, FormulaError, NutsliteError
from nutslite.formula.design import Design, build_design
from nutslite.formula.evaluation import functions
from nutslite.formula.evaluation.signatures import SIGNATURES, call_text
from nutslite.formula.forms.register import FORMS
from nutslite.formula.language.groupings import GROUPINGS

OF_A_RESPONSE = FORMS.keys()
TERMS_OF_THEIR_OWN = {"Q", "offset"}
# whose meaning depends on how many arguments there are: bad_calls_censored.py
BY_POSITION = {name for name, form in FORMS.items() if len(form.signatures) > 1}
CALLED = sorted(SIGNATURES.keys() - TERMS_OF_THEIR_OWN - BY_POSITION)


def columns(formula: str, data: pd.DataFrame | None = None, **extra: object) -> np.ndarray:
    return build_design(formula, frame() if data is None else data, extra_namespace=extra).predictors["mu"].matrix


def said_of(call: str, **extra: object) -> str:
    """What is said of a call, in a formula where it has a place."""
    name = call.partition("(")[0]
    place = "{} ~ x" if name in OF_A_RESPONSE else "y ~ C(g, {})" if name in functions.CONTRASTS else "y ~ {}"
    with pytest.raises(NutsliteError) as caught:
        build_design(place.format(call), frame(), extra_namespace=extra)
    return str(caught.value)


def wrong_calls(name: str) -> Iterator[str]:
    """Too many arguments, none, an unknown one, one by position and by name."""
    parameters = SIGNATURES[name].parameters.values()
    first = "g" if name in functions.CATEGORICAL + functions.SUCCESS else "x"
    if not any(item.kind is inspect.Parameter.VAR_POSITIONAL for item in parameters):
        yield f"{name}({', '.join([first] * (len(parameters) + 1))})"
    if any(item.default is inspect.Parameter.empty for item in parameters if item.kind is not item.VAR_POSITIONAL):
        yield f"{name}()"
    yield f"{name}({', '.join([first] * bool(parameters))}{', ' * bool(parameters)}nonsense=1)"
    named = next((item.name for item in parameters if item.kind is item.POSITIONAL_OR_KEYWORD), None)
    if named is not None:
        yield f"{name}({first}, {named}={first})"


class TestSignatures:
    def test_every_function_has_one(self) -> None:
        known = functions.supported_names() + [f"np.{name}" for name in functions.NUMPY]
        assert set(known) - GROUPINGS.keys() == SIGNATURES.keys()

    @pytest.mark.parametrize("call", [call for name in CALLED for call in wrong_calls(name)])
    def test_a_wrong_call_is_told_by_it(self, call: str) -> None:
        name = call.partition("(")[0]
        message = said_of(call)
        assert message.startswith(f"{name}() "), message
        assert call_text(name, SIGNATURES[name]) in message
        assert not internal_names_in(message)

    def test_a_misspelt_argument_is_guessed(self) -> None:
        assert "Did you mean 'constraints'?" in said_of("te(cr(x, df=3), cr(z, df=3), constraint='center')")
        assert "Did you mean 'degree'?" in said_of("poly(x, degre=2)")

    def test_functions_of_the_user_have_theirs_from_python(self) -> None:
        def cut(x, places, *, right=True):
            return np.digitize(x, places, right=right)

        columns("y ~ cut(x, [0.0, 1.0], right=False)", cut=cut)
        for call in ("cut(x)", "cut(x, [0.0], True)", "cut(x, [0.0], rigth=True)", "cut(x, x=x, places=[0.0])"):
            message = said_of(call, cut=cut)
            assert message.startswith("cut() ")
            assert "cut(x, places, right=True)" in message

    @pytest.mark.parametrize("function", [np.sin, max, dict.get, lambda *given, **more: given[0]])
    def test_functions_without_a_signature_of_use_are_called(self, function: object) -> None:
        with pytest.raises(NutsliteError):
            build_design("y ~ f(x, 1, 2, 3, a=4) + nothing", frame(), extra_namespace={"f": function})


# Wrong values for arguments: each is refused in the user's words, or taken; nothing else is raised
VALUES = [
    *("x", "g", "2", "-1", "0", "1.5", "1e308", "'a'", "'center'", "None", "True", "x > 0", "bs(x, df=4)"),
    *("[1, 2]", "[]", "['a', 'b']", "[[1, 2], [3, 4]]", "[0.0, None]", "{'a': 1}", "Treatment", "Treatment('b')"),
    *("thing", "series", "fun"),
]
EXTRA = {"thing": object(), "series": pd.Series([1.0, 2.0]), "fun": lambda x: x}


def answer(formula: str) -> str:
    """What is said of a formula; nothing where it is taken."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            build_design(formula, frame(), extra_namespace=EXTRA)
        except NutsliteError as error:
            return str(error)
    return ""


@pytest.mark.parametrize("name", sorted(SIGNATURES.keys() - TERMS_OF_THEIR_OWN - OF_A_RESPONSE))
def test_no_value_of_an_argument_is_answered_in_words_of_the_code(name: str) -> None:
    parameters = list(SIGNATURES[name].parameters.values())
    first = "g" if name in functions.CATEGORICAL + functions.SUCCESS else "x"
    start = "cr(x, df=3), cr(z, df=3)" if name == "te" else first
    calls = [f"{name}({value})" for value in VALUES if parameters]
    for item in parameters[0 if name in functions.CONTRASTS else 1 :]:
        if item.kind is item.POSITIONAL_ONLY:
            calls += [f"{name}({', '.join([first] * (len(parameters) - 1))}, {value})" for value in VALUES]
        else:
            more = ", df=5" if name in ("bs", "cr", "cc") and item.name != "df" else ""
            before = "" if name in functions.CONTRASTS else f"{start}{more}, "
            calls += [f"{name}({before}{item.name}={value})" for value in VALUES]
    for call in calls:
        text = f"C(g, {call})" if name in functions.CONTRASTS else call
        message = answer(f"y ~ {text}")
        assert not internal_names_in(message), f"{call}: {message}"


class TestLevels:
    @pytest.mark.parametrize(
        "make",
        [
            list,
            tuple,
            np.array,
            lambda levels: np.array(levels, dtype=object),
            pd.Series,
            pd.Index,
            lambda levels: pd.Series(levels, dtype="string").unique(),
            lambda levels: pd.Series(levels, dtype="str").unique(),
            lambda levels: pd.Series(levels, dtype="category").unique(),
            lambda levels: pd.array(levels, dtype="string"),
            lambda levels: pd.Categorical(levels, ["a", "b", "c"]),
        ],
    )
    def test_any_array_lists_them(self, make) -> None:
        order = ["c", "a", "b"]
        found = build_design("y ~ C(g, levels=lv)", frame(), extra_namespace={"lv": make(order)})
        assert found.predictors["mu"].terms[0].labels == ("a", "b")

    @pytest.mark.parametrize("dtype", ["int64", "Int64", "int64[pyarrow]", "float64"])
    def test_numbers_of_any_type(self, dtype: str) -> None:
        if "pyarrow" in dtype:
            pytest.importorskip("pyarrow")
        data = frame(k=np.tile([1, 2, 3], 8))
        levels = pd.Series([3, 1, 2], dtype=dtype).unique()
        found = build_design("y ~ C(k, levels=lv)", data, extra_namespace={"lv": levels})
        assert found.predictors["mu"].terms[0].labels == ("1", "2") or dtype == "float64"

    @pytest.mark.parametrize("levels", [{"a", "b", "c"}, {"a": 1, "b": 2, "c": 3}, "abc", [["a"], ["b"]], ["a", None]])
    def test_what_is_no_list_of_levels(self, levels: object) -> None:
        with pytest.raises(FormulaError, match="levels="):
            build_design("y ~ C(g, levels=lv)", frame(), extra_namespace={"lv": levels})

    def test_t_and_s_take_them(self) -> None:
        def labels(call: str) -> tuple[str, ...]:
            return build_design(f"y ~ {call}", frame()).predictors["mu"].terms[0].labels

        assert labels("T(g, levels=['c', 'b', 'a'])") == ("b", "a")
        assert labels("T(g, 'b', ['c', 'b', 'a'])") == ("c", "a")
        assert labels("T(g, levels=['c', 'b', 'a'], ref='a')") == ("c", "b")
        assert labels("S(g, levels=['c', 'b', 'a'])") == ("c", "b")
        assert labels("S(g, 'b', ['c', 'b', 'a'])") == ("c", "a")
        np.testing.assert_array_equal(
            columns("y ~ S(g, 'b', ['c', 'b', 'a'])"), columns("y ~ C(g, Sum('b'), ['c', 'b', 'a'])")
        )

    def test_levels_that_are_not_there_are_known_in_new_data(self) -> None:
        design: Design = build_design("y ~ T(g, levels=['c', 'b', 'a'])", frame())
        new = design.evaluate(pd.DataFrame({"g": ["a"]}))
        np.testing.assert_array_equal(new.predictors["mu"].matrix[:, 0], [0.0, 1.0])


class TestBinary:
    """As formulae 0.6.2 has it: 1 for the success level, by default the first of the sorted values."""

    @pytest.mark.parametrize(
        ("call", "success"),
        [
            ("binary(two)", "no"),
            ("B(two)", "no"),
            ("binary(two, 'yes')", "yes"),
            ("binary(two, success='yes')", "yes"),
            ("binary(g)", "a"),
            ("binary(b)", 0),
            ("binary(order)", "a"),
        ],
    )
    def test_as_a_term(self, call: str, success: object, caplog: pytest.LogCaptureFixture) -> None:
        data = frame(order=pd.Categorical(frame().g, ["c", "b", "a"]))
        name = call.partition("(")[2].rstrip(")").partition(",")[0]
        (column,) = columns(f"y ~ {call}", data)
        np.testing.assert_array_equal(column, data[name] == success)
        assert ("counts as 1" in caplog.text) == (call.count("'") + call.count("=") == 0)

    def test_new_data_need_not_hold_the_success_level(self) -> None:
        design = build_design("y ~ binary(g)", frame())
        new = design.evaluate(pd.DataFrame({"g": ["c", "b"]}))
        np.testing.assert_array_equal(new.predictors["mu"].matrix, [[0.0, 0.0]])

    @pytest.mark.parametrize(
        ("call", "success"), [("binary(two)", "no"), ("binary(b)", 0), ("binary(two, 'yes')", "yes")]
    )
    def test_as_a_response(self, call: str, success: object) -> None:
        data = frame()
        response = build_design(f"{call} ~ x", data).response
        assert (response.name, response.kind, response.success) == (call, "binary", str(success))
        np.testing.assert_array_equal(response.values[0], data[call[7:].rstrip(")").partition(",")[0]] == success)


class TestNamesOfTheProgram:
    @pytest.mark.parametrize(
        ("call", "name"),
        [
            ("bs(x, knots=knots)", "knots"),
            ("bs(x, df=number)", "number"),
            ("C(g, levels=order)", "order"),
            ("C(g, Treatment(reference))", "reference"),
            ("T(g, ref)", "ref"),
            ("poly(x, degree)", "degree"),
            ("C(g, levels=data['g'].unique())", "levels"),
            ("bs(x, knots=np.quantile(x, 0.5))", "knots"),
            ("bs(x, knots=np.linspace(0, 1, 3))", "knots"),
            ("bs(x, knots=[low, high])", "knots"),
            ("bs(x, df=5, lower_bound=x.min())", "lower_bound"),
            ("foo(x)", "foo"),
        ],
    )
    def test_the_way_for_values_is_named(self, call: str, name: str) -> None:
        assert f"extra_namespace={{'{name}': {name}}}" in said_of(call)

    @pytest.mark.parametrize("call", ["xx", "exp(xx)", "scale(xx)", "x:temperature"])
    def test_it_is_not_where_a_column_is_meant(self, call: str) -> None:
        assert "extra_namespace" not in said_of(call)

    @pytest.mark.parametrize("formula", ["y ~ {}", "{} ~ x", "y ~ x + {}", "y ~ (1|{})", "y ~ ({}|g)", "y ~ log({})"])
    @pytest.mark.parametrize("word", ["class", "yield", "lambda", "from", "await", "not", "None"])
    def test_a_word_of_python_stands_in_back_quotes(self, formula: str, word: str) -> None:
        data = frame(**{word: np.tile([1.0, 2.0, 4.0], 8)})
        build_design(formula.format(f"`{word}`"), data)
        if (formula, word) == ("y ~ log({})", "None"):  # which is a value there
            return
        with pytest.raises(FormulaError, match=f"`{word}`.*in back-quotes|in back-quotes.*`{word}`"):
            build_design(formula.format(word), data)

    @pytest.mark.parametrize("column", ["my col", "my.col", "a-b", "2019", "x y z", "é-t", "%"])
    def test_columns_that_are_no_names(self, column: str) -> None:
        data = frame(**{column: np.tile([1.0, 2.0, 4.0], 8)})
        build_design(f"y ~ `{column}`", data)
        with pytest.raises((FormulaError, DataError), match="stands in back-quotes"):
            build_design(f"y ~ z + {column}", data)
