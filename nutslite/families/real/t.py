"""Student t family: location mu, scale sigma, degrees of freedom nu.

With ``a = nu / 2`` and ``r = (y - mu) / (sigma sqrt(nu))``::

    log p = lgamma(a + 1/2) - lgamma(a) - log(pi nu) / 2 - log(sigma) - (nu + 1) / 2 * log(1 + r^2)

The first three terms are taken together (`half_step`), so that nu = 1e12 gives the Gaussian density.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import moved, student_t
from nutslite._numba import inlined, inner, kernel
from nutslite._special import HALF_LOG_2PI, LOG_2, exp, log1p_square
from nutslite.families.links.codes import IDENTITY, LOG
from nutslite.families.record.family import POSITIVE_LINKS, REAL_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_real
from nutslite.families.rows.gamma_functions import half_step
from nutslite.families.rows.given import known_errors
from nutslite.families.rows.half_line import NEGLIGIBLE, NODES, WEIGHTS
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.tails import censored_kernels, complete

NATIVE = (IDENTITY, LOG, LOG)


@inlined
def _row(r, nu):
    """What depends on the residual ``r = (y - mu) / (sigma sqrt(nu))``: log density and its three derivatives."""
    stretch = log1p_square(r)
    pull = 1.0 / (r + 1.0 / r) if r != 0.0 else 0.0  # r / (1 + r^2)
    weight = (nu + 1.0) * pull
    share = r * weight
    return -0.5 * (nu + 1.0) * stretch, weight, share - 1.0, 0.5 * (share - nu * stretch)


@kernel
def _fill_one_shape(response, mu, log_sigma, log_nu, out_loglik, d_mu, d_log_sigma, d_log_nu):
    """One sigma and one nu for all rows."""
    nu = exp(log_nu)
    scale = exp(-log_sigma - 0.5 * log_nu)
    step, d_constant = half_step(0.5 * nu, log_nu - LOG_2)
    constant = step - HALF_LOG_2PI - log_sigma
    for i in range(response.shape[0]):
        value, pull, d_log_sigma[i], d_nu = _row((response[i] - mu[i]) * scale, nu)
        out_loglik[i] = constant + value
        d_mu[i] = pull * scale
        d_log_nu[i] = d_constant + d_nu


@kernel
def _fill_shapes(log_sigma, log_nu, varies, shapes):
    """Rows of `shapes`: nu, ``1 / (sigma sqrt(nu))``, the logarithm of the constant, its derivative by log(nu)."""
    nus, scales, constants, slopes = shapes[0], shapes[1], shapes[2], shapes[3]
    rows = shapes.shape[1]
    count = rows if varies[2] == 1 else 1
    for i in range(count):
        nu = exp(log_nu[i])
        nus[i] = nu
        scales[i] = -0.5 * log_nu[i]
        step, slopes[i] = half_step(0.5 * nu, log_nu[i] - LOG_2)
        constants[i] = step - HALF_LOG_2PI
    for row in (nus, scales, constants, slopes):
        for i in range(count, rows):
            row[i] = row[0]
    if varies[1] == 1:
        for i in range(rows):
            scales[i] = exp(scales[i] - log_sigma[i])
            constants[i] -= log_sigma[i]
    else:
        for i in range(rows):
            scales[i] = exp(scales[i] - log_sigma[0])
            constants[i] -= log_sigma[0]


@kernel
def _fill_many_shapes(response, mu, shapes, out_loglik, d_mu, d_log_sigma, d_log_nu):
    """A sigma or a nu for every row, as `_fill_shapes` left them."""
    nus, scales, constants, slopes = shapes[0], shapes[1], shapes[2], shapes[3]
    for i in range(response.shape[0]):
        value, pull, d_log_sigma[i], d_nu = _row((response[i] - mu[i]) * scales[i], nus[i])
        out_loglik[i] = constants[i] + value
        d_mu[i] = pull * scales[i]
        d_log_nu[i] = slopes[i] + d_nu


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    d_mu, d_sigma, d_nu = out_d_eta[0], out_d_eta[1], out_d_eta[2]
    if varies[1] == 0 and varies[2] == 0:
        _fill_one_shape(response, native[0], native[1, 0], native[2, 0], out_loglik, d_mu, d_sigma, d_nu)
    else:
        shapes = np.empty((4, rows))
        _fill_shapes(native[1], native[2], varies, shapes)
        _fill_many_shapes(response, native[0], shapes, out_loglik, d_mu, d_sigma, d_nu)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@inner
def fill(points, others, native, varies, below, above, d_below, d_above):
    """Both tails, see `tails.py`: the smaller one by quadrature over ``asinh(z)``, where tails fall exponentially."""
    for i in range(points.shape[0]):
        log_sigma, log_nu = native[1, i * varies[1]], native[2, i * varies[2]]
        precision, nu = exp(-log_sigma), exp(log_nu)
        step, d_constant = half_step(0.5 * nu, log_nu - LOG_2)
        signed = (points[i] - native[0, i]) * precision
        lower, z = signed <= 0.0, abs(signed)
        start = np.arcsinh(z)
        at, _ = _at(start, nu, log_nu)
        share = z / (nu + z * z) * (nu + 1.0)
        fall, bend = share * np.hypot(1.0, z) - np.tanh(start), (nu + 1.0) / (nu + z * z)
        width = 1.0 / np.hypot(fall, np.sqrt(bend))
        total, shape = 0.0, 0.0
        for n in range(NODES.shape[0]):
            value, d_nu = _at(start + width * NODES[n], nu, log_nu)
            if not value - at > NEGLIGIBLE:
                break
            weight = WEIGHTS[n] * np.exp(value - at)
            total += weight
            shape += weight * d_nu
        tail, slopes = (below, d_below) if lower else (above, d_above)
        tail[i] = min(step - HALF_LOG_2PI + at + np.log(width * total), -LOG_2)
        hazard = 1.0 / (width * total * np.hypot(1.0, z))  # density of z over the tail
        slopes[0, i] = (-hazard if lower else hazard) * precision
        slopes[1, i] = hazard * z
        slopes[2, i] = d_constant + shape / total
        complete(i, lower, below, above, d_below, d_above)


@inner
def _at(v, nu, log_nu):
    """Of ``z = sinh(v)`` the log density of v but for a constant, and its derivative by log(nu)."""
    if v > 300.0:
        stretch = 2.0 * (v - LOG_2) - log_nu
        return (v - LOG_2) - 0.5 * (nu + 1.0) * stretch, 0.5 * (nu + 1.0 - nu * stretch)
    value, _, _, d_nu = _row(np.sinh(v) * exp(-0.5 * log_nu), nu)
    return value + np.log(np.cosh(v)), d_nu


def prepare(values):
    """Nothing to precompute."""
    return np.ascontiguousarray(values, dtype=np.float64)


def random(rng, parameters, companions):
    """Draw from mu + sigma * StudentT(nu)."""
    mu, sigma, nu = np.broadcast_arrays(parameters["mu"], parameters["sigma"], parameters["nu"])
    return moved(mu, sigma, student_t(rng, nu))


def mean(parameters, companions):
    """``mu``: the mean where nu > 1, the median always."""
    return np.asarray(parameters["mu"])


OWN: dict[str, Any] = {
    "kernel": loglik,
    "censored": censored_kernels("t", NATIVE, fill),
    "prepare": prepare,
    "check_response": partial(check_real, family="t"),
    "random": random,
    "mean": mean,
}

FAMILY = Family(
    name="t",
    title="Student t",
    parameters=(
        Parameter("mu", links=REAL_LINKS, support="real"),
        Parameter("sigma", links=POSITIVE_LINKS, support="positive", default_prior=("HalfNormal", {"sigma": 1.0})),
        Parameter("nu", links=POSITIVE_LINKS, support="positive", default_prior=("Gamma", {"alpha": 2.0, "beta": 0.1})),
    ),
    kernel=loglik,
    prepare=prepare,
    check_response=OWN["check_response"],
    random=random,
    mean=mean,
    response_support="real",
    censored=OWN["censored"],
    given=known_errors("t", NATIVE, 1, OWN),
    allows=EVERYTHING - {INTEGRATES},
)
