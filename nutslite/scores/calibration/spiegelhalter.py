"""One number for the calibration of probabilities, and its p-value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nutslite._calls import public
from nutslite.scores.calibration.calibration_error import binary_rows


@public
def spiegelhalter(y: Any, p: Any) -> tuple[float, float]:
    """Spiegelhalter's Z and its two-sided p-value: one number for the calibration of probabilities.

    ``Z = sum (y - p)(1 - 2p) / sqrt(sum (1 - 2p)^2 p (1 - p))``, about standard normal if probabilities are right
    (Spiegelhalter 1986, Statistics in Medicine 5:421-433). Positive: more extreme than what comes.

    Parameters
    ----------
    y, p : array_like, shape (n,)

    Returns
    -------
    z, p_value : float
        nan where all probabilities are 0, 1/2 or 1, of which it says nothing.

    Notes
    -----
    It sees probabilities that are too extreme, or not enough; a bias at probabilities about a half it does not see.

    Examples
    --------
    >>> z, p_value = spiegelhalter([1, 1, 0, 0], [0.8, 0.9, 0.2, 0.1])
    >>> round(z, 4)
    -0.8333
    """
    y, p = binary_rows(y, p)
    variance = float(np.sum((1.0 - 2.0 * p) ** 2 * p * (1.0 - p)))
    if variance == 0.0:
        return math.nan, math.nan
    z = float(np.sum((y - p) * (1.0 - 2.0 * p))) / math.sqrt(variance)
    return z, math.erfc(abs(z) / math.sqrt(2.0))
