"""SciPy's version of each family, for tests/test_families.py: (parameters, companions) -> distribution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special, stats

Values = dict[str, np.ndarray]


class ZeroInflated:
    """SciPy has none: a count with probability psi, else zero."""

    def __init__(self, counts: Any, psi: np.ndarray) -> None:
        self.counts, self.psi = counts, psi

    def logpmf(self, y: np.ndarray) -> np.ndarray:
        return np.log(self.psi * self.counts.pmf(y) + (1.0 - self.psi) * (y == 0))


class Hurdle:
    """SciPy has none: zero with probability 1 - psi, else what is above zero."""

    def __init__(self, above: Any, psi: np.ndarray) -> None:
        self.above, self.psi = above, psi

    def logpmf(self, y: np.ndarray) -> np.ndarray:
        above = self.psi * self.above.pmf(y) / (1.0 - self.above.pmf(0))
        return np.log(np.where(y == 0, 1.0 - self.psi, above))

    def logpdf(self, y: np.ndarray) -> np.ndarray:
        return np.log(np.where(y == 0, 1.0 - self.psi, self.psi * self.above.pdf(np.where(y == 0, 1.0, y))))


class WithEnds:
    """SciPy has none: 0 and 1 with probabilities of their own, else a beta variable."""

    def __init__(self, between: Any, at_zero: np.ndarray, at_one: np.ndarray) -> None:
        self.between, self.at_zero, self.at_one = between, at_zero, at_one

    def logpdf(self, y: np.ndarray) -> np.ndarray:
        inside = (y > 0) & (y < 1)
        between = (1.0 - self.at_zero - self.at_one) * self.between.pdf(np.where(inside, y, 0.5))
        return np.log(np.where(y == 0, self.at_zero, np.where(y == 1, self.at_one, between)))


def ordered_beta(p: Values, c: Values) -> WithEnds:
    """The ends of a latent scale."""
    latent = special.logit(p["mu"])
    at_zero, at_one = special.expit(p["cutzero"] - latent), special.expit(latent - p["cutzero"] - p["gap"])
    return WithEnds(REFERENCES["beta"](p, c), at_zero, at_one)


def skew_normal(p: Values, c: Values) -> Any:
    """Location and scale of this mean and standard deviation."""
    d = p["alpha"] / np.sqrt(1.0 + p["alpha"] ** 2)
    scale = p["sigma"] / np.sqrt(1.0 - 2.0 / np.pi * d * d)
    return stats.skewnorm(p["alpha"], p["mu"] - scale * np.sqrt(2.0 / np.pi) * d, scale)


class DiscreteWeibull:
    """SciPy has none: whole parts of Weibull variables."""

    def __init__(self, q: np.ndarray, beta: np.ndarray) -> None:
        self.rate, self.beta = -np.log(q), beta

    def logsf(self, y: np.ndarray) -> np.ndarray:
        return -self.rate * np.floor(np.maximum(y + 1.0, 0.0)) ** self.beta

    def logcdf(self, y: np.ndarray) -> np.ndarray:
        return np.log(-np.expm1(self.logsf(y)))

    def logpmf(self, y: np.ndarray) -> np.ndarray:
        above = self.logsf(y - 1.0)
        return above + np.log(-np.expm1(self.logsf(y) - above))


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
    "zero_inflated_poisson": lambda p, c: ZeroInflated(stats.poisson(p["mu"]), p["psi"]),
}
REFERENCES |= {
    "exponential": lambda p, c: stats.expon(scale=p["mu"]),
    "exgaussian": lambda p, c: stats.exponnorm(p["nu"] / p["sigma"], p["mu"], p["sigma"]),
    "vonmises": lambda p, c: stats.vonmises(p["kappa"], p["mu"]),
    "beta_binomial": lambda p, c: stats.betabinom(c["trials"], p["mu"] * p["kappa"], (1.0 - p["mu"]) * p["kappa"]),
    "zero_inflated_binomial": lambda p, c: ZeroInflated(stats.binom(c["trials"], p["p"]), p["psi"]),
    "zero_inflated_negativebinomial": lambda p, c: ZeroInflated(REFERENCES["negativebinomial"](p, c), p["psi"]),
    "hurdle_poisson": lambda p, c: Hurdle(stats.poisson(p["mu"]), p["psi"]),
    "hurdle_negativebinomial": lambda p, c: Hurdle(REFERENCES["negativebinomial"](p, c), p["psi"]),
    "hurdle_gamma": lambda p, c: Hurdle(REFERENCES["gamma"](p, c), p["psi"]),
    "hurdle_lognormal": lambda p, c: Hurdle(REFERENCES["lognormal"](p, c), p["psi"]),
    "zero_one_inflated_beta": lambda p, c: WithEnds(
        REFERENCES["beta"](p, c), p["zoi"] * (1.0 - p["coi"]), p["zoi"] * p["coi"]
    ),
    "ordered_beta": ordered_beta,
    "skew_normal": skew_normal,
    "shifted_lognormal": lambda p, c: stats.lognorm(p["sigma"], loc=p["ndt"], scale=np.exp(p["mu"])),
    "discrete_weibull": lambda p, c: DiscreteWeibull(p["q"], p["beta"]),
}
