"""Beta distribution with probability 1 - zoi, else 1 with probability coi, else 0."""

from __future__ import annotations

from nutslite.scores.distributions.beta import DISTRIBUTION as BETA
from nutslite.scores.numerics.apart import or_ends


def _ends(mu, kappa, zoi, coi):
    return zoi * (1.0 - coi), zoi * coi


DISTRIBUTION = or_ends(
    BETA,
    _ends,
    "zero_one_inflated_beta",
    {**BETA.parameters, "zoi": "unit", "coi": "unit"},
    "averages over 0, 1 and a beta variable X: E|X - y| of each, and of pairs E|X - X'|/2, mu and 1 - mu; the log "
    "density at an end is the logarithm of its probability",
)
