"""One transition as a film: state by state over contours of the density, with the energy beside."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nutslite._calls import public
from nutslite.exceptions import SettingError, SettingTypeError
from nutslite.recording.energy_pictures import draw_energy
from nutslite.recording.plane import Coordinate, chosen_coordinates
from nutslite.recording.states import label_of
from nutslite.recording.trajectory_picture import draw_trajectory
from nutslite.recording.transition_record import TransitionRecord
from nutslite.scores.pictures.paper import TEXT, several_axes

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.figure import Figure

ENDINGS = (".gif", ".html")
MOST_STATES = 256
"""A film of more states than this is many megabytes."""

STILL = 6
"""So many frames the last picture stays."""

DPI = 90


class Film:
    """An animation that notebooks show, and that `save` writes.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
    animation : matplotlib.animation.FuncAnimation
    frames_per_second : float
    """

    def __init__(self, figure: Figure, animation: FuncAnimation, frames_per_second: float) -> None:
        self.figure = figure
        self.animation = animation
        self.frames_per_second = frames_per_second

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the film: ``.gif``, or ``.html`` with buttons to go back and forth; replaced if it exists.

        Raises
        ------
        SettingError
            For another ending, or where there is no such folder.
        """
        target = Path(path)
        if target.suffix.lower() not in ENDINGS:
            raise SettingError(f"'{target}': a film's name ends in {' or '.join(ENDINGS)}.")
        if not target.parent.is_dir():
            raise SettingError(f"Cannot save a film to '{target}': there is no folder '{target.parent}'.")
        if target.suffix.lower() == ".html":
            target.write_text(self.to_jshtml(), encoding="utf-8")
        else:
            from matplotlib.animation import PillowWriter

            self.animation.save(target, writer=PillowWriter(fps=self.frames_per_second), dpi=DPI)
        return target

    def to_jshtml(self) -> str:
        """A piece of HTML that plays the film, pictures included."""
        from matplotlib import rc_context

        with rc_context({"savefig.dpi": DPI}):
            html: str = self.animation.to_jshtml(fps=self.frames_per_second, default_mode="once")
        return html

    def _repr_html_(self) -> str:
        return self.to_jshtml()


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
    panels = several_axes(1, 2)
    from matplotlib.animation import FuncAnimation  # several_axes has said what to install

    (orbit, energy), figure = panels, panels.figure
    drawn = (draw_trajectory(orbit, record, places, contours), draw_energy(energy, record))
    title = figure.suptitle("", fontsize=TEXT)

    def show(frame: int) -> list[Any]:
        for states in drawn:
            states.show(frame + 1)
        title.set_text(_words(record, frame))
        return []

    show(count)
    figure.draw_without_rendering()  # finds room for all words once, not for every frame
    figure.set_layout_engine("none")
    return Film(figure, FuncAnimation(figure, show, frames=count + STILL), frames_per_second)


def _words(record: TransitionRecord, frame: int) -> str:
    """Above a frame."""
    if frame == 0:
        return f"transition {record.number}: the start"
    if frame >= record.index.size:
        return f"stopped: {record.stopped}"
    return f"{label_of(record, int(record.doubling[frame]))}: state {record.index[frame]}"
