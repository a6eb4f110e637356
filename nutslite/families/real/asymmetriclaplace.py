"""Asymmetric Laplace family: quantile mu, rate b, asymmetry kappa.

mu is the quantile of level ``tau = kappa^2 / (1 + kappa^2)``. With ``s`` the sign of ``y - mu``::

    log p = log(b) - log(kappa + 1 / kappa) - b |y - mu| kappa^s

The second derivative by mu is zero wherever it exists, so `smooth` stands in for the density where curvature is asked
for.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from nutslite._capabilities import CODES, MERGES, PILOT
from nutslite._draws import moved
from nutslite._numba import inner, kernel
from nutslite._special import decay, exp, log1p_unit
from nutslite.families.links.codes import IDENTITY, LOG
from nutslite.families.record.family import POSITIVE_LINKS, REAL_LINKS, Family, Parameter
from nutslite.families.rows.check_loss import PILOT_WIDTH, smooth_constant, smooth_loss
from nutslite.families.rows.checks import check_real
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.levels import one_level
from nutslite.families.rows.tails import censored_kernels, complete

NATIVE = (IDENTITY, LOG, LOG)


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    mu, log_b, log_kappa = native[0], native[1], native[2]
    d_mu, d_log_b, d_log_kappa = out_d_eta[0], out_d_eta[1], out_d_eta[2]
    if varies[1] == 0 and varies[2] == 0:
        rate_above, rate_below = exp(log_b[0] + log_kappa[0]), exp(log_b[0] - log_kappa[0])
        constant = log_b[0] - _log_sum(log_kappa[0])
        tilt = math.tanh(log_kappa[0])
        for i in range(rows):
            r = response[i] - mu[i]
            above = r > 0.0
            loss = rate_above * r if above else -rate_below * r
            out_loglik[i] = constant - loss
            d_mu[i] = rate_above if above else -rate_below
            d_log_b[i] = 1.0 - loss
            d_log_kappa[i] = (-loss if above else loss) - tilt
    else:
        for i in range(rows):
            r = response[i] - mu[i]
            side = 1.0 if r > 0.0 else -1.0
            scale, shape = log_b[i * varies[1]], log_kappa[i * varies[2]]
            rate = exp(scale + side * shape)
            loss = rate * abs(r)
            out_loglik[i] = scale - _log_sum(shape) - loss
            d_mu[i] = side * rate
            d_log_b[i] = 1.0 - loss
            d_log_kappa[i] = -side * loss - math.tanh(shape)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def _log_sum(log_kappa):
    """``log(kappa + 1 / kappa)``."""
    return abs(log_kappa) + log1p_unit(decay(2.0 * log_kappa))


@kernel
def smooth(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """The kernel of a density without a kink that is close to this one: sigma is sqrt(tau (1 - tau)) / b."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    for i in range(rows):
        scale, shape = native[1, i * varies[1]], native[2, i * varies[2]]
        constant, d_constant, below, above = smooth_constant(2.0 * shape, PILOT_WIDTH)
        log_sigma = -_log_sum(shape) - scale
        precision = exp(-log_sigma)
        z = (y[0, start + i] - native[0, i]) * precision
        value, d_z = smooth_loss(z, below, above, PILOT_WIDTH)
        d_log_sigma = -1.0 - z * d_z
        out_loglik[i] = constant - log_sigma + value
        out_d_eta[0, i] = -d_z * precision
        out_d_eta[1, i] = -d_log_sigma
        out_d_eta[2, i] = 2.0 * (d_constant - z * below * above) + (above - below) * d_log_sigma
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@inner
def fill(points, others, native, varies, below, above, d_below, d_above):
    """Both tails, see `tails.py`.

    Below mu the smaller one is ``tau exp(-b |y - mu| / kappa)``, above it ``(1 - tau) exp(-b |y - mu| kappa)``.
    """
    for i in range(points.shape[0]):
        log_b, shape = native[1, i * varies[1]], native[2, i * varies[2]]
        r = points[i] - native[0, i]
        lower = r <= 0.0
        side = -1.0 if lower else 1.0
        rate = exp(log_b + side * shape)
        loss = rate * abs(r)
        tail, slopes = (below, d_below) if lower else (above, d_above)
        tail[i] = -side * shape - _log_sum(shape) - loss
        slopes[0, i] = side * rate
        slopes[1, i] = -loss
        slopes[2, i] = -side - math.tanh(shape) - side * loss
        complete(i, lower, below, above, d_below, d_above)


def prepare(values):
    """Nothing to precompute."""
    return np.ascontiguousarray(values, dtype=np.float64)


def random(rng, parameters, companions):
    """Draw as mu and a difference of two exponential variables."""
    mu, b, kappa = np.broadcast_arrays(*(parameters[name] for name in ("mu", "b", "kappa")))
    with np.errstate(all="ignore"):
        up, down = rng.standard_exponential((2, *mu.shape))
        return moved(mu, 1.0 / b, up / kappa - down * kappa)


def mean(parameters, companions):
    """Of mu, the quantile, and of the density's tails."""
    b, kappa = parameters["b"], parameters["kappa"]
    return np.asarray(parameters["mu"] + (1.0 / kappa - kappa) / b)


def at_quantile(level):
    """The kappa that makes mu the quantile of this level."""
    level = one_level(level)
    return {"fixed": {"kappa": math.sqrt(level / (1.0 - level))}, "quantile": level}


FAMILY = Family(
    name="asymmetriclaplace",
    title="Asymmetric Laplace",
    parameters=(
        Parameter("mu", links=REAL_LINKS, support="real"),
        Parameter("b", links=POSITIVE_LINKS, support="positive", default_prior=("HalfNormal", {"sigma": 1.0}), unit=-1),
        Parameter("kappa", links=POSITIVE_LINKS, support="positive", default_prior=("HalfNormal", {"sigma": 1.0})),
    ),
    kernel=loglik,
    smooth=smooth,
    prepare=prepare,
    check_response=partial(check_real, family="asymmetriclaplace"),
    random=random,
    mean=mean,
    response_support="real",
    at_quantile=at_quantile,
    censored=censored_kernels("asymmetriclaplace", NATIVE, fill),
    allows=frozenset({PILOT, MERGES, CODES}),
)
