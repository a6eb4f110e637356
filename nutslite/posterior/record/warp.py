"""Coordinates in which the posteriors of few rows are nearly normal: the record, and the way from them to the position.

What makes small models hard, and the remedies, one after the other:

* A parameter such as sigma, given which coefficients are wide or narrow (a funnel, with no mode at all where there are
  as many coefficients as rows). The other parameters are sampled as ``y`` in ``z = m(t) + L(t) y``: their conditional
  mode and the factor of their conditional covariance at the position t of that parameter, cubic in t between knots.
* Heavy tails (a Cauchy prior where the data are separated): ``y = c sinh(v / c)``.
* An intercept that the data know only together with the effects of few levels, or with an offset: in its place stands
  the mean u of all rows' linear predictors.
* Linear predictors that must be positive (inverse, inverse-squared, square-root links, a positive mean on the identity
  link). There u is the logarithm of H, the harmonic mean of all rows' predictors. It is smooth and grows with the
  intercept, from minus infinity where the smallest predictor is zero; so the forbidden region is infinitely far away,
  whatever the other coefficients are. Where predictors e must be below one as well (probabilities on the identity link)
  u is ``log H(e) - log H(1 - e)``, and coefficients are ``b = w / (1 + N(w))``, N being how far they spread the
  predictors: every w leaves room for an intercept.

All are one-to-one; the density is divided by the Jacobians. They change how well is sampled, not what.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import CUBE, INDEX_VECTOR, VECTOR
from nutslite.sampler.transition.compiling import uncounted

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

MOST_STEPS = 80  # of Newton's method for the intercept; it needs a few
FREE, MEAN, POSITIVE, UNIT = range(4)
"""What stands in place of the intercept: itself, or one of the three means."""
STRETCH = 2.5  # c: at the centre a sixth of a normal's curvature is lost
LARGEST_STRETCH = 300.0  # beyond, sinh would be infinite


class Warp(NamedTuple):
    """How coordinates become a position. Without `knots` they are the position itself."""

    members: IndexArray  # (m,) places in the position that the tables are about
    given: IndexArray  # (1,) the place of the parameter that they depend on, or (0,)
    scale: FloatArray  # (2,) its centre and width
    knots: FloatArray  # (k,)
    # values at the knots, then slopes: one array for both, because each array of a record takes time to compile
    centers: FloatArray  # (2, k, m) conditional modes
    logs: FloatArray  # (2, k, m) logarithms of the diagonal of the factor
    lowers: FloatArray  # (2, k, m (m - 1) / 2) its lower triangle, each column divided by its diagonal
    stretched: FloatArray  # (m,) 1 where y = c sinh(v / c), 0 where y = v
    kind: int  # FREE, MEAN, POSITIVE or UNIT
    pivot: int  # the place of the intercept, or of a coefficient that takes its part
    direction: FloatArray  # (n_head,) coefficients that raise every row's predictor
    raised: FloatArray  # (n,) by how much they do


WARP = types.NamedTuple(
    [INDEX_VECTOR, INDEX_VECTOR, VECTOR, VECTOR, CUBE, CUBE, CUBE, VECTOR, types.int64, types.int64, VECTOR, VECTOR],
    Warp,
)


def no_warp() -> Warp:
    """For models that are sampled as they are."""
    nowhere, nothing, none = np.empty(0, dtype=np.int64), np.empty(0), np.empty((2, 0, 0))
    return Warp(nowhere, nowhere, nothing, nothing, none, none, none, nothing, FREE, 0, nothing, nothing)


@uncounted
def basis(knots, t, weights):
    """Overwrite `weights` (8,) of values and slopes at two knots, for the cubic and its derivative; return the first.

    Beyond the last knots it goes on as a straight line.
    """
    last = knots.shape[0] - 1
    for i in range(8):
        weights[i] = 0.0
    if last == 0 or t <= knots[0] or t >= knots[last]:
        at = last if last > 0 and t >= knots[last] else 0
        first = at if at == 0 else at - 1
        shift = 0 if at == first else 2
        weights[shift] = 1.0
        weights[shift + 1] = t - knots[at]
        weights[4 + shift + 1] = 1.0
        return first
    first = np.searchsorted(knots, t, side="right") - 1
    width = knots[first + 1] - knots[first]
    s = (t - knots[first]) / width
    weights[0] = (1.0 + 2.0 * s) * (1.0 - s) ** 2
    weights[1] = width * s * (1.0 - s) ** 2
    weights[2] = s * s * (3.0 - 2.0 * s)
    weights[3] = width * s * s * (s - 1.0)
    weights[4] = 6.0 * s * (s - 1.0) / width
    weights[5] = (1.0 - s) * (1.0 - 3.0 * s)
    weights[6] = -weights[4]
    weights[7] = s * (3.0 * s - 2.0)
    return first


@uncounted
def combine(table, first, weights, shift, out):
    """Overwrite `out` with the row of a table (2, knots, m) between two knots; with `shift` 4 its derivative."""
    second = min(first + 1, table.shape[1] - 1)
    for j in range(out.shape[0]):
        out[j] = (
            weights[shift] * table[0, first, j]
            + weights[shift + 1] * table[1, first, j]
            + weights[shift + 2] * table[0, second, j]
            + weights[shift + 3] * table[1, second, j]
        )


@uncounted
def stretch(warp: Warp, v, y, dy):
    """Overwrite `y` and its derivative; return the log-Jacobian."""
    total = 0.0
    for k in range(v.shape[0]):
        if warp.stretched[k] > 0.0:
            x = min(max(v[k] / STRETCH, -LARGEST_STRETCH), LARGEST_STRETCH)
            y[k] = STRETCH * math.sinh(x)
            dy[k] = math.cosh(x)
            total += math.log(dy[k])
        else:
            y[k] = v[k]
            dy[k] = 1.0
    return total


@uncounted
def multiply(lower, diagonal, y, out):
    """Overwrite `out` with the factor times `y`; `lower` as in `Warp.lowers`."""
    at = 0
    for i in range(y.shape[0]):
        out[i] = diagonal[i] * y[i]
        for j in range(i):
            out[i] += lower[at] * diagonal[j] * y[j]
            at += 1


@uncounted
def divide(lower, diagonal, y):
    """Solve for what `multiply` turns into `y`, in place."""
    at = 0
    for i in range(y.shape[0]):
        for j in range(i):
            y[i] -= lower[at] * diagonal[j] * y[j]
            at += 1
        y[i] /= diagonal[i]


@uncounted
def unstretch(warp: Warp, y):
    """The inverse of `stretch`, in place; return the log-Jacobian of `stretch` there."""
    total = 0.0
    for k in range(y.shape[0]):
        if warp.stretched[k] > 0.0:
            x = math.asinh(y[k] / STRETCH)
            y[k] = STRETCH * x
            total += math.log(math.cosh(x))
    return total


@uncounted
def untable(warp: Warp, coordinates, position, scratch, weights, lower):
    """Overwrite all but the first two, from the tables; return the log-Jacobian and the first knot."""
    for i in range(coordinates.shape[0]):
        position[i] = coordinates[i]
    t = 0.0
    total = 0.0
    if warp.given.shape[0] > 0:
        t = warp.scale[0] + warp.scale[1] * coordinates[warp.given[0]]
        position[warp.given[0]] = t
        total += np.log(warp.scale[1])
    first = basis(warp.knots, t, weights)
    v, y, dy, diagonal, z = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    for k in range(v.shape[0]):
        v[k] = coordinates[warp.members[k]]
    total += stretch(warp, v, y, dy)
    combine(warp.logs, first, weights, 0, diagonal)
    combine(warp.lowers, first, weights, 0, lower)
    for k in range(v.shape[0]):
        total += diagonal[k]
        diagonal[k] = np.exp(diagonal[k])
    multiply(lower, diagonal, y, z)
    center = scratch[5]
    combine(warp.centers, first, weights, 0, center)
    for k in range(v.shape[0]):
        position[warp.members[k]] = center[k] + z[k]
    return total, first


@uncounted
def pull_back_tables(warp: Warp, gradient, scratch, weights, lower, first):
    """Turn the gradient by the position into that by the coordinates, log-Jacobians included; `scratch` is lost."""
    y, dy, diagonal, adjoint, slope = scratch[1], scratch[2], scratch[3], scratch[4], scratch[5]
    by_column = scratch[0]
    m = y.shape[0]
    for k in range(m):
        adjoint[k] = gradient[warp.members[k]]
    for k in range(m):
        by_column[k] = adjoint[k]
        for i in range(k + 1, m):
            by_column[k] += adjoint[i] * lower[i * (i - 1) // 2 + k]
        by_column[k] *= diagonal[k]
        tail = y[k] / (STRETCH * STRETCH * dy[k]) if warp.stretched[k] > 0.0 else 0.0
        gradient[warp.members[k]] = by_column[k] * dy[k] + tail
    if warp.given.shape[0] == 0:
        return
    by_t = gradient[warp.given[0]]
    combine(warp.centers, first, weights, 4, slope)
    for k in range(m):
        by_t += adjoint[k] * slope[k]
    combine(warp.logs, first, weights, 4, slope)
    for k in range(m):
        by_t += slope[k] * (1.0 + by_column[k] * y[k])
    combine(warp.lowers, first, weights, 4, lower)
    at = 0
    for i in range(m):
        for j in range(i):
            by_t += adjoint[i] * lower[at] * diagonal[j] * y[j]
            at += 1
    gradient[warp.given[0]] = by_t * warp.scale[1]


@uncounted
def raise_above(rest):
    """Subtract the smallest element, which is returned, and the largest difference."""
    smallest, largest = math.inf, -math.inf
    for i in range(rest.shape[0]):
        smallest = min(smallest, rest[i])
        largest = max(largest, rest[i])
    for i in range(rest.shape[0]):
        rest[i] -= smallest
    return smallest, largest - smallest


@uncounted
def inverse_sums(rest, distance):
    """Sums of ``1 / e`` and ``1 / e^2`` over ``e = rest + distance``."""
    inverses, squares = 0.0, 0.0
    for i in range(rest.shape[0]):
        inverse = 1.0 / (rest[i] + distance)
        inverses += inverse
        squares += inverse * inverse
    return inverses, squares


@uncounted
def distance_of(kind, rest, spread, u):
    """How far the smallest predictor is from zero, given the mean u; `rest` and `spread` as `raise_above` leaves them.

    The harmonic mean is concave and grows with the distance, so that Newton's steps from the left never go too far.
    """
    n = rest.shape[0]
    if kind == MEAN:
        total = 0.0
        for i in range(n):
            total += rest[i]
        return u - total / n
    if kind == UNIT:
        return _distance_in_unit(rest, spread, u)
    wanted = np.exp(u)  # infinite where it must be; in plain Python, too
    distance = wanted / n
    for _ in range(MOST_STEPS):
        inverses, squares = inverse_sums(rest, distance)
        step = (wanted - n / inverses) * inverses * inverses / (n * squares)
        distance += step
        if step <= 1e-14 * distance:
            break
    return distance


@uncounted
def _distance_in_unit(rest, spread, u):
    """By Newton's method on the logit of the share of the room that is left, between bounds."""
    room = 1.0 - spread
    low, high = -700.0, 700.0
    x = min(max(u, -30.0), 30.0)
    distance = 0.5 * room
    for _ in range(MOST_STEPS):
        distance = room / (1.0 + math.exp(-x))
        left = room / (1.0 + math.exp(x))
        inverses, squares = inverse_sums(rest, distance)
        others, other_squares = _mirrored_sums(rest, spread, left)
        error = math.log(others) - math.log(inverses) - u
        if error > 0.0:
            high = x
        else:
            low = x
        slope = (squares / inverses + other_squares / others) * distance * left / room
        step = -error / slope
        if abs(step) <= 1e-13 * (1.0 + abs(x)):
            break
        x = x + step if low < x + step < high else 0.5 * (low + high)
    return distance


