"""Binomial family: probability p, with the number of trials as the response's companion, ``p(y, n)``.

On the logit scale ``log p(y) = log(n choose y) + y eta - n log(1 + exp(eta))``, with derivative ``y - n p``.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import binomial
from nutslite._numba import inner, kernel
from nutslite._special import decay, exp, expit, log1p_and_inverse, softplus
from nutslite.families.links.codes import LOGIT
from nutslite.families.record.family import UNIT_LINKS, Family, Parameter, log_factorial
from nutslite.families.rows.checks import check_trials
from nutslite.families.rows.kernel_rows import allocates_nothing, finish_rows, native_rows
from nutslite.families.rows.tails import censored_kernels, certain, complete

NATIVE = (LOGIT,)
_PRECISE = 1e-17


@kernel
def fill_rows(response, trials, log_choose, logits, out_loglik, derivative):
    """Write the log density of every row and its derivative."""
    for i in range(response.shape[0]):  # apart, because one long chain of operations keeps the processor waiting
        derivative[i] = decay(logits[i])
    for i in range(response.shape[0]):
        x = logits[i]
        e = derivative[i]
        shrink, larger = log1p_and_inverse(e)
        smaller = e * larger
        p = larger if x > 0.0 else smaller
        q = smaller if x > 0.0 else larger
        successes = response[i]
        failures = trials[i] - successes
        signed = -failures if x > 0.0 else successes
        out_loglik[i] = log_choose[i] + signed * x - trials[i] * shrink
        derivative[i] = successes * q - failures * p


@allocates_nothing
@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: successes, trials, log(trials choose successes)."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    trials = y[1, start : start + rows]
    log_choose = y[2, start : start + rows]
    fill_rows(response, trials, log_choose, native[0], out_loglik, out_d_eta[0])
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@inner
def fill(points, others, native, varies, below, above, d_below, d_above):
    """Both tails, see `tails.py`: the density summed from the count down, or from the next one up, away from the mean.

    From y to y + 1 the density changes by ``(n - y) / (y + 1) exp(eta)``.
    """
    for i in range(points.shape[0]):
        y, n, x = points[i], others[i], native[0, i]
        if y < 0.0 or y >= n:
            certain(i, y >= n, below, above, d_below, d_above)
            continue
        p = expit(x)
        lower = y < n * p
        k = y if lower else y + 1.0
        at = math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)
        at -= k * softplus(-x) + (n - k) * softplus(x)
        odds = exp(-x if lower else x)
        term, total, counts = 1.0, 0.0, 0.0
        while term > _PRECISE * total:
            total += term
            counts += term * k
            term *= odds * (k / (n - k + 1.0) if lower else (n - k) / (k + 1.0))
            k += -1.0 if lower else 1.0
        tail, slopes = (below, d_below) if lower else (above, d_above)
        tail[i] = min(at + math.log(total), 0.0)
        slopes[0, i] = counts / total - n * p
        complete(i, lower, below, above, d_below, d_above)


def prepare(values):
    """Append ``log(trials choose successes)``."""
    successes, trials = values[0], values[1]
    log_choose = log_factorial(trials) - log_factorial(successes) - log_factorial(trials - successes)
    return np.vstack([successes, trials, log_choose])


def random(rng, parameters, companions):
    """Draw the number of successes among ``trials``."""
    return binomial(rng, companions["trials"], parameters["p"])


def mean(parameters, companions):
    """``trials * p``, a count."""
    return np.asarray(companions["trials"]) * np.asarray(parameters["p"])


def mean_of_score(parameters, companions, slopes):
    """The score by logit(p) is ``y - trials p``."""
    return companions["trials"] * parameters["p"] + slopes


FAMILY = Family(
    name="binomial",
    title="Binomial",
    parameters=(Parameter("p", links=UNIT_LINKS, support="unit"),),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_trials, family="binomial"),
    random=random,
    mean=mean,
    response_support="trials",
    companions=("trials",),
    censored=censored_kernels("binomial", NATIVE, fill, discrete=True),
    mean_of_score=mean_of_score,
    allows=EVERYTHING - {INTEGRATES},
    concave=frozenset({"logit", "probit", "cloglog"}),
)
