"""Errors of single numbers: they say nothing of uncertainty, and stand last in a report."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.scores.numerics.checks import numbers, together

FloatArray = NDArray[np.float64]


@public
def squared_error(y: Any, mean: Any) -> FloatArray:
    """``(y - mean)^2``, which the mean of a predictive distribution makes smallest; the RMSE is the root of its mean.

    Gneiting (2011), JASA 106:746-762.

    Parameters
    ----------
    y, mean : array_like, shape (...)

    Returns
    -------
    ndarray, shape (...)

    Notes
    -----
    It says nothing of uncertainty.

    Examples
    --------
    >>> squared_error([1.0, 3.0], 2.5)
    array([2.25, 0.25])
    """
    y, mean = together(y=numbers("y", y), mean=numbers("mean", mean))
    return (y - mean) ** 2


@public
def absolute_error(y: Any, median: Any) -> FloatArray:
    """``|y - median|``, which the median of a predictive distribution makes smallest; its mean is the MAE.

    Gneiting (2011), JASA 106:746-762.

    Parameters
    ----------
    y, median : array_like, shape (...)

    Returns
    -------
    ndarray, shape (...)

    Notes
    -----
    Given means of a skewed distribution it is not at its best.

    Examples
    --------
    >>> absolute_error([1.0, 3.0], 2.5)
    array([1.5, 0.5])
    """
    y, median = together(y=numbers("y", y), median=numbers("median", median))
    return np.abs(y - median)
