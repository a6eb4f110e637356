"""What families of ordered levels share that are passed one by one: thresholds in any order, and the single step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nutslite._numba import inner
from nutslite._special import expit, log1mexp, log_ndtr, ndtr_hazard, softplus
from nutslite.families.links.codes import CLOGLOG, PROBIT
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
