"""Families, links, and responses that do not fit them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from bad_calls import BadCall, frame, model, with_values

from nutslite.exceptions import DataError, FamilyError, FormulaError, NutsliteWarning, PriorError

POSITIVE = ("gamma", "lognormal", "wald", "weibull", "shifted_lognormal")
NOT_NEGATIVE = ("exponential", "hurdle_gamma", "hurdle_lognormal")
COUNTS = ("poisson", "negativebinomial", "zero_inflated_poisson", "zero_inflated_negativebinomial")
COUNTS += ("hurdle_poisson", "hurdle_negativebinomial")
COUNTS += ("discrete_weibull",)
REAL = ("gaussian", "t", "laplace", "asymmetriclaplace", "elf", "exgaussian", "skew_normal")
SHARES = ("zero_one_inflated_beta", "ordered_beta")
NUMERIC = (*REAL, *POSITIVE, *NOT_NEGATIVE, *COUNTS, *SHARES, "beta", "vonmises")
TRIALS = ("beta_binomial", "zero_inflated_binomial")
RESPONSES = {
    **dict.fromkeys(REAL, "y"),
    **dict.fromkeys(POSITIVE, "pos"),
    **dict.fromkeys(NOT_NEGATIVE, "pos"),
    **dict.fromkeys(COUNTS, "k"),
    "beta": "unit",
    "bernoulli": "b",
    "binomial": "p(hits, n)",
}


def _response(family: str, what: str, words: tuple[str, ...], name: str, *values: Any) -> BadCall:
    """`values` in a few rows of the column `name`."""
    call = partial(model, f"{name} ~ x", with_values(name, *values), family=family)
    return BadCall(f"{family}: {what}", call, DataError, words)


def _formula(family: str, what: str, words: tuple[str, ...], formula: str, data: Any = None) -> BadCall:
    return BadCall(f"{family}: {what}", partial(model, formula, data, family=family), DataError, words)


SUPPORT = [
    *[_response(f, "a negative value", (f"'{f}'", "above zero", "-1 in row 3"), "pos", -1.0) for f in POSITIVE],
    *[_response(f, "a zero", (f"'{f}'", "above zero", "0 in row 3"), "pos", 0.0) for f in POSITIVE],
    *[
        _response(f, "a negative value", (f"'{f}'", "zero or values above", "-1 in row 3"), "pos", -1.0)
        for f in NOT_NEGATIVE
    ],
    *[_formula(f, "counts without trials", (f"'{f}'", "p(successes, trials)"), "hits ~ x") for f in TRIALS],
    *[_formula(f, "no trials at all", ("trials", "0 in all"), "p(hits, n) ~ x", frame(hits=0, n=0)) for f in TRIALS],
    *[_formula(f, "fewer trials than successes", ("exceeds", "trials"), "p(n, hits) ~ x") for f in TRIALS],
    _response("vonmises", "degrees", ("'vonmises'", "radians", "90 in row 3", "deg2rad"), "y", 90.0),
    _response("vonmises", "a whole turn", ("'vonmises'", "from -pi to pi", "turn others back"), "y", 2 * np.pi),
    *[_response(f, "a negative count", (f"'{f}'", "counts", "-2 in row 3"), "k", -2.0) for f in COUNTS],
    *[_response(f, "a fraction", (f"'{f}'", "counts", "0.5 in row 3", "Round"), "k", 0.5) for f in COUNTS],
    *[_formula(f, "all fractions", (f"'{f}'", "and 21 more"), "pos ~ x") for f in COUNTS],
    *[_formula(f, "texts", ("'g'", "categorical", f"'{f}'", "numeric column"), "g ~ x") for f in NUMERIC],
    *[_formula(f, "two texts", ("'two'", "binary", "'bernoulli'"), "two ~ x") for f in NUMERIC],
    *[_formula(f, "Booleans", ("'t'", "binary", "'bernoulli'"), "t ~ x", frame(t=[True, False] * 12)) for f in NUMERIC],
    *[_formula(f, "counts out of trials", (f"'{f}'", "family='binomial'"), "p(hits, n) ~ x") for f in NUMERIC],
    *[
        _formula(f, "a picked level", (f"'{f}'", "'bernoulli'"), "g['a'] ~ x")
        for f in ("gaussian", "poisson", "gamma", "beta")
    ],
    _response("beta", "a zero", ("'beta'", "between 0 and 1", "0 in row 3"), "unit", 0.0),
    _response("beta", "a one", ("'beta'", "between 0 and 1", "1 in row 3"), "unit", 1.0),
    _response("beta", "a percentage", ("'beta'", "divided by 100", "73 in row 3"), "unit", 73.0),
    _response("beta", "a negative value", ("'beta'", "-0.5 in row 3"), "unit", -0.5),
    *[_response(f, "a percentage", (f"'{f}'", "divided by 100", "73 in row 3"), "unit", 73.0) for f in SHARES],
    *[_response(f, "a negative value", (f"'{f}'", "from 0 to 1", "-0.5 in row 3"), "unit", -0.5) for f in SHARES],
    *[_formula(f, "ends alone", (f"'{f}'", "0 or 1 in every row", "'bernoulli'"), "b ~ x") for f in SHARES],
    _response("bernoulli", "a two", ("'bernoulli'", "0 and 1", "2", "p(b, trials)"), "b", 2),
    _response("bernoulli", "a fraction", ("'bernoulli'", "0 and 1", "0.5"), "b", 0.5),
    _response("bernoulli", "minus one for no", ("'bernoulli'", "0 and 1", "-1"), "b", -1),
    _formula("bernoulli", "one and two", ("'bernoulli'", "0 and 1", "2"), "b ~ x", frame(b=[1, 2] * 12)),
    _formula("bernoulli", "three texts", ("binary", "'g' has 3 levels (a, b, c)", "g['a']"), "g ~ x"),
    _formula("bernoulli", "six texts", ("binary", "'s' has 6 levels", "s['s0']"), "s ~ x"),
    _formula("bernoulli", "numbers", ("0 and 1", "'y'"), "y ~ x"),
    _formula("bernoulli", "counts out of trials", ("'bernoulli'", "family='binomial'"), "p(hits, n) ~ x"),
    _formula("binomial", "counts without trials", ("'binomial'", "p(successes, trials)"), "hits ~ x"),
    _formula("binomial", "zeros and ones without trials", ("'binomial'", "p("), "b ~ x"),
    _formula("binomial", "two texts", ("'two'", "'binomial'"), "two ~ x"),
    _formula("binomial", "fewer trials than successes", ("exceeds", "trials"), "p(n, hits) ~ x"),
    _formula("binomial", "proportions", ("whole numbers", "'unit'"), "p(unit, n) ~ x"),
    _formula("binomial", "negative successes", ("whole numbers", "-1"), "p(hits, n) ~ x", with_values("hits", -1)),
    _formula("binomial", "fractions of trials", ("whole numbers", "2.5"), "p(hits, n) ~ x", with_values("n", 2.5)),
    _formula(
        "binomial", "no trials at all", ("trials", "'p(hits, n)'", "0 in all"), "p(hits, n) ~ x", frame(hits=0, n=0)
    ),
]

CHOICE = [
    BadCall(f"family: {what}", partial(model, "y ~ x", family=family), FamilyError, words)
    for what, family, words in [
        ("misspelt", "gausian", ("'gausian'", "Did you mean 'gaussian'?")),
        ("another letter case", "Poisson", ("'Poisson'", "Did you mean 'poisson'?")),
        ("name of R", "normal", ("'normal'", "Known:", "gaussian")),
        ("abbreviation", "negbin", ("'negbin'", "Known:")),
        ("empty", "", ("''", "Known:")),
        ("a number", 3, ("3", "Known:")),
        ("nothing", None, ("None", "Known:")),
        ("a list", ["gaussian"], ("['gaussian']", "Known:")),
        ("a class", dict, ("dict", "Known:")),
        ("a module of this package", "links", ("'links'", "Known:")),
        ("a path", "../gaussian", ("'../gaussian'", "Known:")),
    ]
]

LINKS = [
    BadCall(f"link: {what}", partial(model, f"{RESPONSES[family]} ~ x", family=family, link=link), FamilyError, words)
    for what, family, link, words in [
        ("misspelt", "poisson", "logg", ("'logg'", "Did you mean 'log'?", "mu")),
        ("another letter case", "bernoulli", "Logit", ("'Logit'", "Did you mean 'logit'?")),
        ("for probabilities on a real mean", "gaussian", "logit", ("'mu'", "'logit'", "identity")),
        ("logarithm of a probability", "bernoulli", "log", ("'p'", "'log'", "logit")),
        ("logit of a count", "poisson", "logit", ("'mu'", "'logit'", "log")),
        ("a number", "gaussian", 3, ("link", "3")),
        ("a list", "gaussian", ["log"], ("link", "['log']")),
        ("of a parameter that does not exist", "gaussian", {"tau": "log"}, ("'tau'", "mu, sigma")),
        ("of a misspelt parameter", "gaussian", {"sigm": "log"}, ("'sigm'", "Did you mean 'sigma'?")),
        ("wrong for a parameter", "gaussian", {"sigma": "logit"}, ("'sigma'", "'logit'", "log")),
        ("a number for a parameter", "gaussian", {"mu": 3}, ("'mu'", "3")),
        ("an empty text", "gaussian", "", ("''", "identity")),
    ]
]

OTHER = [
    BadCall(
        "family: level picked by a number of a numeric response",
        partial(model, "y[3] ~ x", family="bernoulli"),
        DataError,
        ("'3' is not a level",),
    ),
    BadCall(
        "family: the parameter of another family",
        partial(model, "y ~ x", priors={"kappa": 3.0}),
        NutsliteWarning,
        ("'kappa'", "not used"),
    ),
    BadCall(
        "family: formula of a parameter that is fixed by a number",
        partial(model, "y ~ x", family="gaussian", priors={"sigma": {"x": 2}}),
        PriorError,
        ("'sigma' has no formula", "sigma ~ x"),
    ),
    BadCall(
        "family: response of one value",
        partial(model, "two ~ x", frame(two="yes"), family="bernoulli"),
        DataError,
        ("'two' has only 1 category", "'yes'"),
    ),
    BadCall(
        "family: formula without a response",
        partial(model, "~ x", family="poisson"),
        FormulaError,
        ("no response",),
    ),
    BadCall(
        "family: a known shift above the least response",
        partial(
            model, "pos ~ x", frame(pos=np.linspace(0.5, 3.0, 24)), family="shifted_lognormal", priors={"ndt": 0.6}
        ),
        PriorError,
        ("'ndt'", "below every response", "'pos' is 0.5", "fixed at 0.6"),
    ),
    BadCall(
        "family: counts beyond what float64 tells apart",
        partial(model, "k ~ x", frame(k=np.full(24, 2**60) + np.arange(24)), family="poisson"),
        DataError,
        ("'k'", "2**53"),
    ),
]

CALLS = [*SUPPORT, *CHOICE, *LINKS, *OTHER]
