"""SciPy's version of each family, for tests/test_families.py: (parameters, companions) -> distribution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

Values = dict[str, np.ndarray]

REFERENCES: dict[str, Callable[[Values, Values], Any]] = {
    "bernoulli": lambda p, c: stats.bernoulli(p["p"]),
    "beta": lambda p, c: stats.beta(p["mu"] * p["kappa"], (1.0 - p["mu"]) * p["kappa"]),
    "binomial": lambda p, c: stats.binom(c["trials"], p["p"]),
    "gamma": lambda p, c: stats.gamma(p["alpha"], scale=p["mu"] / p["alpha"]),
    "gaussian": lambda p, c: stats.norm(p["mu"], p["sigma"]),
    "lognormal": lambda p, c: stats.lognorm(p["sigma"], scale=np.exp(p["mu"])),
    "negativebinomial": lambda p, c: stats.nbinom(p["alpha"], p["alpha"] / (p["mu"] + p["alpha"])),
    "poisson": lambda p, c: stats.poisson(p["mu"]),
    "t": lambda p, c: stats.t(p["nu"], p["mu"], p["sigma"]),
    "wald": lambda p, c: stats.invgauss(p["mu"] / p["lam"], scale=p["lam"]),
}
