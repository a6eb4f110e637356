"""Zero-inflated Poisson distribution: a Poisson count of mean mu with probability psi, else zero."""

from __future__ import annotations

import numpy as np
from scipy import special

from nutslite import _draws
from nutslite.scores.distributions import poisson
from nutslite.scores.numerics.distribution import Distribution
from nutslite.scores.numerics.search import crps_by_sum, whole_quantile


def _log_density(y, mu, psi):
    with np.errstate(divide="ignore"):
        at_zero = np.log1p(psi * np.expm1(-mu))
        return np.where(y == 0.0, at_zero, np.log(psi) + poisson.log_density(y, mu))


def _cdf(y, mu, psi):
    return np.where(y >= 0.0, 1.0 - psi + psi * poisson.cdf(y, mu), 0.0)


def _sd(mu, psi):
    return np.sqrt(psi * mu * (1.0 + (1.0 - psi) * mu))


def _deviation(y, mu, psi):
    return (1.0 - psi) * np.abs(y) + psi * poisson.deviation(y, mu)


def _half_difference(mu, psi):
    return psi * (1.0 - psi) * mu + psi * psi * poisson.half_difference(mu)


def _crps(y, mu, psi):
    out = _deviation(y, mu, psi) - _half_difference(mu, psi)
    rare = mu < poisson.RARE
    if rare.any():
        survival = lambda k: psi[rare] * special.gammainc(k + 1.0, mu[rare])  # noqa: E731
        out[rare] = crps_by_sum(y[rare], survival, poisson.LAST)
    return out


def _quantile(q, mu, psi):
    return whole_quantile(q, lambda k: _cdf(k, mu, psi), psi * mu, _sd(mu, psi))


def _random(rng, mu, psi):
    return np.where(rng.random(np.shape(psi)) < psi, _draws.poisson(rng, mu), 0).astype(np.float64)


DISTRIBUTION = Distribution(
    name="zero_inflated_poisson",
    parameters={"mu": "not negative", "psi": "unit"},
    log_density=_log_density,
    cdf=_cdf,
    quantile=_quantile,
    mean=lambda mu, psi: psi * mu,
    sd=_sd,
    deviation=_deviation,
    half_difference=_half_difference,
    random=_random,
    whole=True,
    crps=_crps,
    note="(1 - psi) |y| + psi E|X - y| - psi (1 - psi) mu - psi^2 E|X - X'|/2 of Poisson X",
    known=("4, mu=3.0, psi=0.7", 1.248598),
    scipy="none",
)
