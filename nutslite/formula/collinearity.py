"""Columns of a linear predictor that others already span: the data cannot tell such coefficients apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nutslite.formula.records import FloatArray, LinearPredictor

_SUSPECT = 1e-9  # of a column's variance, left when those before it are taken out: look closer
_DEPENDENT = 1e-7  # of a column's norm, likewise: it is a combination of the others
_SHARE = 1e-6  # of a column in a combination, in standard deviations
_MOST_CORRECTIONS = 5
_ORTHOGONAL = 1e-3  # cosine of an angle
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
    columns = _Columns(matrix, center, scale)
    most = matrix.shape[1] - predictor.intercept  # more columns than that cannot be independent
    factor = _Factor(_gram(matrix, center, scale))
    dependent = []
    for column in range(len(names)):
        if not scale[column] > 1e-12 * abs(center[column]):
            continue
        left, products = np.sqrt(max(factor.left(column), 0.0)), factor.products(column)
        full = len(factor.kept) >= most
        if full or left**2 < _SUSPECT:
            weights, left, products = columns.explained(column, factor, _MOST_CORRECTIONS if not full else 0)
            if full or left < _DEPENDENT:
                others = tuple(names[k] for k, weight in zip(factor.kept, weights, strict=True) if abs(weight) > _SHARE)
                dependent.append(Dependence(names[column], others))
                continue
        factor.keep(column, left, products)
    return factor.kept, dependent


class _Factor:
    """The Cholesky factor of the kept columns' correlations, with a row for every kept column.

    Row k holds what all columns share with the k-th kept one, once those kept before it are taken out.
    """

    def __init__(self, gram: FloatArray) -> None:
        self.gram = gram
        self.kept: list[int] = []
        self.rows = np.zeros((gram.shape[0], gram.shape[0]))
        self._inverse: FloatArray | None = None

    def left(self, column: int) -> float:
        """Share of a column's variance that the kept ones leave, as far as correlations know it."""
        share = self.rows[: len(self.kept), column]
        return float(self.gram[column, column] - share @ share)

    def products(self, column: int) -> FloatArray:
        """Mean products of what the kept columns leave of `column` with all columns."""
        before = self.rows[: len(self.kept)]
        products: FloatArray = self.gram[column] - before[:, column] @ before
        return products

    def keep(self, column: int, left: float, products: FloatArray) -> None:
        """Add a column, of which the kept ones leave something with this root mean square and these products."""
        row = self.rows[len(self.kept)]
        row[:] = products / left
        row[column] = left
        self.kept.append(column)
        self._inverse = None

    def solve(self, right: FloatArray) -> FloatArray:
        """Solve ``gram[kept, kept] @ x = right``."""
        if self._inverse is None:
            self._inverse = np.asarray(np.linalg.inv(np.triu(self.rows[: len(self.kept), self.kept])), dtype=float)
        solution: FloatArray = self._inverse @ (right @ self._inverse)
        return solution


class _Columns:
    """The columns themselves, standardised a few rows at a time."""

    def __init__(self, matrix: FloatArray, center: FloatArray, scale: FloatArray) -> None:
        self.matrix, self.center, self.scale = matrix, center, scale
        self._first = _standardised(matrix, center, scale, slice(0, _CHUNK))  # small data are this and no more

    def explained(self, column: int, factor: _Factor, corrections: int) -> tuple[FloatArray, float, FloatArray]:
        """The combination of kept columns nearest to `column`, and what it leaves.

        Correlations know only half of the digits, so the combination is corrected by what the rows leave of the column
        until that is orthogonal to the kept ones. Where `corrections` do not get there, float64 cannot tell them apart.

        Returns
        -------
        weights : ndarray, one per kept column
        left : float
            Root mean square of what is left; 0 where nothing can be told from it.
        products : ndarray, one per column
            Its mean products with all columns.
        """
        products = factor.gram[column]
        weights = factor.solve(products[factor.kept])
        for _ in range(corrections):
            rest = self._rest(factor.kept, weights, column)
            left, products = float(np.sqrt(np.mean(rest**2))), self._products(rest)
            if left < _DEPENDENT or np.max(np.abs(products[factor.kept]), initial=0.0) < _ORTHOGONAL * left:
                return weights, left, products
            weights = weights + factor.solve(products[factor.kept])
        return weights, 0.0, products

    def _blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        for start in range(0, self.matrix.shape[1], _CHUNK):
            rows = slice(start, start + _CHUNK)
            yield rows, self._first if start == 0 else _standardised(self.matrix, self.center, self.scale, rows)

    def _rest(self, kept: list[int], weights: FloatArray, column: int) -> FloatArray:
        rest = np.empty(self.matrix.shape[1])
        for rows, block in self._blocks():
            rest[rows] = block[column] - weights @ block[kept]
        return rest

    def _products(self, rest: FloatArray) -> FloatArray:
        total = np.zeros(self.matrix.shape[0])
        for rows, block in self._blocks():
            total += block @ rest[rows]
        products: FloatArray = total / rest.size
        return products


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
