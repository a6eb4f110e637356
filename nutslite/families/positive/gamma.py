"""Gamma family: mean mu, shape alpha, variance ``mu^2 / alpha``.

With ``u = log(y / mu)``::

    log p(y) = alpha (u - expm1(u)) + log(alpha) / 2 - log(2 pi) / 2 - s(alpha) - log(y)

where s is Stirling's remainder of lgamma, so that nothing cancels however large alpha is.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import gamma
from nutslite._numba import kernel
from nutslite._special import HALF_LOG_2PI, exp, expm1
from nutslite.families.links.codes import LOG
from nutslite.families.record.family import POSITIVE_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_positive
from nutslite.families.rows.gamma_functions import stirling_errors
from nutslite.families.rows.kernel_rows import finish_rows, native_rows

NATIVE = (LOG, LOG)
ALPHA = Parameter("alpha", links=POSITIVE_LINKS, support="positive", default_prior=("HalfCauchy", {"beta": 1.0}))
_MU_LINKS = ("inverse", *(link for link in POSITIVE_LINKS if link != "inverse"))


@kernel
def _fill_one_alpha(log_response, log_mu, log_alpha, out_loglik, d_mu, d_alpha):
    """One alpha for all rows."""
    alpha = exp(log_alpha)
    error, d_constant = stirling_errors(alpha, log_alpha)
    constant = 0.5 * log_alpha - HALF_LOG_2PI - error
    for i in range(log_response.shape[0]):
        u = log_response[i] - log_mu[i]
        excess = expm1(u)
        out_loglik[i] = alpha * (u - excess) + constant - log_response[i]
        d_mu[i] = alpha * excess
        d_alpha[i] = alpha * (u - excess) + d_constant


@kernel
def _fill_many_alphas(log_response, log_mu, log_alpha, out_loglik, d_mu, d_alpha):
    """The same with an alpha for every row."""
    for i in range(log_response.shape[0]):
        alpha = exp(log_alpha[i])
        error, d_constant = stirling_errors(alpha, log_alpha[i])
        u = log_response[i] - log_mu[i]
        excess = expm1(u)
        fit = alpha * (u - excess)
        out_loglik[i] = fit + (0.5 * log_alpha[i] - HALF_LOG_2PI - error - log_response[i])
        d_mu[i] = alpha * excess
        d_alpha[i] = fit + d_constant


@kernel
def fill_rows(log_response, log_mu, log_alpha, varies, out_loglik, d_mu, d_alpha):
    """Write the log density of every row and its derivatives."""
    if varies == 0:
        _fill_one_alpha(log_response, log_mu, log_alpha[0], out_loglik, d_mu, d_alpha)
    else:
        _fill_many_alphas(log_response, log_mu, log_alpha, out_loglik, d_mu, d_alpha)


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response, its logarithm."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    log_response = y[1, start : start + rows]
    fill_rows(log_response, native[0], native[1], varies[1], out_loglik, out_d_eta[0], out_d_eta[1])
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Append ``log(y)``."""
    return np.vstack([values[0], np.log(values[0])])


def random(rng, parameters, companions):
    """Draw with mean mu and shape alpha."""
    return gamma(rng, parameters["mu"], parameters["alpha"])


def mean(parameters, companions):
    """``mu``."""
    return np.asarray(parameters["mu"])


FAMILY = Family(
    name="gamma",
    title="Gamma",
    parameters=(Parameter("mu", links=_MU_LINKS, support="positive"), ALPHA),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_positive, family="gamma"),
    random=random,
    mean=mean,
    response_support="positive",
    allows=EVERYTHING - {INTEGRATES},
)
