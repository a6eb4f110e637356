"""Widths given as numbers and names, and their meaning beside default priors."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from nutslite import Formula, Model, Prior
from nutslite.exceptions import PriorError
from nutslite.priors.scales import NAMED, WIDE, read_scale

RNG = np.random.default_rng(12)
DATA = {
    "y": RNG.normal(3.0, 2.0, 60),
    "b": RNG.integers(0, 2, 60),
    "x": RNG.normal(1.0, 3.0, 60),
    "z": RNG.normal(size=60),
    "g": RNG.choice(list("abc"), 60),
    "u": RNG.choice(list("pqrst"), 60),
}


def test_named_scales_are_the_guides():
    assert NAMED == {"narrow": 0.2, "medium": 0.4, "wide": 3**-0.5, "superwide": 0.8}


@pytest.mark.parametrize(
    ("value", "number", "named"),
    [
        ("wide", WIDE, True),
        (" Narrow ", 0.2, True),
        (0.3, 0.3, False),
        ("0.1", 0.1, False),
        (np.float32(0.5), 0.5, False),
        (2, 2.0, False),
    ],
)
def test_what_is_a_scale(value, number, named):
    scale = read_scale(value)
    assert scale.value == number
    assert scale.named is named


@pytest.mark.parametrize("value", [None, True, [0.3], {"x": 1}, Prior("Normal")])
def test_what_is_none(value):
    assert read_scale(value) is None


@pytest.mark.parametrize("value", ["widest", "", 0, -0.1, "-0.1", float("nan"), float("inf"), "inf"])
def test_what_is_a_wrong_one(value):
    with pytest.raises(PriorError, match=r"scale.*narrow \(0.2\)"):
        read_scale(value)


def sigmas(model, parameter="mu"):
    out = {}
    for name, prior in model.priors.terms[parameter].items():
        sigma = prior.args["sigma"]
        out[name] = sigma.args["sigma"] if isinstance(sigma, Prior) else sigma
    return out


def test_beside_default_priors_a_number_multiplies_and_a_name_is_relative_to_wide(caplog):
    formula = "y ~ x + g + (x|u)"
    plain = sigmas(Model(formula, DATA))
    with caplog.at_level(logging.INFO, logger="nutslite"):
        model = Model(formula, DATA, priors={"x": 0.5, "g": "narrow", "1|u": 2, "x|u": "superwide"})
    (record,) = [record for record in caplog.records if "Scales in priors" in record.message]
    assert "multiply the widths of default priors" in record.message
    assert "0.5: 0.5 x, 'narrow': 0.3464 x, 2: 2 x, 'superwide': 1.386 x" in record.message
    found = sigmas(model)
    assert found["x"] == pytest.approx(0.5 * plain["x"])
    np.testing.assert_allclose(found["g"], 0.2 / WIDE * np.asarray(plain["g"]))
    assert found["x|u"] == pytest.approx(0.8 / WIDE * plain["x|u"])
    means = model.design.predictors["mu"].matrix.mean(axis=1)
    slopes = np.array([found["x"], *found["g"]])
    intercept = np.sqrt((2.5 * DATA["y"].std()) ** 2 + np.sum((slopes * means) ** 2))
    assert found["Intercept"] == pytest.approx(intercept)  # narrower slopes widen it less
    assert found["1|u"] == pytest.approx(2 * intercept)


def test_wide_is_the_default():
    formula = "y ~ x + (x|u)"
    for automatic in ("default", "mle"):
        wide = Model(formula, DATA, automatic_priors=automatic, priors={"common": "wide", "group_specific": "wide"})
        assert repr(wide) == repr(Model(formula, DATA, automatic_priors=automatic))


def test_generic_keys_take_scales_and_named_ones_win():
    plain = sigmas(Model("y ~ x + z + (1|u)", DATA))
    found = sigmas(Model("y ~ x + z + (1|u)", DATA, priors={"common": 0.1, "x": "wide"}))
    assert found["x"] == plain["x"]
    assert found["z"] == pytest.approx(0.1 * plain["z"])
    mixed = Model("y ~ x + z", DATA, priors={"common": Prior("Normal", mu=0, sigma=3), "x": 0.5})
    assert str(mixed.priors.terms["mu"]["z"]) == "Normal(mu: 0, sigma: 3)"
    assert sigmas(mixed)["x"] == pytest.approx(0.5 * plain["x"])


def test_intercepts_and_binary_families():
    for family, y in (("gaussian", "y"), ("bernoulli", "b")):
        parameter = "mu" if family == "gaussian" else "p"
        plain = sigmas(Model(f"{y} ~ x", DATA, family=family), parameter)
        found = sigmas(Model(f"{y} ~ x", DATA, family=family, priors={"Intercept": 0.5, "x": 0.1}), parameter)
        if family == "bernoulli":
            assert found["Intercept"] == pytest.approx(0.75)
        assert found["x"] == pytest.approx(0.1 * plain["x"])
        wide, half = (
            sigmas(Model(f"{y} ~ x", DATA, family=family, automatic_priors="mle", priors={"Intercept": k}), parameter)
            for k in ("wide", 0.5 * WIDE)
        )
        assert half["Intercept"] == pytest.approx(0.5 * wide["Intercept"])


def test_terms_of_other_parameters():
    model = Model(Formula("y ~ x", "sigma ~ z + g + (1|u)"), DATA, priors={"sigma": {"z": 0.5, "1|u": 0.25}})
    assert str(model.priors.terms["sigma"]["z"]) == "Normal(mu: 0.0, sigma: 0.5)"
    assert str(model.priors.terms["sigma"]["1|u"]) == "Normal(mu: 0.0, sigma: HalfNormal(sigma: 0.25))"
    assert str(model.priors.terms["sigma"]["g"]) == "Normal(mu: 0.0, sigma: 1.0)"


def test_flat_priors_have_no_scale():
    with pytest.raises(PriorError, match="auto_scale=False asks for flat ones"):
        Model("y ~ x", DATA, auto_scale=False, priors={"x": "narrow"})
