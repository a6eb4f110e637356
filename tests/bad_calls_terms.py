"""Wrong calls of terms of special kinds: where they stand, their arguments, their priors, new data."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from bad_calls import BadCall, frame, model

from nutslite.exceptions import DataError, FormulaError, NutsliteWarning, PriorError
from nutslite.formula.formula import Formula
from nutslite.priors.prior import Prior

HALF, NORMAL = Prior("HalfNormal", sigma=1), Prior("Normal", mu=0, sigma=1)


def _formula(what: str, formula: Any, *words: str, **settings: Any) -> BadCall:
    return BadCall(f"terms: {what}", partial(model, formula, **settings), FormulaError, words)


def _prior(what: str, prior: Any, *words: str, raises: type[Exception] | type[Warning] = PriorError) -> BadCall:
    call = partial(model, "y ~ z + s(x, k=5)", priors=prior)
    return BadCall(f"terms: {what}", call, raises, words)


def frame_of(rows: int) -> Any:
    """Rows at different places."""
    return {"y": np.arange(rows) % 7, "w": np.arange(rows) / 10.0}


PLACES = [
    _formula("smooth in an interaction", "y ~ s(x, k=5):z", "s() is a term of its own", "^"),
    _formula("smooth times a column", "y ~ z*s(x, k=5)", "s() is a term of its own", "^"),
    _formula("smooth in a bar", "y ~ (s(x, k=5)|g)", "s() is a term of its own", "bars"),
    _formula("smooth as a grouping factor", "y ~ (1|s(x, k=5))", "s() is a term of its own", "bars"),
    _formula("smooth in a function", "y ~ log(s(x, k=5))", "s() is a term of its own", "functions"),
    _formula("smooth in arithmetic", "y ~ I(s(x, k=5) + 1)", "s() is a term of its own"),
    _formula("smooth as the response", "s(y, k=5) ~ x", "s() is a term of its own", "response"),
    _formula("smooth as an offset", "y ~ x + offset(s(x, k=5))", "s() is a term of its own"),
    _formula(
        "function of the user's own called s", "y ~ s(x)", "extra_namespace", "'s'", extra_namespace={"s": lambda x: x}
    ),
]
ARGUMENTS = [
    _formula("smooth of nothing", "y ~ s()", "s()", "at least one column"),
    _formula("smooth of a number by position", "y ~ s(x, 5)", "s()", "5"),
    _formula("smooth of two columns with knots of one", "y ~ s(x, z, bs='cr')", "bs='tp'", "t2(x, z)"),
    _formula("smooth of four columns", "y ~ s(x, z, k, x * z)", "up to 3 columns"),
    _formula("smooth of several k", "y ~ s(x, k=[4, 5])", "k of s()", "t2()"),
    _formula("smooth of several bases", "y ~ s(x, bs=['cr', 'cc'])", "bs of s()"),
    _formula("smooth by nothing that varies", "y ~ s(x, k=5, by=x - x)", "by=x - x", "same value"),
    _formula("smooth by a number", "y ~ s(x, k=5, by=3)", "s()", "3"),
    _formula("thin plate with bounds", "y ~ s(x, bs='tp', k=5, lower_bound=0)", "lower_bound=", "bs='tp'"),
    _formula("surface of one column", "y ~ t2(x)", "t2()", "s(x)"),
    _formula("surface of five columns", "y ~ t2(x, z, x, z, x)", "2 to 4 columns"),
    _formula("surface of a factor", "y ~ t2(x, g)", "t2()", "g is categorical"),
    _formula("surface with k of another number", "y ~ t2(x, z, k=[4, 4, 4])", "k of t2()", "2 columns"),
    _formula("surface of too many columns", "y ~ t2(x, z, x, z, k=8)", "4,096", "smaller k"),
    _formula("basis of a surface that is not there", "y ~ t2(x, z, bs='ad', k=4)", "'ad'", "bs='cr'"),
    _formula("surface in an interaction", "y ~ t2(x, z):g", "t2() is a term of its own"),
    _formula("smooth of a factor", "y ~ s(g)", "s()", "g is categorical"),
    _formula("smooth of a number", "y ~ s(3)", "s()", "3"),
    _formula("term of arguments in an interaction", "y ~ hsgp(x, m=5, c=1.5):z", "'y ~ hsgp(x, m=5, c=1.5) + z'"),
    _formula("smooth of an infinite column", "y ~ s(log(x - x), k=5)", "log(x - x)", "not finite"),
    _formula("argument of mgcv", "y ~ s(x, sp=1)", "s()", "'sp'"),
    _formula("k that is no number", "y ~ s(x, k='ten')", "k of s()", "whole number"),
    _formula("k with a fraction", "y ~ s(x, k=5.5)", "k of s()", "whole number"),
    _formula("k too small", "y ~ s(x, k=2)", "k of s()", "from 3"),
    _formula("k negative", "y ~ s(x, k=-1)", "k of s()", "from 3"),
    _formula("k of a cyclic smooth too small", "y ~ s(x, k=3, bs='cc')", "k of s()", "from 4"),
    _formula("k above the rows", "y ~ s(x, k=100)", "k=100", "write k="),
    _formula("constant column", "y ~ s(x - x, k=5)", "k=5", "x - x has 1"),
    _formula("basis of mgcv", "y ~ s(x, k=5, bs='ts')", "'ts'", "bs='tp'"),
    _formula("basis that is no text", "y ~ s(x, k=5, bs=3)", "bs of s()", "text"),
    _formula("bounds the wrong way round", "y ~ s(x, k=5, lower_bound=9, upper_bound=1)", "s(x", "bounds"),
    BadCall("terms: column that is not there", partial(model, "y ~ s(w5, k=5)"), DataError, ("'w5'",)),
    _formula("smooth in a further formula", Formula("y ~ x", "sigma ~ s(x, k=5):z"), "s() is a term of its own"),
]
PROCESSES = [
    _formula("process of nothing", "y ~ hsgp(m=10, c=2)", "hsgp()", "at least one column"),
    _formula("process with m of another number", "y ~ hsgp(x, z, m=[3, 4, 5], c=2)", "m of hsgp()", "2 columns"),
    _formula("process with c of another number", "y ~ hsgp(x, m=5, c=[2, 3])", "c of hsgp()", "1 columns"),
    _formula("process of too many functions", "y ~ hsgp(x, z, m=50, c=2)", "m of hsgp()", "1,000", "50 x 50"),
    _formula("process of three columns by itself", "y ~ hsgp(x, z, k)", "functions", "Give m= and c="),
    _formula("process of a factor", "y ~ hsgp(g, m=10, c=2)", "hsgp()", "g is categorical"),
    _formula("process with two boundaries", "y ~ hsgp(x, m=10, c=2, L=30)", "either c= or L="),
    _formula("boundary inside the data", "y ~ hsgp(x, m=10, c=0.5)", "c=0.5", "rows outside"),
    _formula("negative boundary", "y ~ hsgp(x, m=10, L=-1)", "L=-1", "rows outside"),
    _formula("boundary that is no number", "y ~ hsgp(x, m=10, c='wide')", "c of hsgp()", "number"),
    _formula("periodic process without a period", "y ~ hsgp(x, cov='Periodic')", "period", "period=12"),
    _formula("periodic process of no period", "y ~ hsgp(x, cov='Periodic', period=0)", "period above zero"),
    _formula(
        "periodic process with a boundary", "y ~ hsgp(x, cov='Periodic', period=3, c=2)", "c= of hsgp()", "Periodic"
    ),
    _formula("periodic process of two columns", "y ~ hsgp(x, z, cov='Periodic', period=3)", "one column", "x, z"),
    _formula("period of another covariance", "y ~ hsgp(x, period=3)", "period= of hsgp()", "Periodic"),
    _formula("no basis functions", "y ~ hsgp(x, m=0, c=2)", "m of hsgp()", "from 1"),
    _formula("half a basis function", "y ~ hsgp(x, m=2.5, c=2)", "m of hsgp()", "whole number"),
    _formula("m of several columns", "y ~ hsgp(x, m=[10, 5], c=2)", "m of hsgp()", "1 columns"),
    _formula("covariance that is not there", "y ~ hsgp(x, m=10, c=2, cov='Matern12')", "'Matern12'", "ExpQuad"),
    _formula("process by a number", "y ~ hsgp(x, m=10, c=2, by=3)", "by= of hsgp()", "column"),
    _formula("covariances of no groups", "y ~ hsgp(x, m=10, c=2, share_cov=False)", "share_cov=", "by="),
    _formula("length scales of one column", "y ~ hsgp(x, m=10, c=2, iso=False)", "iso=", "several columns"),
    _formula("centred weights", "y ~ hsgp(x, m=10, c=2, centered=True)", "centered=", "noncentered=False"),
    _formula("process of a constant", "y ~ hsgp(x - x, m=10, c=2)", "x - x", "same value"),
    _formula("process in an interaction", "y ~ hsgp(x, m=10, c=2):z", "hsgp() is a term of its own"),
    BadCall(
        "terms: length scale that may be negative",
        partial(model, "y ~ hsgp(x, m=5, c=2)", priors={"hsgp(x, m=5, c=2)": {"ell": NORMAL}}),
        PriorError,
        ("hsgp(x, m=5, c=2)_ell", "positive"),
    ),
    BadCall(
        "terms: length scales of another number",
        partial(model, "y ~ hsgp(x, m=5, c=2)", priors={"hsgp(x, m=5, c=2)": {"ell": [1.0, 2.0]}}),
        PriorError,
        ("hsgp(x, m=5, c=2)_ell", "positive number"),
    ),
    _formula("exact process of too many places", "y ~ gp(w)", "301 different", "hsgp(w)", data=frame_of(301)),
    _formula("exact process of a covariance that is not there", "y ~ gp(x, cov='RBF')", "'RBF'", "ExpQuad"),
    _formula("exact process by groups", "y ~ gp(x, by=g)", "gp()", "'by'"),
    _formula("exact process of a factor", "y ~ gp(g)", "g is categorical"),
    _formula("length scales of an exact process", "y ~ gp(x, iso=False)", "iso=", "several columns"),
    _formula("exact process of categories", "g ~ gp(x)", "several", "hsgp(x)", family="categorical"),
    BadCall(
        "terms: prior of standard normals",
        partial(model, "y ~ gp(x)", priors={"gp(x)_z": HALF}),
        PriorError,
        ("gp(x)_z", "standard normal"),
    ),
    BadCall(
        "terms: prior of standard normals by its short name",
        partial(model, "y ~ gp(x)", priors={"gp(x)": {"z": HALF}}),
        PriorError,
        ("'z'", "sigma, ell"),
    ),
    _formula("monotonic effects times each other", "y ~ mo(k):mo(k + 1)", "mo() is a term of its own", "products"),
    _formula("monotonic effect in a bar", "y ~ (mo(k)|g)", "mo() is a term of its own", "bars"),
]
PRIORS = [
    _prior("one prior for a whole smooth", {"s(x, k=5)": NORMAL}, "'s(x, k=5)'", "'linear'", "'sigma'"),
    _prior("scale for a whole smooth", {"s(x, k=5)": 0.5}, "'s(x, k=5)'", "'linear'", "'sigma'"),
    _prior("part that is not there", {"s(x, k=5)": {"sgma": HALF}}, "'sgma'", "Did you mean 'sigma'"),
    _prior("prior of the weights", {"s(x, k=5)": {"weights": NORMAL}}, "'weights'", "linear, sigma"),
    _prior("sigma that may be negative", {"s(x, k=5)": {"sigma": NORMAL}}, "s(x, k=5)_sigma", "positive"),
    _prior("sigma of zero", {"s(x, k=5)": {"sigma": 0}}, "s(x, k=5)_sigma", "positive number"),
    _prior("sigma by a name", {"s(x, k=5)": {"sigma": "wide"}}, "s(x, k=5)_sigma", "positive number"),
    _prior("sigma of several numbers", {"s(x, k=5)": {"sigma": [1.0, 2.0]}}, "s(x, k=5)_sigma", "positive number"),
    _prior(
        "several numbers in the prior of sigma",
        {"s(x, k=5)": {"sigma": Prior("HalfNormal", sigma=[1, 2])}},
        "s(x, k=5)_sigma",
        "one number",
    ),
    _prior(
        "the same part twice",
        {"s(x, k=5)": {"sigma": HALF}, "s(x, k=5)_sigma": HALF},
        "'s(x, k=5)_sigma'",
        "named twice",
    ),
    _prior("another smooth", {"s(x)": {"sigma": HALF}}, "'s(x)'", raises=NutsliteWarning),
]


def _shares(what: str, prior: Any, *words: str) -> BadCall:
    call = partial(model, "y ~ mo(k)", priors=prior)
    return BadCall(f"terms: {what}", call, PriorError, words)


VECTORS = [
    _formula("monotonic effect of categories", "g ~ mo(k)", "'mo(k)'", "several", "C(k)", family="categorical"),
    BadCall(
        "terms: horseshoe of categories",
        partial(model, "g ~ x + z", family="categorical", priors={"common": Prior("Horseshoe")}),
        PriorError,
        ("Horseshoe", "several", "'x', 'z'"),
    ),
]
SHARES = [
    _shares("shares of another number", {"mo(k)": {"simplex": [1.0, 2.0]}}, "mo(k)_simplex", "shares"),
    _shares("shares with a normal prior", {"mo(k)": {"simplex": NORMAL}}, "mo(k)_simplex", "Dirichlet"),
    _shares("negative shares", {"mo(k)": {"simplex": -1}}, "mo(k)_simplex", "positive"),
    _shares("shares by a name", {"mo(k)": {"simplex": "wide"}}, "mo(k)_simplex", "number"),
    _shares("shares with a hyperprior", {"mo(k)": {"simplex": Prior("Dirichlet", a=HALF)}}, "mo(k)_simplex", "shares"),
    _shares("part of a monotonic effect", {"mo(k)": {"shares": 1}}, "'shares'", "slope, simplex"),
    _shares("the slope twice", {"mo(k)": {"slope": NORMAL, "simplex": 1}, "mo(k)_simplex": 1}, "named twice"),
    _shares("shares for a slope", {"mo(k)": Prior("Dirichlet", a=1)}, "'mo(k)'", "Dirichlet", "simplex"),
    _shares("shares for the intercept", {"Intercept": Prior("Dirichlet", a=1)}, "'Intercept'", "shares"),
    _shares("horseshoe of a slope", {"common": Prior("Horseshoe")}, "'mo(k)'", "Horseshoe"),
    _shares("hyperprior of a slope", {"mo(k)": Prior("Normal", mu=0, sigma=HALF)}, "'mo(k)'", "hyperprior"),
    _shares("shares for sigma", {"sigma": Prior("Dirichlet", a=1)}, "'sigma'", "shares"),
]


def _predict_without_numbers() -> None:
    fitted = model("y ~ s(x, k=5)")
    results = fitted.fit(draws=20, tune=20, chains=1, random_seed=1, progressbar=False)
    fitted.predict(results, data=frame()[["x"]].astype(str) + "a", inplace=False)


USES = [BadCall("terms: texts for numbers in new data", _predict_without_numbers, FormulaError, ("x is categorical",))]


def _of_slope(what: str, prior: Prior) -> BadCall:
    call = partial(model, "y ~ x + mo(k)", data=frame(k=[0, 1, 2, 3] * 6), priors={"common": prior})
    return BadCall(f"terms: {what}", call, PriorError, ("'mo(k)'",))


PRIORS += [
    _of_slope("hyperprior of a monotonic effect", Prior("Normal", mu=0, sigma=HALF)),
    _of_slope("horseshoe of a monotonic effect", Prior("Horseshoe")),
]


def _predict_beyond() -> None:
    fitted = model("y ~ hsgp(x, m=5, c=1.5)")
    results = fitted.fit(draws=20, tune=20, chains=1, random_seed=1, progressbar=False)
    fitted.predict(results, data=frame(x=frame()["x"] + 1e3), inplace=False)


USES.append(
    BadCall("terms: new data beyond the boundary", _predict_beyond, DataError, ("beyond the boundary", "larger c="))
)

ARGUMENTS.append(
    BadCall(
        "terms: whole numbers beyond 2**53",
        partial(model, "y ~ mo(k)", frame(k=2**53 + np.array([1, 2, 3, 4] * 6))),
        FormulaError,
        ("k in mo()", "2**53", f"Subtract {2**53}"),
    )
)

CALLS = [*PLACES, *ARGUMENTS, *PROCESSES, *PRIORS, *SHARES, *VECTORS, *USES]
