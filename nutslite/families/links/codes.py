"""The closed set of link functions, by name for people and by integer code for kernels.

``eta = link(theta)`` and ``theta = inverse(eta)``. Kernels call these functions with a code that is constant over
their loop; `link_array` and `inverse_array` are for predictions. ``_relinks.py`` moves linear predictors from the
user's link to the link that a family's kernel is written in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nutslite._numba import inner, kernel
from nutslite._special import expit, log1mexp, logit, ndtr, ndtri, softplus
from nutslite.exceptions import FamilyError, FamilyTypeError, did_you_mean, error_about

IDENTITY, LOG, LOGIT, PROBIT, CLOGLOG, INVERSE, INVERSE_SQUARED, SQRT, SOFTPLUS, CAUCHIT, SOFTMAX = range(11)

CODES: dict[str, int] = {
    "identity": IDENTITY,
    "log": LOG,
    "logit": LOGIT,
    "probit": PROBIT,
    "cloglog": CLOGLOG,
    "inverse": INVERSE,
    "inverse_squared": INVERSE_SQUARED,
    "sqrt": SQRT,
    "softplus": SOFTPLUS,
    "cauchit": CAUCHIT,
    "softmax": SOFTMAX,  # of several predictors together: by itself each stays as it is, the family does the rest
}


@dataclass(frozen=True)
class KnownLink:
    """What is known about a link: its code, where it is defined and where its inverse is.

    Attributes
    ----------
    name : str
    code : int
        What kernels know it by.
    lower, upper : float
        `link` is defined for ``lower < theta < upper``.
    eta_lower : float
        The inverse link is one to one for ``eta > eta_lower``: zero for the links that a linear predictor can leave,
        minus infinity for the others (and for ``identity`` and ``inverse`` of a real parameter).
    """

    name: str
    code: int
    lower: float
    upper: float
    eta_lower: float = -math.inf


LINKS: dict[str, KnownLink] = {
    name: KnownLink(name, CODES[name], lower, upper, eta_lower)
    for name, lower, upper, eta_lower in (
        ("identity", -math.inf, math.inf, -math.inf),
        ("log", 0.0, math.inf, -math.inf),
        ("logit", 0.0, 1.0, -math.inf),
        ("probit", 0.0, 1.0, -math.inf),
        ("cloglog", 0.0, 1.0, -math.inf),
        ("inverse", -math.inf, math.inf, -math.inf),
        ("inverse_squared", 0.0, math.inf, 0.0),
        ("sqrt", 0.0, math.inf, 0.0),
        ("softplus", 0.0, math.inf, -math.inf),
        ("cauchit", 0.0, 1.0, -math.inf),
        ("softmax", -math.inf, math.inf, -math.inf),
    )
}


def is_custom(link: Any) -> bool:
    """Whether a link is one of the user's own (a `Link` with functions), so without a code."""
    return bool(getattr(link, "is_custom", False))


def get_link(name: str) -> KnownLink:
    """Look a link up by name.

    Raises
    ------
    FamilyError
        When there is no such link.
    """
    if name not in LINKS:
        error = error_about(name, str, FamilyError, FamilyTypeError)
        raise error(f"There is no link '{name}'.{did_you_mean(name, LINKS)} Known links: {', '.join(LINKS)}.")
    return LINKS[name]


# Which links `_relinks.relink_rows` can move to the native link of a parameter, by the parameter's support.
RELINKED: dict[str, tuple[str, ...]] = {
    "real": ("identity", "log", "inverse", "softplus", "sqrt"),
    "positive": ("log", "identity", "inverse", "inverse_squared", "sqrt", "softplus", "cloglog"),
    "unit": ("logit", "probit", "cloglog", "cauchit", "identity"),
    "simplex": ("softmax",),
}


# --- natural scale ---------------------------------------------------------------------------------------------------


@kernel
def link(code, theta):
    """``eta`` for a parameter value; nan or infinite outside the link's domain."""
    if code in (IDENTITY, SOFTMAX):
        return theta
    if code == LOG:
        return np.log(theta)
    if code == LOGIT:
        return logit(theta)
    if code == PROBIT:
        return ndtri(theta)
    if code == CLOGLOG:
        return np.log(-np.log1p(-theta))
    if code == INVERSE:
        return 1.0 / theta
    if code == INVERSE_SQUARED:
        return 1.0 / (theta * theta) if theta > 0.0 else math.nan
    if code == SQRT:
        return np.sqrt(theta)
    if code == SOFTPLUS:
        return theta + log1mexp(theta)
    if code == CAUCHIT:
        return _cauchit(theta)
    return math.nan


@kernel
def _cauchit(p):
    """Standard Cauchy quantile, without cancellation in either tail."""
    if not 0.0 < p < 1.0:
        return math.nan
    if p < 0.25:
        return -1.0 / math.tan(math.pi * p)
    if p > 0.75:
        return 1.0 / math.tan(math.pi * (1.0 - p))
    return math.tan(math.pi * (p - 0.5))


