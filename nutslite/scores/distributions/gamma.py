"""Gamma distribution with mean mu and shape alpha."""

from __future__ import annotations

import numpy as np
from scipy import special

from nutslite import _draws
from nutslite.scores.numerics.distribution import Distribution
from nutslite.scores.numerics.gamma import log_beta, log_poisson


def _scaled(y, mu, alpha):
    return np.maximum(y, 0.0) / mu * alpha


def _log_density(y, mu, alpha):
    with np.errstate(all="ignore"):
        inside = log_poisson(alpha, _scaled(y, mu, alpha)) + np.log(alpha) - np.log(y)
        at_zero = np.where(alpha < 1.0, np.inf, np.where(alpha == 1.0, -np.log(mu), -np.inf))
        return np.where(y > 0.0, inside, np.where(y == 0.0, at_zero, -np.inf))


def _deviation(y, mu, alpha):
    x = _scaled(y, mu, alpha)
    return (y - mu) * (2.0 * special.gammainc(alpha, x) - 1.0) + 2.0 * mu * np.exp(log_poisson(alpha, x))


DISTRIBUTION = Distribution(
    name="gamma",
    parameters={"mu": "positive", "alpha": "positive"},
    log_density=_log_density,
    cdf=lambda y, mu, alpha: special.gammainc(alpha, _scaled(y, mu, alpha)),
    quantile=lambda q, mu, alpha: special.gammaincinv(alpha, q) * (mu / alpha),
    mean=lambda mu, alpha: mu,
    sd=lambda mu, alpha: mu / np.sqrt(alpha),
    deviation=_deviation,
    half_difference=lambda mu, alpha: mu / alpha * np.exp(-log_beta(np.full_like(alpha, 0.5), alpha)),
    random=_draws.gamma,
    note="y (2 F_a(y) - 1) - (a/b) (2 F_{a+1}(y) - 1) - 1/(b B(1/2, a)), a = alpha, b = alpha/mu: Scheuerer and "
    "Moeller (2015)",
    known=("1.5, mu=2.0, alpha=2.0", 0.311911),
    scipy="gamma(alpha, scale=mu/alpha)",
)
