"""Beta-binomial family: successes of trials whose probability is a beta variable of mean mu and concentration kappa.

With ``A = mu kappa``, ``B = (1 - mu) kappa`` and ``T(k, x) = sum(log(1 + j / x), j < k)``::

    log p(y) = log(n choose y) + y log(mu) + (n - y) log(1 - mu) + T(y, A) + T(n - y, B) - T(n, kappa)

which is the binomial density as kappa grows, without large gamma functions that cancel. With
``S(k, x) = sum(j / (x + j), j < k)``, minus the derivative of T by log(x), derivatives are
``(1 - mu) (y - S(y, A)) - mu (n - y - S(n - y, B))`` by logit(mu) and ``S(n, kappa) - S(y, A) - S(n - y, B)`` by
log(kappa).
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from nutslite import _draws
from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._numba import inner, kernel
from nutslite._special import decay, exp, expit, log1p_unit, softplus
from nutslite.families.links.codes import LOG, LOGIT
from nutslite.families.proportions.binomial import prepare
from nutslite.families.record.family import POSITIVE_LINKS, UNIT_LINKS, Family, Parameter
from nutslite.families.rows.checks import check_trials
from nutslite.families.rows.gamma_functions import rising
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.families.rows.tails import censored_kernels, certain, complete

NATIVE = (LOGIT, LOG)
_SMALLEST, _LARGE = 1e-300, 1e150


@kernel
def _add_rising(counts, log_x, out, falls):
    """Add T to `out` and write S to `falls`."""
    for i in range(counts.shape[0]):
        value, falls[i] = rising(counts[i], exp(log_x[i]), log_x[i])
        out[i] += value


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: successes, trials, log(trials choose successes), failures."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    successes, trials = y[0, start : start + rows], y[1, start : start + rows]
    log_choose, failures = y[2, start : start + rows], y[3, start : start + rows]
    logits, d_mu, d_kappa = native[0], out_d_eta[0], out_d_eta[1]
    scratch = np.empty((5, rows))
    log_kappa, log_a, log_b, part, other = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    for i in range(rows):
        x = logits[i]
        shrink = log1p_unit(decay(x))
        log_kappa[i] = native[1, i * varies[1]]
        log_p = -shrink - (0.0 if x > 0.0 else -x)
        log_q = -shrink - (x if x > 0.0 else 0.0)
        log_a[i] = log_kappa[i] + log_p
        log_b[i] = log_kappa[i] + log_q
        out_loglik[i] = successes[i] * log_p + failures[i] * log_q
        part[i] = 0.0
    _add_rising(trials, log_kappa, part, d_kappa)
    for i in range(rows):
        out_loglik[i] += log_choose[i] - part[i]
    _add_rising(successes, log_a, out_loglik, part)
    _add_rising(failures, log_b, out_loglik, other)
    for i in range(rows):
        x = logits[i]
        e = decay(x)
        larger = 1.0 / (1.0 + e)
        p = larger if x > 0.0 else e * larger
        q = e * larger if x > 0.0 else larger
        d_mu[i] = q * (successes[i] - part[i]) - p * (failures[i] - other[i])
        d_kappa[i] -= part[i] + other[i]
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@inner
def fill(points, others, native, varies, below, above, d_below, d_above):
    """Both tails, see `tails.py`: the density summed from the count down, or from the next one up, away from the mean.

    From y to y + 1 the density changes by ``(n - y) (y + A) / ((y + 1) (n - y - 1 + B))``. With ``G = k - S(k, x)``,
    which changes by ``x / (x + k)``, derivatives are ``(1 - mu) G(y, A) - mu G(n - y, B)`` by logit(mu) and
    ``S(n, kappa) - n + G(y, A) + G(n - y, B)`` by log(kappa).
    """
    for i in range(points.shape[0]):
        y, n, x, log_kappa = points[i], others[i], native[0, i], native[1, i * varies[1]]
        if y < 0.0 or y >= n:
            certain(i, y >= n, below, above, d_below, d_above)
            continue
        p, q = expit(x), expit(-x)
        log_p, log_q = -softplus(-x), -softplus(x)
        a, b = max(exp(log_kappa + log_p), _SMALLEST), max(exp(log_kappa + log_q), _SMALLEST)
        lower = y < n * p
        k = y if lower else y + 1.0
        rise_a, fall_a = rising(k, a, log_kappa + log_p)
        rise_b, fall_b = rising(n - k, b, log_kappa + log_q)
        rise, fall = rising(n, exp(log_kappa), log_kappa)
        at = math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)
        at += k * log_p + (n - k) * log_q + rise_a + rise_b - rise
        g_a, g_b = k - fall_a, n - k - fall_b
        term, total, sum_a, sum_b = 1.0, 0.0, 0.0, 0.0
        while True:
            total += term
            sum_a += term * g_a
            sum_b += term * g_b
            if k == (0.0 if lower else n):
                break
            if lower:
                term *= k * (n - k + b) / ((n - k + 1.0) * (k - 1.0 + a))
                k -= 1.0
                g_a -= a / (a + k)
                g_b += b / (b + n - k - 1.0)
            else:
                term *= (n - k) * (k + a) / ((k + 1.0) * (n - k - 1.0 + b))
                g_a += a / (a + k)
                k += 1.0
                g_b -= b / (b + n - k)
            if term > _LARGE:
                at += math.log(_LARGE)
                term, total, sum_a, sum_b = term / _LARGE, total / _LARGE, sum_a / _LARGE, sum_b / _LARGE
        tail, slopes = (below, d_below) if lower else (above, d_above)
        tail[i] = min(at + math.log(total), 0.0)
        slopes[0, i] = (q * sum_a - p * sum_b) / total
        slopes[1, i] = fall - n + (sum_a + sum_b) / total
        complete(i, lower, below, above, d_below, d_above)


def prepare_failures(values):
    """Append ``log(trials choose successes)`` and failures."""
    return np.vstack([prepare(values), values[1] - values[0]])


def random(rng, parameters, companions):
    """Draw a probability, and the number of successes among ``trials``."""
    p = _draws.beta(rng, parameters["mu"], parameters["kappa"])
    return _draws.binomial(rng, companions["trials"], p)


def mean(parameters, companions):
    """``trials * mu``, a count."""
    return np.asarray(companions["trials"]) * np.asarray(parameters["mu"])


FAMILY = Family(
    name="beta_binomial",
    title="Beta-binomial",
    parameters=(
        Parameter("mu", links=UNIT_LINKS, support="unit"),
        Parameter("kappa", links=POSITIVE_LINKS, support="positive", default_prior=("HalfCauchy", {"beta": 1.0})),
    ),
    kernel=loglik,
    prepare=prepare_failures,
    check_response=partial(check_trials, family="beta_binomial"),
    random=random,
    mean=mean,
    response_support="trials",
    companions=("trials",),
    censored=censored_kernels("beta_binomial", NATIVE, fill, discrete=True),
    allows=EVERYTHING - {INTEGRATES},
)
