"""Scores of rows against a predictor: where is a forecast worse?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentTypeError, DataError
from nutslite.scores.calibration.coverage import coded
from nutslite.scores.numerics.checks import numbers, probability
from nutslite.scores.pictures.figures import COLOURS
from nutslite.scores.pictures.paper import above, axes_for, dots, size
from nutslite.scores.pictures.predictor import Predictor, predictor_of
from nutslite.scores.sampling_error.standard_errors import Estimate, mean_with_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]

PLACES = 80  # at most, of the running mean
FEWEST = 10  # rows of a window
SHOWN = 0.99  # of scores; the others are marked at the edge


@public
def plot_scores(
    score: Any,
    x: Any,
    *,
    groups: Any = None,
    window: float = 0.15,
    confidence: float = 0.95,
    name: str = "score",
    ax: Any = None,
) -> Axes:
    """Draw scores of rows against a predictor, with their running mean and its confidence band.

    The mean is over the nearest rows by rank; of a predictor with few values, or labels, over the rows of each.

    ``sum_{i near x} s_i / k`` with ``t se`` about it (`mean_with_error`); a window by its share of rows after Cleveland
    (1979), JASA 74:829.

    Parameters
    ----------
    score : array_like, shape (n,)
        As any function of `scores` gives them, or a column of ``report.pointwise``.
    x : array_like, shape (n,)
        The predictor: numbers or labels.
    groups : array_like, shape (n,), optional
        Labels of groups that rows fall together in: the band is cluster-robust, but for means over one group.
    window : float
        Share of the rows that a mean is over, at least 10 of them.
    confidence : float
        Of the band, at each place by itself.
    name : str
        Of the score, beside the axis.
    ax : matplotlib.axes.Axes, optional
        What to draw on; by default a new figure, 80 mm wide.

    Returns
    -------
    matplotlib.axes.Axes
    """
    score = numbers("score", score, "no nan")
    if score.ndim != 1 or score.size == 0:
        raise DataError(f"score has one number for each row, shape (n,), not {score.shape}.")
    if not isinstance(name, str):
        raise ArgumentTypeError(f"name is what to write beside the axis, not {name!r}.")
    window, confidence = probability("window", window), probability("confidence", confidence)
    predictor = predictor_of(x, score.size)
    codes = None if groups is None else coded(groups, score.size, "groups")[1]
    ax = axes_for(ax, 2.4)
    lowest, highest = _draw_rows(ax, predictor, score)
    if predictor.few and np.bincount(predictor.codes).min() > 1:
        places, found = _means_each(predictor, score, codes, confidence)
    else:
        places, found = running_means(predictor.places, score, codes, window, confidence)
    mean, low, high = (np.array([each[part] for each in found]) for part in (0, 2, 3))
    if predictor.labels is None:
        ax.fill_between(places, low, high, color="0.6", alpha=0.55, linewidth=0, zorder=3)
        ax.plot(places, mean, color=COLOURS[1], linewidth=1.5, zorder=4)
    else:
        errors = np.nan_to_num(np.abs(np.stack([mean - low, high - mean])))
        look = {"markersize": 4.0, "color": COLOURS[1], "elinewidth": 1.2, "capsize": 2.5, "zorder": 4}
        ax.errorbar(places, mean, yerr=errors, fmt="D", **look)
    room = 0.05 * (highest - lowest) or 0.5
    ax.set_ylim(lowest - room, highest + room)
    predictor.dress(ax)
    ax.set_ylabel(name, fontsize=size(ax))
    return ax


def running_means(
    x: FloatArray, score: FloatArray, codes: NDArray[np.int64] | None, window: float, confidence: float
) -> tuple[FloatArray, list[Estimate]]:
    """Means over windows of equally many rows in the order of x, at places that are themselves means."""
    n = score.size
    rows = min(n, max(FEWEST, math.ceil(window * n)))
    order = np.argsort(x, kind="stable")
    starts = np.unique(np.linspace(0, n - rows, PLACES).astype(np.int64))
    places, found = [], []
    for start in starts:
        part = order[start : start + rows]
        places.append(float(x[part].mean()))
        found.append(_mean(score, part, codes, confidence))
    return np.array(places), found


def _mean(score: FloatArray, part: Any, codes: NDArray[np.int64] | None, confidence: float) -> Estimate:
    """Mean of some rows; those of one single group are independent as far as anybody can tell."""
    own = None if codes is None or np.unique(codes[part]).size == 1 else codes[part]
    return mean_with_error(score[part], own, confidence=confidence)


def _means_each(
    predictor: Predictor, score: FloatArray, codes: NDArray[np.int64] | None, confidence: float
) -> tuple[FloatArray, list[Estimate]]:
    found = []
    for code in range(predictor.centres.size):
        part = predictor.codes == code
        found.append(_mean(score, part, codes, confidence))
    return predictor.centres, found


def _draw_rows(ax: Axes, predictor: Predictor, score: FloatArray) -> tuple[float, float]:
    """Scores as dots; those far above are triangles at the edge, and words say how many."""
    finite = score[np.isfinite(score)]
    if finite.size == 0:
        raise DataError("No score is finite: there is nothing to draw.")
    lowest, highest = float(finite.min()), float(finite.max())
    usual = float(np.quantile(finite, SHOWN, method="higher")) if finite.size > 1 else highest
    if highest - lowest > 2.0 * (usual - lowest):
        highest = usual
    beyond = score > highest
    places = predictor.spread()
    ax.plot(places[~beyond], score[~beyond], color=COLOURS[0], **dots(score.size))
    if beyond.any():
        top = np.full(int(beyond.sum()), highest + 0.03 * (highest - lowest))
        ax.plot(places[beyond], top, color=COLOURS[0], linestyle="none", marker="^", markersize=3.5, mew=0)
        above(ax, f"triangles: {int(beyond.sum())} rows above")
    return lowest, highest
