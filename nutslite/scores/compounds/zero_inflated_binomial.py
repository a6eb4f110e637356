"""Successes of n trials with probability psi, else zero."""

from __future__ import annotations

from nutslite.scores.distributions.binomial import DISTRIBUTION as BINOMIAL
from nutslite.scores.numerics.apart import or_zero

DISTRIBUTION = or_zero(
    BINOMIAL,
    "zero_inflated_binomial",
    "(1 - psi) |y| + psi E|X - y| - psi (1 - psi) n p - psi^2 E|X - X'|/2 of binomial X",
)
