"""What pictures are drawn on, and how large their text is: the user's Axes as they are, or a column of 80 mm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentTypeError
from nutslite.scores.pictures.figures import need_matplotlib, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from nutslite.scores.pictures.panel import Panels

FloatArray = NDArray[np.float64]

COLUMN = 80 / 25.4  # inches
TEXT, SMALL = 8.0, 7.0  # points, of labels and of words inside
MANY = 2000  # dots, beyond which they are pixels in drawings too


def axes_for(ax: Any, height: float = 2.5, width: float = COLUMN) -> Axes:
    """The Axes that are given, or new ones, of one column's width where none is asked for.

    Raises
    ------
    PlotsMissingError
        If matplotlib is not installed.
    ArgumentTypeError
        Where `ax` is something else.
    """
    need_matplotlib()
    from matplotlib.axes import Axes

    from nutslite.scores.pictures.panel import Panel

    if ax is None:
        return _prepared(new_figure(width, height).add_subplot(axes_class=Panel))
    if not isinstance(ax, Axes):
        hint = " Give one of them, axes[0] for example." if np.iterable(ax) else ""
        raise ArgumentTypeError(f"ax is an Axes of matplotlib, not {type(ax).__name__}.{hint}")
    return ax


def several_axes(rows: int, columns: int) -> Panels:
    """Axes on one figure, row by row, each of one column's width."""
    need_matplotlib()
    from nutslite.scores.pictures.panel import Panel, Panels

    figure = new_figure(COLUMN * columns, 2.8 * rows)
    places = range(1, rows * columns + 1)
    return Panels(_prepared(figure.add_subplot(rows, columns, place, axes_class=Panel)) for place in places)


def size(ax: Axes, points: float = TEXT) -> float | None:
    """Size of text: small on axes that are ours, matplotlib's setting on those of the user."""
    from nutslite.scores.pictures.panel import Panel

    return points if isinstance(ax, Panel) else None


def label(ax: Axes, x: str, y: str) -> None:
    """Words beside the axes."""
    ax.set_xlabel(x, fontsize=size(ax))
    ax.set_ylabel(y, fontsize=size(ax))


def words(ax: Axes, text: str, corner: str = "upper left") -> None:
    """Words in a corner, inside, where the picture leaves room."""
    top, left = corner.startswith("upper"), corner.endswith("left")
    ax.annotate(
        text,
        (0.0 if left else 1.0, 1.0 if top else 0.0),
        xycoords="axes fraction",
        xytext=(4 if left else -4, -4 if top else 4),
        textcoords="offset points",
        ha="left" if left else "right",
        va="top" if top else "bottom",
        fontsize=size(ax, SMALL),
        linespacing=1.25,
    )


def above(ax: Axes, text: str) -> None:
    """Words above, at the left, over those that are there."""
    there = ax.get_title(loc="left")
    ax.set_title(f"{text}\n{there}" if there else text, fontsize=size(ax, SMALL), loc="left", linespacing=1.25)


def percent(axis: Axis) -> None:
    """Shares on this axis in per cent; its label says so."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(
        FuncFormatter(lambda share, _: f"{round(100.0 * share, 6):g}".replace("-", "\N{MINUS SIGN}"))
    )


def dots(n: int) -> dict[str, Any]:
    """How n observations are drawn so that they hide neither each other nor what is beneath."""
    crowd = min(1.0, (300 / max(n, 1)) ** 0.5)
    return {
        "linestyle": "none",
        "marker": "o",
        "markersize": 1.2 + 1.5 * crowd,
        "alpha": max(0.12, crowd),
        "mew": 0,
        "rasterized": n > MANY,
    }


def number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def _prepared(ax: Axes) -> Axes:
    ax.tick_params(labelsize=SMALL, width=0.6, length=2.5)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for spine in ax.spines.values():
        spine.set_linewidth(0.6)
    return ax
