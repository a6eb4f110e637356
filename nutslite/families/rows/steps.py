"""What families of ordered levels share that are passed one by one: thresholds in any order, and the single step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nutslite._numba import inner
from nutslite._special import expit, log1mexp, log_ndtr, ndtr_hazard, softplus
from nutslite.families.links.codes import CLOGLOG, PROBIT, inverse_array
from nutslite.families.links.parameter import Parameter
from nutslite.families.rows.categories import say_order

SMALL_HAZARD = 1e-8  # of which 1 - exp(-h) is h to double precision, but for a factor 1 - h / 2


@inner
def log_step(link, u, below):
    """``log F(u)`` where it is `below`, else ``log(1 - F(u))``; and its derivative. F is the inverse of the link."""
    if link == PROBIT:
        side = 1.0 if below else -1.0
        return log_ndtr(side * u), side * ndtr_hazard(side * u)
    if link == CLOGLOG:
        hazard = np.exp(u)
        if not below:
            return -hazard, -hazard
        if hazard < SMALL_HAZARD:
            return u - 0.5 * hazard, 1.0
        return log1mexp(hazard), hazard / np.expm1(hazard)
    return (-softplus(-u), expit(-u)) if below else (-softplus(u), -expit(u))


@inner
def step_rows(stops, y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """The family kernel of levels that are passed one by one; see docs/architecture.md.

    F is the probability to stop at level k, of ``threshold_k - eta``, or to go on, of ``eta - threshold_k``.
    y: codes of levels; eta: the latent mean, then K - 1 thresholds.
    """
    rows = out_loglik.shape[0]
    last = eta.shape[0] - 1
    weighted = weights.shape[0] > 0
    side = -1.0 if stops else 1.0
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
            value, slope = log_step(links[0], side * (mean - eta[j + 1, at]), (j == level) == stops)
            total += value
            out_d_eta[0, i if varies[0] == 1 else 0] += weight * side * slope
            out_d_eta[j + 1, at] -= weight * side * slope
        out_loglik[i] = weight * total


def step_probabilities(links, predictors, *, stops):
    """Probabilities of all levels: to have come so far, times to stop there."""
    side = -1.0 if stops else 1.0
    u = side * (predictors["p"][..., None] - predictors["threshold"])
    below = inverse_array(links["p"], u)
    above = np.exp(-np.exp(np.minimum(u, 700.0))) if links["p"] == "cloglog" else inverse_array(links["p"], -u)
    stop, go_on = (below, above) if stops else (above, below)
    one = np.ones((*u.shape[:-1], 1))
    reached = np.concatenate([one, np.cumprod(go_on, axis=-1)], axis=-1)
    return {"p": reached * np.concatenate([stop, one], axis=-1)}


def step_threshold():
    """Thresholds, before it is known how many: standard normal each, in whatever order."""
    prior = ("Normal", {"mu": 0.0, "sigma": 1.0})
    return Parameter("threshold", links=("identity",), dim="threshold_dim", default_prior=prior, constant=True)


def bind_steps(family, response):
    """One threshold for each level but the last."""
    say_order(response)
    size = len(response.levels) - 1
    prior = ("Normal", {"mu": np.zeros(size), "sigma": 1.0})
    threshold = replace(step_threshold(), default_prior=prior, labels=tuple(range(size)))
    return {
        "parameters": (family.parent, threshold),
        "combined": {"p": (f"{response.name}_dim", response.levels)},
    }
