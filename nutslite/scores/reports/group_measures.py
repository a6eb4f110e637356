"""Are rows of a group off together? Sums over groups of residuals that are about zero where a forecast is right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
CodeArray = NDArray[np.int64]


def between_groups(residuals: FloatArray, variances: FloatArray, weights: FloatArray, groups: CodeArray) -> float:
    """Mean over groups of ``(sum_i w_i z_i)^2 / sum_i w_i^2 v_i``.

    1 if rows are independent given the forecast; ``1 + (n_g - 1) r`` where rows of a group are correlated by r.

    Parameters
    ----------
    residuals, variances : ndarray, shape (n,) or (n, K)
        Residuals z and their variances v under the forecast; squares, and variances, of K classes are added up.
    weights : ndarray, shape (n,)
    groups : ndarray of int, shape (n,)
        Codes 0, ..., G - 1.
    """
    some, squares = _squares(residuals, variances, weights, groups)
    each = (np.bincount(groups, weights) / np.maximum(np.bincount(groups), 1))[some]  # a group drawn twice counts twice
    return float(np.sum(each * squares) / each.sum())


def farthest_group(residuals: FloatArray, variances: FloatArray, weights: FloatArray, groups: CodeArray) -> float:
    """The root of the largest of these squares: how far a group is off, in standard deviations of independent rows."""
    return float(np.sqrt(_squares(residuals, variances, weights, groups)[1].max()))


def _squares(
    residuals: FloatArray, variances: FloatArray, weights: FloatArray, groups: CodeArray
) -> tuple[NDArray[np.bool_], FloatArray]:
    """Which groups have rows that count, and the squares of these."""
    columns, own = residuals.reshape(len(residuals), -1), variances.reshape(len(variances), -1)
    squares = sum(np.bincount(groups, weights * column) ** 2 for column in columns.T)
    expected = np.bincount(groups, weights**2 * own.sum(axis=1))
    some = expected > 0.0
    return some, np.asarray(squares)[some] / expected[some]
