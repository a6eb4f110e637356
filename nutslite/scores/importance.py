"""Predictions of rows as if each had been left out of the data, from draws of one posterior that has seen them all.

A draw of the posterior counts for a row as ``1 / p(y_i | theta)``, smoothed by a Pareto tail (PSIS): Vehtari, Gelman
and Gabry (2017), Statistics and Computing 27:1413-1432.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite._pareto import largest_shape, smoothed
from nutslite.exceptions import DataError
from nutslite.scores.numerics.checks import numbers

FloatArray = NDArray[np.float64]

SHOWN_ROWS = 5


class LeftOut(NamedTuple):
    """What leaving out each row makes of draws.

    Attributes
    ----------
    weights : ndarray, shape (S, n)
        Of draws, for each row; they add up to one.
    khat : ndarray, shape (n,)
        Shape of the tail of the weights before they were smoothed: the larger, the less they can be relied on.
    """

    weights: FloatArray
    khat: FloatArray

    @property
    def limit(self) -> float:
        """The k-hat up to which weights of so many draws may be used."""
        return largest_shape(self.weights.shape[0])

    @property
    def bad(self) -> NDArray[np.int64]:
        """Rows whose weights may not."""
        return np.flatnonzero(self.khat > self.limit)


@public
def leave_one_out(log_likelihood: Any) -> LeftOut:
    """Weights that make of posterior draws those of the posteriors without each row, and k-hat of each row.

    The tail has ``min(S/5, 3 sqrt(S))`` weights, as for draws that do not depend on each other.

    Parameters
    ----------
    log_likelihood : array_like, shape (S, n) or (chains, draws, n)
        Of each row given each draw.

    Returns
    -------
    LeftOut

    Raises
    ------
    DataError
        For other shapes, and for nan.
    """
    values = numbers("log_likelihood", log_likelihood, "no nan")
    if values.ndim not in (2, 3) or 0 in values.shape:
        raise DataError(
            "log_likelihood has shape (draws, rows) or (chains, draws, rows), at least one of each; "
            f"not {values.shape}."
        )
    values = values.reshape(-1, values.shape[-1])
    weights, khat = np.empty(values.shape), np.empty(values.shape[1])
    for row in range(values.shape[1]):
        ratios = -values[:, row]
        if not np.all(np.isfinite(ratios)):  # some draws hold the row impossible: they would have all the weight
            weights[:, row], khat[row] = 1.0 / ratios.size, np.inf
            continue
        logs, khat[row] = smoothed(ratios)
        weights[:, row] = np.exp(logs)
    return LeftOut(weights / weights.sum(axis=0), khat)


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
