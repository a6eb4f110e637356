"""Zero-inflated Poisson family: Poisson mean mu, probability psi of the Poisson part; other responses are zero.

With ``P = psi`` and ``Q = 1 - psi``::

    log p(0) = log(Q + P exp(-mu))
    log p(y) = log(P) + y log(mu) - mu - log(y!)      for y > 0

The derivatives at zero use the probability that the zero is a Poisson zero, ``expit(logit(psi) - mu)``.
Lambert (1992), Technometrics 34, equation 1, with psi = 1 - p.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._numba import kernel
from nutslite._special import exp, expit, softplus
from nutslite.families._checks import check_counts
from nutslite.families._rows import finish_rows, native_rows
from nutslite.families.family import POSITIVE_LINKS, UNIT_LINKS, Family, Parameter, log_factorial
from nutslite.families.links import LOG, LOGIT

NATIVE = (LOG, LOGIT)


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: counts, log(counts!)."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    constant = y[1, start : start + rows]
    log_mu = native[0]
    logit_psi = native[1]
    d_mu = out_d_eta[0]
    d_psi = out_d_eta[1]
    x = logit_psi[0]
    log_inflated = -softplus(x)
    log_poisson = -softplus(-x)
    inflated = expit(-x)
    for i in range(rows):
        if varies[1] == 1:
            x = logit_psi[i]
            log_inflated = -softplus(x)
            log_poisson = -softplus(-x)
            inflated = expit(-x)
        mu = exp(min(log_mu[i], 709.0))
        if response[i] == 0.0:
            # log(Q + P exp(-mu)) = log(Q) + log(1 + exp(logit(psi) - mu))
            from_poisson = expit(x - mu)
            out_loglik[i] = log_inflated + softplus(x - mu)
            d_mu[i] = -mu * from_poisson
            d_psi[i] = from_poisson * inflated - expit(mu - x) * (1.0 - inflated)
        else:
            out_loglik[i] = log_poisson + response[i] * log_mu[i] - mu - constant[i]
            d_mu[i] = response[i] - mu
            d_psi[i] = inflated
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Append ``log(y!)``."""
    return np.vstack([values[0], log_factorial(values[0])])


def random(rng, parameters, companions):
    """Draw a Poisson count with probability psi, else zero."""
    mu, psi = np.broadcast_arrays(parameters["mu"], parameters["psi"])
    return rng.poisson(mu) * (rng.random(mu.shape) < psi)


def mean(parameters, companions):
    """``psi * mu``: mu is the mean of the Poisson part."""
    return np.asarray(parameters["psi"]) * np.asarray(parameters["mu"])


FAMILY = Family(
    name="zero_inflated_poisson",
    title="Zero-inflated Poisson",
    parameters=(
        Parameter("mu", links=POSITIVE_LINKS, support="positive"),
        Parameter("psi", links=UNIT_LINKS, support="unit", default_prior=("Beta", {"alpha": 2.0, "beta": 2.0})),
    ),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_counts, family="zero_inflated_poisson"),
    random=random,
    mean=mean,
    response_support="count",
)
