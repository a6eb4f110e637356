"""Columns of a linear predictor that others already span: the data cannot tell such coefficients apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nutslite.formula.terms import FloatArray, LinearPredictor

_SUSPECT = 1e-9  # of a column's variance, left when those before it are taken out: look closer
_DEPENDENT = 1e-7  # of a column's norm, likewise: it is a combination of the others
_SHARE = 1e-6  # of a column in a combination, in standard deviations
_CHUNK = 4096  # rows at a time
_MOST_COLUMNS = 1500  # beyond, the check would cost more than it is worth


@dataclass(frozen=True)
class Dependence:
    """One column that is a linear combination of columns before it (and of the intercept, where there is one)."""

    column: str
    others: tuple[str, ...]


def column_names(predictor: LinearPredictor) -> list[str]:
    """Names of a predictor's columns: ``"x"``, ``"g[b]"``, ``"x:g[b]"``."""
    names = []
    for term in predictor.terms:
        names += [term.name] if term.scalar else [f"{term.name}[{label}]" for label in term.labels]
    return names


def independent_columns(predictor: LinearPredictor) -> tuple[list[int], list[Dependence]]:
    """Split columns into those that add to the ones before them, and those that do not.

    The columns are standardised (centred only beside an intercept) and taken in the order of the formula; what is left
    of each when the earlier ones are taken out comes from the Cholesky factor of their correlations, and where that is
    suspiciously small, from the rows themselves, because correlations know only half of the digits.

    Returns
    -------
    kept : list of int
        Columns that span all of them. Columns that do not vary are in neither list.
    dependent : list of Dependence
    """
    matrix = predictor.matrix
    if not 0 < matrix.shape[0] <= _MOST_COLUMNS:
        return list(range(matrix.shape[0])), []
    names = column_names(predictor)
    center = matrix.mean(axis=1) if predictor.intercept else np.zeros(len(names))
    scale = np.sqrt(np.mean((matrix - center[:, None]) ** 2, axis=1)) if matrix.size < 1e6 else _scales(matrix, center)
    gram = _gram(matrix, center, scale)
    kept: list[int] = []
    dependent = []
    factor = np.zeros((len(names), len(names)))  # rows of the Cholesky factor, of kept columns only
    for column in range(len(names)):
        if not scale[column] > 1e-12 * abs(center[column]):
            continue
        size = len(kept)
        share = _forward(factor[:size, :size], gram[kept, column])
        left = gram[column, column] - float(share @ share)
        if left < _SUSPECT:
            weights = _backward(factor[:size, :size], share)
            if _residual(matrix, center, scale, kept, weights, column) < _DEPENDENT:
                others = tuple(names[k] for k, weight in zip(kept, weights, strict=True) if abs(weight) > _SHARE)
                dependent.append(Dependence(names[column], others))
                continue
        factor[size, :size] = share
        factor[size, size] = np.sqrt(max(left, 1e-14))
        kept.append(column)
    return kept, dependent


def _scales(matrix: FloatArray, center: FloatArray) -> FloatArray:
    return np.array([np.sqrt(np.mean((row - middle) ** 2)) for row, middle in zip(matrix, center, strict=True)])


def _standardised(matrix: FloatArray, center: FloatArray, scale: FloatArray, rows: slice) -> FloatArray:
    varies = np.where(scale > 0.0, scale, 1.0)
    result: FloatArray = (matrix[:, rows] - center[:, None]) / varies[:, None]
    return result


def _gram(matrix: FloatArray, center: FloatArray, scale: FloatArray) -> FloatArray:
    """Correlations of the columns, in chunks of rows: there is never a second matrix."""
    total = np.zeros((matrix.shape[0], matrix.shape[0]))
    for start in range(0, matrix.shape[1], _CHUNK):
        block = _standardised(matrix, center, scale, slice(start, start + _CHUNK))
        total += block @ block.T
    gram: FloatArray = total / matrix.shape[1]
    return gram


def _residual(
    matrix: FloatArray, center: FloatArray, scale: FloatArray, kept: list[int], weights: FloatArray, column: int
) -> float:
    """Root mean square of what is left of a standardised column, computed from the rows."""
    chosen = [*kept, column]
    combination = np.append(-weights, 1.0)
    total = 0.0
    for start in range(0, matrix.shape[1], _CHUNK):
        block = _standardised(matrix[chosen], center[chosen], scale[chosen], slice(start, start + _CHUNK))
        total += float(np.sum((combination @ block) ** 2))
    return float(np.sqrt(total / matrix.shape[1]))


def _forward(factor: FloatArray, right: FloatArray) -> FloatArray:
    """Solve ``factor @ x = right`` for a lower triangular factor."""
    if factor.shape[0] == 0:
        return np.empty(0)
    return np.asarray(np.linalg.solve(factor, right), dtype=float)


def _backward(factor: FloatArray, right: FloatArray) -> FloatArray:
    """Solve ``factor.T @ x = right``."""
    if factor.shape[0] == 0:
        return np.empty(0)
    return np.asarray(np.linalg.solve(factor.T, right), dtype=float)
