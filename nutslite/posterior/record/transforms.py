r"""From unconstrained numbers, which the sampler moves freely, to the constrained ones of the model.

For a density p of a constrained x = f(u), the sampler sees ``log p(f(u)) + log |det f'(u)|``. Elementwise transforms
are chosen by integer code. Block transforms (Cholesky factors of correlation matrices, simplexes) are three functions
each: ``*_constrain`` returns the log-Jacobian, ``*_pull_back`` turns the derivative with respect to the
constrained values into that of the whole with respect to u, ``*_unconstrain`` is the inverse.

`FOLD` (x = c |sinh(u)|, with c in the place of the upper bound) takes two numbers to one: with an even density of u it
gives x the same density, twice. It has no infinitely far end at zero, which a scale that may well be zero would have on
the log scale, and large numbers are as near as on the log scale.

`BENT_LOG` (x = lower + c exp(u - w^2), w = (sqrt(u^2 + 1/4) - u) / 2, with c in the place of the upper bound) is the
log scale for large x. To the left it bends downwards, log x falling as -u^2, so that a finite density at x = lower has
a tail there as short as a normal distribution's, where the log scale's is exponential. Unlike `FOLD` it is one-to-one,
and x stays positive, whatever fractional powers of x the density holds.

`ABOVE` is `LOG` with the element before in the place of the lower bound: it makes a vector whose elements increase.

Sources: Stan Reference Manual, "Constraint Transforms"; canonical partial correlations: Lewandowski, Kurowicka and Joe
(2009); isometric log-ratio: Egozcue et al. (2003), Mathematical Geology 35.
"""

from __future__ import annotations

import math

import numpy as np

from nutslite._numba import inner, kernel

IDENTITY, LOG, LOGIT_INTERVAL, NEGATIVE_LOG, FOLD, BENT_LOG, ABOVE = range(7)

LOG_2 = math.log(2.0)


def transform_code(lower: float, upper: float) -> int:
    """The elementwise transform onto the numbers between `lower` and `upper`, either of which may be infinite."""
    if lower == -math.inf:
        return IDENTITY if upper == math.inf else NEGATIVE_LOG
    return LOG if upper == math.inf else LOGIT_INTERVAL


# elementwise ----------------------------------------------------------------------------------------------------------


@inner
def _expit(u):
    small = np.exp(-abs(u))
    return 1.0 / (1.0 + small) if u >= 0.0 else small / (1.0 + small)


@inner
def _bend(u):
    """How far the bent logarithm lies below u, without the square: the positive root w of ``w (w + u) = 1 / 16``."""
    root = np.sqrt(u * u + 0.25)
    return 0.5 * (root - u) if u < 0.0 else 0.125 / (root + u)


@kernel
def constrain(code, u, lower, upper):
    """x: u, ``lower + exp(u)``, a point between `lower` and `upper`, ``upper - exp(u)``, the fold, or the bent log."""
    if code in (LOG, ABOVE):
        return lower + np.exp(u)
    if code == LOGIT_INTERVAL:
        if u < 0.0:  # measured from the nearer end, so that neither end loses digits
            return lower + (upper - lower) * _expit(u)
        return upper - (upper - lower) * _expit(-u)
    if code == NEGATIVE_LOG:
        return upper - np.exp(u)
    if code == FOLD:
        return upper * abs(np.sinh(u))
    if code == BENT_LOG:
        w = _bend(u)
        return lower + upper * np.exp(u - w * w)
    return u


@kernel
def constrain_derivative(code, u, lower, upper):
    """Slope of `constrain`, dx / du."""
    if code in (LOG, ABOVE):
        return np.exp(u)
    if code == LOGIT_INTERVAL:
        return (upper - lower) * _expit(u) * _expit(-u)
    if code == NEGATIVE_LOG:
        return -np.exp(u)
    if code == FOLD:
        return upper * np.cosh(u) if u >= 0.0 else -upper * np.cosh(u)
    if code == BENT_LOG:
        w = _bend(u)
        return upper * np.exp(u - w * w) * (1.0 + 2.0 * w * w / (u + 2.0 * w))
    return 1.0


