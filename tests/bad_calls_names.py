"""Names that results could not hold, calls that name arguments wrongly, and sizes that nobody has memory for."""

from __future__ import annotations

from functools import partial

import numpy as np
from bad_calls import BadCall, fitted, frame, model

import nutslite as nl
from nutslite.exceptions import DataError, NutsliteError, SamplingError

_TEXT = np.array([f"{item}\0x" for item in frame().g])  # NumPy would drop a zero at the end


def _fit(**arguments):
    return model("y ~ x").fit(**{"draws": 5, "tune": 5, "chains": 1, "progressbar": False, **arguments})


def _alias(*aliases):
    one = model("y ~ x + z + (1|s)")
    for alias in aliases:
        one.set_alias(alias)


CLASHES = [
    BadCall(f"names: {formula}", partial(model, formula, frame(**columns), **settings), DataError, words)
    for formula, columns, settings, words in [
        ("y ~ x + (1|g) + (1|g_sigma)", {"g_sigma": frame().h}, {}, ("'1|g_sigma'", "prior of '1|g'", "'g_sigma'")),
        ("y ~ x + (1|g) + (1|g_offset)", {"g_offset": frame().h}, {}, ("'1|g_offset'", "standardised")),
        ("sigma ~ x", {"sigma": frame().y}, {}, ("The response", "parameter 'sigma'", "Rename the column 'sigma'")),
        ("nu ~ x", {"nu": frame().y}, {"family": "t"}, ("The response", "parameter 'nu'")),
        ("alpha ~ x", {"alpha": frame().pos}, {"family": "gamma"}, ("The response", "parameter 'alpha'")),
        ("lam ~ x", {"lam": frame().pos}, {"family": "wald"}, ("The response", "parameter 'lam'")),
        ("p ~ x", {"p": frame().b}, {"family": "bernoulli"}, ("The response", "parameter 'p'")),
        ("Intercept ~ x", {"Intercept": frame().y}, {}, ("The response", "the intercept")),
        ("y ~ __obs__ + x", {"__obs__": frame().x}, {}, ("'__obs__'", "dimension")),
        ("y ~ g + g_dim", {"g_dim": frame().x}, {}, ("'g_dim'", "columns of 'g'")),
        ("y ~ x + (1|g) + g__factor_dim", {"g__factor_dim": frame().x}, {}, ("'g__factor_dim'", "levels of 'g'")),
        ("y ~ (0+g|s) + g__expr_dim", {"g__expr_dim": frame().x}, {}, ("'g__expr_dim'", "columns of 'g'")),
        ("y ~ x + (1|q)", {"q": _TEXT}, {}, ("levels of 'q'", "zero character", "Replace")),
        ("y ~ q", {"q": _TEXT}, {}, ("'q'", "zero character")),
        (
            "y ~ s(x, k=5) + `s(x, k=5)_sigma`",
            {"s(x, k=5)_sigma": frame().z},
            {},
            ("Rename the column 's(x, k=5)_sigma' in the data",),
        ),
        ("y ~ `.`", {".": frame().x}, {}, ("'.'", "no file")),
    ]
]

ALIASES = [
    BadCall("set_alias: one name for two, in two calls", partial(_alias, {"x": "a"}, {"z": "a"}), DataError, ("'a'",)),
    BadCall("set_alias: a follower's name", partial(_alias, {"x": "p_sigma"}, {"1|s": "p"}), DataError, ("'p_sigma'",)),
    BadCall("set_alias: a slash apart", partial(_alias, {"x": "a/b", "z": "a\N{DIVISION SLASH}b"}), DataError, ("a",)),
    BadCall("set_alias: a zero character", partial(_alias, {"x": "a\0"}), DataError, ("'x'", "zero")),
]

ARGUMENTS = [
    BadCall("Model: famly", partial(model, famly="t"), TypeError, ("Model", "'famly'", "'family'")),
    BadCall("summary: zz", partial(nl.summary, {}, zz=1), TypeError, ("summary", "'zz'", "var_names")),
    BadCall("summary: nothing", nl.summary, TypeError, ("summary needs results",)),
    BadCall("load_data: two names", partial(nl.load_data, "epil", "quine"), TypeError, ("load_data takes 1",)),
    BadCall("save: no path", partial(nl.save, fitted), TypeError, ("save needs path",)),
    BadCall("Link: linkin", partial(nl.Link, "log", linkin=abs), TypeError, ("Link", "'linkinv'")),
    BadCall("Formula: twice", partial(nl.Formula, "y ~ x", main="y ~ z"), TypeError, ("main", "once")),
    BadCall("plan: pathh", lambda: model().plan(pathh="joint"), TypeError, ("Model.plan", "'path'")),
    BadCall("set_priors: prior", lambda: model().set_priors(prior={}), TypeError, ("'prior'", "'priors'")),
    BadCall("fit: seven by position", lambda: model().fit(5, 5, 1, 1, 1, 0.9, {}), TypeError, ("fit takes 6",)),
    BadCall("fit: a callback without arguments", partial(_fit, callback=lambda: None), SamplingError, ("callback",)),
    BadCall("fit: a callback of two", partial(_fit, callback=lambda a, b: None), SamplingError, ("callback", "one")),
    BadCall("fit: a million chains", partial(_fit, chains=1_000_000), SamplingError, ("chains", "10000", "1000000")),
    BadCall("fit: 10^12 tune", partial(_fit, tune=10**12), SamplingError, ("warm-up", "TB", "1,000,000,000,000")),
    BadCall(
        "fit: mu for 10^9 draws",
        partial(_fit, draws=10**9, chains=64, include_response_params=True),
        SamplingError,
        ("include_response_params", "memory"),
    ),
    BadCall("fit: a checkpoint of memory", partial(_fit, checkpoint="/proc/self/mem"), NutsliteError, ("/proc",)),
]

CALLS = [*CLASHES, *ALIASES, *ARGUMENTS]
