"""Quantiles and intervals widened by rows that nobody has seen, so that as many of new rows are inside as was promised.

Whatever made the prediction, and however wrong it is: an interval ``[l, u]`` that is to hold a share p becomes
``[l - m, u + m]``, where m is the ``ceil(p (n + 1))``-th smallest of ``max(l_i - y_i, y_i - u_i)`` over n rows that the
prediction was not fitted to (conformalized quantile regression: Romano, Patterson and Candes, 2019, arXiv:1905.03222,
theorem 1). If these rows and a new one are exchangeable, the interval holds the new one with a probability of at least
p, and of at most ``p + 1 / (n + 1)`` where there are no ties.

Rows of one group are not exchangeable with those of another, but whole groups may be: each of K groups then has the
weight ``1 / (K + 1)``, its rows have equal parts of it, the rest is infinitely far out, and m is the smallest number
with a weight of p up to it. The interval holds a row of a new group with a probability of at least p (Lee, Barber and
Willett, 2023, arXiv:2306.06342; without the part at infinity, which few groups need, this is the pooling of
distribution functions of Dunn, Wasserman and Ramdas, 2023, doi:10.1080/01621459.2022.2060112). Groups of one row each
are rows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentTypeError, DataError
from nutslite.scores.calibration.coverage import coded
from nutslite.scores.kinds.prediction import Prediction
from nutslite.scores.kinds.quantiles import SAME, Interval, Quantiles

FloatArray = NDArray[np.float64]

ROUNDING = 1e-12  # of sums of weights


@public
def conformalize(P: Prediction, y: Any, calibration: Prediction, *, groups: Any = None) -> Prediction:
    """Widen quantiles, or an interval, by what other rows say of them.

    ``[l - m, u + m]`` with m the ``ceil(p (n + 1))``-th smallest of ``max(l_i - y_i, y_i - u_i)``: Romano, Patterson
    and Candes (2019), arXiv:1905.03222, theorem 1; with groups Lee, Barber and Willett (2023), arXiv:2306.06342.

    Parameters
    ----------
    P : Prediction
        Of n rows, by quantiles or an interval.
    y : array_like, shape (m,)
        Observations of rows that the prediction was not fitted to.
    calibration : Prediction
        Of these rows, made as P was, with the same levels.
    groups : array_like, shape (m,), optional
        Labels of groups that these rows fall together in. What comes out then is for rows of new groups.

    Returns
    -------
    Prediction
        Of the same kind, in order of levels. Quantiles of levels ``t`` and ``1 - t`` are moved as the ends of one
        interval, a level without its counterpart by itself, as an upper end above a half and a lower end below; the
        median stays. Where intervals were too wide they shrink, at most to a point.

    Raises
    ------
    ArgumentTypeError
        Where these are no predictions by quantiles or intervals.
    DataError
        Where levels differ, rows do not fit each other, or there are too few of them for such a level.

    Examples
    --------
    >>> new = Prediction.from_interval([1.0, 2.0], [3.0, 5.0], prob=0.8)
    >>> seen = Prediction.from_interval([0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0], prob=0.8)
    >>> conformalize(new, [0.5, 1.25, -0.5, 0.2], seen).interval(0.8)
    (array([0.5, 1.5]), array([3.5, 5.5]))
    """
    kind, other = _kind("P", P), _kind("calibration", calibration)
    if kind.levels.shape != other.levels.shape or np.abs(kind.levels - other.levels).max() > SAME:
        raise DataError(f"P has the levels {_listed(kind.levels)}, calibration has {_listed(other.levels)}.")
    moved = _in_order(kind.quantile(kind.levels), kind.levels, conformal_margins(y, calibration, groups=groups))
    if isinstance(kind, Interval):
        return Prediction.from_interval(moved[:, 0], moved[:, 1], kind.prob)
    return Prediction.from_quantiles(moved, kind.levels)


@public
def conformal_margins(y: Any, calibration: Prediction, *, groups: Any = None) -> FloatArray:
    """How far `conformalize` moves the quantile of each level outwards.

    The ``ceil(p (n + 1))``-th smallest of ``max(l_i - y_i, y_i - u_i)``: Romano, Patterson and Candes (2019),
    arXiv:1905.03222.

    Parameters
    ----------
    y, calibration, groups
        As for `conformalize`; `y` has shape (rows,).

    Returns
    -------
    ndarray, shape (K,)
        In increasing order of levels, in the unit of `y`; a negative number moves inwards.

    Raises
    ------
    DataError
        As for `conformalize`.

    Examples
    --------
    >>> P = Prediction.from_quantiles([[0.0, 0.5, 1.0]] * 4, [0.1, 0.5, 0.9])
    >>> conformal_margins([0.5, 1.25, -0.5, 0.2], P)
    array([0.5, 0. , 0.5])
    """
    kind = _kind("calibration", calibration)
    observed = calibration.observed(y)
    codes = np.arange(observed.size) if groups is None else coded(groups, observed.size, "groups")[1]
    what = "rows" if groups is None else "groups"
    q, levels = kind.quantile(kind.levels), kind.levels
    outside = np.where(levels < 0.5, q - observed[:, None], observed[:, None] - q)
    margins = np.zeros(levels.size)
    for k, level in enumerate(levels):
        if abs(level - 0.5) <= SAME:
            continue
        counterpart = np.flatnonzero(np.abs(levels - (1.0 - level)) <= SAME)
        share = abs(1.0 - 2.0 * level) if counterpart.size else max(level, 1.0 - level)
        margins[k] = _margin(outside[:, [k, *counterpart]].max(axis=1), codes, float(share), what)
    return margins


def _margin(distances: FloatArray, codes: NDArray[np.int64], share: float, what: str) -> float:
    """The smallest distance with a weight of `share` up to it; `codes` are groups, each of the same weight."""
    sizes = np.bincount(codes)
    count = sizes.size
    if count / (count + 1) < share - ROUNDING:
        fewest = math.ceil(share / (1.0 - share) - ROUNDING)
        raise DataError(
            f"There are {count} {what} to calibrate with: to hold {share:.10g} of new rows takes {fewest} {what} or "
            "more."
        )
    order = np.argsort(distances, kind="stable")
    reached = np.cumsum(1.0 / ((count + 1) * sizes[codes[order]]))
    return float(distances[order][np.argmax(reached >= share - ROUNDING)])


def _in_order(q: FloatArray, levels: FloatArray, margins: FloatArray) -> FloatArray:
    """Quantiles (n, K) moved outwards by `margins`, none of them to the inner side of one further in."""
    lower, upper = np.flatnonzero(levels < 0.5 - SAME), np.flatnonzero(levels > 0.5 + SAME)
    middle = np.flatnonzero(np.abs(levels - 0.5) <= SAME)
    inner = middle if middle.size or not (lower.size and upper.size) else [lower[-1], upper[0]]
    centre = q[:, inner].mean(axis=1, keepdims=True) if len(inner) else None
    found = q.copy()
    for places, side in ((lower[::-1], -1.0), (upper, 1.0)):
        outwards = side * q[:, places] + margins[places]
        if centre is not None:
            outwards = np.maximum(outwards, side * centre)
        found[:, places] = side * np.maximum.accumulate(outwards, axis=1)
    return found


def _kind(name: str, P: Any) -> Quantiles | Interval:
    kind = P.kind if isinstance(P, Prediction) else None
    if not isinstance(kind, Quantiles | Interval):
        raise ArgumentTypeError(
            f"{name} is a Prediction by quantiles or an interval, not {P!r}. Of any other that has quantiles, "
            "Prediction.from_quantiles(P.quantile(levels), levels) makes one."
        )
    return kind


def _listed(levels: FloatArray) -> str:
    return ", ".join(f"{level:g}" for level in levels)
