"""Ex-Gaussian family: a normal variable of mean mu and sd sigma, plus an exponential one of mean nu.

mu is the mean of the normal part, as in Bambi; that of the response is ``mu + nu``. With ``z = (y - mu) / sigma``,
``s = sigma / nu`` and ``u = z - s``::

    log p(y) = -log(nu) + s^2 / 2 - z s + log Phi(u)

With h the derivative of log Phi at u, derivatives are ``(s - h) / sigma`` by mu, ``z (s - h) - s (u + h)`` by
log(sigma), and ``s (u + h) - 1`` by log(nu). Far below zero ``log Phi(u) = -u^2 / 2 - log(-u) + ...``, whose squares
cancel the others by hand: what is left is the normal density, of which there is nothing to lose as nu goes to zero.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import moved
from nutslite._numba import inner, kernel
from nutslite._special import HALF_LOG_2PI, LOG_2, exp, log1mexp, log_ndtr, ndtr_hazard
from nutslite.families.links.codes import IDENTITY, LOG
from nutslite.families.record.family import POSITIVE_LINKS, REAL_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_real
from nutslite.families.rows.half_line import NEGLIGIBLE, NODES, WEIGHTS
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.tails import censored_kernels, complete

NATIVE = (IDENTITY, LOG, LOG)
FAR = -20.0  # of u, from where on down the series of the normal tail has all digits


@inner
def _row(residual, log_sigma, log_nu):
    """Log density, and its derivatives by mu, log(sigma) and log(nu)."""
    precision = exp(-log_sigma)
    z = residual * precision
    s = exp(log_sigma - log_nu)
    u = z - s
    if u > FAR:
        h = ndtr_hazard(u)
        rest = s * (u + h)
        value = s * (0.5 * s - z) + log_ndtr(u) - log_nu
        return value, (s - h) * precision, z * (s - h) - rest, rest - 1.0
    square = 1.0 / (u * u)
    correction = 1.0 - 3.0 * square * (1.0 - 5.0 * square * (1.0 - 7.0 * square * (1.0 - 9.0 * square)))
    tail = 1.0 - square * correction  # Phi(u) |u| / density(u)
    if s > 1.0:
        q = exp(log_nu - log_sigma)
        size = 1.0 - z * q  # -u / s
        value = -log_sigma - np.log(size) + 0.0 * log_nu  # nan where log(nu) is not finite
        pull = q / (size * size)
    else:
        size = -u / s if s > 0.0 else np.inf
        value = -log_nu - np.log(-u)
        pull = s * square
    fall = (z - pull * correction) / tail  # s - h
    rest = correction / (size * tail)  # s (u + h)
    return value - 0.5 * z * z - HALF_LOG_2PI + np.log(tail), fall * precision, z * fall - rest, rest - 1.0


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    for i in range(rows):
        out_loglik[i], out_d_eta[0, i], out_d_eta[1, i], out_d_eta[2, i] = _row(
            y[0, start + i] - native[0, i], native[1, i * varies[1]], native[2, i * varies[2]]
        )
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@inner
def fill(points, others, native, varies, below, above, d_below, d_above):
    """Both tails, see `tails.py`.

    The upper one is ``Phi(-z) + nu p(y)``, a sum of what is positive; the lower one ``Phi(z) - nu p(y)``, integrated
    where that would cancel: below the mode, or near it where nu is large.
    """
    for i in range(points.shape[0]):
        residual, log_sigma, log_nu = points[i] - native[0, i], native[1, i * varies[1]], native[2, i * varies[2]]
        precision = exp(-log_sigma)
        z = residual * precision
        at, d_mu, d_sigma, d_nu = _row(residual, log_sigma, log_nu)
        normal, later = log_ndtr(-z), at + log_nu
        most = max(normal, later)
        upper = most + np.log(np.exp(normal - most) + np.exp(later - most)) if most > -np.inf else most
        if upper < -LOG_2:
            hazard, share = ndtr_hazard(-z), np.exp(later - upper)
            rest = np.exp(normal - upper) * hazard if hazard > 0.0 else 0.0
            above[i] = upper
            d_above[0, i] = rest * precision + (share * d_mu if share > 0.0 else 0.0)
            d_above[1, i] = rest * z + (share * d_sigma if share > 0.0 else 0.0)
            d_above[2, i] = share * (d_nu + 1.0) if share > 0.0 else 0.0
            complete(i, False, below, above, d_below, d_above)
            continue
        normal = log_ndtr(z)
        drop = normal - later
        if drop > 0.01 or (z > 3.0 and drop > 0.0):
            hazard, rest, share = ndtr_hazard(z), 1.0 / -np.expm1(-drop), np.exp(-drop)
            below[i] = normal + log1mexp(drop)
            d_below[0, i] = rest * (-hazard * precision - share * d_mu)
            d_below[1, i] = rest * (-hazard * z - share * d_sigma)
            d_below[2, i] = rest * -share * (d_nu + 1.0)
            complete(i, True, below, above, d_below, d_above)
            continue
        width = 1.0 / np.hypot(d_mu, precision)
        total, mu, sigma, nu = np.float64(0.0), 0.0, 0.0, 0.0  # NumPy's 0: as a divisor no error where nothing compiles
        for n in range(NODES.shape[0]):
            value, d_mu, d_sigma, d_nu = _row(residual - width * NODES[n], log_sigma, log_nu)
            if not value - at > NEGLIGIBLE:
                break
            weight = WEIGHTS[n] * np.exp(value - at)
            total += weight
            mu += weight * d_mu
            sigma += weight * d_sigma
            nu += weight * d_nu
        below[i] = min(at + np.log(width * total), 0.0)
        d_below[0, i], d_below[1, i], d_below[2, i] = mu / total, sigma / total, nu / total
        complete(i, True, below, above, d_below, d_above)


def prepare(values):
    """Nothing to precompute."""
    return np.ascontiguousarray(values, dtype=np.float64)


def random(rng, parameters, companions):
    """Draw the normal part and add the exponential one."""
    mu, sigma, nu = np.broadcast_arrays(parameters["mu"], parameters["sigma"], parameters["nu"])
    return moved(moved(mu, sigma, rng.standard_normal(mu.shape)), nu, rng.standard_exponential(mu.shape))


def mean(parameters, companions):
    """``mu + nu``."""
    return np.asarray(parameters["mu"]) + np.asarray(parameters["nu"])


def _scale(name):
    """sigma or nu: both have the response's unit."""
    return Parameter(
        name, links=POSITIVE_LINKS, support="positive", default_prior=("HalfNormal", {"sigma": 1.0}), unit=1
    )


FAMILY = Family(
    name="exgaussian",
    title="Ex-Gaussian",
    parameters=(Parameter("mu", links=REAL_LINKS, support="real"), _scale("sigma"), _scale("nu")),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_real, family="exgaussian"),
    random=random,
    mean=mean,
    response_support="real",
    censored=censored_kernels("exgaussian", NATIVE, fill),
    allows=EVERYTHING - {INTEGRATES},
    concave=frozenset({"identity"}),
)
