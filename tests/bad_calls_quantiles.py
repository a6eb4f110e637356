"""Regressions of quantiles that do not say which, or say it twice."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from bad_calls import BadCall, frame, model

from nutslite.exceptions import DataError, FamilyError, FormulaError, PriorError
from nutslite.formula.formula import Formula
from nutslite.model.quantiles import QuantileFits, fit_quantiles
from nutslite.priors.prior import Prior
from nutslite.results.container.inference_data import to_inference_data


def _call(what: str, error: Any, words: tuple[str, ...], formula: Any = "y ~ x", **settings: Any) -> BadCall:
    settings = {"family": "asymmetriclaplace", "quantile": 0.9, **settings}
    return BadCall(f"quantile: {what}", partial(model, formula, **settings), error, words)


LEVELS = {"zero": 0.0, "one": 1, "per cent": 90, "negative": -0.1, "nan": np.nan, "text": "0.9", "Boolean": True}
CALLS = [
    *[
        _call(
            f"{what}, {family}", FamilyError, ("quantile", "between 0 and 1", str(level)), family=family, quantile=level
        )
        for what, level in LEVELS.items()
        for family in ("asymmetriclaplace", "elf")
    ],
    _call("a list", FamilyError, ("quantile", "[0.1, 0.9]"), quantile=[0.1, 0.9]),
    _call("of a mean", FamilyError, ("quantile=0.9", "'gaussian'", "'asymmetriclaplace'"), family="gaussian"),
    _call("of the median's family", FamilyError, ("'laplace'", "'asymmetriclaplace'"), family="laplace"),
    _call("a prior of kappa", PriorError, ("'kappa'", "quantile=0.9"), priors={"kappa": Prior("HalfNormal", sigma=1)}),
    _call("a number for kappa", PriorError, ("'kappa'", "quantile=0.9"), priors={"kappa": 1.0}),
    _call("a prior of tau", PriorError, ("'tau'", "quantile=0.9"), family="elf", priors={"tau": 0.5}),
    _call("a formula of kappa", PriorError, ("'kappa'", "formula", "quantile=0.9"), Formula("y ~ x", "kappa ~ z")),
    _call("kappa of elf", FormulaError, ("'kappa'", "tau"), Formula("y ~ x", "kappa ~ z"), family="elf"),
    _call("automatic priors", PriorError, ("automatic_priors='mle'", "'asymmetriclaplace'"), automatic_priors="mle"),
]


SEVERAL: dict[str, Any] = {"family": "quantiles", "quantile": [0.1, 0.5, 0.9]}
GAP = Formula("y ~ x", "gap_10 ~ x")
CALLS += [
    _call("which of several", FamilyError, ("quantile", "[0.1, 0.5, 0.9]", "None"), family="quantiles", quantile=None),
    _call("one of several", FamilyError, ("quantile", "[0.1, 0.5, 0.9]", "0.9"), family="quantiles"),
    _call("a list of one", FamilyError, ("one level", "'elf'"), **{**SEVERAL, "quantile": [0.9]}),
    _call("none of several", FamilyError, ("quantile", "[0.1, 0.5, 0.9]"), **{**SEVERAL, "quantile": []}),
    _call("several in per cent", FamilyError, ("between 0 and 1", "10"), **{**SEVERAL, "quantile": [10, 50, 90]}),
    _call("one twice", FamilyError, ("0.5 twice",), **{**SEVERAL, "quantile": [0.1, 0.5, 0.5]}),
    _call("a text of several", FamilyError, ("quantile", "'0.1, 0.9'"), **{**SEVERAL, "quantile": "0.1, 0.9"}),
    _call("a gap that is not there", FormulaError, ("gap_20", "gap_10"), Formula("y ~ x", "gap_20 ~ x"), **SEVERAL),
    _call("a formula of levels", FormulaError, ("'tau'", "formula"), Formula("y ~ x", "tau ~ x"), **SEVERAL),
    _call("a prior of levels", PriorError, ("'tau'", "prior"), priors={"tau": [0.1, 0.5, 0.9]}, **SEVERAL),
    _call("a gap below zero", PriorError, ("gap_10", "0"), priors={"gap_10": -1.0}, **SEVERAL),
    _call("a gap's link", FamilyError, ("gap_10", "log"), GAP, link={"gap_10": "identity"}, **SEVERAL),
    _call("the middle's link", FamilyError, ("'mu'", "identity"), link="log", **SEVERAL),
    _call("priors of several", PriorError, ("automatic_priors='mle'",), automatic_priors="mle", **SEVERAL),
    _call("quantiles of categories", DataError, ("quantiles",), "g ~ x", **SEVERAL),
]


def _drawn() -> Any:
    """What a fit of `y ~ x` might have returned."""
    rng = np.random.default_rng(1)
    posterior = {name: rng.uniform(0.5, 1.5, (2, 20)) for name in ("Intercept", "x", "sigma")}
    return to_inference_data({"posterior": posterior}, dims={}, coords={})


def _quantile(formula: str = "y ~ x") -> Any:
    return model(formula, family="elf", quantile=0.5)


def _adjust(what: str, error: Any, words: tuple[str, ...], formula: str = "y ~ x", **settings: Any) -> BadCall:
    def call() -> Any:
        return _quantile(formula).adjust_intervals(_drawn(), **settings)

    return BadCall(f"adjust_intervals: {what}", call, error, words)


def _several(what: str, error: Any, words: tuple[str, ...], *quantiles: Any, **settings: Any) -> BadCall:
    return BadCall(
        f"fit_quantiles: {what}", lambda: fit_quantiles("y ~ x", frame(), *quantiles, **settings), error, words
    )


CALLS += [
    _several("one level", FamilyError, ("quantiles", "list", "0.9"), 0.9),
    _several("a text", FamilyError, ("quantiles", "list"), "0.9"),
    _several("no level", FamilyError, ("quantiles", "list"), []),
    _several("per cent", FamilyError, ("between 0 and 1", "not 10"), [10, 90]),
    _several("a level twice", FamilyError, ("quantiles", "0.5 twice"), [0.5, 0.1, 0.5]),
    _several("a family of means", FamilyError, ("'gaussian'", "'asymmetriclaplace'"), [0.5], "gaussian"),
    _several("an argument that nobody has", TypeError, ("familiy",), [0.5], familiy="elf"),
    _several(
        "an argument of fit", TypeError, ("draws is an argument of Model.fit", "fit={'draws': 50}"), [0.5], draws=50
    ),
    _several("a further level", TypeError, ("quantile",), [0.5], quantile=0.9),
    BadCall(
        "fit_quantiles: an interval in per cent",
        lambda: QuantileFits({}, {}).predict(interval=95),
        DataError,
        ("interval", "0.95", "95"),
    ),
    BadCall(
        "adjust_intervals: of a mean",
        lambda: model().adjust_intervals(_drawn()),
        DataError,
        ("'gaussian'", "quantile="),
    ),
    _adjust("a column that is not there", DataError, ("groups='gg'", "Did you mean 'g'"), groups="gg"),
    _adjust("two columns", DataError, ("groups", "24 rows"), groups=["g", "h"]),
    _adjust("too few labels", DataError, ("groups", "24 rows"), groups=np.arange(23)),
    _adjust("a number", DataError, ("groups", "24 rows", "3"), groups=3),
    _adjust("two groups", DataError, ("2 groups", "2 coefficients"), groups="h"),
    _adjust("a label missing", DataError, ("groups", "1 rows"), groups=[None, *range(23)]),
    _adjust("a table", DataError, ("groups", "24 rows"), groups=frame()[["g", "h"]]),
    _adjust("a smooth", DataError, ("'s(x, k=5)'", "bs(x, df=5)"), "y ~ s(x, k=5)"),
    BadCall("adjust_intervals: no results", lambda: _quantile().adjust_intervals("draws"), DataError, ("Model.fit",)),
]
