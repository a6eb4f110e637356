"""Cumulative family for ordered levels: a latent scale, cut by increasing thresholds.

``P(y <= k) = F(threshold_k - eta)``, F the inverse of the link: logistic, normal (probit) or complementary log-log. It
has K - 1 thresholds for K levels and no intercept, whose place they take. Probabilities are never made as differences
of F: at eta = -40 that would be 0 where the truth is 1e-18.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from nutslite._capabilities import CODES, CONCAVE, MERGES, PILOT
from nutslite._numba import inner, kernel
from nutslite._special import decay, expit, log1mexp, log1p_unit, log_ndtr, ndtr, softplus
from nutslite.families.links.codes import CLOGLOG, LOGIT, PROBIT, inverse_array
from nutslite.families.links.parameter import Parameter
from nutslite.families.record.family import Family
from nutslite.families.rows.categories import as_given, check_categories, draw_codes, no_mean, say_order
from nutslite.families.rows.latent import DISC, latent_rows, latent_slopes, widened

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
ROOT_HALF = math.sqrt(0.5)
SMALL_HAZARD = 1e-8  # of which 1 - exp(-h) is h to double precision, but for a factor 1 - h / 2


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: codes of levels; eta: the latent mean, then K - 1 thresholds."""
    rows = out_loglik.shape[0]
    last = eta.shape[0] - 1
    weighted = weights.shape[0] > 0
    shared = links[0] == LOGIT
    for j in range(1, eta.shape[0]):
        shared = shared and varies[j] == 0
    if shared:
        _logistic_rows(y, weights, start, eta, varies, out_loglik, out_d_eta)
        return
    slopes = np.empty(2)
    for j in range(eta.shape[0]):
        if varies[j] == 0:
            out_d_eta[j, 0] = 0.0
        else:
            for i in range(rows):
                out_d_eta[j, i] = 0.0
    for i in range(rows):
        weight = weights[start + i] if weighted else 1.0
        level = int(y[0, start + i])
        mean = eta[0, i if varies[0] == 1 else 0]
        below = eta[level, i if varies[level] == 1 else 0] - mean if level > 0 else -np.inf
        above = eta[level + 1, i if varies[level + 1] == 1 else 0] - mean if level < last else np.inf
        out_loglik[i] = weight * _log_between(links[0], below, above, level > 0, level < last, slopes)
        out_d_eta[0, i if varies[0] == 1 else 0] -= weight * (slopes[0] + slopes[1])
        if level > 0:
            out_d_eta[level, i if varies[level] == 1 else 0] += weight * slopes[0]
        if level < last:
            out_d_eta[level + 1, i if varies[level + 1] == 1 else 0] += weight * slopes[1]


@inner
def _logistic_rows(y, weights, start, eta, varies, out_loglik, out_d_eta):
    """Rows of the logistic distribution that share their thresholds, some five times as fast as one after the other.

    For F logistic, ``log(F(b) - F(a)) = -softplus(a) - softplus(-b) + log(1 - exp(-(b - a)))``, whose last term and its
    derivative ``1 / expm1(b - a)`` are the same in all rows of a level. The rest vectorises.
    """
    rows = out_loglik.shape[0]
    last = eta.shape[0] - 1
    log_width, share, passed = np.zeros(last + 1), np.zeros(last + 1), np.zeros((2, last + 1))
    for level in range(1, last):
        width = eta[level + 1, 0] - eta[level, 0]
        share[level] = 1.0 / np.expm1(width) if width > 0.0 else 0.0
        log_width[level] = log1mexp(width) if width > 0.0 else -np.inf
    above, below = np.empty(rows), np.empty(rows)  # how far the lower end is above the mean, and the upper end below it
    for i in range(rows):
        level = int(y[0, start + i])
        mean = eta[0, i if varies[0] == 1 else 0]
        above[i] = eta[level, 0] - mean if level > 0 else -np.inf
        below[i] = mean - eta[level + 1, 0] if level < last else -np.inf
    for i in range(rows):
        # softplus and expit of both, with one exponential each; calls of these functions would not vectorise.
        x, z = above[i], below[i]
        small_x, small_z = decay(x), decay(z)
        one_over = 1.0 / ((1.0 + small_x) * (1.0 + small_z))
        larger = -(x if x > 0.0 else 0.0) - (z if z > 0.0 else 0.0)
        out_loglik[i] = larger - log1p_unit(small_x) - log1p_unit(small_z)
        above[i] = (small_x if x < 0.0 else 1.0) * (1.0 + small_z) * one_over
        below[i] = (small_z if z < 0.0 else 1.0) * (1.0 + small_x) * one_over
    for j in range(last + 1):
        out_d_eta[j, 0] = 0.0
    for i in range(rows):
        weight = weights[start + i] if weights.shape[0] > 0 else 1.0
        level = int(y[0, start + i])
        out_loglik[i] = weight * (out_loglik[i] + log_width[level])
        passed[0, level] += weight * (above[i] + share[level])
        passed[1, level] += weight * (below[i] + share[level])
        slope = weight * (above[i] - below[i])
        if varies[0] == 1:
            out_d_eta[0, i] = slope
        else:
            out_d_eta[0, 0] += slope
    for level in range(last + 1):
        if level > 0:
            out_d_eta[level, 0] -= passed[0, level]
        if level < last:
            out_d_eta[level + 1, 0] += passed[1, level]


