"""Curvature of the likelihood in the linear predictors, row by row, by differences of the family kernel's derivatives.

No family needs to supply second derivatives. In NumPy but for the kernel: a pilot asks a few dozen times, which would
not pay for compiling it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.families.links.codes import constant_link
from nutslite.families.record.censoring import kernel_of
from nutslite.posterior.assembly.coded_columns import coefficients_of, table_of
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.model_data import ModelData

FloatArray = NDArray[np.float64]

ETA_STEP = 1e-3
ROWS_AT_ONCE = 1 << 14


def row_information(
    model: ModelData,
    loglik: tuple[Any, ...],
    values: FloatArray,
    effects: FloatArray,
    steps: FloatArray | None = None,
) -> FloatArray:
    """Minus the second derivatives of the pointwise log likelihood in eta.

    Parameters
    ----------
    loglik : tuple
        The family's kernels, compiled (`LOGLIKS`).
    values, effects : ndarray
        As `model_data` defines them.
    steps : ndarray, shape (k,), optional
        How far each linear predictor is moved for the differences.

    Returns
    -------
    ndarray, shape (k, k, n)
        Symmetric, which differences of derivatives alone are not.
    """
    n, k = model.y.shape[1], model.predictors.shape[0]
    out = np.zeros((k, k, n))
    steps = np.full(k, ETA_STEP) if steps is None else steps
    for segment in model.segments:
        first, last, _, first_eta, n_eta = segment[: md.N_ETA + 1]
        own = slice(first_eta, first_eta + n_eta)
        varies, links = np.ones(n_eta, dtype=np.int64), model.links[own]
        for start in range(first, last, ROWS_AT_ONCE):
            rows = slice(start, min(last, start + ROWS_AT_ONCE))
            eta = linear_predictors(model, values, effects, rows)[own]
            upper, lower, pointwise = np.empty_like(eta), np.empty_like(eta), np.empty(eta.shape[1])
            for j in range(n_eta):
                size = float(steps[first_eta + j])
                for step, slopes in ((size, upper), (-size, lower)):
                    moved = eta.copy()
                    moved[j] += step
                    _fill_slopes(model, loglik, segment, start, moved, varies, links, pointwise, slopes)
                out[own, first_eta + j, rows] = (lower - upper) / (2.0 * size)
    return out if k == 1 else 0.5 * (out + out.swapaxes(0, 1))


def _fill_slopes(
    model: ModelData,
    loglik: tuple[Any, ...],
    segment: NDArray[np.int64],
    start: int,
    eta: FloatArray,
    varies: NDArray[np.int64],
    links: NDArray[np.int64],
    pointwise: FloatArray,
    slopes: FloatArray,
) -> None:
    """Overwrite `slopes` (k, rows) with derivatives by `eta` of rows of one segment; `pointwise` is scratch."""
    bounds = segment[md.BOUNDS_START]
    kernel = kernel_of(loglik, int(segment[md.KERNEL]))
    kernel(model.y[:bounds], model.weights, start, eta, varies, links, pointwise, slopes)
    if segment[md.BOUNDS]:
        kernel, inside = kernel_of(loglik, int(segment[md.BOUNDS])), np.empty_like(slopes)
        kernel(model.y[bounds:], model.weights, start, eta, varies, links, pointwise, inside)
        slopes -= inside


def linear_predictors(model: ModelData, values: FloatArray, effects: FloatArray, rows: slice) -> FloatArray:
    """The predictors eta (k, rows) of some rows on the scale of their links; what does not vary fills its row."""
    eta = np.empty((model.predictors.shape[0], rows.stop - rows.start))
    for j, predictor in enumerate(model.predictors):
        if predictor[md.VARIES] == 0:
            with np.errstate(divide="ignore"):  # of known errors alone, sigma is 0
                eta[j] = constant_link(model.links[j], values[predictor[md.CONSTANT]])
            continue
        own = slice(predictor[md.COLUMN_START], predictor[md.COLUMN_STOP])
        # Not BLAS, see products.py.
        np.einsum("p,pn->n", values[model.coefficients[own]], model.matrix[own, rows], out=eta[j])
        if predictor[md.INTERCEPT] >= 0:
            eta[j] += values[predictor[md.INTERCEPT]]
        if predictor[md.OFFSET] >= 0:
            eta[j] += model.offsets[predictor[md.OFFSET], rows]
    for block in model.codes.blocks:
        by_code = np.einsum("p,pl->l", values[coefficients_of(block, model.codes)], table_of(block, model.codes))
        eta[block[md.PREDICTOR]] += by_code[model.levels[block[md.FACTOR], rows]]
    for block in model.added[: model.added.shape[0] - model.codes.blocks.shape[0]]:
        first = block[md.EFFECT_START] + model.levels[block[md.FACTOR], rows].astype(np.int64) * block[md.EFFECT_STRIDE]
        for c in range(block[md.N_COLUMNS]):
            z_row = model.block_columns[block[md.COLUMN_TABLE] + c, md.Z_ROW]
            added = effects[first + c]
            eta[block[md.PREDICTOR]] += added if z_row < 0 else model.z[z_row, rows] * added
    return eta
