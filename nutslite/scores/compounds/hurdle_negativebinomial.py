"""Negative binomial count above zero with probability psi, else zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nutslite import _draws
from nutslite.scores.distributions.negativebinomial import DISTRIBUTION as NEGATIVE_BINOMIAL
from nutslite.scores.numerics.apart import above_zero, or_zero


def _random(rng, mu, alpha):
    return _draws.negative_binomial_above_zero(rng, mu, alpha).astype(np.float64)


_ABOVE = replace(
    above_zero(NEGATIVE_BINOMIAL, lambda mu, alpha: -alpha * np.log1p(mu / alpha)),
    parameters={"mu": "positive", "alpha": "positive"},
    random=_random,
)

DISTRIBUTION = or_zero(
    _ABOVE,
    "hurdle_negativebinomial",
    "(1 - psi) |y| + psi E|Z - y| - psi (1 - psi) E Z - psi^2 E|Z - Z'|/2 of a negative binomial count Z that is not "
    "zero, each by those of all counts without their zeros",
)