@kernel
def log_jacobian(code, u, lower, upper):
    """Log-Jacobian, log |dx / du|."""
    if code == LOGIT_INTERVAL:
        return np.log(upper - lower) - abs(u) - 2.0 * np.log1p(np.exp(-abs(u)))
    if code == IDENTITY:
        return 0.0
    if code == FOLD:
        return np.log(upper) + abs(u) + np.log1p(np.exp(-2.0 * abs(u))) - LOG_2
    if code == BENT_LOG:
        w = _bend(u)
        return np.log(upper) + u - w * w + np.log1p(2.0 * w * w / (u + 2.0 * w))
    return u


@inner
def log_jacobian_derivative(code, u, lower, upper):
    """Slope of the log-Jacobian, d log |dx / du| / du."""
    if code == LOGIT_INTERVAL:
        return _expit(-u) - _expit(u)
    if code == IDENTITY:
        return 0.0
    if code == FOLD:
        return np.tanh(u)
    if code == BENT_LOG:
        w = _bend(u)
        root = u + 2.0 * w
        bend = 2.0 * w * w / root
        return 1.0 + bend - bend * (2.0 + u / root) / (root * (1.0 + bend))
    return 1.0


@inner
def _unbend(t):
    """u of ``t = u - w^2``, by Newton's method: this is concave and steeper than 1, so no step goes too far."""
    if not np.isfinite(t):
        return t
    u = t if t > -1.0 else -np.sqrt(-t)
    for _ in range(60):
        w = _bend(u)
        step = (t - u + w * w) / (1.0 + 2.0 * w * w / (u + 2.0 * w))
        u += step
        if abs(step) <= 1e-15 * (1.0 + abs(u)):
            break
    return u


@kernel
def unconstrain(code, x, lower, upper):
    """u, the inverse of `constrain`; infinite on the boundary, nan outside."""
    if code == LOG:
        return np.log(x - lower)
    if code == LOGIT_INTERVAL:
        return np.log(x - lower) - np.log(upper - x)
    if code == NEGATIVE_LOG:
        return np.log(upper - x)
    if code == FOLD:
        return np.arcsinh(x / upper)
    if code == BENT_LOG:
        return _unbend(np.log((x - lower) / upper))
    return x


# Cholesky factors of correlation matrices -----------------------------------------------------------------------------
# Row by row, z = tanh(u) and L[i, j] = z_j * prod_{m < j} sqrt(1 - z_m^2), written with log(1 - z^2), which keeps all
# its digits where z is 1 to working precision.


@inner
def _log_one_minus_tanh_squared(u):
    return 2.0 * (LOG_2 - abs(u) - np.log1p(np.exp(-2.0 * abs(u))))


@kernel
def cholesky_constrain(u, out):
    """Cholesky factor of a correlation matrix from canonical partial correlations ``tanh(u)``.

    Parameters
    ----------
    u : ndarray, shape (q * (q - 1) / 2,), row by row below the diagonal
    out : ndarray, shape (>= q, >= q)
        Its first q rows and columns are overwritten, with zeros above the diagonal.

    Returns
    -------
    float
        The log-Jacobian, from u to the entries below the diagonal.
    """
    value = 0.0
    position = 0
    q = 1
    while q * (q - 1) // 2 < u.shape[0]:
        q += 1
    for i in range(q):
        for j in range(i + 1, q):
            out[i, j] = 0.0
        log_rest = 0.0
        for j in range(i):
            log_share = _log_one_minus_tanh_squared(u[position])
            out[i, j] = np.tanh(u[position]) * np.exp(0.5 * log_rest)
            value += log_share + 0.5 * log_rest
            log_rest += log_share
            position += 1
        out[i, i] = np.exp(0.5 * log_rest)
    return value


