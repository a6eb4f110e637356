"""Beta distribution with mean mu and concentration kappa: shapes mu kappa and (1 - mu) kappa."""

from __future__ import annotations

import numpy as np
from scipy import special

from nutslite import _draws
from nutslite.scores.numerics.distribution import Distribution
from nutslite.scores.numerics.gamma import log_beta_ratio, log_binomial


def _log_kernel(y, mu, kappa):
    """The log density plus ``log(y (1-y) kappa / (a b))``."""
    return log_binomial(mu * kappa, (1.0 - mu) * kappa, y, 1.0 - y)


def _log_density(y, mu, kappa):
    a, b = mu * kappa, (1.0 - mu) * kappa
    with np.errstate(all="ignore"):
        inside = _log_kernel(y, mu, kappa) + np.log(a) + np.log(b) - np.log(kappa) - np.log(y) - np.log1p(-y)
        at_zero = np.where(a < 1.0, np.inf, np.where(a == 1.0, np.log(b), -np.inf))
        at_one = np.where(b < 1.0, np.inf, np.where(b == 1.0, np.log(a), -np.inf))
        out = np.where((y > 0.0) & (y < 1.0), inside, -np.inf)
        return np.where(y == 0.0, at_zero, np.where(y == 1.0, at_one, out))


def _cdf(y, mu, kappa):
    return special.betainc(mu * kappa, (1.0 - mu) * kappa, np.clip(y, 0.0, 1.0))


def _deviation(y, mu, kappa):
    inside = (y > 0.0) & (y < 1.0)
    with np.errstate(all="ignore"):
        tails = np.where(inside, mu * (1.0 - mu) * np.exp(_log_kernel(np.where(inside, y, 0.5), mu, kappa)), 0.0)
    return (y - mu) * (2.0 * _cdf(y, mu, kappa) - 1.0) + 2.0 * tails


DISTRIBUTION = Distribution(
    name="beta",
    parameters={"mu": "open unit", "kappa": "positive"},
    log_density=_log_density,
    cdf=_cdf,
    quantile=lambda q, mu, kappa: special.betaincinv(mu * kappa, (1.0 - mu) * kappa, q),
    mean=lambda mu, kappa: mu,
    sd=lambda mu, kappa: np.sqrt(mu * (1.0 - mu) / (1.0 + kappa)),
    deviation=_deviation,
    half_difference=lambda mu, kappa: 2.0 / kappa * np.exp(log_beta_ratio(mu * kappa, (1.0 - mu) * kappa)),
    random=_draws.beta,
    note="y (2 F_{a,b}(y) - 1) + mu (1 - 2 F_{a+1,b}(y) - 2 B(2a, 2b)/(a B(a, b)^2)), a = mu kappa, b = (1 - mu) "
    "kappa: "
    "Jordan, Krueger and Lerch (2019), appendix A",
    known=("0.3, mu=0.4, kappa=5.0", 0.06423),
    scipy="beta(mu*kappa, (1 - mu)*kappa)",
)
