"""One transition as a film: state by state over contours of the density, with the energy beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nutslite._calls import public
from nutslite.exceptions import SettingError, SettingTypeError
from nutslite.recording.checks import check_transition
from nutslite.recording.energy_pictures import draw_energy
from nutslite.recording.plane import Coordinate, chosen_coordinates, view_of
from nutslite.recording.states import label_of
from nutslite.recording.trajectory_picture import draw_trajectory
from nutslite.recording.transition_record import TransitionRecord
from nutslite.scores.pictures.paper import TEXT, several_axes

if TYPE_CHECKING:
    from nutslite.recording.film import Film

MOST_STATES = 256
"""A film of more states than this is many megabytes."""

STILL = 3
"""So many frames the last picture stays."""


@public
def animate(
    record: TransitionRecord,
    *,
    coordinates: Sequence[Coordinate] | None = None,
    contours: bool | None = None,
    frames_per_second: float = 4.0,
) -> Film:
    """A film of a transition: a frame for each leapfrog step in the order in which they were made.

    Left the orbit grows, forwards and backwards, over contours of the density; right is the energy error of its states.
    The last frame has what `plot_trajectory` has: the draw, and what turned.

    Parameters
    ----------
    record : TransitionRecord
    coordinates, contours
        As for `plot_trajectory`.
    frames_per_second : float

    Returns
    -------
    Film
        Shown by notebooks; ``save("orbit.gif")``, ``save("orbit.html")``.

    Raises
    ------
    PlotsMissingError
        If matplotlib is not installed.
    SettingError
        If the transition has more than 256 states, for other than two coordinates, or a speed that is none.
    """
    check_transition(record)
    places = chosen_coordinates(record.names, coordinates, 2, 2, 2)
    if isinstance(frames_per_second, bool) or not isinstance(frames_per_second, int | float):
        raise SettingTypeError(f"frames_per_second must be a number, not {frames_per_second!r}.")
    if not 0.0 < frames_per_second < np.inf:
        raise SettingError(f"frames_per_second must be positive, not {frames_per_second!r}.")
    count = record.index.size
    if count > MOST_STATES:
        raise SettingError(
            f"A film has a frame for each state, at most {MOST_STATES}; transition {record.number} has {count}. Choose "
            "a shorter one, or plot_trajectory."
        )
    view = view_of(record.position[:, places], record.kept)
    panels = several_axes(1, 2)
    from nutslite.recording.film import Film  # several_axes has said what to install

    (orbit, energy), figure = panels, panels.figure
    drawn = (draw_trajectory(orbit, record, places, contours, view), draw_energy(energy, record))
    title = figure.suptitle("", fontsize=TEXT)

    def show(frame: int) -> list[Any]:
        for states in drawn:
            states.show(frame + 1)
        title.set_text(_words(record, frame))
        return []

    show(count)
    return Film(figure, show, count + STILL, frames_per_second)


def _words(record: TransitionRecord, frame: int) -> str:
    """Above a frame."""
    if frame == 0:
        return f"transition {record.number}: the start"
    if frame >= record.index.size:
        return f"stopped: {record.stopped}"
    return f"{label_of(record, int(record.doubling[frame]))}: state {record.index[frame]}"
