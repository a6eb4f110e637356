"""What every family kernel does before and after its own loop over a block of rows.

A kernel is written once, in its native links (identity for real parameters, log for positive ones, logit for
probabilities). `native_rows` brings any other link to those, `finish_rows` carries the derivatives back by the chain
rule, applies weights and sums the derivatives of parameters that do not vary. With native links and a varying parent
both cost next to nothing: no copy is made.
"""

from __future__ import annotations

import numpy as np

from nutslite._numba import kernel
from nutslite.families.links import relink


@kernel
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
        `eta` itself when nothing needs to change; otherwise a copy in which constants fill their row.
        Row 0, the parent's, is filled in any case. A kernel reads other constants as ``native_eta[j, 0]``.
    slope : ndarray, shape (k, rows) or (0, 0)
        Derivative of `native_eta` with respect to `eta`; without rows when it is one throughout.
    """
    parameters = eta.shape[0]
    same_links = True
    for j in range(parameters):
        if links[j] != native[j]:
            same_links = False
    if same_links and varies[0] == 1:
        return eta, np.empty((0, 0))
    native_eta = np.empty((parameters, rows))
    slope = np.empty((0, 0)) if same_links else np.empty((parameters, rows))
    # written as loops: assigning to a slice makes Numba compile the text of an error message, 1.5 seconds' worth
    for j in range(parameters):
        value, derivative = relink(native[j], links[j], eta[j, 0])
        for i in range(rows):
            if varies[j] == 1:
                value, derivative = relink(native[j], links[j], eta[j, i])
            native_eta[j, i] = value
            if not same_links:
                slope[j, i] = derivative
    return native_eta, slope


@kernel
def finish_rows(weights, start, varies, slope, out_loglik, out_d_eta):
    """Chain rule, weights and sums, in place.

    On entry `out_loglik` and every row of `out_d_eta` hold one unweighted number per data row, derivatives with
    respect to the native linear predictors, also for parameters that do not vary. On exit they are what the contract
    of a family kernel asks for; the rest of a constant's row is scratch.
    """
    rows = out_loglik.shape[0]
    weighted = weights.shape[0] > 0
    if weighted:
        weight = weights[start : start + rows]
        for i in range(rows):
            out_loglik[i] *= weight[i]
    for j in range(out_d_eta.shape[0]):
        derivative = out_d_eta[j, :rows]
        if slope.shape[0] > 0:
            factor = slope[j]
            for i in range(rows):
                derivative[i] *= factor[i]
        if weighted:
            weight = weights[start : start + rows]
            for i in range(rows):
                derivative[i] *= weight[i]
        if varies[j] == 0:
            derivative[0] = total(derivative)


@kernel
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
