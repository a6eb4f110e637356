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

from nutslite._capabilities import CODES, CONCAVE, MERGES, PILOT
from nutslite._numba import kernel
from nutslite.families.links.parameter import Parameter
from nutslite.families.record.family import Family
from nutslite.families.rows.categories import as_given, check_categories, draw_codes, no_mean
from nutslite.families.rows.latent import CS, DISC, latent_rows, latent_slopes, widened
from nutslite.families.rows.steps import bind_steps, step_probabilities, step_rows, step_threshold


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: codes of levels; eta: the latent mean, then K - 1 thresholds."""
    step_rows(False, y, weights, start, eta, varies, links, out_loglik, out_d_eta)


@kernel
def loglik_latent(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """The same with disc and category-specific effects: `nutslite.families.rows.latent`."""
    rows = out_loglik.shape[0]
    u, own_varies, slopes = latent_rows(eta, varies, links, rows)
    loglik(y, weights, start, u, own_varies, links, out_loglik, slopes)
    latent_slopes(eta, varies, links, rows, u, slopes, out_d_eta)


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
    combine=partial(step_probabilities, stops=False),
    optional=(DISC, CS),
    widen=partial(widened, loglik_latent),
    allows=frozenset({PILOT, MERGES, CODES, CONCAVE}),
    concave=frozenset({"logit", "probit", "cloglog"}),
)
