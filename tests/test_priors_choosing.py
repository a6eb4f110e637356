"""The user's priors: matched to terms and parameters, checked, and laid over the defaults."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from nutslite.exceptions import NutsliteWarning, PriorError
from nutslite.formula.records import CommonTerm, GroupTerm, LinearPredictor, Response
from nutslite.priors.choosing import choose_priors
from nutslite.priors.prior import Prior
from nutslite.priors.user_priors import match_priors

RNG = np.random.default_rng(4)
N = 40
MATRIX = RNG.normal(1.0, 2.0, size=(4, N))
RESPONSE = Response("y", RNG.normal(size=(1, N)))
MU = LinearPredictor(
    "mu",
    True,
    MATRIX,
    (
        CommonTerm("condition", 0, 1, ("0",), True, "numeric"),
        CommonTerm("g", 1, 3, ("b", "c"), False, "categorical"),
        CommonTerm("sigma", 3, 4, ("0",), True, "numeric"),  # a column that is called like a parameter
    ),
    (
        GroupTerm("1|uid", "1", "uid", None, ("1",), True, "numeric"),
        GroupTerm("condition|uid", "condition", "uid", MATRIX[:1], ("0",), True, "numeric"),
    ),
)
SIGMA = LinearPredictor("sigma", True, MATRIX[:1], (CommonTerm("z", 0, 1, ("0",), True, "numeric"),))
AUXILIARY = {"sigma": ("HalfNormal", {"sigma": 1.0}), "nu": ("Gamma", {"alpha": 2.0, "beta": 0.1})}
WIDE = Prior("Normal", mu=0, sigma=100)
HIERARCHICAL = Prior("Normal", mu=0, sigma=Prior("HalfCauchy", beta=5))


def choose(priors, *, predictors=None, **more):
    predictors = {"mu": MU} if predictors is None else predictors
    auxiliary = {name: data for name, data in AUXILIARY.items() if name not in predictors}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return choose_priors(
            priors,
            predictors,
            RESPONSE,
            family="t",
            link="identity",
            parent="mu",
            auxiliary=auxiliary,
            **more,
        )


def test_nothing_given_gives_the_defaults_in_order():
    chosen = choose(None)
    assert list(chosen.terms["mu"]) == ["Intercept", "condition", "g", "sigma", "1|uid", "condition|uid"]
    assert list(chosen.constants) == ["sigma", "nu"]
    assert chosen == choose({})


def test_named_terms_keep_the_order_and_leave_the_others():
    chosen = choose({"condition": WIDE, "1|uid": HIERARCHICAL, "Intercept": Prior("Cauchy", alpha=0, beta=1)})
    assert list(chosen.terms["mu"]) == list(choose(None).terms["mu"])
    assert chosen.terms["mu"]["condition"] == WIDE
    assert chosen.terms["mu"]["1|uid"] == HIERARCHICAL
    assert str(chosen.terms["mu"]["Intercept"]) == "Cauchy(alpha: 0, beta: 1)"
    assert chosen.terms["mu"]["condition|uid"] == choose(None).terms["mu"]["condition|uid"]


def test_common_excludes_the_intercept_and_named_terms():
    own = Prior("Laplace", mu=0, b=1)
    chosen = choose({"common": WIDE, "condition": own}).terms["mu"]
    assert chosen["g"] == chosen["sigma"] == WIDE
    assert chosen["condition"] == own
    assert chosen["Intercept"].args["sigma"] == pytest.approx(2.5 * RESPONSE.values.std())  # nothing left to widen it


def test_group_specific_with_and_without_hyperprior():
    fixed = Prior("Laplace", mu=0, b=10)
    chosen = choose({"group_specific": fixed, "condition|uid": HIERARCHICAL}).terms["mu"]
    assert chosen["1|uid"] == fixed
    assert chosen["condition|uid"] == HIERARCHICAL
    student = Prior("StudentT", nu=Prior("Gamma", alpha=2, beta=0.1), mu=0, sigma=Prior("HalfNormal"))
    assert choose({"1|uid": student}).terms["mu"]["1|uid"] == student


def test_tuple_keys():
    chosen = choose({("condition", "g"): WIDE, ("1|uid", "condition|uid"): HIERARCHICAL}).terms["mu"]
    assert chosen["condition"] == chosen["g"] == WIDE
    chosen["condition"].update(sigma=1)
    assert chosen["g"] == WIDE  # each term has its own copy
    assert WIDE.args["sigma"] == 100
    with pytest.raises(PriorError, match="'g' is named twice"):
        choose({("condition", "g"): WIDE, "g": WIDE})


def test_parameters():
    chosen = choose({"sigma": Prior("Exponential", lam=1), "nu": 4})
    assert chosen.constants == {"sigma": Prior("Exponential", lam=1), "nu": 4.0}
    assert chosen.terms["mu"]["sigma"] == choose(None).terms["mu"]["sigma"]  # the parameter was meant, not the term
    nested = choose({"mu": {"sigma": WIDE}})
    assert nested.terms["mu"]["sigma"] == WIDE
    assert nested.constants["sigma"] == choose(None).constants["sigma"]


def test_nested_priors_of_a_modelled_parameter():
    predictors = {"mu": MU, "sigma": SIGMA}
    chosen = choose({"sigma": {"z": WIDE}, "mu": {"condition": WIDE}, "condition": HIERARCHICAL}, predictors=predictors)
    assert chosen.terms["sigma"]["z"] == WIDE
    assert chosen.terms["mu"]["condition"] == WIDE  # nested wins
    assert choose({"sigma": {"common": WIDE}}, predictors=predictors).terms["sigma"]["z"] == WIDE
    assert choose({"common": WIDE}, predictors=predictors).terms["sigma"]["z"] != WIDE  # the parent's only
    assert list(chosen.constants) == ["nu"]


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ({"condition": Prior("HalfNormal", sigma=Prior("HalfNormal"))}, "must have a location and a scale"),
        ({"Intercept": HIERARCHICAL}, "Trying to set hyperprior on 'Intercept'"),
        ({"sigma": Prior("HalfNormal", sigma=Prior("HalfNormal"))}, "Trying to set hyperprior on 'sigma'"),
        ({"condition": None}, "must be a Prior, or a scale of the default prior, not None"),
        ({"condition": True}, "must be a Prior, or a scale"),
        ({"condition": [0.3]}, "must be a Prior, or a scale"),
        ({"condition": "wiide"}, "no scale 'wiide'. Did you mean 'wide'"),
        ({"common": -1}, "must be a positive number"),
        ({"common": "nan"}, "must be a positive number"),
        ({"g": Prior("Normal", mu=[0, 0, 0])}, "'g' has 2 columns"),
        ({"condition|uid": Prior("Normal", sigma=Prior("HalfNormal", sigma=[1, 2]))}, "'condition.uid' has 1 column,"),
        ({"1|uid": Prior("Gamma", alpha=2, beta=Prior("HalfNormal"))}, "must have a location and a scale"),
        ({"1|uid": Prior("Normal", noncentered=True)}, "noncentered=True needs"),
        ({"condition": Prior("Normal", noncentered=True)}, "noncentered=True is for terms with a hyperprior"),
        ({"1|uid": Prior("LKJ", eta=2)}, "correlation matrices"),
        ({"sigma": Prior("Normal")}, "'sigma' lies between 0 and inf"),
        ({"sigma": Prior("Uniform", lower=-1, upper=1)}, "'sigma' lies between 0 and inf"),
        ({"sigma": 0.0}, "'sigma' lies between 0 and inf"),
        ({"sigma": np.array([1.0, -1.0])}, "'sigma' is one number for all rows"),
        ({"sigma": float("nan")}, "finite numbers"),
        ({"sigma": "wide"}, "finite numbers"),
        ({"sigma": {"z": WIDE}}, "'sigma' has no formula"),
        ({"mu": WIDE}, "'mu' has a formula"),
        ({3: WIDE}, "neither a name nor a tuple"),
        ([WIDE], "must be a dict"),
    ],
)
def test_refused(priors, message):
    with pytest.raises(PriorError, match=message):
        choose(priors)


def test_unused_names_warn_or_raise_with_a_suggestion():
    arguments = {"parent": "mu", "constants": ["nu"]}
    with pytest.warns(NutsliteWarning, match=r"'condition\|ui'. Did you mean 'condition\|uid'\?"):
        found = match_priors({"condition|ui": WIDE, "g": WIDE}, {"mu": MU}, **arguments)
    assert found.terms == {"mu": {"g": WIDE}}
    with pytest.raises(PriorError, match="There are: common, group_specific"):
        match_priors({("X3", "X4"): WIDE}, {"mu": MU}, unused="error", **arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        match_priors({"X3": WIDE}, {"mu": MU}, unused="ignore", **arguments)
    with pytest.warns(NutsliteWarning, match="'sigma: zz'"):
        match_priors({"sigma": {"zz": WIDE}}, {"mu": MU, "sigma": SIGMA}, **arguments)
    with pytest.raises(PriorError, match="unused_priors="):
        match_priors({}, {"mu": MU}, unused="loud", **arguments)


def test_generic_keys_without_such_terms_are_unused():
    bare = LinearPredictor("mu", True, np.empty((0, N)))
    for key in ("common", "group_specific"):
        with pytest.warns(NutsliteWarning, match=key):
            match_priors({key: WIDE}, {"mu": bare}, parent="mu", constants=[])
