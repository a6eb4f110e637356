"""The factor of a matrix whose levels meet in a border alone, for many levels side by side.

With the effects of one factor, q for each level, the matrix is an arrowhead: a block (q, q) for each level, a border of
r other columns. Each level's columns of the factor are a panel of q columns and q + r rows. All panels take the same
steps, so `LANES` levels take each step together: a number of the panel is a vector with an element for each of them,
over which compiled code uses the processor's wide instructions. What levels subtract from the border's corner is added
up in vectors, too. The steps are those of `sparse_cholesky`, and so is the way back.

Places: levels in groups of `LANES`, the last group with what is left; in a group the panel's numbers column by column,
each with an element for every level; behind all groups the corner's columns. Nodes likewise: in a group the effects
one after the other, each with an element for every level; then the border.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.sampler.transition.compiling import uncounted

IndexArray = NDArray[np.int64]

LANES = 64


def panel_places(levels: int, own: int, border: int) -> tuple[IndexArray, IndexArray, IndexArray]:
    """Row and column node of every number; and the node of every effect, shape (levels, own)."""
    width = own + border
    nodes = np.empty((levels, own), dtype=np.int64)
    rows, columns = [], []
    for first in range(0, levels, LANES):
        lanes = np.arange(min(LANES, levels - first))
        nodes[first + lanes] = first * own + np.arange(own) * lanes.size + lanes[:, None]
        for j in range(own):
            for i in range(j, width):
                columns.append(first * own + j * lanes.size + lanes)
                rows.append(
                    first * own + i * lanes.size + lanes if i < own else np.full(lanes.size, levels * own + i - own)
                )
    for j in range(border):
        rows.append(levels * own + np.arange(j, border))
        columns.append(np.full(border - j, levels * own + j))
    none = [np.empty(0, dtype=np.int64)]
    return np.concatenate(rows + none), np.concatenate(columns + none), nodes


@uncounted
def scratch_size(border):
    """Numbers behind those of the factor that kernels compute in."""
    return LANES * (border * (border + 1) // 2 + border + 1)


@uncounted
def _start(j, width):
    """Numbers before column j of a lower triangle, or of a panel, of so many rows."""
    return j * width - j * (j - 1) // 2


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
def factorise_panels(levels, own, border, numbers):
    """As `sparse_cholesky.factorise`; `numbers` end with `scratch_size` more."""
    width = own + border
    entries = _start(own, width)
    pairs = _start(border, border)
    corner = levels * entries
    scratch = corner + pairs
    for k in range(scratch, scratch + pairs * LANES):
        numbers[k] = 0.0
    half = 0.0
    for first in range(0, levels, LANES):
        m = min(LANES, levels - first)
        base = first * entries
        product = numbers[scratch + pairs * LANES : scratch + pairs * LANES + m]
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
            place = scratch
            for x in range(own - j, width - j):
                factor = numbers[at + x * m : at + (x + 1) * m]
                for y in range(x, width - j):
                    _add(numbers[place : place + m], factor, numbers[at + y * m : at + (y + 1) * m])
                    place += LANES
        for s in range(m):
            half += np.log(product[s])
    for k in range(pairs):
        numbers[corner + k] -= _sum(numbers[scratch + k * LANES : scratch + (k + 1) * LANES])
    half += _factorise_corner(border, corner, numbers)
    return half if np.isfinite(half) else -np.inf


@uncounted
def _factorise_corner(border, corner, numbers):
    half = 0.0
    for j in range(border):
        at = corner + _start(j, border)
        pivot = np.sqrt(numbers[at])
        numbers[at] = pivot
        half += np.log(pivot)
        for i in range(1, border - j):
            numbers[at + i] /= pivot
        for x in range(1, border - j):
            to = corner + _start(j + x, border)
            for y in range(x, border - j):
                numbers[to + y - x] -= numbers[at + x] * numbers[at + y]
    return half


@uncounted
def pull_back_panels(levels, own, border, numbers, adjoint):
    """As `sparse_cholesky.pull_back_factor`."""
    width = own + border
    entries = _start(own, width)
    corner = levels * entries
    _pull_back_corner(border, corner, numbers, adjoint)
    for first in range(0, levels, LANES):
        m = min(LANES, levels - first)
        base = first * entries
        for j in range(own - 1, -1, -1):
            at = base + _start(j, width) * m
            place = corner
            for x in range(own - j, width - j):
                factor, slope_x = numbers[at + x * m : at + (x + 1) * m], adjoint[at + x * m : at + (x + 1) * m]
                for y in range(x, width - j):
                    slope = adjoint[place]
                    place += 1
                    _subtract_times(slope_x, numbers[at + y * m : at + (y + 1) * m], slope)
                    _subtract_times(adjoint[at + y * m : at + (y + 1) * m], factor, slope)
            for x in range(1, own - j):
                factor, slope_x = numbers[at + x * m : at + (x + 1) * m], adjoint[at + x * m : at + (x + 1) * m]
                to = base + _start(j + x, width) * m
                for y in range(x, width - j):
                    slopes = adjoint[to + (y - x) * m : to + (y - x + 1) * m]
                    _subtract(slope_x, numbers[at + y * m : at + (y + 1) * m], slopes)
                    _subtract(adjoint[at + y * m : at + (y + 1) * m], factor, slopes)
            pivot, slope_pivot = numbers[at : at + m], adjoint[at : at + m]
            for i in range(1, width - j):
                slopes = adjoint[at + i * m : at + (i + 1) * m]
                _divide(slopes, pivot)
                _subtract(slope_pivot, slopes, numbers[at + i * m : at + (i + 1) * m])
            for s in range(m):
                slope_pivot[s] = 0.5 * slope_pivot[s] / pivot[s]


@uncounted
def _pull_back_corner(border, corner, numbers, adjoint):
    for j in range(border - 1, -1, -1):
        at = corner + _start(j, border)
        for x in range(border - j - 1, 0, -1):
            to = corner + _start(j + x, border)
            for y in range(x, border - j):
                slope = adjoint[to + y - x]
                adjoint[at + x] -= slope * numbers[at + y]
                adjoint[at + y] -= slope * numbers[at + x]
        for i in range(1, border - j):
            adjoint[at + i] /= numbers[at]
            adjoint[at] -= adjoint[at + i] * numbers[at + i]
        adjoint[at] = 0.5 * adjoint[at] / numbers[at]


@uncounted
def solve_lower_panels(levels, own, border, numbers, x):
    """As `sparse_cholesky.solve_lower`."""
    width = own + border
    entries = _start(own, width)
    corner = levels * entries
    scratch = corner + _start(border, border)
    last = levels * own
    for k in range(scratch, scratch + border * LANES):
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
            for b in range(border):
                i = own - j + b
                place = scratch + b * LANES
                _add(numbers[place : place + m], numbers[at + i * m : at + (i + 1) * m], value)
    for b in range(border):
        x[last + b] -= _sum(numbers[scratch + b * LANES : scratch + (b + 1) * LANES])
    for j in range(border):
        at = corner + _start(j, border)
        x[last + j] /= numbers[at]
        for i in range(1, border - j):
            x[last + j + i] -= numbers[at + i] * x[last + j]


@uncounted
def solve_upper_panels(levels, own, border, numbers, x):
    """As `sparse_cholesky.solve_upper`."""
    width = own + border
    entries = _start(own, width)
    corner = levels * entries
    last = levels * own
    for j in range(border - 1, -1, -1):
        at = corner + _start(j, border)
        for i in range(1, border - j):
            x[last + j] -= numbers[at + i] * x[last + j + i]
        x[last + j] /= numbers[at]
    for first in range(0, levels, LANES):
        m = min(LANES, levels - first)
        base, node = first * entries, first * own
        for j in range(own - 1, -1, -1):
            at = base + _start(j, width) * m
            value = x[node + j * m : node + (j + 1) * m]
            for i in range(1, own - j):
                other = node + (j + i) * m
                _subtract(value, numbers[at + i * m : at + (i + 1) * m], x[other : other + m])
            for b in range(border):
                i = own - j + b
                _subtract_times(value, numbers[at + i * m : at + (i + 1) * m], x[last + b])
            _divide(value, numbers[at : at + m])


@uncounted
def multiply_upper_panels(levels, own, border, numbers, x, out):
    """As `sparse_cholesky.multiply_upper`."""
    width = own + border
    entries = _start(own, width)
    corner = levels * entries
    last = levels * own
    for j in range(border):
        at = corner + _start(j, border)
        total = 0.0
        for i in range(border - j):
            total += numbers[at + i] * x[last + j + i]
        out[last + j] = total
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
            for b in range(border):
                i = own - j + b
                _add_times(value, numbers[at + i * m : at + (i + 1) * m], x[last + b])


@uncounted
def outer_panels(levels, own, border, adjoint, u, slopes, right, mean):
    """As `sparse_cholesky.outer`."""
    width = own + border
    entries = _start(own, width)
    corner = levels * entries
    last = levels * own
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
            for b in range(border):
                i = own - j + b
                to = adjoint[at + i * m : at + (i + 1) * m]
                first_factor, second_factor = u[last + b], right[last + b]
                for s in range(m):
                    to[s] = -first_factor * slope[s] - second_factor * value[s]
    for j in range(border):
        at = corner + _start(j, border)
        for i in range(border - j):
            adjoint[at + i] = -u[last + j + i] * slopes[last + j] - right[last + j + i] * mean[last + j]


@uncounted
def subtract_inverse_diagonal_panels(levels, own, border, numbers, adjoint):
    """As `sparse_cholesky.subtract_inverse_diagonal`."""
    width = own + border
    entries = _start(own, width)
    corner = levels * entries
    for first in range(0, levels, LANES):
        m = min(LANES, levels - first)
        for j in range(own):
            at = first * entries + _start(j, width) * m
            for k in range(at, at + m):
                adjoint[k] -= 1.0 / numbers[k]
    for j in range(border):
        at = corner + _start(j, border)
        adjoint[at] -= 1.0 / numbers[at]
