"""Covariances between the levels of a grouping factor that the user knows: the matrix of ``gr(g, cov=K)``.

A data frame says by its index and columns which level is where, and may know more levels than the data have. An array
has the levels in the order of the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import DataError, DataTypeError, shown
from nutslite.formula.columns.level_names import level_name, positions_among, python_levels

FloatArray = NDArray[np.float64]

MOST_LEVELS = 2000  # of the data: each of them is a column of the design, and a dense factor of that order is made
SYMMETRIC = 1e-8  # of the largest entry: differences that rounding leaves
LEAST_SHARE = 1e-10  # of a level's variance that the levels before it leave: less is rounding
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class KnownCovariance:
    """A covariance matrix of levels, up to a scale.

    Attributes
    ----------
    names : tuple of str
        All levels that the matrix knows.
    matrix : ndarray, shape (len(names), len(names))
    places : ndarray of int
        Where the levels of the model are among them.
    """

    names: tuple[str, ...]
    matrix: FloatArray
    places: NDArray[np.int64]

    @cached_property
    def factor(self) -> FloatArray:
        """Cholesky factor of the covariances of the model's levels, lower triangle."""
        own = self.matrix[np.ix_(self.places, self.places)]
        return np.asarray(np.linalg.cholesky(own), dtype=float)

    def of_others(self, names: Sequence[str], what: str) -> tuple[FloatArray, FloatArray]:
        """What other levels' effects are, given those of the model's, u: normal around ``weights @ u``.

        Parameters
        ----------
        names : sequence of str
        what : str
            The factor's name, for the message.

        Returns
        -------
        weights : ndarray, shape (len(names), levels)
        factor : ndarray, shape (len(names), len(names))
            Cholesky factor of their covariances given u, lower triangle.

        Raises
        ------
        DataError
            If the matrix does not know one of them.
        """
        where = {name: place for place, name in enumerate(self.names)}
        if unknown := [name for name in names if name not in where]:
            raise DataError(
                f"The covariance matrix of '{what}' does not know the level{'s' * (len(unknown) > 1)} "
                f"{_listed(unknown)}, so that nothing can be said of {'them' if len(unknown) > 1 else 'it'}. Make the "
                "model with a data frame that has all levels, those to predict included."
            )
        new = np.array([where[name] for name in names])
        inner = np.linalg.solve(self.factor, self.matrix[np.ix_(self.places, new)])
        weights = np.asarray(np.linalg.solve(self.factor.T, inner).T, dtype=float)
        rest = self.matrix[np.ix_(new, new)] - inner.T @ inner
        return weights, np.asarray(np.linalg.cholesky(rest), dtype=float)


@dataclass(frozen=True, eq=False)
class ZeroSum(KnownCovariance):
    """Effects that sum to zero: normal given their sum, with the covariances I - 1/n.

    As PyMC's ``ZeroSumNormal``.
    """

    @property
    def factor(self) -> FloatArray:
        """A root of the matrix, shape (n, n - 1): orthonormal columns, each the mean of levels less the next one."""
        n = len(self.places)
        out = np.zeros((n, n - 1))
        for column in range(n - 1):
            out[: column + 1, column] = 1.0
            out[column + 1, column] = -(column + 1.0)
            out[:, column] /= np.sqrt((column + 1.0) * (column + 2.0))
        return out

    def of_others(self, names: Sequence[str], what: str) -> tuple[FloatArray, FloatArray]:
        """Nothing can be said of other levels.

        Raises
        ------
        DataError
        """
        raise DataError(
            f"The effects of '{what}' sum to zero, so that these levels are all there are: nothing can be said of "
            f"{_listed(names)}. Levels that are some of many have (1|{what})."
        )


def zero_sum(what: str, levels: Sequence[str]) -> ZeroSum:
    """The covariances of effects that sum to zero.

    Raises
    ------
    DataError
        Where there are fewer than two levels.
    """
    n = len(levels)
    if n < 2:
        raise DataError(f"Effects that sum to zero need two levels or more, and '{what}' has {n}.")
    return ZeroSum(tuple(levels), np.eye(n) - 1.0 / n, np.arange(n))


