r"""From unconstrained numbers, which the sampler moves freely, to the constrained ones of the model.

For a density p of a constrained x = f(u), the sampler sees ``log p(f(u)) + log |det f'(u)|``. Elementwise transforms
are chosen by integer code. Block transforms (Cholesky factors of correlation matrices, simplexes) are those of
`nutslite.sampler.constraints`.

`FOLD` (x = c |sinh(u)|, with c in the place of the upper bound) takes two numbers to one: with an even density of u it
gives x the same density, twice. It has no infinitely far end at zero, which a scale that may well be zero would have on
the log scale, and large numbers are as near as on the log scale.

`BENT_LOG` (x = lower + c exp(u - w^2), w = (sqrt(u^2 + 1/4) - u) / 2, with c in the place of the upper bound) is the
log scale for large x. To the left it bends downwards, log x falling as -u^2, so that a finite density at x = lower has
a tail there as short as a normal distribution's, where the log scale's is exponential. Unlike `FOLD` it is one-to-one,
and x stays positive, whatever fractional powers of x the density holds.

`ABOVE` is `LOG` with the element before in the place of the lower bound: it makes a vector whose elements increase.

Source: Stan Reference Manual, "Constraint Transforms".
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
