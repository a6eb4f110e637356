"""Predictions of rows as if each had been left out of the data, from draws of one posterior that has seen them all.

A draw of the posterior counts for a row as ``1 / p(y_i | theta)``, smoothed by a Pareto tail (PSIS): Vehtari, Gelman
and Gabry (2017), Statistics and Computing 27:1413-1432. A draw of an approximation q counts as ``p(theta, y) / q(theta)
/ p(y_i | theta)``, all of which is smoothed at once: Magnusson, Andersen, Jonasson and Vehtari (2019), ICML, equation 5
(arXiv:1904.10679).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite._pareto import largest_shape, smoothed
from nutslite.exceptions import DataError
from nutslite.scores.numerics.checks import numbers
from nutslite.scores.numerics.effective_size import effective_size, split_chains

FloatArray = NDArray[np.float64]

SHOWN_ROWS = 5
FEWEST_DRAWS = 4  # of a chain, from which autocorrelations are known
AT_ONCE = 1 << 21  # numbers whose autocorrelations are computed at a time


class LeftOut(NamedTuple):
    """What leaving out each row makes of draws.

    Attributes
    ----------
    weights : ndarray, shape (S, n)
        Of draws, for each row; they add up to one.
    khat : ndarray, shape (n,)
        Shape of the tail of the weights before they were smoothed: the larger, the less they can be relied on.
    efficiency : ndarray, shape (n,)
        Effective draws for each draw, of the mean density of each row.
    """

    weights: FloatArray
    khat: FloatArray
    efficiency: FloatArray

    @property
    def limit(self) -> float:
        """The k-hat up to which weights of so many draws may be used."""
        return largest_shape(self.weights.shape[0])

    @property
    def bad(self) -> NDArray[np.int64]:
        """Rows whose weights may not."""
        return np.flatnonzero(self.khat > self.limit)


@public
def leave_one_out(log_likelihood: Any, log_ratios: Any = None) -> LeftOut:
    """Weights that make of draws those of the posteriors without each row, and k-hat of each row.

    Of posterior draws they are ``1 / p(y_i | theta)``; of draws of an approximation q, as R's
    loo_approximate_posterior has it, ``p(theta, y) / q(theta) / p(y_i | theta)``.

    The tail has ``min(S/5, 3 sqrt(S/r))`` weights, r the effective draws for each draw. Where chains are known it is
    estimated from the densities ``p(y_i | theta)`` of each row (Vehtari, Gelman and Gabry 2017, section 2.1; R's loo
    does the same); draws without chains are taken for independent ones.

    Pareto-smoothed: Vehtari, Simpson, Gelman, Yao and Gabry (2024), JMLR 25(72); of approximations Magnusson, Andersen,
    Jonasson and Vehtari (2019), ICML, eq. 5.

    Parameters
    ----------
    log_likelihood : array_like, shape (chains, draws, n) or (S, n)
        Of each row given each draw.
    log_ratios : array_like, shape (chains, draws) or (S,), optional
        Of independent draws of an approximation: log density of the posterior, not normalised, less that of the
        approximation; ``sample_stats.lp - sample_stats.log_q`` of fits whose draws are left as they are.

    Returns
    -------
    LeftOut

    Raises
    ------
    DataError
        For other shapes, and for nan.

    Notes
    -----
    Rows whose k-hat is above ``min(1 - 1/log10(S), 0.7)`` are likely to have scores that are too good.

    Examples
    --------
    >>> import numpy as np
    >>> found = leave_one_out(np.random.default_rng(1).normal(size=(1000, 2)))
    >>> found.weights.sum(axis=0), found.bad
    (array([1., 1.]), array([], dtype=int64))
    """
    values = numbers("log_likelihood", log_likelihood, "no nan")
    if values.ndim not in (2, 3) or 0 in values.shape:
        raise DataError(
            "log_likelihood has shape (draws, rows) or (chains, draws, rows), at least one of each; "
            f"not {values.shape}."
        )
    joint = _joint_ratios(log_ratios, values.shape[:-1])
    efficiency = relative_efficiency(values) if log_ratios is None else np.ones(values.shape[-1])
    values = values.reshape(-1, values.shape[-1])
    weights, khat = np.empty(values.shape), np.empty(values.shape[1])
    for row in range(values.shape[1]):
        ratios = joint - values[:, row]
        if not np.all(np.isfinite(ratios)):  # some draws hold the row impossible: they would have all the weight
            weights[:, row], khat[row] = 1.0 / ratios.size, np.inf
            continue
        logs, khat[row] = smoothed(ratios, float(efficiency[row]))
        weights[:, row] = np.exp(logs)
    weights /= weights.sum(axis=0)
    return LeftOut(weights, khat, efficiency)


def _joint_ratios(given: Any, shape: tuple[int, ...]) -> FloatArray:
    """Logarithms of ratios (S,), zeros where there are none given.

    Raises
    ------
    DataError
        Where they are not one number a draw.
    """
    if given is None:
        return np.zeros(int(np.prod(shape)))
    ratios = numbers("log_ratios", given)
    if ratios.shape != shape:
        raise DataError(f"log_ratios are one number a draw, of which there are {shape}; their shape is {ratios.shape}.")
    return ratios.ravel()


def relative_efficiency(log_likelihood: FloatArray) -> FloatArray:
    """Effective draws for each draw of the mean density of each row, shape (n,).

    Parameters
    ----------
    log_likelihood : ndarray, shape (chains, draws, n) or (S, n)
        Of draws without chains, or of fewer than four a chain, the efficiency is 1.
    """
    n = log_likelihood.shape[-1]
    found = np.ones(n)
    if log_likelihood.ndim < 3 or log_likelihood.shape[1] < FEWEST_DRAWS:
        return found
    total = log_likelihood.shape[0] * log_likelihood.shape[1]
    step = max(1, AT_ONCE // total)
    for start in range(0, n, step):
        part = np.moveaxis(log_likelihood[..., start : start + step], -1, 0)
        largest = part.max(axis=(1, 2), keepdims=True)
        with np.errstate(over="ignore", invalid="ignore"):
            densities = np.exp(part - np.where(np.isfinite(largest), largest, 0.0))
            sizes = effective_size(split_chains(densities))
        found[start : start + step] = np.where(np.isfinite(sizes), sizes / total, 1.0)
    return found


def said_of(khat: FloatArray, limit: float, labels: Any = None) -> str:
    """A sentence about rows with a k-hat above the limit; empty where there are none."""
    bad = np.flatnonzero(khat > limit)
    if bad.size == 0:
        return ""
    worst = bad[np.argsort(-khat[bad])][:SHOWN_ROWS]
    names = ", ".join(str(row if labels is None else labels[row]) for row in worst)
    more = ", ..." if bad.size > SHOWN_ROWS else ""
    rows = f"{bad.size} of {khat.size} rows (row{'s' * (bad.size > 1)} {names}{more})"
    return (
        f"Leaving out single rows by importance sampling cannot be relied on in {rows}: k-hat is above {limit:.2f}, "
        f"{khat[worst[0]]:.2f} at most. Their scores, and sums of them, are likely to be too good."
    )
