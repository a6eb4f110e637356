"""Poisson distribution with mean mu."""

from __future__ import annotations

import numpy as np
from scipy import special

from nutslite import _draws
from nutslite.scores.numerics.distribution import Distribution
from nutslite.scores.numerics.gamma import log_poisson
from nutslite.scores.numerics.search import crps_by_sum, whole_quantile

RARE, LAST = 0.1, 24  # means below RARE: counts are hardly ever above LAST, and the closed form would cancel


def log_density(y, mu):
    """Log of the probability; minus infinity where y is no count."""
    count = (y >= 0.0) & (y == np.floor(y))
    return np.where(count, log_poisson(np.where(count, y, 0.0), mu), -np.inf)


def cdf(y, mu):
    """Probability of a count up to y."""
    k = np.floor(y)
    return np.where(k >= 0.0, special.gammaincc(np.maximum(k, 0.0) + 1.0, mu), 0.0)


def deviation(y, mu):
    """``(y - mu) (2 F(y) - 1) + 2 mu f(floor(y))``."""
    return (y - mu) * (2.0 * cdf(y, mu) - 1.0) + 2.0 * mu * np.exp(log_density(np.floor(y), mu))


def half_difference(mu):
    """``mu (i0e(2 mu) + i1e(2 mu))``, Bessel functions that are scaled."""
    return mu * (special.i0e(2.0 * mu) + special.i1e(2.0 * mu))


def _crps(y, mu):
    out = deviation(y, mu) - half_difference(mu)
    rare = mu < RARE
    if rare.any():
        out[rare] = crps_by_sum(y[rare], lambda k: special.gammainc(k + 1.0, mu[rare]), LAST)
    return out


def _quantile(q, mu):
    return whole_quantile(q, lambda k: cdf(k, mu), mu, np.sqrt(mu))


DISTRIBUTION = Distribution(
    name="poisson",
    parameters={"mu": "not negative"},
    log_density=log_density,
    cdf=cdf,
    quantile=_quantile,
    mean=lambda mu: mu,
    sd=np.sqrt,
    deviation=deviation,
    half_difference=half_difference,
    random=lambda rng, mu: _draws.poisson(rng, mu).astype(np.float64),
    whole=True,
    crps=_crps,
    note="(y - mu) (2 F(y) - 1) + 2 mu f(floor y) - mu (I0(2 mu) + I1(2 mu)) exp(-2 mu): Wei and Held (2014); Bessel "
    "functions scaled, "
    "and a sum for means below 0.1",
    known=("4, mu=3.0", 0.682588),
    scipy="poisson(mu)",
)
