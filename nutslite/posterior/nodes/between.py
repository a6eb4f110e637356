"""Logarithms of the probability that a prior has between its bounds, where its arguments are sampled.

With z = (x - location) / scale (of a half density x / scale, of LogNormal that of log x, of Exponential lam x) and F, f
the distribution function and density at location 0 and scale 1,

    log P = log(F(z_upper) - F(z_lower)),     d log P / d argument = (f(z_upper) z'_upper - f(z_lower) z'_lower) / P.

Differences are taken in the nearer tail. Student's t by the continued fraction of the incomplete beta function
(Didonato and Morris, 1992, ACM Transactions on Mathematical Software 18, 360-373); its degrees of freedom are a number.
"""

from __future__ import annotations

import math

import numpy as np

from nutslite._special import log_ndtr
from nutslite.priors.densities import codes
from nutslite.priors.densities.real import LOG_2, LOG_PI, log_gamma_half_step, standard_density
from nutslite.sampler.transition.compiling import uncounted

N_INPUTS = 6  # the code with `codes.BETWEEN`, three arguments, the bounds
_TERMS = 500  # of the continued fraction, which needs about the root of the degrees of freedom


@uncounted
def _log_t_tail(z, nu):
    """Logarithm of the probability that t is above z >= 0, half of I_w(nu / 2, 1 / 2), w = nu / (nu + z^2)."""
    w, rest = nu / (nu + z * z), z * z / (nu + z * z)
    a, b, mirrored = 0.5 * nu, 0.5, False
    if w > (a + 1.0) / (a + b + 2.0):  # the fraction converges fast on the other side
        a, b, w, rest, mirrored = b, a, rest, w, True
    if w <= 0.0:
        return -LOG_2 if mirrored else -math.inf
    step, _ = log_gamma_half_step(0.5 * nu)
    log_front = a * np.log(w) + b * np.log(rest) + step - 0.5 * LOG_PI - np.log(a)
    c, d = 1.0, 1.0 - (a + b) * w / (a + 1.0)
    d = 1.0 / d
    fraction = d
    for m in range(1, _TERMS):
        even = m * (b - m) * w / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        d, c = 1.0 / (1.0 + even * d), 1.0 + even / c
        fraction *= c * d
        odd = -(a + m) * (a + b + m) * w / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        d, c = 1.0 / (1.0 + odd * d), 1.0 + odd / c
        fraction *= c * d
        if abs(c * d - 1.0) < 1e-16:
            break
    log_beta = log_front + np.log(fraction)
    return np.log1p(-np.exp(log_beta)) - LOG_2 if mirrored else log_beta - LOG_2


@uncounted
def _one_side(code, z, nu):
    """Logarithm of the probability below z, of a density at location 0 and scale 1."""
    if z == math.inf:
        return 0.0
    if z == -math.inf:
        return -math.inf
    if code == codes.NORMAL:
        return log_ndtr(z)
    if code == codes.CAUCHY:
        return np.log(np.arctan2(1.0, -z)) - LOG_PI
    if code == codes.LAPLACE:
        return z - LOG_2 if z < 0.0 else np.log1p(-0.5 * np.exp(-z))
    if code == codes.LOGISTIC:
        return min(z, 0.0) - np.log1p(np.exp(-abs(z)))
    if code == codes.GUMBEL:
        return -np.exp(-z)
    if code == codes.MOYAL:
        return LOG_2 + log_ndtr(-np.exp(-0.5 * z))
    if code == codes.EXPONENTIAL:
        return np.log(-np.expm1(-z)) if z > 0.0 else -math.inf
    tail = _log_t_tail(abs(z), nu)
    return tail if z < 0.0 else np.log1p(-np.exp(tail))


@uncounted
def _other_side(code, z, nu):
    """Logarithm of the probability above z."""
    if code == codes.GUMBEL and abs(z) < math.inf:
        return np.log(-np.expm1(-np.exp(-z)))
    if code == codes.MOYAL and abs(z) < math.inf:
        return np.log(math.erf(np.exp(-0.5 * z) / math.sqrt(2.0)))
    if code == codes.EXPONENTIAL:
        return -z if z > 0.0 else 0.0
    return _one_side(code, -z, nu)


