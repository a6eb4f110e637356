"""Uniform distribution between lower and upper."""

from __future__ import annotations

import math

import numpy as np

from nutslite.exceptions import DataError
from nutslite.scores.numerics.distribution import Distribution


def _check(lower, upper):
    wrong = np.flatnonzero(np.ravel(lower >= upper))
    if wrong.size:
        raise DataError(f"lower must be below upper; in row {wrong[0]} it is not ({wrong.size} of {np.size(lower)}).")


def _share(y, lower, upper):
    return np.clip((y - lower) / (upper - lower), 0.0, 1.0)


def _deviation(y, lower, upper):
    u = _share(y, lower, upper)
    inside = np.clip(y, lower, upper)
    return 0.5 * (upper - lower) * (u * u + (1.0 - u) ** 2) + np.abs(y - inside)


DISTRIBUTION = Distribution(
    name="uniform",
    parameters={"lower": "finite", "upper": "finite"},
    log_density=lambda y, lower, upper: np.where((y >= lower) & (y <= upper), -np.log(upper - lower), -np.inf),
    cdf=_share,
    quantile=lambda q, lower, upper: lower + q * (upper - lower),
    mean=lambda lower, upper: 0.5 * (lower + upper),
    sd=lambda lower, upper: (upper - lower) / math.sqrt(12.0),
    deviation=_deviation,
    half_difference=lambda lower, upper: (upper - lower) / 6.0,
    random=lambda rng, lower, upper: rng.uniform(lower, upper),
    check=_check,
    note="(upper - lower) ((u^2 + (1 - u)^2)/2 - 1/6) and the distance to the interval, u the share of it below y: "
    "Jordan, "
    "Krueger and Lerch (2019), appendix A",
    known=("0.5, lower=0.0, upper=1.0", 0.083333),
    scipy="uniform(lower, upper - lower)",
)
