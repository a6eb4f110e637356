"""Beta family: mean mu, concentration kappa; shapes ``a = mu kappa`` and ``b = (1 - mu) kappa``.

With Stirling's remainder s, the density is written without large gamma functions that cancel (an error of about
1e-16 kappa remains), and with the logarithms of mu and 1 - mu taken from the logit, so that it stays finite where
either underflows::

    log p(y) = kappa (mu log(y / mu) + (1 - mu) log((1 - y) / (1 - mu))) + log(kappa mu (1 - mu)) / 2
               - log(2 pi) / 2 + s(kappa) - s(a) - s(b) - log(y) - log(1 - y)
"""

from __future__ import annotations

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import beta
from nutslite._numba import inner, kernel
from nutslite._special import HALF_LOG_2PI, decay, exp, log, log1p_unit, softplus
from nutslite.families.links.codes import LOG, LOGIT
from nutslite.families.record.family import POSITIVE_LINKS, UNIT_LINKS, Family, Parameter
from nutslite.families.rows.checks import require_numbers, require_values
from nutslite.families.rows.gamma_functions import stirling_parts
from nutslite.families.rows.half_line import NEGLIGIBLE, NODES, WEIGHTS
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.tails import censored_kernels, complete
from nutslite.formula.records import Response

NATIVE = (LOGIT, LOG)
MU = Parameter("mu", links=UNIT_LINKS, support="unit")
KAPPA = Parameter("kappa", links=POSITIVE_LINKS, support="positive", default_prior=("HalfCauchy", {"beta": 1.0}))


@kernel
def _fill_whole(log_kappa, varies, whole):
    """Rows of `whole`: log(kappa), kappa, and the `stirling_parts` of it."""
    count = whole.shape[1] if varies == 1 else 1
    logs, sizes, rests, products, slopes = whole[0], whole[1], whole[2], whole[3], whole[4]
    for i in range(count):
        k = log_kappa[i]
        kappa = exp(k)
        logs[i] = k
        sizes[i] = kappa
        rests[i], products[i], slopes[i] = stirling_parts(kappa, k)
    for j in range(5):
        row = whole[j]
        for i in range(count, row.shape[0]):
            row[i] = row[0]


@kernel
def _fill(log_y, log_not_y, logits, whole, out_loglik, d_mu, d_kappa):
    """Everything else, without branches, so that the loop vectorises."""
    logs, sizes, rests, products, slopes = whole[0], whole[1], whole[2], whole[3], whole[4]
    for i in range(out_loglik.shape[0]):
        x = logits[i]
        upper = x > 0.0
        e = decay(x)
        log_larger = -log1p_unit(e)
        larger = 1.0 / (1.0 + e)
        smaller = e * larger
        p = larger if upper else smaller
        q = smaller if upper else larger
        log_p = log_larger + (0.0 if upper else x)
        log_q = log_larger - (x if upper else 0.0)
        a = sizes[i] * p
        b = sizes[i] * q
        left = log_y[i] - log_p
        right = log_not_y[i] - log_q
        fit = a * left + b * right
        rest_a, product_a, d_a = stirling_parts(a, logs[i] + log_p)
        rest_b, product_b, d_b = stirling_parts(b, logs[i] + log_q)
        remainder = rests[i] - rest_a - rest_b + log(product_a * product_b / products[i])
        half_logs = 0.5 * (logs[i] + log_p + log_q) - HALF_LOG_2PI
        out_loglik[i] = fit + half_logs + remainder - (log_y[i] + log_not_y[i])
        d_mu[i] = a * q * (left - right) + q * d_a - p * d_b
        d_kappa[i] = fit - slopes[i] + d_a + d_b


@kernel
def fill_rows(log_y, log_not_y, logits, log_kappa, varies, out_loglik, d_mu, d_kappa):
    """Write the log density of every row and its derivatives."""
    whole = np.empty((5, out_loglik.shape[0]))
    _fill_whole(log_kappa, varies, whole)
    _fill(log_y, log_not_y, logits, whole, out_loglik, d_mu, d_kappa)


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response, log(y), log(1 - y)."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    log_y = y[1, start : start + rows]
    log_not_y = y[2, start : start + rows]
    fill_rows(log_y, log_not_y, native[0], native[1], varies[1], out_loglik, out_d_eta[0], out_d_eta[1])
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@inner
def fill(points, others, native, varies, below, above, d_below, d_above):
    """Both tails, see `tails.py`: by quadrature over logit(y), away from the mode of its density, which is at mu."""
    for i in range(points.shape[0]):
        x, log_kappa = native[0, i], native[1, i * varies[1]]
        log_p, log_q = -softplus(-x), -softplus(x)
        kappa, p, q = exp(log_kappa), exp(log_p), exp(log_q)
        a, b = kappa * p, kappa * q
        rest, product, d_whole = stirling_parts(kappa, log_kappa)
        rest_a, product_a, d_a = stirling_parts(a, log_kappa + log_p)
        rest_b, product_b, d_b = stirling_parts(b, log_kappa + log_q)
        constant = rest - rest_a - rest_b + log(product_a * product_b / product)
        constant += 0.5 * (log_kappa + log_p + log_q) - HALF_LOG_2PI
        start = np.log(points[i]) - np.log1p(-points[i])
        at = a * (-softplus(-start) - log_p) + b * (-softplus(start) - log_q)
        rise = a * (1.0 - points[i]) - b * points[i]
        lower = rise > 0.0
        width = 1.0 / np.hypot(rise, np.sqrt(kappa * points[i] * (1.0 - points[i])))
        total, mu, size = 0.0, 0.0, 0.0
        for n in range(NODES.shape[0]):
            moved = start - width * NODES[n] if lower else start + width * NODES[n]
            left, right = -softplus(-moved) - log_p, -softplus(moved) - log_q
            value = a * left + b * right
            if not value - at > NEGLIGIBLE:
                break
            weight = WEIGHTS[n] * np.exp(value - at)
            total += weight
            mu += weight * (left - right)
            size += weight * value
        tail, slopes = (below, d_below) if lower else (above, d_above)
        tail[i] = min(constant + at + np.log(width * total), 0.0)
        slopes[0, i] = a * q * mu / total + q * d_a - p * d_b
        slopes[1, i] = size / total - d_whole + d_a + d_b
        complete(i, lower, below, above, d_below, d_above)


def prepare(values):
    """Append ``log(y)`` and ``log(1 - y)``."""
    return np.vstack([values[0], np.log(values[0]), np.log1p(-values[0])])


def check_response(response: Response) -> None:
    """Accept numbers strictly between 0 and 1."""
    require_numbers(response, "beta")
    values = response.values[0]
    remedy = (
        "Percentages must be divided by 100; exact zeros and ones have no density here: "
        "use family='zero_one_inflated_beta' or 'ordered_beta', or 'binomial' if they are counts out of a known total."
    )
    require_values(response, "beta", (values > 0.0) & (values < 1.0), "values strictly between 0 and 1", remedy)


def random(rng, parameters, companions):
    """Draw with mean mu and concentration kappa."""
    return beta(rng, parameters["mu"], parameters["kappa"])


def mean(parameters, companions):
    """``mu``."""
    return np.asarray(parameters["mu"])


FAMILY = Family(
    name="beta",
    title="Beta",
    parameters=(MU, KAPPA),
    kernel=loglik,
    prepare=prepare,
    check_response=check_response,
    random=random,
    mean=mean,
    response_support="unit",
    censored=censored_kernels("beta", NATIVE, fill),
    allows=EVERYTHING - {INTEGRATES},
)
