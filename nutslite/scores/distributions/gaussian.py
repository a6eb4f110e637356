"""Normal distribution with mean mu and standard deviation sigma."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from nutslite.scores.numerics.distribution import Distribution
from nutslite.scores.numerics.gamma import HALF_LOG_2PI


def _log_density(y, mu, sigma):
    return -0.5 * ((y - mu) / sigma) ** 2 - np.log(sigma) - HALF_LOG_2PI


def _deviation(y, mu, sigma):
    z = (y - mu) / sigma
    return sigma * (z * special.erf(z * math.sqrt(0.5)) + math.sqrt(2.0 / math.pi) * np.exp(-0.5 * z * z))


DISTRIBUTION = Distribution(
    name="gaussian",
    parameters={"mu": "finite", "sigma": "positive"},
    log_density=_log_density,
    cdf=lambda y, mu, sigma: special.ndtr((y - mu) / sigma),
    quantile=lambda q, mu, sigma: mu + sigma * special.ndtri(q),
    mean=lambda mu, sigma: mu,
    sd=lambda mu, sigma: sigma,
    deviation=_deviation,
    half_difference=lambda mu, sigma: sigma / math.sqrt(math.pi),
    random=lambda rng, mu, sigma: rng.normal(mu, sigma),
    note="sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi)), z = (y - mu)/sigma: Gneiting and Raftery (2007), eq. 21",
    known=("0.3, mu=0.0, sigma=1.0", 0.269333),
    scipy="norm(mu, sigma)",
)
