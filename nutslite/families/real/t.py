"""Student t family: location mu, scale sigma, degrees of freedom nu.

With ``a = nu / 2`` and ``r = (y - mu) / (sigma sqrt(nu))``::

    log p = lgamma(a + 1/2) - lgamma(a) - log(pi nu) / 2 - log(sigma) - (nu + 1) / 2 * log(1 + r^2)

The first three terms are taken together (`half_step`), so that nu = 1e12 gives the Gaussian density.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import moved, student_t
from nutslite._numba import inlined, kernel
from nutslite._special import HALF_LOG_2PI, LOG_2, exp, log1p_square
from nutslite.families.links.codes import IDENTITY, LOG
from nutslite.families.record.family import POSITIVE_LINKS, REAL_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_real
from nutslite.families.rows.gamma_functions import half_step
from nutslite.families.rows.kernel_rows import finish_rows, native_rows

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
    check_response=partial(check_real, family="t"),
    random=random,
    mean=mean,
    response_support="real",
    allows=EVERYTHING - {INTEGRATES},
)
