"""Ways of groups' effects that leave all predictors as they are, so that likelihoods, walls and edges end none of them.

A scale moves, and raw effects with it so that the effects stay; or a coefficient moves, and the effects that are added
to it at all levels against it. Straight slices need both at once where scales are wide and predictors have bounds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.density.reciprocal import EFFECTS_STAY, LEVELS_SHIFT
from nutslite.posterior.pilot.pieces import Lines
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.model_data import ModelData
from nutslite.posterior.record.transforms import IDENTITY as UNCHANGED
from nutslite.posterior.record.warp import FREE

FloatArray = NDArray[np.float64]

ROUNDING = 1e-10


def level_lines(model: ModelData) -> Lines:
    """Directions (lines, dimension), tables of columns (-1 for scales), and what kind of line each is."""
    n_head = model.head.transforms.size
    one = np.eye(n_head + model.centring.size)
    lines: list[tuple[FloatArray, int, int]] = []
    scales: set[int] = set()
    for block in model.blocks:
        for table in range(block[md.COLUMN_TABLE], block[md.COLUMN_TABLE] + block[md.N_COLUMNS]):
            row = model.block_columns[table]
            scale = int(row[md.ARGUMENTS + row[md.SCALE_ARGUMENT]]) if row[md.SCALE_ARGUMENT] >= 0 else n_head
            if scale < n_head:
                scales.add(scale)
            z_row = int(row[md.Z_ROW])
            z = np.ones(model.y.shape[1]) if z_row < 0 else model.z[z_row]
            direction = _adding(model, int(block[md.PREDICTOR]), z)
            if direction is not None:
                lines.append((direction, table, LEVELS_SHIFT))
    lines += [(one[scale], -1, EFFECTS_STAY) for scale in sorted(scales)]
    kinds = np.array([[table, kind] for _, table, kind in lines], dtype=np.int64).reshape(-1, 2)
    directions = np.array([direction for direction, _, _ in lines]).reshape(-1, len(one))
    return directions, kinds[:, 0].copy(), kinds[:, 1].copy()


def _adding(model: ModelData, j: int, z: FloatArray) -> FloatArray | None:
    """Coefficients, in the position, that add `z` to predictor `j`; None where none do, or one of them has bounds."""
    row, transforms = model.predictors[j], model.head.transforms
    used, columns = model.coefficients[row[md.COLUMN_START] : row[md.COLUMN_STOP]], model.matrix
    columns = columns[row[md.COLUMN_START] : row[md.COLUMN_STOP]]
    if row[md.INTERCEPT] >= 0:
        used, columns = np.append(used, row[md.INTERCEPT]), np.vstack([columns, np.ones(z.size)])
    free = np.array([k < transforms.size and transforms[k] == UNCHANGED for k in used], dtype=bool)
    found = np.linalg.lstsq(columns[free].T, z, rcond=ROUNDING)[0]
    if np.abs(z - found @ columns[free]).max() > ROUNDING * np.abs(z).max():
        return None
    direction = np.zeros(transforms.size + model.centring.size)
    direction[used[free]] = found
    if j == 0 and model.warp.kind != FREE:  # a mean of the predictors stands in the intercept's place
        if model.warp.pivot != row[md.INTERCEPT]:
            return None
        direction[model.warp.pivot] = 0.0
    return direction
