"""Bernoulli family: probability p of a one.

On the logit scale ``log p(y) = -log(1 + exp(-s eta))`` with ``s = 2 y - 1``, and the derivative is s times the
probability of what was not seen.
"""

from __future__ import annotations

import math

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._numba import kernel, reduction
from nutslite._special import decay, log1p_and_inverse
from nutslite.exceptions import DataError
from nutslite.families.links.codes import LOGIT
from nutslite.families.record.family import UNIT_LINKS, Family, Parameter
from nutslite.families.rows.checks import refuse_companions
from nutslite.families.rows.kernel_rows import allocates_nothing, finish_rows, native_rows
from nutslite.formula.records import Response

NATIVE = (LOGIT,)
FACTORS = 512  # of a product, each at most two


@allocates_nothing
@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: zeros and ones."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    response = y[0, start : start + rows]
    logits = native[0]
    derivative = out_d_eta[0]
    for i in range(rows):  # apart, because one long chain of operations keeps the processor waiting
        derivative[i] = decay(logits[i])
    for i in range(rows):
        sign = 2.0 * response[i] - 1.0
        x = sign * logits[i]  # of what was seen
        e = derivative[i]
        shrink, larger = log1p_and_inverse(e)
        out_loglik[i] = (0.0 if x > 0.0 else x) - shrink
        derivative[i] = sign * ((e if x > 0.0 else 1.0) * larger)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@kernel
def total(y, start, rows, eta):
    """Sum of `loglik` over rows: one logarithm for many of them, that of a product."""
    found = 0.0
    for first in range(0, rows, FACTORS):
        n = min(FACTORS, rows - first)
        linear, product = _sum_and_product(eta[0, first : first + n], y[0, start + first : start + first + n], n)
        found += linear - math.log(product)
    return found


@reduction
def _sum_and_product(logits, response, n):
    """Of ``min(x, 0)`` for ones and ``min(-x, 0)`` for zeros; of ``1 + exp(-|x|)``."""
    linear = 0.0
    product = 1.0
    for i in range(n):
        x = logits[i]
        linear += x * (response[i] - (1.0 if x > 0.0 else 0.0))
        product *= 1.0 + decay(x)
    return linear, product


def prepare(values):
    """Nothing to precompute."""
    return np.ascontiguousarray(values, dtype=np.float64)


def check_response(response: Response) -> None:
    """Accept a two-level categorical, one level picked by ``y['level']``, or a numeric column of zeros and ones."""
    if response.kind == "proportion":
        raise DataError(
            f"The response '{response.name}' is a proportion; family 'bernoulli' models single outcomes. "
            "Use family='binomial'."
        )
    if response.kind == "categorical":
        first = response.levels[0] if response.levels else "level"
        raise DataError(
            f"Categoric response must be binary for family 'bernoulli': '{response.name}' has "
            f"{len(response.levels)} levels ({', '.join(response.levels[:6])}). Pick one by "
            f"{response.name}['{first}'], or merge levels."
        )
    refuse_companions(response, "bernoulli")
    values = response.values[0]
    wrong = np.flatnonzero(~np.isin(values, (0.0, 1.0)))
    if wrong.size:
        found = ", ".join(f"{value:.6g}" for value in np.unique(values[wrong])[:5])
        raise DataError(
            f"Numeric response must be all 0 and 1 for family 'bernoulli': '{response.name}' holds {found} "
            f"(first in row {wrong[0]}, {wrong.size} rows in all). Recode the column, or use family='binomial' with "
            f"p({response.name}, trials) for counts."
        )


def random(rng, parameters, companions):
    """Draw zeros and ones with probability p of a one."""
    p = np.asarray(parameters["p"])
    return (rng.random(p.shape) < p).astype(np.int64)


def mean(parameters, companions):
    """``p``."""
    return np.asarray(parameters["p"])


FAMILY = Family(
    name="bernoulli",
    title="Bernoulli",
    parameters=(Parameter("p", links=UNIT_LINKS, support="unit"),),
    kernel=loglik,
    prepare=prepare,
    check_response=check_response,
    random=random,
    mean=mean,
    response_support="binary",
    total=total,
    allows=EVERYTHING - {INTEGRATES},
    concave=frozenset({"logit", "probit", "cloglog"}),
)
