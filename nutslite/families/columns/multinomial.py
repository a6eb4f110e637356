"""Multinomial family: how many of some trials came out as each of K outcomes, of probabilities p.

It has a linear predictor for each column but the first, whose own is 0; with counts y_k of n trials
``log p(y) = log(n! / (y_1! ... y_K!)) + sum_k y_k log(p_k)``, whose derivative by eta_k is ``y_k - n p_k``.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite import _draws
from nutslite._capabilities import CODES, MERGES, PILOT
from nutslite._numba import kernel
from nutslite.families.links.parameter import Parameter
from nutslite.families.record.family import Family, log_factorial
from nutslite.families.rows.columns import check_counts_of_columns, dims_of, log_shares, softmax


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: counts of K columns, trials, log of the multinomial coefficient."""
    rows = out_loglik.shape[0]
    k = eta.shape[0] + 1
    weighted = weights.shape[0] > 0
    log_p = np.empty(k)
    for j in range(1, k):
        if varies[j - 1] == 0:
            out_d_eta[j - 1, 0] = 0.0
    for i in range(rows):
        weight = weights[start + i] if weighted else 1.0
        log_shares(eta, varies, i, log_p)
        trials = y[k, start + i]
        total = y[k + 1, start + i]
        for j in range(k):
            total += y[j, start + i] * log_p[j]
        for j in range(1, k):
            derivative = weight * (y[j, start + i] - trials * np.exp(log_p[j]))
            if varies[j - 1] == 1:
                out_d_eta[j - 1, i] = derivative
            else:
                out_d_eta[j - 1, 0] += derivative
        out_loglik[i] = weight * total


def prepare(values):
    """Append the logarithm of the multinomial coefficient."""
    factorials = log_factorial(values)
    return np.vstack([values, factorials[-1] - factorials[:-1].sum(axis=0)])


def random(rng, parameters, companions):
    """Draw counts of ``trials``, with a last axis for the columns."""
    return _draws.multinomial(rng, companions["trials"], parameters["p"])


def mean(parameters, companions):
    """``trials * p``, counts."""
    return np.asarray(companions["trials"])[..., None] * np.asarray(parameters["p"])


def bind(family, response):
    """One row of eta for each column but the first, which is the reference."""
    reduced = Parameter(
        "p", links=("softmax",), support="simplex", dim=f"{response.name}_reduced_dim", labels=response.columns[1:]
    )
    own = dims_of(response)
    return {"parameters": (reduced,), "combined": {"p": own["response_dim"]}, **own}


def combine(links, predictors):
    """Probabilities of all columns."""
    return {"p": softmax(predictors["p"])}


FAMILY = Family(
    name="multinomial",
    title="Multinomial",
    parameters=(Parameter("p", links=("softmax",), support="simplex", dim="reduced_dim"),),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_counts_of_columns, family="multinomial"),
    random=random,
    mean=mean,
    response_support="counts",
    companions=("trials",),
    bind=bind,
    combine=combine,
    allows=frozenset({PILOT, MERGES, CODES}),
)
