"""Weibull family: mean mu, shape alpha; the scale is ``mu / gamma(1 + 1 / alpha)``.

With ``log z = alpha (log(y / mu) + lgamma(1 + 1 / alpha))`` the survival function is ``exp(-z)``, and::

    log p(y) = log(alpha) + log z - z - log(y)

``log z`` has the derivatives ``-alpha`` by log mu and ``log z - digamma(1 + 1 / alpha)`` by log alpha.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import weibull
from nutslite._numba import inner, kernel
from nutslite._special import digamma, exp, log1mexp
from nutslite.families.links.codes import LOG
from nutslite.families.record.family import POSITIVE_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_positive
from nutslite.families.rows.kernel_rows import finish_rows, native_rows

NATIVE = (LOG, LOG)
_LARGEST = 1e305  # of which lgamma is a double
_SMALL = -37.0  # a logarithm; below it log(1 - exp(-z)) is log(z) to the last bit
# (-1)^n zeta(n) / n, n = 2, 3, ...: lgamma(1 + x) = -euler x + sum of these x^n
_EULER = 0.5772156649015329
_Z2, _Z3, _Z4, _Z5, _Z6, _Z7, _Z8 = (
    0.8224670334241132, -0.40068563438653143, 0.27058080842778454, -0.20738555102867398, 0.1695571769974082,
    -0.1440498967688461, 0.12550966947474304,
)  # fmt: skip


@kernel
def of_shape(log_alpha):
    """``alpha``, ``alpha lgamma(1 + 1 / alpha)`` and ``digamma(1 + 1 / alpha)``."""
    alpha = exp(log_alpha)
    x = min(exp(-log_alpha), _LARGEST)
    if x < 0.005:
        series = _Z2 + x * (_Z3 + x * (_Z4 + x * (_Z5 + x * (_Z6 + x * (_Z7 + x * _Z8)))))
        return alpha, x * series - _EULER, digamma(1.0 + x)
    return alpha, alpha * math.lgamma(1.0 + x), digamma(1.0 + x)


@inner
def shapes(log_alpha, varies, rows):
    """`of_shape` of each row, shape (3, rows): where alpha is one number it is computed once, and loops vectorise."""
    found = np.empty((3, rows))
    alpha, shift, d_shift = of_shape(log_alpha[0])
    for i in range(rows):
        if varies == 1:
            alpha, shift, d_shift = of_shape(log_alpha[i])
        found[0, i], found[1, i], found[2, i] = alpha, shift, d_shift
    return found


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response, its logarithm."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    log_response, log_mu, shape = y[1, start : start + rows], native[0], shapes(native[1], varies[1], rows)
    for i in range(rows):
        log_z = shape[0, i] * (log_response[i] - log_mu[i]) + shape[1, i]
        z = exp(log_z)
        out_loglik[i] = log_z - z - log_response[i]
        out_d_eta[0, i] = shape[0, i] * (z - 1.0)
        out_d_eta[1, i] = 1.0 + (1.0 - z) * (log_z - shape[2, i])
    for i in range(rows):
        out_loglik[i] += native[1, i if varies[1] == 1 else 0]
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def left(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is at most y: ``log(1 - exp(-z))``."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    shape = shapes(native[1], varies[1], rows)
    for i in range(rows):
        alpha, shift, d_shift = shape[0, i], shape[1, i], shape[2, i]
        log_z = alpha * (y[1, start + i] - native[0, i]) + shift
        out_loglik[i], rise = log_share(log_z)
        out_d_eta[0, i] = -alpha * rise if rise > 0.0 else 0.0
        out_d_eta[1, i] = rise * (log_z - d_shift) if rise > 0.0 else 0.0
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def right(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is at least y: ``-z``."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    shape = shapes(native[1], varies[1], rows)
    for i in range(rows):
        alpha, shift, d_shift = shape[0, i], shape[1, i], shape[2, i]
        log_z = alpha * (y[1, start + i] - native[0, i]) + shift
        z = exp(log_z)
        out_loglik[i] = -z
        out_d_eta[0, i] = alpha * z if z > 0.0 else 0.0
        out_d_eta[1, i] = -z * (log_z - d_shift) if z > 0.0 else 0.0
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def interval(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is above y[0] and at most y[2]: to survive until y[0], and not from there to y[2].

    y: lower ends, their logarithms, both of the upper ends.
    """
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    shape = shapes(native[1], varies[1], rows)
    for i in range(rows):
        alpha, shift, d_shift = shape[0, i], shape[1, i], shape[2, i]
        log_z = alpha * (y[1, start + i] - native[0, i]) + shift
        z = exp(log_z)
        growth = alpha * (y[3, start + i] - y[1, start + i])  # of log z, until the upper end
        log_added = log_z + (growth + log1mexp(growth) if growth > 1.0 else np.log(np.expm1(growth)))
        out_loglik[i], rise = log_share(log_added)
        out_loglik[i] -= z
        out_d_eta[0, i] = (alpha * z if z > 0.0 else 0.0) - (alpha * rise if rise > 0.0 else 0.0)
        out_d_eta[1, i] = -z * (log_z - d_shift) if z > 0.0 else 0.0
        if rise > 0.0:
            out_d_eta[1, i] += rise * (log_z - d_shift + growth / -np.expm1(-growth))
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def log_share(log_z):
    """``log(1 - exp(-z))`` and its derivative by ``log z``, which is z / (exp(z) - 1)."""
    if log_z < _SMALL:
        return log_z, 1.0
    z = exp(log_z)
    return log1mexp(z), z / np.expm1(z) if z < 700.0 else 0.0


def prepare(values):
    """Append ``log(y)``."""
    return np.vstack([values[0], np.log(values[0])])


def random(rng, parameters, companions):
    """Draw with mean mu and shape alpha."""
    return weibull(rng, parameters["mu"], parameters["alpha"])


def mean(parameters, companions):
    """``mu``."""
    return np.asarray(parameters["mu"])


FAMILY = Family(
    name="weibull",
    title="Weibull",
    parameters=(
        Parameter("mu", links=POSITIVE_LINKS, support="positive"),
        Parameter("alpha", links=POSITIVE_LINKS, support="positive", default_prior=("HalfCauchy", {"beta": 1.0})),
    ),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_positive, family="weibull"),
    random=random,
    mean=mean,
    response_support="positive",
    censored={"left": left, "right": right, "interval": interval},
    allows=EVERYTHING - {INTEGRATES},
    concave=frozenset({"log"}),
)
