"""Lognormal distribution: the logarithm has mean mu and standard deviation sigma."""

from __future__ import annotations

import numpy as np
from scipy import special

from nutslite.scores.numerics.distribution import Distribution
from nutslite.scores.numerics.gamma import HALF_LOG_2PI


def _standard(y, mu, sigma):
    with np.errstate(all="ignore"):
        return np.where(y > 0.0, (np.log(np.maximum(y, 0.0)) - mu) / sigma, -np.inf)


def _log_density(y, mu, sigma):
    with np.errstate(all="ignore"):
        inside = -0.5 * _standard(y, mu, sigma) ** 2 - np.log(sigma) - HALF_LOG_2PI - np.log(y)
        return np.where(y > 0.0, inside, -np.inf)


def _mean(mu, sigma):
    with np.errstate(over="ignore"):
        return np.exp(mu + 0.5 * sigma * sigma)


def _sd(mu, sigma):
    with np.errstate(over="ignore"):
        return _mean(mu, sigma) * np.sqrt(np.expm1(sigma * sigma))


def _deviation(y, mu, sigma):
    w, mean = _standard(y, mu, sigma), _mean(mu, sigma)
    with np.errstate(all="ignore"):
        between = special.ndtr(w) - special.ndtr(w - sigma)
        out = (y - mean) * (2.0 * special.ndtr(w) - 1.0) + 2.0 * mean * between
        return np.where(np.isfinite(mean), out, np.inf)


DISTRIBUTION = Distribution(
    name="lognormal",
    parameters={"mu": "finite", "sigma": "positive"},
    log_density=_log_density,
    cdf=lambda y, mu, sigma: special.ndtr(_standard(y, mu, sigma)),
    quantile=lambda q, mu, sigma: np.exp(mu + sigma * special.ndtri(q)),
    mean=_mean,
    sd=_sd,
    deviation=_deviation,
    half_difference=lambda mu, sigma: _mean(mu, sigma) * special.erf(0.5 * sigma),
    random=lambda rng, mu, sigma: rng.lognormal(mu, sigma),
    note="y (2 Phi(w) - 1) - 2 exp(mu + sigma^2/2) (Phi(w - sigma) + Phi(sigma/sqrt(2)) - 1), w = (log y - mu)/sigma: "
    "Baran and Lerch (2015)",
    known=("1.0, mu=0.0, sigma=1.0", 0.267405),
    scipy="lognorm(sigma, scale=exp(mu))",
)
