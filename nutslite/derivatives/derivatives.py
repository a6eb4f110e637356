"""Derivatives of users' functions: log densities of custom families, inverse links, potentials.

Three ways, the first that serves:

==================== ======================================================== ==========================================
method               serves                                                   accuracy
==================== ======================================================== ==========================================
``"compiled"``       functions of numbers that Numba compiles (Python with    exact to rounding
                     `math` or NumPy functions, loops, branches, further
                     compiled functions): dual numbers in machine code
``"arrays"``         functions of numbers and arrays in NumPy and             exact to rounding; a Python call each time
                     `scipy.special`: dual arrays
``"differences"``    anything else: central differences, extrapolated         ten digits or more where the function is
                                                                              smooth; 12 calls per argument
==================== ======================================================== ==========================================

There is no complex step: ``abs``, comparisons, ``lgamma`` and ``erf`` have no complex version that would keep the
derivative, and give none without a word.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.errors import NumbaWarning
from numpy.typing import NDArray

from nutslite._log import log
from nutslite._numba import VECTOR, jit_disabled
from nutslite.derivatives.dual_arrays import DualArray, plain
from nutslite.derivatives.function_copies import aware, compilable
from nutslite.exceptions import in_users_function

FloatArray = NDArray[np.float64]
ValueAndGradient = Callable[..., tuple[float, tuple[Any, ...]]]

COMPILED, ARRAYS, DIFFERENCES = "compiled", "arrays", "differences"
_STEP, _LEVELS = 0.02, 6

# What a Python function may fail with when it meets arrays or duals it was not written for.
UNSUITABLE = (TypeError, AttributeError, ValueError, NotImplementedError, IndexError)


def gradient_of(
    function: Callable[..., Any], n_arguments: int, example: Sequence[Any] | None = None
) -> tuple[ValueAndGradient, str]:
    """Make ``value_and_gradient(*arguments) -> (value, gradients)`` of a function whose value is one number.

    Parameters
    ----------
    function : callable
        Takes `n_arguments` numbers or arrays: plain Python, NumPy, or compiled by Numba. Not called here unless there
        is an `example`.
    n_arguments : int
    example : sequence of float or ndarray, optional
        Arguments of the shapes that will come. With it the method is settled now, without it for numbers only:
        arrays, where they come, are served by ``"arrays"`` or ``"differences"``.

    Returns
    -------
    value_and_gradient : callable
        ``gradients`` has one float or ndarray per argument, of the argument's shape.
    method : {"compiled", "arrays", "differences"}
        See the top of this file.

    >>> value_and_gradient, method = gradient_of(lambda x, s: -0.5 * np.sum((x / s) ** 2), 2)
    >>> value, (by_x, by_s) = value_and_gradient(np.array([1.0, 2.0]), 2.0)
    >>> value, by_x.tolist(), float(by_s)
    (-0.625, [-0.25, -0.5], 0.625)
    """
    numbers = example is None or all(np.ndim(item) == 0 for item in example)
    packed = compiled_gradient(function, n_arguments) if numbers else None
    by_arrays = _ByArrays(function)
    if example is not None and packed is None:
        by_arrays(*example)

    def value_and_gradient(*arguments: Any) -> tuple[float, tuple[Any, ...]]:
        if len(arguments) != n_arguments:
            raise TypeError(f"the function takes {n_arguments} arguments, not {len(arguments)}")
        if packed is not None and all(np.ndim(item) == 0 for item in arguments):
            theta = np.array(arguments, dtype=np.float64)
            gradient = np.empty(n_arguments)
            return float(packed(theta, gradient)), tuple(gradient.tolist())
        return by_arrays(*arguments)

    return value_and_gradient, COMPILED if packed is not None else by_arrays.method


def packed_gradient(
    function: Callable[..., Any], shapes: Sequence[tuple[int, ...]], title: str | None = None
) -> tuple[Callable[[FloatArray, FloatArray], float], str]:
    """The same as one kernel over one packed vector, to be called from compiled code (or passed by pointer).

    Parameters
    ----------
    function : callable
        As for `gradient_of`.
    shapes : sequence of tuple of int
        Shape of every argument, ``()`` for a number.
    title : str, optional
        How an error calls the function, at the beginning of a sentence; by default by its name.

    Returns
    -------
    kernel : callable
        ``kernel(theta, gradient) -> value``, jitted for ``float64(float64[::1], float64[::1])``: `theta` is all
        arguments one after the other, arrays in C order; `gradient`, of the same length, is overwritten. By the
        method ``"arrays"`` or ``"differences"`` each call goes back to Python and holds the GIL (some 20 us).
    method : str
        As for `gradient_of`; ``"arrays"`` may turn into ``"differences"`` at the first call, which the log says.
    """
    if not any(shapes):
        kernel = compiled_gradient(function, len(shapes))
        if kernel is not None:
            return kernel, COMPILED
    by_arrays = _ByArrays(function)
    stops = np.cumsum([int(np.prod(shape)) for shape in shapes])

    def evaluate(theta: FloatArray, gradient: FloatArray) -> float:
        parts = np.split(theta, stops[:-1])
        arguments = [part.reshape(shape)[()] for part, shape in zip(parts, shapes, strict=True)]
        with in_users_function(title or f"The function {name_of(function)}"):
            value, slopes = by_arrays(*arguments)
        gradient[:] = np.concatenate([np.ravel(slope) for slope in slopes])
        return value

    return from_python(evaluate), by_arrays.method


def from_python(evaluate: Callable[[FloatArray, FloatArray], float]) -> Callable[[FloatArray, FloatArray], float]:
    """A kernel ``(theta, gradient) -> value`` that calls a Python function; exceptions pass through."""
    if jit_disabled():
        return evaluate

    def call(theta: Any, gradient: Any) -> Any:
        with numba.objmode(value="float64"):
            value = evaluate(theta, gradient)
        return value

    kernel: Any = numba.njit(error_model="numpy")(call)
    kernel.compile(types.float64(VECTOR, VECTOR))
    return kernel


def compiled_gradient(function: Callable[..., Any], n_arguments: int, n_data: int = 0) -> Callable[..., float] | None:
    """Kernel ``(*data, theta, gradient) -> value`` for functions ``f(*data, *theta)`` of numbers that Numba compiles.

    Parameters
    ----------
    function : callable
        Plain Python or jitted.
    n_arguments : int
        Length of the vectors `theta` and `gradient` (float64, C-contiguous); the latter is overwritten.
    n_data : int
        How many numbers come before, by which is not differentiated; the kernel takes them as one tuple.

    Returns
    -------
    callable or None
        Jitted ``kernel(theta, gradient)``, or ``kernel(data, theta, gradient)`` with `n_data`. None where Numba
        cannot compile the function for dual numbers, or is switched off.
    """
    compiled = jitted(function)
    if compiled is None:
        return None
    from nutslite.derivatives.dual_functions import stored  # with it what functions do to duals
    from nutslite.derivatives.duals import seeds

    def with_gradient(theta: Any, gradient: Any) -> Any:
        return stored(compiled(*seeds(theta, n_arguments)), gradient)

    def with_data(data: Any, theta: Any, gradient: Any) -> Any:
        return stored(compiled(*data, *seeds(theta, n_arguments)), gradient)

    numbers = (types.UniTuple(types.float64, n_data),) if n_data else ()
    signature = types.float64(*numbers, VECTOR, VECTOR)
    kernel: Any = numba.njit(nogil=True, error_model="numpy")(with_data if n_data else with_gradient)
    return kernel if compiles(kernel, signature) else None


def jitted(function: Callable[..., Any]) -> Any:
    """A user's function compiled by our rules (no GIL, no exception for a division by zero); None if it cannot be.

    The Python functions that it calls by name are compiled with it. Nothing happens yet: whether Numba understands
    the function shows when it meets types.
    """
    python: Any = getattr(function, "py_func", function)
    if jit_disabled() or not callable(python):
        return None
    if not isinstance(python, FunctionType):  # `np.exp`, `math.exp` and the like

        def python(*arguments: Any) -> Any:
            return function(*arguments)

    compiled = numba.njit(nogil=True, error_model="numpy")
    return compiled(compilable(python, compiled))


def compiles(kernel: Any, signature: Any) -> bool:
    """Compile a jitted function for a signature; False, with the reason at level DEBUG, where Numba cannot."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NumbaWarning)
            kernel.compile(signature)
    except Exception as error:  # Numba's own errors and whatever its passes stumble over: all mean "not this way"
        log.debug("Numba cannot compile %s for %s: %s", kernel, signature, error)
        return False
    return True


