"""Log densities on the whole real line, with their derivatives.

Every function returns the normalised log density at `x` and writes its derivatives to `out`: first with respect to
`x`, then to the arguments in their order. Entries of `out` beyond those are left alone. Arguments outside their range
(a scale that is not positive) give -inf.

`np.log` and `np.exp` instead of `math`'s: they return inf or nan where plain Python would raise, which keeps the
kernels usable under ``NUMBA_DISABLE_JIT=1``.
"""

from __future__ import annotations

import math

import numpy as np

from nutslite._numba import kernel
from nutslite._special import digamma, log_ndtr
from nutslite.priors import codes

LOG_2 = math.log(2.0)
LOG_PI = math.log(math.pi)
LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


@kernel
def real_log_density_gradient(code, x, a, b, c, out):
    """Log density of the real-line density `code`; `out` (5,): derivatives, written where not zero."""
    if code == codes.NORMAL:
        return normal(x, a, b, out)
    if code == codes.STUDENT_T:
        return student_t(x, a, b, c, out)
    if code == codes.CAUCHY:
        return cauchy(x, a, b, out)
    if code == codes.LAPLACE:
        return laplace(x, a, b, out)
    if code == codes.LOGISTIC:
        return logistic(x, a, b, out)
    if code == codes.GUMBEL:
        return gumbel(x, a, b, out)
    if code == codes.MOYAL:
        return moyal(x, a, b, out)
    if code == codes.ASYMMETRIC_LAPLACE:
        return asymmetric_laplace(x, a, b, c, out)
    if code == codes.SKEW_NORMAL:
        return skew_normal(x, a, b, c, out)
    if code == codes.EX_GAUSSIAN:
        return ex_gaussian(x, a, b, c, out)
    if code == codes.FLAT:
        return 0.0
    return math.nan


@kernel
def write_location_scale(z, scale, d_z, out, first):
    """Derivatives of ``g(z) - log(scale)``, ``z = (x - location) / scale``, ``d_z = g'(z)``.

    Written to ``out[0]`` (x), ``out[first]`` (location) and ``out[first + 1]`` (scale).
    """
    out[0] = d_z / scale
    out[first] = -d_z / scale
    out[first + 1] = -(1.0 + z * d_z) / scale


@kernel
def normal(x, mu, sigma, out):
    """Normal(mu, sigma), sigma the standard deviation."""
    if not sigma > 0.0:
        return -math.inf
    z = (x - mu) / sigma
    write_location_scale(z, sigma, -z, out, 1)
    return -0.5 * z * z - np.log(sigma) - LOG_SQRT_2PI


@kernel
def student_t(x, nu, mu, sigma, out):
    """Student's t with `nu` degrees of freedom, location and scale."""
    if not (sigma > 0.0 and nu > 0.0):
        return -math.inf
    z = (x - mu) / sigma
    share = z * z / (nu + z * z)
    log_term = np.log1p(z * z / nu)
    write_location_scale(z, sigma, -(nu + 1.0) * z / (nu + z * z), out, 2)
    out[1] = 0.5 * (digamma(0.5 * (nu + 1.0)) - digamma(0.5 * nu) - 1.0 / nu - log_term + (nu + 1.0) / nu * share)
    constant = math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu) - 0.5 * (np.log(nu) + LOG_PI)
    return constant - np.log(sigma) - 0.5 * (nu + 1.0) * log_term


@kernel
def cauchy(x, alpha, beta, out):
    """Cauchy with location `alpha` and scale `beta`."""
    if not beta > 0.0:
        return -math.inf
    z = (x - alpha) / beta
    write_location_scale(z, beta, -2.0 * z / (1.0 + z * z), out, 1)
    return -LOG_PI - np.log(beta) - np.log1p(z * z)


@kernel
def laplace(x, mu, b, out):
    """Laplace with location `mu` and scale `b`; the derivative at `mu` is taken as 0."""
    if not b > 0.0:
        return -math.inf
    z = (x - mu) / b
    write_location_scale(z, b, -np.sign(z), out, 1)
    return -abs(z) - np.log(b) - LOG_2


@kernel
def logistic(x, mu, s, out):
    """Logistic with location `mu` and scale `s`."""
    if not s > 0.0:
        return -math.inf
    z = (x - mu) / s
    write_location_scale(z, s, -np.tanh(0.5 * z), out, 1)
    return -abs(z) - np.log(s) - 2.0 * np.log1p(np.exp(-abs(z)))


@kernel
def gumbel(x, mu, beta, out):
    """Gumbel (of maxima) with location `mu` and scale `beta`."""
    if not beta > 0.0:
        return -math.inf
    z = (x - mu) / beta
    fall = np.exp(-z)
    write_location_scale(z, beta, fall - 1.0, out, 1)
    return -z - fall - np.log(beta)


@kernel
def moyal(x, mu, sigma, out):
    """Moyal with location `mu` and scale `sigma`."""
    if not sigma > 0.0:
        return -math.inf
    z = (x - mu) / sigma
    fall = np.exp(-z)
    write_location_scale(z, sigma, 0.5 * (fall - 1.0), out, 1)
    return -0.5 * (z + fall) - np.log(sigma) - LOG_SQRT_2PI


@kernel
def asymmetric_laplace(x, kappa, mu, b, out):
    """Asymmetric Laplace in PyMC's terms: rate ``b * kappa`` above `mu`, ``b / kappa`` below."""
    if not (kappa > 0.0 and b > 0.0):
        return -math.inf
    distance = abs(x - mu)
    above = x >= mu
    skew = kappa if above else 1.0 / kappa
    slope = b * skew if above else -b * skew
    tilt = 1.0 if above else -1.0 / (kappa * kappa)
    out[0] = -slope
    out[1] = -(1.0 - 1.0 / (kappa * kappa)) / (kappa + 1.0 / kappa) - b * distance * tilt
    out[2] = slope
    out[3] = 1.0 / b - distance * skew
    return np.log(b) - np.log(kappa + 1.0 / kappa) - b * distance * skew


@kernel
def skew_normal(x, mu, sigma, alpha, out):
    """Skew normal (Azzalini 1985) with location, scale and skewness `alpha`."""
    if not sigma > 0.0:
        return -math.inf
    z = (x - mu) / sigma
    log_tail = log_ndtr(alpha * z)
    ratio = np.exp(-0.5 * (alpha * z) ** 2 - LOG_SQRT_2PI - log_tail)
    write_location_scale(z, sigma, -z + alpha * ratio, out, 1)
    out[3] = z * ratio
    return LOG_2 - np.log(sigma) - 0.5 * z * z - LOG_SQRT_2PI + log_tail


@kernel
def ex_gaussian(x, mu, sigma, nu, out):
    """Sum of Normal(mu, sigma) and an exponential with mean `nu`."""
    if not (sigma > 0.0 and nu > 0.0):
        return -math.inf
    distance = x - mu
    w = distance / sigma - sigma / nu
    log_tail = log_ndtr(w)
    ratio = np.exp(-0.5 * w * w - LOG_SQRT_2PI - log_tail)
    out[0] = ratio / sigma - 1.0 / nu
    out[1] = -out[0]
    out[2] = sigma / nu**2 - ratio * (distance / sigma**2 + 1.0 / nu)
    out[3] = (-1.0 + distance / nu - (sigma / nu) ** 2 + ratio * sigma / nu) / nu
    return -np.log(nu) - distance / nu + 0.5 * (sigma / nu) ** 2 + log_tail
