"""Group effects of whole blocks, in NumPy: for what is asked for too seldom to be compiled; see `effects`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.record.model_data import (
    ARGUMENTS,
    COLUMN_TABLE,
    CORRELATION,
    EFFECT_START,
    EFFECT_STRIDE,
    LEVEL_FACTORS,
    LOCATION_ARGUMENT,
    N_COLUMNS,
    N_LEVELS,
    SCALE_ARGUMENT,
    ModelData,
)
from nutslite.sampler.constraints.cholesky import cholesky_constrain

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


def places_of(block: IndexArray) -> IndexArray:
    """Which effects belong to a block's levels and columns, shape (levels, columns)."""
    first = block[EFFECT_START] + block[EFFECT_STRIDE] * np.arange(block[N_LEVELS])
    places: IndexArray = first[:, None] + np.arange(block[N_COLUMNS])
    return places


def locations_and_scales(model: ModelData, block: IndexArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Locations of all columns of a block, (columns,), and scales of all levels, (levels, columns)."""
    rows = model.block_columns[block[COLUMN_TABLE] : block[COLUMN_TABLE] + block[N_COLUMNS]]
    found = [
        (
            0.0 if row[LOCATION_ARGUMENT] < 0 else values[row[ARGUMENTS + row[LOCATION_ARGUMENT]]],
            1.0 if row[SCALE_ARGUMENT] < 0 else values[row[ARGUMENTS + row[SCALE_ARGUMENT]]],
        )
        for row in rows
    ]
    locations, scales = np.array(found, dtype=float).T
    return locations, factors_of(block, values)[:, None] * scales


def factors_of(block: IndexArray, values: FloatArray) -> FloatArray:
    """`factor_of` for all levels of a block, of draws that are rows of `values`, too: shape (..., levels)."""
    at, levels = block[LEVEL_FACTORS], int(block[N_LEVELS])
    return np.ones((*values.shape[:-1], levels)) if at < 0 else np.asarray(values[..., at : at + levels])


def spreads_and_units(model: ModelData, block: IndexArray, scales: FloatArray) -> tuple[FloatArray, FloatArray]:
    """`spread_of` and `unit_of` for a block at given scales, each (levels, columns)."""
    typical = model.typical_scales[block[COLUMN_TABLE] : block[COLUMN_TABLE] + block[N_COLUMNS]]
    r, ratio = model.centring[places_of(block)], scales / typical
    spreads = np.where(r == 1.0, ratio, np.sqrt(1.0 - r + r * ratio * ratio))
    return spreads, np.where(r == 1.0, typical, scales / spreads)


def correlations_in_prior(model: ModelData, block: IndexArray) -> NDArray[np.bool_]:
    """`keeps_correlation_in_prior` for all levels of a block."""
    return np.asarray(model.centring[places_of(block)].min(axis=1) > 0.5)


def correlation_factor(block: IndexArray, position: FloatArray) -> FloatArray:
    """Cholesky factor of the correlations of a block's columns, shape (columns, columns)."""
    q, at = int(block[N_COLUMNS]), int(block[CORRELATION])
    factor = np.eye(q)
    if at >= 0:
        cholesky_constrain(np.ascontiguousarray(position[at : at + q * (q - 1) // 2]), factor)
    return factor


def effect_maps(
    model: ModelData, block: IndexArray, position: FloatArray, values: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Per level of a block, d effects / d raw and the prior precision of the raw effects, each (levels, q, q)."""
    _, scales = locations_and_scales(model, block, values)
    spreads, units = spreads_and_units(model, block, scales)
    factor, one = correlation_factor(block, position), np.eye(scales.shape[1])
    in_prior = correlations_in_prior(model, block)[:, None, None]
    to_effect = np.where(in_prior, units[:, :, None] * one, scales[:, :, None] * factor / spreads[:, None, :])
    # The standard normal numbers of a level are `standard` times its raw ones.
    standard = np.where(in_prior, np.linalg.inv(factor), one) / spreads[:, None, :]
    return to_effect, standard.swapaxes(1, 2) @ standard