@inner
def cholesky_pull_back(u, factor, adjoint, gradient):
    """Add the derivative with respect to `u`, log-Jacobian included.

    Parameters
    ----------
    u : ndarray, shape (q * (q - 1) / 2,)
    factor : ndarray, shape (q, q)
        What `cholesky_constrain` made of `u`.
    adjoint : ndarray, shape (q, q)
        Derivative of the log density with respect to the entries of the factor, the diagonal taken as variables of
        its own; entries above the diagonal are not read.
    gradient : ndarray, shape (q * (q - 1) / 2,)
        Added to.
    """
    for i in range(1, factor.shape[0]):
        start = i * (i - 1) // 2
        log_rest = 0.0
        for j in range(i):
            log_rest += _log_one_minus_tanh_squared(u[start + j])
        later = adjoint[i, i] * factor[i, i]  # sum of adjoint * entry over the entries after this one
        for j in range(i - 1, -1, -1):
            log_share = _log_one_minus_tanh_squared(u[start + j])
            log_rest -= log_share
            slope = np.exp(log_share + 0.5 * log_rest)  # d factor[i, j] / d u
            z = np.tanh(u[start + j])
            gradient[start + j] += adjoint[i, j] * slope - z * later - z * (i + 1 - j)
            later += adjoint[i, j] * factor[i, j]


@kernel
def cholesky_unconstrain(factor, out):
    """Inverse of `cholesky_constrain`; `out` (q * (q - 1) / 2,) is overwritten."""
    for i in range(1, factor.shape[0]):
        start = i * (i - 1) // 2
        rest = factor[i, i] ** 2  # sum of squares after this entry; sinh(u) = entry / sqrt(rest) keeps all digits
        for j in range(i - 1, -1, -1):
            out[start + j] = np.arcsinh(factor[i, j] / np.sqrt(rest))
            rest += factor[i, j] ** 2


# simplexes ------------------------------------------------------------------------------------------------------------
# log x is V u up to a constant. V's columns are orthonormal and sum to zero: i + 1 equal entries, their balance, zeros.


@kernel
def simplex_constrain(u, out):
    """Positive numbers that sum to one, by the isometric log-ratio.

    Parameters
    ----------
    u : ndarray, shape (k - 1,)
    out : ndarray, shape (k,)
        Overwritten.

    Returns
    -------
    float
        The log-Jacobian, from u to the first k - 1 elements.
    """
    k = out.shape[0]
    later = 0.0
    highest = -math.inf
    for i in range(k - 1, -1, -1):
        out[i] = later
        if i > 0:
            weight = u[i - 1] / np.sqrt(i * (i + 1.0))
            out[i] -= i * weight
            later += weight
        highest = max(highest, out[i])
    total = 0.0
    sum_of_logs = 0.0
    for i in range(k):
        sum_of_logs += out[i] - highest
        out[i] = np.exp(out[i] - highest)
        total += out[i]
    for i in range(k):
        out[i] /= total
    return sum_of_logs - k * np.log(total) + 0.5 * np.log(float(k))


@kernel
def simplex_pull_back(x, adjoint, gradient):
    """Add the derivative with respect to u, log-Jacobian included.

    Parameters
    ----------
    x : ndarray, shape (k,)
        What `simplex_constrain` made of u.
    adjoint : ndarray, shape (k,)
        Derivative of the log density with respect to x, all k elements taken as variables of their own.
    gradient : ndarray, shape (k - 1,)
        Added to.
    """
    k = x.shape[0]
    mean = 0.0
    for i in range(k):
        mean += x[i] * adjoint[i]
    before = 0.0
    for i in range(1, k):
        before += x[i - 1] * (adjoint[i - 1] - mean - k)
        gradient[i - 1] += (before - i * x[i] * (adjoint[i] - mean - k)) / np.sqrt(i * (i + 1.0))


@kernel
def simplex_unconstrain(x, out):
    """Inverse of `simplex_constrain`; `out` (k - 1,) is overwritten."""
    before = 0.0
    for i in range(1, x.shape[0]):
        before += np.log(x[i - 1])
        out[i - 1] = (before - i * np.log(x[i])) / np.sqrt(i * (i + 1.0))
