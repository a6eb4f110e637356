"""Gamma distribution with probability psi, else zero."""

from __future__ import annotations

from nutslite.scores.distributions.gamma import DISTRIBUTION as GAMMA
from nutslite.scores.numerics.apart import or_zero

DISTRIBUTION = or_zero(
    GAMMA,
    "hurdle_gamma",
    "(1 - psi) |y| + psi E|Z - y| - psi (1 - psi) mu - psi^2 E|Z - Z'|/2 of gamma Z; the log density at zero is the "
    "logarithm of its probability",
)
