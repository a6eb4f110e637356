"""Skew normal family: mean mu, standard deviation sigma, skewness by alpha.

With ``d = alpha / sqrt(1 + alpha^2)``, ``g = sqrt(2 / pi) d`` and ``s = sqrt(1 - g^2)`` the scale is ``sigma / s`` and
the location ``mu - g sigma / s``, so that ``z = s (y - mu) / sigma + g`` and::

    log p(y) = log(2 s / sigma) - log(2 pi) / 2 - z^2 / 2 + log Phi(alpha z)

With h the derivative of log Phi at ``alpha z`` and ``e = z - alpha h``, derivatives are ``e s / sigma`` by mu,
``e (z - g) - 1`` by log(sigma), and ``s' / s + h z - e (s' (y - mu) / sigma + g')`` by alpha. The last is zero wherever
alpha is, and so is its slope: a search that starts there does not leave it. `skewness_of` says where to start.

Azzalini (1985), Scandinavian Journal of Statistics 12. mu and sigma are mean and standard deviation, as in brms.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import moved
from nutslite._numba import kernel
from nutslite._special import HALF_LOG_2PI, LOG_2, exp, log_ndtr, ndtr_hazard
from nutslite.families.links.codes import IDENTITY, LOG
from nutslite.families.record.family import POSITIVE_LINKS, REAL_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_real
from nutslite.families.rows.kernel_rows import finish_rows, native_rows

NATIVE = (IDENTITY, LOG, IDENTITY)
ROOT_2_OVER_PI = math.sqrt(2.0 / math.pi)
_LEAST, _MOST = 0.5, 5.0  # of alpha, where a search starts


@kernel
def _shape(alpha):
    """g, s, and their derivatives by alpha."""
    size = abs(alpha)
    shrink = 1.0 / (size * math.sqrt(1.0 + 1.0 / (size * size))) if size > 1.0 else 1.0 / math.sqrt(1.0 + size * size)
    g = ROOT_2_OVER_PI * alpha * shrink
    s = math.sqrt(1.0 - g * g)
    g_slope = ROOT_2_OVER_PI * shrink * shrink * shrink
    return g, s, g_slope, -g * g_slope / s


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    g, s, g_slope, s_slope = _shape(native[2, 0])
    for i in range(rows):
        alpha, log_sigma = native[2, i * varies[2]], native[1, i * varies[1]]
        if varies[2] == 1:
            g, s, g_slope, s_slope = _shape(alpha)
        precision = exp(-log_sigma)
        residual = (y[0, start + i] - native[0, i]) * precision
        z = s * residual + g
        tilt = alpha * z if alpha != 0.0 else 0.0  # z may be infinite
        h = ndtr_hazard(tilt)
        e = z - alpha * h
        out_loglik[i] = LOG_2 + np.log(s) - log_sigma - HALF_LOG_2PI - 0.5 * z * z + log_ndtr(tilt)
        out_d_eta[0, i] = e * s * precision
        out_d_eta[1, i] = e * s * residual - 1.0
        out_d_eta[2, i] = s_slope / s + h * z - e * (s_slope * residual + g_slope)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Nothing to precompute."""
    return np.ascontiguousarray(values, dtype=np.float64)


def standard_shape(alpha):
    """d, g and s of arrays; alpha may be infinite."""
    with np.errstate(all="ignore"):
        d = np.where(np.isinf(alpha), np.sign(alpha), alpha / np.hypot(1.0, alpha))
    g = ROOT_2_OVER_PI * d
    return d, g, np.sqrt(1.0 - g * g)


def random(rng, parameters, companions):
    """Draw a normal variable given that a correlated one is above zero, with mean mu and standard deviation sigma."""
    mu, sigma, alpha = np.broadcast_arrays(parameters["mu"], parameters["sigma"], parameters["alpha"])
    d, g, s = standard_shape(alpha)
    z = d * np.abs(rng.standard_normal(mu.shape)) + np.sqrt(1.0 - d * d) * rng.standard_normal(mu.shape)
    return moved(mu, sigma, (z - g) / s)


def mean(parameters, companions):
    """``mu``."""
    return np.asarray(parameters["mu"])


def skewness_of(y):
    """An alpha whose distribution is about as skew as responses are, but not 0, where the density has no slope."""
    deviation = y - y.mean()
    sd = deviation.std()
    skewness = float(np.mean((deviation / sd) ** 3)) if sd > 0.0 else 0.0
    power = abs(skewness) ** (2.0 / 3.0)
    d = math.sqrt(min(0.5 * math.pi * power / (power + (2.0 - 0.5 * math.pi) ** (2.0 / 3.0)), 0.99))
    return math.copysign(min(max(d / math.sqrt(1.0 - d * d), _LEAST), _MOST), skewness)


FAMILY = Family(
    name="skew_normal",
    title="Skew normal",
    parameters=(
        Parameter("mu", links=REAL_LINKS, support="real"),
        Parameter("sigma", links=POSITIVE_LINKS, support="positive", default_prior=("HalfNormal", {"sigma": 1.0})),
        Parameter(
            "alpha",
            links=REAL_LINKS,
            support="real",
            default_prior=("Normal", {"mu": 0.0, "sigma": 4.0}),
            begins=skewness_of,
        ),
    ),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_real, family="skew_normal"),
    random=random,
    mean=mean,
    response_support="real",
    allows=EVERYTHING - {INTEGRATES},
    concave=frozenset({"identity"}),
)