class _ByArrays:
    """Value and gradient by dual arrays, or by differences from the first call on that dual arrays fail in."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = aware(function)
        self.method = ARRAYS

    def __call__(self, *arguments: Any) -> tuple[float, tuple[Any, ...]]:
        """Value and gradients, by the method that has served so far."""
        with np.errstate(all="ignore"):  # infinite slopes and the like are answers here
            return self._evaluate(arguments)

    def _evaluate(self, arguments: Sequence[Any]) -> tuple[float, tuple[Any, ...]]:
        if self.method == ARRAYS:
            try:
                return by_duals(self.function, arguments)
            except UNSUITABLE as error:
                value = self.function(*arguments)  # an error of the user's own appears here, as it is
                self.method = DIFFERENCES
                log.info("%s is differentiated by differences, because of %s", name_of(self.function), error)
                del value
        return _by_differences(self.function, arguments)


def by_duals(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[float, tuple[Any, ...]]:
    """Value and gradients by dual arrays; what they cannot do is an error out of `UNSUITABLE`."""
    sizes = [np.size(item) for item in arguments]
    stops = np.cumsum(sizes)
    everything = np.eye(int(stops[-1]))
    duals = [
        DualArray(item, everything[:, stop - size : stop].reshape(-1, *np.shape(item)))
        for item, size, stop in zip(arguments, sizes, stops, strict=True)
    ]
    result = function(*duals)
    value = _one_number(plain(result))
    partials = result.partials.reshape(-1) if isinstance(result, DualArray) else np.zeros(int(stops[-1]))
    return value, _shaped(partials, arguments)


def _by_differences(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[float, tuple[Any, ...]]:
    values = [np.array(item, dtype=np.float64) for item in arguments]
    gradient = []
    for which, value in enumerate(values):
        for at in np.ndindex(value.shape):

            def moved(x: Any, which: int = which, at: tuple[int, ...] = at) -> FloatArray:
                changed = [item.copy() for item in values]
                changed[which][at] = x
                return np.asarray(_one_number(function(*(item[()] for item in changed))))

            gradient.append(float(differences(moved, value[at])))
    return _one_number(function(*(item[()] for item in values))), _shaped(np.array(gradient), arguments)


def _one_number(value: Any) -> float:
    if np.size(value) != 1:
        raise ValueError(f"the function must return one number; it returned an array of shape {np.shape(value)}")
    return float(np.asarray(value).reshape(())[()])


def _shaped(flat: FloatArray, arguments: Sequence[Any]) -> tuple[Any, ...]:
    """One float or array per argument from the concatenated partials."""
    parts = np.split(flat, np.cumsum([np.size(item) for item in arguments])[:-1])
    return tuple(
        float(part[0]) if np.ndim(item) == 0 else part.reshape(np.shape(item))
        for part, item in zip(parts, arguments, strict=True)
    )


def differences(function: Callable[[Any], Any], x: Any) -> FloatArray:
    """Derivative of an elementwise function at `x` by central differences with Richardson's extrapolation.

    Six steps, each half the one before; of the table's entries the one that agrees best with its neighbour counts,
    element by element (Ridders 1982). About ten digits for smooth functions of moderate size.

    >>> round(float(differences(np.exp, 1.0)), 9)
    2.718281828
    """
    x = np.asarray(x, dtype=np.float64)
    best = _extrapolated(function, x, _STEP * np.maximum(np.abs(x), 0.1))
    if not np.all(np.isfinite(best)):  # the step may have left the function's domain: one that cannot change the sign
        best = np.where(np.isfinite(best), best, _extrapolated(function, x, _STEP * np.abs(x)))
    return best


def _extrapolated(function: Callable[[Any], Any], x: FloatArray, step: FloatArray) -> FloatArray:
    best = np.full(x.shape, np.nan)
    best_error = np.full(x.shape, np.inf)
    previous: list[FloatArray] = []
    with np.errstate(all="ignore"):
        for level in range(_LEVELS):
            h = step / 2.0**level
            upper, lower = x + h, x - h
            row = [(np.asarray(function(upper), float) - np.asarray(function(lower), float)) / (upper - lower)]
            for order, earlier in enumerate(previous, start=1):
                row.append(row[-1] + (row[-1] - earlier) / (4.0**order - 1.0))
                error = np.maximum(np.abs(row[-1] - row[-2]), np.abs(row[-1] - earlier))
                better = error <= best_error
                best, best_error = np.where(better, row[-1], best), np.where(better, error, best_error)
            previous = row
    return best


def name_of(function: Callable[..., Any]) -> str:
    """How messages call a user's function."""
    return f"'{getattr(function, '__name__', type(function).__name__)}'"
