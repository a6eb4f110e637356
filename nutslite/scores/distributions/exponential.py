"""Exponential distribution with mean mu."""

from __future__ import annotations

import numpy as np

from nutslite.scores.numerics.distribution import Distribution


def _survival(y, mu):
    return np.exp(-np.maximum(y, 0.0) / mu)


DISTRIBUTION = Distribution(
    name="exponential",
    parameters={"mu": "positive"},
    log_density=lambda y, mu: np.where(y >= 0.0, -y / mu - np.log(mu), -np.inf),
    cdf=lambda y, mu: -np.expm1(-np.maximum(y, 0.0) / mu),
    quantile=lambda q, mu: -mu * np.log1p(-q),
    mean=lambda mu: mu,
    sd=lambda mu: mu,
    deviation=lambda y, mu: np.abs(y) - mu + 2.0 * mu * _survival(y, mu),
    half_difference=lambda mu: 0.5 * mu,
    random=lambda rng, mu: rng.exponential(mu),
    note="|y| - 2 mu F(y) + mu/2: Jordan, Krueger and Lerch (2019), appendix A",
    known=("1.0, mu=1.0", 0.235759),
    scipy="expon(scale=mu)",
)
