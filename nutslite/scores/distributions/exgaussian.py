"""Ex-Gaussian distribution: a normal variable of mean mu and sd sigma plus an exponential one of mean nu."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from nutslite._draws import moved
from nutslite.scores.numerics.distribution import Distribution

_HALVINGS = 80


def _log_tail(y, mu, sigma, nu):
    """``log(nu f(y))``: of the exponential part beyond the normal one, without overflow."""
    z, s = (y - mu) / sigma, sigma / nu
    u = z - s
    with np.errstate(over="ignore", invalid="ignore"):
        near = -0.5 * z * z + np.log(0.5 * special.erfcx(-u * math.sqrt(0.5)))
        far = s * (0.5 * s - z) + special.log_ndtr(u)
    return np.where(u < 0.0, near, far)


def _log_density(y, mu, sigma, nu):
    return _log_tail(y, mu, sigma, nu) - np.log(nu)


def _cdf(y, mu, sigma, nu):
    return np.clip(special.ndtr((y - mu) / sigma) - np.exp(_log_tail(y, mu, sigma, nu)), 0.0, 1.0)


def _quantile(q, mu, sigma, nu):
    """By halving: between the normal quantile and Cantelli's bound."""
    low = mu + sigma * special.ndtri(q)
    high = mu + nu + np.hypot(sigma, nu) * np.sqrt(q / (1.0 - q))
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        below = _cdf(middle, mu, sigma, nu) < q
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)


def _deviation(y, mu, sigma, nu):
    """``m - y + 2 int F``; the integral of F up to y is that of the normal part less nu F."""
    z = (y - mu) / sigma
    normal = sigma * (z * special.ndtr(z) + np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi))
    return mu + nu - y + 2.0 * (normal - nu * _cdf(y, mu, sigma, nu))


def _half_difference(mu, sigma, nu):
    """``E|N + L|/2`` of a normal N of variance 2 sigma^2 and a Laplace L of scale nu."""
    s = sigma / nu
    return sigma / math.sqrt(math.pi) + 0.5 * nu * special.erfcx(s)


def _random(rng, mu, sigma, nu):
    normal = moved(mu, sigma, rng.standard_normal(np.shape(mu)))
    return moved(normal, nu, rng.standard_exponential(np.shape(mu)))


DISTRIBUTION = Distribution(
    name="exgaussian",
    parameters={"mu": "finite", "sigma": "positive", "nu": "positive"},
    log_density=_log_density,
    cdf=_cdf,
    quantile=_quantile,
    mean=lambda mu, sigma, nu: mu + nu,
    sd=lambda mu, sigma, nu: np.hypot(sigma, nu),
    deviation=_deviation,
    half_difference=_half_difference,
    random=_random,
    note="mu + nu - y + 2 (sigma (z Phi(z) + phi(z)) - nu F(y)) - sigma/sqrt(pi) - nu erfcx(sigma/nu)/2, z = (y - "
    "mu)/sigma: F + nu F' is the normal part's",
    known=("1.5, mu=0.0, sigma=1.0, nu=1.0", 0.422996),
    scipy="exponnorm(nu/sigma, mu, sigma)",
)
