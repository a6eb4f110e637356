"""Laplace distribution with mean mu and scale b."""

from __future__ import annotations

import math

import numpy as np

from nutslite.scores.numerics.distribution import Distribution


def _cdf(y, mu, b):
    z = (y - mu) / b
    tail = 0.5 * np.exp(-np.abs(z))
    return np.where(z < 0.0, tail, 1.0 - tail)


def _quantile(q, mu, b):
    return mu + b * np.where(q < 0.5, np.log(2.0 * q), -np.log(2.0 * (1.0 - q)))


def _deviation(y, mu, b):
    z = np.abs(y - mu) / b
    return b * (z + np.exp(-z))


DISTRIBUTION = Distribution(
    name="laplace",
    parameters={"mu": "finite", "b": "positive"},
    log_density=lambda y, mu, b: -np.abs(y - mu) / b - np.log(b) - math.log(2.0),
    cdf=_cdf,
    quantile=_quantile,
    mean=lambda mu, b: mu,
    sd=lambda mu, b: math.sqrt(2.0) * b,
    deviation=_deviation,
    half_difference=lambda mu, b: 0.75 * b,
    random=lambda rng, mu, b: rng.laplace(mu, b),
    note="b (|z| + exp(-|z|) - 3/4), z = (y - mu)/b: Jordan, Krueger and Lerch (2019), appendix A",
    known=("1.0, mu=0.0, b=1.0", 0.617879),
    scipy="laplace(mu, b)",
)
