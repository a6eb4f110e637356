"""Levels of a factor side by side: the first columns of a sparse Cholesky factor, where many take the same steps.

A level has q effects and is joined to r rows outside of it: its columns of the factor are a panel of q columns and
q + r rows. All panels take the same steps, so `LANES` levels take each step together: a number of the panel is a vector
with an element for each of them, over which compiled code uses the processor's wide instructions. What levels subtract
from rows that are common to all is added up in vectors, too; what they subtract from rows of their own, as of the
places that broods lie in, goes there one by one. The steps are those of `sparse_cholesky`, and so is the way back.
`sparse_pattern.Pattern` has the layout.
"""

from __future__ import annotations

import numpy as np

from nutslite.posterior.density.sparse_pattern import LANES, Pattern
from nutslite.sampler.transition.compiling import uncounted

LARGEST_PRODUCT, SMALLEST_PRODUCT = 1e100, 1e-100
"""Of pivots, before its logarithm is taken: one logarithm takes longer than dozens of products."""


@uncounted
def scratch_size(pattern: Pattern):
    """Numbers behind those of the factor that kernels compute in."""
    common = pattern.common
    return LANES * (common * (common + 1) // 2 + common + 1) if pattern.levels > 0 else 0


@uncounted
def _start(j, width):
    """Numbers before column j of a panel, or of a lower triangle, of so many rows."""
    return j * width - j * (j - 1) // 2


@uncounted
def _pairs(pattern: Pattern):
    """As `sparse_pattern.n_scattered`."""
    return pattern.varying * (pattern.varying + 1) // 2 + pattern.varying * pattern.common


@uncounted
def _common_place(pattern: Pattern, a, b):
    """Place of the number of two common rows, a <= b."""
    return pattern.starts[pattern.starts.shape[0] - 1 - pattern.common + a] + b - a


@uncounted
def _first_common(pattern: Pattern):
    """The first node to which all are joined."""
    return pattern.levels * pattern.own + pattern.starts.shape[0] - 1 - pattern.common


@uncounted
def _subtract(target, one, other):
    for s in range(target.shape[0]):
        target[s] -= one[s] * other[s]


@uncounted
def _add(target, one, other):
    for s in range(target.shape[0]):
        target[s] += one[s] * other[s]


@uncounted
def _subtract_times(target, one, number):
    for s in range(target.shape[0]):
        target[s] -= one[s] * number


@uncounted
def _add_times(target, one, number):
    for s in range(target.shape[0]):
        target[s] += one[s] * number


@uncounted
def _subtract_at(target, places, one, other):
    for s in range(places.shape[0]):
        target[places[s]] -= one[s] * other[s]


@uncounted
def _subtract_from(target, one, source, places):
    for s in range(places.shape[0]):
        target[s] -= one[s] * source[places[s]]


@uncounted
def _add_from(target, one, source, places):
    for s in range(places.shape[0]):
        target[s] += one[s] * source[places[s]]


@uncounted
def _gather(target, source, places):
    for s in range(places.shape[0]):
        target[s] = source[places[s]]


@uncounted
def _divide(target, by):
    for s in range(target.shape[0]):
        target[s] /= by[s]


@uncounted
def _sum(vector):
    total = 0.0
    for s in range(vector.shape[0]):
        total += vector[s]
    return total


@uncounted
def factorise_panels(pattern: Pattern, numbers):
    """Overwrite the panels with their part of the factor, other numbers with what is left; return sum log diag of it.

    `numbers` end with `scratch_size` more. Not finite where the matrix is not positive definite.
    """
    if pattern.levels == 0:
        return 0.0
    levels, own, varying, common = pattern.levels, pattern.own, pattern.varying, pattern.common
    width = own + varying + common
    entries, pairs = _start(own, width), _pairs(pattern)
    corner = common * (common + 1) // 2
    scratch = pattern.rows.shape[0]
    for k in range(scratch, scratch + corner * LANES):
        numbers[k] = 0.0
    half = 0.0
    for first in range(0, levels, LANES):
        m = min(LANES, levels - first)
        base = first * entries
        product = numbers[scratch + corner * LANES : scratch + corner * LANES + m]
        for s in range(m):
            product[s] = 1.0
        for j in range(own):
            at = base + _start(j, width) * m
            pivot = numbers[at : at + m]
            for s in range(m):
                pivot[s] = np.sqrt(pivot[s])  # nan where the matrix is not positive definite
                product[s] *= pivot[s]
            for i in range(1, width - j):
                _divide(numbers[at + i * m : at + (i + 1) * m], pivot)
            for x in range(1, own - j):
                factor = numbers[at + x * m : at + (x + 1) * m]
                to = base + _start(j + x, width) * m
                for y in range(x, width - j):
                    place = to + (y - x) * m
                    _subtract(numbers[place : place + m], factor, numbers[at + y * m : at + (y + 1) * m])
            place = first * pairs
            for x in range(own - j, own - j + varying):
                factor = numbers[at + x * m : at + (x + 1) * m]
                for y in range(x, width - j):
                    places = pattern.scattered[place : place + m]
                    _subtract_at(numbers, places, factor, numbers[at + y * m : at + (y + 1) * m])
                    place += m
            place = scratch
            for x in range(own - j + varying, width - j):
                factor = numbers[at + x * m : at + (x + 1) * m]
                for y in range(x, width - j):
                    _add(numbers[place : place + m], factor, numbers[at + y * m : at + (y + 1) * m])
                    place += LANES
        together = 1.0
        for s in range(m):
            together *= product[s]
            if together > LARGEST_PRODUCT or together < SMALLEST_PRODUCT:
                half += np.log(together)
                together = 1.0
        half += np.log(together)
    place = scratch
    for a in range(common):
        for b in range(a, common):
            numbers[_common_place(pattern, a, b)] -= _sum(numbers[place : place + LANES])
            place += LANES
    return half


@uncounted
def pull_back_panels(pattern: Pattern, numbers, adjoint):
    """Derivatives by the panels' part of the factor become those by the matrix, after those of all other columns."""
    levels, own, varying, common = pattern.levels, pattern.own, pattern.varying, pattern.common
    width = own + varying + common
    entries, pairs = _start(own, width), _pairs(pattern)
    scratch = pattern.rows.shape[0]
    for first in range(0, levels, LANES):
        m = min(LANES, levels - first)
        base = first * entries
        slopes = numbers[scratch : scratch + m]
        for j in range(own - 1, -1, -1):
            at = base + _start(j, width) * m
            for a in range(common):
                x = own - j + varying + a
                factor, slope_x = numbers[at + x * m : at + (x + 1) * m], adjoint[at + x * m : at + (x + 1) * m]
                for b in range(a, common):
                    y = own - j + varying + b
                    slope = adjoint[_common_place(pattern, a, b)]
                    _subtract_times(slope_x, numbers[at + y * m : at + (y + 1) * m], slope)
                    _subtract_times(adjoint[at + y * m : at + (y + 1) * m], factor, slope)
            place = first * pairs
            for x in range(own - j, own - j + varying):
                factor, slope_x = numbers[at + x * m : at + (x + 1) * m], adjoint[at + x * m : at + (x + 1) * m]
                for y in range(x, width - j):
                    _gather(slopes, adjoint, pattern.scattered[place : place + m])
                    place += m
                    _subtract(slope_x, numbers[at + y * m : at + (y + 1) * m], slopes)
                    _subtract(adjoint[at + y * m : at + (y + 1) * m], factor, slopes)
            for x in range(1, own - j):
                factor, slope_x = numbers[at + x * m : at + (x + 1) * m], adjoint[at + x * m : at + (x + 1) * m]
                to = base + _start(j + x, width) * m
                for y in range(x, width - j):
                    inner = adjoint[to + (y - x) * m : to + (y - x + 1) * m]
                    _subtract(slope_x, numbers[at + y * m : at + (y + 1) * m], inner)
                    _subtract(adjoint[at + y * m : at + (y + 1) * m], factor, inner)
            pivot, slope_pivot = numbers[at : at + m], adjoint[at : at + m]
            for i in range(1, width - j):
                inner = adjoint[at + i * m : at + (i + 1) * m]
                _divide(inner, pivot)
                _subtract(slope_pivot, inner, numbers[at + i * m : at + (i + 1) * m])
            for s in range(m):
                slope_pivot[s] = 0.5 * slope_pivot[s] / pivot[s]


@uncounted
def solve_lower_panels(pattern: Pattern, numbers, x):
    """Overwrite `x` with what the panels do to it on the way to L^-1 x."""
    if pattern.levels == 0:
        return
    levels, own, varying, common = pattern.levels, pattern.own, pattern.varying, pattern.common
    width = own + varying + common
    entries = _start(own, width)
    scratch = pattern.rows.shape[0]
    for k in range(scratch, scratch + common * LANES):
        numbers[k] = 0.0
    for first in range(0, levels, LANES):
        m = min(LANES, levels - first)
        base, node = first * entries, first * own
        for j in range(own):
            at = base + _start(j, width) * m
            value = x[node + j * m : node + (j + 1) * m]
            _divide(value, numbers[at : at + m])
            for i in range(1, own - j):
                to = node + (j + i) * m
                _subtract(x[to : to + m], numbers[at + i * m : at + (i + 1) * m], value)
            for v in range(varying):
                i, place = own - j + v, first * varying + v * m
                _subtract_at(x, pattern.outside[place : place + m], numbers[at + i * m : at + (i + 1) * m], value)
            for b in range(common):
                i = own - j + varying + b
                place = scratch + b * LANES
                _add(numbers[place : place + m], numbers[at + i * m : at + (i + 1) * m], value)
    for b in range(common):
        x[_first_common(pattern) + b] -= _sum(numbers[scratch + b * LANES : scratch + (b + 1) * LANES])


@uncounted
def solve_upper_panels(pattern: Pattern, numbers, x):
    """The last steps to L^-T x, after those of all other columns."""
    levels, own, varying, common = pattern.levels, pattern.own, pattern.varying, pattern.common
    width = own + varying + common
    entries, last = _start(own, width), _first_common(pattern)
    for first in range(0, levels, LANES):
        m = min(LANES, levels - first)
        base, node = first * entries, first * own
        for j in range(own - 1, -1, -1):
            at = base + _start(j, width) * m
            value = x[node + j * m : node + (j + 1) * m]
            for i in range(1, own - j):
                other = node + (j + i) * m
                _subtract(value, numbers[at + i * m : at + (i + 1) * m], x[other : other + m])
            for v in range(varying):
                i, place = own - j + v, first * varying + v * m
                _subtract_from(value, numbers[at + i * m : at + (i + 1) * m], x, pattern.outside[place : place + m])
            for b in range(common):
                i = own - j + varying + b
                _subtract_times(value, numbers[at + i * m : at + (i + 1) * m], x[last + b])
            _divide(value, numbers[at : at + m])


@uncounted
def multiply_upper_panels(pattern: Pattern, numbers, x, out):
    """Overwrite the panels' elements of `out` with those of L' x."""
    levels, own, varying, common = pattern.levels, pattern.own, pattern.varying, pattern.common
    width = own + varying + common
    entries, last = _start(own, width), _first_common(pattern)
    for first in range(0, levels, LANES):
        m = min(LANES, levels - first)
        base, node = first * entries, first * own
        for j in range(own):
            at = base + _start(j, width) * m
            value = out[node + j * m : node + (j + 1) * m]
            for s in range(m):
                value[s] = 0.0
            for i in range(own - j):
                other = node + (j + i) * m
                _add(value, numbers[at + i * m : at + (i + 1) * m], x[other : other + m])
            for v in range(varying):
                i, place = own - j + v, first * varying + v * m
                _add_from(value, numbers[at + i * m : at + (i + 1) * m], x, pattern.outside[place : place + m])
            for b in range(common):
                i = own - j + varying + b
                _add_times(value, numbers[at + i * m : at + (i + 1) * m], x[last + b])


@uncounted
def outer_panels(pattern: Pattern, adjoint, u, slopes, right, mean):
    """Overwrite the panels' part of `adjoint` with the entries of -u slopes' - right mean'."""
    levels, own, varying, common = pattern.levels, pattern.own, pattern.varying, pattern.common
    width = own + varying + common
    entries, last = _start(own, width), _first_common(pattern)
    for first in range(0, levels, LANES):
        m = min(LANES, levels - first)
        base, node = first * entries, first * own
        for j in range(own):
            at = base + _start(j, width) * m
            slope, value = slopes[node + j * m : node + (j + 1) * m], mean[node + j * m : node + (j + 1) * m]
            for i in range(own - j):
                row = node + (j + i) * m
                to = adjoint[at + i * m : at + (i + 1) * m]
                one, other = u[row : row + m], right[row : row + m]
                for s in range(m):
                    to[s] = -one[s] * slope[s] - other[s] * value[s]
            for v in range(varying):
                i, place = own - j + v, first * varying + v * m
                to, rows = adjoint[at + i * m : at + (i + 1) * m], pattern.outside[place : place + m]
                for s in range(m):
                    to[s] = -u[rows[s]] * slope[s] - right[rows[s]] * value[s]
            for b in range(common):
                i = own - j + varying + b
                to = adjoint[at + i * m : at + (i + 1) * m]
                one_number, other_number = u[last + b], right[last + b]
                for s in range(m):
                    to[s] = -one_number * slope[s] - other_number * value[s]


@uncounted
def subtract_inverse_diagonal_panels(pattern: Pattern, numbers, adjoint):
    """Subtract from the panels' part of `adjoint` the derivatives of the logarithms of the diagonal."""
    levels, own = pattern.levels, pattern.own
    width = own + pattern.varying + pattern.common
    entries = _start(own, width)
    for first in range(0, levels, LANES):
        m = min(LANES, levels - first)
        for j in range(own):
            at = first * entries + _start(j, width) * m
            for k in range(at, at + m):
                adjoint[k] -= 1.0 / numbers[k]
