"""Negative log predictive density, from log densities given draws of parameters.

No density is ever estimated from predictive draws: kernel estimates make a poor log score (Krueger, Lerch,
Thorarinsdottir and Gneiting 2021, International Statistical Review 89:274). The log density of the observation given
each draw of the parameters, averaged, is exact but for Monte Carlo error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, DataError, warn
from nutslite.scores.numerics.checks import as_floats, numbers, weights_of

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

FEW_EFFECTIVE = 10.0  # effective draws behind a joint density, below which it is hardly known


@public
def nll(log_density: Any, weights: Any = None) -> FloatArray:
    """Negative log predictive density ``-log sum_s w_s p(y | theta_s)``.

    Parameters
    ----------
    log_density : array_like, shape (S, ...)
        ``log p(y | theta_s)`` of the observations for each draw of the parameters, such as ArviZ's group
        ``log_likelihood`` with chains and draws joined. Minus infinity is a density of zero.
    weights : array_like, shape (S,) or (S, ...), optional
        Weights of draws; they need not add up to one. Equal ones by default.

    Returns
    -------
    ndarray, shape (...)
        Lower is better.

    Raises
    ------
    DataError
        Where a log density is nan, or weights do not fit.

    Notes
    -----
    Krueger et al. (2021), section 3.1, "mixture of parameters". The largest term is taken out, so that nothing
    underflows.

    Of a density it depends on the unit of y: only differences between forecasts of the same y mean something. Rows that
    a posterior has seen get too good a score: `leave_one_out`.

    Examples
    --------
    >>> nll([[-1.0], [-3.0]]).round(4)  # -log((e^-1 + e^-3) / 2)
    array([1.5662])
    """
    values, share = _checked(log_density, weights)
    return -log_mean_exp(values, share)


@public
def nll_error(log_density: Any, weights: Any = None, effective: float | None = None) -> FloatArray:
    """Monte Carlo standard error of `nll`, by the delta method: ``sd_s(p_s / mean p) / sqrt(ESS)``.

    The delta method of a logarithm: Oehlert (1992), The American Statistician 46:27-29.

    Parameters
    ----------
    log_density, weights
        As for `nll`.
    effective : float, optional
        The effective number of draws; by default the number of draws, or what weights leave of it.

    Returns
    -------
    ndarray, shape (...)
        nan where the density is zero for all draws.

    Notes
    -----
    Few draws that hold a row likely make the error itself unsure: k-hat of `leave_one_out` says where.

    Examples
    --------
    >>> nll_error([[-1.0], [-3.0]]).round(3)
    array([0.539])
    """
    values, share = _checked(log_density, weights)
    if effective is not None and not effective > 0:
        raise ArgumentError(f"effective is the effective number of draws, above 0; not {effective!r}.")
    with np.errstate(invalid="ignore"):
        relative = np.exp(values - log_mean_exp(values, share))
    share = np.full((values.shape[0], *[1] * (values.ndim - 1)), 1.0 / values.shape[0]) if share is None else share
    variance = np.sum(share * (relative - 1.0) ** 2, axis=0)
    squares = np.sum(np.broadcast_to(share, values.shape) ** 2, axis=0)
    return np.sqrt(variance * (squares if effective is None else 1.0 / effective))


@public
def joint_nll(log_density: Any, groups: Any, weights: Any = None) -> tuple[NDArray[Any], FloatArray]:
    """Negative log predictive density of all rows of a group at once: ``-log sum_s w_s prod_i p(y_i | theta_s)``.

    It judges whether a model knows how the rows of a group hang together, which sums over rows do not (Merkle, Furr and
    Rabe-Hesketh 2019). For a new group theta_s includes freshly drawn effects of it, and many draws are needed: a
    warning says where fewer than ten effective ones are left.

    Parameters
    ----------
    log_density : array_like, shape (S, n)
    groups : array_like, shape (n,)
        Which group a row belongs to.
    weights : array_like, shape (S,), optional

    Returns
    -------
    levels : ndarray, shape (G,)
        The groups, sorted.
    values : ndarray, shape (G,)

    Examples
    --------
    >>> joint_nll([[-1.0, -1.0, -2.0]] * 20, ["a", "a", "b"])
    (array(['a', 'b'], dtype='<U1'), array([2., 2.]))
    """
    values, share = _checked(log_density, weights)
    labels = np.asarray(groups)
    if values.ndim != 2 or labels.shape != values.shape[1:]:
        raise DataError(f"groups have shape {labels.shape}, log densities {values.shape}: one group for each column.")
    if share is not None and share.shape[1:] != (1,):
        raise DataError("Weights of a joint density are one a draw: the rows of a group share them.")
    levels, codes = np.unique(labels, return_inverse=True)
    return levels, _joint(values, share, levels, codes)


def joint_nll_of(log_density: Any, levels: NDArray[Any], codes: IndexArray, weights: Any = None) -> FloatArray:
    """`joint_nll` of groups whose levels, in their own order, and codes are known."""
    return _joint(*_checked(log_density, weights), levels, codes)


def _joint(values: FloatArray, share: FloatArray | None, levels: NDArray[Any], codes: IndexArray) -> FloatArray:
    sums = np.zeros((values.shape[0], levels.size))
    np.add.at(sums.T, codes, values.T)
    found = log_mean_exp(sums, share)
    with np.errstate(invalid="ignore"):
        relative = np.exp(sums - sums.max(axis=0)) * (1.0 if share is None else share)
        effective = relative.sum(axis=0) ** 2 / np.sum(relative**2, axis=0)
    few = effective < FEW_EFFECTIVE
    if few.any():
        warn(
            f"The joint density of {int(few.sum())} of {levels.size} groups rests on fewer than {FEW_EFFECTIVE:.0f} "
            f"effective draws (group {levels[np.nanargmin(effective)]}: {np.nanmin(effective):.1f}). Take more draws."
        )
    return np.asarray(-found)


def log_mean_exp(values: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """``log sum_s w_s exp(values_s)`` over the first axis; weights add up to one, None is equal ones."""
    largest = values.max(axis=0)
    shift = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore", over="ignore"):
        terms = np.exp(values - shift)
        mean = terms.mean(axis=0) if weights is None else np.sum(weights * terms, axis=0)
        return np.where(largest == np.inf, np.inf, shift + np.log(mean))


def _checked(log_density: Any, weights: Any) -> tuple[FloatArray, FloatArray | None]:
    values = numbers("log_density", as_floats("log_density", log_density), "no nan")
    if values.ndim == 0 or values.shape[0] == 0:
        raise DataError("log_density has draws in its first axis; it is a single number or empty.")
    return values, weights_of(weights, values.shape)
