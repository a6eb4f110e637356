"""Log densities in Python, with their gradient: called back from compiled code, one call a gradient."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nutslite._log import log
from nutslite._numba import jit_disabled
from nutslite.exceptions import SettingTypeError, UserFunctionError, check_flags, in_users_function
from nutslite.sampler.densities.c_calls import PLAIN
from nutslite.sampler.densities.callback import CALLBACK_DATA, plain_callback
from nutslite.sampler.densities.density import Density, Prepared, StoppedError
from nutslite.sampler.transition.logdensity import Vector, compiled_logdensity

MANY_VIEWS = 1000
"""Positions and gradients whose memory is known by address; a chain has some dozens of them."""

_NOTHING = object()


class PythonDensity(Density):
    """A log density by a function of Python that gives its gradient: of JAX, PyTorch, PyMC, or your own.

    Parameters
    ----------
    function : callable
        ``function(position)``, or ``function(position, data)`` if there are data, returns the log density and its
        gradient: a number (or what ``float`` takes) and ``dim`` numbers (or what ``np.asarray`` takes). `position` is a
        new array each time. A log density of -inf or nan rejects the position, whatever the gradient; an exception ends
        the run.
    data : Any, optional
        Handed on as it is.
    parallel : bool
        Whether chains may call the function at the same time. By default they take turns, because functions that keep
        what they compute in memory of their own, as PyTensor's do, would answer wrongly. True pays for functions that
        let the GIL go while they compute, as those of JAX and PyTorch do.
    """

    def __init__(self, function: Callable[..., Any], data: Any = _NOTHING, *, parallel: bool = False) -> None:
        check_flags(parallel=parallel)
        if not callable(function):
            raise SettingTypeError(f"function must be a function of a position, not {function!r}.")
        self.function = function
        self.arguments = () if data is _NOTHING else (data,)
        self._what = f"The log density '{getattr(function, '__name__', type(function).__name__)}'"
        self._turns: Any = contextlib.nullcontext() if parallel else threading.Lock()
        self._said = False

    def prepared(self, dimension: int, chains: int) -> Prepared:
        """A C callback into Python, one for all chains, which tells them apart by their number."""
        errors: dict[int, BaseException] = {}

        def reason(chain: int) -> BaseException:
            return errors[chain]

        if jit_disabled():

            def plainly(position: Any, gradient: Any, chain: int) -> float:
                try:
                    return self._answer(position, gradient)
                except BaseException as error:
                    errors[chain] = error
                    raise StoppedError from error

            return Prepared(plainly, None, tuple(range(chains)), reason)
        entry = PLAIN(_Entry(self._answer, dimension, errors))
        address = ctypes.cast(entry, ctypes.c_void_p).value or 0
        data = tuple((address, chain, np.zeros(1), np.zeros(1, np.int64)) for chain in range(chains))
        errors.update(dict.fromkeys(range(chains), StoppedError("The log density ended the run.")))
        reason.entry = entry  # type: ignore[attr-defined]  # compiled code calls it as long as there are chains
        return Prepared(compiled_logdensity(plain_callback, CALLBACK_DATA), CALLBACK_DATA, data, reason)

    def _answer(self, position: Vector, gradient: Vector) -> float:
        """Log density at a position; `gradient` is overwritten."""
        with self._turns, in_users_function(self._what):
            returned = self.function(position.copy(), *self.arguments)
        if not isinstance(returned, tuple | list) or len(returned) != 2:
            raise UserFunctionError(
                f"{self._what} must return a log density and its gradient; it returned a {type(returned).__name__}. "
                "DifferentiatedDensity takes functions that return the log density alone."
            )
        try:
            value = float(returned[0])
        except (TypeError, ValueError) as error:
            raise UserFunctionError(f"{self._what} must return one number as log density ({error}).") from error
        if not np.isfinite(value):
            gradient[:] = 0.0
            return value
        slopes = self._slopes(returned[1])
        if slopes.shape != gradient.shape:
            raise UserFunctionError(
                f"{self._what} must return a gradient of shape {gradient.shape}; it returned one of {slopes.shape}."
            )
        gradient[:] = slopes
        return value

    def _slopes(self, returned: Any) -> npt.NDArray[np.float64]:
        try:
            slopes = np.asarray(returned)
            if slopes.dtype == np.float32 and not self._said:
                self._said = True
                log.warning(
                    "%s gives its gradient in single precision, seven digits: long trajectories then lose energy. JAX "
                    'computes in double precision after jax.config.update("jax_enable_x64", True), PyTorch with '
                    "dtype=torch.float64.",
                    self._what,
                )
            return slopes.astype(np.float64, copy=False)
        except (TypeError, ValueError, RuntimeError) as error:
            raise UserFunctionError(f"{self._what} must return numbers as gradient ({error}).") from error

    def identity(self) -> tuple[Any, Any]:
        """The function's code and the data."""
        return ("python", self.function), self.arguments


class _Entry:
    """What compiled code calls: addresses in, an error code out."""

    def __init__(self, answer: Callable[..., float], dimension: int, errors: dict[int, BaseException]) -> None:
        self._answer = answer
        self._dimension = dimension
        self._errors = errors
        self._vectors: dict[int, Vector] = {}  # by address: what is there does not matter, only where it is

    def __call__(self, length: int, position: int, gradient: int, logp: int, chain: int) -> int:
        try:
            value = self._answer(self._vector(position), self._vector(gradient))
            ctypes.c_double.from_address(logp).value = value
            return 0
        except BaseException as error:  # raised again by the chain
            self._errors[chain] = error
            return -1

    def _vector(self, address: int) -> Vector:
        found = self._vectors.get(address)
        if found is None:
            if len(self._vectors) >= MANY_VIEWS:
                self._vectors.clear()
            found = np.ctypeslib.as_array((ctypes.c_double * self._dimension).from_address(address))
            self._vectors[address] = found
        return found
