"""Bases of smooths: functions of one or several columns, and the penalty of how much they bend.

A basis has ``columns(x)``, values (n, k) at rows x of shape (D, n), a penalty S of shape (k, k), so that b'Sb is what
bends of the function with coefficients b cost, and `linear`, whether straight lines cost nothing and are in its span
(constants always are). Sources: Wood (2017), Generalized Additive Models, sections 5.3 to 5.5; Eilers and Marx (1996),
Statistical Science 11; Wood (2003), Journal of the Royal Statistical Society B 65.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError, FormulaError
from nutslite.formula.evaluation.transforms import Cyclic, Natural

FloatArray = NDArray[np.float64]

FEWEST = {"cr": 3, "cc": 4, "tp": 3, "ps": 4}
"""Fewest coefficients of a basis of one column; of a thin plate one more for each further column."""

TITLES = {
    "cr": "natural cubic spline",
    "cc": "cyclic",
    "tp": "thin plate",
    "ps": "B-splines with a penalty of differences",
}
INSTEAD = {"ts": "tp", "cs": "cr", "bs": "ps", "gp": "tp", "cp": "cc", "ds": "tp", "ad": "cr", "re": "cr"}

MOST_KNOTS = 1000  # of a thin plate, whose eigenvectors cost their cube
MOST_COLUMNS = 3  # of a thin plate: bends of second order are no penalty in more dimensions


class Spline(Protocol):
    """What a smooth needs of a basis."""

    @property
    def penalty(self) -> FloatArray:
        """S, shape (k, k)."""
        ...

    @property
    def linear(self) -> bool:
        """Whether straight lines are in its span, at no cost."""
        ...

    def columns(self, x: FloatArray) -> FloatArray:
        """Values of the k functions at rows x (D, n): shape (n, k)."""
        ...


def learn_spline(kind: str, x: FloatArray, k: int, lower: float | None, upper: float | None) -> Spline:
    """A basis of k functions for the rows x, shape (D, n)."""
    if kind == "tp":
        return ThinPlate.of(x, k)
    (values,) = x
    if kind == "ps":
        ends = float(values.min() if lower is None else lower), float(values.max() if upper is None else upper)
        if not ends[0] < ends[1]:
            raise FormulaError(f"its bounds are {ends[0]:g} and {ends[1]:g}, and the lower one comes first.")
        return PSpline(*ends, k)
    spline = Natural() if kind == "cr" else Cyclic()
    spline.memorize_chunk(values, k if kind == "cr" else k - 1, None, lower, upper)
    spline.memorize_finish()
    return Cubic(spline, kind == "cc")


@dataclass(frozen=True)
class Cubic:
    """A cubic spline by its values at knots: natural, or cyclic; b'Sb is the integral of the squared curvature."""

    spline: Any
    cyclic: bool

    @property
    def linear(self) -> bool:
        """Of a natural one."""
        return not self.cyclic

    def columns(self, x: FloatArray) -> FloatArray:
        """Functions that are one at one knot and zero at the others; beyond the knots straight, or all over again."""
        return np.asarray(self.spline.transform(x[0]), dtype=float)

    @property
    def penalty(self) -> FloatArray:
        """Second derivatives at the knots, g, solve B g = D b, and are linear in between (Wood 2017, table 5.1)."""
        knots, cyclic = np.asarray(self.spline._all_knots, dtype=float), self.cyclic
        h = np.diff(knots)
        k = knots.size - cyclic
        curvature, difference = np.zeros((k, k)), np.zeros((k, k))  # B and D; of an open spline g is 0 at both ends
        inner = range(k) if cyclic else range(1, k - 1)
        for i in inner:
            before, after, left, right = h[i - 1], h[i % h.size], (i - 1) % k, (i + 1) % k
            curvature[i, i] += (before + after) / 3.0
            curvature[i, left] += before / 6.0
            curvature[i, right] += after / 6.0
            difference[i, i] -= 1.0 / before + 1.0 / after
            difference[i, left] += 1.0 / before
            difference[i, right] += 1.0 / after
        some = np.array(inner)
        own, rows = curvature[np.ix_(some, some)], difference[some]
        return np.asarray(rows.T @ np.linalg.solve(own, rows), dtype=float)


@dataclass(frozen=True)
class PSpline:
    """Cubic B-splines on equal steps between two ends; b'Sb is the sum of squared second differences of b."""

    lower: float
    upper: float
    k: int

    linear = True

    @property
    def penalty(self) -> FloatArray:
        """D'D, D the second differences."""
        differences = np.diff(np.eye(self.k), 2, axis=0)
        return np.asarray(differences.T @ differences, dtype=float)

    def columns(self, x: FloatArray) -> FloatArray:
        """Each function is a cubic bump over four steps."""
        values = x[0]
        outside = (values < self.lower) | (values > self.upper)
        if outside.any():
            raise DataError(
                f"{int(np.count_nonzero(outside))} of {values.size} rows lie outside {self.lower:g} to {self.upper:g}, "
                "where B-splines end. lower_bound= and upper_bound= make room for all data to come, or bs='cr', which "
                "is straight beyond its knots."
            )
        steps = (values - self.lower) / (self.upper - self.lower) * (self.k - 3)
        t = steps[:, None] - np.arange(self.k) + 3.0  # steps from where each bump begins
        pieces = [
            t**3,
            ((-3.0 * t + 12.0) * t - 12.0) * t + 4.0,
            ((3.0 * t - 24.0) * t + 60.0) * t - 44.0,
            (4.0 - t) ** 3,
        ]
        inside = [(t >= place) & (t < place + 1.0) for place in range(4)]
        return np.asarray(np.select(inside, pieces, 0.0) / 6.0, dtype=float)


