"""Lognormal distribution with probability psi, else zero."""

from __future__ import annotations

from nutslite.scores.distributions.lognormal import DISTRIBUTION as LOGNORMAL
from nutslite.scores.numerics.apart import or_zero

DISTRIBUTION = or_zero(
    LOGNORMAL,
    "hurdle_lognormal",
    "(1 - psi) |y| + psi E|Z - y| - psi (1 - psi) E Z - psi^2 E|Z - Z'|/2 of lognormal Z; the log density at zero is "
    "the logarithm of its probability",
)
