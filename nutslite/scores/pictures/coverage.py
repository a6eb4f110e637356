"""Coverage diagrams: how many observations intervals hold, against how many they should, for all levels at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import DataError
from nutslite.scores.calibration.clusters import independent_rows
from nutslite.scores.calibration.coverage import coded, coverage_band
from nutslite.scores.numerics.checks import levels_of, numbers, probability
from nutslite.scores.pictures.figures import BAND, COLOURS, REFERENCE, STYLES
from nutslite.scores.pictures.paper import SMALL, above, axes_for, label, percent, size, words
from nutslite.scores.pictures.pit import transform

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]

ALL_LEVELS = np.arange(1, 100) / 100
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
MOST_NAMED = 6  # groups that have a line of their own; of more, those outside the band


class _Line(NamedTuple):
    """Coverages of one group."""

    name: str
    rows: int
    share: FloatArray
    outside: NDArray[np.bool_]


@public
def plot_coverage(
    u: Any, levels: Any = None, *, by: Any = None, groups: Any = None, confidence: float = 0.95, ax: Any = None
) -> Axes:
    """Draw the share of rows that central intervals hold against their probability, with a simultaneous band.

    All of the line lies in the band with the probability `confidence` if forecasts are right and rows independent.
    Below the diagonal intervals are too narrow, above it too wide.

    ``#{|2 u_i - 1| <= p}/n`` against p: the band as of `plot_pit` (Säilynoja, Bürkner and Vehtari 2022).

    Parameters
    ----------
    u : array_like, shape (n,) or (n, K)
        Values of `pit`; or, for each of K intervals, 1 where it holds the observation and else 0, with `levels`.
    levels : array_like, shape (K,), optional
        Probabilities of the intervals; by default 1 to 99 % of the transform.
    by : array_like, shape (n,), optional
        Labels: one line each, and the band is that of the smallest group, all groups together. Of more than six
        groups those are named that leave their own band.
    groups : array_like, shape (n,), optional
        Labels of groups whose rows fall together, as for `plot_pit`.
    confidence : float
        Of the band.
    ax : matplotlib.axes.Axes, optional
        What to draw on; by default a new figure, 80 mm wide.

    Returns
    -------
    matplotlib.axes.Axes
    """
    covered, probabilities = _covered(u, levels)
    n, confidence = covered.shape[0], probability("confidence", confidence)
    labels, codes = ([""], np.zeros(n, dtype=np.int64)) if by is None else coded(by, n, "by")
    sure = 1.0 - (1.0 - confidence) / len(labels)
    clusters = None if groups is None else coded(groups, n, "groups")[1]
    lines = []
    for code, name in enumerate(labels):
        own = codes == code
        part = covered[own]
        inside = None if clusters is None else np.unique(clusters[own], return_inverse=True)[1].reshape(-1)
        rows = independent_rows(part, probabilities, inside)
        low, high = coverage_band(rows, probabilities, sure)
        share = part.mean(axis=0)
        lines.append(_Line(str(name), rows, share, (share < low - 1e-12) | (share > high + 1e-12)))
    ax = axes_for(ax, 2.9)
    fewest = min(line.rows for line in lines)
    _band(ax, probabilities, *coverage_band(fewest, probabilities, sure))
    marker = {"marker": "o", "markersize": 3.0} if probabilities.size <= 25 else {}
    if by is None:
        ax.plot(probabilities, lines[0].share, color=COLOURS[0], linewidth=1.4, **marker)
    else:
        _draw_groups(ax, probabilities, lines, marker)
    band = f"grey: {100 * confidence:g} % band if calibrated"
    if by is None:
        words(ax, band, "lower right")
    else:
        above(ax, f"{band}, {fewest} {'rows' if groups is None else 'independent rows'}")
    ax.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), xticks=TICKS, yticks=TICKS)
    percent(ax.xaxis)
    percent(ax.yaxis)
    label(ax, "probability of the interval (%)", "rows that it holds (%)")
    return ax


def _covered(u: Any, levels: Any) -> tuple[FloatArray, FloatArray]:
    """Whether each interval holds each row, shape (n, K), and their probabilities, increasing.

    Raises
    ------
    DataError
    """
    if levels is None:
        if np.ndim(u) == 2:
            raise DataError("u has one column for each interval: give levels=, their probabilities.")
        return (np.abs(2.0 * transform(u) - 1.0)[:, None] <= ALL_LEVELS).astype(np.float64), ALL_LEVELS
    probabilities, held = levels_of(levels), numbers("u", u, "unit")
    held = held[:, None] if held.ndim == 1 and probabilities.size == 1 else held
    if held.ndim != 2 or held.shape[0] == 0 or held.shape[1] != probabilities.size:
        raise DataError(
            f"u has shape {held.shape} and there are {probabilities.size} levels: one row for each observation, one "
            "column for each level."
        )
    if not np.isin(held, (0.0, 1.0)).all():
        raise DataError("With levels, u has 1 where an interval holds its observation and else 0. (Leave levels out.)")
    order = np.argsort(probabilities)
    return held[:, order], probabilities[order]


def _band(ax: Axes, x: FloatArray, low: FloatArray, high: FloatArray) -> None:
    ends = np.concatenate([[0.0], x, [1.0]])
    ax.fill_between(
        ends, np.concatenate([[0.0], low, [1.0]]), np.concatenate([[0.0], high, [1.0]]), color=BAND, linewidth=0
    )
    ax.plot([0.0, 1.0], [0.0, 1.0], **REFERENCE, linestyle=(0, (4, 3)))


def _draw_groups(ax: Axes, x: FloatArray, lines: list[_Line], marker: dict[str, Any]) -> None:
    """A line each; where they are many, those that leave their band stand out."""
    many = len(lines) > MOST_NAMED
    wrong = sorted((line for line in lines if line.outside.any()), key=lambda line: -_excess(line, x))
    named = wrong[:MOST_NAMED] if many else lines
    for line in lines:
        if line not in named:
            ax.plot(x, line.share, color="0.45", linewidth=0.5)
    for place, line in enumerate(named):
        ax.plot(
            x,
            line.share,
            color=COLOURS[place],
            linestyle=STYLES[place],
            linewidth=1.3,
            label=f"{line.name} ({line.rows})",
            **marker,
        )
    if many:
        above(ax, _outside(len(wrong), len(lines)))
    if named:
        ax.legend(fontsize=size(ax, SMALL), frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _excess(line: _Line, x: FloatArray) -> float:
    return float(np.abs(line.share - x).max())


def _outside(wrong: int, groups: int) -> str:
    if wrong == 0:
        return f"all of {groups} groups stay in their bands"
    shown = "" if wrong <= MOST_NAMED else f";\nthe worst {MOST_NAMED} are named"
    return f"{wrong} of {groups} groups leave their bands{shown}"
