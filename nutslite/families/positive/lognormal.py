"""Lognormal family: log(y) has mean mu and standard deviation sigma.

``log p = -log(y) - log(sigma) - log(2 pi) / 2 - z^2 / 2`` with ``z = (log(y) - mu) / sigma``.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._numba import kernel
from nutslite._special import HALF_LOG_2PI, exp
from nutslite.families.links.codes import IDENTITY, LOG
from nutslite.families.record.family import POSITIVE_LINKS, REAL_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_positive
from nutslite.families.rows.kernel_rows import allocates_nothing, finish_rows, native_rows
from nutslite.families.rows.normal_tails import fill_interval, fill_tail

NATIVE = (IDENTITY, LOG)
SIGMA = Parameter("sigma", links=POSITIVE_LINKS, support="positive", default_prior=("HalfNormal", {"sigma": 1.0}))


@kernel
def fill_rows(log_response, mu, log_sigma, varies, out_loglik, d_mu, d_log_sigma):
    """Write the log density of every row and its derivatives."""
    if varies == 0:
        precision = np.exp(-log_sigma[0])
        constant = -HALF_LOG_2PI - log_sigma[0]
        for i in range(log_response.shape[0]):
            z = (log_response[i] - mu[i]) * precision
            out_loglik[i] = constant - log_response[i] - 0.5 * z * z
            d_mu[i] = z * precision
            d_log_sigma[i] = z * z - 1.0
    else:
        for i in range(log_response.shape[0]):
            precision = exp(-log_sigma[i])
            z = (log_response[i] - mu[i]) * precision
            out_loglik[i] = -HALF_LOG_2PI - log_response[i] - log_sigma[i] - 0.5 * z * z
            d_mu[i] = z * precision
            d_log_sigma[i] = z * z - 1.0


@allocates_nothing
@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response, its logarithm."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    log_response = y[1, start : start + rows]
    fill_rows(log_response, native[0], native[1], varies[1], out_loglik, out_d_eta[0], out_d_eta[1])
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def left(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is at most y."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    fill_tail(1.0, y[1, start : start + rows], native[0], native[1], varies[1], out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def right(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is at least y."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    fill_tail(-1.0, y[1, start : start + rows], native[0], native[1], varies[1], out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def interval(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is in an interval."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    lower, upper = y[1, start : start + rows], y[y.shape[0] // 2 + 1, start : start + rows]
    fill_interval(lower, upper, native[0], native[1], varies[1], out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Append ``log(y)``."""
    return np.vstack([values[0], np.log(values[0])])


def draw(rng, mu, sigma):
    """Draw exp(Normal(mu, sigma))."""
    drawn = rng.lognormal(mu, sigma)
    with np.errstate(over="ignore"):
        return np.where(np.isnan(drawn), np.exp(mu), drawn)  # mu and sigma infinite


def random(rng, parameters, companions):
    """Draw exp(Normal(mu, sigma))."""
    return draw(rng, parameters["mu"], parameters["sigma"])


def mean(parameters, companions):
    """``exp(mu + sigma^2 / 2)``: mu is the mean of the logarithm, not of the response."""
    return np.exp(np.asarray(parameters["mu"]) + 0.5 * np.square(parameters["sigma"]))


FAMILY = Family(
    name="lognormal",
    title="Lognormal",
    parameters=(Parameter("mu", links=REAL_LINKS, support="real"), SIGMA),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_positive, family="lognormal"),
    random=random,
    mean=mean,
    response_support="positive",
    censored={"left": left, "right": right, "interval": interval},
    allows=EVERYTHING - {INTEGRATES},
    concave=frozenset({"identity"}),
)
