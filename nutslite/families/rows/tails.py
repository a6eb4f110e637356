"""Kernels of censored rows for families that know the logarithms of both tails, with derivatives.

A family writes one kernel over rows::

    fill(points, others, native, varies, below, above, d_below, d_above)

which overwrites ``log P(Y <= point)`` and ``log P(Y > point)`` of every row, and their derivatives (k, rows) by the
native linear predictors. `others` is the response's first companion, such as trials, where there is one. Both keep
their digits: the smaller one is what is computed, and the other is what it leaves. `censored_kernels` makes the kernels
of rows that are at most, at least, or between what stands for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from nutslite._numba import inner, kernel
from nutslite._special import log1mexp
from nutslite.families.rows.kernel_rows import finish_rows, native_rows

NATIVE: tuple[int, ...] = ()  # these two are the family's own in the copies that `censored_kernels` makes


def fill(points, others, native, varies, below, above, d_below, d_above):
    """The family's tails."""


SHIFT = 0.0  # 1 where responses are whole numbers: at least y is more than y - 1


def left(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is at most y."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    unused, unused_slopes = np.empty(rows), np.empty((eta.shape[0], rows))
    points, others = y[0, start : start + rows], y[min(1, y.shape[0] - 1), start : start + rows]
    fill(points, others, native, varies, out_loglik, unused, out_d_eta, unused_slopes)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def right(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is at least y."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    unused, unused_slopes = np.empty(rows), np.empty((eta.shape[0], rows))
    points, others = np.empty(rows), y[min(1, y.shape[0] - 1), start : start + rows]
    for i in range(rows):
        points[i] = y[0, start + i] - SHIFT
    fill(points, others, native, varies, unused, out_loglik, unused_slopes, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def interval(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows whose response is above one end, and at most the other."""
    rows, k = out_loglik.shape[0], eta.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    logs, slopes = np.empty((4, rows)), np.empty((4, k, rows))
    for end in range(2):
        first = end * (y.shape[0] // 2)
        points = y[first, start : start + rows]
        others = y[min(first + 1, y.shape[0] - 1), start : start + rows]
        at = 2 * end
        fill(points, others, native, varies, logs[at], logs[at + 1], slopes[at], slopes[at + 1])
    difference(logs, slopes, out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


@inner
def difference(logs, slopes, out_loglik, out_d_eta):
    """``log(P(Y <= high) - P(Y <= low))`` by the smaller tail; `logs` are below and above low, below and above high."""
    for i in range(out_loglik.shape[0]):
        upper = logs[1, i] < logs[2, i]  # less is above the lower end than below the upper one
        large, small = (1, 3) if upper else (2, 0)
        drop = logs[large, i] - logs[small, i]
        if not logs[large, i] > -math.inf or not drop > 0.0:  # nothing is left of it
            out_loglik[i] = logs[large, i] if np.isnan(logs[large, i]) else -math.inf
            for j in range(out_d_eta.shape[0]):
                out_d_eta[j, i] = 0.0
            continue
        share = -np.expm1(-drop)
        rest = np.exp(-drop)
        out_loglik[i] = logs[large, i] + log1mexp(drop)
        for j in range(out_d_eta.shape[0]):
            less = rest * slopes[small, j, i] if rest > 0.0 else 0.0
            slope = (slopes[large, j, i] - less) / share
            out_d_eta[j, i] = slope if np.isfinite(slope) else 0.0


@kernel
def rest_of(log_tail):
    """``log(1 - exp(log_tail))``, and what derivatives of `log_tail` are multiplied by to be those of it."""
    if not log_tail < 0.0:
        return -math.inf, 0.0
    log_rest = log1mexp(-log_tail)
    return log_rest, -np.exp(log_tail - log_rest)


@inner
def complete(i, lower, below, above, d_below, d_above):
    """Overwrite, in row i, the larger tail and its derivatives, given the smaller one: the lower one or not.

    What overflowed on the way to the smaller one, hundreds of standard deviations out, counts as nothing.
    """
    tail, rest = (below, above) if lower else (above, below)
    d_tail, d_rest = (d_below, d_above) if lower else (d_above, d_below)
    if np.isnan(tail[i]):
        tail[i] = -math.inf
    rest[i], factor = rest_of(tail[i])
    for j in range(d_tail.shape[0]):
        if not np.isfinite(d_tail[j, i]):
            d_tail[j, i] = 0.0
        d_rest[j, i] = factor * d_tail[j, i] if factor < 0.0 else 0.0
        if not np.isfinite(d_rest[j, i]):
            d_rest[j, i] = 0.0


@inner
def certain(i, below_is, below, above, d_below, d_above):
    """Overwrite row i where the response is at most the point for certain, or for certain above it."""
    below[i] = 0.0 if below_is else -math.inf
    above[i] = -math.inf if below_is else 0.0
    for j in range(d_below.shape[0]):
        d_below[j, i] = 0.0
        d_above[j, i] = 0.0


def censored_kernels(
    family: str, native: tuple[int, ...], own_fill: Callable[..., Any], *, discrete: bool = False
) -> dict[str, Callable[..., None]]:
    """`Family.censored` of a family by its tails.

    The kernels are copies of those above with the family's own functions in them, under names of their own, by which
    the cache on disk tells them apart.
    """
    shift = 1.0 if discrete else 0.0
    return {item.__name__: _copied(item, family, native, own_fill, shift) for item in (left, right, interval)}


def _copied(
    function: Any, family: str, native: tuple[int, ...], own_fill: Callable[..., Any], shift: float
) -> Callable[..., None]:
    own = {**function.__globals__, "NATIVE": native, "fill": own_fill, "SHIFT": shift}
    copied = FunctionType(function.__code__, own, f"{family}_{function.__name__}")
    copied.__qualname__, copied.__doc__ = copied.__name__, function.__doc__
    return kernel(copied)
