"""A sparse Cholesky factor in the places of a `Pattern`: the columns that are in no panel, one by one.

L, products with its inverse, and the way back to the matrix, in place; kernels allocate nothing and never raise. A
factorisation is right-looking: a finished column's products are subtracted where the pattern says. Its reverse goes
through the same products backwards (Smith 1995, Differentiation of the Cholesky algorithm,
doi:10.1080/10618600.1995.10474671).
"""

from __future__ import annotations

import numpy as np

from nutslite.posterior.density.panels import LARGEST_PRODUCT, SMALLEST_PRODUCT
from nutslite.posterior.density.sparse_pattern import Pattern
from nutslite.sampler.transition.compiling import uncounted


@uncounted
def factorise_columns(pattern: Pattern, numbers):
    """Overwrite a matrix's lower triangle, less what the panels take, with its factor; return sum log diag of it.

    -inf where the matrix is not positive definite or not finite, and the numbers are then of no use.
    """
    starts, targets = pattern.starts, pattern.targets
    half, together = 0.0, 1.0
    t = 0
    for j in range(starts.shape[0] - 1):
        first, last = starts[j], starts[j + 1]
        pivot = numbers[first]
        if not (pivot > 0.0 and pivot < np.inf):
            return -np.inf
        pivot = np.sqrt(pivot)
        numbers[first] = pivot
        together *= pivot
        if together > LARGEST_PRODUCT or together < SMALLEST_PRODUCT:
            half += np.log(together)
            together = 1.0
        share = 1.0 / pivot
        for k in range(first + 1, last):
            numbers[k] *= share
        for x in range(first + 1, last):
            factor = numbers[x]
            for y in range(x, last):
                numbers[targets[t]] -= factor * numbers[y]
                t += 1
    return half + np.log(together)


@uncounted
def pull_back_columns(pattern: Pattern, numbers, adjoint):
    """Turn derivatives by a factor into derivatives by the lower triangle of its matrix, each entry counted once.

    `numbers` are those of the factor; `adjoint` is overwritten.
    """
    starts, targets = pattern.starts, pattern.targets
    t = targets.shape[0]
    for j in range(starts.shape[0] - 2, -1, -1):
        first, last = starts[j], starts[j + 1]
        for x in range(last - 1, first, -1):
            factor = numbers[x]
            total = 0.0
            t -= last - x
            place = t
            for y in range(x, last):
                slope = adjoint[targets[place]]
                place += 1
                total += slope * numbers[y]
                adjoint[y] -= slope * factor
            adjoint[x] -= total
        share = 1.0 / numbers[first]
        pivot = adjoint[first]
        for k in range(first + 1, last):
            adjoint[k] *= share
            pivot -= adjoint[k] * numbers[k]
        adjoint[first] = 0.5 * pivot * share


@uncounted
def solve_lower_columns(pattern: Pattern, numbers, x):
    """Overwrite `x` with L^-1 x."""
    starts, rows, before = pattern.starts, pattern.rows, pattern.levels * pattern.own
    for j in range(starts.shape[0] - 1):
        first = starts[j]
        value = x[before + j] / numbers[first]
        x[before + j] = value
        for k in range(first + 1, starts[j + 1]):
            x[rows[k]] -= numbers[k] * value


@uncounted
def solve_upper_columns(pattern: Pattern, numbers, x):
    """Overwrite `x` with L^-T x."""
    starts, rows, before = pattern.starts, pattern.rows, pattern.levels * pattern.own
    for j in range(starts.shape[0] - 2, -1, -1):
        first = starts[j]
        value = x[before + j]
        for k in range(first + 1, starts[j + 1]):
            value -= numbers[k] * x[rows[k]]
        x[before + j] = value / numbers[first]


@uncounted
def multiply_upper_columns(pattern: Pattern, numbers, x, out):
    """Overwrite `out` with L' x."""
    starts, rows, before = pattern.starts, pattern.rows, pattern.levels * pattern.own
    for j in range(starts.shape[0] - 1):
        value = 0.0
        for k in range(starts[j], starts[j + 1]):
            value += numbers[k] * x[rows[k]]
        out[before + j] = value


@uncounted
def outer_columns(pattern: Pattern, adjoint, u, slopes, right, mean):
    """Overwrite `adjoint` with the entries of -u slopes' - right mean' that the factor has."""
    starts, rows, before = pattern.starts, pattern.rows, pattern.levels * pattern.own
    for j in range(starts.shape[0] - 1):
        slope, value = slopes[before + j], mean[before + j]
        for k in range(starts[j], starts[j + 1]):
            adjoint[k] = -u[rows[k]] * slope - right[rows[k]] * value


@uncounted
def subtract_inverse_diagonal_columns(pattern: Pattern, numbers, adjoint):
    """Subtract from `adjoint` the derivatives of the logarithms of the factor's diagonal."""
    for j in range(pattern.starts.shape[0] - 1):
        first = pattern.starts[j]
        adjoint[first] -= 1.0 / numbers[first]
