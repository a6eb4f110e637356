"""Priors that do not exist, lack something, or do not fit their term."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from bad_calls import BadCall, model

from nutslite.exceptions import NutsliteWarning, PriorError
from nutslite.formula.formula import Formula
from nutslite.priors.prior import Prior

HALF = Prior("HalfNormal", sigma=1)
NORMAL = Prior("Normal", mu=0, sigma=1)
GROUPED = Prior("Normal", mu=0, sigma=HALF)


def _prior(what: str, words: tuple[str, ...], name: Any, *positional: Any, **arguments: Any) -> BadCall:
    return BadCall(f"Prior: {what}", partial(Prior, name, *positional, **arguments), PriorError, words)


def _given(
    what: str, words: tuple[str, ...], priors: Any, formula: Any = "y ~ x + g + (x|s)", **settings: Any
) -> BadCall:
    return BadCall(f"priors: {what}", partial(model, formula, priors=priors, **settings), PriorError, words)


MAKING = [
    _prior("unknown name", ("'Gauss'", "There are:"), "Gauss", mu=0, sigma=1),
    _prior("misspelt name", ("'Norml'", "Did you mean 'Normal'?"), "Norml", mu=0, sigma=1),
    _prior("another letter case", ("'normal'", "Did you mean 'Normal'?"), "normal", mu=0, sigma=1),
    _prior("empty name", ("''", "There are:"), "", mu=0),
    _prior("number for a name", ("3", "There are:"), 3, mu=0),
    _prior("nothing for a name", ("None", "There are:"), None),
    _prior("list for a name", ("['Normal']", "There are:"), ["Normal"]),
    _prior("function of PyMC", ("dist=", "named densities"), "MyPrior", dist=len),
    _prior("horseshoe as a hyperprior", ("Normal", "Horseshoe", "coefficients"), "Normal", sigma=Prior("Horseshoe")),
    _prior("horseshoe of no width", ("Horseshoe", "scale_global", "positive"), "Horseshoe", scale_global=0),
    _prior("horseshoe with tau", ("Horseshoe", "'tau'", "scale_global"), "Horseshoe", tau=1),
    _prior("R2D2 without a share", ("R2D2", "cons_D2", "positive"), "R2D2", cons_D2=0),
    _prior("bounds the wrong way round", ("Normal", "lower", "upper"), "Normal", mu=0, sigma=1, lower=1, upper=0),
    _prior("bounds outside the support", ("Gamma", "no probability"), "Gamma", alpha=2, beta=1, upper=-1),
    _prior("bounds with nothing between", ("no probability", "bounds"), "Normal", mu=0, sigma=1, lower=60),
    _prior("bounds that are priors", ("Normal", "lower", "number"), "Normal", mu=0, sigma=1, lower=HALF),
    _prior("bounds that are not numbers", ("Normal", "lower", "nan"), "Normal", mu=0, sigma=1, lower=float("nan")),
    _prior("bounds of what is flat", ("Flat", "'lower'"), "Flat", lower=0),
    _prior("bounds of correlations", ("LKJ", "'upper'"), "LKJ", eta=1, upper=0.5),
    _prior("bounds and a shape with a prior", ("nu", "between bounds", "mu and sigma"), "StudentT", nu=HALF, lower=0),
    _prior("bounds of a skew t", ("SkewStudentT", "'lower'"), "SkewStudentT", a=1, b=2, lower=0),
    _prior("unknown argument", ("Normal", "'scale'", "sigma"), "Normal", mu=0, scale=1),
    _prior("misspelt argument", ("Normal", "'sigmaa'", "Did you mean 'sigma'?"), "Normal", mu=0, sigmaa=1),
    _prior("argument missing", ("StudentT", "'nu'"), "StudentT", mu=0, sigma=1),
    _prior("no arguments", ("Beta", "needs", "alpha"), "Beta"),
    _prior("argument twice", ("'sigma' and 'sd'", "same argument"), "Normal", mu=0, sigma=1, sd=2),
    _prior("sigma and tau", ("sigma, tau", "together"), "Normal", mu=0, sigma=1, tau=2),
    _prior("negative scale", ("Normal", "sigma", "positive"), "Normal", mu=0, sigma=-1),
    _prior("scale of zero", ("Normal", "sigma", "positive"), "Normal", mu=0, sigma=0),
    _prior("negative degrees of freedom", ("StudentT", "nu", "positive"), "StudentT", nu=-1, mu=0, sigma=1),
    _prior("negative rate", ("Exponential", "lam", "positive"), "Exponential", lam=-1),
    _prior("negative shape", ("Gamma", "alpha", "positive"), "Gamma", alpha=-1, beta=1),
    _prior("negative precision", ("Normal", "tau", "positive"), "Normal", mu=0, tau=-4),
    _prior("scale that is not a number", ("Normal", "sigma", "nan"), "Normal", mu=0, sigma=float("nan")),
    _prior("infinite scale", ("Normal", "sigma", "finite"), "Normal", mu=0, sigma=float("inf")),
    _prior("infinite location", ("Normal", "mu", "finite"), "Normal", mu=float("-inf"), sigma=1),
    _prior("text for a number", ("Normal", "sigma", "'1'"), "Normal", mu=0, sigma="1"),
    _prior("nothing for a number", ("Normal", "sigma", "None"), "Normal", mu=0, sigma=None),
    _prior("truth for a number", ("Normal", "sigma", "True"), "Normal", mu=0, sigma=True),
    _prior("dict for a number", ("Normal", "sigma"), "Normal", mu=0, sigma={"a": 1}),
    _prior("complex number", ("Normal", "mu"), "Normal", mu=1j, sigma=1),
    _prior("ragged list", ("Normal", "sigma"), "Normal", mu=0, sigma=[[1], [2, 3]]),
    _prior("empty list", ("Normal", "sigma", "empty"), "Normal", mu=0, sigma=[]),
    _prior("negative number in a list", ("Normal", "sigma", "positive"), "Normal", mu=0, sigma=[1.0, -1.0]),
    _prior("uniform the wrong way round", ("Uniform", "lower", "upper"), "Uniform", lower=1, upper=0),
    _prior("uniform of no width", ("Uniform", "lower", "upper"), "Uniform", lower=1, upper=1),
    _prior("triangle with its peak outside", ("Triangular", "c=5"), "Triangular", lower=0, c=5, upper=1),
    _prior("hyperprior that allows negative scales", ("sigma", "positive", "HalfNormal"), "Normal", mu=0, sigma=NORMAL),
    _prior("hyperprior at the end of an interval", ("Uniform", "lower", "number"), "Uniform", lower=NORMAL, upper=1),
    _prior("hyperprior of correlations", ("LKJ", "correlation"), "Normal", mu=0, sigma=Prior("LKJ", eta=1)),
    _prior("hyperprior that is converted", ("tau", "sigma"), "Normal", mu=0, tau=HALF),
    _prior("noncentered that is no truth", ("noncentered", "'yes'"), "Normal", mu=0, sigma=1, noncentered="yes"),
    _prior("auto_scale that is no truth", ("auto_scale", "'no'"), "Normal", mu=0, sigma=1, auto_scale="no"),
    BadCall("Prior: no name", partial(Prior, mu=0), TypeError, ("name",)),
    BadCall("Prior: arguments by position", partial(Prior, "Normal", 0, 1), PriorError, ("Normal", "mu=")),
    BadCall(
        "Prior: update to the impossible",
        partial(Prior("Normal", mu=0, sigma=1).update, sigma=-1),
        PriorError,
        ("sigma", "positive"),
    ),
    BadCall(
        "Prior: update of what it has not",
        partial(Prior("Normal", mu=0, sigma=1).update, nu=1),
        PriorError,
        ("Normal", "'nu'"),
    ),
]

GIVEN = [
    _given("a list", ("dict", "[('x', Normal"), [("x", NORMAL)]),
    _given("a Prior", ("dict", "Normal"), NORMAL),
    _given("a text", ("dict", "'wide'"), "wide"),
    _given("a number", ("dict", "3"), 3),
    _given("a number for a key", ("key 3",), {3: NORMAL}),
    _given("numbers in a tuple", ("key ('x', 3)",), {("x", 3): NORMAL}),
    _given("an empty tuple", ("()",), {(): NORMAL}),
    _given("a name twice", ("'x' is named twice",), {"x": NORMAL, ("x", "g"): NORMAL}),
    _given("a list for a term", ("'x'", "[0, 1]"), {"x": [0, 1]}),
    _given("nothing for a term", ("'x'", "None"), {"x": None}),
    _given("a truth for a term", ("'x'", "True"), {"x": True}),
    _given("a dict for a term", ("'x'",), {"x": {"mu": 0}}),
    _given("an unknown name of a scale", ("'x'", "'huge'", "superwide"), {"x": "huge"}),
    _given("a negative scale", ("'x'", "-1"), {"x": -1}),
    _given("a scale of zero", ("'x'", "0"), {"x": 0}),
    _given("a scale that is not a number", ("'x'", "nan"), {"x": float("nan")}),
    _given("a distribution of counts", ("'x'", "Poisson", "continuous"), {"x": Prior("Poisson", mu=3)}),
    _given("yes or no", ("'1|s'", "Bernoulli", "continuous"), {"1|s": Prior("Bernoulli", p=0.5)}),
    _given("a class instead of an object", ("'x'",), {"x": Prior}),
    _given("a function", ("'x'",), {"x": len}),
    _given("hyperprior on one coefficient of a term", ("'g[b]'", "whole term"), {"g[b]": GROUPED}),
    _given("hyperprior and one coefficient", ("'g'", "a single one"), {"g": GROUPED, "g[b]": NORMAL}),
    _given(
        "hyperprior of a distribution without a location",
        ("'x'", "location and a scale"),
        {"x": Prior("Gamma", alpha=HALF, beta=1)},
    ),
    _given("hyperprior on the intercept", ("'Intercept'", "hyperprior"), {"Intercept": GROUPED}),
    _given("hyperprior on a parameter", ("'sigma'", "hyperprior"), {"sigma": Prior("HalfNormal", sigma=HALF)}),
    _given("a horseshoe of the intercept", ("intercept", "Horseshoe"), {"Intercept": Prior("Horseshoe")}),
    _given("a horseshoe of group effects", ("'x|s'", "Horseshoe", "common"), {"x|s": Prior("Horseshoe")}),
    _given("a horseshoe of a parameter", ("'sigma'", "Horseshoe"), {"sigma": Prior("Horseshoe")}),
    _given("a horseshoe of one column", ("Horseshoe", "all coefficients of 'g'"), {"g[b]": Prior("Horseshoe")}),
    _given("a horseshoe with hyperpriors", ("'x'", "hyperprior"), {"x": Prior("Horseshoe", scale_global=HALF)}),
    _given(
        "horseshoes that differ", ("share one", "'x' and 'g'"), {"x": Prior("Horseshoe"), "g": Prior("Horseshoe", df=3)}
    ),
    _given("a horseshoe with arrays", ("'g'", "df", "one number"), {"g": Prior("Horseshoe", df=[1, 2])}),
    _given("R2D2 of group effects", ("'x|s'", "R2D2", "common"), {"x|s": Prior("R2D2")}),
    _given("R2D2 of the intercept", ("intercept", "R2D2"), {"Intercept": Prior("R2D2")}),
    _given("R2D2 of no share", ("'x'", "mean_R2", "between 0 and 1"), {"x": Prior("R2D2", mean_R2=1.5)}),
    _given("R2D2s that differ", ("share one", "'x' and 'g'"), {"x": Prior("R2D2"), "g": Prior("R2D2", prec_R2=3)}),
    _given("bounds of group effects", ("'1|s'", "no bounds", "sigma"), {"1|s": Prior("Normal", sigma=1, lower=0)}),
    _given(
        "bounds and noncentered",
        ("'x'", "noncentered", "without bounds"),
        {"x": Prior("Normal", sigma=HALF, lower=0, noncentered=True)},
    ),
    _given("bounds by another number of columns", ("'g'", "(3,)"), {"g": Prior("Normal", sigma=1, lower=[0, 0, 0])}),
    _given("levels of a response without any", ("'x'",), {"x": {"b": NORMAL}}),
    _given("correlations for a term", ("'x'", "correlation"), {"x": Prior("LKJ", eta=1)}),
    _given("correlations for a group term", ("'x|s'", "correlation"), {"x|s": Prior("LKJ", eta=1)}),
    _given("correlations for a parameter", ("'sigma'", "correlation"), {"sigma": Prior("LKJ", eta=1)}),
    _given(
        "hyperprior without a location",
        ("'1|s'", "location and a scale", "Gamma"),
        {"1|s": Prior("Gamma", alpha=HALF, beta=1)},
    ),
    _given("an array of the wrong length", ("'g'", "2 columns", "(3,)"), {"g": Prior("Normal", mu=[0, 0, 0], sigma=1)}),
    _given("an array for one column", ("'x'", "1 column", "(2,)"), {"x": Prior("Normal", mu=0, sigma=[1, 2])}),
    _given("an array for the intercept", ("'Intercept'", "(2,)"), {"Intercept": Prior("Normal", mu=[0, 0], sigma=1)}),
    _given("a matrix", ("'g'", "(2, 1)"), {"g": Prior("Normal", mu=[[0], [0]], sigma=1)}),
    _given(
        "an array inside a hyperprior",
        ("'1|s'", "(3,)"),
        {"1|s": Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=[1, 1, 1]))},
    ),
    _given("terms of a parameter without a formula", ("'sigma' has no formula", "sigma ~ x"), {"sigma": {"x": NORMAL}}),
    _given("a text for a parameter", ("'sigma'", "'big'"), {"sigma": "big"}),
    _given("nothing for a parameter", ("'sigma'", "None"), {"sigma": None}),
    _given("a truth for a parameter", ("'sigma'", "True"), {"sigma": True}),
    _given("a negative number for a scale parameter", ("'sigma'", "-1"), {"sigma": -1}),
    _given("zero for a scale parameter", ("'sigma'", "0"), {"sigma": 0}),
    _given("an infinite scale parameter", ("'sigma'", "finite"), {"sigma": float("inf")}),
    _given("a scale parameter by row", ("'sigma'", "one number", "offset"), {"sigma": np.ones(24)}),
    _given("a normal scale parameter", ("'sigma'", "between 0 and inf"), {"sigma": NORMAL}),
    _given(
        "one prior for a parameter with terms",
        ("'sigma' has a formula", "per term"),
        {"sigma": HALF},
        Formula("y ~ x", "sigma ~ z"),
    ),
    _given(
        "a number for a parameter with terms", ("'sigma' has a formula",), {"sigma": 2.0}, Formula("y ~ x", "sigma ~ z")
    ),
    _given(
        "noncentered common effect", ("'x'", "noncentered"), {"x": Prior("Normal", mu=0, sigma=1, noncentered=True)}
    ),
    _given(
        "noncentered without a hyperprior",
        ("'1|s'", "noncentered", "hyperprior"),
        {"1|s": Prior("Normal", mu=0, sigma=1, noncentered=True)},
    ),
    _given("an array", ("must be a dict", "[1., 2.]"), np.array([1.0, 2.0])),
    _given("an empty list", ("must be a dict", "[]"), []),
    _given("an unknown name, as an error", ("'xx'", "Did you mean 'x'?"), {"xx": NORMAL}, unused_priors="error"),
    _given("an unknown answer to unknown names", ("'stop'", "'warn'"), {"x": NORMAL}, unused_priors="stop"),
    BadCall("priors: set_priors of a list", lambda: model().set_priors([1]), PriorError, ("dict",)),
    BadCall("priors: set_priors of a bad value", lambda: model().set_priors({"x": []}), PriorError, ("'x'",)),
    BadCall(
        "priors: set_priors of a bad common prior", lambda: model().set_priors(common=[]), PriorError, ("'common'",)
    ),
    BadCall(
        "priors: set_priors of a hyperprior for an intercept",
        lambda: model().set_priors({"Intercept": GROUPED}),
        PriorError,
        ("'Intercept'", "hyperprior"),
    ),
]

UNUSED = [
    BadCall(f"priors: {what}", partial(model, "y ~ x + g + (x|s)", priors=priors), NutsliteWarning, words)
    for what, priors, words in [
        ("an unknown name", {"xx": NORMAL}, ("'xx'", "Did you mean 'x'?", "not used")),
        ("a misspelt group", {"x|ss": GROUPED}, ("'x|ss'", "Did you mean 'x|s'?")),
        ("a factor without its effect", {"s": GROUPED}, ("'s'", "not used")),
        ("an unknown coefficient", {"g[zz]": NORMAL}, ("'g[zz]'", "not used")),
        ("a reference level", {"g[a]": NORMAL}, ("'g[a]'", "not used")),
        ("an unknown name in a tuple", {("x", "z"): NORMAL}, ("'z'", "not used")),
        ("nested under the parent", {"mu": {"zz": NORMAL}}, ("'mu: zz'", "not used")),
    ]
]

CORRELATIONS = [
    BadCall(f"priors_cor: {what}", partial(model, "y ~ x + (x|s)", priors_cor=given), PriorError, words)
    for what, given, words in [
        ("unknown factor", {"ss": 1.0}, ("'ss'", "Did you mean 's'?")),
        ("negative", {"s": -1.0}, ("'s'", "positive number")),
        ("zero", {"s": 0.0}, ("'s'", "positive number")),
        ("infinite", {"s": float("inf")}, ("'s'", "positive number")),
        ("text", {"s": "2"}, ("'s'", "positive number")),
        ("truth", {"s": True}, ("'s'", "positive number")),
        ("another prior", {"s": HALF}, ("'s'", "LKJ")),
        ("list", [1.0], ("priors_cor", "dict")),
        ("number", 2.0, ("priors_cor", "dict")),
    ]
]

UNUSED.append(
    BadCall(
        "priors: coefficients where there are none",
        partial(model, "y ~ 1", priors={"common": NORMAL}),
        NutsliteWarning,
        ("'common'. They are not used",),
    )
)

# refused when the model is made, not when it is first drawn from
MADE = [
    _given("sigma with two widths", ("'sigma' has 1 element", "(2,)"), {"sigma": Prior("HalfNormal", sigma=[1, 2])}),
    _given("two widths of a smooth's scale", ("'s(z, k=5)_sigma'", "(2,)"),
           {"s(z, k=5)": {"sigma": Prior("HalfNormal", sigma=Prior("HalfNormal", sigma=[1, 2]))}}, "y ~ s(z, k=5)"),
    _given("thresholds with too few means", ("'threshold' has 2 elements", "array of 2"),
           {"threshold": Prior("Normal", mu=[0, 1, 2], sigma=1)}, "g ~ x", family="cumulative"),
    _given("thresholds below a bound", ("'threshold' has an upper bound",),
           {"threshold": Prior("Uniform", lower=-1, upper=1)}, "g ~ x", family="cumulative"),
    _given("correlated effects that are not normal", ("'s' need Normal priors", "1|s, x|s"),
           {"1|s": Prior("Laplace", mu=0, b=HALF)}, "y ~ x + (x|i|s)"),
    _given("an id with several linear predictors", ("cannot be correlated", "(x||g)"), None, "g ~ x + (x|i|s)",
           family="categorical"),
]  # fmt: skip

AUTOMATIC = [
    BadCall("automatic_priors: unknown", partial(model, automatic_priors="mlee"), PriorError, ("'mlee'", "mle")),
    BadCall("automatic_priors: a truth", partial(model, automatic_priors=True), PriorError, ("True", "mle")),
    BadCall("taylor: zero", partial(model, automatic_priors="mle", taylor=0), PriorError, ("taylor", "0", "13")),
    BadCall("taylor: too high", partial(model, automatic_priors="mle", taylor=14), PriorError, ("taylor", "14", "13")),
    BadCall("taylor: a fraction", partial(model, automatic_priors="mle", taylor=1.5), PriorError, ("taylor", "1.5")),
    BadCall("taylor: a text", partial(model, automatic_priors="mle", taylor="5"), PriorError, ("taylor", "'5'")),
    BadCall("taylor: without mle", partial(model, taylor=5), PriorError, ("taylor", "mle")),
    BadCall("noncentered: a text", partial(model, noncentered="yes"), PriorError, ("noncentered", "'yes'")),
    BadCall(
        "noncentered: an unknown parameter",
        partial(model, "y ~ x + (1|s)", noncentered={"tau": False}),
        PriorError,
        ("noncentered", "'tau'"),
    ),
]

CALLS = [*MAKING, *GIVEN, *UNUSED, *CORRELATIONS, *MADE, *AUTOMATIC]
