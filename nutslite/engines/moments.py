"""Means and sums of products of rows, block by block: all that a Gaussian likelihood and default priors ask of data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
INDEPENDENT = 1e-12  # share of a column's variance that earlier columns leave, for it to count as another one


@dataclass(frozen=True)
class Moments:
    """Of rows of `D` numbers.

    Attributes
    ----------
    rows : int
    weight : float
        Sum of their weights, the number of rows where they have none.
    mean : ndarray, shape (D,)
    scatter : ndarray, shape (D, D)
        Weighted sum of the products of deviations from `mean`.
    """

    rows: int
    weight: float
    mean: FloatArray
    scatter: FloatArray

    @classmethod
    def of(cls, numbers: FloatArray, weights: FloatArray | None = None) -> Moments:
        """Of one block, shape (D, rows); weights (rows,) are not negative."""
        rows = numbers.shape[1]
        total = float(rows if weights is None else weights.sum())
        if total <= 0.0:
            return cls(rows, 0.0, np.zeros(len(numbers)), np.zeros((len(numbers), len(numbers))))
        mean = numbers.mean(axis=1) if weights is None else numbers @ weights / total
        apart = numbers - mean[:, None]
        scatter = apart @ apart.T if weights is None else (apart * weights) @ apart.T
        return cls(rows, total, mean, 0.5 * (scatter + scatter.T))

    def __add__(self, other: Moments) -> Moments:
        """Of both together.

        Deviations are from each one's own mean, so that large means do not cancel (Chan, Golub and LeVeque 1983,
        doi:10.1080/00031305.1983.10483115, equation 2.1b).
        """
        if other.weight == 0.0 or self.weight == 0.0:
            own = self if other.weight == 0.0 else other
            return Moments(self.rows + other.rows, own.weight, own.mean, own.scatter)
        total = self.weight + other.weight
        between = other.mean - self.mean
        mean = self.mean + between * (other.weight / total)
        scatter = self.scatter + other.scatter + np.outer(between, between) * (self.weight * other.weight / total)
        return Moments(self.rows + other.rows, total, mean, scatter)

    def equivalent_rows(self, fewest: int = 1) -> tuple[FloatArray, float]:
        """Few rows, all of one weight, that have the same total weight, means and sums of products.

        Returns
        -------
        numbers : ndarray, shape (D, m)
            `m` is at least `fewest`, and otherwise one more than there are independent columns.
        weight : float
            Of each of them.
        """
        factor = _factor(self.scatter / self.weight) if self.weight > 0.0 else np.empty((len(self.mean), 0))
        m = max(fewest, factor.shape[1] + 1)
        return self.mean[:, None] + factor @ _directions(factor.shape[1], m), self.weight / m


@dataclass(frozen=True)
class Line:
    """The response's least-squares line in a few rows, which is taken off before products are summed.

    Where a model fits closely, the residuals' squares would otherwise be the small difference of large sums.

    Attributes
    ----------
    slopes : ndarray, shape (D - 1,)
        Of the last number of a row in the others.
    """

    slopes: FloatArray

    @classmethod
    def through(cls, numbers: FloatArray) -> Line:
        """Of rows of shape (D, rows)."""
        apart = numbers - numbers.mean(axis=1, keepdims=True)
        scales = np.sqrt(np.mean(apart**2, axis=1))
        scales[scales == 0.0] = 1.0
        found = np.linalg.lstsq((apart[:-1] / scales[:-1, None]).T, apart[-1], rcond=1e-8)[0]
        return cls(np.asarray(found / scales[:-1], dtype=float))

    def off(self, numbers: FloatArray) -> FloatArray:
        """Rows with the line taken off their last number."""
        return np.concatenate([numbers[:-1], numbers[-1:] - self.slopes @ numbers[:-1]])

    def on(self, numbers: FloatArray) -> FloatArray:
        """The inverse of `off`."""
        return np.concatenate([numbers[:-1], numbers[-1:] + self.slopes @ numbers[:-1]])


def _factor(covariance: FloatArray) -> FloatArray:
    """L, shape (D, r), with L L' = covariance of rank r: Cholesky's, without the columns that earlier ones span."""
    scales = np.sqrt(np.diag(covariance))
    scales[scales == 0.0] = 1.0
    rest = covariance / np.outer(scales, scales)
    columns = []
    for j in range(len(rest)):
        if rest[j, j] > INDEPENDENT:
            column = rest[:, j] / np.sqrt(rest[j, j])
            column[:j] = 0.0
            columns.append(column)
            rest = rest - np.outer(column, column)
    return scales[:, None] * (np.column_stack(columns) if columns else np.empty((len(rest), 0)))


def _directions(r: int, m: int) -> FloatArray:
    """Rows (r, m) that are orthogonal to each other and to the constant, with mean square 1: those of cosines."""
    k, i = np.arange(1, r + 1)[:, None], np.arange(m)
    return np.sqrt(2.0) * np.cos(np.pi * k * (i + 0.5) / m) if r else np.empty((0, m))
