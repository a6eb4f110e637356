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
from nutslite._numba import inner, kernel
from nutslite._special import HALF_LOG_2PI, exp, expm1
from nutslite.families.links.codes import LOG
from nutslite.families.record.family import POSITIVE_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_positive
from nutslite.families.rows.gamma_functions import stirling_errors
from nutslite.families.rows.half_line import NEGLIGIBLE, NODES, WEIGHTS
from nutslite.families.rows.kernel_rows import allocates_nothing, finish_rows, native_rows
from nutslite.families.rows.tails import censored_kernels, complete

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


@allocates_nothing
@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response, its logarithm."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    log_response = y[1, start : start + rows]
    fill_rows(log_response, native[0], native[1], varies[1], out_loglik, out_d_eta[0], out_d_eta[1])
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@inner
def fill(points, others, native, varies, below, above, d_below, d_above):
    """Both tails, see `tails.py`: the smaller one by quadrature over log(y), whose density has its mode at log(mu)."""
    for i in range(points.shape[0]):
        log_alpha = native[1, i * varies[1]]
        alpha = exp(log_alpha)
        error, d_constant = stirling_errors(alpha, log_alpha)
        u = np.log(points[i]) - native[0, i]
        excess = np.expm1(u)
        lower, at = u <= 0.0, alpha * (u - excess)
        width = 1.0 / np.hypot(alpha * excess, np.sqrt(alpha * (1.0 + excess)))
        total, shape = np.float64(0.0), 0.0  # NumPy's 0: as a divisor no error where nothing compiles
        for n in range(NODES.shape[0]):
            moved = u - width * NODES[n] if lower else u + width * NODES[n]
            value = alpha * (moved - np.expm1(moved))
            if not value - at > NEGLIGIBLE:
                break
            weight = WEIGHTS[n] * np.exp(value - at)
            total += weight
            shape += weight * value
        tail, slopes = (below, d_below) if lower else (above, d_above)
        tail[i] = min(0.5 * log_alpha - HALF_LOG_2PI - error + at + np.log(width * total), 0.0)
        slopes[0, i] = (-1.0 if lower else 1.0) / (width * total)
        slopes[1, i] = d_constant + shape / total
        complete(i, lower, below, above, d_below, d_above)


def prepare(values):
    """Append ``log(y)``."""
    return np.vstack([values[0], np.log(values[0])])


def random(rng, parameters, companions):
    """Draw with mean mu and shape alpha."""
    return gamma(rng, parameters["mu"], parameters["alpha"])


def mean(parameters, companions):
    """``mu``."""
    return np.asarray(parameters["mu"])


def mean_of_score(parameters, companions, slopes):
    """The score by log(mu) is ``alpha (y / mu - 1)``."""
    return parameters["mu"] * (1.0 + slopes / parameters["alpha"])


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
    censored=censored_kernels("gamma", NATIVE, fill),
    mean_of_score=mean_of_score,
    allows=EVERYTHING - {INTEGRATES},
    concave=frozenset({"log"}),
)
