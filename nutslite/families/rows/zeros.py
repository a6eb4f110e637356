"""Zeros with a probability of their own, around the rows of another density.

psi is the probability of the other density's part. An *inflated* density f has further zeros, a *hurdle* has all of its
zeros apart, and f is one of responses above zero::

    inflated    log p(0) = log(1 - psi + psi f(0))      log p(y) = log(psi) + log f(y)
    hurdle      log p(0) = log(1 - psi)                 log p(y) = log(psi) + log f(y)

A kernel calls `fill_shares`, writes log f (at zeros as well; anything there for a hurdle) and its derivatives, and then
calls `inflate_zeros` or `hurdle_zeros`. psi is its last parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._numba import kernel
from nutslite._special import decay, log1p_unit
from nutslite.families.links.parameter import UNIT_LINKS, Parameter

PSI = Parameter("psi", links=UNIT_LINKS, support="unit", default_prior=("Beta", {"alpha": 2.0, "beta": 2.0}))
SHARES = 4
"""Rows of `shares`: logit(psi), log(psi), log(1 - psi), 1 - psi."""


@kernel
def fill_shares(logit_psi, varies, shares):
    """Overwrite `shares`, shape (SHARES, rows)."""
    logits, log_psi, log_rest, rest = shares[0], shares[1], shares[2], shares[3]
    count = logits.shape[0] if varies == 1 else 1
    for i in range(count):
        x = logit_psi[i]
        e = decay(x)
        shrink = log1p_unit(e)
        logits[i] = x
        log_psi[i] = -((0.0 if x > 0.0 else -x) + shrink)
        log_rest[i] = -((x if x > 0.0 else 0.0) + shrink)
        rest[i] = (e if x > 0.0 else 1.0) / (1.0 + e)
    for j in range(shares.shape[0]):
        row = shares[j]
        for i in range(count, row.shape[0]):
            row[i] = row[0]


@kernel
def inflate_zeros(response, shares, out_loglik, out_d_eta):
    """Make of rows of f those of the inflated density.

    At zero they are ``log(1 - psi) + log(1 + exp(x))`` with ``x = logit(psi) + log f(0)``, and ``expit(x)`` is the
    probability that a zero is one of f.
    """
    logits, log_psi, log_rest, rest = shares[0], shares[1], shares[2], shares[3]
    parameters = out_d_eta.shape[0]
    d_psi = out_d_eta[parameters - 1]
    from_density = logits  # which each row has used by then
    for i in range(response.shape[0]):  # apart, because one long chain of operations keeps the processor waiting
        logits[i] += out_loglik[i]
        d_psi[i] = decay(logits[i])
    for i in range(response.shape[0]):
        x = logits[i]
        at_zero = log_rest[i] + (x if x > 0.0 else 0.0) + log1p_unit(d_psi[i])
        other = log_psi[i] + out_loglik[i]
        out_loglik[i] = at_zero if response[i] == 0.0 else other
    for i in range(response.shape[0]):
        zero = response[i] == 0.0
        upper = logits[i] > 0.0
        e = d_psi[i]
        inverse = 1.0 / (1.0 + e)
        own = inverse if upper else e * inverse
        further = e * inverse if upper else inverse
        slope = own * rest[i] - further * (1.0 - rest[i])
        d_psi[i] = slope if zero else rest[i]
        from_density[i] = own if zero else 1.0
    for j in range(parameters - 1):
        derivative = out_d_eta[j]
        for i in range(response.shape[0]):
            derivative[i] = derivative[i] * from_density[i] if from_density[i] > 0.0 else 0.0


@kernel
def hurdle_zeros(response, shares, out_loglik, out_d_eta):
    """Make of rows of a density above zero those of the hurdle; what stands at zeros does not matter."""
    log_psi, log_rest, rest = shares[1], shares[2], shares[3]
    parameters = out_d_eta.shape[0]
    d_psi = out_d_eta[parameters - 1]
    for i in range(response.shape[0]):
        zero = response[i] == 0.0
        out_loglik[i] = log_rest[i] if zero else log_psi[i] + out_loglik[i]
        d_psi[i] = rest[i] - 1.0 if zero else rest[i]
    for j in range(parameters - 1):
        derivative = out_d_eta[j]
        for i in range(response.shape[0]):
            known = derivative[i] == derivative[i]  # a predictor that is nan must not go unnoticed
            derivative[i] = 0.0 if response[i] == 0.0 and known else derivative[i]


def with_logs(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Append ``log(y)``, 0 at zeros, where a hurdle does not look."""
    return np.vstack([values[0], np.log(np.where(values[0] > 0.0, values[0], 1.0))])


def or_zero(rng: np.random.Generator, psi: Any, draw: Callable[..., NDArray[Any]], *parameters: Any) -> NDArray[Any]:
    """``draw(rng, *parameters)`` with probability psi, else zero."""
    psi, *own = np.broadcast_arrays(psi, *parameters)
    drawn = draw(rng, *own)
    return np.where(rng.random(psi.shape) < psi, drawn, np.zeros_like(drawn))
