"""Log densities on positive numbers, with their derivatives; conventions as in densities_real.py."""

from __future__ import annotations

import math

import numpy as np

from nutslite._numba import uncounted
from nutslite._special import digamma
from nutslite.families.rows.bessel import bessel_ratio, log_bessel_0_scaled
from nutslite.priors.densities import codes
from nutslite.priors.densities.real import LOG_2, LOG_SQRT_2PI, location_scale, student_t


@uncounted
def positive_log_density_gradient(code, x, a, b, c, out):
    """Log density of the density `code` on positive numbers; `out` (5,): derivatives, written where not zero."""
    if code == codes.WALD:  # its shift may move the support below zero
        return wald(x, a, b, c, out)
    if not x >= 0.0:
        return -math.inf
    if code == codes.HALF_NORMAL:
        return half_location_scale(codes.NORMAL, x, a, out)
    if code == codes.HALF_STUDENT_T:
        return half_student_t(x, a, b, out)
    if code == codes.HALF_CAUCHY:
        return half_location_scale(codes.CAUCHY, x, a, out)
    if code == codes.EXPONENTIAL:
        return exponential(x, a, out)
    if code == codes.HALF_FLAT:
        return 0.0
    if x == 0.0:  # a boundary that the densities below do not contain
        return -math.inf
    if code == codes.LOG_NORMAL:
        return log_normal(x, a, b, out)
    if code == codes.GAMMA:
        return gamma(x, a, b, out)
    if code == codes.INVERSE_GAMMA:
        return inverse_gamma(x, a, b, out)
    if code == codes.CHI_SQUARED:
        return chi_squared(x, a, out)
    if code == codes.WEIBULL:
        return weibull(x, a, b, out)
    if code == codes.PARETO:
        return pareto(x, a, b, out)
    if code == codes.RICE:
        return rice(x, a, b, out)
    return math.nan


@uncounted
def half_location_scale(code, x, scale, out):
    """Absolute value of a normal or Cauchy variable with location 0."""
    value = location_scale(code, x, 0.0, scale, out)
    out[1] = out[2]
    out[2] = 0.0
    return value + LOG_2


@uncounted
def half_student_t(x, nu, sigma, out):
    """Absolute value of a Student t with location 0."""
    value = student_t(x, nu, 0.0, sigma, out)
    out[2] = out[3]
    out[3] = 0.0
    return value + LOG_2


@uncounted
def exponential(x, lam, out):
    """Exponential with rate `lam`."""
    if not lam > 0.0:
        return -math.inf
    out[0] = -lam
    out[1] = 1.0 / lam - x
    return np.log(lam) - lam * x


@uncounted
def log_normal(x, mu, sigma, out):
    """Exponential of Normal(mu, sigma)."""
    if not sigma > 0.0:
        return -math.inf
    log_x = np.log(x)
    z = (log_x - mu) / sigma
    out[0] = -(1.0 + z / sigma) / x
    out[1] = z / sigma
    out[2] = (z * z - 1.0) / sigma
    return -0.5 * z * z - np.log(sigma) - log_x - LOG_SQRT_2PI


@uncounted
def gamma(x, alpha, beta, out):
    """Gamma with shape `alpha` and rate `beta`."""
    if not (alpha > 0.0 and beta > 0.0):
        return -math.inf
    log_rate = np.log(beta)
    log_x = np.log(x)
    out[0] = (alpha - 1.0) / x - beta
    out[1] = log_rate - digamma(alpha) + log_x
    out[2] = alpha / beta - x
    return alpha * log_rate - math.lgamma(alpha) + (alpha - 1.0) * log_x - beta * x


@uncounted
def inverse_gamma(x, alpha, beta, out):
    """Inverse gamma with shape `alpha` and scale `beta`."""
    if not (alpha > 0.0 and beta > 0.0):
        return -math.inf
    log_scale = np.log(beta)
    log_x = np.log(x)
    out[0] = (beta / x - alpha - 1.0) / x
    out[1] = log_scale - digamma(alpha) - log_x
    out[2] = alpha / beta - 1.0 / x
    return alpha * log_scale - math.lgamma(alpha) - (alpha + 1.0) * log_x - beta / x


@uncounted
def chi_squared(x, nu, out):
    """Chi-squared with `nu` degrees of freedom: Gamma(nu / 2, 1 / 2)."""
    value = gamma(x, 0.5 * nu, 0.5, out)
    out[1] = 0.5 * out[1]
    out[2] = 0.0
    return value


@uncounted
def weibull(x, alpha, beta, out):
    """Weibull with shape `alpha` and scale `beta`."""
    if not (alpha > 0.0 and beta > 0.0):
        return -math.inf
    log_ratio = np.log(x / beta)
    power = np.exp(alpha * log_ratio)
    out[0] = (alpha - 1.0 - alpha * power) / x
    out[1] = 1.0 / alpha + log_ratio * (1.0 - power)
    out[2] = alpha * (power - 1.0) / beta
    return np.log(alpha / beta) + (alpha - 1.0) * log_ratio - power


@uncounted
def pareto(x, alpha, m, out):
    """Pareto with tail index `alpha` above the minimum `m`."""
    if not (alpha > 0.0 and m > 0.0 and x >= m):
        return -math.inf
    log_ratio = np.log(m / x)
    out[0] = -(alpha + 1.0) / x
    out[1] = 1.0 / alpha + log_ratio
    out[2] = alpha / m
    return np.log(alpha / x) + alpha * log_ratio


@uncounted
def wald(x, mu, lam, alpha, out):
    """Wald (inverse Gaussian) with mean `mu` and shape `lam`, moved to the right by `alpha`."""
    y = x - alpha
    if not (mu > 0.0 and lam > 0.0 and y > 0.0):
        return -math.inf
    deviation = (y - mu) ** 2 / (mu * mu * y)
    out[0] = -1.5 / y - 0.5 * lam * (1.0 / (mu * mu) - 1.0 / (y * y))
    out[1] = lam * (y - mu) / mu**3
    out[2] = 0.5 / lam - 0.5 * deviation
    out[3] = -out[0]
    return 0.5 * np.log(lam) - LOG_SQRT_2PI - 1.5 * np.log(y) - 0.5 * lam * deviation


@uncounted
def rice(x, nu, sigma, out):
    """Rice: the distance from the origin of a point drawn normally, with sd `sigma`, around one at distance `nu`."""
    if not (nu > 0.0 and sigma > 0.0):
        return -math.inf
    z = (x - nu) / sigma
    product = x * nu / sigma**2
    slope = (bessel_ratio(product) - 1.0) / sigma**2  # of the log of the scaled Bessel function, per x or nu
    out[0] = 1.0 / x - z / sigma + nu * slope
    out[1] = z / sigma + x * slope
    out[2] = (z * z - 2.0) / sigma - 2.0 * slope * x * nu / sigma
    return np.log(x) - 2.0 * np.log(sigma) - 0.5 * z * z + log_bessel_0_scaled(product)
