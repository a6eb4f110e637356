"""Wald (inverse Gaussian) family: mean mu, shape lam, variance ``mu^3 / lam``.

``log p(y) = log(lam) / 2 - log(2 pi y^3) / 2 - lam (y / mu - 1)^2 / (2 y)``.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import wald
from nutslite._numba import inner, kernel
from nutslite._special import HALF_LOG_2PI, exp, expm1, log1mexp, log_ndtr, scaled_tail
from nutslite.families.links.codes import LOG
from nutslite.families.record.family import POSITIVE_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_positive
from nutslite.families.rows.kernel_rows import allocates_nothing, finish_rows, native_rows
from nutslite.families.rows.tails import censored_kernels, complete

NATIVE = (LOG, LOG)
_MU_LINKS = ("inverse_squared", *(link for link in POSITIVE_LINKS if link != "inverse_squared"))


@allocates_nothing
@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response, its logarithm."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    log_response = y[1, start : start + rows]
    log_mu = native[0]
    log_lam = native[1]
    d_mu = out_d_eta[0]
    d_lam = out_d_eta[1]
    if varies[1] == 0:
        lam = np.exp(log_lam[0])
        for i in range(rows):
            excess = expm1(log_response[i] - log_mu[i])
            pull = lam * excess / response[i]
            out_loglik[i] = 0.5 * log_lam[0] - HALF_LOG_2PI - 1.5 * log_response[i] - 0.5 * pull * excess
            d_mu[i] = pull * (1.0 + excess)
            d_lam[i] = 0.5 - 0.5 * pull * excess
    else:
        for i in range(rows):
            excess = expm1(log_response[i] - log_mu[i])
            pull = exp(log_lam[i]) * excess / response[i]
            out_loglik[i] = 0.5 * log_lam[i] - HALF_LOG_2PI - 1.5 * log_response[i] - 0.5 * pull * excess
            d_mu[i] = pull * (1.0 + excess)
            d_lam[i] = 0.5 - 0.5 * pull * excess
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@inner
def fill(points, others, native, varies, below, above, d_below, d_above):
    """Both tails, see `tails.py`.

    With ``r = sqrt(lam / y)``, ``a = r (y / mu - 1)``, ``b = a + 2 r`` and ``G = exp(2 lam / mu) Phi(-b)``, the lower
    one is ``Phi(a) + G`` (Chhikara and Folks 1989, "The inverse Gaussian distribution", chapter 2.4). It changes by
    ``-2 lam / mu G`` with log(mu), and by ``2 lam / mu G - r phi(a)`` with log(lam). G is ``exp(-a^2 / 2)`` times what
    `scaled_tail` has, and so is ``Phi(-a)``.
    """
    for i in range(points.shape[0]):
        log_y, log_lam = np.log(points[i]), native[1, i * varies[1]]
        r, share = exp(0.5 * (log_lam - log_y)), exp(log_y - native[0, i])
        a, b = r * (share - 1.0), r * (share + 1.0)
        log_g = -0.5 * a * a + scaled_tail(b)
        lower = a <= 0.0
        if lower:
            normal = log_ndtr(a)
            most = max(normal, log_g)
            value = most + np.log(np.exp(normal - most) + np.exp(log_g - most)) if most > -np.inf else most
        else:
            near, far = scaled_tail(a), scaled_tail(b)
            value = near - 0.5 * a * a + (log1mexp(near - far) if near > far else -np.inf)
        side = 1.0 if lower else -1.0
        part = 2.0 * exp(log_lam - native[0, i] + log_g - value) if value > -np.inf else 0.0
        slope = r * exp(-0.5 * a * a - HALF_LOG_2PI - value) if value > -np.inf else 0.0
        tail, slopes = (below, d_below) if lower else (above, d_above)
        tail[i] = min(value, 0.0)
        slopes[0, i], slopes[1, i] = -side * part, side * (part - slope)
        complete(i, lower, below, above, d_below, d_above)


def prepare(values):
    """Append ``log(y)``."""
    return np.vstack([values[0], np.log(values[0])])


def random(rng, parameters, companions):
    """Draw with mean mu and shape lam."""
    return wald(rng, parameters["mu"], parameters["lam"])


def mean(parameters, companions):
    """``mu``."""
    return np.asarray(parameters["mu"])


def mean_of_score(parameters, companions, slopes):
    """The score by log(mu) is ``lam (y - mu) / mu^2``."""
    return parameters["mu"] * (1.0 + slopes * parameters["mu"] / parameters["lam"])


FAMILY = Family(
    name="wald",
    title="Wald (inverse Gaussian)",
    parameters=(
        Parameter("mu", links=_MU_LINKS, support="positive"),
        Parameter("lam", links=POSITIVE_LINKS, support="positive", default_prior=("HalfCauchy", {"beta": 1.0})),
    ),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_positive, family="wald"),
    random=random,
    mean=mean,
    response_support="positive",
    censored=censored_kernels("wald", NATIVE, fill),
    mean_of_score=mean_of_score,
    allows=EVERYTHING - {INTEGRATES},
)
