"""Skew normal distribution with mean mu, standard deviation sigma and skewness by alpha."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from nutslite._draws import moved
from nutslite.scores.numerics.distribution import Distribution
from nutslite.scores.numerics.gamma import HALF_LOG_2PI

_ROOT_2_OVER_PI = math.sqrt(2.0 / math.pi)
_HALVINGS = 80


def _shape(alpha):
    """Of location 0 and scale 1: d, the mean, and the standard deviation."""
    d = alpha / np.hypot(1.0, alpha)
    mean = _ROOT_2_OVER_PI * d
    return d, mean, np.sqrt(1.0 - mean * mean)


def _standard(y, mu, sigma, alpha):
    """Where y is with location 0 and scale 1, and that scale."""
    _, mean, sd = _shape(alpha)
    return sd * (y - mu) / sigma + mean, sigma / sd


def _log_density(y, mu, sigma, alpha):
    z, scale = _standard(y, mu, sigma, alpha)
    return math.log(2.0) - np.log(scale) - HALF_LOG_2PI - 0.5 * z * z + special.log_ndtr(alpha * z)


def _cdf(y, mu, sigma, alpha):
    """``Phi(z) - 2 T(z, alpha)``, T of Owen; of what it leaves where both are alike there is an error of rounding."""
    z, _ = _standard(y, mu, sigma, alpha)
    return np.clip(special.ndtr(z) - 2.0 * special.owens_t(z, alpha), 0.0, 1.0)


def _quantile(q, mu, sigma, alpha):
    """By halving what the quantiles of the half normal distributions on both sides enclose."""
    _, mean, sd = _shape(alpha)
    low, high = special.ndtri(0.5 * q), -special.ndtri(0.5 * (1.0 - q))
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        below = special.ndtr(middle) - 2.0 * special.owens_t(middle, alpha) < q
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return mu + sigma * (0.5 * (low + high) - mean) / sd


def _deviation(y, mu, sigma, alpha):
    z, scale = _standard(y, mu, sigma, alpha)
    _, mean, _ = _shape(alpha)
    below = _cdf(y, mu, sigma, alpha)
    density = np.exp(math.log(2.0) - HALF_LOG_2PI - 0.5 * z * z + special.log_ndtr(alpha * z))
    part = mean * special.ndtr(np.hypot(1.0, alpha) * z) - density  # of the mean, what lies below z
    return scale * (z * (2.0 * below - 1.0) + mean - 2.0 * part)


def _half_difference(mu, sigma, alpha):
    d, _, sd = _shape(alpha)
    ratio = 1.0 / (1.0 + 2.0 / np.maximum(alpha * alpha, 1e-300))
    bent = np.arcsin(ratio) - math.sqrt(2.0) * d * np.arctan(alpha * math.sqrt(0.5))
    return sigma / sd * (math.pi + 2.0 * bent) / math.pi**1.5


def _random(rng, mu, sigma, alpha):
    d, mean, sd = _shape(alpha)
    z = d * np.abs(rng.standard_normal(np.shape(mu))) + np.sqrt(1.0 - d * d) * rng.standard_normal(np.shape(mu))
    return moved(mu, sigma, (z - mean) / sd)


DISTRIBUTION = Distribution(
    name="skew_normal",
    parameters={"mu": "finite", "sigma": "positive", "alpha": "finite"},
    log_density=_log_density,
    cdf=_cdf,
    quantile=_quantile,
    mean=lambda mu, sigma, alpha: mu,
    sd=lambda mu, sigma, alpha: sigma,
    deviation=_deviation,
    half_difference=_half_difference,
    random=_random,
    note="w (z (2 F(z) - 1) + m - 2 (m Phi(sqrt(1 + alpha^2) z) - f(z)) - 1/sqrt(pi) - 2 (arcsin(alpha^2/(2 + "
    "alpha^2)) - sqrt(2) d arctan(alpha/sqrt(2)))/pi^(3/2)), d = alpha/sqrt(1 + alpha^2), m = sqrt(2/pi) d, scale w, "
    "F by Owen's T: by parts",
    known=("0.5, mu=0.0, sigma=1.0, alpha=2.0", 0.360192),
    scipy="skewnorm(alpha, mu - w*m, w), w = sigma/sqrt(1 - m**2), m = sqrt(2/pi)*alpha/sqrt(1 + alpha**2)",
)
