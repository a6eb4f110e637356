"""Zero-inflated binomial family: probability p of success, probability psi of the binomial part; else no successes.

``log p(0) = log(1 - psi + psi (1 - p)^n)``, otherwise log(psi) plus the binomial log density. Hall (2000), Biometrics
56, with psi = 1 - p there.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite import _draws
from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._numba import kernel
from nutslite.families.links.codes import LOGIT
from nutslite.families.proportions.binomial import fill_rows, prepare
from nutslite.families.record.family import UNIT_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_trials
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.zeros import PSI, SHARES, fill_shares, inflate_zeros, or_zero

NATIVE = (LOGIT, LOGIT)


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: successes, trials, log(trials choose successes)."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    trials = y[1, start : start + rows]
    log_choose = y[2, start : start + rows]
    shares = np.empty((SHARES, rows))
    fill_shares(native[1], varies[1], shares)
    fill_rows(response, trials, log_choose, native[0], out_loglik, out_d_eta[0])
    inflate_zeros(response, shares, out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def random(rng, parameters, companions):
    """Draw the number of successes among ``trials`` with probability psi, else zero."""
    return or_zero(rng, parameters["psi"], _draws.binomial, companions["trials"], parameters["p"])


def mean(parameters, companions):
    """``psi * trials * p``, a count."""
    return np.asarray(parameters["psi"]) * np.asarray(companions["trials"]) * np.asarray(parameters["p"])


FAMILY = Family(
    name="zero_inflated_binomial",
    title="Zero-inflated binomial",
    parameters=(Parameter("p", links=UNIT_LINKS, support="unit"), PSI),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_trials, family="zero_inflated_binomial"),
    random=random,
    mean=mean,
    response_support="trials",
    companions=("trials",),
    allows=EVERYTHING - {INTEGRATES},
)
