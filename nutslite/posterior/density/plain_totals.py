"""`plain` where only sums of log likelihoods are wanted, and the family has a way to these without derivatives.

For proposals over data on an engine, where nothing but a density's price counts. Rows come in blocks so small that
their columns stay in the nearest cache while all positions are gone through.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from nutslite._addresses import caller_of
from nutslite._numba import MATRIX, VECTOR, kernel_with_signature, without_dispatch
from nutslite.families.record.family import TOTAL
from nutslite.posterior.density.predictor import fill_common
from nutslite.posterior.record.head import constrain_head
from nutslite.posterior.record.model_data import MODEL_REFERENCE, VARIES, ModelData
from nutslite.sampler.transition.compiling import uncounted

NUMBERS_AT_ONCE = 3072  # of a block of rows: 24 kilobytes
FEWEST_ROWS, MOST_ROWS = 64, 512

total_at = caller_of(TOTAL)
"""For compiled code: the total at an address."""


def has_totals(model: ModelData) -> bool:
    """Whether `plain_totals` serves a plain model, given a family that has a total."""
    return model.weights.size == 0 and bool(np.all(model.predictors[:, VARIES] == 1))


@functools.cache
def compiled_plain_totals() -> Callable[..., None]:
    """`plain_totals` for the one type of data that all models have."""
    signature = types.void(MATRIX, MODEL_REFERENCE, types.int64, VECTOR)
    return without_dispatch(kernel_with_signature(plain_totals, signature), signature)


def plain_totals(positions: Any, model: Any, address: Any, out: Any) -> None:
    """Overwrite `out` (m,) with the log likelihood of positions (m, dimension): no prior, no Jacobian.

    `address` is that of the family's total.
    """
    total = total_at(address)
    m, n = positions.shape[0], model.y.shape[1]
    values = np.empty((m, model.head.transforms.shape[0] + model.head.fixed.shape[0]))
    for i in range(m):
        constrain_head(positions[i], model.head, values[i])
        out[i] = 0.0
    columns = model.matrix.shape[0] + model.y.shape[0] + 1
    width = min(n, min(MOST_ROWS, max(FEWEST_ROWS, NUMBERS_AT_ONCE // columns)))
    eta = np.empty((model.predictors.shape[0], width))
    for start in range(0, n, width):
        rows = min(width, n - start)
        _add_rows(model, total, values, start, rows, eta, out)


@uncounted
def _add_rows(model, total, values, start, rows, eta, out):
    """Add what one block of rows gives at all positions."""
    for i in range(values.shape[0]):
        fill_common(model, values[i], start, rows, eta)
        out[i] += total(model.y, start, rows, eta)
