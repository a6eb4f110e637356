"""What matrix centring does with its factor: panels first, then columns one by one, and the other way round."""

from __future__ import annotations

import numpy as np

from nutslite.posterior.density.panels import (
    factorise_panels,
    multiply_upper_panels,
    outer_panels,
    pull_back_panels,
    solve_lower_panels,
    solve_upper_panels,
    subtract_inverse_diagonal_panels,
)
from nutslite.posterior.density.sparse_cholesky import (
    factorise_columns,
    multiply_upper_columns,
    outer_columns,
    pull_back_columns,
    solve_lower_columns,
    solve_upper_columns,
    subtract_inverse_diagonal_columns,
)
from nutslite.posterior.density.sparse_pattern import Pattern
from nutslite.sampler.transition.compiling import uncounted_inlined

MEAN, MEMBERS, SLOPES, RIGHT = range(4)
"""Rows of `vectors`: L^-1 b, u, derivatives by z, derivatives by b."""


@uncounted_inlined
def factorise(pattern: Pattern, numbers):
    """Overwrite `numbers`, a matrix's lower triangle, with its Cholesky factor; return half its log determinant.

    They end with `panels.scratch_size` more. -inf where the matrix is not positive definite or not finite, and the
    numbers are then of no use.
    """
    half = factorise_panels(pattern, numbers) + factorise_columns(pattern, numbers)
    return half if np.isfinite(half) else -np.inf


@uncounted_inlined
def solve_lower(pattern: Pattern, numbers, x):
    """Overwrite `x` with L^-1 x."""
    solve_lower_panels(pattern, numbers, x)
    solve_lower_columns(pattern, numbers, x)


@uncounted_inlined
def solve_upper(pattern: Pattern, numbers, x):
    """Overwrite `x` with L^-T x."""
    solve_upper_columns(pattern, numbers, x)
    solve_upper_panels(pattern, numbers, x)


@uncounted_inlined
def multiply_upper(pattern: Pattern, numbers, x, out):
    """Overwrite `out` with L' x."""
    multiply_upper_panels(pattern, numbers, x, out)
    multiply_upper_columns(pattern, numbers, x, out)


@uncounted_inlined
def pull_back_factor(pattern: Pattern, numbers, adjoint):
    """Turn derivatives by a factor into derivatives by the lower triangle of its matrix, each entry counted once.

    `numbers` are those of the factor, with their scratch; `adjoint` is overwritten.
    """
    pull_back_columns(pattern, numbers, adjoint)
    pull_back_panels(pattern, numbers, adjoint)


@uncounted_inlined
def pull_back(pattern: Pattern, numbers, vectors, adjoint):
    """Derivatives by u in SLOPES become those by z; `adjoint` is overwritten with those by the matrix.

    They include those of the log-Jacobian, minus sum log diag L.
    """
    mean, u, slopes, right = vectors[MEAN], vectors[MEMBERS], vectors[SLOPES], vectors[RIGHT]
    solve_lower(pattern, numbers, slopes)
    for k in range(slopes.shape[0]):
        right[k] = slopes[k]
    solve_upper(pattern, numbers, right)
    outer_panels(pattern, adjoint, u, slopes, right, mean)
    outer_columns(pattern, adjoint, u, slopes, right, mean)
    subtract_inverse_diagonal_panels(pattern, numbers, adjoint)
    subtract_inverse_diagonal_columns(pattern, numbers, adjoint)
    pull_back_factor(pattern, numbers, adjoint)
