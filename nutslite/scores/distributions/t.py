"""Student's t distribution with location mu, scale sigma and nu degrees of freedom."""

from __future__ import annotations

import numpy as np
from scipy import special

from nutslite._draws import student_t
from nutslite.scores.numerics.distribution import Distribution
from nutslite.scores.numerics.gamma import log_beta


def _log_standard(z, nu):
    return -0.5 * np.log(nu) - log_beta(np.full_like(nu, 0.5), 0.5 * nu) - 0.5 * (nu + 1.0) * np.log1p(z * z / nu)


def _deviation(y, mu, sigma, nu):
    z = (y - mu) / sigma
    with np.errstate(all="ignore"):
        tails = np.exp(_log_standard(z, nu) + np.log((nu + z * z) / (nu - 1.0)))
        return np.where(nu > 1.0, sigma * (z * (2.0 * special.stdtr(nu, z) - 1.0) + 2.0 * tails), np.inf)


def _half_difference(mu, sigma, nu):
    with np.errstate(all="ignore"):
        half = np.full_like(nu, 0.5)
        ratio = log_beta(half, nu - 0.5) - 2.0 * log_beta(half, 0.5 * nu)
        return np.where(nu > 1.0, sigma * 2.0 * np.sqrt(nu) / (nu - 1.0) * np.exp(ratio), np.inf)


def _sd(mu, sigma, nu):
    with np.errstate(all="ignore"):
        return np.where(nu > 2.0, sigma * np.sqrt(nu / (nu - 2.0)), np.where(nu > 1.0, np.inf, np.nan))


DISTRIBUTION = Distribution(
    name="t",
    parameters={"mu": "finite", "sigma": "positive", "nu": "positive"},
    log_density=lambda y, mu, sigma, nu: _log_standard((y - mu) / sigma, nu) - np.log(sigma),
    cdf=lambda y, mu, sigma, nu: special.stdtr(nu, (y - mu) / sigma),
    quantile=lambda q, mu, sigma, nu: mu + sigma * special.stdtrit(nu, q),
    mean=lambda mu, sigma, nu: np.where(nu > 1.0, mu, np.nan),
    sd=_sd,
    deviation=_deviation,
    half_difference=_half_difference,
    random=lambda rng, mu, sigma, nu: mu + sigma * student_t(rng, nu),
    note="sigma (z (2 F(z) - 1) + 2 f(z) (nu + z^2)/(nu - 1) - 2 sqrt(nu)/(nu - 1) B(1/2, nu - 1/2)/B(1/2, nu/2)^2), "
    "infinite for nu <= 1: Jordan, Krueger and Lerch (2019), appendix A",
    known=("1.0, mu=0.0, sigma=1.0, nu=4.0", 0.60533),
    scipy="t(nu, mu, sigma)",
)
