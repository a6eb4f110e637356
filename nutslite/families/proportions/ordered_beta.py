"""Ordered beta family: a latent scale cut twice. Below the first cut a response is 0, above the second 1.

Between the cuts it is a beta variable of mean mu and concentration kappa. The latent scale is that of ``logit(mu)``, so
that one predictor moves all three; with ``a = cutzero - logit(mu)``, ``b = a + gap`` and F the logistic function::

    P(0) = F(a)        P(1) = 1 - F(b)        log p(y) = log(F(b) - F(a)) + log f(y)

The probability between is never a difference: its logarithm is ``log F(b) + log F(-a) + log(1 - exp(-gap))``.

Kubinec (2023), Political Analysis 31, doi:10.1017/pan.2022.20, whose cuts are cutzero and cutzero + gap.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite import _draws
from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._numba import kernel
from nutslite._special import exp, expit, expm1, log, softplus
from nutslite.families.links.codes import IDENTITY, LOG, LOGIT
from nutslite.families.proportions.beta import KAPPA, MU, fill_rows
from nutslite.families.record.family import POSITIVE_LINKS, REAL_LINKS, Family, Parameter
from nutslite.families.rows.ends import check_between, or_ends, with_logs
from nutslite.families.rows.kernel_rows import finish_rows, native_rows

NATIVE = (LOGIT, LOG, IDENTITY, LOG)


@kernel
def _write_ends(response, latent, cutzero, cut_varies, log_gap, gap_varies, out_loglik, out_d_eta):
    """Make of rows of the density between the ends those of the whole."""
    for i in range(response.shape[0]):
        logs = log_gap[i * gap_varies]
        gap = exp(logs)
        a = cutzero[i * cut_varies] - latent[i]
        b = a + gap
        if response[i] == 0.0 or response[i] == 1.0:
            below = response[i] == 0.0
            pull = expit(-a) if below else -expit(b)
            out_loglik[i] = -softplus(-a) if below else -softplus(b)
            out_d_eta[0, i] = -pull if out_d_eta[0, i] == out_d_eta[0, i] else out_d_eta[0, i]
            out_d_eta[1, i] = 0.0 if out_d_eta[1, i] == out_d_eta[1, i] else out_d_eta[1, i]
            out_d_eta[2, i] = pull
            out_d_eta[3, i] = 0.0 * logs if below else -_times(gap, -pull)
        else:
            shrinks = -expm1(-gap)
            ratio = shrinks / gap if gap > 0.0 else 1.0
            inside = log(shrinks) if gap > 1.0 else logs + log(ratio)
            out_loglik[i] += inside - softplus(-b) - softplus(a)
            lean = expit(-b) - expit(a)
            out_d_eta[0, i] -= lean
            out_d_eta[2, i] = lean
            out_d_eta[3, i] = _times(gap, expit(-b)) + (exp(-gap) / ratio if gap < 700.0 else 0.0)


@kernel
def _times(size, share):
    """The product, 0 where a share that is 0 meets a size that is infinite."""
    return size * share if share != 0.0 else 0.0


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response, log(y), log(1 - y), these of something at the ends."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    log_y, log_not_y = y[1, start : start + rows], y[2, start : start + rows]
    fill_rows(log_y, log_not_y, native[0], native[1], varies[1], out_loglik, out_d_eta[0], out_d_eta[1])
    response = y[0, start : start + rows]
    _write_ends(response, native[0], native[2], varies[2], native[3], varies[3], out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def ends(parameters):
    """Probabilities of 0 and of 1; cuts that are infinitely far on both sides are taken to be nowhere."""
    with np.errstate(all="ignore"):
        mu = np.asarray(parameters["mu"], dtype=np.float64)
        a = np.asarray(parameters["cutzero"]) - (np.log(mu) - np.log1p(-mu))
        b = a + np.asarray(parameters["gap"])
        at_zero, at_one = 1.0 / (1.0 + np.exp(-a)), 1.0 / (1.0 + np.exp(b))
    return np.nan_to_num(at_zero, nan=0.0), np.nan_to_num(at_one, nan=0.0)


def random(rng, parameters, companions):
    """Draw an end with the probability of a latent variable beyond its cut, else a beta variable."""
    return or_ends(rng, *ends(parameters), _draws.beta, parameters["mu"], parameters["kappa"])


def mean(parameters, companions):
    """``P(1) + (1 - P(0) - P(1)) mu``."""
    at_zero, at_one = ends(parameters)
    return at_one + (1.0 - at_zero - at_one) * np.asarray(parameters["mu"])


FAMILY = Family(
    name="ordered_beta",
    title="Ordered beta",
    parameters=(
        MU,
        KAPPA,
        Parameter("cutzero", links=REAL_LINKS, support="real", default_prior=("Normal", {"mu": -2.0, "sigma": 2.0})),
        Parameter(
            "gap", links=POSITIVE_LINKS, support="positive", default_prior=("Gamma", {"alpha": 2.0, "beta": 0.4})
        ),
    ),
    kernel=loglik,
    prepare=with_logs,
    check_response=partial(check_between, family="ordered_beta"),
    random=random,
    mean=mean,
    response_support="closed_unit",
    allows=EVERYTHING - {INTEGRATES},
)
