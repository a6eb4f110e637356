"""Default priors: every printed figure of Bambi's guide, and its rules family by family."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nutslite.exceptions import PriorError
from nutslite.formula.records import CommonTerm, GroupTerm, LinearPredictor, Response
from nutslite.priors.choosing import choose_priors
from nutslite.priors.defaults import PriorSet, default_priors
from nutslite.priors.prior import Prior
from nutslite.priors.user_priors import Given

RRR = Path(__file__).resolve().parents[2] / "shared" / "data" / "rrr_long.csv"
HALF_NORMAL = ("HalfNormal", {"sigma": 1.0})


def predictor(columns=None, groups=(), *, parameter="mu", intercept=True):
    """A linear predictor from {name: (kind, array)}; a 1-d array is a scalar term, (p, n) several columns."""
    terms, rows = [], []
    for name, (kind, values) in (columns or {}).items():
        block = np.atleast_2d(values)
        labels = tuple(str(i) for i in range(len(block)))
        terms.append(CommonTerm(name, len(rows), len(rows) + len(block), labels, np.ndim(values) == 1, kind))
        rows.extend(block)
    matrix = np.ascontiguousarray(rows) if rows else np.empty((0, 5))
    return LinearPredictor(parameter, intercept, matrix, tuple(terms), tuple(groups))


def group(name, matrix=None):
    expression, factor = name.split("|")
    matrix = None if matrix is None else np.atleast_2d(matrix)
    count = 1 if matrix is None else len(matrix)
    return GroupTerm(name, expression, factor, matrix, tuple(map(str, range(count))), count == 1, "numeric")


def defaults(predictors, y, *, family="gaussian", link="identity", parent="mu", auxiliary=None, **more):
    if not isinstance(predictors, dict):
        predictors = {parent: predictors}
    response = Response("y", np.atleast_2d(np.asarray(y, dtype=float)))
    auxiliary = {"sigma": HALF_NORMAL} if auxiliary is None else auxiliary
    return default_priors(predictors, response, family=family, link=link, parent=parent, auxiliary=auxiliary, **more)


def sigma_of(prior):
    return prior.args["sigma"]


@pytest.fixture(scope="module")
def rrr():
    if not RRR.exists():
        pytest.skip("the data set rrr_long.csv is not beside this checkout")
    return pd.read_csv(RRR)


def texts(frame, common, groups=(), user=None):
    """Printed default priors for ``value ~ common + groups`` after dropping incomplete rows, and the rows left."""
    used = ["value", *common]
    for name in groups:
        used += [part for part in name.split("|") if part != "1"]
    frame = frame[list(dict.fromkeys(used))].dropna()
    columns = {name: ("numeric", frame[name].to_numpy(dtype=float)) for name in common}
    blocks = []
    for name in groups:
        expression = name.split("|")[0]
        blocks.append(group(name, None if expression == "1" else frame[expression].to_numpy(dtype=float)))
    chosen = choose_priors(
        user,
        {"mu": predictor(columns, blocks)},
        Response("value", np.atleast_2d(frame["value"].to_numpy(dtype=float))),
        family="gaussian",
        link="identity",
        parent="mu",
        auxiliary={"sigma": HALF_NORMAL},
    )
    lines = {name: str(prior) for name, prior in chosen.terms["mu"].items()}
    return lines | {"sigma": str(chosen.constants["sigma"])}, len(frame)


GUIDE = {
    "Intercept": "Normal(mu: 4.5457, sigma: 28.4114)",
    "condition": "Normal(mu: 0.0, sigma: 12.0966)",
    "age": "Normal(mu: 0.0, sigma: 1.3011)",
    "gender": "Normal(mu: 0.0, sigma: 13.1286)",
}
GUIDE_SIGMA = {"sigma": "HalfStudentT(nu: 4.0, sigma: 2.4186)"}


def test_guide_common_effects(rrr):
    lines, rows = texts(rrr, ["condition", "age", "gender"])
    assert rows == 6907
    assert lines == GUIDE | GUIDE_SIGMA
    assert list(lines) == ["Intercept", "condition", "age", "gender", "sigma"]


def test_guide_group_intercepts(rrr):
    lines, _ = texts(rrr, ["condition", "age", "gender"], ["1|uid"])
    assert lines == GUIDE | {"1|uid": "Normal(mu: 0.0, sigma: HalfNormal(sigma: 28.4114))"} | GUIDE_SIGMA


def test_guide_crossed_group_effects(rrr):
    groups = ["1|uid", "1|study", "condition|study", "1|stimulus", "condition|stimulus"]
    lines, rows = texts(rrr, ["condition", "age", "gender"], groups)
    assert rows == 6907
    intercepts = {f"1|{g}": "Normal(mu: 0.0, sigma: HalfNormal(sigma: 28.4114))" for g in ("uid", "study", "stimulus")}
    slopes = {f"condition|{g}": "Normal(mu: 0.0, sigma: HalfNormal(sigma: 12.0966))" for g in ("study", "stimulus")}
    assert lines == GUIDE | intercepts | slopes | GUIDE_SIGMA


@pytest.mark.parametrize(
    ("prior", "text"),
    [
        (Prior("Laplace", mu=0, b=10), "Laplace(mu: 0, b: 10)"),
        (Prior("Normal", mu=0, sd=Prior("HalfCauchy", beta=5)), "Normal(mu: 0, sd: HalfCauchy(beta: 5))"),
    ],
)
def test_guide_priors_of_ones_own(rrr, prior, text):
    lines, rows = texts(rrr, ["condition"], ["1|uid"], {"1|uid": prior})
    assert rows == 6931
    assert lines == {
        "Intercept": "Normal(mu: 4.5516, sigma: 8.4548)",
        "condition": "Normal(mu: 0.0, sigma: 12.1019)",
        "1|uid": text,
        "sigma": "HalfStudentT(nu: 4.0, sigma: 2.4197)",
    }


# the rules ------------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(8)
N = 60
X = 3.0 + 2.0 * RNG.normal(size=N)
Z = RNG.normal(size=N)
BASIS = np.array([X, X**2, Z])
G = np.array([np.arange(N) % 3 == 1, np.arange(N) % 3 == 2], dtype=float)
Y = 10.0 + 5.0 * RNG.normal(size=N)


def test_columns_of_a_categorical_get_a_vector():
    priors = defaults(predictor({"g": ("categorical", G), "x": ("numeric", X)}), Y).terms["mu"]
    expected = 2.5 * Y.std() / G.std(axis=1)
    np.testing.assert_allclose(sigma_of(priors["g"]), expected)
    np.testing.assert_array_equal(priors["g"].args["mu"], [0.0, 0.0])
    slope = 2.5 * Y.std() / X.std()
    widened = (2.5 * Y.std()) ** 2 + np.sum((expected * G.mean(axis=1)) ** 2) + (slope * X.mean()) ** 2
    assert sigma_of(priors["Intercept"]) == pytest.approx(np.sqrt(widened))


def test_a_single_dummy_has_a_number_as_in_bambi():
    priors = defaults(predictor({"g": ("categorical", G[:1])}), Y).terms["mu"]
    assert np.shape(sigma_of(priors["g"])) == ()
    assert str(priors["g"]).startswith("Normal(mu: 0.0, sigma: ")
    assert str(Prior("Normal", mu=[0], sigma=np.array([[2.5]]))) == "Normal(mu: 0, sigma: 2.5)"


def test_no_intercept():
    priors = defaults(predictor({"x": ("numeric", X)}, [group("1|g")], intercept=False), Y).terms["mu"]
    assert list(priors) == ["x", "1|g"]
    slope = 2.5 * Y.std() / X.std()
    expected = np.sqrt((2.5 * Y.std()) ** 2 + (slope * X.mean()) ** 2)
    assert sigma_of(sigma_of(priors["1|g"])) == pytest.approx(expected)


def test_group_columns_get_a_vector_and_one_column_a_number():
    priors = defaults(predictor(groups=[group("b|g", BASIS), group("x|g", X)]), Y).terms["mu"]
    np.testing.assert_allclose(sigma_of(sigma_of(priors["b|g"])), 2.5 * Y.std() / BASIS.std(axis=1))
    assert sigma_of(sigma_of(priors["x|g"])) == pytest.approx(2.5 * Y.std() / X.std())
    assert isinstance(sigma_of(sigma_of(priors["x|g"])), float)


def test_other_families_do_not_look_at_the_response():
    for family in ("poisson", "gamma", "laplace", "negativebinomial"):
        result = defaults(
            predictor({"x": ("numeric", X)}),
            Y,
            family=family,
            link="log",
            auxiliary={"alpha": ("HalfCauchy", {"beta": 1.0})},
        )
        priors = result.terms["mu"]
        assert sigma_of(priors["x"]) == pytest.approx(2.5 / X.std())
        assert priors["Intercept"].args["mu"] == 0.0
        assert sigma_of(priors["Intercept"]) == pytest.approx(np.hypot(2.5, 2.5 / X.std() * X.mean()))
        assert result.constants["alpha"] == Prior("HalfCauchy", beta=1.0)


def test_student_t_scales_sigma_but_not_nu():
    result = defaults(
        predictor(), Y, family="t", auxiliary={"sigma": HALF_NORMAL, "nu": ("Gamma", {"alpha": 2, "beta": 0.1})}
    )
    assert result.constants["sigma"] == Prior("HalfStudentT", nu=4.0, sigma=float(Y.std()))
    assert result.constants["nu"] == Prior("Gamma", alpha=2, beta=0.1)


@pytest.mark.parametrize("link", ["logit", "probit"])
@pytest.mark.parametrize("family", ["bernoulli", "binomial"])
def test_binary_families(family, link):
    columns = {
        "x": ("numeric", X),
        "g": ("categorical", G),
        "g:h": ("categorical", G),
        "x:z": ("interaction", X * Z),
        "x:g": ("interaction", np.array([X * (1 - G.sum(axis=0)), X * G[0], X * G[1]])),
        "bs(x)": ("numeric", BASIS),
    }
    groups = [group("1|u"), group("x|u", X)]
    model = predictor(columns, groups, parameter="p")
    priors = defaults({"p": model}, Y > 10, family=family, link=link, parent="p", auxiliary={}).terms["p"]
    assert priors["Intercept"] == Prior("Normal", mu=0.0, sigma=1.5)
    assert sigma_of(priors["x"]) == pytest.approx(1 / X.std())
    np.testing.assert_array_equal(sigma_of(priors["g"]), [1.0, 1.0])
    np.testing.assert_array_equal(sigma_of(priors["g:h"]), [1.0, 1.0])
    assert sigma_of(priors["x:z"]) == pytest.approx(1 / (X * Z).std())
    np.testing.assert_allclose(sigma_of(priors["x:g"]), 1 / X.std())  # the columns sum to x
    np.testing.assert_allclose(sigma_of(priors["bs(x)"]), 1 / BASIS.std(axis=1))
    # group-specific terms go by the general rules
    assert sigma_of(sigma_of(priors["x|u"])) == pytest.approx(2.5 / X.std())
    slopes = np.concatenate([np.atleast_1d(sigma_of(priors[name])) for name in columns])
    assert sigma_of(sigma_of(priors["1|u"])) == pytest.approx(
        np.sqrt(2.5**2 + np.sum((slopes * model.matrix.mean(1)) ** 2))
    )


def test_binary_families_with_another_link_go_by_the_general_rules():
    model = predictor({"x": ("numeric", X)}, parameter="p")
    priors = defaults({"p": model}, Y > 10, family="bernoulli", link="cloglog", parent="p", auxiliary={}).terms["p"]
    assert sigma_of(priors["x"]) == pytest.approx(2.5 / X.std())


def test_other_parameters_are_not_scaled():
    models = {
        "mu": predictor({"x": ("numeric", X)}),
        "sigma": predictor({"g": ("categorical", G)}, [group("1|u"), group("x|u", X)], parameter="sigma"),
    }
    result = defaults(models, Y)
    assert result.constants == {}
    assert list(result.terms["sigma"]) == ["Intercept", "g", "1|u", "x|u"]
    assert result.terms["sigma"]["Intercept"] == result.terms["sigma"]["g"] == Prior("Normal", mu=0.0, sigma=1.0)
    assert str(result.terms["sigma"]["x|u"]) == "Normal(mu: 0.0, sigma: HalfNormal(sigma: 1.0))"


def test_without_auto_scale_everything_is_flat():
    result = defaults(predictor({"x": ("numeric", X)}, [group("1|g")]), Y, auto_scale=False)
    assert {name: str(prior) for name, prior in result.terms["mu"].items()} == {
        "Intercept": "Flat()",
        "x": "Flat()",
        "1|g": "Normal(mu: 0.0, sigma: HalfFlat())",
    }
    assert result.constants["sigma"] == Prior("HalfNormal", sigma=1.0)


def test_terms_with_a_prior_of_their_own_do_not_widen_the_intercept():
    model = predictor({"x": ("numeric", X), "z": ("numeric", Z)}, [group("1|g")])
    given = Given({"mu": {"x": Prior("Normal", mu=0, sigma=1)}})
    priors = defaults(model, Y, given=given).terms["mu"]
    assert list(priors) == ["Intercept", "z", "1|g"]
    expected = np.hypot(2.5 * Y.std(), sigma_of(priors["z"]) * Z.mean())
    assert sigma_of(priors["Intercept"]) == pytest.approx(expected)
    assert sigma_of(sigma_of(priors["1|g"])) == pytest.approx(expected)


def test_what_gives_no_scale_is_an_error_unless_a_prior_is_given():
    constant = predictor({"x": ("numeric", np.full(N, 2.0))})
    with pytest.raises(PriorError, match="term 'x' does not vary"):
        defaults(constant, Y)
    own = Given({"mu": {"x": Prior("Normal")}})
    assert "x" not in defaults(constant, Y, given=own).terms["mu"]
    with pytest.raises(PriorError, match="response 'y' does not vary"):
        defaults(predictor(), np.ones(N))
    own = Given({"mu": {"Intercept": Prior("Normal")}}, {"sigma": Prior("HalfNormal")})
    assert defaults(predictor(), np.ones(N), given=own) == PriorSet({"mu": {}}, {})


def test_a_parameter_without_a_default_needs_a_prior():
    with pytest.raises(PriorError, match="'theta' of the family 'mine' has no default prior"):
        defaults(predictor(), Y, family="mine", auxiliary={"theta": None})
