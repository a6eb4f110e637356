"""Room for numbers of the kind that a density is called with: plain ones, or dual ones where it is differentiated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from nutslite.derivatives.dual_arrays import DualArray
from nutslite.derivatives.dual_vectors import as_duals
from nutslite.derivatives.duals import is_dual
from nutslite.derivatives.function_copies import AS_IT_IS


def vector_like(u: Any, n: int) -> Any:
    """A new vector of n elements, not yet written, of the kind of `u`; for compiled code and for Python.

    Parameters
    ----------
    u : ndarray
        The position, or a part of it.
    n : int
    """
    return _room(u, (n,))


def matrix_like(u: Any, n: int, m: int) -> Any:
    """A new matrix of n rows and m columns, not yet written, of the kind of `u`."""
    return _room(u, (n, m))


def _room(u: Any, shape: tuple[int, ...]) -> Any:
    if isinstance(u, DualArray):
        return DualArray(np.zeros(shape), np.zeros((u.partials.shape[0], *shape)))
    return np.empty(shape)


for _function in (vector_like, matrix_like):
    setattr(_function, AS_IT_IS, True)


@overload(vector_like)
def _vector_like(u, n):
    if not isinstance(u, types.Array):
        return None
    if is_dual(u.dtype):
        width = u.dtype.width

        def duals(u, n):
            return as_duals(np.empty((n, 1 + width)), width)

        return duals
    return lambda u, n: np.empty(n)


@overload(matrix_like)
def _matrix_like(u, n, m):
    if not isinstance(u, types.Array):
        return None
    if is_dual(u.dtype):
        width = u.dtype.width

        def duals(u, n, m):
            return as_duals(np.empty((n, m, 1 + width)), width)

        return duals
    return lambda u, n, m: np.empty((n, m))
