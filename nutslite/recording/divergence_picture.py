"""A picture of where trajectories diverged, for pairs of coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nutslite._calls import public
from nutslite.exceptions import SettingError
from nutslite.recording.chain_record import ChainRecord
from nutslite.recording.checks import check_chain
from nutslite.recording.plane import Coordinate, chosen_coordinates
from nutslite.scores.pictures.figures import COLOURS
from nutslite.scores.pictures.paper import dots, label, several_axes, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nutslite.scores.pictures.panel import Panels

MOST = 5
"""Coordinates in one picture."""


@public
def plot_divergences(
    record: ChainRecord, *, coordinates: Sequence[Coordinate] | None = None, warmup: bool = False
) -> Panels:
    """Draw draws, and where trajectories diverged, for all pairs of some coordinates.

    A line leads from the start of a divergent transition to the state where its energy error passed 1000, as far as
    the picture goes. Where such lines crowd, the density has a place too narrow for the step size.

    Parameters
    ----------
    record : ChainRecord
    coordinates : sequence of int or str, optional
        Two to five, by number or name; by default the first three.
    warmup : bool
        Whether to show divergences of the warm-up too, which mean little while the step size is being found.

    Returns
    -------
    Panels
        Axes of the lower triangle, row by row; those above it are empty. ``figure`` is their figure.

    Raises
    ------
    PlotsMissingError
        If matplotlib is not installed.
    SettingError
        If there are no draws, or no such coordinates.
    """
    check_chain(record)
    if len(record) == record.tune:
        raise SettingError("This chain has no draws after warm-up: there is nothing to draw.")
    places = chosen_coordinates(record.names, coordinates, 3, 2, MOST)
    count = len(places) - 1
    panels = several_axes(count, count)
    for row in range(count):
        for column in range(count):
            ax = panels[row * count + column]
            if column > row:
                ax.set_visible(False)
                continue
            _draw_pair(ax, record, [places[column], places[row + 1]], warmup)
            label(
                ax,
                record.names[places[column]] if row == count - 1 else "",
                record.names[places[row + 1]] if column == 0 else "",
            )
    n = int(np.sum(warmup | (record.divergent >= record.tune)))
    words(panels[0], f"{n} divergence{'s' * (n != 1)}", "upper right")
    return panels


def _draw_pair(ax: Axes, record: ChainRecord, pair: list[int], warmup: bool) -> None:
    draws = record.draws[:, pair]
    ax.plot(*draws.T, color=COLOURS[4], **dots(len(draws)))
    shown = warmup | (record.divergent >= record.tune)
    starts, ends = record.diverged_from[shown][:, pair], record.diverged_at[shown][:, pair]
    everything = np.concatenate([draws, starts])
    low, high = everything.min(axis=0), everything.max(axis=0)
    margin = 0.1 * np.maximum(high - low, 1e-12)
    low, high = low - margin, high + margin
    for start, end in zip(starts, ends, strict=True):
        line = np.array([start, end])
        if np.isfinite(line).all():
            ax.plot(*line.T, color=COLOURS[1], linewidth=0.4, alpha=0.5)
            ax.plot(*end, "x", color=COLOURS[1], markersize=3)
    ax.plot(*starts.T, "o", color=COLOURS[1], markersize=3, markeredgecolor="white", markeredgewidth=0.3)
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
