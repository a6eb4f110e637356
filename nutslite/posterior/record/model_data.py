"""What the joint density's kernels see of a model: one record of arrays, of one fixed type for all models.

Words used throughout the room:

position
    The sampler's unconstrained vector: first the *head* (intercepts, coefficients, auxiliary parameters,
    hyperparameters, correlations), then the raw group effects, factor by factor and level by level.
values
    The head on its natural scale, followed by fixed numbers (a prior's constants, a parameter fixed by the user).
    Every argument of every prior is an index into `values`, so a hyperparameter and a constant look alike.
effects
    Group effects on the scale of the linear predictor, in the order of the position's tail.
codes' effects
    Coded columns times their coefficients, one number per distinct row: what such columns add to a linear predictor.
adjoint
    Derivative of the log density with respect to `values`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import INDEX_MATRIX, INDEX_VECTOR, LEVEL_MATRIX, MATRIX, VECTOR
from nutslite.posterior.record.head import HEAD, Head, is_derived
from nutslite.posterior.record.shared_work import SHARED_WORK, SharedWork
from nutslite.posterior.record.warp import WARP, Warp
from nutslite.sampler.transition.reference import Reference, refer

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# Columns of `ModelData.predictors`, one row per distributional parameter.
VARIES = 0  # 1: a linear predictor; 0: one number for all rows
INTERCEPT = 1  # position of its intercept, or -1
COEFFICIENTS = 2  # position of its first coefficient
COLUMN_START = 3  # its columns that are not coded are matrix[COLUMN_START:COLUMN_STOP]
COLUMN_STOP = 4
OFFSET = 5  # row of `offsets`, or -1
CONSTANT = 6  # index into `values` where VARIES is 0
N_COEFFICIENTS = 7  # of its columns, the coded ones included
PREDICTOR_FIELDS = 8

# Columns of `ModelData.blocks`, one row per group block: effects of one factor whose prior is one.
PREDICTOR = 0  # row of `predictors`, or -1 where its columns are of several (only `added` says which)
FACTOR = 1  # row of `levels`
N_LEVELS = 2
N_COLUMNS = 3
EFFECT_START = 4  # the effect of (level, column) is effects[EFFECT_START + level * EFFECT_STRIDE + column]
EFFECT_STRIDE = 5
COLUMN_TABLE = 6  # first row of `block_columns`
CORRELATION = 7  # position of its first unconstrained correlation, or -1 where its columns are independent
LKJ_ETA = 8  # index into `values` of the LKJ prior's shape
LEVEL_FACTORS = 9  # index into `values` of what scales are times, for its first level, then the others; -1: nothing
BLOCK_FIELDS = 10
ADDED_FIELDS = COLUMN_TABLE + 1  # of a row of `ModelData.added`

# Columns of `ModelData.segments`, one row per run of rows of data that share a kernel; in order, without gaps.
FIRST_ROW = 0
STOP_ROW = 1
KERNEL = 2  # place in `STATUSES`
FIRST_ETA = 3  # its rows of eta are FIRST_ETA ... FIRST_ETA + N_ETA - 1
N_ETA = 4
BOUNDS = 5  # place in `STATUSES` of what its responses had to be to be seen, or 0
BOUNDS_START = 6  # first row of `y` that is of bounds
SEGMENT_FIELDS = 7

# Columns of `Codes.blocks`, one row per set of coded columns. The first seven are those of `ModelData.blocks`: to a
# linear predictor a set is a block with an intercept only. N_LEVELS is the number of distinct rows, EFFECT_START a
# place behind the group effects, COLUMN_TABLE the last row of `z_rows`.
TABLE_START = 7  # element of `tables` where the table (coded columns, distinct rows) begins
CODED_START = 8  # first of its coefficients in `Codes.coefficients`
CODED_COLUMNS = 9
CODE_FIELDS = 10

# Columns of `ModelData.block_columns`, one row per column of a block.
Z_ROW = 0  # row of `z`, or -1 for an intercept
DENSITY = 1  # code of the effects' prior density
LOCATION_ARGUMENT = 2  # which of its arguments is the location and which the scale, or -1: not a location-scale family
SCALE_ARGUMENT = 3
ARGUMENTS = 4  # four indices into `values`
BLOCK_COLUMN_FIELDS = 8

FEWEST_ROWS_PER_LEVEL = 8  # on average, for rows to be sorted


class Codes(NamedTuple):
    """Common columns that take few distinct rows: an index per row of data and a table of the distinct ones."""

    blocks: IndexArray  # (n_sets, CODE_FIELDS)
    tables: FloatArray  # (sum of columns * distinct rows,) centred like `ModelData.matrix`
    coefficients: IndexArray  # (sum of columns,) index into `values` of each coded column's coefficient


CODES = types.NamedTuple([INDEX_MATRIX, VECTOR, INDEX_VECTOR], Codes)


class ModelData(NamedTuple):
    """One model, as kernels see it. `n` rows of data, `k` distributional parameters."""

    y: FloatArray  # (c, n) what the family's `prepare` returned of responses, of ends of intervals, and of bounds
    weights: FloatArray  # (n,) or length 0 for all ones
    matrix: FloatArray  # (p, n) common columns of all predictors, centred where there is an intercept; no coded ones
    coefficients: IndexArray  # (p,) index into `values` of each column's coefficient
    offsets: FloatArray  # (n_offsets, n)
    z: FloatArray  # (n_z, n) columns of the group terms that are not intercepts
    levels: NDArray[np.int32]  # (n_factors + n_codes, n) of grouping factors first, then of sets of coded columns
    links: IndexArray  # (k,) link codes
    predictors: IndexArray  # (k, PREDICTOR_FIELDS)
    blocks: IndexArray  # (n_blocks, BLOCK_FIELDS)
    added: IndexArray  # (n_parts + n_sets, ADDED_FIELDS) what kernels add up: of each block the columns of one
    # predictor, then sets of coded columns
    z_rows: IndexArray  # (n_block_columns + 1,) Z_ROW of each block column, and -1 for codes
    block_columns: IndexArray  # (n_block_columns, BLOCK_COLUMN_FIELDS)
    centring: FloatArray  # (n_effects,) 0 non-centred ... 1 centred, in the order of the effects
    typical_scales: FloatArray  # (n_block_columns,) scale of the column's prior at which `centring` holds
    head: Head  # transforms and priors of the head
    sorted_factor: int  # the row of `levels` that rows are sorted by, or -1
    row_starts: IndexArray  # (segments * levels + 1,) first rows of its levels in each segment, then n; or length 0
    segments: IndexArray  # (n_segments, SEGMENT_FIELDS)
    codes: Codes  # common columns that are read by code
    shared: SharedWork  # what a chain's threads share
    warp: Warp  # coordinates of small models


MODEL_DATA = types.NamedTuple(
    [
        MATRIX,
        VECTOR,
        MATRIX,
        INDEX_VECTOR,
        MATRIX,
        MATRIX,
        LEVEL_MATRIX,
        INDEX_VECTOR,
        INDEX_MATRIX,
        INDEX_MATRIX,
        INDEX_MATRIX,
        INDEX_VECTOR,
        INDEX_MATRIX,
        VECTOR,
        VECTOR,
        HEAD,
        types.int64,
        INDEX_VECTOR,
        INDEX_MATRIX,
        CODES,
        SHARED_WORK,
        WARP,
    ],
    ModelData,
)

MODEL_REFERENCE = Reference(MODEL_DATA)
"""Type of what kernels hand on of such a record."""


def reference_to(model: ModelData) -> Any:
    """What compiled code is handed of a model."""
    return refer(model, MODEL_REFERENCE)


def one_segment(rows: int, n_eta: int, numbers: int) -> IndexArray:
    """`ModelData.segments` of a model whose rows are all under one kernel; `numbers` of `y` are of responses."""
    return np.array([[0, rows, 0, 0, n_eta, 0, numbers]], dtype=np.int64)


def in_segments(
    model: ModelData, kernels: NDArray[np.integer[Any]], bounds: NDArray[np.integer[Any]] | None = None
) -> ModelData:
    """The model, which has one segment, with a segment for all rows under the same kernel with the same bounds.

    `kernels` (n,) and `bounds` (n,) are places in `STATUSES`.
    """
    pairs = np.column_stack([kernels, np.zeros_like(kernels) if bounds is None else bounds])
    used, place = np.unique(pairs, axis=0, return_inverse=True)
    place = place.reshape(-1)
    stops = np.cumsum(np.bincount(place))
    segments = np.repeat(model.segments, len(used), axis=0)
    segments[:, FIRST_ROW], segments[:, STOP_ROW] = [0, *stops[:-1]], stops
    segments[:, [KERNEL, BOUNDS]] = used
    ordered = model if len(used) == 1 else rows_of(model, np.argsort(place, kind="stable"))
    return ordered._replace(segments=segments)


def kernels_of(model: ModelData) -> set[int]:
    """Places in `STATUSES` of all kernels that rows are under or bounds are of."""
    bounds = model.segments[:, BOUNDS]
    return {*model.segments[:, KERNEL].tolist(), *bounds[bounds > 0].tolist()}


def has_bounds(model: ModelData) -> bool:
    """Whether responses were seen between bounds only."""
    return bool(model.segments[:, BOUNDS].any())


def segment_by_row(model: ModelData) -> IndexArray:
    """Which segment each row is in, shape (n,)."""
    return np.repeat(np.arange(len(model.segments)), np.diff(model.segments[:, STOP_ROW], prepend=0))


def has_derived_coefficients(model: ModelData) -> bool:
    """Whether columns have coefficients that are no elements of the head."""
    coefficients = np.concatenate([model.coefficients, model.codes.coefficients])
    return bool(is_derived(model.head, coefficients).any())


def rows_of(model: ModelData, chosen: IndexArray) -> ModelData:
    """The same model on some of its rows: segment by segment, and in the order given within each."""
    segments = model.segments.copy()
    if len(segments) == 1:
        segments[0, STOP_ROW] = chosen.size
    else:
        segment = segment_by_row(model)[chosen]
        chosen = chosen[np.argsort(segment, kind="stable")]
        segments[:, STOP_ROW] = np.cumsum(np.bincount(segment, minlength=len(segments)))
        segments[1:, FIRST_ROW] = segments[:-1, STOP_ROW]

    def columns(matrix: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(matrix[:, chosen])

    return model._replace(
        y=columns(model.y),
        weights=np.ascontiguousarray(model.weights[chosen]) if model.weights.size else model.weights,
        matrix=columns(model.matrix),
        offsets=columns(model.offsets),
        z=columns(model.z),
        levels=columns(model.levels),
        sorted_factor=-1,
        row_starts=np.empty(0, dtype=np.int64),
        segments=segments,
    )


def part_of(block: IndexArray, predictor: int, column: int, columns: int) -> IndexArray:
    """The row of `ModelData.added` for some columns of a block, which one predictor reads."""
    part: IndexArray = block[:ADDED_FIELDS].copy()
    part[PREDICTOR], part[N_COLUMNS] = predictor, columns
    part[[EFFECT_START, COLUMN_TABLE]] += column
    return part


def parts_of(model: ModelData, block: IndexArray) -> IndexArray:
    """The rows of `ModelData.added` that read the columns of a block, one for each predictor."""
    at = model.added[:, COLUMN_TABLE] - block[COLUMN_TABLE]
    parts: IndexArray = model.added[(at >= 0) & (at < block[N_COLUMNS])]
    return parts


def is_sortable(n: int, levels: int) -> bool:
    """Whether `n` rows of data are enough for rows to be sorted by a factor of so many levels."""
    return n >= FEWEST_ROWS_PER_LEVEL * levels


def sorting_block(model: ModelData) -> IndexArray | None:
    """The block whose factor or code rows should be sorted by, if any has enough rows a level.

    That of the largest grouping factor; otherwise the coded set of the most distinct rows.
    """
    groups = [model.blocks[np.argmax(model.blocks[:, EFFECT_START])]] if model.blocks.size else []
    codes = sorted(model.codes.blocks, key=lambda block: -int(block[N_LEVELS]))
    n, runs = model.y.shape[1], len(model.segments)
    return next((block for block in [*groups, *codes] if is_sortable(n, runs * int(block[N_LEVELS]))), None)


def sorted_rows(model: ModelData) -> ModelData:
    """The model with the rows of each segment sorted as `sorting_block` says.

    Equal levels next to each other make runs: one effect is added to many rows at once, and derivatives are summed
    without waiting for the sum before, which takes about a third off a gradient.
    """
    block = sorting_block(model)
    if block is None or model.sorted_factor >= 0:
        return model
    index = model.levels[block[FACTOR]]
    if len(model.segments) > 1:
        index = segment_by_row(model) * block[N_LEVELS] + index
    starts = np.concatenate([[0], np.cumsum(np.bincount(index, minlength=len(model.segments) * block[N_LEVELS]))])
    return rows_of(model, np.argsort(index, kind="stable"))._replace(
        sorted_factor=int(block[FACTOR]), row_starts=np.ascontiguousarray(starts, dtype=np.int64)
    )
