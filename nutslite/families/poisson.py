"""Poisson family: mean mu.

On the log scale ``log p(y) = y eta - exp(eta) - log(y!)``, with derivative ``y - exp(eta)``.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import poisson
from nutslite._numba import kernel
from nutslite._special import exp
from nutslite.families.links.codes import LOG
from nutslite.families.record.family import POSITIVE_LINKS, Family, Parameter, log_factorial
from nutslite.families.rows.checks import check_counts
from nutslite.families.rows.kernel_rows import finish_rows, native_rows

NATIVE = (LOG,)


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: counts, log(counts!)."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    constant = y[1, start : start + rows]
    log_mu = native[0]
    derivative = out_d_eta[0]
    for i in range(rows):
        mu = exp(log_mu[i])
        out_loglik[i] = response[i] * log_mu[i] - mu - constant[i]
        derivative[i] = response[i] - mu
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Append ``log(y!)``."""
    return np.vstack([values[0], log_factorial(values[0])])


def random(rng, parameters, companions):
    """Draw counts with mean mu."""
    return poisson(rng, parameters["mu"])


def mean(parameters, companions):
    """``mu``."""
    return np.asarray(parameters["mu"])


FAMILY = Family(
    name="poisson",
    title="Poisson",
    parameters=(Parameter("mu", links=POSITIVE_LINKS, support="positive"),),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_counts, family="poisson"),
    random=random,
    mean=mean,
    response_support="count",
    allows=EVERYTHING - {INTEGRATES},
)
