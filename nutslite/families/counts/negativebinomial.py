"""Negative binomial family: mean mu, shape alpha, variance ``mu + mu^2 / alpha``.

With ``L = log(1 + mu / alpha)`` and ``T(y) = sum(log(1 + j / alpha), j < y)``::

    log p(y) = T(y) + y log(mu) - (alpha + y) L - log(y!)

which has no cancellation however large alpha is: the limit is the Poisson density. With one alpha for all rows and
counts that are not high, T and its derivative are tabulated once per block of rows; else `rising` has them.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import negative_binomial
from nutslite._numba import inner, kernel
from nutslite._special import decay, exp, log1p_unit
from nutslite.families.links.codes import LOG
from nutslite.families.record.family import POSITIVE_LINKS, Family, Parameter, log_factorial
from nutslite.families.rows.checks import check_counts
from nutslite.families.rows.gamma_functions import rising
from nutslite.families.rows.given import exposures
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.tails import censored_kernels, certain, complete

NATIVE = (LOG, LOG)
MU = Parameter("mu", links=(*POSITIVE_LINKS, "cloglog"), support="positive")
ALPHA = Parameter("alpha", links=POSITIVE_LINKS, support="positive", default_prior=("HalfCauchy", {"beta": 1.0}))
_PRECISE, _LARGE = 1e-17, 1e150
TABLE_PER_ROW = 0.5  # a table is cheaper where the highest count is at most this many times the number of rows


@kernel
def _highest(response):
    """The highest count, by four running maxima."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    whole = response.shape[0] // 4 * 4
    for i in range(0, whole, 4):
        a = response[i] if response[i] > a else a
        b = response[i + 1] if response[i + 1] > b else b
        c = response[i + 2] if response[i + 2] > c else c
        d = response[i + 3] if response[i + 3] > d else d
    for i in range(whole, response.shape[0]):
        a = response[i] if response[i] > a else a
    return max(max(a, b), max(c, d))


@kernel
def _rising_table(highest, log_alpha):
    """`rising` for y = 0, 1, ..., highest as two rows of an array."""
    table = np.zeros((2, highest + 1))
    alpha = np.exp(log_alpha)
    for j in range(1, highest):
        table[0, j + 1] = table[0, j] + (np.log1p(j / alpha) if alpha > 1.0 else np.log(alpha + j) - log_alpha)
        table[1, j + 1] = table[1, j] + j / (alpha + j)
    return table


@kernel
def _fill_by_table(response, table, log_mu, log_alpha, out_loglik, d_mu, d_alpha):
    """One alpha for all rows; the body is written out in both functions, so that the loops vectorise."""
    for i in range(response.shape[0]):  # apart, because LLVM does not vectorise loops that look things up
        count = int(response[i])
        out_loglik[i] = table[0, count]
        d_alpha[i] = table[1, count]
    alpha = np.exp(log_alpha)
    for i in range(response.shape[0]):  # apart, because one long chain of operations keeps the processor waiting
        d_mu[i] = decay(log_mu[i] - log_alpha)
    for i in range(response.shape[0]):
        x = log_mu[i] - log_alpha
        e = d_mu[i]
        stretch = (x if x > 0.0 else 0.0) + log1p_unit(e)
        share = (1.0 if x > 0.0 else e) / (1.0 + e)
        size = alpha + response[i]
        out_loglik[i] += response[i] * log_mu[i] - size * stretch
        d_mu[i] = response[i] - size * share
        d_alpha[i] = size * share - alpha * stretch - d_alpha[i]


@kernel
def _fill_row_by_row(response, log_mu, log_alpha, out_loglik, d_mu, d_alpha):
    """An alpha for every row."""
    for i in range(response.shape[0]):
        alpha = exp(log_alpha[i])
        value, decrease = rising(response[i], alpha, log_alpha[i])
        x = log_mu[i] - log_alpha[i]
        e = decay(x)
        stretch = (x if x > 0.0 else 0.0) + log1p_unit(e)
        share = (1.0 if x > 0.0 else e) / (1.0 + e)
        size = alpha + response[i]
        out_loglik[i] = value + response[i] * log_mu[i] - size * stretch
        d_mu[i] = response[i] - size * share
        d_alpha[i] = size * share - alpha * stretch - decrease


@kernel
def _every_row(number, rows):
    """A row of one number."""
    row = np.empty(rows)
    for i in range(rows):
        row[i] = number
    return row


