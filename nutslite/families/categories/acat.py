"""Adjacent-category family for ordered levels: each against the one below it.

``P(y = k + 1 | y = k or y = k + 1) = F(eta - threshold_k)``, F the inverse of the link: logistic, normal (probit) or
complementary log-log. With ``g_k = logit(F(eta - threshold_k))``, which under the logit is ``eta - threshold_k``::

    log p(y = k) = w_k - log(sum_j exp(w_j)),    w_k = sum(g_j, j < k)

whose derivative by g_j is ``1(y > j) - P(y > j)``. It has K - 1 thresholds for K levels, in any order, and no
intercept, whose place they take. With integer scores it is the partial credit model: Masters (1982), Psychometrika 47.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import CODES, CONCAVE, MERGES, PILOT
from nutslite._numba import inner, kernel
from nutslite.families.links.codes import CODES as LINK_CODES
from nutslite.families.links.codes import LOGIT
from nutslite.families.links.parameter import Parameter
from nutslite.families.record.family import Family
from nutslite.families.rows.categories import as_given, check_categories, draw_codes, no_mean
from nutslite.families.rows.columns import softmax
from nutslite.families.rows.latent import CS, DISC, latent_rows, latent_slopes, widened
from nutslite.families.rows.steps import bind_steps, log_step, step_threshold


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: codes of levels; eta: the latent mean, then K - 1 thresholds."""
    rows = out_loglik.shape[0]
    last = eta.shape[0] - 1
    weighted = weights.shape[0] > 0
    reached, slopes = np.empty(last + 1), np.empty(last)
    for j in range(eta.shape[0]):
        for i in range(rows if varies[j] == 1 else 1):
            out_d_eta[j, i] = 0.0
    for i in range(rows):
        weight = weights[start + i] if weighted else 1.0
        level = int(y[0, start + i])
        mean = eta[0, i if varies[0] == 1 else 0]
        reached[0] = 0.0
        largest = 0.0
        for j in range(last):
            odds, slopes[j] = _log_odds(links[0], mean - eta[j + 1, i if varies[j + 1] == 1 else 0])
            reached[j + 1] = reached[j] + odds
            largest = max(largest, reached[j + 1])
        total = 0.0
        for j in range(last + 1):
            total += np.exp(reached[j] - largest)
        out_loglik[i] = weight * (reached[level] - largest - np.log(total))
        below = 0.0
        for j in range(last):  # P(y <= j), so that neither it nor the rest is a difference
            below += np.exp(reached[j] - largest)
            above = 0.0
            for k in range(j + 1, last + 1):
                above += np.exp(reached[k] - largest)
            slope = weight * slopes[j] * (below if level > j else -above) / total
            out_d_eta[0, i if varies[0] == 1 else 0] += slope
            out_d_eta[j + 1, i if varies[j + 1] == 1 else 0] -= slope


@inner
def _log_odds(link, v):
    """``logit(F(v))``, and its derivative."""
    if link == LOGIT:
        return v, 1.0
    up, up_slope = log_step(link, v, True)
    down, down_slope = log_step(link, v, False)
    return up - down, up_slope - down_slope


@kernel
def _fill_log_odds(link, v, out):
    """Overwrite `out` with `_log_odds` of `v`, elementwise."""
    for i in range(v.shape[0]):
        out[i] = _log_odds(link, v[i])[0]


@kernel
def loglik_latent(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """The same with disc and category-specific effects: `nutslite.families.rows.latent`."""
    rows = out_loglik.shape[0]
    u, own_varies, slopes = latent_rows(eta, varies, links, rows)
    loglik(y, weights, start, u, own_varies, links, out_loglik, slopes)
    latent_slopes(eta, varies, links, rows, u, slopes, out_d_eta)


def combine(links, predictors):
    """Probabilities of all levels: softmax of cumulated log odds."""
    v = np.ascontiguousarray(predictors["p"][..., None] - predictors["threshold"])
    odds = np.empty_like(v)
    _fill_log_odds(LINK_CODES[links["p"]], v.reshape(-1), odds.reshape(-1))
    return {"p": softmax(np.cumsum(odds, axis=-1))}


FAMILY = Family(
    name="acat",
    title="Adjacent category",
    parameters=(Parameter("p", links=("logit", "probit", "cloglog"), support="unit"), step_threshold()),
    kernel=loglik,
    prepare=as_given,
    check_response=partial(check_categories, family="acat", fewest=2),
    random=draw_codes,
    mean=no_mean,
    response_support="category",
    intercept=False,
    bind=bind_steps,
    combine=combine,
    optional=(DISC, CS),
    widen=partial(widened, loglik_latent),
    allows=frozenset({PILOT, MERGES, CODES, CONCAVE}),
    concave=frozenset({"logit"}),
)
