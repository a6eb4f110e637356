"""A picture of one trajectory: its states over contours of the density, the doublings coloured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nutslite._calls import public
from nutslite.recording.checks import check_transition
from nutslite.recording.plane import Array, Coordinate, checked_limits, chosen_coordinates, draw_contours, view_of
from nutslite.recording.states import States
from nutslite.recording.transition_record import TransitionRecord
from nutslite.scores.pictures.paper import SMALL, axes_for, label, size

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 5.0, 3.4
ARROW = 0.15
"""Length of the longer velocity, of the picture's extent."""


@public
def plot_trajectory(
    record: TransitionRecord,
    *,
    coordinates: Sequence[Coordinate] | None = None,
    contours: bool | None = None,
    limits: Any = None,
    legend: bool = True,
    ax: Any = None,
) -> Axes:
    """Draw the states of a transition in two coordinates, over contours of the density.

    Each doubling has a colour. States of a doubling that does not count are hollow. A ring is around the draw. Where a
    sub-trajectory turned, a dashed line joins its ends, and arrows are the velocities there.

    Parameters
    ----------
    record : TransitionRecord
    coordinates : pair of int or str, optional
        Which two, by number or name; by default the first two.
    contours : bool, optional
        Whether to draw contours of the density, every half a standard deviation were it normal, all other
        coordinates being as at the start. By default where there are no others.
    limits : pair of pairs of float, optional
        ``((left, right), (bottom, top))``; by default what the orbit needs. States that flew away are not in it.
    legend : bool
    ax : matplotlib.axes.Axes, optional
        What to draw on; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    PlotsMissingError
        If matplotlib is not installed.
    SettingError
        For other than two coordinates, or some that there are not; for limits that are none.
    """
    check_transition(record)
    places = chosen_coordinates(record.names, coordinates, 2, 2, 2)
    view = view_of(record.position[:, places], record.kept) if limits is None else checked_limits(limits)
    ax = axes_for(ax, HEIGHT, WIDTH if legend else HEIGHT)
    draw_trajectory(ax, record, places, contours, view)
    if legend:
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=size(ax, SMALL))
    return ax


def draw_trajectory(
    ax: Axes, record: TransitionRecord, places: Sequence[int], contours: bool | None, view: tuple[Array, Array]
) -> States:
    """The picture without its legend; the states, of which a film shows the first."""
    positions, (low, high) = record.position[:, list(places)], view
    if contours or (contours is None and record.dimension == 2):
        draw_contours(ax, record, places, low, high)
    states = States(ax, record, positions[:, 0], positions[:, 1])
    if record.turn is not None:
        states.at_end += _drawn_turn(ax, record, places, high - low)
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    label(ax, record.names[places[0]], record.names[places[1]])
    return states


def _drawn_turn(ax: Axes, record: TransitionRecord, places: Sequence[int], extent: Any) -> list[Artist]:
    """Where the sub-trajectory that turned begins and ends, and where it goes there."""
    assert record.turn is not None
    rows = [record.row(record.turn.first), record.row(record.turn.last)]
    ends, velocity = record.position[rows][:, list(places)], record.velocity[rows][:, list(places)]
    (line,) = ax.plot(ends[:, 0], ends[:, 1], "--", color="black", linewidth=0.9, label="turned", zorder=2)
    longest = max(float(np.max(np.abs(velocity) / extent)), np.finfo(float).tiny)
    arrows = ARROW * velocity / longest
    look: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1.0, "width": 0.006, "color": "black"}
    return [line, ax.quiver(ends[:, 0], ends[:, 1], arrows[:, 0], arrows[:, 1], zorder=5, **look)]
