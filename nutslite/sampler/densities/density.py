"""A log density that `sample` takes, whatever it is written in: the base class, and the record they all become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nutslite.exceptions import SamplingError, SettingError, SettingTypeError
from nutslite.sampler.transition.logdensity import Vector


class StoppedError(SamplingError):
    """Raised by compiled code where a callback ends the run; what it says is put in its place."""


class Prepared(NamedTuple):
    """A log density for compiled code.

    Attributes
    ----------
    logdensity : callable
        Jitted ``logdensity(position, gradient, data)``.
    data_type : numba type
    data : tuple
        What each chain's calls receive; one for all chains, or one for each.
    reason : callable
        ``reason(chain)``: the exception that takes the place of a `StoppedError`.
    """

    logdensity: Callable[..., float]
    data_type: Any
    data: tuple[Any, ...]
    reason: Callable[[int], BaseException] | None = None

    def explained(self, function: Callable[..., Any], chain: int) -> Callable[..., Any]:
        """A compiled function that calls the log density, with the callback's own reason where that ended it."""
        reason = self.reason
        if reason is None:
            return function

        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except StoppedError:
                error = reason(chain)
                raise error from error.__cause__  # in place of the words of compiled code

        return call


class Density:
    """Base class of log densities that are objects; `sample` takes them in the place of a jitted function and its data.

    A class of your own overrides `prepared`, and `identity` where its attributes do not tell two densities apart.
    """

    def prepared(self, dimension: int, chains: int) -> Prepared:
        """The density for compiled code.

        Parameters
        ----------
        dimension, chains : int
            Length of a position; how many chains may call at the same time.

        Raises
        ------
        SamplingError
            If it cannot serve.
        """
        raise NotImplementedError

    def identity(self) -> tuple[Any, Any]:
        """What a checkpoint recognises the density by, and its data: values that are the same in another process."""
        return type(self).__qualname__, vars(self)

    def evaluate(self, position: npt.ArrayLike) -> tuple[float, Vector]:
        """Log density and gradient at one position, as the sampler gets them: to look at, and to test a gradient.

        Parameters
        ----------
        position : array_like, shape (dim,)

        Returns
        -------
        float, ndarray (dim,)
        """
        at = checked_position(position)
        prepared = self.prepared(at.size, 1)
        gradient = np.empty(at.size)
        value = prepared.explained(prepared.logdensity, 0)(at, gradient, prepared.data[0])
        return float(value), gradient


def checked_position(position: npt.ArrayLike, dimension: int | None = None) -> Vector:
    """A position as a vector of its own.

    Raises
    ------
    SettingError
        Where it is no vector of numbers, or not as long as it must be.
    """
    try:
        at = np.array(position, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise SettingTypeError(f"position must be a vector of numbers ({error}).") from error
    if at.ndim != 1 or at.size == 0 or (dimension is not None and at.size != dimension):
        length = "at least one number" if dimension is None else f"{dimension} numbers"
        raise SettingError(f"position must be a vector of {length}; its shape is {np.shape(position)}.")
    return at