@inner
def _log_between(link, a, b, has_lower, has_upper, slopes):
    """``log(F(b) - F(a))``; its derivatives by a and b overwrite `slopes`. Without a lower end F(a) is 0, and so on."""
    slopes[0] = 0.0
    slopes[1] = 0.0
    if link == PROBIT:
        return _normal_between(a, b, has_lower, has_upper, slopes)
    if link == CLOGLOG:
        return _gumbel_between(a, b, has_lower, has_upper, slopes)
    if not has_lower:
        slopes[1] = expit(-b)
        return -softplus(-b)
    if not has_upper:
        slopes[0] = -expit(a)
        return -softplus(a)
    if not b > a:
        return -np.inf
    share = 1.0 / np.expm1(b - a)
    slopes[0] = -expit(a) - share
    slopes[1] = expit(-b) + share
    return log1mexp(b - a) - softplus(-b) - softplus(a)


@inner
def _normal_between(a, b, has_lower, has_upper, slopes):
    """Of the normal distribution: in the tail where its distribution function is small."""
    if not has_lower:
        total = log_ndtr(b)
    elif not has_upper:
        total = log_ndtr(-a)
    elif not b > a:
        return -np.inf
    elif a < 0.0 < b:
        wide = b - a > 1.0
        total = (
            np.log1p(-ndtr(a) - ndtr(-b)) if wide else np.log(0.5 * (math.erf(b * ROOT_HALF) - math.erf(a * ROOT_HALF)))
        )
    else:
        larger = log_ndtr(b) if b <= 0.0 else log_ndtr(-a)
        smaller = log_ndtr(a) if b <= 0.0 else log_ndtr(-b)
        total = larger + log1mexp(larger - smaller)
    if has_lower:
        slopes[0] = -np.exp(-0.5 * a * a - HALF_LOG_2PI - total)
    if has_upper:
        slopes[1] = np.exp(-0.5 * b * b - HALF_LOG_2PI - total)
    return total


@inner
def _gumbel_between(a, b, has_lower, has_upper, slopes):
    """Of F(x) = 1 - exp(-exp(x)), the inverse of the complementary log-log link."""
    if not has_lower:
        hazard = np.exp(b)
        if hazard < SMALL_HAZARD:
            slopes[1] = 1.0
            return b - 0.5 * hazard
        slopes[1] = hazard / np.expm1(hazard)
        return log1mexp(hazard)
    lower = np.exp(a)
    if not has_upper:
        slopes[0] = -lower
        return -lower
    if not b > a:
        return -np.inf
    hazard = lower * np.expm1(b - a)
    if hazard < SMALL_HAZARD:
        slopes[0] = -lower - 1.0 / np.expm1(b - a)
        slopes[1] = -1.0 / np.expm1(a - b)
        return a + np.log(np.expm1(b - a)) - 0.5 * hazard - lower
    share = 1.0 / np.expm1(hazard)
    slopes[0] = -lower * (1.0 + share)
    slopes[1] = np.exp(b) * share
    return log1mexp(hazard) - lower


@kernel
def loglik_latent(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """The same with disc and category-specific effects: `nutslite.families.rows.latent`."""
    rows = out_loglik.shape[0]
    u, own_varies, slopes = latent_rows(eta, varies, links, rows)
    loglik(y, weights, start, u, own_varies, links, out_loglik, slopes)
    latent_slopes(eta, varies, links, rows, u, slopes, out_d_eta)


def bind(family, response):
    """One threshold between any two neighbouring levels, with priors spread over the latent scale as Bambi's are."""
    say_order(response)
    size = len(response.levels) - 1
    middles = np.round(np.linspace(-2.0, 2.0, size), 2) if size > 1 else np.zeros(1)
    threshold = Parameter(
        "threshold",
        links=("identity",),
        default_prior=("Normal", {"mu": middles, "sigma": 1.0}),
        dim="threshold_dim",
        labels=tuple(range(size)),
        ordered=True,
    )
    return {
        "parameters": (family.parent, threshold),
        "combined": {"p": (f"{response.name}_dim", response.levels)},
    }


def combine(links, predictors):
    """Probabilities of all levels: differences of the distribution function, from the end where it is small."""
    latent = predictors["threshold"] - predictors["p"][..., None]
    link = links["p"]
    below = inverse_array(link, latent)
    if link == "cloglog":
        above = np.exp(-np.exp(np.minimum(latent, 700.0)))
    else:
        above = inverse_array(link, -latent)
    edge = np.zeros((*latent.shape[:-1], 1))
    from_below = np.diff(np.concatenate([edge, below, edge + 1.0], axis=-1), axis=-1)
    from_above = -np.diff(np.concatenate([edge + 1.0, above, edge], axis=-1), axis=-1)
    small = np.concatenate([below, edge + 1.0], axis=-1) < 0.5
    return {"p": np.maximum(np.where(small, from_below, from_above), 0.0)}


FAMILY = Family(
    name="cumulative",
    title="Cumulative",
    parameters=(
        Parameter("p", links=("logit", "probit", "cloglog"), support="unit"),
        Parameter("threshold", links=("identity",), dim="threshold_dim", ordered=True, default_prior=("Normal", {})),
    ),
    kernel=loglik,
    prepare=as_given,
    check_response=partial(check_categories, family="cumulative", fewest=2),
    random=draw_codes,
    mean=no_mean,
    response_support="category",
    intercept=False,
    bind=bind,
    combine=combine,
    optional=(DISC,),
    widen=partial(widened, loglik_latent),
    allows=frozenset({PILOT, MERGES, CODES, CONCAVE}),
    concave=frozenset({"logit", "probit", "cloglog"}),
)
