"""Extended log-F family: about the quantile mu of level tau, scale sigma; asymmetric Laplace without a kink.

`rows/check_loss.py` has the density. The kink is rounded off over a tenth of sigma, which is the mean check loss: mu
differs from the quantile by little, and samplers have a gradient that they can follow.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite._capabilities import CODES, MERGES, PILOT
from nutslite._draws import moved
from nutslite._numba import inner, kernel
from nutslite._special import exp
from nutslite.families.links.codes import IDENTITY, LOG, LOGIT
from nutslite.families.record.family import POSITIVE_LINKS, REAL_LINKS, UNIT_LINKS, Family, Parameter
from nutslite.families.rows.check_loss import PILOT_WIDTH, smooth_constant, smooth_loss
from nutslite.families.rows.checks import check_real
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.levels import one_level

NATIVE = (IDENTITY, LOG, LOGIT)
WIDTH = 0.1


@inner
def _fill(width, response, native, varies, out_loglik, out_d_eta):
    """Overwrite log densities, and derivatives by native predictors: the kink is rounded off over `width` sigma."""
    constant, d_constant, below, above = smooth_constant(native[2, 0], width)
    for i in range(response.shape[0]):
        if varies[2] == 1:
            constant, d_constant, below, above = smooth_constant(native[2, i], width)
        log_sigma = native[1, i * varies[1]]
        precision = exp(-log_sigma)
        z = (response[i] - native[0, i]) * precision
        value, d_z = smooth_loss(z, below, above, width)
        out_loglik[i] = constant - log_sigma + value
        out_d_eta[0, i] = -d_z * precision
        out_d_eta[1, i] = -1.0 - z * d_z
        out_d_eta[2, i] = d_constant - z * below * above


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    _fill(WIDTH, y[0, start : start + rows], native, varies, out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def smooth(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """The kernel of a density that is smoother: at the mode the kinks of a few rows are nearly all of the curvature."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    _fill(PILOT_WIDTH, y[0, start : start + rows], native, varies, out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Nothing to precompute."""
    return np.ascontiguousarray(values, dtype=np.float64)


def random(rng, parameters, companions):
    """Draw as mu and the log ratio of two gamma variables."""
    mu, sigma, tau = np.broadcast_arrays(*(parameters[name] for name in ("mu", "sigma", "tau")))
    with np.errstate(all="ignore"):
        up, down = _log_gamma(rng, WIDTH * (1.0 - tau)), _log_gamma(rng, WIDTH * tau)
        return moved(mu, sigma, WIDTH * (up - down))


def _log_gamma(rng, shape):
    """Logarithms of gamma variables: of one more than the shape, which is then taken away."""
    return np.log(rng.standard_gamma(1.0 + shape)) - rng.standard_exponential(shape.shape) / shape


def mean(parameters, companions):
    """Of mu and of the density's tails."""
    a, b = WIDTH * (1.0 - parameters["tau"]), WIDTH * np.asarray(parameters["tau"])
    return np.asarray(parameters["mu"] + parameters["sigma"] * WIDTH * (_digamma(a) - _digamma(b)))


def _digamma(x):
    """Of small numbers: Stirling's series of one that is larger by eight, and the recurrence."""
    z = x + 8.0
    w = 1.0 / (z * z)
    series = np.log(z) - 0.5 / z - w * (1.0 / 12.0 - w * (1.0 / 120.0 - w * (1.0 / 252.0 - w / 240.0)))
    return series - sum(1.0 / (x + k) for k in range(8))


def at_quantile(level):
    """Its tau."""
    return {"fixed": {"tau": one_level(level)}, "quantile": one_level(level)}


FAMILY = Family(
    name="elf",
    title="Extended log-F",
    parameters=(
        Parameter("mu", links=REAL_LINKS, support="real"),
        Parameter("sigma", links=POSITIVE_LINKS, support="positive", default_prior=("HalfNormal", {"sigma": 1.0})),
        Parameter("tau", links=UNIT_LINKS, support="unit", default_prior=("Beta", {"alpha": 1.0, "beta": 1.0})),
    ),
    kernel=loglik,
    smooth=smooth,
    prepare=prepare,
    check_response=partial(check_real, family="elf"),
    random=random,
    mean=mean,
    response_support="real",
    at_quantile=at_quantile,
    allows=frozenset({PILOT, MERGES, CODES}),
)
