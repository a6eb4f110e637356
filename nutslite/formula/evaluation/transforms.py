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

from nutslite.formula.evaluation.sizes import check_basis

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
        mean = values.mean()
        self.take(values.size, mean, np.square(values - mean).sum(), ddof)

    def take(self, rows: int, mean: float, squares: float, ddof: int = 0) -> None:
        """Learn from the mean and the sum of squares around it."""
        if _whole(ddof, "ddof", 0) >= rows:
            raise ValueError(f"ddof must be less than the number of rows, {rows}")
        self.mean, self.deviation = mean, np.sqrt(squares / (rows - ddof))
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
        self.begin(values.min(), values.max(), values.size, degree, raw)
        if raw:
            return
        distinct = np.unique(values).size
        if degree >= distinct:
            raise ValueError(f"degree {degree} needs more than {degree} distinct values, and x has {distinct}")
        columns = self._columns(values, int(degree))
        self.check(columns.T @ columns[:, -1], degree)

    def begin(self, low: float, high: float, rows: int, degree: int, raw: bool) -> None:
        """Check the arguments; x is mapped to [-1, 1], so that high degrees neither overflow nor vanish.

        The columns do not depend on that.
        """
        _whole(degree, "degree", 1, _MOST_COLUMNS)
        if not isinstance(raw, bool):
            raise ValueError(f"raw is True or False, not {raw!r}")
        check_basis(int(degree), rows)
        self.middle, self.half_width = 0.5 * (low + high), 0.5 * (high - low)
        self.shifts: list[float] = []
        self.norms: list[float] = []

    def sums(self, x: FloatArray) -> FloatArray:
        """What some rows add to the next polynomial's norm, its shift times that, its products with the others."""
        z = (x - self.middle) / self.half_width
        before, current = np.zeros_like(z), np.ones_like(z)
        products = []
        for k in range(len(self.norms)):
            products.append(current / np.sqrt(self.norms[k]))
            before, current = current, self._next(k, z, current, before)
        return np.array([current @ current, (z * current) @ current, *(current @ other for other in products)])

    def take(self, sums: FloatArray, degree: int) -> None:
        """Learn from these sums of all rows."""
        if not sums[0] > 0.0:
            self.check(np.full(2, np.nan), degree)
        if len(self.norms) == degree:
            self.check(np.append(sums[2:] / np.sqrt(sums[0]), 1.0), degree)
        self.norms.append(float(sums[0]))
        self.shifts.append(float(sums[1] / sums[0]))

    def check(self, products: FloatArray, degree: int) -> None:
        """Refuse a degree whose last column is not orthogonal to the others; its product with itself stands last."""
        if not np.all(np.abs(products[:-1]) < _ORTHOGONAL):
            raise ValueError(
                f"degree {degree} is too high for these values: float64 cannot tell such polynomials apart; a spline, "
                "such as bs(x, df=10), bends as often"
            )

    def _next(self, k: int, z: FloatArray, current: FloatArray, before: FloatArray) -> FloatArray:
        """The polynomial of degree k + 1 from those of degree k and k - 1."""
        ratio = self.norms[k] / self.norms[k - 1] if k > 0 else 0.0
        following: FloatArray = (z - self.shifts[k]) * current - ratio * before
        return following

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
            before, current = current, self._next(k, z, current, before)
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


class _Portable:
    """Patsy forbids to pickle its transforms, and so models that other processes are to fit; their state is plain."""

    def __getstate__(self) -> dict[str, Any]:
        return dict(vars(self))

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


class _PortableBS(_Portable, BS):  # type: ignore[misc]
    """Patsy's B-spline."""


class BSpline:
    """``bs(x, df=None, knots=None, degree=3, include_intercept=False, lower_bound=None, upper_bound=None)``.

    Patsy's (and R's) B-spline basis; ``intercept=`` is an alias of ``include_intercept=``. Rows outside the bounds
    raise, because a B-spline says nothing about them.
    """

    def __init__(self) -> None:
        self.spline = _PortableBS()

    def memorize_chunk(
        self,
        x: Any,
        df: Any = None,
        knots: Any = None,
        degree: Any = 3,
        include_intercept: bool = False,
        lower_bound: Any = None,
        upper_bound: Any = None,
        intercept: bool | None = None,
    ) -> None:
        """Learn from all rows."""
        values = _vector(x, "bs")
        _check_spline("bs", values, df, knots, lower_bound, upper_bound)
        _whole(degree, "degree", 0, _MOST_DEGREE)
        include = include_intercept if intercept is None else intercept
        self.arguments = (df, knots, int(degree), include, lower_bound, upper_bound)
        self.spline.memorize_chunk(values, *self.arguments)

    def memorize_finish(self) -> None:
        """Place the knots."""
        self.spline.memorize_finish()

    def transform(self, x: Any, *_: Any, **__: Any) -> FloatArray:
        """Compute the columns of any rows."""
        values = _vector(x, "bs")
        _refuse_outside(values, self.spline._all_knots[0], self.spline._all_knots[-1])
        basis: FloatArray = np.asarray(self.spline.transform(values, *self.arguments))
        return basis


