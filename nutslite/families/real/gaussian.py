"""Gaussian family: mean mu, standard deviation sigma.

``log p = -log(sigma) - log(2 pi) / 2 - z^2 / 2`` with ``z = (y - mu) / sigma``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from nutslite._capabilities import EVERYTHING
from nutslite._draws import moved
from nutslite._numba import kernel
from nutslite._special import HALF_LOG_2PI, exp
from nutslite.families.links.codes import IDENTITY, LOG
from nutslite.families.record.family import POSITIVE_LINKS, REAL_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_real
from nutslite.families.rows.given import known_errors
from nutslite.families.rows.kernel_rows import allocates_nothing, finish_rows, native_rows
from nutslite.families.rows.normal_tails import fill_interval, fill_tail

NATIVE = (IDENTITY, LOG)


@allocates_nothing
@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    mu = native[0]
    d_mu = out_d_eta[0]
    d_log_sigma = out_d_eta[1]
    if varies[1] == 0:
        precision = np.exp(-native[1, 0])
        constant = -HALF_LOG_2PI - native[1, 0]
        for i in range(rows):
            z = (response[i] - mu[i]) * precision
            out_loglik[i] = constant - 0.5 * z * z
            d_mu[i] = z * precision
            d_log_sigma[i] = z * z - 1.0
    else:
        log_sigma = native[1]
        for i in range(rows):
            precision = exp(-log_sigma[i])
            z = (response[i] - mu[i]) * precision
            out_loglik[i] = -HALF_LOG_2PI - log_sigma[i] - 0.5 * z * z
            d_mu[i] = z * precision
            d_log_sigma[i] = z * z - 1.0
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def left(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is at most y."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    fill_tail(1.0, y[0, start : start + rows], native[0], native[1], varies[1], out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def right(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is at least y."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    fill_tail(-1.0, y[0, start : start + rows], native[0], native[1], varies[1], out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def interval(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is in an interval."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    lower, upper = y[0, start : start + rows], y[y.shape[0] // 2, start : start + rows]
    fill_interval(lower, upper, native[0], native[1], varies[1], out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Nothing to precompute."""
    return np.ascontiguousarray(values, dtype=np.float64)


def random(rng, parameters, companions):
    """Draw from Normal(mu, sigma)."""
    mu, sigma = np.broadcast_arrays(parameters["mu"], parameters["sigma"])
    return moved(mu, sigma, rng.standard_normal(mu.shape))


def mean(parameters, companions):
    """``mu``."""
    return np.asarray(parameters["mu"])


def mean_of_score(parameters, companions, slopes):
    """The score by mu is ``(y - mu) / sigma^2``."""
    return parameters["mu"] + slopes * np.square(parameters["sigma"])


OWN: dict[str, Any] = {
    "kernel": loglik,
    "censored": {"left": left, "right": right, "interval": interval},
    "prepare": prepare,
    "check_response": partial(check_real, family="gaussian"),
    "random": random,
    "mean": mean,
    "mean_of_score": mean_of_score,
}

FAMILY = Family(
    name="gaussian",
    title="Gaussian",
    parameters=(
        Parameter("mu", links=REAL_LINKS, support="real"),
        Parameter("sigma", links=POSITIVE_LINKS, support="positive", default_prior=("HalfNormal", {"sigma": 1.0})),
    ),
    kernel=loglik,
    prepare=prepare,
    check_response=OWN["check_response"],
    random=random,
    mean=mean,
    response_support="real",
    censored=OWN["censored"],
    mean_of_score=mean_of_score,
    given=known_errors("gaussian", NATIVE, 1, OWN),
    allows=EVERYTHING,
    concave=frozenset({"identity"}),
)
