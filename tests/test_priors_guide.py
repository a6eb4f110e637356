"""Priors as Bambi's guide prints them, in both layouts, and what it promises about them."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

import nutslite as nl
from nutslite import Model, Prior
from nutslite.exceptions import NutsliteWarning, PriorError

LAPLACE = {"1|uid": Prior("Laplace", mu=0, b=10)}
HALF_CAUCHY = {"1|uid": Prior("Normal", mu=0, sd=Prior("HalfCauchy", beta=5))}
ALL_COMMON = ["condition 12.0966", "age 1.3011", "gender 13.1286"]
SUPERWIDE = {"condition": "superwide"}
TYPO = {"condition|ui": "0.1"}


def group_line(name, scale):
    return f"{name} ~ Normal(mu: 0.0, sigma: HalfNormal(sigma: {scale}))"


def slope_lines(entries):
    return [f"{name} ~ Normal(mu: 0.0, sigma: {sigma})" for name, sigma in (entry.split() for entry in entries)]


# Every model of the guide on the data rrr_long: formula, settings, rows, and the lines of its priors but sigma's.
GUIDE = {
    "common": (
        "value ~ condition + age + gender",
        {},
        6907,
        ["Intercept ~ Normal(mu: 4.5457, sigma: 28.4114)", *slope_lines(ALL_COMMON)],
        "2.4186",
    ),
    "group intercepts": (
        "value ~ condition + age + gender + (1|uid)",
        {},
        6907,
        ["Intercept ~ Normal(mu: 4.5457, sigma: 28.4114)", *slope_lines(ALL_COMMON), group_line("1|uid", 28.4114)],
        "2.4186",
    ),
    "crossed": (
        "value ~ condition + age + gender + (1|uid) + (condition|study) + (condition|stimulus)",
        {},
        6907,
        [
            "Intercept ~ Normal(mu: 4.5457, sigma: 28.4114)",
            *slope_lines(ALL_COMMON),
            group_line("1|uid", 28.4114),
            group_line("1|study", 28.4114),
            group_line("condition|study", 12.0966),
            group_line("1|stimulus", 28.4114),
            group_line("condition|stimulus", 12.0966),
        ],
        "2.4186",
    ),
    "mle": (
        "value ~ condition + gender + age + (condition|uid)",
        {"automatic_priors": "mle"},
        6907,
        [
            "Intercept ~ Normal(mu: 4.5457, sigma: 10.3262)",
            *slope_lines(["condition 4.3599", "gender 4.756", "age 0.4706"]),
            group_line("1|uid", 5.9619),
            group_line("condition|uid", 4.3599),
        ],
        "2.4186",
    ),
    "mle superwide": (
        "value ~ condition + gender + age + (condition|uid)",
        {"automatic_priors": "mle", "priors": SUPERWIDE},
        6907,
        [
            "Intercept ~ Normal(mu: 4.5457, sigma: 10.6932)",
            *slope_lines(["condition 7.1741", "gender 4.756", "age 0.4706"]),
            group_line("1|uid", 6.1737),
            group_line("condition|uid", 7.1741),
        ],
        "2.4186",
    ),
    "mle with a misspelt name": (
        "value ~ condition + gender + age + (condition|uid)",
        {"automatic_priors": "mle", "priors": TYPO},
        6907,
        [
            "Intercept ~ Normal(mu: 4.5457, sigma: 10.3262)",
            *slope_lines(["condition 4.3599", "gender 4.756", "age 0.4706"]),
            group_line("1|uid", 5.9619),
            group_line("condition|uid", 4.3599),
        ],
        "2.4186",
    ),
    "Laplace effects": (
        "value ~ condition + (1|uid)",
        {"priors": LAPLACE},
        6931,
        [
            "Intercept ~ Normal(mu: 4.5516, sigma: 8.4548)",
            *slope_lines(["condition 12.1019"]),
            "1|uid ~ Laplace(mu: 0, b: 10)",
        ],
        "2.4197",
    ),
    "half-Cauchy scale": (
        "value ~ condition + (1|uid)",
        {"priors": HALF_CAUCHY},
        6931,
        [
            "Intercept ~ Normal(mu: 4.5516, sigma: 8.4548)",
            *slope_lines(["condition 12.1019"]),
            "1|uid ~ Normal(mu: 0, sd: HalfCauchy(beta: 5))",
        ],
        "2.4197",
    ),
}


@pytest.fixture(scope="module")
def rrr():
    return nl.load_data("rrr_long")


def sections(lines, sigma, nu):
    """The guide's lines by section: a line with a bar in its name is a group effect."""
    common = [line for line in lines if "|" not in line.split(" ~ ")[0]]
    grouped = [line for line in lines if "|" in line.split(" ~ ")[0]]
    auxiliary = [f"sigma ~ HalfStudentT(nu: {nu}, sigma: {sigma})"]
    titles = {"Common-level effects": common, "Group-level effects": grouped, "Auxiliary parameters": auxiliary}
    return {title: rows for title, rows in titles.items() if rows}


