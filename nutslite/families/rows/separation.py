"""Perfect separation: predictors that tell the two outcomes apart, so that the likelihood has no maximum.

With proper priors the posterior exists all the same, but the priors decide how far out it lies: worth a warning.

The condition is Albert and Anderson's (1984, Biometrika 71, 1): some combination of the columns is nowhere negative
where the outcome is 1, nowhere positive where it is 0, and not zero everywhere. Whether there is one is a linear
program (Konis 2007, thesis, Oxford). It is solved on a few rows, to which those are added that its solution has on the
wrong side, until there are none or there is no solution; mostly a few hundred rows out of a million decide.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_FIRST_ROWS = 200  # and ten for each column
_MOST_ROUNDS = 200
_MOST_PRUNED = 30  # columns among which the ones that matter are searched for
_TOLERANCE = 1e-6  # of columns that are scaled to the range from -1 to 1: on the wrong side
_MARGIN = 1e-4  # and on the right one


def separating_columns(matrix: FloatArray, intercept: bool, lowest: BoolArray, highest: BoolArray) -> list[int]:
    """Columns of a combination that separates the outcomes; empty where the likelihood has a maximum.

    Parameters
    ----------
    matrix : ndarray, shape (p, n)
        Linearly independent columns, none of them constant.
    intercept : bool
        Whether a column of ones belongs to them.
    lowest, highest : ndarray of bool, shape (n,)
        Rows whose outcome is the lowest possible (0; no success among all trials), and the highest. Rows that are
        neither have outcomes of both kinds.

    Returns
    -------
    list of int
        Indices into `matrix`; where single columns separate alone, those.
    """
    found = separation(matrix, intercept, lowest, highest)
    return [] if found is None else found.columns


@dataclass(frozen=True)
class Separation:
    """A combination of columns that separates the outcomes.

    Attributes
    ----------
    columns : list of int
        Those in it; where single columns separate alone, all of these, and the first is the combination.
    slopes : ndarray, shape (p,)
    constant : float
        ``slopes @ matrix + constant`` is nowhere positive where the outcome is the lowest, nowhere negative where it is
        the highest.
    """

    columns: list[int]
    slopes: FloatArray
    constant: float

    def wrong(self, matrix: FloatArray, lowest: BoolArray, highest: BoolArray) -> FloatArray:
        """By how much each of some rows, the same or others, is on the wrong side."""
        values = self.slopes @ matrix + self.constant
        return np.maximum(np.where(highest, 0.0, values), np.where(lowest, 0.0, -values))


def separation(matrix: FloatArray, intercept: bool, lowest: BoolArray, highest: BoolArray) -> Separation | None:
    """`separating_columns`, with their combination; None where the likelihood has a maximum."""
    p = matrix.shape[0]
    if p == 0 or lowest.all() or highest.all():
        return None
    alone = {j: one for j in range(p) if (one := _separates_alone(matrix[j], intercept, lowest, highest))}
    if alone:
        first = min(alone)
        sign, threshold = alone[first]
        return Separation(list(alone), sign * np.eye(p)[first], -sign * threshold)
    program = _Program.of(matrix, intercept, lowest, highest)
    chosen = list(range(p))
    found = program.direction(chosen)
    if found is None:
        return None
    chosen = [j for j in chosen if abs(found[0][j]) > _TOLERANCE]
    if len(chosen) <= _MOST_PRUNED:
        for j in list(chosen):
            fewer = [k for k in chosen if k != j]
            if fewer and (simpler := program.direction(fewer)) is not None:
                chosen, found = fewer, simpler
    slopes = found[0] / program.scale
    return Separation(chosen, slopes, found[1] - float(slopes @ program.center))


def _separates_alone(
    column: FloatArray, intercept: bool, lowest: BoolArray, highest: BoolArray
) -> tuple[float, float] | None:
    """The sign and threshold on one column (zero, without an intercept) that has the outcomes on different sides."""
    zero, one = column[~highest], column[~lowest]  # rows with outcomes of both kinds are on both sides
    for sign in (1.0, -1.0):
        below, above = np.max(sign * zero), np.min(sign * one)
        if (below <= above) if intercept else (below <= 0.0 <= above):
            if not np.min(column) < np.max(column):
                return None
            return sign, 0.5 * sign * float(below + above) if intercept else 0.0
    return None


@dataclass
class _Program:
    """The linear program: the largest sum of margins in the unit cube, no row on the wrong side.

    Attributes
    ----------
    matrix : ndarray, shape (p, n)
    center, scale : ndarray, shape (p,)
        ``(matrix - center) / scale`` lies between -1 and 1; never made as a whole.
    sign : ndarray, shape (n,)
        1 or -1 for the side where a row belongs, 0 for rows that must be on neither.
    rows : ndarray of int
        The rows that count so far.
    """

    matrix: FloatArray
    intercept: bool
    center: FloatArray
    scale: FloatArray
    sign: FloatArray
    rows: NDArray[np.intp]
    sums: FloatArray = field(init=False)

    @classmethod
    def of(cls, matrix: FloatArray, intercept: bool, lowest: BoolArray, highest: BoolArray) -> _Program:
        """The program of a model's columns and outcomes."""
        p, n = matrix.shape
        low, high = matrix.min(axis=1), matrix.max(axis=1)
        center = 0.5 * (low + high) if intercept else np.zeros(p)
        scale = np.maximum(high - center, center - low)
        sign = highest.astype(float) - lowest.astype(float)
        first = np.unique(np.linspace(0, n - 1, min(n, _FIRST_ROWS + 10 * p)).astype(np.intp))
        return cls(matrix, intercept, center, scale, sign, first)

    def __post_init__(self) -> None:
        """Sums of the margins of all rows, by column; the intercept's last."""
        total = self.sign.sum()
        sums = (self.matrix @ self.sign - self.center * total) / self.scale
        self.sums = np.append(sums, total)

    def direction(self, columns: list[int]) -> tuple[FloatArray, float] | None:
        """A combination of scaled `columns` that separates, shape (p,) with zeros elsewhere, and its constant."""
        for _ in range(_MOST_ROUNDS):
            found = self._solved(columns)
            if found is None:
                return None
            direction, constant = found
            slopes = direction / self.scale
            values = slopes @ self.matrix + (constant - slopes @ self.center)
            margins = np.where(self.sign == 0.0, -np.abs(values), self.sign * values)
            wrong = np.flatnonzero(margins < -_TOLERANCE)
            if wrong.size == 0:
                return found if np.max(margins) > _MARGIN else None
            worst = wrong[np.argsort(margins[wrong])[: self.rows.size]]
            more = np.union1d(self.rows, worst)
            if more.size == self.rows.size:  # the solver's own tolerance
                return None
            self.rows = more
        return None

    def _solved(self, columns: list[int]) -> tuple[FloatArray, float] | None:
        """The solution for the rows that count so far: slopes and constant; None where only zero is left."""
        from scipy.optimize import linprog

        block = (self.matrix[:, self.rows][columns].T - self.center[columns]) / self.scale[columns]
        objective = self.sums[columns]
        if self.intercept:
            block = np.column_stack([block, np.ones(self.rows.size)])
            objective = np.append(objective, self.sums[-1])
        sign = self.sign[self.rows]
        mixed, sided = block[sign == 0.0], sign[sign != 0.0, None] * block[sign != 0.0]
        constraints = np.vstack([-sided, mixed, -mixed])
        size = np.max(np.abs(objective))
        if size == 0.0:
            return None
        found = linprog(
            -objective / size, A_ub=constraints, b_ub=np.zeros(len(constraints)), bounds=(-1.0, 1.0), method="highs"
        )
        if not found.success or -found.fun * size < _MARGIN:
            return None
        direction = np.zeros(self.matrix.shape[0])
        direction[columns] = found.x[: len(columns)]
        return direction, float(found.x[-1]) if self.intercept else 0.0
