"""Regressions of quantiles that do not say which, or say it twice."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from bad_calls import BadCall, model

from nutslite.exceptions import FamilyError, FormulaError, PriorError
from nutslite.formula.formula import Formula
from nutslite.priors.prior import Prior


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
