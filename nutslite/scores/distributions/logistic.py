"""Logistic distribution with mean mu and scale s."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from nutslite.scores.numerics.distribution import Distribution


def _log_density(y, mu, s):
    z = np.abs(y - mu) / s
    return -z - 2.0 * np.log1p(np.exp(-z)) - np.log(s)


def _deviation(y, mu, s):
    z = np.abs(y - mu) / s
    return s * (z + 2.0 * np.log1p(np.exp(-z)))


DISTRIBUTION = Distribution(
    name="logistic",
    parameters={"mu": "finite", "s": "positive"},
    log_density=_log_density,
    cdf=lambda y, mu, s: special.expit((y - mu) / s),
    quantile=lambda q, mu, s: mu + s * special.logit(q),
    mean=lambda mu, s: mu,
    sd=lambda mu, s: s * math.pi / math.sqrt(3.0),
    deviation=_deviation,
    half_difference=lambda mu, s: s,
    random=lambda rng, mu, s: rng.logistic(mu, s),
    note="s (|z| + 2 log(1 + exp(-|z|)) - 1), z = (y - mu)/s: Jordan, Krueger and Lerch (2019), appendix A",
    known=("0.0, mu=0.0, s=1.0", 0.386294),
    scipy="logistic(mu, s)",
)
