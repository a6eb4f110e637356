"""Negative binomial family: mean mu, shape alpha, variance ``mu + mu^2 / alpha``.

With ``L = log(1 + mu / alpha)`` and ``T(y) = sum(log(1 + j / alpha), j < y)``::

    log p(y) = T(y) + y log(mu) - (alpha + y) L - log(y!)

which has no cancellation however large alpha is: the limit is the Poisson density. With one alpha for all rows, T
and its derivative are tabulated once per block of rows instead of two gamma functions per row.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._numba import kernel
from nutslite._special import digamma_error, exp, log1p_unit, stirling_error
from nutslite.families._checks import check_counts
from nutslite.families._rows import finish_rows, native_rows
from nutslite.families.family import POSITIVE_LINKS, Family, Parameter, log_factorial
from nutslite.families.links import LOG

NATIVE = (LOG, LOG)
_LINKS = (*POSITIVE_LINKS, "cloglog")


@kernel
def _rising(y, log_alpha):
    """``sum(log(1 + j / alpha), j < y)`` and minus its derivative by log(alpha), ``sum(j / (alpha + j), j < y)``."""
    if y == 0.0:
        return 0.0, 0.0
    alpha = np.exp(log_alpha)
    top = alpha + y
    ratio = np.log1p(y / alpha) if alpha > 1.0 else np.log(top) - log_alpha
    log_top = log_alpha + ratio
    value = (top - 0.5) * ratio - y + stirling_error(top, log_top) - stirling_error(alpha, log_alpha)
    decrease = y - alpha * ratio + digamma_error(top, log_top) * (alpha / top) - digamma_error(alpha, log_alpha)
    return value, decrease


@kernel
def _rising_table(highest, log_alpha):
    """`_rising` for y = 0, 1, ..., highest as two rows of an array."""
    table = np.zeros((2, highest + 1))
    alpha = np.exp(log_alpha)
    for j in range(1, highest):
        table[0, j + 1] = table[0, j] + (np.log1p(j / alpha) if alpha > 1.0 else np.log(alpha + j) - log_alpha)
        table[1, j + 1] = table[1, j] + j / (alpha + j)
    return table


@kernel
def _fill_rising(response, log_alpha, varies, value, decrease):
    """`_rising` for every row: from a table where that is cheaper, else row by row."""
    rows = response.shape[0]
    highest = 0.0
    for i in range(rows):
        highest = max(highest, response[i])
    if varies == 0 and highest <= 4.0 * rows:
        table = _rising_table(int(highest), log_alpha[0])
        for i in range(rows):
            count = int(response[i])
            value[i] = table[0, count]
            decrease[i] = table[1, count]
    else:
        for i in range(rows):
            value[i], decrease[i] = _rising(response[i], log_alpha[i * varies])


@kernel
def _add_one_alpha(response, log_mu, log_alpha, out_loglik, d_mu, d_alpha):
    """Add what depends on mu; the body is written out in both functions, so that the loops vectorise."""
    alpha = np.exp(log_alpha)
    for i in range(response.shape[0]):
        x = log_mu[i] - log_alpha
        e = exp(-abs(x))
        stretch = (x if x > 0.0 else 0.0) + log1p_unit(e)
        share = (1.0 if x > 0.0 else e) / (1.0 + e)
        size = alpha + response[i]
        out_loglik[i] += response[i] * log_mu[i] - size * stretch
        d_mu[i] = response[i] - size * share
        d_alpha[i] = size * share - alpha * stretch - d_alpha[i]


@kernel
def _add_many_alphas(response, log_mu, log_alpha, out_loglik, d_mu, d_alpha):
    """The same with an alpha for every row."""
    for i in range(response.shape[0]):
        alpha = exp(log_alpha[i])
        x = log_mu[i] - log_alpha[i]
        e = exp(-abs(x))
        stretch = (x if x > 0.0 else 0.0) + log1p_unit(e)
        share = (1.0 if x > 0.0 else e) / (1.0 + e)
        size = alpha + response[i]
        out_loglik[i] += response[i] * log_mu[i] - size * stretch
        d_mu[i] = response[i] - size * share
        d_alpha[i] = size * share - alpha * stretch - d_alpha[i]


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: counts, log(counts!)."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    constant = y[1, start : start + rows]
    log_mu = native[0]
    log_alpha = native[1]
    d_mu = out_d_eta[0]
    d_alpha = out_d_eta[1, :rows]
    _fill_rising(response, log_alpha, varies[1], out_loglik, d_alpha)
    for i in range(rows):  # apart, because LLVM vectorises loops over few arrays only
        out_loglik[i] -= constant[i]
    if varies[1] == 0:
        _add_one_alpha(response, log_mu, log_alpha[0], out_loglik, d_mu, d_alpha)
    else:
        _add_many_alphas(response, log_mu, log_alpha, out_loglik, d_mu, d_alpha)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Append ``log(y!)``."""
    return np.vstack([values[0], log_factorial(values[0])])


def random(rng, parameters, companions):
    """Draw counts: Poisson with a Gamma(alpha, mean mu) rate."""
    mu, alpha = np.broadcast_arrays(parameters["mu"], parameters["alpha"])
    return rng.poisson(rng.gamma(alpha, mu / alpha))


def mean(parameters, companions):
    """``mu``."""
    return np.asarray(parameters["mu"])


FAMILY = Family(
    name="negativebinomial",
    title="Negative binomial",
    parameters=(
        Parameter("mu", links=_LINKS, support="positive"),
        Parameter("alpha", links=POSITIVE_LINKS, support="positive", default_prior=("HalfCauchy", {"beta": 1.0})),
    ),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_counts, family="negativebinomial"),
    random=random,
    mean=mean,
    response_support="count",
)
