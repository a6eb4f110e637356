"""Rows of a normal variable that was not seen: the log probability of a tail or an interval, and its derivatives.

With ``z = (y - mu) / sigma`` a tail is ``log Phi(z)`` or ``log Phi(-z)``. Of an interval the smaller tail is taken, in
which nothing cancels; a narrow one is the density at its middle times its width, to second order.
"""

from __future__ import annotations

import math

import numpy as np

from nutslite._numba import inner, kernel
from nutslite._special import HALF_LOG_2PI, log1mexp, log_ndtr, ndtr_hazard

_NARROW = 1e-3  # width times distance from the centre, in standard deviations


@inner
def fill_tail(side, y, mu, log_sigma, sigma_varies, out_loglik, out_d_eta):
    """Overwrite the log probability, and derivatives by mu and log sigma: at most y (`side` 1), at least y (-1)."""
    for i in range(out_loglik.shape[0]):
        precision = np.exp(-log_sigma[i * sigma_varies])
        z = side * (y[i] - mu[i]) * precision
        hazard = ndtr_hazard(z)
        out_loglik[i] = log_ndtr(z)
        out_d_eta[0, i] = -side * hazard * precision if hazard > 0.0 else 0.0
        out_d_eta[1, i] = -hazard * z if hazard > 0.0 else 0.0


@inner
def fill_interval(lower, upper, mu, log_sigma, sigma_varies, out_loglik, out_d_eta):
    """The same of the interval between `lower` and `upper`."""
    for i in range(out_loglik.shape[0]):
        precision = np.exp(-log_sigma[i * sigma_varies])
        low, high = (lower[i] - mu[i]) * precision, (upper[i] - mu[i]) * precision
        out_loglik[i], d_place, d_log_scale = log_interval(low, high, (upper[i] - lower[i]) * precision)
        out_d_eta[0, i] = d_place * precision
        out_d_eta[1, i] = d_log_scale


@kernel
def log_interval(low, high, width):
    """``log(Phi(high) - Phi(low))``, its derivatives by a move of the centre and by the logarithm of the scale."""
    middle = 0.5 * (low + high)
    if width * (1.0 + abs(middle)) < _NARROW:
        bend = width * width / 12.0
        value = math.log(width) - HALF_LOG_2PI - 0.5 * middle * middle + 0.5 * bend * (middle * middle - 1.0)
        return value, middle * (1.0 - bend), middle * middle * (1.0 - 2.0 * bend) - 1.0 + bend
    side = 1.0
    if middle > 0.0:
        low, high, side = -high, -low, -1.0
    log_high = log_ndtr(high)
    if not log_high > -math.inf:
        return log_high, 0.0, 0.0
    drop = log_high - log_ndtr(low)
    share = -np.expm1(-drop)
    at_high = ndtr_hazard(high) / share
    at_low = ndtr_hazard(low) * np.exp(-drop) / share if drop < 700.0 else 0.0
    by_high = at_high * high if at_high > 0.0 else 0.0
    by_low = at_low * low if at_low > 0.0 else 0.0
    return log_high + log1mexp(drop), side * (at_low - at_high), by_low - by_high
