"""What users give as numbers, made arrays: the wrong rows, shapes and fixes named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentError, ArgumentTypeError, DataError, DataTypeError

FloatArray = NDArray[np.float64]

SHOWN_ROWS = 5


def as_floats(name: str, given: Any) -> FloatArray:
    """An array of float64; tensors that remember their gradients are taken without these.

    Raises
    ------
    DataError
        Where it holds no numbers.
    """
    if hasattr(given, "detach"):  # a tensor of torch
        given = given.detach().cpu()
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        raise DataError(f"{name} has masked values, which are no numbers. Leave these rows out, or fill them in.")
    try:
        array = np.asarray(given)
    except ValueError:
        raise DataTypeError(f"{name} is no rectangular array of numbers: its rows have unequal lengths.") from None
    if array.dtype.kind in "biuf":
        return np.asarray(array, dtype=np.float64)
    if array.dtype == object and array.size:
        try:
            items = [np.nan if item is None or type(item).__name__ == "NAType" else item for item in array.ravel()]
            return np.asarray(items, dtype=np.float64).reshape(array.shape)
        except (TypeError, ValueError):
            pass
    kind = {"O": "objects", "U": "text", "S": "text"}.get(array.dtype.kind, str(array.dtype))
    raise DataTypeError(f"{name} holds numbers, not {kind}; give an array of numbers.")


def numbers(name: str, given: Any, allowed: str = "finite") -> FloatArray:
    """An array of numbers that are all allowed.

    Parameters
    ----------
    name : str
        What the user calls it.
    given : array_like
    allowed : str
        A key of `RANGES`.

    Raises
    ------
    DataError
        Naming the first rows that are not.
    """
    array = as_floats(name, given)
    inside, words = RANGES[allowed]
    wrong = ~inside(array)
    if wrong.any():
        raise DataError(f"{name} {words}; {_which(wrong, array)}.")
    return array


def _finite(x: FloatArray) -> NDArray[np.bool_]:
    return np.isfinite(x)


# What numbers may be: the test, and the words
RANGES: dict[str, tuple[Callable[[FloatArray], NDArray[np.bool_]], str]] = {
    "finite": (_finite, "must be finite"),
    "no nan": (lambda x: ~np.isnan(x), "must not be nan"),
    "positive": (lambda x: _finite(x) & (x > 0.0), "must be positive and finite"),
    "not negative": (lambda x: _finite(x) & (x >= 0.0), "must be finite and not negative"),
    "positive or inf": (lambda x: x > 0.0, "must be positive"),
    "unit": (lambda x: (x >= 0.0) & (x <= 1.0), "must lie between 0 and 1"),
    "open unit": (lambda x: (x > 0.0) & (x < 1.0), "must lie between 0 and 1, both left out"),
    "count": (lambda x: _finite(x) & (x >= 0.0) & (x == np.floor(x)), "must be whole numbers from 0 on"),
}


def _which(wrong: NDArray[np.bool_], array: FloatArray) -> str:
    """The rows that are wrong, with the first value; rows are the last axis."""
    if array.ndim == 0:
        return f"it is {array}"
    rows = np.flatnonzero(wrong.any(axis=tuple(range(array.ndim - 1))))
    first = array[wrong][0]
    listed = ", ".join(str(row) for row in rows[:SHOWN_ROWS]) + (", ..." if rows.size > SHOWN_ROWS else "")
    kind = "row" if array.ndim == 1 else "column"
    return (
        f"wrong in {kind}{'s' * (rows.size != 1)} {listed} ({int(wrong.sum())} of {array.size}; the first is {first:g})"
    )


def observations(given: Any, n: int | None = None, what: str = "the prediction has") -> FloatArray:
    """The observations y, finite, shape (n,).

    Raises
    ------
    DataError
        Where they are not, or not as many as there are predictions.
    """
    y = numbers("y", given)
    if y.ndim != 1:
        raise DataError(f"y has one number a row, so shape (n,), not {y.shape}.")
    if n is not None and y.size != n:
        raise DataError(f"y has {y.size} rows, {what} {n}: they must be the same rows in the same order.")
    return y


def together(**given: FloatArray) -> list[FloatArray]:
    """Arrays broadcast to one shape.

    Raises
    ------
    DataError
        Naming all shapes where they do not fit.
    """
    try:
        return [np.asarray(array) for array in np.broadcast_arrays(*given.values())]
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in given.items())
        raise DataError(f"Shapes do not fit: {shapes}. Give one number a row to each, or one number for all.") from None


def draws_of(y: FloatArray, given: Any, name: str = "x") -> FloatArray:
    """Draws x of shape (S, *y.shape) for observations y.

    Raises
    ------
    DataError
        Where the shapes do not fit: a transposed array is recognised.
    """
    x = numbers(name, given)
    if x.ndim == y.ndim + 1 and x.shape[1:] == y.shape and x.shape[0] > 0:
        return x
    rows = f"{y.shape[0]:,} rows" if y.ndim == 1 else f"shape {y.shape}"
    shape = " x ".join(f"{size:,}" for size in x.shape) or "one number"
    hint = "draws come first"
    if y.ndim == 1 and x.ndim == 2 and x.shape[0] == y.size:
        hint += f": give {name}.T"
    elif y.ndim == 1 and x.ndim == 3 and x.shape[2] == y.size:
        hint += f": join chains by {name}.reshape(-1, {y.size})"
    raise DataError(f"y has {rows}, {name} has {shape}; {hint}.")


def weights_of(given: Any, shape: tuple[int, ...]) -> FloatArray | None:
    """Weights of draws that add up to one over the first axis, shape (S,) or (S, n); None for equal ones.

    Raises
    ------
    DataError
        Where they are negative, all zero, or of another shape than the draws.
    """
    if given is None:
        return None
    weights = numbers("weights", given, "not negative")
    if weights.shape not in ((shape[0],), shape, (shape[0], *[1] * (len(shape) - 1))):
        raise DataError(f"weights have shape {weights.shape}, draws {shape}: give one a draw, or one a draw and row.")
    total = weights.sum(axis=0)
    if not np.all(total > 0.0):
        raise DataError("weights are all zero: nothing would be left of the draws.")
    weights = weights / total
    return weights if weights.ndim == len(shape) else weights.reshape(-1, *[1] * (len(shape) - 1))


def probability(name: str, given: Any) -> float:
    """A number between 0 and 1, both left out.

    Raises
    ------
    ArgumentError
        Where it is none.
    """
    if isinstance(given, bool) or np.ndim(given) or not isinstance(given, int | float | np.number):
        raise ArgumentTypeError(f"{name} is a number between 0 and 1, not {given!r}.")
    value = float(given)
    if not 0.0 < value < 1.0:
        hint = f" For {value:g} per cent write {value / 100:g}." if 1 < value < 100 else ""
        raise ArgumentError(f"{name} lies between 0 and 1, not {given!r}.{hint}")
    return value


def levels_of(given: Any) -> FloatArray:
    """Levels of quantiles, shape (K,), each between 0 and 1.

    Raises
    ------
    DataError
        Where they are not, or one comes twice.
    """
    levels = numbers("levels", given, "open unit")
    if levels.ndim > 1:
        raise DataError(f"levels are one row of numbers, not of shape {levels.shape}.")
    if np.unique(levels).size != levels.size:
        raise DataError("levels has a level twice: give each quantile once.")
    return np.atleast_1d(levels)
