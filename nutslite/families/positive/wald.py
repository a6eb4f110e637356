"""Wald (inverse Gaussian) family: mean mu, shape lam, variance ``mu^3 / lam``.

``log p(y) = log(lam) / 2 - log(2 pi y^3) / 2 - lam (y / mu - 1)^2 / (2 y)``.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import wald
from nutslite._numba import inner, kernel
from nutslite._special import HALF_LOG_2PI, exp, expm1
from nutslite.families.links.codes import LOG
from nutslite.families.record.family import POSITIVE_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_positive
from nutslite.families.rows.half_line import NEGLIGIBLE, NODES, WEIGHTS
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.tails import censored_kernels, complete

NATIVE = (LOG, LOG)
_MU_LINKS = ("inverse_squared", *(link for link in POSITIVE_LINKS if link != "inverse_squared"))


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
    """Both tails, see `tails.py`: by quadrature over ``v = log(y / mu)``, away from the mode of its density.

    With ``q = lam / mu`` the logarithm of that is ``(log(q) - v - log(2 pi)) / 2 - 2 q sinh(v / 2)^2``.
    """
    for i in range(points.shape[0]):
        log_q = native[1, i * varies[1]] - native[0, i]
        q, v = exp(log_q), np.log(points[i]) - native[0, i]
        at = -0.5 * v - 2.0 * q * np.sinh(0.5 * v) ** 2
        rise = -0.5 - q * np.sinh(v)
        lower = rise > 0.0
        width = 1.0 / np.hypot(rise, np.sqrt(q * np.cosh(v)))
        total, mu, lam = 0.0, 0.0, 0.0
        for n in range(NODES.shape[0]):
            moved = v - width * NODES[n] if lower else v + width * NODES[n]
            pull = 2.0 * q * np.sinh(0.5 * moved) ** 2
            value = -0.5 * moved - pull
            if not value - at > NEGLIGIBLE:
                break
            weight = WEIGHTS[n] * np.exp(value - at)
            total += weight
            mu += weight * q * np.expm1(moved)
            lam += weight * (0.5 - pull)
        tail, slopes = (below, d_below) if lower else (above, d_above)
        tail[i] = min(0.5 * log_q - HALF_LOG_2PI + at + np.log(width * total), 0.0)
        slopes[0, i], slopes[1, i] = mu / total, lam / total
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
