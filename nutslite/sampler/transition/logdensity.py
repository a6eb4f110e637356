"""The log density: the only thing the sampler knows about a model.

A log density is a jitted function ``logdensity(position, gradient, data) -> float``. It overwrites `gradient` with the
gradient at `position`, returns -inf or nan where the density is undefined, and never raises. The sampler takes it as a
first-class function (a pointer with a fixed signature), so that one compiled sampler, found again in the disk cache by
the next process, serves every density over the same type of `data`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from nutslite._numba import VECTOR, jit_disabled, kernel
from nutslite.exceptions import SamplingError, SettingTypeError

Vector: TypeAlias = npt.NDArray[np.float64]
"""One-dimensional, C-contiguous, float64."""

Matrix: TypeAlias = npt.NDArray[np.float64]
"""Two-dimensional, C-contiguous, float64."""

LogDensity: TypeAlias = Callable[[Vector, Vector, Any], float]
"""``logdensity(position, gradient, data) -> float``; overwrites `gradient`."""


def logdensity_signature(data_type: Any) -> Any:
    """The Numba signature of a log density over `data_type`: ``float64(float64[::1], float64[::1], data_type)``."""
    return types.float64(VECTOR, VECTOR, data_type)


def data_type_of(data: Any) -> Any:
    """The Numba type of `data`, or None where nothing is compiled.

    Raises
    ------
    SamplingError
        If Numba has no type for `data`.
    """
    if jit_disabled():
        return None
    try:
        return numba.typeof(data)
    except (ValueError, TypeError) as error:
        raise SamplingError(
            f"The sampler cannot hand this data to compiled code ({error}). Pass numbers, NumPy arrays, or (named) "
            "tuples of them; None and dictionaries of mixed types do not work."
        ) from error


def compiled_logdensity(function: Callable[..., Any], data_type: Any) -> LogDensity:
    """Compile `function` for the signature that the sampler calls.

    Parameters
    ----------
    function : callable
        ``logdensity(position, gradient, data) -> float``, plain or already decorated by ``numba.njit``.
    data_type : numba type
        Type of `data` (`data_type_of`).

    Returns
    -------
    callable
        A jitted function that has the signature ``float64(float64[::1], float64[::1], data_type)``; under
        ``NUMBA_DISABLE_JIT=1`` the function itself.

    Raises
    ------
    SamplingError
        If `function` is not a function, does not compile for this signature, or returns something else than a float.
    """
    if not callable(function):
        raise SettingTypeError(f"logdensity must be a function (position, gradient, data) -> float, not {function!r}.")
    if jit_disabled():
        return function
    dispatcher: Any = function if hasattr(function, "py_func") else _jitted(function)
    signature = logdensity_signature(data_type)
    try:
        if signature.args not in dispatcher.overloads:  # a function with an explicit signature compiles no others
            dispatcher.compile(signature.args)
        returned = dispatcher.overloads[signature.args].signature.return_type
    except Exception as error:  # whatever Numba raises, the cause is the user's function
        raise SamplingError(_compilation_message(function, data_type, error)) from error
    if returned != types.float64:
        raise SamplingError(
            f"The log density {_name(function)} must return one float64, but Numba infers {returned}. "
            "Return a float on every path, for example -np.inf where the density is undefined."
        )
    return dispatcher  # type: ignore[no-any-return]


@functools.cache
def _jitted(function: Callable[..., Any]) -> Any:
    """A kernel from a plain function; one kernel however often it is asked for."""
    return kernel(function)


def _name(function: Any) -> str:
    return f"'{getattr(function, '__name__', function)}'"


def _compilation_message(function: Any, data_type: Any, error: Exception) -> str:
    reasons = [line.strip() for line in str(error).splitlines() if line.strip()]
    shown = "\n    ".join(reasons[:12])
    return (
        f"The log density {_name(function)} does not compile for the sampler, which calls\n"
        f"    {_name(function)[1:-1]}(position: float64[::1], gradient: float64[::1], data: {data_type}) -> float64\n"
        f"Numba says:\n    {shown}"
    )
