"""States of an orbit on axes, coloured by doubling: all of them, or the first ones of a film."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nutslite.recording.transition_record import TransitionRecord
from nutslite.scores.pictures.figures import COLOURS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

HOLLOW = "white"


class States:
    """The states at (x, y), a line that joins them in order of time, and a ring around the draw.

    Parameters
    ----------
    ax : Axes
        Drawn on.
    record : TransitionRecord
    x, y : ndarray (n,)
        Of the states, in the order of the record. What is not finite is not shown.

    Attributes
    ----------
    at_end : list of Artist
        What only shows once all states do.
    """

    def __init__(self, ax: Axes, record: TransitionRecord, x: npt.ArrayLike, y: npt.ArrayLike) -> None:
        self._record, self._x, self._y = record, np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        (self._path,) = ax.plot([], [], color="0.6", linewidth=0.7, zorder=1)
        self._marks = [
            ax.plot(
                [],
                [],
                linestyle="none",
                marker="s" if doubling < 0 else "o",
                markersize=4.5,
                color=colour_of(doubling),
                label=label_of(record, doubling) + (" (dropped)" if self._dropped(doubling) else ""),
                zorder=3,
            )[0]
            for doubling in range(-1, len(record.doublings))
        ]
        drawn = record.row(record.selected)
        look: dict[str, Any] = {
            "markersize": 10,
            "markerfacecolor": "none",
            "color": "black",
            "label": "the draw",
            "zorder": 4,
        }
        (ring,) = ax.plot(self._x[[drawn]], self._y[[drawn]], "o", **look)
        self.at_end: list[Artist] = [ring]
        self.show(self._x.size)
        ax.relim()
        ax.autoscale_view()

    def show(self, count: int) -> None:
        """Show the first states, in the order in which they were integrated."""
        record, seen = self._record, np.arange(self._x.size) < count
        seen &= np.isfinite(self._x) & np.isfinite(self._y)
        finished = count >= self._x.size
        rows = record.orbit[seen[record.orbit]]
        self._path.set_data(self._x[rows], self._y[rows])
        for doubling, mark in enumerate(self._marks, start=-1):
            of_it = seen & (record.doubling == doubling)
            mark.set_data(self._x[of_it], self._y[of_it])
            mark.set_markerfacecolor(HOLLOW if finished and self._dropped(doubling) else colour_of(doubling))
        for artist in self.at_end:
            artist.set_visible(finished)

    def _dropped(self, doubling: int) -> bool:
        return doubling >= 0 and not self._record.doublings[doubling].counts


def colour_of(doubling: int) -> str:
    """Of the states of a doubling; black of the start."""
    return "black" if doubling < 0 else COLOURS[doubling % len(COLOURS)]


def label_of(record: TransitionRecord, doubling: int) -> str:
    """Of a doubling, or of the start."""
    if doubling < 0:
        return "start"
    return f"doubling {doubling}, " + ("forwards" if record.doublings[doubling].direction > 0 else "backwards")
