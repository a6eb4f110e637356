"""Whether intervals hold what came, and how wide they are: no scores, but what one looks at first."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.scores.numerics.checks import numbers, together

FloatArray = NDArray[np.float64]


@public
def coverage(y: Any, lower: Any, upper: Any) -> FloatArray:
    """Whether an interval, its ends included, holds the observation: 1 or 0. The mean is the coverage (PICP).

    Neither higher nor lower is better: the mean ought to be the intervals' probability. Of counts it is larger by
    construction, because ends are whole numbers.

    ``1{l <= y <= u}``: Khosravi, Nahavandi, Creighton and Atiya (2011), IEEE Transactions on Neural Networks 22:337,
    eq. 6.

    Parameters
    ----------
    y, lower, upper : array_like, shape (...)

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> coverage([0.0, 3.0, 1.0], [-1.0, -1.0, -1.0], [1.0, 1.0, 1.0])
    array([1., 0., 1.])
    """
    y, lower, upper = together(y=numbers("y", y), lower=numbers("lower", lower), upper=numbers("upper", upper))
    return ((lower <= y) & (y <= upper)).astype(np.float64)


@public
def width(lower: Any, upper: Any) -> FloatArray:
    """Widths of intervals, ``upper - lower``; their mean is the MPIW. Lower is better among those that cover.

    Criteria that multiply coverage and width, such as the CWC, are no proper scores: a forecaster wins by saying what
    it does not believe. The interval score is one.

    Khosravi, Nahavandi, Creighton and Atiya (2011), IEEE Transactions on Neural Networks 22:337, eq. 7.

    Parameters
    ----------
    lower, upper : array_like, shape (...)

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> width([0.0, 1.0], [2.0, 5.0])
    array([2., 4.])
    """
    lower, upper = together(lower=numbers("lower", lower), upper=numbers("upper", upper))
    return upper - lower
