"""Stateful transforms: they learn from the data the model is built from, and do the same to new data.

Each has Patsy's interface: ``memorize_chunk(x, ...)`` once with all rows, ``memorize_finish()``, then
``transform(x, ...)``. Splines are Patsy's own, with checks in the user's words.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from patsy.mgcv_cubic_splines import CC, CR, TE
from patsy.splines import BS

from nutslite.formula.sizes import check_basis

FloatArray = NDArray[np.float64]

_MOST_COLUMNS = 1000  # of one spline or polynomial; a slip of the finger must not fill the memory
_MOST_DEGREE = 20  # of a B-spline's pieces
_ORTHOGONAL = 1e-6  # cosine of the angle between columns that are meant to be orthogonal


def _vector(x: Any, name: str) -> FloatArray:
    values = np.asarray(x, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"{name}() takes one numeric column")
    return values


def _whole(value: Any, what: str, least: int, most: int | None = None) -> int:
    """`value` as an int; a ValueError in the user's words unless it is a whole number in range."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or value != np.floor(value) or value < least:
        raise ValueError(f"{what} must be a whole number from {least} on, not {value!r}")
    if most is not None and value > most:
        raise ValueError(f"{what} is at most {most}, not {value!r}")
    return int(value)


class Center:
    """``center(x)``: x minus its mean in the data the model was built from."""

    def memorize_chunk(self, x: Any) -> None:
        """Learn from all rows."""
        self.mean = _vector(x, "center").mean()

    def memorize_finish(self) -> None:
        """All rows came at once."""

    def transform(self, x: Any) -> FloatArray:
        """Compute the columns of any rows."""
        centred: FloatArray = _vector(x, "center") - self.mean
        return centred


class Standardize:
    """``scale(x)``, ``standardize(x)``: centred and divided by the standard deviation (``ddof=0``)."""

    def memorize_chunk(self, x: Any, ddof: int = 0) -> None:
        """Learn from all rows."""
        values = _vector(x, "scale")
        if _whole(ddof, "ddof", 0) >= values.size:
            raise ValueError(f"ddof must be less than the number of rows, {values.size}")
        self.mean, self.deviation = values.mean(), values.std(ddof=ddof)
        if not self.deviation > 0.0:
            raise ValueError("all rows have the same value, so there is no standard deviation to divide by")

    def memorize_finish(self) -> None:
        """All rows came at once."""

    def transform(self, x: Any, ddof: int = 0) -> FloatArray:
        """Compute the columns of any rows."""
        scaled: FloatArray = (_vector(x, "scale") - self.mean) / self.deviation
        return scaled


class Polynomial:
    """``poly(x, degree=1, raw=False)``: polynomials in x, orthonormal over the rows (or plain powers).

    Columns come from the three-term recurrence of discrete orthogonal polynomials (Forsythe 1957, J. SIAM 5, 74),
    started at the constant one, and have unit sum of squares: the values (up to rounding) of R's ``poly``.
    """

    def memorize_chunk(self, x: Any, degree: int = 1, raw: bool = False) -> None:
        """Learn from all rows."""
        values = _vector(x, "poly")
        _whole(degree, "degree", 1, _MOST_COLUMNS)
        if not isinstance(raw, bool):
            raise ValueError(f"raw is True or False, not {raw!r}")
        check_basis(int(degree), values.size)
        if raw:
            return
        distinct = np.unique(values).size
        if degree >= distinct:
            raise ValueError(f"degree {degree} needs more than {degree} distinct values, and x has {distinct}")
        # x is mapped to [-1, 1] so that high degrees neither overflow nor vanish; the columns do not depend on it
        self.middle = 0.5 * (values.min() + values.max())
        self.half_width = 0.5 * (values.max() - values.min())
        self.shifts: list[float] = []
        self.norms: list[float] = []
        columns = self._columns(values, int(degree))
        share = np.abs(columns.T @ columns[:, -1])
        if not np.all(share[:-1] < _ORTHOGONAL):
            raise ValueError(
                f"degree {degree} is too high for these values: float64 cannot tell such polynomials apart; a spline, "
                "such as bs(x, df=10), bends as often"
            )

    def _columns(self, values: FloatArray, degree: int) -> FloatArray:
        z = (values - self.middle) / self.half_width
        learning = len(self.norms) == 0
        columns = np.full((values.size, degree), np.nan)
        before, current = np.zeros_like(z), np.ones_like(z)
        for k in range(degree + 1):
            if learning and not current @ current > 0.0:
                break  # float64 is at its end; the caller says so
            if learning:
                self.norms.append(float(current @ current))
                self.shifts.append(float((z * current) @ current) / self.norms[k])
            if k > 0:
                columns[:, k - 1] = current / np.sqrt(self.norms[k])
            ratio = self.norms[k] / self.norms[k - 1] if k > 0 else 0.0
            before, current = current, (z - self.shifts[k]) * current - ratio * before
        return columns

    def memorize_finish(self) -> None:
        """All rows came at once."""

    def transform(self, x: Any, degree: int = 1, raw: bool = False) -> FloatArray:
        """Compute the columns of any rows."""
        values = _vector(x, "poly")
        if raw:
            powers: FloatArray = values[:, None] ** np.arange(1, int(degree) + 1)
            return powers
        return self._columns(values, int(degree))


