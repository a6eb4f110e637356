"""Log densities on an interval, with their derivatives; conventions as in densities_real.py."""

from __future__ import annotations

import math

import numpy as np

from nutslite._numba import uncounted
from nutslite._special import digamma, log_ndtr
from nutslite.families.rows.bessel import bessel_ratio, log_bessel_0_scaled
from nutslite.priors.densities import codes
from nutslite.priors.densities.real import LOG_2, LOG_SQRT_2PI, location_scale


@uncounted
def bounded_log_density_gradient(code, x, a, b, c, d, out):
    """Log density of the density `code` on an interval; `out` (5,): derivatives, written where not zero."""
    if code == codes.UNIFORM:
        return uniform(x, a, b, out)
    if code == codes.TRUNCATED_NORMAL:
        return truncated_normal(x, a, b, c, d, out)
    if code == codes.TRIANGULAR:
        return triangular(x, a, b, c, out)
    if code == codes.VON_MISES:
        return von_mises(x, a, b, out)
    if not 0.0 < x < 1.0:
        return -math.inf
    if code == codes.BETA:
        return beta(x, a, b, out)
    if code == codes.KUMARASWAMY:
        return kumaraswamy(x, a, b, out)
    if code == codes.LOGIT_NORMAL:
        return logit_normal(x, a, b, out)
    return math.nan


@uncounted
def uniform(x, lower, upper, out):
    """Uniform between `lower` and `upper`."""
    if not lower <= x <= upper or not lower < upper:
        return -math.inf
    width = upper - lower
    out[1] = 1.0 / width
    out[2] = -1.0 / width
    return -np.log(width)


@uncounted
def beta(x, alpha, beta, out):
    """Beta with density proportional to ``x**(alpha - 1) * (1 - x)**(beta - 1)``."""
    if not (alpha > 0.0 and beta > 0.0):
        return -math.inf
    log_x = np.log(x)
    log_rest = np.log1p(-x)
    common = digamma(alpha + beta)
    out[0] = (alpha - 1.0) / x - (beta - 1.0) / (1.0 - x)
    out[1] = log_x - digamma(alpha) + common
    out[2] = log_rest - digamma(beta) + common
    constant = math.lgamma(alpha + beta) - math.lgamma(alpha) - math.lgamma(beta)
    return constant + (alpha - 1.0) * log_x + (beta - 1.0) * log_rest


@uncounted
def kumaraswamy(x, a, b, out):
    """Kumaraswamy: ``1 - (1 - x**a)**b`` is the distribution function."""
    if not (a > 0.0 and b > 0.0):
        return -math.inf
    log_x = np.log(x)
    power = np.exp(a * log_x)
    odds = power / -np.expm1(a * log_x)
    log_rest = np.log(-np.expm1(a * log_x))
    out[0] = (a - 1.0 - (b - 1.0) * a * odds) / x
    out[1] = 1.0 / a + log_x * (1.0 - (b - 1.0) * odds)
    out[2] = 1.0 / b + log_rest
    return np.log(a) + np.log(b) + (a - 1.0) * log_x + (b - 1.0) * log_rest


@uncounted
def logit_normal(x, mu, sigma, out):
    """Inverse logit of Normal(mu, sigma)."""
    if not sigma > 0.0:
        return -math.inf
    log_x = np.log(x)
    log_rest = np.log1p(-x)
    value = location_scale(codes.NORMAL, log_x - log_rest, mu, sigma, out)
    out[0] = out[0] / (x * (1.0 - x)) - 1.0 / x + 1.0 / (1.0 - x)
    return value - log_x - log_rest


@uncounted
def log_normal_interval(a, b):
    """``log(Phi(b) - Phi(a))`` for ``a < b``, either of which may be infinite, without cancellation in the tails."""
    if a > 0.0:  # both in the upper tail: mirror them
        a, b = -b, -a
    if b <= 0.0:
        high = log_ndtr(b)
        return high + np.log(-np.expm1(log_ndtr(a) - high)) if a > -math.inf else high
    outside = 0.0
    if a > -math.inf:
        outside += np.exp(log_ndtr(a))
    if b < math.inf:
        outside += np.exp(log_ndtr(-b))
    return np.log1p(-outside)


@uncounted
def truncated_normal(x, mu, sigma, lower, upper, out):
    """Normal(mu, sigma) cut to the interval from `lower` to `upper`; either may be infinite."""
    if not (sigma > 0.0 and lower < upper and lower <= x <= upper):
        return -math.inf
    a = (lower - mu) / sigma
    b = (upper - mu) / sigma
    log_mass = log_normal_interval(a, b)
    value = location_scale(codes.NORMAL, x, mu, sigma, out)
    if a > -math.inf:
        edge = np.exp(-0.5 * a * a - LOG_SQRT_2PI - log_mass) / sigma
        out[1] -= edge
        out[2] -= a * edge
        out[3] = edge
    if b < math.inf:
        edge = np.exp(-0.5 * b * b - LOG_SQRT_2PI - log_mass) / sigma
        out[1] += edge
        out[2] += b * edge
        out[4] = -edge
    return value - log_mass


@uncounted
def triangular(x, lower, c, upper, out):
    """Triangular between `lower` and `upper` with its peak at `c`."""
    if not (lower <= c <= upper and lower < upper and lower <= x <= upper):
        return -math.inf
    width = upper - lower
    if x < c:
        out[0] = 1.0 / (x - lower) if x > lower else math.inf
        out[1] = 1.0 / width + 1.0 / (c - lower) - out[0]
        out[2] = -1.0 / (c - lower)
        out[3] = -1.0 / width
        height = (x - lower) / (c - lower)
    elif c < upper:
        out[0] = -1.0 / (upper - x) if x < upper else -math.inf
        out[1] = 1.0 / width
        out[2] = 1.0 / (upper - c)
        out[3] = -1.0 / width - 1.0 / (upper - c) - out[0]
        height = (upper - x) / (upper - c)
    else:  # x, c and upper coincide: the peak
        out[1] = 1.0 / width
        out[3] = -1.0 / width
        height = 1.0
    if not height > 0.0:
        return -math.inf
    return LOG_2 + np.log(height) - np.log(width)


@uncounted
def von_mises(x, mu, kappa, out):
    """Von Mises on the circle from -pi to pi, with mean direction `mu` and concentration `kappa`."""
    if not (kappa > 0.0 and -math.pi <= x <= math.pi):
        return -math.inf
    turn = -2.0 * np.sin(0.5 * (x - mu)) ** 2  # cos(x - mu) - 1
    out[0] = -kappa * np.sin(x - mu)
    out[1] = -out[0]
    out[2] = turn + (1.0 - bessel_ratio(kappa))
    return kappa * turn - LOG_2 - math.log(math.pi) - log_bessel_0_scaled(kappa)
