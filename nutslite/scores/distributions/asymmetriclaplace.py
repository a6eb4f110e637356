"""Asymmetric Laplace distribution in PyMC's terms: exponential with rate b kappa above mu and b/kappa below it.

mu is the quantile of level kappa^2/(1 + kappa^2).
"""

from __future__ import annotations

import numpy as np

from nutslite.scores.numerics.distribution import Distribution


def _scales(b, kappa):
    """Mean distances from mu on both sides: below, above."""
    return kappa / b, 1.0 / (b * kappa)


def _log_density(y, mu, b, kappa):
    below, above = _scales(b, kappa)
    return -np.abs(y - mu) / np.where(y < mu, below, above) - np.log(below + above)


def _cdf(y, mu, b, kappa):
    below, above = _scales(b, kappa)
    tail = np.exp(-np.abs(y - mu) / np.where(y < mu, below, above)) / (below + above)
    return np.where(y < mu, below * tail, 1.0 - above * tail)


def _quantile(q, mu, b, kappa):
    below, above = _scales(b, kappa)
    level, rest = below / (below + above), above / (below + above)
    with np.errstate(divide="ignore"):
        return mu + np.where(q < level, below * np.log(q / level), -above * np.log((1.0 - q) / rest))


def _deviation(y, mu, b, kappa):
    """``E|X - y| = |y - mu| + c (exp(-|y - mu| / s) - 1) + E|X - mu|``, s of y's side, c = 2 s^2/(sum of scales)."""
    below, above = _scales(b, kappa)
    side, distance = np.where(y < mu, below, above), np.abs(y - mu)
    at_mu = (below * below + above * above) / (below + above)
    return distance + 2.0 * side * side / (below + above) * np.expm1(-distance / side) + at_mu


def _half_difference(mu, b, kappa):
    below, above = _scales(b, kappa)
    total = below + above
    return (below * below + above * above) / total - (below**3 + above**3) / (2.0 * total * total)


def _random(rng, mu, b, kappa):
    below, above = _scales(b, kappa)
    up = rng.random(np.shape(mu)) * (below + above) < above
    return mu + np.where(up, above, -below) * rng.standard_exponential(np.shape(mu))


DISTRIBUTION = Distribution(
    name="asymmetriclaplace",
    parameters={"mu": "finite", "b": "positive", "kappa": "positive"},
    log_density=_log_density,
    cdf=_cdf,
    quantile=_quantile,
    mean=lambda mu, b, kappa: mu + (1.0 / kappa - kappa) / b,
    sd=lambda mu, b, kappa: np.hypot(1.0 / kappa, kappa) / b,
    deviation=_deviation,
    half_difference=_half_difference,
    random=_random,
    note="|y - mu| + c exp(-|y - mu|/s) - c + (s1^3 + s2^3)/(2 (s1 + s2)^2), s1 = kappa/b, s2 = 1/(b kappa), s the "
    "one of y's side, "
    "c = 2 s^2/(s1 + s2): Jordan, Krueger and Lerch (2019), appendix A (two-piece exponential)",
    known=("0.5, mu=0.0, b=0.3, kappa=3.0", 4.475028),
    scipy="laplace_asymmetric(kappa, mu, 1/b)",
)
