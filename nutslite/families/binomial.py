"""Binomial family: probability p, with the number of trials as the response's companion, ``p(y, n)``.

On the logit scale ``log p(y) = log(n choose y) + y eta - n log(1 + exp(eta))``, with derivative ``y - n p``.
"""

from __future__ import annotations

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._draws import binomial
from nutslite._numba import kernel
from nutslite._special import exp, log1p_unit
from nutslite.exceptions import DataError
from nutslite.families.links.codes import LOGIT
from nutslite.families.record.family import UNIT_LINKS, Family, Parameter, log_factorial
from nutslite.families.rows.checks import require_values, whole_and_not_negative
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.formula.records import Response

NATIVE = (LOGIT,)


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: successes, trials, log(trials choose successes)."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    trials = y[1, start : start + rows]
    log_choose = y[2, start : start + rows]
    logits = native[0]
    derivative = out_d_eta[0]
    for i in range(rows):
        x = logits[i]
        e = exp(-abs(x))
        larger = 1.0 / (1.0 + e)
        smaller = e * larger
        p = larger if x > 0.0 else smaller
        q = smaller if x > 0.0 else larger
        successes = response[i]
        failures = trials[i] - successes
        signed = -failures if x > 0.0 else successes
        out_loglik[i] = log_choose[i] + signed * x - trials[i] * log1p_unit(e)
        derivative[i] = successes * q - failures * p
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Append ``log(trials choose successes)``."""
    successes, trials = values[0], values[1]
    log_choose = log_factorial(trials) - log_factorial(successes) - log_factorial(trials - successes)
    return np.vstack([successes, trials, log_choose])


def check_response(response: Response) -> None:
    """Accept ``p(y, n)`` with whole numbers 0 <= y <= n."""
    if response.kind != "proportion" or response.companions != ("trials",):
        raise DataError(
            f"Family 'binomial' needs successes and trials, but the response '{response.name}' is {response.kind}: "
            f"write p(successes, trials), trials a column or a number. For single outcomes use family='bernoulli'."
        )
    successes, trials = response.values[0], response.values[1]
    counts = whole_and_not_negative(successes) & whole_and_not_negative(trials)
    require_values(response, "binomial", counts, "whole numbers of successes and of trials", "Correct these rows.")
    require_values(response, "binomial", successes <= trials, "no more successes than trials", "Correct these rows.")
    if not trials.any():
        raise DataError(
            f"The trials of the response '{response.name}' are 0 in all {trials.size} rows: nothing is observed."
        )


def random(rng, parameters, companions):
    """Draw the number of successes among ``trials``."""
    return binomial(rng, companions["trials"], parameters["p"])


def mean(parameters, companions):
    """``trials * p``, a count."""
    return np.asarray(companions["trials"]) * np.asarray(parameters["p"])


FAMILY = Family(
    name="binomial",
    title="Binomial",
    parameters=(Parameter("p", links=UNIT_LINKS, support="unit"),),
    kernel=loglik,
    prepare=prepare,
    check_response=check_response,
    random=random,
    mean=mean,
    response_support="trials",
    companions=("trials",),
    allows=EVERYTHING - {INTEGRATES},
)
