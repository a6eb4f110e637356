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

from nutslite._numba import uncounted
from nutslite._special import digamma, log_ndtr, ndtr_hazard
from nutslite.priors.densities import codes

LOG_2 = math.log(2.0)
LOG_PI = math.log(math.pi)
LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


@uncounted
def real_log_density_gradient(code, x, a, b, c, d, out):
    """Log density of the real-line density `code`; `out` (5,): derivatives, written where not zero."""
    if codes.NORMAL <= code <= codes.MOYAL:
        return location_scale(code, x, a, b, out)
    if code == codes.STUDENT_T:
        return student_t(x, a, b, c, out)
    if code == codes.ASYMMETRIC_LAPLACE:
        return asymmetric_laplace(x, a, b, c, out)
    if code == codes.SKEW_NORMAL:
        return skew_normal(x, a, b, c, out)
    if code == codes.EX_GAUSSIAN:
        return ex_gaussian(x, a, b, c, out)
    if code == codes.SKEW_STUDENT_T:
        return skew_student_t(x, a, b, c, d, out)
    if code == codes.FLAT:
        return 0.0
    return math.nan


@uncounted
def write_location_scale(z, scale, d_z, out, first):
    """Derivatives of ``g(z) - log(scale)``, ``z = (x - location) / scale``, ``d_z = g'(z)``.

    Written to ``out[0]`` (x), ``out[first]`` (location) and ``out[first + 1]`` (scale).
    """
    out[0] = d_z / scale
    out[first] = -d_z / scale
    out[first + 1] = -(1.0 + z * d_z) / scale


@uncounted
def standard_density(code, z):
    """Log density with location 0 and scale 1 at `z`, and its derivative, for the plain location-scale densities."""
    if code == codes.NORMAL:
        return -0.5 * z * z - LOG_SQRT_2PI, -z
    if code == codes.CAUCHY:
        return -LOG_PI - np.log1p(z * z), -2.0 * z / (1.0 + z * z)
    if code == codes.LAPLACE:  # the derivative at the peak is taken as 0
        return -abs(z) - LOG_2, -np.sign(z)
    if code == codes.LOGISTIC:
        return -abs(z) - 2.0 * np.log1p(np.exp(-abs(z))), -np.tanh(0.5 * z)
    fall = np.exp(-z)
    if code == codes.GUMBEL:  # of maxima
        return -z - fall, fall - 1.0
    return -0.5 * (z + fall) - LOG_SQRT_2PI, 0.5 * (fall - 1.0)  # Moyal


@uncounted
def location_scale(code, x, location, scale, out):
    """Normal, Cauchy, Laplace, Logistic, Gumbel or Moyal with a location and a scale."""
    if not scale > 0.0:
        return -math.inf
    z = (x - location) / scale
    value, slope = standard_density(code, z)
    write_location_scale(z, scale, slope, out, 1)
    return value - np.log(scale)


HALF_STEP_SHIFT = 8  # from there on the series below is exact to 1e-14


@uncounted
def log_gamma_half_step(a):
    """log Gamma(a + 1/2) - log Gamma(a) for a > 0, and its derivative.

    By the recurrence up to large arguments, where the asymptotic series of this ratio (NIST Digital Library of
    Mathematical Functions, section 5.11(iii)) is exact to 1e-14, with one logarithm of a product. Four gamma functions
    would take ten times as long, most of the time of a prior.
    """
    ratio = 1.0
    slope = 0.0
    for k in range(HALF_STEP_SHIFT):
        ratio *= (a + k) / (a + k + 0.5)
        slope += 0.5 / ((a + k) * (a + k + 0.5))
    b = a + HALF_STEP_SHIFT
    u = 1.0 / b
    w = u * u
    series = -1.0 / 8.0 + w * (
        1.0 / 192.0 + w * (-1.0 / 640.0 + w * (17.0 / 14336.0 + w * (-31.0 / 18432.0 + w * (691.0 / 180224.0))))
    )
    d_series = 1.0 / 8.0 + w * (
        -1.0 / 64.0 + w * (1.0 / 128.0 + w * (-17.0 / 2048.0 + w * (31.0 / 2048.0 - w * (691.0 / 16384.0))))
    )
    value = 0.5 * np.log(b) + u * series
    return value + np.log(ratio), 0.5 * u + w * d_series + slope


