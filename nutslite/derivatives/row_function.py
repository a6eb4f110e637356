"""A user's function of numbers that Numba cannot compile, over rows of data: values and derivatives through Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite.derivatives.derivatives import DIFFERENCES, UNSUITABLE, differences
from nutslite.derivatives.dual_arrays import DualArray, NoDerivativeError, plain
from nutslite.derivatives.function_copies import aware
from nutslite.exceptions import in_users_function

FloatArray = NDArray[np.float64]
Slopes = tuple[FloatArray, ...]


class RowFunction:
    """Values and partial derivatives of ``f(*data, *theta)`` for every row.

    The first call finds out what the function can do: all rows at once or one by one, dual arrays or differences; the
    log says so where that is slow.

    Parameters
    ----------
    function : callable
        Of numbers; serves arrays of rows, too, if it is written so.
    title : str
        How messages call it.
    gradient : callable, optional
        ``gradient(*data, *theta)``: partial derivatives by `theta`, a tuple (or one number of one).
    """

    def __init__(self, function: Callable[..., Any], title: str, gradient: Callable[..., Any] | None = None) -> None:
        self.title = title
        self.function = aware(function)
        self.gradient = None if gradient is None else aware(gradient)
        self._way: Callable[..., tuple[FloatArray, Slopes]] | None = None

    def __call__(self, data: Sequence[FloatArray], theta: Sequence[FloatArray]) -> tuple[FloatArray, Slopes]:
        """Values, shape (rows,), and for every element of `theta` the derivative by it.

        Parameters
        ----------
        data, theta : sequences of ndarray, shape (rows,)
        """
        rows = len(theta[0])
        with np.errstate(all="ignore"), in_users_function(f"{self.title[0].upper()}{self.title[1:]}"):
            if self._way is not None:
                return self._way(data, theta, rows)
            ways = (self._given, self._given_singly) if self.gradient is not None else (
                self._duals, self._duals_singly, self._differences, self._differences_singly
            )  # fmt: skip
            for way in ways:
                try:
                    result = way(data, theta, rows)
                except UNSUITABLE as error:
                    if way is ways[-1]:
                        raise
                    log.debug("%s does not work by %s: %s", self.title, way.__name__, error)
                    continue
                self._say(way)
                self._way = way
                return result
        raise AssertionError("the last way raises or returns")

    def _say(self, way: Callable[..., Any]) -> None:
        if way in (self._differences, self._differences_singly):
            log.info("%s is differentiated by central differences (method '%s').", self.title, DIFFERENCES)
        if way in (self._given_singly, self._duals_singly, self._differences_singly):
            log.info("%s does not take arrays: it is called for every row by itself, which is very slow.", self.title)

    # --- all rows at once ---

    def _given(self, data: Sequence[FloatArray], theta: Sequence[FloatArray], rows: int) -> tuple[FloatArray, Slopes]:
        assert self.gradient is not None
        values = _rows_of(self.function(*data, *theta), rows)
        slopes = _as_tuple(self.gradient(*data, *theta))
        if len(slopes) != len(theta):
            raise ValueError(f"the gradient of {self.title} has {len(slopes)} parts for {len(theta)} parameters")
        return values, tuple(np.broadcast_to(np.asarray(slope, dtype=np.float64), (rows,)) for slope in slopes)

    def _duals(self, data: Sequence[FloatArray], theta: Sequence[FloatArray], rows: int) -> tuple[FloatArray, Slopes]:
        width = len(theta)
        duals = [DualArray(x, np.eye(width)[:, j, None] * np.ones(rows)) for j, x in enumerate(theta)]
        result = self.function(*data, *duals)
        values = _rows_of(plain(result), rows)
        partials = result.partials if isinstance(result, DualArray) else np.zeros((width, rows))
        return values, tuple(partials)

    def _differences(
        self, data: Sequence[FloatArray], theta: Sequence[FloatArray], rows: int
    ) -> tuple[FloatArray, Slopes]:
        values = _rows_of(self.function(*data, *theta), rows)
        slopes = []
        for j, x in enumerate(theta):

            def moved(x: FloatArray, j: int = j) -> FloatArray:
                return _rows_of(self.function(*data, *theta[:j], x, *theta[j + 1 :]), rows)

            slopes.append(differences(moved, x))
        return values, tuple(slopes)

    # --- one by one ---

    def _given_singly(
        self, data: Sequence[FloatArray], theta: Sequence[FloatArray], rows: int
    ) -> tuple[FloatArray, Slopes]:
        assert self.gradient is not None
        gradient = self.gradient

        def one(numbers: list[float], parameters: list[float]) -> tuple[float, Sequence[float]]:
            return float(self.function(*numbers, *parameters)), _as_tuple(gradient(*numbers, *parameters))

        return _singly(one, data, theta, rows)

    def _duals_singly(
        self, data: Sequence[FloatArray], theta: Sequence[FloatArray], rows: int
    ) -> tuple[FloatArray, Slopes]:
        width = len(theta)

        def one(numbers: list[float], parameters: list[float]) -> tuple[float, Sequence[float]]:
            result = self.function(
                *numbers, *(DualArray(x, row) for x, row in zip(parameters, np.eye(width), strict=True))
            )
            partials = result.partials.reshape(width) if isinstance(result, DualArray) else np.zeros(width)
            return float(plain(result)), partials.tolist()

        return _singly(one, data, theta, rows)

    def _differences_singly(
        self, data: Sequence[FloatArray], theta: Sequence[FloatArray], rows: int
    ) -> tuple[FloatArray, Slopes]:
        def one(numbers: list[float], parameters: list[float]) -> tuple[float, Sequence[float]]:
            values = [float(self.function(*numbers, *parameters))]
            for j, x in enumerate(parameters):

                def moved(x: Any, j: int = j) -> float:
                    return float(self.function(*numbers, *parameters[:j], float(x), *parameters[j + 1 :]))

                values.append(float(differences(moved, x)))
            return values[0], values[1:]

        return _singly(one, data, theta, rows)


def _singly(
    one: Callable[..., tuple[float, Any]],
    data: Sequence[FloatArray],
    theta: Sequence[FloatArray],
    rows: int,
) -> tuple[FloatArray, Slopes]:
    values, slopes = np.empty(rows), np.empty((len(theta), rows))
    for i in range(rows):
        values[i], slopes[:, i] = one([float(row[i]) for row in data], [float(x[i]) for x in theta])
    return values, tuple(slopes)


def _rows_of(values: Any, rows: int) -> FloatArray:
    """Values as one number per row; anything else means that the function does not take arrays."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (rows,):
        raise NoDerivativeError(f"a value of shape {array.shape} for {rows} rows")
    return array


def _as_tuple(gradient: Any) -> tuple[Any, ...]:
    return tuple(gradient) if isinstance(gradient, tuple | list) else (gradient,)
