"""Forms of a response: the guide's own example, companions of a new form, and forms around forms."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.exceptions import DataError, FormulaError
from nutslite.formula.design import build_design
from nutslite.formula.evaluation.signatures import SIGNATURES, read_signature
from nutslite.formula.forms.form import Call, Form, Known
from nutslite.formula.forms.register import FORMS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "adding_a_response_form.md"
DATA = pd.DataFrame(
    {
        "y": [1.0, 4.0, 2.0, 6.0, 3.0, 5.0],
        "x": [0.1, 0.4, -0.2, 0.9, 0.2, 0.3],
        "w": [2.0, 1.0, 1.0, 3.0, 1.0, 1.0],
        "use": [1, 1, 0, 1, 0, 1],
        "n": [7, 8, 9, 7, 8, 9],
        "status": ["none", "right", "none", "left", "none", "none"],
    }
)


def register(monkeypatch: pytest.MonkeyPatch, form: Form) -> None:
    """What a file and a line do."""
    for name in form.names:
        monkeypatch.setitem(FORMS, name, form)
        monkeypatch.setitem(SIGNATURES, name, read_signature(form.signatures[-1]))


@pytest.fixture
def subset(monkeypatch: pytest.MonkeyPatch) -> None:
    """The form that the guide adds, as the guide has it."""
    (code,) = re.findall(r"^    \"\"\"``subset.*?(?=\n\n\|)", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    names: dict[str, Form] = {}
    exec(textwrap.dedent(code), names)
    register(monkeypatch, names["FORM"])


@pytest.mark.usefixtures("subset")
class TestGuide:
    def test_rows_that_do_not_count_are_as_good_as_not_there(self) -> None:
        some, without = (
            nl.Model(formula, data, priors={"common": nl.Prior("Normal", mu=0, sigma=3)}, auto_scale=False)
            for formula, data in (("subset(y, use) ~ x", DATA), ("y ~ x", DATA[DATA["use"] == 1]))
        )
        point = {"Intercept": 0.3, "x": 1.0, "sigma": 0.7}
        densities = [[model.backend.model.logp(point | {"x": x}) for x in (0.0, 1.0)] for model in (some, without)]
        assert densities[0][1] - densities[0][0] == pytest.approx(densities[1][1] - densities[1][0])

    def test_it_stands_around_others_and_they_around_it(self) -> None:
        for formula in ("subset(weighted(y, w), use) ~ x", "weighted(subset(y, use), w) ~ x"):
            np.testing.assert_array_equal(build_design(formula, DATA).weights, DATA["w"] * DATA["use"])
        design = build_design("subset(censored(y, status), use) ~ x", DATA)
        assert design.response.censoring is not None
        assert design.is_censored

    def test_it_is_told_of_wrong_calls(self) -> None:
        for formula, error, words in (
            ("subset(y) ~ x", FormulaError, "subset(y, rows)"),
            ("y ~ subset(x, use)", FormulaError, "left of '~'"),
            ("subset(y, w) ~ x", DataError, "'w' in subset() is True or False"),
            ("subset(subset(y, use), use) ~ x", FormulaError, "subset() stands once"),
            ("censored(subset(y, use), status) ~ x", FormulaError, "subset(censored(y, status), rows)"),
        ):
            with pytest.raises(error, match=re.escape(words)):
                build_design(formula, DATA)


def _say(call: Call) -> Known:
    times = call.numbers("time") if "time" in call.expressions else np.ones(call.evaluator.rows)
    return Known(companions={"hours": times})


RATE = Form(names=("events",), signatures=("y, time=None",), say=_say, companions=("hours",))


def test_companions_of_a_new_form(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, RATE)
    design = build_design("weighted(events(y, n + 1), w) ~ x", DATA)
    assert (design.response.companions, design.response.kind) == (("hours",), "numeric")
    np.testing.assert_array_equal(design.response.values, [DATA["y"], DATA["n"] + 1.0])
    plain = build_design("events(y) ~ x", DATA)
    np.testing.assert_array_equal(plain.response.values, [DATA["y"], np.ones(6)])
    np.testing.assert_array_equal(plain.evaluate(DATA[["x"]]).response.values, [[np.nan] * 6, np.ones(6)])
    new = design.evaluate(DATA[["x", "n"]].iloc[:2])
    np.testing.assert_array_equal(new.response.values, [[np.nan] * 2, [8.0, 9.0]])
    assert np.isnan(design.evaluate(DATA[["x"]]).response.values).all()
    gap = DATA[["x", "n"]].assign(n=[1.0, np.nan, 2, 3, 4, 5])
    assert np.isnan(design.evaluate(gap).response.values).all()
    for family in ("poisson", "gaussian", "gamma"):
        with pytest.raises(DataError, match="carries hours"):
            nl.Model("events(y, n) ~ x", DATA, family=family)


def test_every_form_has_a_signature() -> None:
    assert FORMS.keys() <= SIGNATURES.keys()
    for name, form in FORMS.items():
        assert name in form.names
        first = {signature.split(", ")[0] for signature in form.signatures}
        assert not first & {item for signature in form.signatures for item in signature.split(", ")[1:]}
