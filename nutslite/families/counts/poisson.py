"""Poisson family: mean mu.

On the log scale ``log p(y) = y eta - exp(eta) - log(y!)``, with derivative ``y - exp(eta)``.

``P(Y >= a)`` and ``P(Y < a)`` are the regularised incomplete gamma functions of a and mu: a series where mu is below
a, a continued fraction above (Abramowitz and Stegun 6.5.29 and 6.5.31), both relative to the density, so that far tails
keep their digits. Their derivatives by eta are plus and minus mu times the density at a - 1.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import poisson
from nutslite._numba import kernel
from nutslite._special import exp, log1mexp
from nutslite.families.links.codes import LOG
from nutslite.families.record.family import POSITIVE_LINKS, Family, Parameter, log_factorial
from nutslite.families.rows.checks import check_counts
from nutslite.families.rows.given import exposures
from nutslite.families.rows.kernel_rows import allocates_nothing, finish_rows, native_rows

NATIVE = (LOG,)
_PRECISE = 1e-17
_MOST_TERMS = 1_000_000  # a few times the root of the largest count
LOG_FACTORIALS = np.array([math.lgamma(count + 1.0) for count in range(256)])
_LAST = np.uint32(LOG_FACTORIALS.size - 1)


@allocates_nothing
@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: counts, log(counts!); or small counts alone."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    log_mu = native[0]
    derivative = out_d_eta[0]
    for i in range(rows):
        mu = exp(log_mu[i])
        out_loglik[i] = response[i] * log_mu[i] - mu
        derivative[i] = response[i] - mu
    if y.shape[0] > 1:
        constant = y[1, start : start + rows]
        for i in range(rows):
            out_loglik[i] -= constant[i]
    else:
        for i in range(rows):  # an unsigned place of a byte: nothing has to be asked before it is looked up
            out_loglik[i] -= LOG_FACTORIALS[np.uint32(response[i]) & _LAST]
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def tails(a, mu, log_mu, log_factorial_below):
    """``log P(Y >= a)`` and ``log P(Y < a)`` of a count with mean mu, with derivatives by `log_mu`.

    Of a whole number a > 0 and ``log((a - 1)!)``.
    """
    log_step = a * log_mu - mu - log_factorial_below  # of mu times the density at a - 1
    if mu < a + 1.0:
        term = 1.0
        total = 1.0
        for n in range(1, _MOST_TERMS):
            term *= mu / (a + n)
            total += term
            if not term > _PRECISE * total:
                break
        upper = min(log_step - math.log(a) + math.log(total), -1e-300)
        lower = log1mexp(-upper)
        return upper, lower, a / total, -np.exp(log_step - lower)
    b = mu + 1.0 - a
    c = 1e300
    d = 1.0 / b
    fraction = d
    for n in range(1, _MOST_TERMS):
        factor = n * (a - n)
        b += 2.0
        d = 1.0 / (factor * d + b)
        c = b + factor / c
        fraction *= c * d
        if not abs(c * d - 1.0) > _PRECISE * 10.0:
            break
    lower = min(log_step + math.log(fraction), -1e-300)
    upper = log1mexp(-lower)
    return upper, lower, np.exp(log_step - upper), -1.0 / fraction


@kernel
def left(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose count is at most y. y: counts, log(counts!)."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    for i in range(rows):
        log_mu = native[0, i]
        _, out_loglik[i], _, out_d_eta[0, i] = tails(y[0, start + i] + 1.0, exp(log_mu), log_mu, y[1, start + i])
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def right(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose count is at least y. y: counts, log(counts!)."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    for i in range(rows):
        log_mu, count = native[0, i], y[0, start + i]
        out_loglik[i] = 0.0
        out_d_eta[0, i] = 0.0
        if count > 0.0:
            below = y[1, start + i] - math.log(count)
            out_loglik[i], _, out_d_eta[0, i], _ = tails(count, exp(log_mu), log_mu, below)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def interval(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose count is above y and at most its upper end. y: counts, log(counts!), both of these ends."""
    rows, high = out_loglik.shape[0], y.shape[0] // 2
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    for i in range(rows):
        log_mu = native[0, i]
        mu = exp(log_mu)
        out_loglik[i], out_d_eta[0, i] = between(
            mu, log_mu, y[0, start + i], y[1, start + i], y[high, start + i], y[high + 1, start + i]
        )
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def between(mu, log_mu, low, log_factorial_low, high, log_factorial_high):
    """``log P(low < Y <= high)`` and its derivative, by differences of the smaller tail."""
    above_low, below_low, d_above_low, d_below_low = tails(low + 1.0, mu, log_mu, log_factorial_low)
    above_high, below_high, d_above_high, d_below_high = tails(high + 1.0, mu, log_mu, log_factorial_high)
    if mu > high:
        larger, smaller, d_larger, d_smaller = below_high, below_low, d_below_high, d_below_low
    else:
        larger, smaller, d_larger, d_smaller = above_low, above_high, d_above_low, d_above_high
    if not larger > -math.inf:
        return larger, 0.0
    drop = larger - smaller
    return larger + log1mexp(drop), (d_larger - d_smaller * np.exp(-drop)) / -np.expm1(-drop)


def prepare(values):
    """Append ``log(y!)``."""
    return np.vstack([values[0], log_factorial(values[0])])


def prepare_many(values):
    """Counts that `LOG_FACTORIALS` has need none beside them."""
    counts = values[0]
    known = counts.min() >= 0.0 and counts.max() < LOG_FACTORIALS.size
    return counts[None] if known and np.array_equal(counts, np.floor(counts)) else prepare(values)


def random(rng, parameters, companions):
    """Draw counts with mean mu."""
    return poisson(rng, parameters["mu"])


def mean(parameters, companions):
    """``mu``."""
    return np.asarray(parameters["mu"])


def mean_of_score(parameters, companions, slopes):
    """The score by log(mu) is ``y - mu``."""
    return parameters["mu"] + slopes


OWN: dict[str, Any] = {
    "kernel": loglik,
    "censored": {"left": left, "right": right, "interval": interval},
    "prepare": prepare,
    "check_response": partial(check_counts, family="poisson"),
    "random": random,
    "mean": mean,
    "mean_of_score": mean_of_score,
}

FAMILY = Family(
    name="poisson",
    title="Poisson",
    parameters=(Parameter("mu", links=POSITIVE_LINKS, support="positive"),),
    kernel=loglik,
    prepare=prepare,
    prepare_many=prepare_many,
    check_response=OWN["check_response"],
    random=random,
    mean=mean,
    response_support="count",
    censored=OWN["censored"],
    mean_of_score=mean_of_score,
    given=exposures("poisson", NATIVE, 2, OWN),
    allows=EVERYTHING - {INTEGRATES},
    concave=frozenset({"log"}),
)
