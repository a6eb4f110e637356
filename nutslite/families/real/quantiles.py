"""Several quantiles at once, which never cross: the middle one mu, and gaps from it outwards, all of them positive.

With levels below the middle one numbered outwards, ``q_1 = mu - gap_1``, ``q_2 = q_1 - gap_2``, and so on; above it
likewise with plus signs. Gaps have the log link, so that quantiles are in order whatever the predictors are (spacings:
Schmidt and Zhu, 2016, Journal of Economic Dynamics and Control, doi:10.1016/j.jedc.2016.09.009).

The likelihood is composite: each level tau contributes the smooth check loss of `rows/check_loss.py`, which samplers
can follow where the asymmetric Laplace density has a kink::

    log p = sum over tau of  -r_tau((y - q_tau) / s_tau) - ... - log(s_tau)
    s_tau = sigma sqrt(3) / pi H(tau),    H(tau) = -tau log(tau) - (1 - tau) log(1 - tau)

The scale is one, sigma, and s_tau the mean check loss at tau of a logistic variable with the standard deviation sigma:
so losses of outer quantiles, which are smaller, count as much as those of inner ones. It is no density of y.
"""

from __future__ import annotations

import math
from functools import partial
from statistics import NormalDist

import numpy as np

from nutslite._capabilities import CODES, MERGES, PILOT
from nutslite._numba import inner, kernel
from nutslite._special import exp
from nutslite.exceptions import DataError, FamilyError
from nutslite.families.links.codes import IDENTITY, LOG, LOGIT
from nutslite.families.record.family import Family, Parameter
from nutslite.families.rows.check_loss import PILOT_WIDTH, smooth_constant, smooth_loss
from nutslite.families.rows.checks import check_real
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.levels import several_levels

WIDTH = 0.1
ROOT_3_BY_PI = math.sqrt(3.0) / math.pi
DIMENSION = "quantile_dim"


@inner
def _native(k):
    """Native links: of mu, of gaps and sigma, of the levels, as many as there are gaps and one."""
    links = np.empty(k, dtype=np.int64)
    for j in range(k):
        links[j] = IDENTITY if j == 0 else (LOG if 2 * j < k + 1 else LOGIT)
    return links


