"""What every family kernel does before and after its own loop over a block of rows.

A kernel is written once, in its native links (identity for real parameters, log for positive ones, logit for
probabilities). `native_rows` brings any other link to those, `finish_rows` carries the derivatives back by the chain
rule, applies weights and sums the derivatives of parameters that do not vary. With native links and a varying parent
both cost next to nothing: no copy is made. Other links cost a logarithm or so: 1 to 7 ns a row, and 10 to 40 those that
need the normal distribution or an arc tangent.
"""

from __future__ import annotations

import numpy as np

from nutslite._numba import kernel
from nutslite._special import LOG_2, exp, expm1, log, log1p_unit
from nutslite.families.links import CLOGLOG, IDENTITY, INVERSE, INVERSE_SQUARED, LOG, LOGIT, SOFTPLUS, SQRT, relink


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
        if same_links or varies[j] == 0 or not _relink_rows(native[j], links[j], eta[j], native_eta[j], slope[j]):
            value, derivative = 0.0, 0.0
            for i in range(rows):
                if i == 0 or varies[j] == 1:
                    value, derivative = relink(native[j], links[j], eta[j, i])
                native_eta[j, i] = value
                if not same_links:
                    slope[j, i] = derivative
    return native_eta, slope


@kernel
def _relink_rows(native, code, eta, out, slope):
    """`links.relink` of every row by a loop that vectorises, and whether there is one for these links.

    There is for those that need no more than exponentials and logarithms. `out` is overwritten with the values, `slope`
    with the derivatives.
    """
    power = _power_of(code) if native == LOG else 0.0
    if power != 0.0:
        for i in range(out.shape[0]):
            x = eta[i]
            slope[i] = power / x
            out[i] = power * log(abs(x) if code == SQRT else x)
    elif native == LOG and code == SOFTPLUS:
        for i in range(out.shape[0]):
            x = eta[i]
            e = exp(-abs(x))
            theta = (x if x > 0.0 else 0.0) + log1p_unit(e)  # softplus, and expit two lines on
            tiny = x < -37.0  # softplus(x) is exp(x) (1 - exp(x) / 2 + ...)
            slope[i] = 1.0 if tiny else (1.0 if x > 0.0 else e) / ((1.0 + e) * theta)
            out[i] = x if tiny else log(theta)
    elif code == CLOGLOG and native in (LOG, LOGIT):
        for i in range(out.shape[0]):
            x = eta[i]
            rate = exp(700.0 if x > 700.0 else x)
            rest = exp(-rate)
            chance = -expm1(-rate)
            half = 0.5 if rest > 0.5 else rest
            log_chance = log(chance) if rate < LOG_2 else -log1p_unit(half / (1.0 - half))
            tiny = x < -37.0
            slope[i] = 1.0 if tiny else rate * (rest if native == LOG else 1.0) / chance
            out[i] = x if tiny else log_chance + (0.0 if native == LOG else rate)
    else:
        return False
    return True


@kernel
def _power_of(code):
    """The p with ``theta = eta^p`` for links that are powers, else 0."""
    if code == IDENTITY:
        return 1.0
    if code == INVERSE:
        return -1.0
    if code == INVERSE_SQUARED:
        return -0.5
    return 2.0 if code == SQRT else 0.0


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