@dataclass(frozen=True)
class ThinPlate:
    """A thin plate regression spline: the smoothest k functions of radial bumps at the rows, constants and lines.

    Attributes
    ----------
    knots : ndarray, shape (D, q)
        Different rows, in units of `widths`, less `middle`.
    map : ndarray, shape (q, k - 1 - D)
        From radial bumps to functions.
    inner : ndarray, shape (k - 1 - D,) squared
        Penalty of these.
    middle, widths : ndarray, shape (D,), float
        The same width for all columns: a rotation of them changes nothing.
    """

    knots: FloatArray
    map: FloatArray
    inner: FloatArray
    middle: FloatArray
    width: float

    linear = True

    @classmethod
    def of(cls, x: FloatArray, k: int) -> ThinPlate:
        """Learn from rows x, shape (D, n)."""
        middle, width = x.mean(axis=1), float(np.sqrt(np.mean(np.var(x, axis=1))))
        every = np.unique(((x - middle[:, None]) / width).T, axis=0)
        if len(every) > MOST_KNOTS:
            some = np.random.default_rng(0).choice(len(every), max(MOST_KNOTS, k), replace=False)
            every = every[np.sort(some)]
        bumps = _radial(every.T, every.T)
        values, vectors = np.linalg.eigh(bumps)
        largest = np.argsort(-np.abs(values))[:k]
        values, vectors = values[largest], vectors[:, largest]
        lines = np.column_stack([np.ones(len(every)), every])
        free = np.linalg.qr(vectors.T @ lines, mode="complete")[0][:, lines.shape[1] :]  # orthogonal to lines
        return cls(np.ascontiguousarray(every.T), vectors @ free, free.T @ (values[:, None] * free), middle, width)

    @property
    def penalty(self) -> FloatArray:
        """Nothing of constants and lines."""
        size = len(self.inner)
        out = np.zeros((size + 1 + len(self.knots),) * 2)
        out[:size, :size] = self.inner
        return out

    def columns(self, x: FloatArray) -> FloatArray:
        """Bends, the constant, the lines."""
        scaled = (x - self.middle[:, None]) / self.width
        return np.column_stack([_radial(scaled, self.knots) @ self.map, np.ones(x.shape[1]), scaled.T])


def _radial(x: FloatArray, knots: FloatArray) -> FloatArray:
    """The bump whose second derivatives have least squares (Wood 2003, equation 6), shape (n, q)."""
    dimensions = len(x)
    squares = np.zeros((x.shape[1], knots.shape[1]))
    for own, other in zip(x, knots, strict=True):
        squares += (own[:, None] - other) ** 2
    if dimensions == 1:
        return np.asarray(squares**1.5 / 12.0, dtype=float)
    if dimensions == 2:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(squares > 0.0, squares * np.log(squares), 0.0) / (16.0 * math.pi), dtype=float)
    return np.asarray(-np.sqrt(squares) / (8.0 * math.pi), dtype=float)


def check_spline(name: str, kind: str, x: FloatArray, k: int, text: str) -> None:
    """Refuse a basis that is not there, or one with more functions than x has different values.

    Raises
    ------
    FormulaError
    """
    if kind not in FEWEST:
        near = f"; write bs='{INSTEAD[kind]}'" if kind in INSTEAD else ""
        listed = ", ".join(f"'{key}' ({title})" for key, title in TITLES.items())
        raise FormulaError(f"bs of {name}() is one of {listed}, not '{kind}'{near}.")
    columns = len(x)
    if columns > 1 and kind != "tp":
        raise FormulaError(f"A smooth of {columns} columns is bs='tp', or a tensor product: t2({text}).")
    if columns > MOST_COLUMNS:
        raise FormulaError(f"{name}() takes up to {MOST_COLUMNS} columns, not {columns}.")
    fewest = FEWEST[kind] + columns - 1
    if not fewest <= k <= 1000:
        raise FormulaError(f"k of {name}() is from {fewest} to 1000 for bs='{kind}', not {k}.")
    distinct, rows = len(np.unique(x, axis=1).T), x.shape[1]
    if kind != "ps" and distinct < k:
        less = f"; write k={distinct}" if distinct >= fewest else ""
        raise FormulaError(f"k={k} needs as many different values, and {text} has {distinct} in {rows} rows{less}.")
    if distinct < 2:
        raise FormulaError(f"{text} has the same value in all rows, so there is nothing to bend.")
