"""Binomial family: probability p, with the number of trials as the response's companion, ``p(y, n)``.

On the logit scale ``log p(y) = log(n choose y) + y eta - n log(1 + exp(eta))``, with derivative ``y - n p``.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import binomial
from nutslite._numba import kernel
from nutslite._special import exp, log1p_unit
from nutslite.families.links.codes import LOGIT
from nutslite.families.record.family import UNIT_LINKS, Family, Parameter, log_factorial
from nutslite.families.rows.checks import check_trials
from nutslite.families.rows.kernel_rows import finish_rows, native_rows

NATIVE = (LOGIT,)


@kernel
def fill_rows(response, trials, log_choose, logits, out_loglik, derivative):
    """Write the log density of every row and its derivative."""
    for i in range(response.shape[0]):
        x = logits[i]
        e = exp(-abs(x))
        larger = 1.0 / (1.0 + e)
        smaller = e * larger
        p = larger if x > 0.0 else smaller
        q = smaller if x > 0.0 else larger
        successes = response[i]
        failures = trials[i] - successes
        signed = -failures if x > 0.0 else successes
        out_loglik[i] = log_choose[i] + signed * x - trials[i] * log1p_unit(e)
        derivative[i] = successes * q - failures * p


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
    allows=EVERYTHING - {INTEGRATES},
)
