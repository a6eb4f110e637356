"""Discrete Weibull family: ``P(Y >= y) = q^(y^beta)``, the whole part of a Weibull waiting time.

Below beta = 1 the chance to end falls with time, above it rises; at 1 the distribution is geometric. With
``h(y) = -log(q) y^beta`` and ``d = h(y + 1) - h(y)``::

    log p(y) = -h(y) + log(1 - exp(-d))        log d = log(-log(q)) + beta log(y) + log((1 + 1 / y)^beta - 1)

which is never a difference of two probabilities, and has all digits where q rounds to 1. Derivatives go by
``log(-log(q))``: ``pull - h`` with ``pull = d / (exp(d) - 1)``, times ``-(1 - q) / -log(q)`` by logit(q).

Nakagawa and Osaki (1975), IEEE Transactions on Reliability 24; q and beta as in PyMC.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from nutslite import _draws
from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._numba import inner, kernel
from nutslite._special import exp, expit, expm1, log, log1mexp, softplus, weibull_sum
from nutslite.families.links.codes import LOG, LOGIT
from nutslite.families.record.family import POSITIVE_LINKS, UNIT_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_counts
from nutslite.families.rows.kernel_rows import finish_rows, native_rows

NATIVE = (LOGIT, LOG)
_FAR = 37.0  # of a logit, from where on ``-log(q)`` is ``exp(-logit)``
_SMALL, _LARGE = 1e-8, 700.0


@inner
def _rate(logit):
    """``log(-log(q))``, and minus its derivative by logit(q)."""
    if logit > _FAR:
        return -logit, 1.0
    rate = softplus(-logit)
    return log(rate), expit(-logit) / rate


@inner
def _share(log_d):
    """``log(1 - exp(-d))``, and its derivative by log(d)."""
    d = exp(log_d)
    if d < _SMALL:
        return log_d - 0.5 * d, 1.0 - 0.5 * d
    return log1mexp(d), (d / expm1(d) if d < _LARGE else 0.0)


@inner
def _between(log_rate, log_beta, log_low, log_step):
    """``log(exp(-h(low)) - exp(-h(high)))``, and its derivatives by the rate's logarithm and log(beta).

    `log_step` is the logarithm of ``log(high / low)``.
    """
    power = exp(log_beta) * log_low
    h = exp(log_rate + power)
    log_u = log_beta + log_step
    u = exp(log_u)
    if u < _SMALL:
        grown, grows = log_u + 0.5 * u, 1.0 + 0.5 * u
    elif u > _FAR:
        grown, grows = u, u
    else:
        grown, grows = log(expm1(u)), -u / expm1(-u)
    value, pull = _share(log_rate + power + grown)
    d_beta = pull * (power + grows) if pull > 0.0 else 0.0
    return value - h, pull - h, d_beta - (h * power if h > 0.0 else 0.0)


@inner
def _below(log_rate, log_beta, log_high):
    """``log(1 - exp(-h(high)))``, and its derivatives by the rate's logarithm and log(beta)."""
    power = exp(log_beta) * log_high
    value, pull = _share(log_rate + power)
    return value, pull, (pull * power if pull > 0.0 else 0.0 * log_beta)


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: counts, log(y) or 0, log(log(1 + 1 / y)) or 0, log(y + 1)."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    for i in range(rows):
        log_beta = native[1, i * varies[1]]
        log_rate, fall = _rate(native[0, i])
        if y[0, start + i] > 0.0:
            value, pull, d_beta = _between(log_rate, log_beta, y[1, start + i], y[2, start + i])
        else:
            value, pull, d_beta = _below(log_rate, log_beta, 0.0)
        out_loglik[i] = value
        out_d_eta[0, i] = -fall * pull
        out_d_eta[1, i] = d_beta
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def left(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose count is at most y. y: as of `loglik`."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    for i in range(rows):
        log_rate, fall = _rate(native[0, i])
        out_loglik[i], pull, out_d_eta[1, i] = _below(log_rate, native[1, i * varies[1]], y[3, start + i])
        out_d_eta[0, i] = -fall * pull
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def right(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose count is at least y. y: as of `loglik`."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    for i in range(rows):
        log_rate, fall = _rate(native[0, i])
        power = exp(native[1, i * varies[1]]) * y[1, start + i]
        h = exp(log_rate + power) if y[0, start + i] > 0.0 else 0.0
        out_loglik[i] = -h
        out_d_eta[0, i] = fall * h
        out_d_eta[1, i] = -h * power if h > 0.0 else 0.0
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def interval(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose count is above y and at most its upper end. y: as of `loglik`, of both these ends."""
    rows, high = out_loglik.shape[0], y.shape[0] // 2
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    for i in range(rows):
        log_rate, fall = _rate(native[0, i])
        log_beta, first = native[1, i * varies[1]], y[0, start + i] + 1.0
        if first > 0.0:
            log_step = log(math.log1p((y[high, start + i] + 1.0 - first) / first))
            value, pull, d_beta = _between(log_rate, log_beta, y[3, start + i], log_step)
        else:  # any count up to the upper end
            value, pull, d_beta = _below(log_rate, log_beta, y[high + 3, start + i])
        out_loglik[i] = value
        out_d_eta[0, i] = -fall * pull
        out_d_eta[1, i] = d_beta
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Append ``log(y)`` and ``log(log(1 + 1 / y))``, both 0 where y is, and ``log(y + 1)``; ends may be below 0."""
    y = values[0]
    counts = np.where(y > 0.0, y, 1.0)
    step = np.where(y > 0.0, np.log(np.log1p(1.0 / counts)), 0.0)
    with np.errstate(divide="ignore"):
        return np.vstack([y, np.log(counts), step, np.log1p(np.maximum(y, -1.0))])


def random(rng, parameters, companions):
    """Draw the whole part of a Weibull waiting time."""
    return _draws.discrete_weibull(rng, parameters["q"], parameters["beta"])


def mean(parameters, companions):
    """Sum of ``q^(k^beta)`` over k = 1, 2, ...; there is no closed form."""
    with np.errstate(divide="ignore"):
        rate = -np.log(np.asarray(parameters["q"], dtype=np.float64))
    return weibull_sum(1.0, rate, parameters["beta"])


FAMILY = Family(
    name="discrete_weibull",
    title="Discrete Weibull",
    parameters=(
        Parameter("q", links=UNIT_LINKS, support="unit"),
        Parameter("beta", links=POSITIVE_LINKS, support="positive", default_prior=("HalfCauchy", {"beta": 1.0})),
    ),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_counts, family="discrete_weibull"),
    random=random,
    mean=mean,
    response_support="count",
    censored={"left": left, "right": right, "interval": interval},
    allows=EVERYTHING - {INTEGRATES},
)