@uncounted
def _mirrored_sums(rest, spread, left):
    """`inverse_sums` of ``1 - e``; `left` is what the largest e leaves to one."""
    inverses, squares = 0.0, 0.0
    for i in range(rest.shape[0]):
        inverse = 1.0 / (spread - rest[i] + left)
        inverses += inverse
        squares += inverse * inverse
    return inverses, squares


@uncounted
def mean_slopes(kind, rest, spread, distance, slopes, jacobians):
    """How the mean depends on each predictor.

    Parameters
    ----------
    slopes, jacobians : ndarray, shape (n,)
        Overwritten: derivatives of the mean by the predictors, and of minus the logarithm of their sum.

    Returns
    -------
    float
        The sum of the slopes: the mean's derivative by the intercept.
    """
    n = rest.shape[0]
    if kind == MEAN:
        for i in range(n):
            slopes[i] = 1.0 / n
            jacobians[i] = 0.0
        return 1.0
    a, b = inverse_sums(rest, distance)
    total = b / a
    c, d = math.inf, 0.0
    left = 1.0 - spread - distance
    if kind == UNIT:
        c, d = _mirrored_sums(rest, spread, left)
        total += d / c
    for i in range(n):
        x = 1.0 / (rest[i] + distance)
        slopes[i] = x * x / a
        jacobians[i] = x * x * (2.0 * x / a - b / (a * a))
        if kind == UNIT:
            y = 1.0 / (spread - rest[i] + left)
            slopes[i] += y * y / c
            jacobians[i] += y * y * (d / (c * c) - 2.0 * y / c)
        jacobians[i] /= total
    return total
