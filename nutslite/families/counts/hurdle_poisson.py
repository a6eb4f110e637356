"""Hurdle Poisson family: zero with probability ``1 - psi``, else a Poisson count that is not zero.

mu is the mean of the Poisson distribution before its zeros are taken away. For y > 0::

    log p(y) = log(psi) + (y - 1) log(mu) - mu - log((1 - exp(-mu)) / mu) - log(y!)

Mullahy (1986), Journal of Econometrics 33.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import poisson_above_zero
from nutslite._numba import kernel
from nutslite._special import exp, expm1, log
from nutslite.families.counts.poisson import prepare
from nutslite.families.links.codes import LOG, LOGIT
from nutslite.families.record.family import POSITIVE_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_counts
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.zeros import PSI, SHARES, fill_shares, hurdle_zeros, or_zero

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
        present = -expm1(-mu)
        ratio = 1.0 if mu == 0.0 else present / mu
        out_loglik[i] = (response[i] - 1.0) * log_mu[i] - mu - log(ratio)
        d_mu[i] = response[i] - 1.0 / ratio
    for i in range(rows):  # apart, because LLVM vectorises loops over few arrays only
        out_loglik[i] -= constant[i]
    hurdle_zeros(response, shares, out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def random(rng, parameters, companions):
    """Draw a count above zero with probability psi, else zero."""
    return or_zero(rng, parameters["psi"], poisson_above_zero, parameters["mu"])


def mean(parameters, companions):
    """``psi * mu / (1 - exp(-mu))``."""
    mu = np.asarray(parameters["mu"], dtype=np.float64)
    with np.errstate(all="ignore"):
        above_zero = np.where(mu > 0.0, mu / -np.expm1(-mu), 1.0)
    return np.asarray(parameters["psi"]) * above_zero


FAMILY = Family(
    name="hurdle_poisson",
    title="Hurdle Poisson",
    parameters=(Parameter("mu", links=POSITIVE_LINKS, support="positive"), PSI),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_counts, family="hurdle_poisson"),
    random=random,
    mean=mean,
    response_support="count",
    allows=EVERYTHING - {INTEGRATES},
    concave=frozenset({"log"}),
)
