"""Lognormal distribution that begins at ndt."""

from __future__ import annotations

from dataclasses import replace

from nutslite.scores.distributions.lognormal import DISTRIBUTION as LOGNORMAL

DISTRIBUTION = replace(
    LOGNORMAL,
    name="shifted_lognormal",
    parameters={**LOGNORMAL.parameters, "ndt": "not negative"},
    log_density=lambda y, mu, sigma, ndt: LOGNORMAL.log_density(y - ndt, mu, sigma),
    cdf=lambda y, mu, sigma, ndt: LOGNORMAL.cdf(y - ndt, mu, sigma),
    quantile=lambda q, mu, sigma, ndt: ndt + LOGNORMAL.quantile(q, mu, sigma),
    mean=lambda mu, sigma, ndt: ndt + LOGNORMAL.mean(mu, sigma),
    sd=lambda mu, sigma, ndt: LOGNORMAL.sd(mu, sigma),
    deviation=lambda y, mu, sigma, ndt: LOGNORMAL.deviation(y - ndt, mu, sigma),
    half_difference=lambda mu, sigma, ndt: LOGNORMAL.half_difference(mu, sigma),
    random=lambda rng, mu, sigma, ndt: ndt + LOGNORMAL.random(rng, mu, sigma),
    note="that of the lognormal distribution at y - ndt",
    known=("1.5, mu=0.0, sigma=1.0, ndt=0.5", 0.267405),
    scipy="lognorm(sigma, loc=ndt, scale=exp(mu))",
)
