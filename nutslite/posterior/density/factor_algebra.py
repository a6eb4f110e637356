"""What matrix centring does with its factor, by pointers: sparse, or in panels. A model compiles what it has alone."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import types

from nutslite._addresses import address_of, caller_of
from nutslite._numba import MATRIX, VECTOR
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
    factorise,
    multiply_upper,
    outer,
    pull_back_factor,
    solve_lower,
    solve_upper,
    subtract_inverse_diagonal,
)
from nutslite.posterior.density.sparse_pattern import PATTERN
from nutslite.sampler.transition.compiling import uncounted

MEAN, MEMBERS, SLOPES, RIGHT = range(4)
"""Rows of `vectors`: L^-1 b, u, derivatives by z, derivatives by b."""

_FACTORISE = types.FunctionType(types.float64(PATTERN, VECTOR, VECTOR))
_SOLVE = types.FunctionType(types.void(PATTERN, VECTOR, VECTOR))
_PULL_BACK = types.FunctionType(types.void(PATTERN, VECTOR, MATRIX, VECTOR))
_MULTIPLY = types.FunctionType(types.void(PATTERN, VECTOR, VECTOR, VECTOR))

ALGEBRA = types.UniTuple(types.int64, 3)
"""Type of `algebra_of`, whose places are named here."""
FACTORISE, SOLVE, PULL_BACK = range(3)

factorise_at, solve_at, pull_back_at, multiply_at = map(caller_of, (_FACTORISE, _SOLVE, _PULL_BACK, _MULTIPLY))
"""For compiled code: the functions at addresses."""


@functools.cache
def algebra_of(in_panels: bool) -> tuple[Any, Any, Any]:
    """Addresses of what every gradient needs: the factor with L^-1 b, L^-T x, the way back."""
    if in_panels:
        factor, solve, back = _factorise_panels, _solve_panels, _pull_back_panels
    else:
        factor, solve, back = _factorise_sparse, _solve_sparse, _pull_back_sparse
    return address_of(factor, _FACTORISE), address_of(solve, _SOLVE), address_of(back, _PULL_BACK)


@functools.cache
def multiply_of(in_panels: bool) -> Any:
    """Address of what makes L' x."""
    return address_of(_multiply_panels if in_panels else _multiply_sparse, _MULTIPLY)


@uncounted
def _factorise_sparse(pattern, numbers, mean):
    """Overwrite a matrix by its factor and b by L^-1 b; return sum log diag L, -inf where there is no factor."""
    half = factorise(pattern, numbers)
    if np.isfinite(half):
        solve_lower(pattern, numbers, mean)
    return half


@uncounted
def _factorise_panels(pattern, numbers, mean):
    half = factorise_panels(pattern.levels, pattern.own, pattern.border, numbers)
    if np.isfinite(half):
        solve_lower_panels(pattern.levels, pattern.own, pattern.border, numbers, mean)
    return half


@uncounted
def _solve_sparse(pattern, numbers, x):
    solve_upper(pattern, numbers, x)


@uncounted
def _solve_panels(pattern, numbers, x):
    solve_upper_panels(pattern.levels, pattern.own, pattern.border, numbers, x)


@uncounted
def _pull_back_sparse(pattern, numbers, vectors, adjoint):
    """Derivatives by u in SLOPES become those by z; `adjoint` is overwritten with those by the matrix.

    They include those of the log-Jacobian, minus sum log diag L.
    """
    mean, u, slopes, right = vectors[MEAN], vectors[MEMBERS], vectors[SLOPES], vectors[RIGHT]
    solve_lower(pattern, numbers, slopes)
    for k in range(slopes.shape[0]):
        right[k] = slopes[k]
    solve_upper(pattern, numbers, right)
    outer(pattern, adjoint, u, slopes, right, mean)
    subtract_inverse_diagonal(pattern, numbers, adjoint)
    pull_back_factor(pattern, numbers, adjoint)


@uncounted
def _pull_back_panels(pattern, numbers, vectors, adjoint):
    levels, own, border = pattern.levels, pattern.own, pattern.border
    mean, u, slopes, right = vectors[MEAN], vectors[MEMBERS], vectors[SLOPES], vectors[RIGHT]
    solve_lower_panels(levels, own, border, numbers, slopes)
    for k in range(slopes.shape[0]):
        right[k] = slopes[k]
    solve_upper_panels(levels, own, border, numbers, right)
    outer_panels(levels, own, border, adjoint, u, slopes, right, mean)
    subtract_inverse_diagonal_panels(levels, own, border, numbers, adjoint)
    pull_back_panels(levels, own, border, numbers, adjoint)


@uncounted
def _multiply_sparse(pattern, numbers, x, out):
    multiply_upper(pattern, numbers, x, out)


@uncounted
def _multiply_panels(pattern, numbers, x, out):
    multiply_upper_panels(pattern.levels, pattern.own, pattern.border, numbers, x, out)
