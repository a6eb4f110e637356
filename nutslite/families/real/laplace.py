"""Laplace family: median mu, scale b.

``log p = -log(2 b) - |y - mu| / b``. The second derivative by mu is zero wherever it exists, so `smooth` stands in for
the density where curvature is asked for.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import CODES, MERGES, PILOT
from nutslite._draws import moved
from nutslite._numba import inner, kernel
from nutslite._special import LOG_2, exp
from nutslite.families.links.codes import IDENTITY, LOG
from nutslite.families.record.family import POSITIVE_LINKS, REAL_LINKS, Family, Parameter
from nutslite.families.rows.check_loss import PILOT_WIDTH, smooth_constant, smooth_loss
from nutslite.families.rows.checks import check_real
from nutslite.families.rows.kernel_rows import allocates_nothing, finish_rows, native_rows
from nutslite.families.rows.tails import censored_kernels, complete

NATIVE = (IDENTITY, LOG)


@allocates_nothing
@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    mu, log_b = native[0], native[1]
    d_mu, d_log_b = out_d_eta[0], out_d_eta[1]
    if varies[1] == 0:
        rate = exp(-log_b[0])
        constant = -LOG_2 - log_b[0]
        for i in range(rows):
            z = (response[i] - mu[i]) * rate
            out_loglik[i] = constant - abs(z)
            d_mu[i] = rate if z > 0.0 else -rate
            d_log_b[i] = abs(z) - 1.0
    else:
        for i in range(rows):
            rate = exp(-log_b[i])
            z = (response[i] - mu[i]) * rate
            out_loglik[i] = -LOG_2 - log_b[i] - abs(z)
            d_mu[i] = rate if z > 0.0 else -rate
            d_log_b[i] = abs(z) - 1.0
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def smooth(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """The kernel of a density without a kink that is close to this one: sigma is b / 2."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    constant, _, below, above = smooth_constant(0.0, PILOT_WIDTH)
    for i in range(rows):
        log_sigma = native[1, i * varies[1]] - LOG_2
        precision = exp(-log_sigma)
        z = (y[0, start + i] - native[0, i]) * precision
        value, d_z = smooth_loss(z, below, above, PILOT_WIDTH)
        out_loglik[i] = constant - log_sigma + value
        out_d_eta[0, i] = -d_z * precision
        out_d_eta[1, i] = -1.0 - z * d_z
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@inner
def fill(points, others, native, varies, below, above, d_below, d_above):
    """Both tails, see `tails.py`: ``exp(-|y - mu| / b) / 2`` is the smaller one."""
    for i in range(points.shape[0]):
        rate = exp(-native[1, i * varies[1]])
        z = (points[i] - native[0, i]) * rate
        lower = z <= 0.0
        tail, slopes = (below, d_below) if lower else (above, d_above)
        tail[i] = -LOG_2 - abs(z)
        slopes[0, i] = -rate if lower else rate
        slopes[1, i] = abs(z)
        complete(i, lower, below, above, d_below, d_above)


def prepare(values):
    """Nothing to precompute."""
    return np.ascontiguousarray(values, dtype=np.float64)


def random(rng, parameters, companions):
    """Draw with median mu and scale b."""
    mu, b = np.broadcast_arrays(parameters["mu"], parameters["b"])
    return moved(mu, b, rng.laplace(size=mu.shape))


def mean(parameters, companions):
    """``mu``."""
    return np.asarray(parameters["mu"])


FAMILY = Family(
    name="laplace",
    title="Laplace",
    parameters=(
        Parameter("mu", links=REAL_LINKS, support="real"),
        Parameter("b", links=POSITIVE_LINKS, support="positive", default_prior=("HalfNormal", {"sigma": 1.0}), unit=1),
    ),
    kernel=loglik,
    smooth=smooth,
    prepare=prepare,
    check_response=partial(check_real, family="laplace"),
    random=random,
    mean=mean,
    response_support="real",
    censored=censored_kernels("laplace", NATIVE, fill),
    allows=frozenset({PILOT, MERGES, CODES}),
)
