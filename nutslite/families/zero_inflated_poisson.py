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

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import poisson
from nutslite._numba import kernel
from nutslite._special import exp, expit, log1p_unit, softplus
from nutslite.families.links.codes import LOG, LOGIT
from nutslite.families.record.family import POSITIVE_LINKS, UNIT_LINKS, Family, Parameter, log_factorial
from nutslite.families.rows.checks import check_counts
from nutslite.families.rows.kernel_rows import finish_rows, native_rows

NATIVE = (LOG, LOGIT)


@kernel
def _fill_one_psi(response, log_mu, logit_psi, out_loglik, d_mu, d_psi):
    """One psi for all rows; the body is written out in both functions and has no branches, so that it vectorises.

    At zero ``log(Q + P exp(-mu)) = log(Q) + log(1 + exp(x))`` with ``x = logit(psi) - mu``, elsewhere the Poisson part.
    """
    log_inflated = -softplus(logit_psi)
    log_poisson = -softplus(-logit_psi)
    inflated = expit(-logit_psi)
    for i in range(response.shape[0]):
        count = response[i]
        zero = count == 0.0
        mu = exp(709.0 if log_mu[i] > 709.0 else log_mu[i])
        x = logit_psi - mu
        e = exp(-abs(x))
        inverse = 1.0 / (1.0 + e)
        from_poisson = inverse if x > 0.0 else e * inverse
        from_inflation = e * inverse if x > 0.0 else inverse
        at_zero = log_inflated + (x if x > 0.0 else 0.0) + log1p_unit(e)
        out_loglik[i] = at_zero if zero else log_poisson + count * log_mu[i] - mu
        d_mu[i] = -mu * from_poisson if zero else count - mu
        d_psi[i] = from_poisson * inflated - from_inflation * (1.0 - inflated) if zero else inflated


@kernel
def _fill_many_psis(response, log_mu, logit_psi, out_loglik, d_mu, d_psi):
    """The same with a psi for every row."""
    for i in range(response.shape[0]):
        count = response[i]
        zero = count == 0.0
        logit = logit_psi[i]
        small = exp(-abs(logit))
        log_larger = -log1p_unit(small)
        share = 1.0 / (1.0 + small)
        inflated = small * share if logit > 0.0 else share
        mu = exp(709.0 if log_mu[i] > 709.0 else log_mu[i])
        x = logit - mu
        e = exp(-abs(x))
        inverse = 1.0 / (1.0 + e)
        from_poisson = inverse if x > 0.0 else e * inverse
        from_inflation = e * inverse if x > 0.0 else inverse
        log_inflated = log_larger - (logit if logit > 0.0 else 0.0)
        log_poisson = log_larger - (0.0 if logit > 0.0 else -logit)
        at_zero = log_inflated + (x if x > 0.0 else 0.0) + log1p_unit(e)
        out_loglik[i] = at_zero if zero else log_poisson + count * log_mu[i] - mu
        d_mu[i] = -mu * from_poisson if zero else count - mu
        d_psi[i] = from_poisson * inflated - from_inflation * (1.0 - inflated) if zero else inflated


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: counts, log(counts!)."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    constant = y[1, start : start + rows]
    if varies[1] == 0:
        _fill_one_psi(response, native[0], native[1, 0], out_loglik, out_d_eta[0], out_d_eta[1])
    else:
        _fill_many_psis(response, native[0], native[1], out_loglik, out_d_eta[0], out_d_eta[1])
    for i in range(rows):  # apart, because LLVM vectorises loops over few arrays only; log(0!) is 0
        out_loglik[i] -= constant[i]
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Append ``log(y!)``."""
    return np.vstack([values[0], log_factorial(values[0])])


def random(rng, parameters, companions):
    """Draw a Poisson count with probability psi, else zero."""
    mu, psi = np.broadcast_arrays(parameters["mu"], parameters["psi"])
    return poisson(rng, mu) * (rng.random(mu.shape) < psi)


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
    allows=EVERYTHING - {INTEGRATES},
)
