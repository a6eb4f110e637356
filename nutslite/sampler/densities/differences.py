"""Gradients by finite differences, for functions that nothing else differentiates.

The central difference of fourth order, ``(8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / 12 h``, with a step
that balances its two errors: what the formula leaves out, in proportion to h^4, and rounding, in proportion to 1 / h.

Source: Abramowitz and Stegun (1964), 25.3.23 and 25.3.21; choice of the step: Press et al., Numerical Recipes, 5.7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types

from nutslite._numba import VECTOR
from nutslite.derivatives.derivatives import compiles, jitted, name_of
from nutslite.sampler.transition.logdensity import Vector

STEP = float(np.finfo(np.float64).eps ** 0.2)
"""Of a coordinate of size one: the fifth root of the rounding error."""


def _step(x):
    """A step that floating point represents exactly beside x."""
    moved = x + STEP * max(abs(x), 1.0)
    return moved - x


def compiled_differences(function: Callable[..., Any], dimension: int, data_type: Any = None) -> Any:
    """Kernel ``(position, gradient, data) -> value``, as of `compiled_vector_gradient`; None where Numba cannot."""
    compiled = jitted(function)
    if compiled is None:
        return None
    options = {"nogil": True, "error_model": "numpy"}
    if data_type is None:

        def with_both(position: Any, data: Any) -> Any:
            return compiled(position)

        of_both = numba.njit(**options)(with_both)
    else:
        of_both = compiled
    step = numba.njit(**options)(_step)

    def with_gradient(position: Any, gradient: Any, data: Any) -> Any:
        at = position.copy()
        for i in range(position.shape[0]):
            h = step(position[i])
            at[i] = position[i] + h
            near = of_both(at, data)
            at[i] = position[i] - h
            near -= of_both(at, data)
            at[i] = position[i] + 2.0 * h
            far = of_both(at, data)
            at[i] = position[i] - 2.0 * h
            far -= of_both(at, data)
            at[i] = position[i]
            gradient[i] = (8.0 * near - far) / (12.0 * h)
        return of_both(position, data)

    kernel: Any = numba.njit(**options)(with_gradient)
    return kernel if compiles(kernel, types.float64(VECTOR, VECTOR, data_type or types.float64)) else None


def differences_of(function: Callable[..., Any]) -> Callable[..., tuple[float, Vector]]:
    """Value and gradient of a function of Python: ``(position, *data) -> (value, gradient)``."""

    def with_gradient(position: Vector, *data: Any) -> tuple[float, Vector]:
        gradient = np.empty_like(position)
        at = position.copy()
        with np.errstate(all="ignore"):
            for i, x in enumerate(position.tolist()):
                h = _step(x)
                values = []
                for shift in (h, -h, 2.0 * h, -2.0 * h):
                    at[i] = x + shift
                    values.append(float(function(at.copy(), *data)))
                at[i] = x
                gradient[i] = (8.0 * (values[0] - values[1]) - (values[2] - values[3])) / (12.0 * h)
            return float(function(position, *data)), gradient

    with_gradient.__name__ = name_of(function).strip("'")
    return with_gradient