@inner
def _fill(width, response, native, varies, out_loglik, out_d_eta):
    """Overwrite log likelihoods, and derivatives by native predictors; levels are known, and their slopes 0.

    Rows of eta: mu, a gap for each further level, sigma, the levels as logits in the same order, mu's first.
    """
    rows, k = response.shape[0], native.shape[0] // 2
    gaps, below, above = np.empty((k, rows)), np.empty(rows), np.empty(rows)
    d_log_sigma, sigma_varies = out_d_eta[k], varies[k]
    for i in range(rows):
        out_loglik[i] = 0.0
        d_log_sigma[i] = 0.0
        below[i] = native[0, i]
        above[i] = native[0, i]
    for j in range(k):
        level = native[k + 1 + j, 0]
        constant, _, share, rest = smooth_constant(level, width)
        log_loss = np.log(-ROOT_3_BY_PI * (share * np.log(share) + rest * np.log(rest)))
        side = -1.0 if level < native[k + 1, 0] else 1.0
        quantile = below if side < 0.0 else above
        gap, slope, unused = gaps[j], out_d_eta[j], out_d_eta[k + 1 + j]
        for i in range(rows):
            gap[i] = side * exp(native[j, i * varies[j]]) if j > 0 else 0.0
            quantile[i] += gap[i]
            log_scale = native[k, i * sigma_varies] + log_loss
            precision = exp(-log_scale)
            z = (response[i] - quantile[i]) * precision
            value, d_z = smooth_loss(z, share, rest, width)
            out_loglik[i] += constant - log_scale + value
            slope[i] = -d_z * precision
            d_log_sigma[i] -= 1.0 + z * d_z
            unused[i] = 0.0
    for i in range(rows):  # from the outside in: a gap moves its own quantile and those further out
        below[i] = 0.0
        above[i] = 0.0
    for j in range(k - 1, 0, -1):
        outer = below if native[k + 1 + j, 0] < native[k + 1, 0] else above
        gap, slope = gaps[j], out_d_eta[j]
        for i in range(rows):
            outer[i] += slope[i]
            slope[i] = gap[i] * outer[i]
    for i in range(rows):
        out_d_eta[0, i] += below[i] + above[i]


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(_native(eta.shape[0]), eta, varies, links, rows)
    _fill(WIDTH, y[0, start : start + rows], native, varies, out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def smooth(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """The kernel of a likelihood that is smoother, for a pilot that looks for the mode: see `elf.smooth`."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(_native(eta.shape[0]), eta, varies, links, rows)
    _fill(PILOT_WIDTH, y[0, start : start + rows], native, varies, out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Nothing to precompute."""
    return np.ascontiguousarray(values, dtype=np.float64)


def random(rng, parameters, companions):
    """There are none.

    Raises
    ------
    FamilyError
    """
    raise FamilyError(
        "Family 'quantiles' says where some quantiles of the response are, and nothing of what lies between and beyond "
        "them: it has no draws of the response. predict() gives the quantiles. For draws take a family with a "
        "distribution, such as Formula('y ~ x', 'sigma ~ x') with family='t'."
    )


def mean(parameters, companions):
    """There is none.

    Raises
    ------
    DataError
    """
    raise DataError(
        "Family 'quantiles' says nothing of the response's mean. Look at the quantiles mu that predict() gives."
    )


def outwards(levels):
    """Levels from the one nearest to a half outwards: first those below it, then those above."""
    middle = min(range(len(levels)), key=lambda k: (round(abs(levels[k] - 0.5), 12), k))
    return (levels[middle], *reversed(levels[:middle]), *levels[middle + 1 :])


def gap_name(level):
    """``gap_10`` of the level 0.1, ``gap_2_5`` of 0.025."""
    return "gap_" + f"{100.0 * level:.10g}".replace(".", "_")


def at_quantile(levels):
    """The parameters of some levels: the middle one's quantile, and the gap before each other one."""
    levels = several_levels("quantile", levels)
    if len(levels) == 1:
        raise FamilyError(
            f"quantile={levels[0]:g} is one level, and family 'quantiles' models several: quantile=[0.1, 0.5, 0.9]. "
            "Take family='elf' for one."
        )
    middle, *others = outwards(levels)
    gaps = []
    for place, level in enumerate(others):
        inner_level = others[place - 1] if place and (others[place - 1] < middle) == (level < middle) else middle
        spread = abs(NormalDist().inv_cdf(level) - NormalDist().inv_cdf(inner_level))
        gaps.append(
            Parameter(
                gap_name(level),
                links=("log",),
                support="positive",
                default_prior=("HalfNormal", {"sigma": 1.0}),
                unit=1,
                spread=spread,
            )
        )
    parameters = (
        Parameter("mu", links=("identity",), support="real"),
        *gaps,
        Parameter("sigma", links=("log",), support="positive", default_prior=("HalfNormal", {"sigma": 1.0})),
        Parameter(
            "tau",
            links=("logit",),
            support="unit",
            default_prior=("Beta", {"alpha": 1.0, "beta": 1.0}),
            dim="tau_dim",
            constant=True,
            labels=(middle, *others),
        ),
    )
    return {
        "parameters": parameters,
        "combined": {"mu": (DIMENSION, levels)},
        "fixed": {"tau": np.array([middle, *others])},
        "quantile": levels,
    }


def bind(family, response):
    """Nothing depends on the response."""
    return at_quantile(family.quantile)


def combine(links, predictors):
    """``mu``: the quantiles (..., K), in the order of their levels; the others as they are."""
    middle, *others = np.asarray(predictors["tau"])[0, 0]
    inner = {True: predictors["mu"], False: predictors["mu"]}
    found = {middle: predictors["mu"]}
    for level in others:
        lower = bool(level < middle)
        gap = predictors[gap_name(level)]
        found[level] = inner[lower] = inner[lower] - gap if lower else inner[lower] + gap
    return {**predictors, "mu": np.stack([found[level] for level in sorted(found)], axis=-1)}


FAMILY = Family(
    name="quantiles",
    title="Quantiles",
    kernel=loglik,
    smooth=smooth,
    prepare=prepare,
    check_response=partial(check_real, family="quantiles"),
    random=random,
    mean=mean,
    response_support="real",
    at_quantile=at_quantile,
    bind=bind,
    combine=combine,
    composite=True,
    allows=frozenset({PILOT, MERGES, CODES}),
    **at_quantile((0.1, 0.5, 0.9)),
)