def known_covariance(given: Any, name: str, what: str, levels: Sequence[str]) -> KnownCovariance:
    """Check a user's matrix, and find the levels in it.

    Parameters
    ----------
    given : DataFrame or ndarray
    name, what : str
        Of the matrix and of the factor, for messages.
    levels : sequence of str
        Names of the model's levels.

    Raises
    ------
    DataError
        For what is no covariance matrix of these levels.
    """
    if isinstance(given, pd.DataFrame):
        names = _names(given.index, f"the index of '{name}'")
        columns = _names(given.columns, f"the columns of '{name}'")
        if sorted(names) != sorted(columns):
            raise DataError(f"'{name}': index and columns must have the same levels{_difference(names, columns)}.")
        order = {column: place for place, column in enumerate(columns)}
        matrix = _numbers(given.to_numpy(), name)[:, [order[own] for own in names]]
        places = positions_among(levels, names, what)
        if missing := [level for level, place in zip(levels, places, strict=True) if place < 0]:
            raise DataError(
                f"'{name}' does not know the level{'s' * (len(missing) > 1)} {_listed(missing)} of '{what}'. Its own "
                f"are {_listed(names)}."
            )
    else:
        if not isinstance(given, np.ndarray):
            raise DataTypeError(f"'{name}' is a covariance matrix: a DataFrame or a NumPy array, not {shown(given)}.")
        matrix, names, places = _numbers(given, name), tuple(levels), list(range(len(levels)))
    if fault := fault_of(matrix):
        raise DataError(f"'{name}' {fault}{_remedy(fault, name, len(matrix))}")
    if len(matrix) != len(names):
        raise DataError(
            f"'{name}' has {len(matrix)} rows, and '{what}' has {len(levels)} levels: {_listed(levels)}. An array has "
            "the levels of the data in this order; a DataFrame with levels for index and columns may have more of them."
        )
    return KnownCovariance(names, matrix, np.array(places, dtype=np.int64))


def _names(index: pd.Index, what: str) -> tuple[str, ...]:
    if isinstance(index, pd.MultiIndex):
        raise DataError(f"{what[0].upper()}{what[1:]} has several parts: join them, as in 'a:b', the names of levels.")
    names = tuple(level_name(level) for level in python_levels(index, what))
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise DataError(f"'{twice}' is there twice in {what}.")
    return names


def _numbers(values: Any, name: str) -> FloatArray:
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not values.size:
        raise DataError(f"'{name}' has shape {values.shape}, and a covariance matrix is square.")
    try:
        matrix = np.array(values, dtype=float if values.dtype.kind in "biufO" else None)
    except (TypeError, ValueError):
        matrix = np.empty(0, dtype=object)
    if matrix.dtype.kind != "f":
        raise DataError(f"'{name}' holds something other than real numbers.")
    return matrix


def fault_of(matrix: FloatArray) -> str:
    """Why it is no covariance matrix, to follow its name; empty where it is one. Makes even what rounding has left."""
    if not np.isfinite(matrix).all():
        return "has entries that are not finite numbers."
    apart = np.abs(matrix - matrix.T)
    if apart.max() > SYMMETRIC * np.abs(matrix).max():
        row, column = np.unravel_index(np.argmax(apart), apart.shape)
        return (
            f"is not symmetric: {matrix[row, column]:g} in row {row}, column {column}, and {matrix[column, row]:g} on "
            "the other side of its diagonal."
        )
    matrix[:] = 0.5 * (matrix + matrix.T)
    if (np.diag(matrix) <= 0.0).any():
        return f"is no covariance matrix: {np.diag(matrix).min():g} is on its diagonal."
    sds = np.sqrt(np.diag(matrix))
    try:
        left = np.diag(np.linalg.cholesky(matrix / np.outer(sds, sds))) ** 2
    except np.linalg.LinAlgError:
        left = np.zeros(1)
    if left.min() < LEAST_SHARE:
        return f"{_INDEFINITE}: its smallest eigenvalue is {float(np.linalg.eigvalsh(matrix)[0]):.3g}."
    return ""


_INDEFINITE = "is not positive definite"


def _remedy(fault: str, name: str, size: int) -> str:
    if not fault.startswith(_INDEFINITE):
        return ""
    return (
        " Where some levels give another one exactly, as twins do, make one level of them, or add a little to the "
        f"diagonal: {name} + 1e-6 * np.eye({size})."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _difference(names: Sequence[str], columns: Sequence[str]) -> str:
    only = sorted(set(names) ^ set(columns))
    return f", and '{only[0]}' is in one of them only" if only else ""
