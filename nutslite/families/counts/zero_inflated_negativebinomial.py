"""Zero-inflated negative binomial family: mean mu and shape alpha of the counts, probability psi of these; else zero.

``log p(0) = log(1 - psi + psi (1 + mu / alpha)^-alpha)``, otherwise log(psi) plus the negative binomial log density.
Greene (1994), NYU working paper EC-94-10, with psi the probability of no excess zero.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import negative_binomial
from nutslite._numba import kernel
from nutslite.families.counts.negativebinomial import ALPHA, MU, fill_rows, prepare
from nutslite.families.links.codes import LOG, LOGIT
from nutslite.families.record.family import Family
from nutslite.families.rows.checks import check_counts
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.zeros import PSI, SHARES, fill_shares, inflate_zeros, or_zero

NATIVE = (LOG, LOG, LOGIT)


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: counts, log(counts!)."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    constant = y[1, start : start + rows]
    shares = np.empty((SHARES, rows))
    fill_shares(native[2], varies[2], shares)
    fill_rows(response, constant, native[0], native[1], varies[1], out_loglik, out_d_eta[0], out_d_eta[1])
    inflate_zeros(response, shares, out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def random(rng, parameters, companions):
    """Draw a negative binomial count with probability psi, else zero."""
    return or_zero(rng, parameters["psi"], negative_binomial, parameters["mu"], parameters["alpha"])


def mean(parameters, companions):
    """``psi * mu``: mu is the mean of the negative binomial part."""
    return np.asarray(parameters["psi"]) * np.asarray(parameters["mu"])


FAMILY = Family(
    name="zero_inflated_negativebinomial",
    title="Zero-inflated negative binomial",
    parameters=(MU, ALPHA, PSI),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_counts, family="zero_inflated_negativebinomial"),
    random=random,
    mean=mean,
    response_support="count",
    allows=EVERYTHING - {INTEGRATES},
)
