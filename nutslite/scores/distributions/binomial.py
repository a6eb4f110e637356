"""Binomial distribution: successes of n trials, each with probability p."""

from __future__ import annotations

import numpy as np
from scipy import special

from nutslite import _draws
from nutslite.scores.numerics.distribution import Distribution
from nutslite.scores.numerics.frequency import half_mean_difference
from nutslite.scores.numerics.gamma import log_binomial
from nutslite.scores.numerics.search import crps_by_sum, whole_quantile

FEW, RARE, LAST = 24, 0.1, 24  # sums where there are so few trials, or so few successes or failures are expected


def _log_density(y, n, p):
    count = (y >= 0.0) & (y <= n) & (y == np.floor(y))
    x = np.where(count, y, 0.0)
    return np.where(count, log_binomial(x, n - x, p, 1.0 - p), -np.inf)


def _cdf(y, n, p):
    k = np.floor(y)
    inside = (k >= 0.0) & (k < n)
    successes, failures = np.where(inside, k, 0.0) + 1.0, np.where(inside, n - k, 1.0)
    value = np.where(p < 0.5, special.betaincc(successes, failures, p), special.betainc(failures, successes, 1.0 - p))
    return np.where(inside, value, (k >= n).astype(np.float64))


def _survival(k, n, p):
    """P(X > k) for whole k from 0 on, with all digits where it is small."""
    inside = k < n
    return np.where(inside, special.betainc(k + 1.0, np.where(inside, n - k, 1.0), p), 0.0)


def _deviation(y, n, p):
    k = np.floor(y)
    with np.errstate(all="ignore"):
        tails = np.where((k >= 0.0) & (k < n), (n - k) * p * np.exp(_log_density(k, n, p)), 0.0)
    return (y - n * p) * (2.0 * _cdf(y, n, p) - 1.0) + 2.0 * tails


def _sd(n, p):
    return np.sqrt(n * p * (1.0 - p))


def _log_square(distance, n, variance):
    return np.where(n > 0.0, n * np.log1p(-variance * distance), 0.0)


def _half_difference(n, p):
    trials, share = np.ravel(n), np.ravel(p)
    centre = 1.0 / np.maximum(_sd(trials, share), 1.0)
    found = half_mean_difference(_log_square, centre, trials, share * (1.0 - share), whole=True)
    return found.reshape(np.shape(n))


def _crps(y, n, p):
    out = _deviation(y, n, p) - _half_difference(n, p)
    few = (n <= FEW) | (n * p < RARE)
    if few.any():
        out[few] = crps_by_sum(y[few], lambda k: _survival(k, n[few], p[few]), LAST)
    failures = ~few & (n * (1.0 - p) < RARE)
    if failures.any():  # the same seen from the other side
        y, n, p = y[failures], n[failures], 1.0 - p[failures]
        out[failures] = crps_by_sum(n - y, lambda k: _survival(k, n, p), LAST)
    return out


def _quantile(q, n, p):
    return np.minimum(whole_quantile(q, lambda k: _cdf(k, n, p), n * p, _sd(n, p)), n)


DISTRIBUTION = Distribution(
    name="binomial",
    parameters={"n": "count", "p": "unit"},
    log_density=_log_density,
    cdf=_cdf,
    quantile=_quantile,
    mean=lambda n, p: n * p,
    sd=_sd,
    deviation=_deviation,
    half_difference=_half_difference,
    random=lambda rng, n, p: _draws.binomial(rng, n, p).astype(np.float64),
    whole=True,
    crps=_crps,
    note="sum_k (F(k) - 1{k >= y})^2, from 25 trials on as (y - np) (2 F(y) - 1) + 2 (n - k) p f(k) - E|X - X'|/2, k "
    "= floor(y): the "
    "mean deviation is De Moivre's, the last term from the characteristic function",
    known=("4, n=10, p=0.3", 0.616545),
    scipy="binom(n, p)",
)