@pytest.mark.parametrize("name", GUIDE)
def test_printed_figures(name, rrr):
    """Every printed figure of the guide on rrr_long, line by line, in the layouts of Bambi 0.6 and 0.21."""
    formula, settings, rows, lines, sigma = GUIDE[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NutsliteWarning)  # the misspelt name
        model = Model(formula, rrr, dropna=True, **settings)
    classic = ["Formula: " + formula, "Family name: Gaussian", "Link: identity", f"Observations: {rows}", "Priors:"]
    blocks = [
        "\n".join([f"  {title}", *(f"    {row}" for row in rows)]) for title, rows in sections(lines, sigma, 4).items()
    ]
    assert model.describe("classic") == "\n".join(classic) + "\n" + "\n\n".join(blocks)
    modern = [
        f"       Formula: {formula}",
        "        Family: gaussian",
        "          Link: mu = identity",
        f"  Observations: {rows}",
        "        Priors: ",
        "    target = mu",
    ]
    blocks = [
        "\n".join([f"{'':8}{title}", *(f"{'':12}{row}" for row in rows)])
        for title, rows in sections(lines, sigma, "4.0").items()
    ]
    unfolded = re.sub(r"(?<=,)\n {16}", " ", repr(model))
    assert unfolded == "\n".join(modern) + "\n" + f"\n{'':8}\n".join(blocks)


def test_a_misspelt_name_is_reported_with_a_suggestion(rrr):
    """Bambi 0.6 ignored `condition|ui` without a word."""
    formula, settings = GUIDE["mle with a misspelt name"][:2]
    with pytest.warns(NutsliteWarning, match=r"'condition\|ui'. Did you mean 'condition\|uid'\?") as caught:
        Model(formula, rrr, dropna=True, **settings)
    assert caught[0].filename == __file__
    with pytest.raises(PriorError, match=r"Did you mean 'condition\|uid'\?"):
        Model(formula, rrr, dropna=True, unused_priors="error", **settings)
    right = Model(formula, rrr, dropna=True, automatic_priors="mle", priors={"condition|uid": "0.1"})
    assert "condition|uid ~ Normal(mu: 0.0, sigma: HalfNormal(sigma: 0.4903))" in repr(right)


def random_data():
    """The shape of the guide's example of four predictors, of which two group."""
    rng = np.random.default_rng(9)
    columns = {f"X{i}": rng.normal(size=50) for i in (1, 2)} | {f"X{i}": rng.choice(list("abcde"), 50) for i in (3, 4)}
    return columns | {"y": rng.normal(size=50)}


FORMULA = "y ~ X1 + X2 + (1|X3) + (1|X4)"


def lines_of(model):
    """The printed priors by name of term."""
    lines = (line.strip().split(" ~ ", 1) for line in model.describe("classic").splitlines() if " ~ " in line)
    return dict(line for line in lines if line[0] != "Formula: y")


def test_example_1_scales_and_a_tuple_of_names():
    """0.3, "medium" and a tuple key that names no term: it warns, the prior of counts does no harm."""
    data = random_data()
    plain = lines_of(Model(FORMULA, data, automatic_priors="mle"))
    counts = Prior("ZeroInflatedPoisson", theta=10, psi=0.5)
    with pytest.warns(NutsliteWarning, match="'X3'.*'X4'"):
        model = Model(FORMULA, data, automatic_priors="mle", priors={"X1": 0.3, "X2": "medium", ("X3", "X4"): counts})
    found = lines_of(model)
    assert found["X1"] != plain["X1"]
    assert found["X2"] != plain["X2"]
    numbers = lines_of(Model(FORMULA, data, automatic_priors="mle", priors={"X1": "0.3", "X2": 0.4}))
    assert numbers == found
    sigma = model.priors.terms["mu"]["Intercept"].args["sigma"]
    for name in ("1|X3", "1|X4"):
        assert found[name] == f"Normal(mu: 0.0, sigma: HalfNormal(sigma: {np.round(3**-0.5 * sigma, 4)}))"
    with pytest.raises(PriorError, match=r"'1.X3': ZeroInflatedPoisson is a distribution of counts"):
        Model(FORMULA, data, priors={("1|X3", "1|X4"): counts})


def test_example_2_common_leaves_the_intercept_alone():
    """A difference from Bambi 0.6, whose constructor (but not set_priors) gave `common` to the intercept, too."""
    data = random_data()
    wide = Prior("Normal", sd=100)
    model = Model(FORMULA, data, automatic_priors="mle", priors={"X1": 0.3, "common": wide, "group_specific": "wide"})
    found = lines_of(model)
    assert found["X2"] == "Normal(sd: 100)"
    assert found["Intercept"].startswith("Normal(mu: ")
    assert found["X1"] == lines_of(Model(FORMULA, data, automatic_priors="mle", priors={"X1": 0.3}))["X1"]


