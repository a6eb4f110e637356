"""The log density of any elementwise prior, by integer code: the functions that the joint density calls.

The formulas are in densities_real.py, densities_positive.py and densities_bounded.py, the names in catalogue.py.
Densities are passed to kernels by address (`density_at` makes a function pointer of it): thirty formulas compiled once,
not once more in each caller; and a model that has only the usual priors never compiles the others (`density_function`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numba import types

from nutslite._addresses import address_of, caller_of
from nutslite._numba import VECTOR, jit_disabled, kernel, uncounted_kernel
from nutslite.priors.densities import codes
from nutslite.priors.densities.bounded import beta as beta_density
from nutslite.priors.densities.bounded import bounded_log_density_gradient
from nutslite.priors.densities.catalogue import DENSITIES
from nutslite.priors.densities.positive import exponential as exponential_density
from nutslite.priors.densities.positive import gamma as gamma_density
from nutslite.priors.densities.positive import half_location_scale, half_student_t, positive_log_density_gradient
from nutslite.priors.densities.real import location_scale, real_log_density_gradient, student_t

__all__ = [
    "DENSITIES",
    "DENSITY",
    "density_address",
    "density_at",
    "density_function",
    "log_density",
    "log_density_gradient",
]

DENSITY = types.FunctionType(
    types.float64(types.int64, types.float64, types.float64, types.float64, types.float64, types.float64, VECTOR)
)
"""Type of a pointer to `log_density_gradient`."""

density_at = caller_of(DENSITY)
"""For compiled code: the density at an address."""


@uncounted_kernel
def log_density_gradient(code, x, a, b, c, d, out):
    """Normalised log density at `x` of the density `code` with the arguments `a` to `d` in canonical order.

    Parameters
    ----------
    code : int
        One of `nutslite.priors.densities.codes`, constant over the caller's loop. With `codes.BETWEEN` added it is
        that density between bounds, and `d` the logarithm of its probability between them; x must be there.
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
    log_mass = 0.0
    if code >= codes.BETWEEN:
        code -= codes.BETWEEN
        log_mass = d
        out[4] = -1.0
    if code < codes.FIRST_POSITIVE:
        return real_log_density_gradient(code, x, a, b, c, d, out) - log_mass
    if code < codes.FIRST_BOUNDED:
        return positive_log_density_gradient(code, x, a, b, c, out) - log_mass
    return bounded_log_density_gradient(code, x, a, b, c, d, out) - log_mass


NORMAL = (codes.FLAT, codes.NORMAL, codes.HALF_FLAT, codes.HALF_NORMAL)
"""All that most models without auxiliary parameters have."""


@uncounted_kernel
def normal_log_density_gradient(code, x, a, b, c, d, out):
    """`log_density_gradient` for the codes in `NORMAL` only; nan for others."""
    for i in range(5):
        out[i] = 0.0
    if code == codes.NORMAL:
        return location_scale(codes.NORMAL, x, a, b, out)
    if code == codes.FLAT:
        return 0.0
    if not x >= 0.0:
        return -np.inf
    if code == codes.HALF_NORMAL:
        return half_location_scale(codes.NORMAL, x, a, out)
    return 0.0 if code == codes.HALF_FLAT else np.nan


USUAL = (
    codes.FLAT,
    codes.NORMAL,
    codes.CAUCHY,
    codes.STUDENT_T,
    codes.HALF_FLAT,
    codes.HALF_NORMAL,
    codes.HALF_STUDENT_T,
    codes.HALF_CAUCHY,
    codes.EXPONENTIAL,
    codes.GAMMA,
    codes.BETA,
)
"""Densities of default priors and the most common others."""


@uncounted_kernel
def usual_log_density_gradient(code, x, a, b, c, d, out):
    """`log_density_gradient` for the codes in `USUAL` only; nan for others."""
    for i in range(5):
        out[i] = 0.0
    if code == codes.NORMAL or code == codes.CAUCHY:
        return location_scale(code, x, a, b, out)
    if code == codes.STUDENT_T:
        return student_t(x, a, b, c, out)
    if code == codes.FLAT:
        return 0.0
    if code == codes.BETA:
        return beta_density(x, a, b, out) if 0.0 < x < 1.0 else -np.inf
    if code == codes.GAMMA:
        return gamma_density(x, a, b, out) if x > 0.0 else -np.inf
    if not x >= 0.0:
        return -np.inf
    if code == codes.HALF_NORMAL:
        return half_location_scale(codes.NORMAL, x, a, out)
    if code == codes.HALF_STUDENT_T:
        return half_student_t(x, a, b, out)
    if code == codes.HALF_CAUCHY:
        return half_location_scale(codes.CAUCHY, x, a, out)
    if code == codes.EXPONENTIAL:
        return exponential_density(x, a, out)
    return 0.0 if code == codes.HALF_FLAT else np.nan


@functools.cache
def density_address(density: Callable[..., float]) -> Any:
    """What `density_at` takes."""
    return address_of(density, DENSITY)


def density_function(used: Iterable[int]) -> Callable[..., float]:
    """The smallest density function that knows all codes in `used`, compiled for the type `DENSITY`."""
    known = set(used)
    function = log_density_gradient
    if known <= set(NORMAL):
        function = normal_log_density_gradient
    elif known <= set(USUAL):
        function = usual_log_density_gradient
    if not jit_disabled():
        function.compile(DENSITY.signature)  # type: ignore[attr-defined]
    return function


@kernel
def log_density(code, x, a, b, c, d):
    """Like `log_density_gradient`, the value only."""
    return log_density_gradient(code, x, a, b, c, d, np.empty(5))