class BSpline:
    """``bs(x, df=None, knots=None, degree=3, include_intercept=False, lower_bound=None, upper_bound=None)``.

    Patsy's (and R's) B-spline basis; ``intercept=`` is an alias of ``include_intercept=``. Rows outside the bounds
    raise, because a B-spline says nothing about them.
    """

    def __init__(self) -> None:
        self.spline = BS()

    def memorize_chunk(self, x: Any, *args: Any, intercept: bool | None = None, **kwargs: Any) -> None:
        """Learn from all rows."""
        values = _vector(x, "bs")
        _check_spline("bs", values, args, kwargs)
        degree = args[2] if len(args) > 2 else kwargs.get("degree", 3)
        _whole(degree, "degree", 0, _MOST_DEGREE)
        self.spline.memorize_chunk(values, *args, **_intercept_alias(intercept, kwargs))

    def memorize_finish(self) -> None:
        """Place the knots."""
        self.spline.memorize_finish()

    def transform(self, x: Any, *args: Any, intercept: bool | None = None, **kwargs: Any) -> FloatArray:
        """Compute the columns of any rows."""
        values = _vector(x, "bs")
        lowest, highest = self.spline._all_knots[0], self.spline._all_knots[-1]
        outside = int(np.count_nonzero((values < lowest) | (values > highest)))
        if outside:
            raise ValueError(
                f"{outside} of {values.size} rows lie outside [{lowest:g}, {highest:g}], where the spline is defined; "
                "set lower_bound= and upper_bound= wide enough for all data to come, or use cr(), which is a straight "
                "line outside"
            )
        basis: FloatArray = np.asarray(self.spline.transform(values, *args, **_intercept_alias(intercept, kwargs)))
        return basis


def _intercept_alias(intercept: bool | None, kwargs: dict[str, Any]) -> dict[str, Any]:
    return kwargs if intercept is None else {**kwargs, "include_intercept": intercept}


_SPLINE_ARGUMENTS = {
    "bs": ("df", "knots", "degree", "include_intercept", "lower_bound", "upper_bound"),
    "cr": ("df", "knots", "lower_bound", "upper_bound", "constraints"),
    "cc": ("df", "knots", "lower_bound", "upper_bound", "constraints"),
}


def _check_spline(name: str, values: FloatArray, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Check what Patsy would take without a word, or turn down in words of its own."""
    known = _SPLINE_ARGUMENTS[name]
    for key in kwargs:
        if key not in known:
            raise ValueError(f"{name}() has no argument '{key}'; it has {', '.join(known)}")
    df = args[0] if args else kwargs.get("df")
    knots = args[1] if len(args) > 1 else kwargs.get("knots")
    if df is None and knots is None:
        raise ValueError(f"say how many columns it has by df=, such as {name}(x, df=4), or where its knots= are")
    if df is not None:
        _whole(df, "df", 1, _MOST_COLUMNS)
        if df > values.size:
            raise ValueError(f"df={df} is more than the number of rows, {values.size}")
        check_basis(int(df), values.size)
    if knots is not None:
        places = np.asarray(knots)
        if places.dtype.kind not in "biuf" or places.ndim != 1 or not np.isfinite(places).all():
            raise ValueError(f"knots is a list of numbers, not {knots!r}")
        if places.size > _MOST_COLUMNS:
            raise ValueError(f"there are {places.size} knots, each with a column, and at most {_MOST_COLUMNS} are made")
        check_basis(places.size, values.size)
    if values.size and values.min() == values.max():
        raise ValueError("all rows have the same value, so there is nothing to bend")


class Natural(CR):  # type: ignore[misc]
    """``cr(x, df=None, knots=None, lower_bound=None, upper_bound=None, constraints=None)``: natural cubic spline."""

    def memorize_chunk(self, x: Any, *args: Any, **kwargs: Any) -> None:
        """Learn from all rows."""
        _check_spline("cr", _vector(x, "cr"), args, kwargs)
        super().memorize_chunk(x, *args, **kwargs)


class Cyclic(CC):  # type: ignore[misc]
    """``cc(x, df=None, knots=None, lower_bound=None, upper_bound=None, constraints=None)``: cyclic cubic spline."""

    def memorize_chunk(self, x: Any, *args: Any, **kwargs: Any) -> None:
        """Learn from all rows."""
        _check_spline("cc", _vector(x, "cc"), args, kwargs)
        super().memorize_chunk(x, *args, **kwargs)


class Tensor(TE):  # type: ignore[misc]
    """``te(cr(x, df=4), cr(z, df=4), constraints=None)``: tensor product of splines."""

    def memorize_chunk(self, *args: Any, **kwargs: Any) -> None:
        """Learn from all rows."""
        if not args:
            raise ValueError("write te(cr(x, df=4), cr(z, df=4)) for a tensor product of splines")
        columns = [np.asarray(basis).shape[1] if np.ndim(basis) == 2 else 1 for basis in args]
        if columns.count(1) == len(columns):
            raise ValueError("it takes splines, such as te(cr(x, df=4), cr(z, df=4)); x:z is the product of columns")
        if prod(columns) > _MOST_COLUMNS:
            sizes = " x ".join(map(str, columns))
            raise ValueError(f"this makes {sizes} = {prod(columns)} columns, and at most {_MOST_COLUMNS} are made")
        check_basis(prod(columns), len(args[0]))
        super().memorize_chunk(*args, **kwargs)
