"""Weibull distribution with mean mu and shape alpha; the scale is mu/Gamma(1 + 1/alpha)."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from nutslite import _draws
from nutslite.scores.numerics.distribution import Distribution


def _log_hazard(y, mu, alpha):
    """Logarithm of ``(y / scale)^alpha``, minus infinity up to zero."""
    with np.errstate(all="ignore"):
        return alpha * (np.log(np.maximum(y, 0.0)) - np.log(mu) + special.gammaln(1.0 + 1.0 / alpha))


def _log_density(y, mu, alpha):
    with np.errstate(all="ignore"):
        log_hazard = _log_hazard(y, mu, alpha)
        inside = np.log(alpha) - np.log(y) + log_hazard - np.exp(log_hazard)
        at_zero = np.where(alpha < 1.0, np.inf, np.where(alpha == 1.0, -np.log(mu), -np.inf))
        return np.where(y > 0.0, inside, np.where(y == 0.0, at_zero, -np.inf))


def _cdf(y, mu, alpha):
    with np.errstate(over="ignore"):
        return -np.expm1(-np.exp(_log_hazard(y, mu, alpha)))


def _quantile(q, mu, alpha):
    return mu * np.exp(np.log(-np.log1p(-q)) / alpha - special.gammaln(1.0 + 1.0 / alpha))


def _sd(mu, alpha):
    first = special.gammaln(1.0 + 1.0 / alpha)
    return mu * np.sqrt(np.expm1(special.gammaln(1.0 + 2.0 / alpha) - 2.0 * first))


def _deviation(y, mu, alpha):
    with np.errstate(over="ignore"):
        hazard = np.exp(_log_hazard(y, mu, alpha))
    below = -np.expm1(-hazard)
    between = below - special.gammainc(1.0 + 1.0 / alpha, hazard)
    return (y - mu) * (2.0 * below - 1.0) + 2.0 * mu * between


DISTRIBUTION = Distribution(
    name="weibull",
    parameters={"mu": "positive", "alpha": "positive"},
    log_density=_log_density,
    cdf=_cdf,
    quantile=_quantile,
    mean=lambda mu, alpha: mu,
    sd=_sd,
    deviation=_deviation,
    half_difference=lambda mu, alpha: -mu * np.expm1(-math.log(2.0) / alpha),
    random=_draws.weibull,
    note="E|X - y| - mu (1 - 2^(-1/alpha)), E|X - y| by the incomplete gamma function P(1 + 1/alpha, (y/scale)^alpha)",
    known=("1.2, mu=1.0, alpha=1.0", 0.302388),
    scipy="weibull_min(alpha, scale=mu/gamma(1 + 1/alpha))",
)
