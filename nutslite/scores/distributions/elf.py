"""Extended log-F distribution about the quantile mu of level tau, scale sigma: asymmetric Laplace without a kink.

``mu + w sigma logit(U)``, U a beta variable of shapes ``a = w (1 - tau)`` and ``b = w tau``, w = 0.1 as in the family.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from nutslite.scores.numerics.distribution import Distribution
from nutslite.scores.numerics.gamma import log_beta

WIDTH = 0.1
FAR = 40.0  # from here on a tail is exponential to rounding
PANELS = 8  # between FAR and the observation
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)


def _shapes(tau):
    return WIDTH * (1.0 - tau), WIDTH * tau


def _log_tail(z, a, b):
    """Log of ``P(logit U <= z)`` where z is below -FAR: ``u^a / (a B(a, b))``."""
    return a * z - np.log(a) - log_beta(a, b)


def _lower(z, a, b):
    """``P(logit U <= z)`` for z up to 0."""
    with np.errstate(all="ignore"):
        near = special.betainc(a, b, special.expit(np.maximum(z, -FAR)))
        return np.where(z < -FAR, np.exp(_log_tail(z, a, b)), near)


def _lower_integral(z, a, b):
    """``int_-inf^z P(logit U <= t) dt`` for z up to 0."""
    end = np.minimum(z, -FAR)
    total = np.exp(_log_tail(end, a, b)) / a
    half = 0.5 * (z - end) / PANELS
    for panel in range(PANELS):
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            total = total + half * weight * _lower(end + half * (2 * panel + 1 + node), a, b)
    return total


def _standard(y, mu, sigma, tau):
    """y as a logit, and the shapes, all turned so that the logit is not above 0; and where they were turned."""
    a, b = _shapes(tau)
    z = (y - mu) / (WIDTH * sigma)
    up = z > 0.0
    return -np.abs(z), np.where(up, b, a), np.where(up, a, b), up


def _log_density(y, mu, sigma, tau):
    a, b = _shapes(tau)
    z = (y - mu) / (WIDTH * sigma)
    return a * special.log_expit(z) + b * special.log_expit(-z) - log_beta(a, b) - np.log(WIDTH * sigma)


def _cdf(y, mu, sigma, tau):
    z, a, b, up = _standard(y, mu, sigma, tau)
    tail = _lower(z, a, b)
    return np.where(up, 1.0 - tail, tail)


def _quantile(q, mu, sigma, tau):
    a, b = _shapes(tau)
    up = q > special.betainc(a, b, 0.5)
    a, b, tail = np.where(up, b, a), np.where(up, a, b), np.where(up, 1.0 - q, q)
    with np.errstate(all="ignore"):
        far = (np.log(tail) + np.log(a) + log_beta(a, b)) / a
        z = np.where(far < -FAR, far, special.logit(special.betaincinv(a, b, tail)))
    return mu + WIDTH * sigma * np.where(up, -z, z)


def _mean(mu, sigma, tau):
    a, b = _shapes(tau)
    return mu + WIDTH * sigma * (special.digamma(a) - special.digamma(b))


def _sd(mu, sigma, tau):
    a, b = _shapes(tau)
    return WIDTH * sigma * np.sqrt(special.polygamma(1, a) + special.polygamma(1, b))


def _deviation(y, mu, sigma, tau):
    """``2 int_-inf^y F + E X - y``, or the like from above."""
    z, a, b, _ = _standard(y, mu, sigma, tau)
    return WIDTH * sigma * (2.0 * _lower_integral(z, a, b) + special.digamma(a) - special.digamma(b) - z)


def _half_difference(mu, sigma, tau):
    """``int F (1 - F)``, from both sides to 0."""
    total = np.zeros(np.shape(mu))
    for a, b in (_shapes(tau), _shapes(tau)[::-1]):
        edge = np.exp(_log_tail(np.full(np.shape(mu), -FAR), a, b))
        total = total + edge / a - edge * edge / (2.0 * a)
        half = 0.5 * FAR / PANELS
        for panel in range(PANELS):
            for node, weight in zip(NODES, WEIGHTS, strict=True):
                below = _lower(np.full(np.shape(mu), half * (2 * panel + 1 + node) - FAR), a, b)
                total = total + half * weight * below * (1.0 - below)
    return WIDTH * sigma * total


def _random(rng, mu, sigma, tau):
    """By logs of gamma variables, of one more than the shape, which is then taken away."""
    up, down = (np.log(rng.standard_gamma(1.0 + c)) - rng.standard_exponential(np.shape(c)) / c for c in _shapes(tau))
    return mu + WIDTH * sigma * (up - down)


DISTRIBUTION = Distribution(
    name="elf",
    parameters={"mu": "finite", "sigma": "positive", "tau": "open unit"},
    log_density=_log_density,
    cdf=_cdf,
    quantile=_quantile,
    mean=_mean,
    sd=_sd,
    deviation=_deviation,
    half_difference=_half_difference,
    random=_random,
    note="E|X - y| - E|X - X'|/2 by quadrature of the cdf, an incomplete beta function, and exponential tails",
    known=("0.0, mu=0.0, sigma=1.0, tau=0.5", 0.503462),
    scipy="none",
)
