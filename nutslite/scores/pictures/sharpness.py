"""How sharp forecasts are: widths of intervals, or how far probabilities are from undecided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentTypeError, DataError
from nutslite.scores.calibration.pit import checked_number
from nutslite.scores.numerics.checks import numbers
from nutslite.scores.pictures.figures import COLOURS, PALE
from nutslite.scores.pictures.paper import above, axes_for, label, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]


@public
def plot_sharpness(widths: Any, *, notes: Mapping[str, str] | None = None, ax: Any = None) -> Axes:
    """Draw how widths of intervals, or predictive standard deviations, are distributed over rows.

    A box holds the middle half of the rows, its whiskers 90 %; the line is the median, the dot the mean. Narrower is
    better where coverage is right, and nowhere else.

    Gneiting, Balabdaoui and Raftery (2007), JRSS B 69:243-268: as sharp as possible, provided it is calibrated. ``u -
    l``, or the predictive sd.

    Parameters
    ----------
    widths : dict of array_like, shape (n,), or array_like, shape (n,)
        By what is written beside them: ``{"90 %": upper - lower}``, or ``{"network": sd, "model": sd}``.
    notes : dict of str, optional
        Words for the right side, by the same keys.
    ax : matplotlib.axes.Axes, optional
        What to draw on; by default a new figure, 80 mm wide.

    Returns
    -------
    matplotlib.axes.Axes
    """
    given: Mapping[Any, Any] = widths if isinstance(widths, Mapping) else {"": widths}
    if not given:
        raise DataError("widths is empty: there is nothing to draw.")
    if notes is not None and not isinstance(notes, Mapping):
        raise ArgumentTypeError(f"notes are a dict of words by the keys of widths, not {type(notes).__name__}.")
    arrays = {str(name): _widths(name, each) for name, each in given.items()}
    ax = axes_for(ax, 0.9 + 0.34 * len(arrays))
    for place, each in enumerate(arrays.values()):
        _box(ax, place, each)
    ax.set_yticks(np.arange(len(arrays)), list(arrays), fontsize=size(ax))
    ax.set_ylim(len(arrays) - 0.5, -0.5)
    farthest = max(max(float(np.quantile(each, 0.95)), float(each.mean())) for each in arrays.values())
    ax.set_xlim(0.0, 1.06 * farthest or 1.0)
    ax.set_xlabel("width", fontsize=size(ax))
    ax.set_ylabel("interval" if notes else "", fontsize=size(ax))
    for place, name in enumerate(arrays):
        if notes and name in notes:
            ax.annotate(
                notes[name],
                (1.0, place),
                xycoords=("axes fraction", "data"),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=size(ax, 7),
            )
    return ax


def _box(ax: Axes, place: int, widths: FloatArray) -> None:
    """Quantiles and mean of one set of widths."""
    low, first, median, third, high = np.quantile(widths, [0.05, 0.25, 0.5, 0.75, 0.95])
    ax.hlines(place, low, high, color="black", linewidth=0.8, zorder=1.0)
    ax.vlines([low, high], place - 0.12, place + 0.12, color="black", linewidth=0.8, zorder=1.0)
    ax.barh(place, third - first, left=first, height=0.5, color=PALE, edgecolor="black", linewidth=0.8, zorder=2.0)
    ax.plot([median, median], [place - 0.25, place + 0.25], color="black", linewidth=1.4, zorder=2.5)
    ax.plot(widths.mean(), place, marker="o", markersize=3.5, mfc=COLOURS[1], mec="black", mew=0.5, zorder=3.0)


def plot_probabilities(p: FloatArray, base: float | None, name: str, bins: int = 20, ax: Any = None) -> Axes:
    """Histogram of forecast probabilities: sharp ones are far from the share that came at all."""
    bins = checked_number("bins", bins, 1, 1000)
    ax = axes_for(ax, 2.2)
    ax.hist(p, bins=list(np.linspace(0.0, 1.0, bins + 1)), color=PALE, edgecolor="white", lw=0.6)
    ax.set_xlim(0.0, 1.0)
    if base is not None:
        ax.axvline(base, color=COLOURS[1], linewidth=1.2, linestyle=(0, (4, 2)))
        above(ax, f"dashed: share that came, {100 * base:.3g} %")
    label(ax, name, "rows")
    return ax


def _widths(name: Any, given: Any) -> FloatArray:
    array = numbers(f"widths of '{name}'" if name != "" else "widths", given, "not negative")
    if array.ndim != 1 or array.size == 0:
        raise DataError(f"Widths are one number a row, shape (n,), not {array.shape}; several in a dict.")
    return array
