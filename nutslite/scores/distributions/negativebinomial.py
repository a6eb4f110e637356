"""Negative binomial distribution with mean mu and shape alpha: the variance is mu + mu^2/alpha."""

from __future__ import annotations

import numpy as np
from scipy import special

from nutslite import _draws
from nutslite.scores.numerics.distribution import Distribution
from nutslite.scores.numerics.frequency import half_mean_difference
from nutslite.scores.numerics.gamma import log_binomial
from nutslite.scores.numerics.search import crps_by_sum, whole_quantile

RARE, LAST = 0.1, 64  # means below RARE, and below the shape: counts are hardly ever above LAST


def _log_density(y, mu, alpha):
    count = (y >= 0.0) & (y == np.floor(y))
    x = np.where(count, y, 0.0)
    with np.errstate(all="ignore"):
        total = mu + alpha
        above = log_binomial(alpha, x, alpha / total, mu / total) - np.log1p(x / alpha)
        inside = np.where(x == 0.0, -alpha * np.log1p(mu / alpha), above)
    return np.where(count, inside, -np.inf)


def _survival(k, mu, alpha):
    """P(X > k) for whole k from 0 on."""
    return _by_size(k, mu, alpha, special.betainc, special.betaincc)


def _cdf(y, mu, alpha):
    below = _by_size(np.maximum(np.floor(y), 0.0), mu, alpha, special.betaincc, special.betainc)
    return np.where(y >= 0.0, below, 0.0)


def _by_size(k, mu, alpha, near, far):
    """`near` where the mean is below the shape, else `far`. Where the other is right each takes ten times as long."""
    k, mu, alpha = np.broadcast_arrays(k, mu, alpha)
    small, total, out = mu < alpha, mu + alpha, np.empty(k.shape)
    near(k + 1.0, alpha, mu / total, where=small, out=out)
    far(alpha, k + 1.0, alpha / total, where=~small, out=out)
    return out


def _sd(mu, alpha):
    return np.sqrt(mu * (1.0 + mu / alpha))


def _deviation(y, mu, alpha):
    k = np.floor(y)
    with np.errstate(all="ignore"):
        tails = np.where(k >= 0.0, mu * (1.0 + k / alpha) * np.exp(_log_density(k, mu, alpha)), 0.0)
    return (y - mu) * (2.0 * _cdf(y, mu, alpha) - 1.0) + 2.0 * tails


def _log_square(distance, odds, alpha):
    return -alpha * np.log1p(odds * (1.0 + odds) * distance)


def _half_difference(mu, alpha):
    flat, shape = np.ravel(mu), np.ravel(alpha)
    centre = 1.0 / np.maximum(_sd(flat, shape), 1.0)
    return half_mean_difference(_log_square, centre, flat / shape, shape, whole=True).reshape(np.shape(mu))


def _crps(y, mu, alpha):
    out = _deviation(y, mu, alpha) - _half_difference(mu, alpha)
    rare = (mu < RARE) & (mu < alpha)
    if rare.any():
        out[rare] = crps_by_sum(y[rare], lambda k: _survival(k, mu[rare], alpha[rare]), LAST)
    return out


def _quantile(q, mu, alpha):
    return whole_quantile(q, lambda k: _cdf(k, mu, alpha), mu, _sd(mu, alpha))


DISTRIBUTION = Distribution(
    name="negativebinomial",
    parameters={"mu": "not negative", "alpha": "positive"},
    log_density=_log_density,
    cdf=_cdf,
    quantile=_quantile,
    mean=lambda mu, alpha: mu,
    sd=_sd,
    deviation=_deviation,
    half_difference=_half_difference,
    random=lambda rng, mu, alpha: _draws.negative_binomial(rng, mu, alpha).astype(np.float64),
    whole=True,
    crps=_crps,
    note="(y - mu) (2 F(y) - 1) + 2 mu (1 + k/alpha) f(k) - E|X - X'|/2, k = floor(y): Wei and Held (2014); the last "
    "term from the "
    "characteristic function, since the hypergeometric function overflows",
    known=("3, mu=3.75, alpha=2.5", 0.653404),
    scipy="nbinom(alpha, alpha/(alpha + mu))",
)
