"""The log density of any elementwise prior, by integer code: the functions that the joint density calls.

The formulas are in densities_real.py, densities_positive.py and densities_bounded.py, the names in catalogue.py.
"""

from __future__ import annotations

import numpy as np

from nutslite._numba import kernel
from nutslite.priors import codes
from nutslite.priors.catalogue import DENSITIES
from nutslite.priors.densities_bounded import bounded_log_density_gradient
from nutslite.priors.densities_positive import positive_log_density_gradient
from nutslite.priors.densities_real import real_log_density_gradient

__all__ = ["DENSITIES", "log_density", "log_density_gradient"]


@kernel
def log_density_gradient(code, x, a, b, c, d, out):
    """Normalised log density at `x` of the density `code` with the arguments `a` to `d` in canonical order.

    Parameters
    ----------
    code : int
        One of `nutslite.priors.codes`, constant over the caller's loop.
    x : float
    a, b, c, d : float
        Arguments; those that the density does not have are not read.
    out : ndarray, shape (5,)
        Overwritten: derivatives with respect to x, a, b, c, d; 0 for unused arguments. Not meaningful where the
        result is not finite.

    Returns
    -------
    float
        -inf outside the support or for arguments outside their range, nan for an unknown code. ``FLAT`` and
        ``HALF_FLAT`` are improper: 0 on their support.
    """
    out[0] = 0.0
    out[1] = 0.0
    out[2] = 0.0
    out[3] = 0.0
    out[4] = 0.0
    if code < codes.FIRST_POSITIVE:
        return real_log_density_gradient(code, x, a, b, c, out)
    if code < codes.FIRST_BOUNDED:
        return positive_log_density_gradient(code, x, a, b, c, out)
    return bounded_log_density_gradient(code, x, a, b, c, d, out)


@kernel
def log_density(code, x, a, b, c, d):
    """Like `log_density_gradient`, the value only."""
    return log_density_gradient(code, x, a, b, c, d, np.empty(5))
