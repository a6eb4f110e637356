"""Dirichlet family: K shares of a whole, of mean mu and concentration kappa: beta for more than two.

It has a linear predictor for the mean of each column but the first, whose own is 0: mu is their softmax. With
``a_k = kappa mu_k``, C = log(2 pi) / 2 and s what `stirling_errors` leaves of lgamma::

    log p(y) = log(Gamma(kappa)) - sum_k log(Gamma(a_k)) + sum_k (a_k - 1) log(y_k)
             = sum_k (a_k log(y_k / mu_k) + log(a_k) / 2 - s(a_k) - log(y_k)) - log(kappa) / 2 + s(kappa) - (K - 1) C

in which the large terms of the gamma functions, that cancel, are gone. With ``d(x) = x (log(x) - digamma(x))`` and
``h_k = a_k log(y_k / mu_k) + d(a_k)`` derivatives are ``h_k - mu_k sum(h)`` by eta_k and ``sum(h) - d(kappa)`` by
log(kappa).
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from nutslite import _draws
from nutslite._capabilities import CODES, MERGES, PILOT
from nutslite._numba import kernel
from nutslite.families.links.parameter import Parameter
from nutslite.families.record.family import Family
from nutslite.families.rows.columns import check_shares, dims_of, log_shares, softmax
from nutslite.families.rows.gamma_functions import stirling_errors

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@kernel
def _errors(x, log_x):
    """Both of `stirling_errors`."""
    return stirling_errors(x, log_x)


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: logarithms of K shares, their sum; eta: of K - 1 means, of kappa."""
    rows = out_loglik.shape[0]
    k = eta.shape[0]
    weighted = weights.shape[0] > 0
    log_mu, h = np.empty(k), np.empty(k)
    for j in range(k):
        if varies[j] == 0:
            out_d_eta[j, 0] = 0.0
    for i in range(rows):
        weight = weights[start + i] if weighted else 1.0
        log_shares(eta, varies, i, log_mu)
        log_kappa = eta[k - 1, i if varies[k - 1] == 1 else 0]
        error, slope = _errors(np.exp(log_kappa), log_kappa)
        value = error - 0.5 * log_kappa - (k - 1) * HALF_LOG_2PI - y[k, start + i]
        every = 0.0
        for j in range(k):
            log_a = log_kappa + log_mu[j]
            a = np.exp(log_a)
            error, h[j] = _errors(a, log_a)
            part = a * (y[j, start + i] - log_mu[j])
            h[j] += part
            every += h[j]
            value += part + 0.5 * log_a - error
        for j in range(k):
            derivative = weight * (h[j + 1] - np.exp(log_mu[j + 1]) * every if j < k - 1 else every - slope)
            if varies[j] == 1:
                out_d_eta[j, i] = derivative
            else:
                out_d_eta[j, 0] += derivative
        out_loglik[i] = weight * value


def prepare(values):
    """Logarithms of the shares, and their sum."""
    logs = np.log(values / values.sum(axis=0))
    return np.vstack([logs, logs.sum(axis=0)])


def random(rng, parameters, companions):
    """Draw shares, with a last axis for the columns."""
    return _draws.dirichlet(rng, np.asarray(parameters["mu"]) * np.asarray(parameters["kappa"])[..., None])


def mean(parameters, companions):
    """``mu``."""
    return np.asarray(parameters["mu"])


def bind(family, response):
    """One row of eta for each column but the first, which is the reference; and kappa."""
    reduced = Parameter(
        "mu", links=("softmax",), support="simplex", dim=f"{response.name}_reduced_dim", labels=response.columns[1:]
    )
    own = dims_of(response)
    return {"parameters": (reduced, *family.auxiliary), "combined": {"mu": own["response_dim"]}, **own}


def combine(links, predictors):
    """Means of all columns, and kappa as it is."""
    return {**predictors, "mu": softmax(predictors["mu"])}


FAMILY = Family(
    name="dirichlet",
    title="Dirichlet",
    parameters=(
        Parameter("mu", links=("softmax",), support="simplex", dim="reduced_dim"),
        Parameter("kappa", links=("log",), support="positive", default_prior=("HalfCauchy", {"beta": 1.0})),
    ),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_shares, family="dirichlet"),
    random=random,
    mean=mean,
    response_support="shares",
    bind=bind,
    combine=combine,
    allows=frozenset({PILOT, MERGES, CODES}),
)
