"""Zero-inflated Poisson family: Poisson mean mu, probability psi of the Poisson part; other responses are zero.

With ``P = psi`` and ``Q = 1 - psi``::

    log p(0) = log(Q + P exp(-mu))
    log p(y) = log(P) + y log(mu) - mu - log(y!)      for y > 0

Lambert (1992), Technometrics 34, equation 1, with psi = 1 - p.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import poisson
from nutslite._numba import kernel
from nutslite._special import exp
from nutslite.families.counts.poisson import prepare
from nutslite.families.links.codes import LOG, LOGIT
from nutslite.families.record.family import POSITIVE_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_counts
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.zeros import PSI, SHARES, fill_shares, inflate_zeros, or_zero

NATIVE = (LOG, LOGIT)


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: counts, log(counts!)."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    constant = y[1, start : start + rows]
    log_mu, d_mu = native[0], out_d_eta[0]
    shares = np.empty((SHARES, rows))
    fill_shares(native[1], varies[1], shares)
    for i in range(rows):
        mu = exp(709.0 if log_mu[i] > 709.0 else log_mu[i])
        out_loglik[i] = response[i] * log_mu[i] - mu - constant[i]  # log(0!) is 0
        d_mu[i] = response[i] - mu
    inflate_zeros(response, shares, out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def random(rng, parameters, companions):
    """Draw a Poisson count with probability psi, else zero."""
    return or_zero(rng, parameters["psi"], poisson, parameters["mu"])


def mean(parameters, companions):
    """``psi * mu``: mu is the mean of the Poisson part."""
    return np.asarray(parameters["psi"]) * np.asarray(parameters["mu"])


FAMILY = Family(
    name="zero_inflated_poisson",
    title="Zero-inflated Poisson",
    parameters=(Parameter("mu", links=POSITIVE_LINKS, support="positive"), PSI),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_counts, family="zero_inflated_poisson"),
    random=random,
    mean=mean,
    response_support="count",
    allows=EVERYTHING - {INTEGRATES},
)
