"""Negative binomial count with probability psi, else zero."""

from __future__ import annotations

from nutslite.scores.distributions.negativebinomial import DISTRIBUTION as NEGATIVE_BINOMIAL
from nutslite.scores.numerics.apart import or_zero

DISTRIBUTION = or_zero(
    NEGATIVE_BINOMIAL,
    "zero_inflated_negativebinomial",
    "(1 - psi) |y| + psi E|X - y| - psi (1 - psi) mu - psi^2 E|X - X'|/2 of negative binomial X",
)