@uncounted
def _log_standard(code, z, nu):
    """Log density at location 0 and scale 1; minus infinity at the ends."""
    if not abs(z) < math.inf:
        return -math.inf
    if code == codes.STUDENT_T:
        step, _ = log_gamma_half_step(0.5 * nu)
        return step - 0.5 * (np.log(nu) + LOG_PI) - 0.5 * (nu + 1.0) * np.log1p(z * z / nu)
    if code == codes.EXPONENTIAL:
        return -z
    value, _ = standard_density(code, z)
    return value


@uncounted
def _standard(code, a, b, c):
    """Code of the density at location 0 and scale 1, its degrees of freedom, the location and the scale."""
    if code == codes.STUDENT_T:
        return codes.STUDENT_T, a, b, c
    if code == codes.HALF_STUDENT_T:
        return codes.STUDENT_T, a, 0.0, b
    if code == codes.HALF_NORMAL:
        return codes.NORMAL, 0.0, 0.0, a
    if code == codes.HALF_CAUCHY:
        return codes.CAUCHY, 0.0, 0.0, a
    if code == codes.LOG_NORMAL:
        return codes.NORMAL, 0.0, a, b
    if code == codes.EXPONENTIAL:
        return codes.EXPONENTIAL, 0.0, 0.0, 1.0 / a
    return code, 0.0, a, b


@uncounted
def _place(code, x):
    """What is moved and stretched: x, or its logarithm."""
    if code != codes.LOG_NORMAL:
        return x
    return np.log(x) if x > 0.0 else -math.inf


@uncounted
def _log_between(code, low, high, nu):
    """log(F(high) - F(low)) of a density at location 0 and scale 1."""
    below, above = _one_side(code, low, nu), _other_side(code, high, nu)
    if below > above:
        more, less = _other_side(code, low, nu), above
    else:
        more, less = _one_side(code, high, nu), below
    return more + np.log1p(-np.exp(less - more))


@uncounted
def fill_between(values, inputs, n_inputs, out, n_out):
    """Overwrite the output; nothing is added to the log density.

    `inputs` are the code, three arguments of the density, and its bounds.
    """
    code = int(values[inputs[0]]) - codes.BETWEEN
    of, nu, location, scale = _standard(code, values[inputs[1]], values[inputs[2]], values[inputs[3]])
    low = (_place(code, values[inputs[4]]) - location) / scale
    high = (_place(code, values[inputs[5]]) - location) / scale
    half = code == codes.HALF_NORMAL or code == codes.HALF_STUDENT_T or code == codes.HALF_CAUCHY
    values[out] = _log_between(of, low, high, nu) + (LOG_2 if half else 0.0)
    return 0.0


@uncounted
def pull_back_between(values, adjoint, inputs, n_inputs, out, n_out):
    """Derivatives by location and scale; none by degrees of freedom, the code and the bounds, which are numbers."""
    code = int(values[inputs[0]]) - codes.BETWEEN
    of, nu, location, scale = _standard(code, values[inputs[1]], values[inputs[2]], values[inputs[3]])
    by_location, by_scale = 0.0, 0.0
    low = (_place(code, values[inputs[4]]) - location) / scale
    log_p = _log_between(of, low, (_place(code, values[inputs[5]]) - location) / scale, nu)
    for end in range(2):
        z = (_place(code, values[inputs[4 + end]]) - location) / scale
        if not abs(z) < math.inf:
            continue
        slope = np.exp(_log_standard(of, z, nu) - log_p) / scale
        slope = slope if end == 0 else -slope
        by_location += slope
        by_scale += slope * z
    slope = adjoint[out]
    if code == codes.EXPONENTIAL:
        adjoint[inputs[1]] -= slope * by_scale * scale * scale
    elif code == codes.HALF_NORMAL or code == codes.HALF_CAUCHY:
        adjoint[inputs[1]] += slope * by_scale
    elif code == codes.HALF_STUDENT_T:
        adjoint[inputs[2]] += slope * by_scale
    elif code == codes.STUDENT_T:
        adjoint[inputs[2]] += slope * by_location
        adjoint[inputs[3]] += slope * by_scale
    else:
        adjoint[inputs[1]] += slope * by_location
        adjoint[inputs[2]] += slope * by_scale
