"""Numbers with bounds, from numbers without: above a bound, below one, between two.

Source: Stan Reference Manual, "Constraint Transforms".
"""

from __future__ import annotations

import numpy as np

from nutslite._numba import kernel


@kernel
def positive_constrain(u):
    """``x = exp(u)``, and its log-Jacobian u.

    Parameters
    ----------
    u : float

    Returns
    -------
    float, float
    """
    return np.exp(u), u


@kernel
def positive_pull_back(u, adjoint):
    """Derivative by u, log-Jacobian included, from the derivative `adjoint` by x."""
    return adjoint * np.exp(u) + 1.0


@kernel
def positive_unconstrain(x):
    """Inverse of `positive_constrain`."""
    return np.log(x)


@kernel
def lower_constrain(u, lower):
    """``x = lower + exp(u)``, and its log-Jacobian."""
    return lower + np.exp(u), u


@kernel
def lower_pull_back(u, lower, adjoint):
    """Derivative by u, log-Jacobian included, from the derivative `adjoint` by x; `lower` is not needed."""
    return adjoint * np.exp(u) + 1.0


@kernel
def lower_unconstrain(x, lower):
    """Inverse of `lower_constrain`."""
    return np.log(x - lower)


@kernel
def upper_constrain(u, upper):
    """``x = upper - exp(u)``, and its log-Jacobian."""
    return upper - np.exp(u), u


@kernel
def upper_pull_back(u, upper, adjoint):
    """Derivative by u, log-Jacobian included, from the derivative `adjoint` by x; `upper` is not needed."""
    return 1.0 - adjoint * np.exp(u)


@kernel
def upper_unconstrain(x, upper):
    """Inverse of `upper_constrain`."""
    return np.log(upper - x)


@kernel
def interval_constrain(u, lower, upper):
    """``x = lower + (upper - lower) / (1 + exp(-u))``, and its log-Jacobian.

    It is measured from the nearer end, so that neither end loses digits.
    """
    small = np.exp(-abs(u))
    share = small / (1.0 + small)
    width = upper - lower
    log_jacobian = np.log(width) - abs(u) - 2.0 * np.log1p(small)
    if u < 0.0:
        return lower + width * share, log_jacobian
    return upper - width * share, log_jacobian


@kernel
def interval_pull_back(u, lower, upper, adjoint):
    """Derivative by u, log-Jacobian included, from the derivative `adjoint` by x."""
    small = np.exp(-abs(u))
    slope = (upper - lower) * small / (1.0 + small) ** 2
    return adjoint * slope - np.tanh(0.5 * u)


@kernel
def interval_unconstrain(x, lower, upper):
    """Inverse of `interval_constrain`."""
    return np.log(x - lower) - np.log(upper - x)
