"""What users read when their response does not fit the family."""

from __future__ import annotations

import numpy as np
import pytest

from nutslite.exceptions import DataError
from nutslite.families.record.register import get_family
from nutslite.formula.records import Response


def response(values: list[float] | list[list[float]], **rest: object) -> Response:
    return Response("score", np.atleast_2d(np.array(values, dtype=np.float64)), **rest)  # type: ignore[arg-type]


def message(family: str, given: Response) -> str:
    with pytest.raises(DataError) as caught:
        get_family(family).check_response(given)
    return str(caught.value)


def test_values_rows_and_remedy_are_named() -> None:
    text = message("poisson", response([1.0, -1.0, 2.5, 3.0, 0.5, 0.25, 0.125]))
    assert "'score'" in text
    assert "-1 in row 1, 2.5 in row 2, 0.5 in row 4 and 2 more" in text
    assert "Round or recode" in text


@pytest.mark.parametrize("family", ["gaussian", "t", "poisson", "negativebinomial", "gamma", "wald", "beta"])
def test_numeric_families_refuse_other_kinds(family: str) -> None:
    assert "'lo'" in message(family, response([0.0, 1.0], kind="binary", levels=("lo", "hi")))
    assert "bernoulli" in message(family, response([0.0, 1.0], kind="binary", levels=("lo", "hi")))
    assert "binomial" in message(family, response([[0.0, 1.0], [2.0, 2.0]], kind="proportion", companions=("trials",)))
    assert "status" in message(family, response([[0.5, 0.5], [0.0, 1.0]], companions=("status",)))


def test_bernoulli() -> None:
    bernoulli = get_family("bernoulli")
    bernoulli.check_response(response([0.0, 1.0, 1.0]))
    bernoulli.check_response(response([0.0, 1.0], kind="binary", levels=("no", "yes"), success="yes"))
    assert message("bernoulli", response([0.0, 2.0, 3.0])).startswith("Numeric response must be all 0 and 1")
    text = message("bernoulli", response([0.0, 1.0, 2.0], kind="categorical", levels=("a", "b", "c")))
    assert text.startswith("Categoric response must be binary")
    assert "score['a']" in text
    assert "binomial" in message("bernoulli", response([[1.0], [2.0]], kind="proportion", companions=("trials",)))


def test_binomial() -> None:
    def proportion(values: list[list[float]]) -> Response:
        return response(values, kind="proportion", companions=("trials",))

    get_family("binomial").check_response(proportion([[0.0, 2.0], [0.0, 2.0]]))
    assert "p(successes, trials)" in message("binomial", response([0.0, 1.0]))
    assert "no more successes than trials" in message("binomial", proportion([[0.0, 3.0], [1.0, 2.0]]))
    assert "whole numbers" in message("binomial", proportion([[0.5, 1.0], [1.0, 2.0]]))


def test_beta_explains_ends_and_percentages() -> None:
    text = message("beta", response([0.5, 1.0, 0.0, 73.0]))
    assert "1 in row 1, 0 in row 2, 73 in row 3" in text
    assert "divided by 100" in text


@pytest.mark.parametrize("family", ["gamma", "wald"])
def test_positive_families_refuse_zero(family: str) -> None:
    assert "0 in row 1" in message(family, response([0.5, 0.0]))


@pytest.mark.parametrize("family", ["gaussian", "t"])
def test_infinite_responses_are_refused(family: str) -> None:
    assert "inf in row 1" in message(family, response([0.5, np.inf]))