def test_set_priors_gives_what_the_constructor_gives():
    """The guide says that both produce the same; here they do, for the intercept as well."""
    data = random_data()
    wide = Prior("Normal", sd=100)
    constructed = Model(
        FORMULA, data, automatic_priors="mle", priors={"X1": 0.3, "common": wide, "group_specific": "wide"}
    )
    changed = Model(FORMULA, data, automatic_priors="mle")
    changed.set_priors({"X1": 0.3}, common=wide, group_specific="wide")
    assert lines_of(changed) == lines_of(constructed)
    changed.set_priors(group_specific="narrow")
    assert lines_of(changed)["1|X3"] != lines_of(constructed)["1|X3"]
    assert lines_of(changed)["X2"] == "Normal(sd: 100)"  # what was said before stays


def test_set_priors_replaces_name_by_name():
    """Also a name that an earlier tuple held, and inside the mapping of a modelled parameter."""
    data = random_data()
    wide, narrow = Prior("Normal", mu=0, sigma=9), Prior("Normal", mu=0, sigma=1)
    model = Model(FORMULA, data, priors={("X1", "X2"): wide})
    model.set_priors({"X1": narrow})
    assert model.priors.terms["mu"]["X1"] == narrow
    assert model.priors.terms["mu"]["X2"] == wide
    modelled = Model(nl.Formula("y ~ X1", "sigma ~ X1 + X2"), data, priors={"sigma": {"X1": wide}})
    modelled.set_priors({"sigma": {"X2": narrow}})
    assert modelled.priors.terms["sigma"]["X1"] == wide
    assert modelled.priors.terms["sigma"]["X2"] == narrow


def test_set_priors_that_fails_changes_nothing_and_a_good_one_unbuilds():
    data = random_data()
    model = Model(FORMULA, data)
    before = repr(model)
    model.build()
    with pytest.raises(PriorError):
        model.set_priors({"Intercept": Prior("Normal", sigma=Prior("HalfNormal"))})
    assert repr(model) == before
    assert model.built
    with pytest.warns(NutsliteWarning, match="'X9'") as caught:
        model.set_priors({"X9": Prior("Normal")})
    assert caught[0].filename == __file__
    assert not model.built


def test_fit_takes_priors_and_keeps_them():
    """By passing a dictionary in a fit() call: as set_priors before sampling."""
    data = random_data()
    model = Model("y ~ X1", data)
    plan = model.plan()
    tight = {"X1": Prior("Normal", mu=5, sd=0.001)}
    results = model.fit(priors=tight, draws=50, chains=1, random_seed=1, progressbar=False, inference_method="laplace")
    assert float(results.posterior["X1"].mean()) == pytest.approx(5.0, abs=0.01)
    assert lines_of(model)["X1"] == "Normal(mu: 5, sd: 0.001)"
    with pytest.raises(PriorError, match="made for the priors before"):
        model.fit(priors=tight, plan=plan, progressbar=False)


def test_explicit_priors_are_never_rescaled():
    data = random_data()
    own = {"Intercept": Prior("Normal", mu=1, sigma=7), "X1": Prior("Laplace", mu=0, b=2, auto_scale=True)}
    for settings in ({}, {"automatic_priors": "mle"}, {"auto_scale": False}):
        priors = Model(FORMULA, data, priors=own, **settings).priors.terms["mu"]
        assert str(priors["Intercept"]) == "Normal(mu: 1, sigma: 7)"
        assert str(priors["X1"]) == "Laplace(mu: 0, b: 2)"


def test_auto_scale_false_leaves_flat_priors():
    """Flat for common terms, Normal(0, HalfFlat) for groups, the family's own for sigma."""
    found = lines_of(Model(FORMULA, random_data(), auto_scale=False))
    assert found == {
        "Intercept": "Flat()",
        "X1": "Flat()",
        "X2": "Flat()",
        "1|X3": "Normal(mu: 0.0, sigma: HalfFlat())",
        "1|X4": "Normal(mu: 0.0, sigma: HalfFlat())",
        "sigma": "HalfNormal(sigma: 1.0)",
    }


def test_numbers_fix_parameters_of_the_family():
    """{"sigma": 3} is the constant 3, not a scale."""
    model = Model("y ~ X1", random_data(), priors={"sigma": 3})
    assert model.priors.constants == {"sigma": 3.0}
    with pytest.raises(PriorError, match="The prior of 'sigma' must be a Prior, or finite numbers that fix it"):
        Model("y ~ X1", random_data(), priors={"sigma": "wide"})


def test_priors_cor_is_an_lkj_prior():
    """The spelling of Bambi 0.6: priors_cor={"group": eta}."""
    model = Model("y ~ X1 + (X1|X3)", random_data(), priors_cor={"X3": 2})
    assert model.correlations == {"X3": 2.0}
