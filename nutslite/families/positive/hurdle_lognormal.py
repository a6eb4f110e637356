"""Hurdle lognormal family: zero with probability ``1 - psi``, else a variable whose logarithm is Normal(mu, sigma).

Duan, Manning, Morris and Newhouse (1983), Journal of Business and Economic Statistics 1 ("two-part models").
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._numba import kernel
from nutslite.families.links.codes import IDENTITY, LOG, LOGIT
from nutslite.families.positive import lognormal
from nutslite.families.positive.lognormal import SIGMA, fill_rows
from nutslite.families.record.family import REAL_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_not_negative
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.zeros import PSI, SHARES, fill_shares, hurdle_zeros, or_zero, with_logs

NATIVE = (IDENTITY, LOG, LOGIT)


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response, its logarithm or 0."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    log_response = y[1, start : start + rows]
    shares = np.empty((SHARES, rows))
    fill_shares(native[2], varies[2], shares)
    fill_rows(log_response, native[0], native[1], varies[1], out_loglik, out_d_eta[0], out_d_eta[1])
    hurdle_zeros(response, shares, out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def random(rng, parameters, companions):
    """Draw exp(Normal(mu, sigma)) with probability psi, else zero."""
    return or_zero(rng, parameters["psi"], lognormal.draw, parameters["mu"], parameters["sigma"])


def mean(parameters, companions):
    """``psi * exp(mu + sigma^2 / 2)``: mu is the mean of the logarithm of what is not zero."""
    return np.asarray(parameters["psi"]) * lognormal.mean(parameters, companions)


FAMILY = Family(
    name="hurdle_lognormal",
    title="Hurdle lognormal",
    parameters=(Parameter("mu", links=REAL_LINKS, support="real"), SIGMA, PSI),
    kernel=loglik,
    prepare=with_logs,
    check_response=partial(check_not_negative, family="hurdle_lognormal"),
    random=random,
    mean=mean,
    response_support="nonnegative",
    allows=EVERYTHING - {INTEGRATES},
    concave=frozenset({"identity"}),
)
