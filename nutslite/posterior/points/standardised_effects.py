"""Standardised group effects, as results show them on request: ``1|g_offset`` = (effect - location) / scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.density.block_effects import factors_of
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.head import is_fixed

FloatArray = NDArray[np.float64]


def standardised_effects(
    assembled: Assembled, values: FloatArray, effects: FloatArray
) -> tuple[dict[str, FloatArray], dict[str, tuple[str, ...]]]:
    """Offsets of the non-centred terms whose scale is drawn.

    Parameters
    ----------
    values, effects : ndarray, shape (..., n_values), (..., n_effects)
        Natural-scale draws of the joint model.

    Returns
    -------
    arrays : dict of ndarray, shape (..., *shape of the term)
        By name, ``1|g_offset``. Offsets of correlated effects are as correlated as these, and
        those of levels with a known covariance have it.
    dims : dict of tuple of str
    """
    model = assembled.data
    offsets = np.full(effects.shape, np.nan)
    for block in model.blocks:
        for c in range(block[md.N_COLUMNS]):
            row = model.block_columns[block[md.COLUMN_TABLE] + c]
            at = block[md.EFFECT_START] + c + block[md.EFFECT_STRIDE] * np.arange(block[md.N_LEVELS])
            scale_place = row[md.ARGUMENTS + row[md.SCALE_ARGUMENT]]
            if row[md.SCALE_ARGUMENT] < 0 or is_fixed(model.head, scale_place) or model.centring[at[0]] == 1.0:
                continue
            location = values[..., row[md.ARGUMENTS + row[md.LOCATION_ARGUMENT]]]
            scales = values[..., scale_place, None] * factors_of(block, values)
            offsets[..., at] = (effects[..., at] - location[..., None]) / scales
    arrays, dims = {}, {}
    for variable in assembled.layout.variables:
        if variable.source == "effects" and not np.isnan(offsets[..., variable.index]).any():
            arrays[f"{variable.name}_offset"] = variable.mixed(offsets[..., variable.index])
            dims[f"{variable.name}_offset"] = variable.dims
    return arrays, dims
