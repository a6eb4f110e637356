"""Shifted lognormal family: a time ndt, and after it a lognormal one; responses are above ndt.

``log(y - ndt)`` has mean mu and standard deviation sigma; ndt is the *non-decision time* of reaction times. With
``w = ndt / (y - ndt)`` the derivative by log(ndt) is ``w (1 + z / sigma)``. The density goes to zero at ndt faster than
any power, so that ndt has a smooth posterior whose end is the least response.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._numba import inner, kernel
from nutslite._special import HALF_LOG_2PI, exp, log_ndtr, ndtr_hazard
from nutslite.families.links.codes import IDENTITY, LOG
from nutslite.families.positive import lognormal
from nutslite.families.record.family import POSITIVE_LINKS, REAL_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_positive
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.normal_tails import log_interval

NATIVE = (IDENTITY, LOG, LOG)


@inner
def _place(y, log_ndt):
    """``log(y - ndt)``, and minus its derivative by log(ndt); minus infinity and zero where y is not above ndt."""
    ndt = exp(log_ndt)
    rest = y - ndt
    if not rest > 0.0:
        return (-math.inf if rest <= 0.0 else math.nan), 0.0
    return np.log(rest), ndt / rest + 0.0 * log_ndt  # nan where log(ndt) is not finite


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    for i in range(rows):
        place, pull = _place(y[0, start + i], native[2, i * varies[2]])
        log_sigma = native[1, i * varies[1]]
        precision = exp(-log_sigma)
        z = (place - native[0, i]) * precision
        density = -place - log_sigma - HALF_LOG_2PI - 0.5 * z * z
        out_loglik[i] = -math.inf if place == -math.inf else density
        out_d_eta[0, i] = z * precision
        out_d_eta[1, i] = z * z - 1.0
        out_d_eta[2, i] = pull * (1.0 + z * precision)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@inner
def _fill_tail(side, y, eta, sigma_varies, ndt_varies, out_loglik, out_d_eta):
    """Overwrite the log probability and its derivatives: at most y (`side` 1), at least y (-1)."""
    for i in range(out_loglik.shape[0]):
        place, pull = _place(y[i], eta[2, i * ndt_varies])
        precision = np.exp(-eta[1, i * sigma_varies])
        z = side * (place - eta[0, i]) * precision
        hazard = ndtr_hazard(z) if z < math.inf else 0.0
        out_loglik[i] = log_ndtr(z) if z > -math.inf else z
        out_d_eta[0, i] = -side * hazard * precision if hazard > 0.0 else 0.0
        out_d_eta[1, i] = -hazard * z if hazard > 0.0 else 0.0
        out_d_eta[2, i] = pull * out_d_eta[0, i] if pull > 0.0 else 0.0


@kernel
def left(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is at most y."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    _fill_tail(1.0, y[0, start : start + rows], native, varies[1], varies[2], out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def right(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is at least y."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    _fill_tail(-1.0, y[0, start : start + rows], native, varies[1], varies[2], out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def interval(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is in an interval. y: its ends."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    for i in range(rows):
        log_ndt, log_sigma = native[2, i * varies[2]], native[1, i * varies[1]]
        below, pull_below = _place(y[0, start + i], log_ndt)
        above, pull_above = _place(y[y.shape[0] // 2, start + i], log_ndt)
        precision = np.exp(-log_sigma)
        low, high = (below - native[0, i]) * precision, (above - native[0, i]) * precision
        if below > -math.inf:
            total, d_place, d_scale = log_interval(low, high, (above - below) * precision)
        else:  # the whole of what is below the upper end
            hazard = ndtr_hazard(high)
            total = log_ndtr(high) if high > -math.inf else high
            d_place, d_scale = -hazard, (-hazard * high if hazard > 0.0 else 0.0)
        out_loglik[i] = total
        out_d_eta[0, i] = d_place * precision
        out_d_eta[1, i] = d_scale
        at_low = np.exp(-0.5 * low * low - HALF_LOG_2PI - total) if pull_below > 0.0 else 0.0
        at_high = np.exp(-0.5 * high * high - HALF_LOG_2PI - total)
        out_d_eta[2, i] = (pull_below * at_low - pull_above * at_high) * precision
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Nothing to precompute."""
    return np.ascontiguousarray(values, dtype=np.float64)


def random(rng, parameters, companions):
    """ndt plus the exponential of a normal variable, however small this is."""
    ndt = np.asarray(parameters["ndt"], dtype=np.float64)
    return np.maximum(ndt + lognormal.random(rng, parameters, companions), np.nextafter(ndt, np.inf))


def mean(parameters, companions):
    """``ndt + exp(mu + sigma^2 / 2)``."""
    return np.asarray(parameters["ndt"]) + lognormal.mean(parameters, companions)


def half_of_the_least(y):
    """Where a search for ndt starts: all responses are above it."""
    return 0.5 * float(y.min())


FAMILY = Family(
    name="shifted_lognormal",
    title="Shifted lognormal",
    parameters=(
        Parameter("mu", links=REAL_LINKS, support="real"),
        lognormal.SIGMA,
        Parameter(
            "ndt",
            links=POSITIVE_LINKS,
            support="positive",
            default_prior=("HalfNormal", {"sigma": 1.0}),
            below_responses=True,
            begins=half_of_the_least,
        ),
    ),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_positive, family="shifted_lognormal"),
    random=random,
    mean=mean,
    response_support="positive",
    censored={"left": left, "right": right, "interval": interval},
    allows=EVERYTHING - {INTEGRATES},
    concave=frozenset({"identity"}),
)
