"""Hurdle negative binomial family: zero with probability ``1 - psi``, else a negative binomial count that is not zero.

mu and alpha are mean and shape of the negative binomial distribution before its zeros are taken away. With
``L = log(1 + mu / alpha)`` and ``share = mu / (alpha + mu)``, their log probability is ``-m = -alpha L``. To take them
away adds ``-log(1 - exp(-m))`` to the log density of y > 0, ``-r share / L`` to its derivative by log(mu) and
``r (share / L - 1)`` to that by log(alpha), where ``r = m / (exp(m) - 1)``.

Mullahy (1986), Journal of Econometrics 33.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import negative_binomial_above_zero
from nutslite._numba import kernel
from nutslite._special import decay, exp, expm1, log, log1p_unit
from nutslite.families.counts.negativebinomial import ALPHA, MU, fill_rows, prepare
from nutslite.families.links.codes import LOG, LOGIT
from nutslite.families.record.family import Family
from nutslite.families.rows.checks import check_counts
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.zeros import PSI, SHARES, fill_shares, hurdle_zeros, or_zero

NATIVE = (LOG, LOG, LOGIT)
_SMALL = -37.0  # of log(x), below which log(1 + x) is x


@kernel
def _take_zeros(log_mu, log_alpha, varies, out_loglik, d_mu, d_alpha):
    """Make of rows of a density those of the same density without zeros."""
    for i in range(out_loglik.shape[0]):
        log_a = log_alpha[i * varies]
        x = log_mu[i] - log_a
        e = decay(x)
        stretch = (x if x > 0.0 else 0.0) + log1p_unit(e)
        small = x < _SMALL
        log_m = log_mu[i] if small else log_a + log(stretch)
        m = exp(709.0 if log_m > 709.0 else log_m)
        ratio = -expm1(-m) / m if m > 0.0 else 1.0
        pull = exp(-m) / ratio
        lean = 1.0 if small else (1.0 if x > 0.0 else e) / (1.0 + e) / stretch
        out_loglik[i] -= log_m + log(ratio)
        d_mu[i] -= pull * lean
        d_alpha[i] += pull * (lean - 1.0)


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
    _take_zeros(native[0], native[1], varies[1], out_loglik, out_d_eta[0], out_d_eta[1])
    hurdle_zeros(response, shares, out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def random(rng, parameters, companions):
    """Draw a count above zero with probability psi, else zero."""
    return or_zero(rng, parameters["psi"], negative_binomial_above_zero, parameters["mu"], parameters["alpha"])


def mean(parameters, companions):
    """``psi * mu / (1 - (1 + mu / alpha)^-alpha)``."""
    mu, alpha = np.broadcast_arrays(parameters["mu"], parameters["alpha"])
    with np.errstate(all="ignore"):
        present = -np.expm1(-alpha * np.log1p(mu / alpha))
        above_zero = np.where(present > 0.0, mu / present, 1.0)
    return np.asarray(parameters["psi"]) * above_zero


FAMILY = Family(
    name="hurdle_negativebinomial",
    title="Hurdle negative binomial",
    parameters=(MU, ALPHA, PSI),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_counts, family="hurdle_negativebinomial"),
    random=random,
    mean=mean,
    response_support="count",
    allows=EVERYTHING - {INTEGRATES},
)
