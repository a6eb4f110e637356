"""Discrete Weibull distribution: ``P(X >= k) = q^(k^beta)``, the whole part of a Weibull variable."""

from __future__ import annotations

import numpy as np

from nutslite import _draws
from nutslite._special import weibull_sum
from nutslite.scores.numerics.distribution import Distribution

_ROUNDING = 4.0 * np.finfo(float).eps


def _hazard(k, q, beta):
    """Minus the logarithm of P(X >= k), for whole k from 0 on."""
    with np.errstate(all="ignore"):
        return np.where(k > 0.0, np.exp(np.log(-np.log(q)) + beta * np.log(np.maximum(k, 1.0))), 0.0)


def _log_density(y, q, beta):
    count = (y >= 0.0) & (y == np.floor(y))
    k = np.where(count, y, 0.0)
    above = _hazard(k, q, beta)
    with np.errstate(all="ignore"):
        step = np.where(k > 0.0, above * np.expm1(beta * np.log1p(1.0 / np.maximum(k, 1.0))), -np.log(q))
        return np.where(count & (above < np.inf), np.log(-np.expm1(-step)) - above, -np.inf)


def _cdf(y, q, beta):
    k = np.maximum(np.floor(y), 0.0)
    return np.where(y >= 0.0, -np.expm1(-_hazard(k + 1.0, q, beta)), 0.0)


def _quantile(level, q, beta):
    """The smallest k of which ``(k + 1)^beta`` is no less than ``log(1 - level) / log(q)``."""
    with np.errstate(all="ignore"):
        place = np.exp((np.log(-np.log1p(-level)) - np.log(-np.log(q))) / beta)
    return np.maximum(np.ceil(place * (1.0 - _ROUNDING)) - 1.0, 0.0)


def _mean(q, beta):
    return weibull_sum(1.0, -np.log(q), beta)


def _sd(q, beta):
    """E X^2 is the sum of ``(2 k - 1) P(X >= k)``; infinite where that overflows."""
    with np.errstate(all="ignore"):
        variance = weibull_sum(1.0, -np.log(q), beta, weighted=True) - _mean(q, beta) ** 2
        return np.sqrt(np.where(np.isnan(variance), np.inf, np.maximum(variance, 0.0)))


def _deviation(y, q, beta):
    """``y - m + 2 E max(X - y, 0)``, linear between whole numbers; infinite where the mean overflows."""
    k, mean = np.maximum(np.floor(y), 0.0), _mean(q, beta)
    with np.errstate(invalid="ignore"):
        at = np.where(np.isfinite(mean), k - mean + 2.0 * weibull_sum(k + 1.0, -np.log(q), beta), np.inf)
    slope = np.where(y >= 0.0, 2.0 * _cdf(k, q, beta) - 1.0, -1.0)
    return at + slope * (y - k)


def _half_difference(q, beta):
    """Sum of ``P(X >= k) P(X < k)``; the square of q has twice the rate."""
    mean = _mean(q, beta)
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(mean), mean - weibull_sum(1.0, -2.0 * np.log(q), beta), np.inf)


DISTRIBUTION = Distribution(
    name="discrete_weibull",
    parameters={"q": "open unit", "beta": "positive"},
    log_density=_log_density,
    cdf=_cdf,
    quantile=_quantile,
    mean=_mean,
    sd=_sd,
    deviation=_deviation,
    half_difference=_half_difference,
    random=lambda rng, q, beta: _draws.discrete_weibull(rng, q, beta).astype(np.float64),
    whole=True,
    note="y - M(1) + 2 sum_{k > y} q^(k^beta) - M(1) + M(2), M(r) = sum_{k > 0} q^(r k^beta): a hundred terms and the "
    "incomplete gamma function",
    known=("2, q=0.8, beta=1.0", 0.897778),
    scipy="none",
)
