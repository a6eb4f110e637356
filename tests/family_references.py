"""SciPy's version of each family, for tests/test_families.py: (parameters, companions) -> distribution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special, stats

Values = dict[str, np.ndarray]


class ZeroInflatedPoisson:
    """SciPy has none: a Poisson count with probability psi, else zero."""

    def __init__(self, mu: np.ndarray, psi: np.ndarray) -> None:
        self.mu, self.psi = mu, psi

    def logpmf(self, y: np.ndarray) -> np.ndarray:
        return np.log(self.psi * stats.poisson(self.mu).pmf(y) + (1.0 - self.psi) * (y == 0))


class ExtendedLogF:
    """SciPy has none: the logit of a beta variable, times a tenth of sigma."""

    def __init__(self, mu: np.ndarray, sigma: np.ndarray, tau: np.ndarray) -> None:
        self.mu, self.scale, self.a, self.b = mu, 0.1 * sigma, 0.1 * (1.0 - tau), 0.1 * tau

    def logpdf(self, y: np.ndarray) -> np.ndarray:
        x = (y - self.mu) / self.scale
        return self.a * x - 0.1 * np.logaddexp(0.0, x) - np.log(self.scale) - special.betaln(self.a, self.b)


REFERENCES: dict[str, Callable[[Values, Values], Any]] = {
    "asymmetriclaplace": lambda p, c: stats.laplace_asymmetric(p["kappa"], p["mu"], 1.0 / p["b"]),
    "bernoulli": lambda p, c: stats.bernoulli(p["p"]),
    "beta": lambda p, c: stats.beta(p["mu"] * p["kappa"], (1.0 - p["mu"]) * p["kappa"]),
    "binomial": lambda p, c: stats.binom(c["trials"], p["p"]),
    "elf": lambda p, c: ExtendedLogF(p["mu"], p["sigma"], p["tau"]),
    "gamma": lambda p, c: stats.gamma(p["alpha"], scale=p["mu"] / p["alpha"]),
    "gaussian": lambda p, c: stats.norm(p["mu"], p["sigma"]),
    "laplace": lambda p, c: stats.laplace(p["mu"], p["b"]),
    "lognormal": lambda p, c: stats.lognorm(p["sigma"], scale=np.exp(p["mu"])),
    "negativebinomial": lambda p, c: stats.nbinom(p["alpha"], p["alpha"] / (p["mu"] + p["alpha"])),
    "poisson": lambda p, c: stats.poisson(p["mu"]),
    "t": lambda p, c: stats.t(p["nu"], p["mu"], p["sigma"]),
    "wald": lambda p, c: stats.invgauss(p["mu"] / p["lam"], scale=p["lam"]),
    "weibull": lambda p, c: stats.weibull_min(p["alpha"], scale=p["mu"] / special.gamma(1.0 + 1.0 / p["alpha"])),
    "zero_inflated_poisson": lambda p, c: ZeroInflatedPoisson(p["mu"], p["psi"]),
}
