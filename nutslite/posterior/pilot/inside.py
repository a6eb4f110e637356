"""Coefficients from which a search can start: those that put all linear predictors inside the range of their link.

Where predictors have to be positive, or between 0 and 1, the region of coefficients is a polytope or a cone. A point in
it comes from the perceptron's rule (Rosenblatt 1958), which finds one wherever there is one; Newton's method on a
barrier, the sum of the logarithms of all distances from the border, then goes to the middle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.pilot.nested_laplace import parent_columns, range_of
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.model_data import ModelData
from nutslite.posterior.record.transforms import IDENTITY as UNCHANGED
from nutslite.posterior.record.warp import MEAN, UNIT

FloatArray = NDArray[np.float64]

MOST_PASSES = 20_000
MOST_STEPS = 60
HALVINGS = 40
RIDGE = 1e-9


def starts_inside(model: ModelData, support: str, etas: list[float]) -> list[FloatArray]:
    """Coefficients (n_head,) of the parent with predictors about these, inside the link's range; zeros elsewhere."""
    predictor = model.predictors[0]
    if not predictor[md.VARIES]:
        return []
    kind = range_of(int(model.links[0]), support)
    columns = parent_columns(model)
    if predictor[md.INTERCEPT] >= 0:
        columns[predictor[md.INTERCEPT]] = 1.0
    used = np.flatnonzero(columns.any(axis=1) & (model.head.transforms == UNCHANGED))
    offset = model.offsets[predictor[md.OFFSET]] if predictor[md.OFFSET] >= 0 else np.zeros(columns.shape[1])
    found: list[FloatArray] = []
    for eta in etas:
        some: FloatArray | None
        if kind == MEAN:
            some = np.asarray(np.linalg.lstsq(columns[used].T, eta - offset, rcond=1e-10)[0])
        else:
            wanted = min(max(eta, 0.05), 0.95) if kind == UNIT else max(eta, 1e-2)
            some = inside(columns[used], offset, kind == UNIT, wanted)
        if some is None:
            return found
        full = np.zeros(len(columns))
        full[used] = some
        found.append(full)
    return found


def inside(columns: FloatArray, offset: FloatArray, below_one: bool, wanted: float) -> FloatArray | None:
    """Coefficients (p,) of columns (p, n) with predictors above zero, and below one where that is asked for.

    As near to `wanted` as the border allows; None where no coefficients were found.
    """
    p = len(columns)
    scales = np.maximum(np.abs(columns).max(axis=1, initial=0.0), 1e-300)
    scaled = columns / scales[:, None]
    distances = np.vstack([scaled, offset])  # of the coefficients, then of their common scale
    if below_one:
        upper = -distances
        upper[p] += 1.0
        distances = np.hstack([distances, upper])
    cone = np.hstack([distances, np.eye(p + 1)[:, p:]])  # the scale is positive, too
    found = _in_cone(cone / np.maximum(np.linalg.norm(cone, axis=0), 1e-300))
    if found is None:
        return None
    return _middle(distances, scaled, offset, found[:p] / found[p], wanted) / scales


def _in_cone(rows: FloatArray) -> FloatArray | None:
    """A vector with a positive product with each of the columns."""
    found = rows.sum(axis=1)
    for _ in range(MOST_PASSES):
        products = found @ rows
        worst = int(np.argmin(products))
        if products[worst] > 0.0:
            return found
        found = found + rows[:, worst]
    return None


def _middle(
    distances: FloatArray, columns: FloatArray, offset: FloatArray, start: FloatArray, wanted: float
) -> FloatArray:
    """Newton's method on the barrier, and on squared differences from the wanted predictor."""
    p = start.size
    size = max(abs(wanted), 1e-6)

    def value(w: FloatArray) -> float:
        d = w @ distances[:p] + distances[p]
        if d.min() <= 0.0:
            return -np.inf
        return float(np.log(d).sum() - 0.5 * (((w @ columns + offset - wanted) / size) ** 2).sum())

    w, here = start, value(start)
    for _ in range(MOST_STEPS):
        inverse = 1.0 / (w @ distances[:p] + distances[p])
        slope = distances[:p] @ inverse - columns @ (w @ columns + offset - wanted) / size**2
        weighted = distances[:p] * inverse
        curvature = weighted @ weighted.T + columns @ columns.T / size**2
        step = np.linalg.solve(curvature + RIDGE * np.diag(np.diag(curvature) + 1e-300), slope)
        for _ in range(HALVINGS):
            there = value(w + step)
            if there > here:
                break
            step = 0.5 * step
        else:
            break
        w, gained = w + step, there - here
        here = there
        if gained < 1e-6:
            break
    return w
