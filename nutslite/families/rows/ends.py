"""Zeros and ones beside shares between them: what densities on the closed unit interval share.

A kernel writes the density of what is between (`beta.fill_rows`) in every row, and then rows at the ends anew: anything
may stand there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.families.rows.checks import check_shares
from nutslite.formula.records import Response

FloatArray = NDArray[np.float64]


def with_logs(values: FloatArray) -> FloatArray:
    """Append ``log(y)`` and ``log(1 - y)``; at the ends those of one half, which a kernel writes over."""
    inside = np.where((values[0] > 0.0) & (values[0] < 1.0), values[0], 0.5)
    return np.vstack([values[0], np.log(inside), np.log1p(-inside)])


def check_between(response: Response, family: str) -> None:
    """Accept numbers from 0 to 1, both included, some of which are between.

    Raises
    ------
    DataError
    """
    check_shares(response, family)
    values = response.values[0]
    if not ((values > 0.0) & (values < 1.0)).any():
        raise DataError(
            f"The response '{response.name}' is 0 or 1 in every row, so that nothing says what family '{family}' is "
            "between them. Use family='bernoulli'."
        )


def or_ends(
    rng: np.random.Generator,
    at_zero: FloatArray,
    at_one: FloatArray,
    draw: Callable[..., FloatArray],
    *parameters: Any,
) -> FloatArray:
    """Zero and one with these probabilities, else ``draw(rng, *parameters)``."""
    at_zero, at_one, *own = np.broadcast_arrays(at_zero, at_one, *parameters)
    drawn = draw(rng, *own)
    place = rng.random(at_zero.shape)
    return np.where(place < at_zero, 0.0, np.where(place >= 1.0 - at_one, 1.0, drawn))
