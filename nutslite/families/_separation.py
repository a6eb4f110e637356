"""Perfect separation: predictors that tell the two outcomes apart, so that the likelihood has no maximum.

With proper priors the posterior exists all the same, but the priors decide how far out it lies: worth a warning.

The condition is Albert and Anderson's (1984, Biometrika 71, 1): some combination of the columns is nowhere negative
where the outcome is 1, nowhere positive where it is 0, and not zero everywhere. Whether there is one is a linear
program (Konis 2007, thesis, Oxford); before that, a maximum of the likelihood on some rows of full rank proves that
there is none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_FEW_ROWS = 2000
_NEWTON_STEPS = 30
_FARTHEST = 25.0  # linear predictors beyond are a maximum that runs off, or as good as
_MOST_NUMBERS = 2_000_000  # in the linear program
_MOST_PRUNED = 30  # columns among which the ones that matter are searched for
_TOLERANCE = 1e-6


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
    p, n = matrix.shape
    if p == 0 or lowest.all() or highest.all():
        return []
    alone = [j for j in range(p) if _separates_alone(matrix[j], intercept, lowest, highest)]
    if alone:
        return alone
    outcome = np.where(highest, 1.0, np.where(lowest, 0.0, 0.5))
    center = matrix.mean(axis=1) if intercept else np.zeros(p)
    scale = np.array([np.max(np.abs(row - middle)) for row, middle in zip(matrix, center, strict=True)])
    few = max(_FEW_ROWS, 20 * p)
    if few < n and _has_maximum(_scaled(matrix[:, :: n // few], center, scale, intercept), outcome[:: n // few]):
        return []
    if n * p > _MOST_NUMBERS:
        return []  # documented: no search in data that large
    columns = _scaled(matrix, center, scale, intercept)
    if _has_maximum(columns, outcome):
        return []
    return _searched(columns, intercept, lowest, highest)


def _separates_alone(column: FloatArray, intercept: bool, lowest: BoolArray, highest: BoolArray) -> bool:
    """Whether a threshold on one column (zero, without an intercept) has the outcomes on different sides."""
    zero, one = column[~highest], column[~lowest]  # rows with outcomes of both kinds are on both sides
    for sign in (1.0, -1.0):
        below, above = np.max(sign * zero), np.min(sign * one)
        if (below <= above) if intercept else (below <= 0.0 <= above):
            return bool(np.min(column) < np.max(column))
    return False


def _scaled(matrix: FloatArray, center: FloatArray, scale: FloatArray, intercept: bool) -> FloatArray:
    """Columns of the design, shape (n, p or p + 1), the intercept last."""
    columns = ((matrix - center[:, None]) / scale[:, None]).T
    return np.column_stack([columns, np.ones(len(columns))]) if intercept else np.ascontiguousarray(columns)


def _has_maximum(columns: FloatArray, outcome: FloatArray) -> bool:
    """Whether Newton's method finds a maximum of the logistic likelihood: proof that nothing separates.

    False says nothing.
    """
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    beta = np.zeros(columns.shape[1])
    for _ in range(_NEWTON_STEPS):
        eta = columns @ beta
        if np.max(np.abs(eta)) > _FARTHEST:
            return False
        mean = 1.0 / (1.0 + np.exp(-eta))
        weights = mean * (1.0 - mean)
        gradient = columns.T @ (outcome - mean)
        information = columns.T @ (weights[:, None] * columns)
        try:
            step = cho_solve(cho_factor(information), gradient)
        except LinAlgError:  # these rows have not full rank
            return False
        beta = beta + step
        if np.max(np.abs(step)) < 1e-8:
            return bool(np.linalg.cond(information) < 1e12)
    return False


def _searched(columns: FloatArray, intercept: bool, lowest: BoolArray, highest: BoolArray) -> list[int]:
    """The linear program; columns that it can do without are left out one by one."""
    sign = np.where(highest, 1.0, -1.0)
    decided = lowest | highest
    rows, mixed = sign[decided, None] * columns[decided], columns[~decided]
    p = columns.shape[1] - intercept
    chosen = list(range(p))
    last = [p] if intercept else []
    direction = _direction(rows, mixed)
    if direction is None:
        return []
    chosen = [j for j in chosen if abs(direction[j]) > _TOLERANCE]
    if len(chosen) <= _MOST_PRUNED:
        for j in list(chosen):
            fewer = [k for k in chosen if k != j]
            if fewer and _direction(rows[:, fewer + last], mixed[:, fewer + last]) is not None:
                chosen = fewer
    return chosen


def _direction(rows: FloatArray, mixed: FloatArray) -> FloatArray | None:
    """The combination in the unit cube with the largest margin in sum, or None where only zero is allowed."""
    from scipy.optimize import linprog

    p = rows.shape[1]
    found = linprog(
        -rows.sum(axis=0),
        A_ub=-rows,
        b_ub=np.zeros(len(rows)),
        A_eq=mixed if len(mixed) else None,
        b_eq=np.zeros(len(mixed)) if len(mixed) else None,
        bounds=[(-1.0, 1.0)] * p,
        method="highs",
    )
    if not found.success or -found.fun < _TOLERANCE:
        return None
    direction: FloatArray = np.asarray(found.x)
    return direction
