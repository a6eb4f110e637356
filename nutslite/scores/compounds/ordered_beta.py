"""0 and 1 beyond two cuts of a logistic latent scale about logit(mu), cutzero and cutzero + gap; else beta."""

from __future__ import annotations

from scipy import special

from nutslite.scores.distributions.beta import DISTRIBUTION as BETA
from nutslite.scores.numerics.apart import or_ends


def _ends(mu, kappa, cutzero, gap):
    a = cutzero - special.logit(mu)
    return special.expit(a), special.expit(-(a + gap))


DISTRIBUTION = or_ends(
    BETA,
    _ends,
    "ordered_beta",
    {**BETA.parameters, "cutzero": "finite", "gap": "positive"},
    "averages over 0, 1 and a beta variable X: E|X - y| of each, and of pairs E|X - X'|/2, mu and 1 - mu; the log "
    "density at an end is the logarithm of its probability: Kubinec (2023)",
)
