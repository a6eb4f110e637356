"""Sums that moments of discrete Weibull counts are made of; for Python, not for kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_TERMS_OF_SUM = 100  # added one by one; the others are an integral, and what Euler and Maclaurin take from it


def weibull_sum(first: ArrayLike, rate: ArrayLike, power: ArrayLike, *, weighted: bool = False) -> NDArray[np.float64]:
    """Sum of ``exp(-rate k^power)``, or of ``(2 k - 1)`` times these, over whole numbers k from `first`, 1 or more.

    Arrays broadcast. The sum is infinite where the terms do not vanish. Its relative error is below 1e-9 where `power`
    is at most 5, and below 1e-6 up to 20.
    """
    from scipy import special  # only means of one family need it

    first, rate, power = np.broadcast_arrays(*(np.asarray(each, dtype=np.float64) for each in (first, rate, power)))
    with np.errstate(all="ignore"):
        log_rate, shape = np.log(rate), 1.0 / power

        def hazard(k: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.exp(log_rate + power * np.log(k))

        total = np.zeros(rate.shape)
        for step in range(_TERMS_OF_SUM):
            k = first + step
            term = np.exp(-hazard(k)) * (2.0 * k - 1.0 if weighted else 1.0)
            total += term
            if not (term > 1e-18 * total).any():
                return np.where(np.isnan(total) | (rate == 0.0), np.inf, total)
        last = first + _TERMS_OF_SUM
        at_last = hazard(last)

        def integral(degree: float) -> NDArray[np.float64]:
            """Of ``degree t^(degree - 1) exp(-rate t^power)`` from `last` on."""
            log_whole = special.gammaln(1.0 + degree * shape) - degree * shape * log_rate
            return np.exp(log_whole + np.log(special.gammaincc(degree * shape, at_last)))

        fall, rest = -power * at_last / last, integral(1.0)
        value, slope = np.ones_like(last), fall
        if weighted:
            value, slope = 2.0 * last - 1.0, 2.0 + (2.0 * last - 1.0) * fall
            rest = integral(2.0) - rest
        rest += np.exp(-at_last) * (0.5 * value - slope / 12.0)
        total += np.where(np.exp(-at_last) > 0.0, rest, 0.0)
    return np.where(np.isnan(total) | (rate == 0.0), np.inf, total)
