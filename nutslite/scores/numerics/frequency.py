"""Half the mean absolute difference of two independent copies of a variable, from its characteristic function.

For X on whole numbers (Fejer's kernel, t = 2 arctan s) and for any X with a mean, ``E|X - X'| / 2`` is

    1/(2 pi) int_0^pi (1 - |phi(t)|^2) / (1 - cos t) dt = 1/(2 pi) int_0^inf (1 - |phi(2 arctan s)|^2) / s^2 ds,
    1/pi int_0^inf (1 - |phi(t)|^2) / t^2 dt.

In w = log s both integrands fall off exponentially at both ends and are analytic in a strip, so that the trapezoid rule
has an error of about exp(-2 pi (pi/4) / step): rounding, at the step taken here. Counts of a million cost what small
ones cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

STEP = 0.125
BELOW, ABOVE = 40.0, 80.0  # e-folds below and above the centre, where the integrand is below rounding
ROWS_AT_ONCE = 512


def half_mean_difference(
    log_square: Callable[..., FloatArray], centre: FloatArray, *parameters: FloatArray, whole: bool = False
) -> FloatArray:
    """``E|X - X'| / 2``.

    Parameters
    ----------
    log_square : callable
        ``log |phi|^2`` of (argument, *parameters), broadcast. The argument is the frequency t, or ``4 s^2 / (1 +
        s^2)``, which is ``2 (1 - cos t)``, where `whole`.
    centre : ndarray, shape (n,)
        Frequency at which ``|phi|^2`` begins to fall: about one over the standard deviation.
    *parameters : ndarray, shape (n,)
    whole : bool
        Whether X is a whole number.

    Returns
    -------
    ndarray, shape (n,)
    """
    steps = np.arange(-BELOW, ABOVE + STEP, STEP)[:, None]
    out = np.empty(centre.size)
    with np.errstate(all="ignore"):
        for start in range(0, centre.size, ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            s = np.exp(steps + np.log(centre[part]))
            argument = 4.0 / (1.0 + 1.0 / (s * s)) if whole else s
            values = -np.expm1(log_square(argument, *(parameter[part] for parameter in parameters))) / s
            out[part] = values.sum(axis=0) * STEP
    return out / (2.0 * math.pi if whole else math.pi)