@kernel
def fill_rows(response, constant, log_mu, log_alpha, varies, out_loglik, d_mu, d_alpha):
    """Write the log density of every row and its derivatives."""
    rows = response.shape[0]
    highest = _highest(response) if varies == 0 else math.inf
    if highest <= TABLE_PER_ROW * rows:
        table = _rising_table(int(highest), log_alpha[0])
        _fill_by_table(response, table, log_mu, log_alpha[0], out_loglik, d_mu, d_alpha)
    else:
        log_alphas = log_alpha if varies == 1 else _every_row(log_alpha[0], rows)
        _fill_row_by_row(response, log_mu, log_alphas, out_loglik, d_mu, d_alpha)
    for i in range(rows):  # apart, because LLVM vectorises loops over few arrays only
        out_loglik[i] -= constant[i]


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: counts, log(counts!)."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    constant = y[1, start : start + rows]
    fill_rows(response, constant, native[0], native[1], varies[1], out_loglik, out_d_eta[0], out_d_eta[1])
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@inner
def fill(points, others, native, varies, below, above, d_below, d_above):
    """Both tails, see `tails.py`: the density summed from the count down, or from the next one up: the shorter one.

    From y to y + 1 the density changes by ``(y + alpha) / (y + 1) mu / (mu + alpha)``.
    """
    for i in range(points.shape[0]):
        y, log_mu, log_alpha = points[i], native[0, i], native[1, i * varies[1]]
        if y < 0.0:
            certain(i, False, below, above, d_below, d_above)
            continue
        mu, alpha = exp(log_mu), exp(log_alpha)
        x = log_mu - log_alpha
        e = decay(x)
        stretch = (x if x > 0.0 else 0.0) + log1p_unit(e)
        share = (1.0 if x > 0.0 else e) / (1.0 + e)
        other = exp(-stretch)  # 1 - share
        lower = y <= mu or y < 3.0 * mu / alpha
        k = y if lower else y + 1.0
        rise, decrease = rising(k, alpha, log_alpha)
        at = rise + k * log_mu - (alpha + k) * stretch - math.lgamma(k + 1.0)
        term, total, counts, shapes = 1.0, 0.0, 0.0, 0.0
        while True:
            total += term
            counts += term * k
            shapes += term * decrease
            if lower:
                if k <= 0.0:
                    break
                term *= k / (k - 1.0 + alpha) / share if k > 1.0 else exp(-log_alpha) / share
                k -= 1.0
                decrease -= k / (alpha + k)
            else:
                decrease += k / (alpha + k)
                ratio = (k + alpha) / (k + 1.0) * share
                if ratio < 1.0 and not term * ratio > _PRECISE * total * (1.0 - ratio):
                    break
                term *= ratio
                k += 1.0
            if term > _LARGE:
                at += math.log(_LARGE)
                total, counts, shapes, term = total / _LARGE, counts / _LARGE, shapes / _LARGE, term / _LARGE
        tail, slopes = (below, d_below) if lower else (above, d_above)
        tail[i] = min(at + math.log(total), 0.0)
        mean_count = counts / total
        slopes[0, i] = mean_count * other - alpha * share
        slopes[1, i] = (alpha + mean_count) * share - alpha * stretch - shapes / total
        complete(i, lower, below, above, d_below, d_above)


def prepare(values):
    """Append ``log(y!)``."""
    return np.vstack([values[0], log_factorial(values[0])])


def random(rng, parameters, companions):
    """Draw counts: Poisson with a Gamma(alpha, mean mu) rate."""
    return negative_binomial(rng, parameters["mu"], parameters["alpha"])


def mean(parameters, companions):
    """``mu``."""
    return np.asarray(parameters["mu"])


def mean_of_score(parameters, companions, slopes):
    """The score by log(mu) is ``(y - mu) alpha / (alpha + mu)``."""
    return parameters["mu"] + slopes * (1.0 + parameters["mu"] / parameters["alpha"])


OWN: dict[str, Any] = {
    "kernel": loglik,
    "censored": censored_kernels("negativebinomial", NATIVE, fill, discrete=True),
    "prepare": prepare,
    "check_response": partial(check_counts, family="negativebinomial"),
    "random": random,
    "mean": mean,
    "mean_of_score": mean_of_score,
}

FAMILY = Family(
    name="negativebinomial",
    title="Negative binomial",
    parameters=(MU, ALPHA),
    kernel=loglik,
    prepare=prepare,
    check_response=OWN["check_response"],
    random=random,
    mean=mean,
    response_support="count",
    censored=OWN["censored"],
    mean_of_score=mean_of_score,
    given=exposures("negativebinomial", NATIVE, 2, OWN),
    allows=EVERYTHING - {INTEGRATES},
    concave=frozenset({"log"}),
)
