"""Log densities without a gradient: differentiated by dual numbers, or by differences where the user asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nutslite._log import log
from nutslite._numba import jit_disabled
from nutslite.derivatives.derivatives import ARRAYS, COMPILED, DIFFERENCES, UNSUITABLE, by_duals, name_of
from nutslite.derivatives.function_copies import aware
from nutslite.exceptions import SamplingError, SettingTypeError, UserFunctionError, check_flags
from nutslite.sampler.densities.density import Density, Prepared
from nutslite.sampler.densities.differences import compiled_differences, differences_of
from nutslite.sampler.densities.python import PythonDensity
from nutslite.sampler.transition.logdensity import Vector, data_type_of

_NOTHING = object()


class DifferentiatedDensity(Density):
    """A log density by a function that returns it alone.

    Parameters
    ----------
    function : callable
        ``function(position) -> float``, or ``function(position, data)`` if there are data. Written with loops, `math`
        and NumPy's functions of numbers, it is compiled with dual numbers, which give the gradient exactly
        (``"compiled"``). Written with NumPy's functions of whole arrays, it is called from Python with dual arrays,
        exactly as well and more slowly (``"arrays"``).
    data : Any, optional
        By which is not differentiated: numbers, arrays, (named) tuples of them; anything for the other two methods.
    differences : bool
        Whether to take finite differences instead, four calls a coordinate: some eleven digits of the size of the log
        density, where it is smooth. For functions that neither kind of dual number serves.

    Attributes
    ----------
    method : {"compiled", "arrays", "differences", None}
        How gradients are made, once it is known.

    Notes
    -----
    A compiled gradient in n dimensions costs about ceil(n / 8) evaluations with nine numbers in the place of one. It is
    compiled anew in each process. Beyond some hundred dimensions write the gradient by hand, or take it from JAX or
    PyTorch (`PythonDensity`), whose cost does not grow with n.
    """

    def __init__(self, function: Callable[..., Any], data: Any = _NOTHING, *, differences: bool = False) -> None:
        check_flags(differences=differences)
        if not callable(function):
            raise SettingTypeError(f"function must be a function of a position, not {function!r}.")
        self.function = function
        self.arguments = () if data is _NOTHING else (data,)
        self.differences = differences
        self.method: str | None = DIFFERENCES if differences else None
        self._compiled: dict[int, Any] = {}  # by dimension, None where Numba cannot

    def prepared(self, dimension: int, chains: int) -> Prepared:
        """By the first method that serves."""
        kernel, data_type = self._kernel(dimension)
        if kernel is not None:
            self.method = self.method or COMPILED
            return Prepared(kernel, data_type, self.arguments or (0.0,))
        if self.differences:
            return PythonDensity(differences_of(self.function), *self.arguments).prepared(dimension, chains)
        if self.method is None and not jit_disabled():
            log.info(
                "Numba cannot compile the log density %s for dual numbers (at level DEBUG the log says why): dual "
                "arrays differentiate it, from Python.",
                name_of(self.function),
            )
        self.method = ARRAYS
        return PythonDensity(_ByDuals(self.function, self.arguments)).prepared(dimension, chains)

    def _kernel(self, dimension: int) -> tuple[Any, Any]:
        from nutslite.derivatives.dual_vectors import compiled_vector_gradient  # with it what functions do to duals

        try:
            data_type = data_type_of(self.arguments[0] if self.arguments else 0.0)
        except SamplingError:  # data that compiled code cannot read: a function of Python can
            return None, None
        if dimension not in self._compiled:
            known = data_type if self.arguments else None
            way = compiled_differences if self.differences else compiled_vector_gradient
            self._compiled[dimension] = way(self.function, dimension, known)
        return self._compiled[dimension], data_type

    def identity(self) -> tuple[Any, Any]:
        """The function's code and the data; the two ways to exact gradients are one."""
        return ("differences" if self.differences else "duals", self.function), self.arguments


class _ByDuals:
    """Value and gradient of a function of NumPy, by dual arrays."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self._function = aware(function)
        self._plain = function
        self._arguments = arguments

    def __call__(self, position: Vector) -> tuple[float, Vector]:
        with np.errstate(all="ignore"):  # infinite slopes and the like are answers here
            try:
                value, (gradient,) = by_duals(lambda x: self._function(x, *self._arguments), (position,))
            except UNSUITABLE as error:
                self._plain(position, *self._arguments)  # an error of the user's own appears here, as it is
                raise UserFunctionError(
                    f"The log density {name_of(self._plain)} cannot be differentiated: Numba does not compile it for "
                    f"dual numbers, and dual arrays stop at {error}. Write it with loops, `math` and NumPy's functions "
                    "of numbers; or return its gradient too (PythonDensity); or ask for finite differences: "
                    "DifferentiatedDensity(..., differences=True)."
                ) from error
        return value, gradient
