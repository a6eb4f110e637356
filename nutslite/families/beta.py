"""Beta family: mean mu, concentration kappa; shapes ``a = mu kappa`` and ``b = (1 - mu) kappa``.

With Stirling's remainder s, the density is written without large gamma functions that cancel (an error of about
1e-16 kappa remains), and with the logarithms of mu and 1 - mu taken from the logit, so that it stays finite where
either underflows::

    log p(y) = kappa (mu log(y / mu) + (1 - mu) log((1 - y) / (1 - mu))) + log(kappa mu (1 - mu)) / 2
               - log(2 pi) / 2 + s(kappa) - s(a) - s(b) - log(y) - log(1 - y)
"""

from __future__ import annotations

import numpy as np

from nutslite._numba import kernel
from nutslite._special import HALF_LOG_2PI, digamma_error, exp, softplus, stirling_error
from nutslite.families._checks import require_numbers, require_values
from nutslite.families._rows import finish_rows, native_rows
from nutslite.families.family import POSITIVE_LINKS, UNIT_LINKS, Family, Parameter
from nutslite.families.links import LOG, LOGIT
from nutslite.formula.terms import Response

NATIVE = (LOGIT, LOG)


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response, log(y), log(1 - y)."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    log_y = y[1, start : start + rows]
    log_not_y = y[2, start : start + rows]
    logits = native[0]
    log_kappa = native[1]
    k = log_kappa[0]
    whole = stirling_error(np.exp(k), k)
    d_whole = digamma_error(np.exp(k), k)
    for i in range(rows):
        if varies[1] == 1:
            k = log_kappa[i]
            whole = stirling_error(exp(k), k)
            d_whole = digamma_error(exp(k), k)
        log_p = -softplus(-logits[i])
        log_q = -softplus(logits[i])
        p = exp(log_p)
        q = exp(log_q)
        a = exp(k + log_p)
        b = exp(k + log_q)
        left = log_y[i] - log_p
        right = log_not_y[i] - log_q
        fit = a * left + b * right
        d_a = digamma_error(a, k + log_p)
        d_b = digamma_error(b, k + log_q)
        remainder = whole - stirling_error(a, k + log_p) - stirling_error(b, k + log_q)
        half_logs = 0.5 * (k + log_p + log_q) - HALF_LOG_2PI
        out_loglik[i] = fit + half_logs + remainder - log_y[i] - log_not_y[i]
        out_d_eta[0, i] = a * q * (left - right) + q * d_a - p * d_b
        out_d_eta[1, i] = fit - d_whole + d_a + d_b
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Append ``log(y)`` and ``log(1 - y)``."""
    return np.vstack([values[0], np.log(values[0]), np.log1p(-values[0])])


def check_response(response: Response) -> None:
    """Accept numbers strictly between 0 and 1."""
    require_numbers(response, "beta")
    values = response.values[0]
    remedy = (
        "Percentages must be divided by 100; exact zeros and ones have no density here: "
        "model them apart, or use family='binomial' if they are counts out of a known total."
    )
    require_values(response, "beta", (values > 0.0) & (values < 1.0), "values strictly between 0 and 1", remedy)


def random(rng, parameters, companions):
    """Draw with mean mu and concentration kappa."""
    mu, kappa = np.broadcast_arrays(parameters["mu"], parameters["kappa"])
    return rng.beta(mu * kappa, (1.0 - mu) * kappa)


def mean(parameters, companions):
    """``mu``."""
    return np.asarray(parameters["mu"])


FAMILY = Family(
    name="beta",
    title="Beta",
    parameters=(
        Parameter("mu", links=UNIT_LINKS, support="unit"),
        Parameter("kappa", links=POSITIVE_LINKS, support="positive", default_prior=("HalfCauchy", {"beta": 1.0})),
    ),
    kernel=loglik,
    prepare=prepare,
    check_response=check_response,
    random=random,
    mean=mean,
    response_support="unit",
)
