"""Fan charts: predictive intervals against a predictor, with the observations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, DataError
from nutslite.scores.numerics.checks import levels_of, numbers, observations
from nutslite.scores.pictures.figures import COLOURS
from nutslite.scores.pictures.paper import SMALL, axes_for, dots, size
from nutslite.scores.pictures.predictor import Predictor, predictor_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]

LIGHTEST, DARKEST = 0.88, 0.62  # greys of the widest and the narrowest interval
MOST_INTERVALS = 5
SAME = 1e-9


@public
def plot_fan(y: Any, x: Any, q: Any, levels: Any, *, ax: Any = None) -> Axes:
    """Draw predictive intervals against a predictor, and what came.

    Intervals of rows with the same predictor are averaged; where the predictor has many values, those of bins of
    about equally many rows. Observations outside the widest interval of their own row are crosses.

    Means over bins of ``q_tau(x)``; fan charts: Britton, Fisher and Whitley (1998), Bank of England Quarterly Bulletin
    38:30.

    Parameters
    ----------
    y : array_like, shape (n,)
        Observations.
    x : array_like, shape (n,)
        The predictor: numbers or labels. The name of a pandas Series is written beside the axis.
    q : array_like, shape (n, K)
        Predictive quantiles.
    levels : array_like, shape (K,)
        Their levels: pairs such as 0.05 and 0.95, and 0.5, which is drawn as a line.
    ax : matplotlib.axes.Axes, optional
        What to draw on; by default a new figure, 80 mm wide.

    Returns
    -------
    matplotlib.axes.Axes
    """
    levels, q, y = levels_of(levels), numbers("q", q), observations(y)
    if q.shape != (y.size, levels.size) or y.size == 0:
        raise DataError(f"q has shape {q.shape}: one row for each of {y.size} y, one column for each of {levels.size}.")
    pairs = central_pairs(levels)
    if not pairs:
        raise ArgumentError("levels has no pair that makes a central interval, such as 0.05 and 0.95.")
    predictor = predictor_of(x, y.size)
    ax = axes_for(ax, 2.6)
    means = predictor.means(q)
    for place, (prob, low, high) in enumerate(pairs):
        shade = LIGHTEST - (LIGHTEST - DARKEST) * place / max(1, len(pairs) - 1)
        _interval(ax, predictor, means[:, low], means[:, high], str(round(shade, 3)), f"{100 * prob:.3g} %")
    middle = np.flatnonzero(np.abs(levels - 0.5) < SAME)
    if middle.size:
        _median(ax, predictor, means[:, middle[0]])
    _, low, high = pairs[0]
    outside = (y < q[:, low]) | (y > q[:, high])
    places = predictor.spread()
    look = dots(y.size)
    ax.plot(places[~outside], y[~outside], color=COLOURS[0], **look)
    cross = {"marker": "x", "mew": 0.25 * look["markersize"], "markersize": 1.3 * look["markersize"]}
    ax.plot(places[outside], y[outside], color=COLOURS[1], **{**look, **cross, "alpha": min(1.0, 2.0 * look["alpha"])})
    predictor.dress(ax)
    ax.set_ylabel("what came", fontsize=size(ax))
    ax.legend(
        fontsize=size(ax, SMALL),
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=MOST_INTERVALS + 1,
        handlelength=1.0,
        columnspacing=1.0,
        handletextpad=0.4,
        borderaxespad=0.2,
    )
    return ax


def central_pairs(levels: FloatArray) -> list[tuple[float, int, int]]:
    """Central intervals that levels make: probability and the places of their ends, the widest first.

    Raises
    ------
    ArgumentError
        Where there are more than a picture shows.
    """
    found = []
    for low, level in enumerate(levels):
        for high in np.flatnonzero(np.abs(levels + level - 1.0) < SAME):
            if level < 0.5 - SAME:
                found.append((round(1.0 - 2.0 * float(level), 12), low, int(high)))
    if len(found) > MOST_INTERVALS:
        raise ArgumentError(f"levels make {len(found)} intervals; a picture shows {MOST_INTERVALS} at most.")
    return sorted(found, reverse=True)


def _interval(ax: Axes, predictor: Predictor, low: FloatArray, high: FloatArray, shade: str, name: str) -> None:
    """One interval: an area along numbers, bars at labels."""
    if predictor.labels is not None:
        ax.bar(predictor.centres, high - low, bottom=low, width=0.8, color=shade, linewidth=0, label=name)
    elif predictor.centres.size == 1:
        ax.bar(predictor.centres, high - low, bottom=low, color=shade, linewidth=0, label=name)
    else:
        ax.fill_between(predictor.centres, low, high, color=shade, linewidth=0, label=name)


def _median(ax: Axes, predictor: Predictor, median: FloatArray) -> None:
    look: dict[str, Any] = {"color": "black", "linewidth": 1.0, "zorder": 3.0}
    if predictor.labels is not None or predictor.centres.size == 1:
        ax.hlines(median, predictor.centres - 0.4, predictor.centres + 0.4, **look, label="median")
    else:
        ax.plot(predictor.centres, median, **look, label="median")
