"""Categorical family: probabilities p of unordered levels, with one linear predictor for each level but the first.

With eta_0 = 0 for the first level, ``log p(y = k) = eta_k - log(sum_j exp(eta_j))``, whose derivative by eta_j is
``1(y = j) - p_j``.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import CODES, MERGES, PILOT
from nutslite._numba import kernel
from nutslite._special import exp, log
from nutslite.families.links.parameter import Parameter
from nutslite.families.record.family import Family
from nutslite.families.rows.categories import as_given, check_categories, draw_codes, no_mean
from nutslite.families.rows.columns import softmax


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: codes of levels; eta: one row for each level but the first."""
    rows = out_loglik.shape[0]
    k = eta.shape[0]
    # One category after the other, so that loops over rows vectorise.
    largest, total = np.zeros(rows), np.empty(rows)
    for j in range(k):
        if varies[j] == 1:
            for i in range(rows):
                largest[i] = max(largest[i], eta[j, i])
        else:
            for i in range(rows):
                largest[i] = max(largest[i], eta[j, 0])
    for i in range(rows):
        total[i] = exp(-largest[i])
    for j in range(k):
        if varies[j] == 1:
            for i in range(rows):
                out_d_eta[j, i] = exp(eta[j, i] - largest[i])
                total[i] += out_d_eta[j, i]
        else:
            for i in range(rows):
                total[i] += exp(eta[j, 0] - largest[i])
    for i in range(rows):
        out_loglik[i] = -largest[i] - log(total[i])
        total[i] = 1.0 / total[i]
    for j in range(k):
        if varies[j] == 1:
            for i in range(rows):
                out_loglik[i] += 0.0 * eta[j, i]  # nan where it is infinite
                out_d_eta[j, i] *= -total[i]
        else:
            out_d_eta[j, 0] = 0.0
            for i in range(rows):
                weight = weights[start + i] if weights.shape[0] > 0 else 1.0
                out_loglik[i] += 0.0 * eta[j, 0]
                out_d_eta[j, 0] -= weight * exp(eta[j, 0] - largest[i]) * total[i]
    for i in range(rows):
        weight = weights[start + i] if weights.shape[0] > 0 else 1.0
        level = int(y[0, start + i])
        for j in range(k):
            place = i if varies[j] == 1 else 0
            if level == j + 1:
                out_loglik[i] += eta[j, place]
            if varies[j] == 1:
                out_d_eta[j, i] = weight * (out_d_eta[j, i] + (1.0 if level == j + 1 else 0.0))
            elif level == j + 1:
                out_d_eta[j, 0] += weight
        out_loglik[i] *= weight


def bind(family, response):
    """One row of eta for each level but the first, which is the reference."""
    reduced = Parameter(
        "p", links=("softmax",), support="simplex", dim=f"{response.name}_reduced_dim", labels=response.levels[1:]
    )
    return {"parameters": (reduced,), "combined": {"p": (f"{response.name}_dim", response.levels)}}


def combine(links, predictors):
    """Probabilities of all levels: softmax of the linear predictors, the first level's being 0."""
    return {"p": softmax(predictors["p"])}


FAMILY = Family(
    name="categorical",
    title="Categorical",
    parameters=(Parameter("p", links=("softmax",), support="simplex", dim="reduced_dim"),),
    kernel=loglik,
    prepare=as_given,
    check_response=partial(check_categories, family="categorical", fewest=2),
    random=draw_codes,
    mean=no_mean,
    response_support="category",
    bind=bind,
    combine=combine,
    allows=frozenset({PILOT, MERGES, CODES}),
)
