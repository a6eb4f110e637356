"""Continuation-ratio family for ordered levels: whether it goes on beyond each level that it has reached.

``P(y > k | y >= k) = F(eta - threshold_k)``, F the inverse of the link: logistic, normal (probit) or complementary
log-log. With ``v_k = eta - threshold_k``::

    log p(y = k) = log(1 - F(v_k)) + sum(log F(v_j), j < k)

without its first term for the last level. Under the logit and the probit, which are symmetric, it is the stopping
ratio; under the complementary log-log it is another model. It has K - 1 thresholds for K levels, in any order, and no
intercept, whose place they take. Tutz (1991), Computational Statistics and Data Analysis 11.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import CODES, MERGES, PILOT
from nutslite._numba import kernel
from nutslite.families.links.codes import inverse_array
from nutslite.families.links.parameter import Parameter
from nutslite.families.record.family import Family
from nutslite.families.rows.categories import as_given, check_categories, draw_codes, no_mean
from nutslite.families.rows.latent import CS, DISC, latent_rows, latent_slopes, widened
from nutslite.families.rows.steps import bind_steps, log_step, step_threshold


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: codes of levels; eta: the latent mean, then K - 1 thresholds."""
    rows = out_loglik.shape[0]
    last = eta.shape[0] - 1
    weighted = weights.shape[0] > 0
    for j in range(eta.shape[0]):
        for i in range(rows if varies[j] == 1 else 1):
            out_d_eta[j, i] = 0.0
    for i in range(rows):
        weight = weights[start + i] if weighted else 1.0
        level = int(y[0, start + i])
        mean = eta[0, i if varies[0] == 1 else 0]
        total = 0.0
        for j in range(min(level + 1, last)):
            at = i if varies[j + 1] == 1 else 0
            value, slope = log_step(links[0], mean - eta[j + 1, at], j < level)
            total += value
            out_d_eta[0, i if varies[0] == 1 else 0] += weight * slope
            out_d_eta[j + 1, at] -= weight * slope
        out_loglik[i] = weight * total


@kernel
def loglik_latent(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """The same with disc and category-specific effects: `nutslite.families.rows.latent`."""
    rows = out_loglik.shape[0]
    u, own_varies, slopes = latent_rows(eta, varies, links, rows)
    loglik(y, weights, start, u, own_varies, links, out_loglik, slopes)
    latent_slopes(eta, varies, links, rows, u, slopes, out_d_eta)


def combine(links, predictors):
    """Probabilities of all levels: to have come so far, times to go no further."""
    v = predictors["p"][..., None] - predictors["threshold"]
    go_on = inverse_array(links["p"], v)
    stop = np.exp(-np.exp(np.minimum(v, 700.0))) if links["p"] == "cloglog" else inverse_array(links["p"], -v)
    one = np.ones((*v.shape[:-1], 1))
    reached = np.concatenate([one, np.cumprod(go_on, axis=-1)], axis=-1)
    return {"p": reached * np.concatenate([stop, one], axis=-1)}


FAMILY = Family(
    name="cratio",
    title="Continuation ratio",
    parameters=(Parameter("p", links=("logit", "probit", "cloglog"), support="unit"), step_threshold()),
    kernel=loglik,
    prepare=as_given,
    check_response=partial(check_categories, family="cratio", fewest=2),
    random=draw_codes,
    mean=no_mean,
    response_support="category",
    intercept=False,
    bind=bind_steps,
    combine=combine,
    optional=(DISC, CS),
    widen=partial(widened, loglik_latent),
    allows=frozenset({PILOT, MERGES, CODES}),
)
