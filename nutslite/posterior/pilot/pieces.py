"""Posteriors in pieces: under the inverse link of a real mean, the mean jumps where its linear predictor is zero.

It goes to plus infinity on one side and comes from minus infinity on the other. A piece in which all rows' predictors
have one sign does not know of the others; slices with powers of the likelihood (`run_slice`) do, trajectories do not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite.families.links.codes import INVERSE
from nutslite.families.record.family import Family
from nutslite.posterior.pilot.row_information import linear_predictors
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.model_data import ModelData
from nutslite.posterior.record.transforms import IDENTITY as UNCHANGED
from nutslite.posterior.record.warp import MEAN
from nutslite.priors.densities.codes import FLAT, HALF_FLAT

FloatArray = NDArray[np.float64]
Lines = tuple[FloatArray, NDArray[np.int64], NDArray[np.int64]]

OTHERS_STAY, PRIOR_LIKE = 1e-6, 1e3  # ridges beside a design whose columns are about one
LOOKED_AT = 200  # draws
MOST_ROWS = 2000
NEAR_ZERO = 2.5  # in standard deviations of a row's mean: how near a mean of zero none of these draws may come


def broken(model: ModelData, family: Family) -> list[int]:
    """Predictors whose inverse link has a pole inside their range."""
    parts = enumerate(zip(family.eta_parameters, model.links, model.predictors, strict=True))
    return [j for j, (p, link, row) in parts if row[md.VARIES] and int(link) == INVERSE and p.support == "real"]


def has_pieces(model: ModelData, family: Family) -> bool:
    """Whether powers of the likelihood are to be sampled as well; flat priors are nothing that these could end at."""
    return bool(broken(model, family)) and not np.isin(model.head.densities, (FLAT, HALF_FLAT)).any()


def lines_through_pieces(model: ModelData, family: Family, rng: np.random.Generator) -> Lines:
    """Straight lines of coefficients and raw effects on which one row's predictor goes through its pole.

    For each row one that leaves the other rows' predictors alone, as far as the design allows, and one that raises them
    as much as coefficients of like scale do; and each coefficient and effect alone, with one of the rows. Then straight
    lines of each other parameter alone: in the coordinates of `warp` coefficients move with it, as powers of the
    likelihood nearly zero do not ask for.

    Returns
    -------
    tuple
        Directions (lines, dimension), rows and predictors (lines,); -1 where no predictor has a pole on the line.
    """
    directions: list[FloatArray] = []
    rows: list[int] = []
    predictors: list[int] = []
    for j in broken(model, family):
        columns = linear_columns(model, j)
        scales = np.abs(columns).max(axis=1)
        scales = np.where(scales > 0.0, 1.0 / np.maximum(scales, 1e-300), 0.0)
        scaled = scales[:, None] * columns
        for row in range(columns.shape[1]):
            for ridge in (OTHERS_STAY, PRIOR_LIKE):
                gram = scaled @ scaled.T + ridge * np.eye(len(scaled))
                directions.append(scales * np.linalg.solve(gram, scaled[:, row]))
                rows.append(row)
        for at in np.flatnonzero(scales):
            directions.append(scales[at] * np.eye(scales.size)[at])
            rows.append(int(rng.choice(np.flatnonzero(columns[at]))))
        predictors += [j] * (len(rows) - len(predictors))
    for at in np.flatnonzero(model.head.transforms != UNCHANGED):
        directions.append(np.eye(len(directions[0]))[at])
        rows.append(0)
        predictors.append(-1)
    return np.array(directions), np.array(rows, dtype=np.int64), np.array(predictors, dtype=np.int64)


def linear_columns(model: ModelData, j: int) -> FloatArray:
    """How the predictors of parameter `j` depend on the position, (dimension, n); effects at their typical scales.

    Zero for what they do not depend on linearly.
    """
    n_head = model.head.transforms.size
    columns = np.zeros((n_head + model.centring.size, model.y.shape[1]))
    predictor = model.predictors[j]
    used = slice(predictor[md.COLUMN_START], predictor[md.COLUMN_STOP])
    columns[model.coefficients[used]] = model.matrix[used]
    if predictor[md.INTERCEPT] >= 0:
        columns[predictor[md.INTERCEPT]] = 1.0
    columns[:n_head][model.head.transforms != UNCHANGED] = 0.0
    for block in model.blocks[model.blocks[:, md.PREDICTOR] == j]:
        for c in range(block[md.N_COLUMNS]):
            table = block[md.COLUMN_TABLE] + c
            z_row = model.block_columns[table, md.Z_ROW]
            z = np.ones(columns.shape[1]) if z_row < 0 else model.z[z_row]
            first = n_head + block[md.EFFECT_START] + c
            for level in range(block[md.N_LEVELS]):
                at = first + level * block[md.EFFECT_STRIDE]
                columns[at] = model.typical_scales[table] * z * (model.levels[block[md.FACTOR]] == level)
    if j == 0 and model.warp.kind == MEAN:
        others = np.arange(len(columns)) != model.warp.pivot
        columns[others] -= columns[others].mean(axis=1, keepdims=True)
    return columns


def warn_of_pieces(assembled: Assembled, values: FloatArray, effects: FloatArray) -> None:
    """Warn where draws (chains, draws, ...) that cannot leave their piece come near its border with another.

    That border is a mean of zero, a predictor that is infinite.
    """
    model, family = assembled.data, assembled.spec.family
    found = broken(model, family)
    if not found:
        return
    chains, draws, _ = values.shape
    some = np.unique(np.linspace(0, chains * draws - 1, LOOKED_AT).astype(int))
    rows = slice(0, min(model.y.shape[1], MOST_ROWS))
    pairs = zip(*np.unravel_index(some, (chains, draws)), strict=True)
    eta = np.array([linear_predictors(model, values[c, i], effects[c, i], rows)[found] for c, i in pairs])
    with np.errstate(divide="ignore"):
        means = 1.0 / eta
    near = np.abs(means).min(axis=0) < NEAR_ZERO * means.std(axis=0)
    crossed = (eta.min(axis=0) < 0.0) & (eta.max(axis=0) > 0.0)
    for j, rows_near in zip(found, (near | crossed).any(axis=1), strict=True):
        if rows_near:
            name = family.eta_parameters[j].name
            log.warning(
                "Under the inverse link '%s' jumps from one end of the real line to the other where its linear "
                "predictor is zero, so the posterior is in pieces, with predictors above zero and below. The draws "
                "come near a mean of zero, beyond which there is another piece, and chains do not go from one to the "
                "other: shares of the pieces may be wrong. Another link, such as 'identity', has one piece.",
                name,
            )
