"""Where group effects start: the model's choice, a parameter's, a prior's."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import assembled_of

from nutslite import Formula, Model, Prior
from nutslite.exceptions import PriorError

RNG = np.random.default_rng(5)
DATA = {"y": RNG.normal(size=40), "x": RNG.normal(size=40), "g": RNG.choice(list("abcd"), 40)}
FORMULA = Formula("y ~ x + (1|g)", "sigma ~ (1|g)")


def centred(**settings):
    """Which effects start centred, by term: the weights that the joint density is assembled with."""
    model = Model(FORMULA, DATA, **settings)
    assembled = assembled_of(model)
    effects = {v.name: v.index for v in assembled.layout.variables if v.source == "effects"}
    out = {}
    for name, index in effects.items():
        weights = assembled.data.centring[index]
        assert weights.min() == weights.max()
        out[name] = bool(weights[0])
    return out


def hierarchical(noncentered=None):
    return Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=1), noncentered=noncentered)


def test_model_level():
    assert centred() == {"1|g": False, "sigma_1|g": False}
    assert centred(noncentered=False) == {"1|g": True, "sigma_1|g": True}


def test_parameter_level():
    """A dict by parameter; True where left out."""
    assert centred(noncentered={"sigma": False}) == {"1|g": False, "sigma_1|g": True}
    assert centred(noncentered={"mu": False, "sigma": True}) == {"1|g": True, "sigma_1|g": False}
    assert centred(noncentered={}) == centred()


def test_a_prior_wins():
    assert centred(noncentered=False, priors={"1|g": hierarchical(True)}) == {"1|g": False, "sigma_1|g": True}
    assert centred(noncentered={"mu": True}, priors={"1|g": hierarchical(False)}) == {"1|g": True, "sigma_1|g": False}
    assert centred(noncentered=False, priors={"1|g": hierarchical()}) == {"1|g": True, "sigma_1|g": True}


def test_effects_of_a_fixed_scale_are_centred():
    assert centred(priors={"1|g": Prior("Laplace", mu=0, b=10)})["1|g"] is True


@pytest.mark.parametrize(
    ("noncentered", "message"),
    [
        ({"sgima": True}, "noncentered names 'sgima'.*Did you mean 'sigma'"),
        ({"nu": True}, "noncentered names 'nu'.*The model's: mu, sigma"),
        ({"mu": "yes"}, "True, False or a dict"),
        ("yes", "True, False or a dict"),
        (None, "True, False or a dict"),
        (1, "True, False or a dict"),
    ],
)
def test_refused_of_the_model(noncentered, message):
    with pytest.raises(PriorError, match=message):
        Model(FORMULA, DATA, noncentered=noncentered)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (Prior("Normal", mu=0, sigma=2, noncentered=True), "needs a prior with a hyperprior on its scale"),
        (
            Prior("Normal", mu=Prior("Normal"), sigma=2, noncentered=True),
            "needs a prior with a hyperprior on its scale",
        ),
        (Prior("Uniform", lower=-1, upper=1, noncentered=True), "needs a prior with a hyperprior on its scale"),
        (
            Prior("Normal", sigma=Prior("HalfNormal", sigma=1, noncentered=True)),
            "noncentered belongs to the prior of the effects, not to that of its argument 'sigma'",
        ),
    ],
)
def test_impossible_for_a_group_specific_term(prior, message):
    with pytest.raises(PriorError, match=message):
        Model(FORMULA, DATA, priors={"1|g": prior})


@pytest.mark.parametrize("name", ["x", "Intercept"])
def test_impossible_for_a_common_term(name):
    with pytest.raises(PriorError, match=f"'{name}': noncentered=True is for terms with a hyperprior"):
        Model(FORMULA, DATA, priors={name: Prior("Normal", noncentered=True)})


def test_impossible_for_a_constant_parameter():
    with pytest.raises(PriorError, match="'sigma': noncentered=True"):
        Model("y ~ x", DATA, priors={"sigma": Prior("HalfNormal", noncentered=True)})


def test_any_distribution_with_location_and_scale_may_be_noncentred():
    student = Prior("StudentT", nu=4, mu=0, sigma=Prior("HalfNormal", sigma=1), noncentered=True)
    assert centred(noncentered=False, priors={"1|g": student})["1|g"] is False
