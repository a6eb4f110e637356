"""The smooth check loss of quantile regression, which families of quantiles share.

With the level tau, ``z = (y - mu) / sigma`` and the check loss ``r(z) = z (tau - 1(z < 0))`` the asymmetric Laplace
density is ``tau (1 - tau) exp(-r(z)) / sigma``. Its kink is rounded off at the width h, in units of sigma (the extended
log-F density of Fasiolo, Wood, Zaffran, Nedellec and Goude, 2021, doi:10.1080/01621459.2020.1725521)::

    log p = -r(z) - h log(1 + exp(-|z| / h)) - log(sigma) - log[h B(h (1 - tau), h tau)]
"""

from __future__ import annotations

import math

from nutslite._numba import inlined, kernel
from nutslite._special import decay, digamma, expit, log1p_unit

PILOT_WIDTH = 0.5
"""Of a pilot that looks for the mode of a density with a kink: some rows are near it, and the mode is hardly moved."""


@inlined
def smooth_loss(z, below, above, width):
    """Minus the loss of z, and its derivative; `below` is tau and `above` is 1 - tau."""
    bend = decay(z / width)
    share = (1.0 if z > 0.0 else bend) / (1.0 + bend)
    loss = below * z if z > 0.0 else -above * z
    return -loss - width * log1p_unit(bend), above - share


@kernel
def smooth_constant(level, width):
    """``-log[h B(h (1 - tau), h tau)]``, its derivative by `level` = logit(tau), and tau, 1 - tau."""
    below, above = expit(level), expit(-level)
    a, b = width * above, width * below
    product = -abs(level) - 2.0 * log1p_unit(decay(level))  # log(tau (1 - tau))
    value = math.lgamma(1.0 + width) - math.lgamma(1.0 + a) - math.lgamma(1.0 + b) + product
    slope = above - below - width * below * above * (digamma(1.0 + b) - digamma(1.0 + a))
    return value, slope, below, above
