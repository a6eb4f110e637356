"""Dirichlet-multinomial family: counts of K outcomes whose probabilities vary from row to row, as a Dirichlet variable.

Its concentrations a_k have linear predictors eta_k = log(a_k), one for each column. With ``A = sum(a_k)``, n trials and
``T(k, x) = sum(log(1 + j / x), j < k)``::

    log p(y) = log(n! / (y_1! ... y_K!)) + sum_k (y_k log(a_k) + T(y_k, a_k)) - n log(A) - T(n, A)

the multinomial density as A grows, without large gamma functions that cancel. With
``S(k, x) = sum(j / (x + j), j < k)``, minus the derivative of T by log(x), the derivative by eta_k is
``y_k - S(y_k, a_k) - a_k / A (n - S(n, A))``. Mosimann (1962), Biometrika 49.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite import _draws
from nutslite._capabilities import CODES, MERGES, PILOT
from nutslite._numba import kernel
from nutslite.families.columns.multinomial import prepare
from nutslite.families.links.parameter import Parameter
from nutslite.families.record.family import Family
from nutslite.families.rows.columns import check_counts_of_columns, dims_of
from nutslite.families.rows.gamma_functions import rising


@kernel
def _rising(y, x, log_x):
    """T and S."""
    return rising(y, x, log_x)


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: counts of K columns, trials, log of the multinomial coefficient."""
    rows = out_loglik.shape[0]
    k = eta.shape[0]
    weighted = weights.shape[0] > 0
    for j in range(k):
        if varies[j] == 0:
            out_d_eta[j, 0] = 0.0
    for i in range(rows):
        weight = weights[start + i] if weighted else 1.0
        largest = -np.inf
        finite = True
        for j in range(k):
            x = eta[j, i if varies[j] == 1 else 0]
            finite = finite and abs(x) < np.inf
            largest = max(largest, x)
        total = 0.0
        for j in range(k):
            total += np.exp(eta[j, i if varies[j] == 1 else 0] - largest)
        log_sum = largest + np.log(total) if finite else np.nan
        trials = y[k, start + i]
        rise, fall = _rising(trials, np.exp(log_sum), log_sum)
        value = y[k + 1, start + i] - trials * log_sum - rise
        for j in range(k):
            x = eta[j, i if varies[j] == 1 else 0]
            count = y[j, start + i]
            own_rise, own_fall = _rising(count, np.exp(x), x)
            value += count * x + own_rise
            derivative = weight * (count - own_fall - np.exp(x - log_sum) * (trials - fall))
            if varies[j] == 1:
                out_d_eta[j, i] = derivative
            else:
                out_d_eta[j, 0] += derivative
        out_loglik[i] = weight * value


def random(rng, parameters, companions):
    """Draw probabilities, and counts of ``trials`` given these, with a last axis for the columns."""
    return _draws.multinomial(rng, companions["trials"], _draws.dirichlet(rng, parameters["a"]))


def mean(parameters, companions):
    """``trials * a / sum(a)``, counts."""
    a = np.asarray(parameters["a"])
    largest = a.max(axis=-1, keepdims=True)  # a sum may overflow
    shares = a / np.where(largest > 0.0, largest, 1.0)
    return np.asarray(companions["trials"])[..., None] * shares / shares.sum(axis=-1, keepdims=True)


def bind(family, response):
    """One row of eta for each column."""
    own = dims_of(response)
    dim, labels = own["response_dim"]
    every = Parameter("a", links=("log",), support="positive", dim=dim, labels=labels)
    return {"parameters": (every,), "combined": {"a": own["response_dim"]}, **own}


def combine(links, predictors):
    """Concentrations of all columns."""
    with np.errstate(over="ignore"):
        return {"a": np.exp(predictors["a"])}


FAMILY = Family(
    name="dirichlet_multinomial",
    title="Dirichlet-multinomial",
    parameters=(Parameter("a", links=("log",), support="positive", dim="response_dim"),),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_counts_of_columns, family="dirichlet_multinomial"),
    random=random,
    mean=mean,
    response_support="counts",
    companions=("trials",),
    bind=bind,
    combine=combine,
    allows=frozenset({PILOT, MERGES, CODES}),
)
