"""Poisson count above zero with probability psi, else zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nutslite import _draws
from nutslite.scores.distributions.poisson import DISTRIBUTION as POISSON
from nutslite.scores.numerics.apart import above_zero, or_zero


def _random(rng, mu):
    return _draws.poisson_above_zero(rng, mu).astype(np.float64)


_ABOVE = replace(above_zero(POISSON, lambda mu: -mu), parameters={"mu": "positive"}, random=_random)

DISTRIBUTION = or_zero(
    _ABOVE,
    "hurdle_poisson",
    "(1 - psi) |y| + psi E|Z - y| - psi (1 - psi) E Z - psi^2 E|Z - Z'|/2 of a Poisson count Z that is not zero, each "
    "by those of all counts without their zeros",
)
