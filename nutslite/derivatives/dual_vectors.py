"""Vectors of dual numbers in compiled code: the gradient of a function of one vector, some elements at a time.

A vector of duals is a Numba array whose items are dual numbers, laid over a plain matrix that has a row for each
element: its value, then its partials. What Numba does with arrays of any type (indexing, slices, loops, lengths) it
does with these; of NumPy's functions they know `sum` and `dot`. Arithmetic of whole vectors does not compile, and goes
by `dual_arrays` instead.

With width w a function of n numbers is evaluated ceil(n / w) times, each time with the partials by w of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic, overload

from nutslite._numba import VECTOR, inner
from nutslite.derivatives.derivatives import compiles, jitted
from nutslite.derivatives.dual_functions import stored
from nutslite.derivatives.duals import DualType, is_dual

WIDTH = 8
"""Partials at a time. More share the work of one evaluation, but take longer to compile and spill registers."""


@intrinsic(prefer_literal=True)
def as_duals(typing_context: Any, memory: Any, width: Any) -> Any:
    """The array `memory`, shape (..., 1 + width), as one of duals, shape (...); it stays alive with it."""
    if not isinstance(width, types.IntegerLiteral):
        return None
    dual = DualType(width.literal_value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.return_type
        source = context.make_array(signature.args[0])(context, builder, arguments[0])
        made = context.make_array(kind)(context, builder)
        item = context.get_data_type(dual)
        size = context.get_constant(types.intp, context.get_abi_sizeof(item))
        shape = cgutils.unpack_tuple(builder, source.shape)[:-1]
        strides = cgutils.unpack_tuple(builder, source.strides)[:-1]  # a dual is as long as its numbers
        context.populate_array(
            made,
            data=builder.bitcast(source.data, item.as_pointer()),
            shape=shape,
            strides=strides,
            itemsize=size,
            meminfo=source.meminfo,
            parent=cgutils.get_null_value(made.parent.type),
        )
        return impl_ret_borrowed(context, builder, kind, made._getvalue())

    return types.Array(dual, memory.ndim - 1, "C")(memory, width), generate


def compiled_vector_gradient(
    function: Callable[..., Any], dimension: int, data_type: Any = None
) -> Callable[..., float] | None:
    """Kernel ``(position, gradient, data) -> value`` of a function of a vector that Numba compiles.

    Parameters
    ----------
    function : callable
        ``function(position, data)``, or ``function(position)`` without a `data_type`; plain Python or jitted. Loops
        over elements, functions of `math` and NumPy's of single numbers.
    dimension : int
        Length of `position` and `gradient` (float64, C-contiguous); the latter is overwritten.
    data_type : numba type, optional
        Of `data`, by which is not differentiated.

    Returns
    -------
    callable or None
        A jitted kernel, which without a `data_type` takes one float that it ignores. None where Numba cannot compile
        the function for vectors of duals, or is switched off.
    """
    compiled = jitted(function)
    if compiled is None:
        return None
    width = min(dimension, WIDTH)
    of_both = compiled if data_type is not None else _ignoring_data(compiled)

    def with_gradient(position: Any, gradient: Any, data: Any) -> Any:
        memory = _memory(dimension, width)
        duals = as_duals(memory, width)
        partials = np.empty(width)
        value = 0.0
        for start in range(0, dimension, width):
            _seed(position, start, memory)
            value = stored(of_both(duals, data), partials)
            for j in range(min(width, dimension - start)):
                gradient[start + j] = partials[j]
        return value

    kernel: Any = numba.njit(nogil=True, error_model="numpy")(with_gradient)
    return kernel if compiles(kernel, types.float64(VECTOR, VECTOR, data_type or types.float64)) else None


def _ignoring_data(compiled: Any) -> Any:
    def with_both(position: Any, data: Any) -> Any:
        return compiled(position)

    return numba.njit(nogil=True, error_model="numpy")(with_both)


@inner
def _memory(n, width):
    return np.empty((n, 1 + width))


@inner
def _seed(position, start, memory):
    """Elements from `start` on have derivative one by themselves, a column each, the others none."""
    for i in range(memory.shape[0]):
        memory[i, 0] = position[i]
        for j in range(memory.shape[1] - 1):
            memory[i, 1 + j] = 1.0 if i == start + j else 0.0


# --- NumPy's functions of whole vectors ------------------------------------------------------------------------------


def is_dual_vector(kind: Any) -> bool:
    """Whether a Numba type is that of a vector of duals."""
    return isinstance(kind, types.Array) and kind.ndim == 1 and is_dual(kind.dtype)


@overload(np.sum)
def _sum(x: Any) -> Any:
    if not is_dual_vector(x):
        return None

    def total(x: Any) -> Any:
        result = 0.0 * x[0]
        for i in range(x.shape[0]):
            result += x[i]
        return result

    return total


@overload(np.dot)
def _dot(a: Any, b: Any) -> Any:
    vectors = all(isinstance(kind, types.Array) and kind.ndim == 1 for kind in (a, b))
    if not vectors or not (is_dual_vector(a) or is_dual_vector(b)):
        return None

    def product(a: Any, b: Any) -> Any:
        result = 0.0 * (a[0] * b[0])
        for i in range(a.shape[0]):
            result += a[i] * b[i]
        return result

    return product
