"""Student t family: location mu, scale sigma, degrees of freedom nu.

With ``a = nu / 2`` and ``r = (y - mu) / (sigma sqrt(nu))``::

    log p = lgamma(a + 1/2) - lgamma(a) - log(pi nu) / 2 - log(sigma) - (nu + 1) / 2 * log(1 + r^2)

The first three terms are taken together through Stirling's remainder, so that nu = 1e12 gives the Gaussian density.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._numba import kernel
from nutslite._special import HALF_LOG_2PI, LOG_2, digamma_error, exp, log1p_square, stirling_error
from nutslite.families._checks import check_real
from nutslite.families._rows import finish_rows, native_rows
from nutslite.families.family import POSITIVE_LINKS, REAL_LINKS, Family, Parameter
from nutslite.families.links import IDENTITY, LOG

NATIVE = (IDENTITY, LOG, LOG)


@kernel
def _normalisation(log_nu):
    """Log of the constant for sigma = 1, and its derivative with respect to log(nu)."""
    a = 0.5 * np.exp(log_nu)
    log_a = log_nu - LOG_2
    log_b = np.log(a + 0.5)
    growth = a * np.log1p(0.5 / a) if a > 1e-300 else 0.0
    constant = growth - 0.5 + stirling_error(a + 0.5, log_b) - stirling_error(a, log_a) - HALF_LOG_2PI
    derivative = growth - 0.5 - digamma_error(a + 0.5, log_b) * a / (a + 0.5) + digamma_error(a, log_a)
    return constant, derivative


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    mu = native[0]
    log_sigma = native[1]
    log_nu = native[2]
    d_mu = out_d_eta[0]
    d_log_sigma = out_d_eta[1]
    d_log_nu = out_d_eta[2]
    if varies[2] == 0 and varies[1] == 0:
        constant, d_constant = _normalisation(log_nu[0])
        nu = np.exp(log_nu[0])
        scale = np.exp(-log_sigma[0] - 0.5 * log_nu[0])
        constant -= log_sigma[0]
        for i in range(rows):
            r = (response[i] - mu[i]) * scale
            stretch = log1p_square(r)
            pull = 1.0 / (r + 1.0 / r) if r != 0.0 else 0.0  # r / (1 + r^2)
            share = r * pull
            out_loglik[i] = constant - 0.5 * (nu + 1.0) * stretch
            d_mu[i] = (nu + 1.0) * pull * scale
            d_log_sigma[i] = (nu + 1.0) * share - 1.0
            d_log_nu[i] = d_constant + 0.5 * ((nu + 1.0) * share - nu * stretch)
    else:
        for i in range(rows):
            s = log_sigma[i * varies[1]]
            n = log_nu[i * varies[2]]
            if i == 0 or varies[2] == 1:
                constant, d_constant = _normalisation(n)
                nu = exp(n)
            scale = exp(-s - 0.5 * n)
            r = (response[i] - mu[i]) * scale
            stretch = log1p_square(r)
            pull = 1.0 / (r + 1.0 / r) if r != 0.0 else 0.0
            share = r * pull
            out_loglik[i] = constant - s - 0.5 * (nu + 1.0) * stretch
            d_mu[i] = (nu + 1.0) * pull * scale
            d_log_sigma[i] = (nu + 1.0) * share - 1.0
            d_log_nu[i] = d_constant + 0.5 * ((nu + 1.0) * share - nu * stretch)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Nothing to precompute."""
    return np.ascontiguousarray(values, dtype=np.float64)


def random(rng, parameters, companions):
    """Draw from mu + sigma * StudentT(nu)."""
    mu, sigma, nu = np.broadcast_arrays(parameters["mu"], parameters["sigma"], parameters["nu"])
    return mu + sigma * rng.standard_t(nu)


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
)