@kernel
def inverse(code, eta):
    """The parameter value at ``eta``; nan where the link does not reach."""
    if code in (IDENTITY, SOFTMAX):
        return eta
    if code == LOG:
        return np.exp(eta)
    if code == LOGIT:
        return expit(eta)
    if code == PROBIT:
        return ndtr(eta)
    if code == CLOGLOG:
        return -np.expm1(-np.exp(eta))
    if code == INVERSE:
        return 1.0 / eta
    if code == INVERSE_SQUARED:
        return 1.0 / np.sqrt(eta)
    if code == SQRT:
        return eta * eta if eta >= 0.0 else math.nan
    if code == SOFTPLUS:
        return softplus(eta)
    if code == CAUCHIT:
        return math.atan2(1.0, -eta) / math.pi
    return math.nan


@kernel
def inverse_derivative(code, eta):
    """``d theta / d eta``, the derivative of `inverse`."""
    if code in (IDENTITY, SOFTMAX):
        return 1.0
    if code == LOG:
        return np.exp(eta)
    if code == LOGIT:
        return expit(eta) * expit(-eta)
    if code == PROBIT:
        return np.exp(-0.5 * eta * eta) / math.sqrt(2.0 * math.pi)
    if code == CLOGLOG:
        return np.exp(eta - np.exp(eta)) if eta < 700.0 else 0.0
    if code == INVERSE:
        return -1.0 / (eta * eta)
    if code == INVERSE_SQUARED:
        return -0.5 / (eta * np.sqrt(eta))
    if code == SQRT:
        return 2.0 * eta
    if code == SOFTPLUS:
        return expit(eta)
    if code == CAUCHIT:
        return 1.0 / (math.pi * (1.0 + eta * eta))
    return math.nan


# --- parameters without a linear predictor ---------------------------------------------------------------------------
# They are on native links (`Family.link_codes`), so the other links need not be compiled for them.


def constant_link(code: int, theta: float) -> Any:
    """``eta`` of one number for all rows; nan for links that are not native."""
    if code == IDENTITY:
        return theta
    if code == LOG:
        return np.log(theta)
    return np.log(theta) - np.log1p(-theta) if code == LOGIT else math.nan


def constant_slope(code: int, theta: float) -> Any:
    """``d theta / d eta`` of one number for all rows; nan for links that are not native."""
    if code == IDENTITY:
        return 1.0
    if code == LOG:
        return theta
    return theta * (1.0 - theta) if code == LOGIT else math.nan


inner_constant_link = inner(constant_link)
inner_constant_slope = inner(constant_slope)


# --- arrays ----------------------------------------------------------------------------------------------------------


@kernel
def _fill_link(code, theta, out):
    for i in range(theta.shape[0]):
        out[i] = link(code, theta[i])


@kernel
def _fill_inverse(code, eta, out):
    for i in range(eta.shape[0]):
        out[i] = inverse(code, eta[i])


@kernel
def _fill_derivative(code, eta, out):
    for i in range(eta.shape[0]):
        out[i] = inverse_derivative(code, eta[i])


def _apply(fill: Callable[..., Any], name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64, order="C")
    if name == "identity" and fill is not _fill_derivative:
        return array  # most Gaussian models have no other link, and need not compile any
    out = np.empty_like(array)
    with np.errstate(all="ignore"):
        fill(get_link(name).code, array.reshape(-1), out.reshape(-1))
    return out


def link_array(name: str, theta: ArrayLike) -> NDArray[np.float64]:
    """Linear predictors for parameter values, elementwise, any shape; `name` may be a link of the user's own.

    >>> link_array("logit", [0.5, 0.75]).round(4).tolist()
    [0.0, 1.0986]
    """
    if is_custom(name):
        return np.asarray(name.link(theta), dtype=np.float64)  # type: ignore[attr-defined]
    return _apply(_fill_link, name, theta)


def inverse_array(name: str, eta: ArrayLike) -> NDArray[np.float64]:
    """Parameter values for linear predictors, elementwise, any shape; `name` may be a link of the user's own.

    >>> inverse_array("log", [0.0, 1.0]).round(4).tolist()
    [1.0, 2.7183]
    """
    if is_custom(name):
        return np.asarray(name.linkinv(eta), dtype=np.float64)  # type: ignore[attr-defined]
    return _apply(_fill_inverse, name, eta)


def derivative_array(name: str, eta: ArrayLike) -> NDArray[np.float64]:
    """Derivatives of `inverse_array` by the linear predictor, elementwise, any shape; built-in links only.

    >>> derivative_array("log", [0.0, 1.0]).round(4).tolist()
    [1.0, 2.7183]
    """
    return _apply(_fill_derivative, name, eta)
