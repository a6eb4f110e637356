"""What every family kernel does before and after its own loop over a block of rows.

A kernel is written once, in its native links (identity for real parameters, log for positive ones, logit for
probabilities). `native_rows` brings any other link to those, `finish_rows` carries the derivatives back by the chain
rule, applies weights and sums the derivatives of parameters that do not vary. With native links and a varying parent
both cost next to nothing: no copy is made. Other links cost 1.5 to 4 ns a row (``_relinks.py``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType

import numpy as np

from nutslite._numba import inlined, kernel, uncounted, uncounted_kernel
from nutslite.families.links.native import relink_rows


@inlined
def native_rows(native, eta, varies, links, rows):
    """Linear predictors on the native links, and the derivatives that lead back.

    Parameters
    ----------
    native : tuple of int
        One link code per parameter: IDENTITY, LOG or LOGIT.
    eta, varies, links
        As a family kernel receives them.
    rows : int
        Rows of this block.

    Returns
    -------
    native_eta : ndarray, shape (k, >= rows)
        `eta` itself when nothing needs to change. Row 0, the parent's, is filled in any case; a kernel reads other
        constants as ``native_eta[j, 0]``.
    slope : ndarray, shape (k + 1, rows) or (0, 0)
        Derivative of `native_eta` with respect to `eta`, a constant's in ``slope[j, 0]`` alone; the last row is
        scratch. Without rows when all are one.
    """
    parameters = eta.shape[0]
    same_links = True
    for j in range(parameters):
        if links[j] != native[j]:
            same_links = False
    if same_links and varies[0] == 1:
        return eta, np.empty((0, 0))
    native_eta = np.empty((parameters, rows))
    slope = np.empty((parameters + 1, rows))
    for j in range(parameters):
        different = rows if varies[j] == 1 else 1
        source, target = eta[j, :different], native_eta[j, :different]
        relink_rows(native[j], links[j], source, target, slope[j, :different], slope[parameters, :different])
    if (
        varies[0] == 0
    ):  # a loop: to assign to a slice makes Numba compile the text of an error message, 1.5 seconds' worth
        for i in range(rows):
            native_eta[0, i] = native_eta[0, 0]
    return native_eta, slope


@inlined
def given_rows(native, eta, varies, links, rows):
    """`native_rows` where every link is the native one, which is most models: nothing but constants to spread."""
    if varies[0] == 1:
        return eta, np.empty((0, 0))
    native_eta = np.empty((eta.shape[0], rows))
    for j in range(eta.shape[0]):
        for i in range(rows):
            native_eta[j, i] = eta[j, i if varies[j] == 1 else 0]
    return native_eta, np.empty((0, 0))


@inlined
def spread_rows(native, eta, varies, links, rows):
    """`given_rows` without an allocation: a constant parent is spread over its own row of `eta`."""
    if varies[0] == 0:
        for i in range(rows):
            eta[0, i] = eta[0, 0]
    return eta, eta[:0]


def allocates_nothing(loglik: Callable[..., None]) -> Callable[..., None]:
    """Declare that a family kernel makes no arrays but by `native_rows`, nor gets any from what it calls.

    With native links it is compiled without reference counts then: a block of rows is spared 0.2 microseconds.
    """
    loglik._allocates_nothing = True  # type: ignore[attr-defined]
    return loglik


@functools.cache
def without_relinks(loglik: Callable[..., None]) -> Callable[..., None]:
    """A family kernel for models all of whose links are native; itself if it does not tell links apart.

    Other links are most of what a kernel takes to compile. This is the same source with another `native_rows`.
    """
    function = getattr(loglik, "py_func", None)
    if function is None or function.__globals__.get("native_rows") is not native_rows:
        return loglik
    lean = hasattr(loglik, "_allocates_nothing")
    rows = spread_rows if lean else given_rows
    own = FunctionType(function.__code__, {**function.__globals__, "native_rows": rows}, f"native_{function.__name__}")
    own.__qualname__ = own.__name__  # the disk cache goes by it
    return uncounted_kernel(own) if lean else kernel(own)


@uncounted
def finish_rows(weights, start, varies, slope, out_loglik, out_d_eta):
    """Chain rule, weights and sums, in place.

    On entry `out_loglik` and every row of `out_d_eta` hold one unweighted number per data row, derivatives with
    respect to the native linear predictors, also for parameters that do not vary. On exit they are what the contract
    of a family kernel asks for; the rest of a constant's row is scratch.
    """
    rows = out_loglik.shape[0]
    weight = weights[start : start + rows]  # without elements where there are no weights
    weighted = weight.shape[0] > 0
    if weighted:
        for i in range(rows):
            out_loglik[i] *= weight[i]
    for j in range(out_d_eta.shape[0]):
        derivative = out_d_eta[j, :rows]
        if slope.shape[0] > 0 and varies[j] == 1:
            factor = slope[j]
            for i in range(rows):
                derivative[i] *= factor[i]
        if weighted:
            for i in range(rows):
                derivative[i] *= weight[i]
        if varies[j] == 0:
            derivative[0] = total(derivative) * (slope[j, 0] if slope.shape[0] > 0 else 1.0)


@inlined
def total(values):
    """Sum by four running sums, which lets the processor add in parallel."""
    a = 0.0
    b = 0.0
    c = 0.0
    d = 0.0
    whole = values.shape[0] // 4 * 4
    for i in range(0, whole, 4):
        a += values[i]
        b += values[i + 1]
        c += values[i + 2]
        d += values[i + 3]
    for i in range(whole, values.shape[0]):
        a += values[i]
    return (a + b) + (c + d)