def _check_spline(
    name: str, values: FloatArray, df: Any, knots: Any, lower: Any, upper: Any, constraints: Any = None
) -> None:
    """Check what Patsy would take without a word, or turn down in words of its own."""
    if df is None and knots is None:
        raise ValueError(f"say how many columns it has by df=, such as {name}(x, df=4), or where its knots= are")
    if df is not None:
        _whole(df, "df", 1, _MOST_COLUMNS)
        if df > values.size:
            raise ValueError(f"df={df} is more than the number of rows, {values.size}")
        check_basis(int(df), values.size)
    if values.size and values.min() == values.max():
        raise ValueError("all rows have the same value, so there is nothing to bend")
    lower, upper = _bounds(name, values, lower, upper)
    if knots is not None:
        _check_knots(name, np.asarray(knots, dtype=np.float64), values.size, lower, upper)
    if name != "bs" and df is not None:
        inner = int(df) - (2 if name == "cr" else 1) + _rows_of(constraints)
        if knots is not None and np.size(knots) != inner:
            raise ValueError(f"df={df} goes with {inner} knots, and knots= has {np.size(knots)}; give one of them")
        if name == "cr" and inner < 1:
            raise ValueError(f"df={df} is too small: the fewest columns are {df - inner + 1}")
        distinct = np.unique(values[(values >= lower) & (values <= upper)]).size
        if knots is None and distinct < inner + 2:
            raise ValueError(f"df={df} needs {inner + 2} distinct values between its bounds, and x has {distinct}")


def _bounds(name: str, values: FloatArray, lower: Any, upper: Any) -> tuple[float, float]:
    """Where a spline begins and ends."""
    lowest, highest = float(values.min()), float(values.max())
    lower, upper = lowest if lower is None else float(lower), highest if upper is None else float(upper)
    if lower >= upper:
        raise ValueError(f"its bounds are {lower:g} and {upper:g}; x lies between {lowest:g} and {highest:g}")
    if name == "bs":
        _refuse_outside(values, lower, upper)
    return lower, upper


def _refuse_outside(values: FloatArray, lower: float, upper: float) -> None:
    outside = int(np.count_nonzero((values < lower) | (values > upper)))
    if outside:
        raise ValueError(
            f"{outside} of {values.size} rows lie outside [{lower:g}, {upper:g}], where the spline is defined; "
            "set lower_bound= and upper_bound= wide enough for all data to come, or use cr(), which is a straight "
            "line outside"
        )


def _check_knots(name: str, knots: FloatArray, rows: int, lower: float, upper: float) -> None:
    if knots.size > _MOST_COLUMNS:
        raise ValueError(f"there are {knots.size} knots, each with a column, and at most {_MOST_COLUMNS} are made")
    check_basis(knots.size, rows)
    if knots.size == 0 and name == "cr":
        raise ValueError("knots= has none; a straight line is x alone")
    outside = knots[(knots < lower) | (knots > upper)]
    if outside.size:
        raise ValueError(f"the knot {outside[0]:g} lies outside its bounds, {lower:g} and {upper:g}")
    if name != "bs" and np.unique(np.append(knots, [lower, upper])).size < knots.size + 2:
        raise ValueError("its knots are different numbers inside the bounds, and here some are equal, or at a bound")


def _rows_of(constraints: Any) -> int:
    """Number of constraints that a spline's columns obey."""
    if constraints is None:
        return 0
    return 1 if isinstance(constraints, str) else len(np.atleast_2d(np.asarray(constraints)))


class Natural(_Portable, CR):  # type: ignore[misc]
    """``cr(x, df=None, knots=None, lower_bound=None, upper_bound=None, constraints=None)``: natural cubic spline."""

    def memorize_chunk(
        self,
        x: Any,
        df: Any = None,
        knots: Any = None,
        lower_bound: Any = None,
        upper_bound: Any = None,
        constraints: Any = None,
    ) -> None:
        """Learn from all rows."""
        _check_spline("cr", _vector(x, "cr"), df, knots, lower_bound, upper_bound, constraints)
        super().memorize_chunk(x, df, knots, lower_bound, upper_bound, constraints)


class Cyclic(_Portable, CC):  # type: ignore[misc]
    """``cc(x, df=None, knots=None, lower_bound=None, upper_bound=None, constraints=None)``: cyclic cubic spline."""

    def memorize_chunk(
        self,
        x: Any,
        df: Any = None,
        knots: Any = None,
        lower_bound: Any = None,
        upper_bound: Any = None,
        constraints: Any = None,
    ) -> None:
        """Learn from all rows."""
        _check_spline("cc", _vector(x, "cc"), df, knots, lower_bound, upper_bound, constraints)
        super().memorize_chunk(x, df, knots, lower_bound, upper_bound, constraints)


class Tensor(_Portable, TE):  # type: ignore[misc]
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
        constraints = kwargs.get("constraints")
        if constraints is not None and not isinstance(constraints, str):
            width = np.atleast_2d(np.asarray(constraints)).shape[1]
            if width != prod(columns):
                raise ValueError(
                    f"constraints= has rows of {width} numbers, and one per column is needed: {prod(columns)}"
                )
        super().memorize_chunk(*args, **kwargs)
