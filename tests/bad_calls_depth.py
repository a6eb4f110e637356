"""What is nested without end, or has more coefficients than rows: where Python's stack or linear algebra would end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from bad_calls import BadCall, frame, model

import nutslite as nl
from nutslite.exceptions import DataError, FamilyError, FormulaError, NutsliteError, PriorError
from nutslite.formula.formula import Formula
from nutslite.priors.prior import Prior

DEEP = 3000


def _nested(depth: int) -> Prior:
    prior = Prior("HalfNormal", sigma=1)
    for _ in range(depth):
        prior = Prior("HalfNormal", sigma=prior)
    return prior


def _within_itself() -> Any:
    prior = Prior("Normal", mu=0, sigma=1)
    inner = Prior("Normal", mu=prior, sigma=1)
    prior.update(mu=inner)
    return str(prior)


def _doubled() -> Prior:
    """Both arguments have a prior, both of whose arguments have one, and so on: 2^30 in all."""
    prior = Prior("Normal", mu=0, sigma=1)
    for _ in range(30):
        prior = Prior("Laplace", mu=prior, b=Prior("HalfNormal", sigma=1))
        prior = Prior("Normal", mu=prior, sigma=Prior("Gamma", alpha=prior.args["b"], beta=prior.args["b"]))
    return prior


def _wide(family: str, formula: str | Formula | None = None, rows: int = 6, columns: int = 9) -> Callable[[], Any]:
    """A model of more columns than rows, whose priors come from the likelihood."""
    rng = np.random.default_rng(5)
    data = pd.DataFrame(rng.normal(size=(rows, columns)), columns=[f"x{i}" for i in range(columns)])
    mean = np.exp(0.3 * data["x0"])
    data["y"] = {"poisson": [3, 1, 0, 2, 5, 1], "bernoulli": [0, 1, 1, 0, 1, 0]}.get(
        family, mean + 0.1 * data["x1"] ** 2
    )
    if family == "beta":
        data["y"] = 1 / (1 + mean)
    formula = formula or f"y ~ {' + '.join(f'x{i}' for i in range(columns))}"
    return lambda: nl.Model(formula, data, family=family, automatic_priors="mle")


def _piled(kind: str) -> Any:
    value: Any = 1.0
    for _ in range(DEEP):
        value = {"list": lambda v: [v], "tuple": lambda v: (v,), "dict": lambda v: {"x": v}}[kind](value)
    return value


PRIORS = [
    BadCall("priors nested 2,000 deep", partial(_nested, 2000), PriorError, ("HalfNormal", "50 deep")),
    BadCall("priors nested 51 deep", partial(_nested, 51), PriorError, ("50 deep",)),
    BadCall("a prior within itself", _within_itself, PriorError, ("Normal", "an argument of itself")),
    BadCall("priors that double at every level", _doubled, PriorError, ("50 deep",)),
]

RANK = [
    BadCall(f"mle: more coefficients than rows, {family}", _wide(family), PriorError, ("'x0'", "10", "6 rows", "'mle'"))
    for family in ("gaussian", "poisson", "gamma", "bernoulli", "t", "beta")
] + [
    BadCall("mle: as many coefficients as rows", _wide("gaussian", columns=5), PriorError, ("without error", "'mle'")),
    BadCall("mle: one coefficient too many", _wide("gamma", columns=6), PriorError, ("7 coefficients", "6 rows")),
    BadCall("mle: interactions of few rows", _wide("poisson", "y ~ x0 * x1 * x2"), PriorError, ("8", "6 rows")),
]

FORMULAS = [
    BadCall(f"formula: {name} 5,000 deep", partial(model, text), FormulaError, ("deep",))
    for name, text in {
        "signs": f"y ~ I({'-' * 5000}x)",
        "sums": f"y ~ I({'+'.join(['x'] * 5000)})",
        "negations": f"y ~ I({'not ' * 5000}x)",
        "interactions": f"y ~ {'x:' * 5000}z",
        "powers": f"y ~ x{'**2' * 5000}",
        "nestings": f"y ~ {'/'.join(['x', 'z'] * 2500)}",
    }.items()
]

VALUES = [
    BadCall(f"{name}: a {kind} 3,000 deep", partial(call, _piled(kind)), error, ("...",))
    for kind in ("list", "tuple", "dict")
    for name, call, error in (
        ("a prior's argument", lambda value: Prior("Normal", mu=value, sigma=1), PriorError),
        ("priors", lambda value: model(priors={"x": value}), PriorError),
    )
] + [
    BadCall("aliases 3,000 deep", lambda: model().set_alias({"x": _piled("list")}), DataError, ("'x'", "...")),
    BadCall("categorical 3,000 deep", lambda: model(categorical=_piled("list")), DataError, ("categorical", "...")),
    BadCall("categorical, a tuple 3,000 deep", lambda: model(categorical=_piled("tuple")), DataError, ("...",)),
    BadCall("link 3,000 deep", lambda: model(link=_piled("list")), FamilyError, ("link", "...")),
    BadCall("data 3,000 deep", lambda: model("y ~ x", {**frame(), "x": _piled("list")}), NutsliteError, ("'x'",)),
]

CALLS = [*PRIORS, *RANK, *FORMULAS, *VALUES]
