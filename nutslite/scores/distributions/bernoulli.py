"""Bernoulli distribution: 1 with probability p, else 0."""

from __future__ import annotations

import numpy as np

from nutslite.scores.numerics.distribution import Distribution


def _log_density(y, p):
    with np.errstate(divide="ignore"):
        return np.where(y == 1.0, np.log(p), np.where(y == 0.0, np.log1p(-p), -np.inf))


def _crps(y, p):
    inside = np.clip(y, 0.0, 1.0)
    return inside * (1.0 - p) ** 2 + (1.0 - inside) * p * p + np.abs(y - inside)


DISTRIBUTION = Distribution(
    name="bernoulli",
    parameters={"p": "unit"},
    log_density=_log_density,
    cdf=lambda y, p: np.where(y >= 1.0, 1.0, np.where(y >= 0.0, 1.0 - p, 0.0)),
    quantile=lambda q, p: (q > 1.0 - p).astype(np.float64),
    mean=lambda p: p,
    sd=lambda p: np.sqrt(p * (1.0 - p)),
    deviation=lambda y, p: (1.0 - p) * np.abs(y) + p * np.abs(1.0 - y),
    half_difference=lambda p: p * (1.0 - p),
    random=lambda rng, p: (rng.random(np.shape(p)) < p).astype(np.float64),
    whole=True,
    crps=_crps,
    note="(p - y)^2: the Brier score",
    known=("1, p=0.8", 0.04),
    scipy="bernoulli(p)",
)