@uncounted
def student_t(x, nu, mu, sigma, out):
    """Student's t with `nu` degrees of freedom, location and scale."""
    if not (sigma > 0.0 and nu > 0.0):
        return -math.inf
    z = (x - mu) / sigma
    share = z * z / (nu + z * z)
    log_term = np.log1p(z * z / nu)
    write_location_scale(z, sigma, -(nu + 1.0) * z / (nu + z * z), out, 2)
    step, d_step = log_gamma_half_step(0.5 * nu)
    out[1] = 0.5 * (d_step - 1.0 / nu - log_term + (nu + 1.0) / nu * share)
    constant = step - 0.5 * (np.log(nu) + LOG_PI)
    return constant - np.log(sigma) - 0.5 * (nu + 1.0) * log_term


@uncounted
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


@uncounted
def skew_normal(x, mu, sigma, alpha, out):
    """Skew normal (Azzalini 1985) with location, scale and skewness `alpha`."""
    if not sigma > 0.0:
        return -math.inf
    z = (x - mu) / sigma
    ratio = ndtr_hazard(alpha * z)
    write_location_scale(z, sigma, -z + alpha * ratio, out, 1)
    out[3] = z * ratio
    return LOG_2 - np.log(sigma) - 0.5 * z * z - LOG_SQRT_2PI + log_ndtr(alpha * z)


@uncounted
def ex_gaussian(x, mu, sigma, nu, out):
    """Sum of Normal(mu, sigma) and an exponential with mean `nu`."""
    if not (sigma > 0.0 and nu > 0.0):
        return -math.inf
    distance = x - mu
    w = distance / sigma - sigma / nu
    ratio = ndtr_hazard(w)
    out[0] = ratio / sigma - 1.0 / nu
    out[1] = -out[0]
    out[2] = sigma / nu**2 - ratio * (distance / sigma**2 + 1.0 / nu)
    out[3] = (-1.0 + distance / nu - (sigma / nu) ** 2 + ratio * sigma / nu) / nu
    return -np.log(nu) - distance / nu + 0.5 * (sigma / nu) ** 2 + log_ndtr(w)


@uncounted
def skew_student_t(x, a, b, mu, sigma, out):
    """Skew t of Jones and Faddy (2003): where a = b Student's t with 2a degrees of freedom; a > b skews to the right.

    With t = (x - mu) / sigma, s = sqrt(a + b + t^2) and r = t / s the density is (1 + r)^(a + 1/2) (1 - r)^(b + 1/2)
    over 2^(a + b - 1) B(a, b) sqrt(a + b) sigma. In the tails 1 + r or 1 - r is (a + b) / (s (s + |t|)).
    """
    if not (a > 0.0 and b > 0.0 and sigma > 0.0):
        return -math.inf
    t = (x - mu) / sigma
    total = a + b
    s = np.sqrt(total + t * t)
    far = s + abs(t)
    near = total / far
    up, down = (far, near) if t >= 0.0 else (near, far)  # s + t, s - t
    log_s = np.log(s)
    log_up, log_down = np.log(up) - log_s, np.log(down) - log_s
    write_location_scale(t, sigma, ((a + 0.5) * down - (b + 0.5) * up) / (s * s), out, 3)
    shift = 0.5 * t / (s * s) * ((b + 0.5) / down - (a + 0.5) / up)
    common = shift + digamma(total) - 0.5 / total - LOG_2
    out[1] = log_up - digamma(a) + common
    out[2] = log_down - digamma(b) + common
    constant = math.lgamma(total) - math.lgamma(a) - math.lgamma(b) - (total - 1.0) * LOG_2 - 0.5 * np.log(total)
    return constant - np.log(sigma) + (a + 0.5) * log_up + (b + 0.5) * log_down
