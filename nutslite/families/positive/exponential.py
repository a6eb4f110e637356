"""Exponential family: mean mu, so that the rate is ``1 / mu``.

On the log scale ``log p(y) = -eta - y exp(-eta)``, with derivative ``y / mu - 1``. It is the Weibull family of shape 1,
whose functions the kernels of censored rows use.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._numba import kernel
from nutslite._special import exp
from nutslite.families.links.codes import LOG
from nutslite.families.positive.weibull import log_share
from nutslite.families.record.family import POSITIVE_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_not_negative
from nutslite.families.rows.kernel_rows import allocates_nothing, finish_rows, native_rows

NATIVE = (LOG,)


@allocates_nothing
@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    log_mu, derivative = native[0], out_d_eta[0]
    for i in range(rows):
        z = response[i] * exp(-log_mu[i])
        out_loglik[i] = -log_mu[i] - z
        derivative[i] = z - 1.0
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def left(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is at most y: ``log(1 - exp(-y / mu))``."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    for i in range(rows):
        out_loglik[i], rise = log_share(np.log(y[0, start + i]) - native[0, i])
        out_d_eta[0, i] = -rise
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def right(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is at least y: ``-y / mu``."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    for i in range(rows):
        out_d_eta[0, i] = y[0, start + i] * exp(-native[0, i])
        out_loglik[i] = -out_d_eta[0, i]
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def interval(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is above y[0] and at most y[1]: it survives y[0], and not y[1]."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    for i in range(rows):
        z = y[0, start + i] * exp(-native[0, i])
        out_loglik[i], rise = log_share(np.log(y[1, start + i] - y[0, start + i]) - native[0, i])
        out_loglik[i] -= z
        out_d_eta[0, i] = z - rise
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Nothing to precompute."""
    return np.ascontiguousarray(values, dtype=np.float64)


def random(rng, parameters, companions):
    """Draw with mean mu."""
    return rng.exponential(parameters["mu"])


def mean(parameters, companions):
    """``mu``."""
    return np.asarray(parameters["mu"])


def mean_of_score(parameters, companions, slopes):
    """The score by log(mu) is ``y / mu - 1``."""
    return parameters["mu"] * (1.0 + slopes)


FAMILY = Family(
    name="exponential",
    title="Exponential",
    parameters=(Parameter("mu", links=POSITIVE_LINKS, support="positive"),),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_not_negative, family="exponential"),
    random=random,
    mean=mean,
    response_support="nonnegative",
    censored={"left": left, "right": right, "interval": interval},
    mean_of_score=mean_of_score,
    allows=EVERYTHING - {INTEGRATES},
    concave=frozenset({"log"}),
)
