"""What families of several columns share: checks of a response, the softmax of predictors with a reference."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._numba import inner
from nutslite.exceptions import DataError
from nutslite.formula.records import Response

FloatArray = NDArray[np.float64]


@inner
def log_shares(eta, varies, i, out):
    """Overwrite `out` (K,) with the log softmax of 0 and the first K - 1 rows of `eta` at data row i.

    It is nan where one of these is not finite.
    """
    k = out.shape[0]
    largest = 0.0
    finite = True
    out[0] = 0.0
    for j in range(1, k):
        x = eta[j - 1, i if varies[j - 1] == 1 else 0]
        finite = finite and abs(x) < np.inf
        largest = max(largest, x)
        out[j] = x
    total = 0.0
    for j in range(k):
        total += np.exp(out[j] - largest)
    log_total = largest + np.log(total) if finite else np.nan
    for j in range(k):
        out[j] -= log_total


def softmax(eta: FloatArray) -> FloatArray:
    """Probabilities (..., K) from predictors (..., K - 1), that of the first being 0."""
    every = np.concatenate([np.zeros((*eta.shape[:-1], 1)), eta], axis=-1)
    every -= every.max(axis=-1, keepdims=True)
    np.exp(every, out=every)
    return np.asarray(every / every.sum(axis=-1, keepdims=True))


def check_counts_of_columns(response: Response, family: str) -> None:
    """Accept ``counts(a, b, c)``, some of whose rows count something.

    Raises
    ------
    DataError
    """
    if response.kind != "counts":
        raise DataError(_needs(response, family, "counts", "whole numbers: how often each outcome came"))
    if not response.own.any():
        raise DataError(f"The counts '{response.name}' are all 0: nothing is observed.")


def check_shares(response: Response, family: str) -> None:
    """Accept ``shares(a, b, c)`` without zeros.

    Raises
    ------
    DataError
    """
    if response.kind != "shares":
        raise DataError(_needs(response, family, "shares", "parts of a whole, which add up to one"))
    zero = response.own <= 0.0
    if zero.any():
        column, row = (int(place) for place in np.argwhere(zero)[0])
        raise DataError(
            f"The share '{response.columns[column]}' is 0 in {int(zero[column].sum())} rows, first in row {row} of "
            f"those used, where family '{family}' has no density. Where zeros are smaller than what was measured, put "
            "a small share in their place and divide by the sum; of whole numbers write counts(...)."
        )


def _needs(response: Response, family: str, form: str, what: str) -> str:
    now = f"{len(response.columns)} columns of {response.kind}" if response.columns else response.kind
    return (
        f"Family '{family}' needs several columns of {what}, but the response '{response.name}' is {now}: write "
        f"{form}(a, b, c) ~ ..."
    )


def dims_of(response: Response) -> dict[str, Any]:
    """What families of several columns are bound to: the dimension of the response."""
    return {"response_dim": (f"{response.name}_dim", response.columns)}
