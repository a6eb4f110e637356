"""Inverse Gaussian distribution with mean mu and shape lam."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from nutslite import _draws
from nutslite.scores.numerics.distribution import Distribution
from nutslite.scores.numerics.frequency import half_mean_difference
from nutslite.scores.numerics.gamma import HALF_LOG_2PI
from nutslite.scores.numerics.search import positive_quantile


def _log_density(y, mu, lam):
    with np.errstate(all="ignore"):
        z = (y - mu) / mu
        inside = 0.5 * np.log(lam) - HALF_LOG_2PI - 1.5 * np.log(y) - 0.5 * (lam / y) * z * z
        return np.where(y > 0.0, inside, -np.inf)


def _parts(y, mu, lam):
    """``Phi(a)`` and ``exp(2 lam/mu) Phi(-b)``, whose sum is the cdf; ``2 lam/mu - b^2/2`` is ``-a^2/2``."""
    with np.errstate(all="ignore"):
        inside = np.maximum(y, np.finfo(float).tiny)
        root = np.sqrt(lam / inside)
        a, b = root * ((inside - mu) / mu), root * (inside / mu + 1.0)
        second = 0.5 * special.erfcx(b * math.sqrt(0.5)) * np.exp(-0.5 * a * a)
        return np.where(y > 0.0, special.ndtr(a), 0.0), np.where(y > 0.0, second, 0.0)


def _cdf(y, mu, lam):
    first, second = _parts(y, mu, lam)
    return np.minimum(first + second, 1.0)


def _deviation(y, mu, lam):
    first, second = _parts(y, mu, lam)
    return (y - mu) * (2.0 * np.minimum(first + second, 1.0) - 1.0) + 4.0 * mu * second


def _log_square(t, ratio):
    """``log |phi(t)|^2`` with t in units of ``lam / (2 mu^2)``: ``2 ratio (1 - Re sqrt(1 - it))``."""
    square = 0.5 * t * t / (1.0 + np.hypot(1.0, t))  # of the real part of the root, less one
    return -2.0 * ratio * square / (1.0 + np.sqrt(1.0 + square))


def _half_difference(mu, lam):
    ratio = np.ravel(lam / mu)
    found = half_mean_difference(_log_square, np.minimum(1.0, 2.0 / np.sqrt(ratio)), ratio)
    return 2.0 * mu * mu / lam * found.reshape(np.shape(mu))


def _quantile(q, mu, lam):
    return positive_quantile(q, lambda y: _cdf(y, mu, lam), mu, mu * np.sqrt(mu / lam))


DISTRIBUTION = Distribution(
    name="wald",
    parameters={"mu": "positive", "lam": "positive"},
    log_density=_log_density,
    cdf=_cdf,
    quantile=_quantile,
    mean=lambda mu, lam: mu,
    sd=lambda mu, lam: mu * np.sqrt(mu / lam),
    deviation=_deviation,
    half_difference=_half_difference,
    random=_draws.wald,
    note="(y - mu) (2 F(y) - 1) + 4 mu exp(2 lam/mu) Phi(-b) - E|X - X'|/2, b = sqrt(lam/y) (y/mu + 1); the last term "
    "from the "
    "characteristic function",
    known=("1.7, mu=2.0, lam=3.0", 0.29799),
    scipy="invgauss(mu/lam, scale=lam)",
)
