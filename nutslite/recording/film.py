"""Films that notebooks show and that can be saved. Imported when one is made: this file needs matplotlib."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nutslite.exceptions import SettingError

ENDINGS = (".gif", ".html")
DPI = 75


class Film:
    """An animation that notebooks show, and that `save` writes.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
    frames_per_second : float
    """

    def __init__(self, figure: Figure, show: Any, frames: int, frames_per_second: Any) -> None:
        figure.draw_without_rendering()  # finds room for all words once, not for every frame
        figure.set_layout_engine(None)
        FilmCanvas(figure)
        self.figure = figure
        self.frames_per_second = frames_per_second
        self._show, self._frames = show, frames

    @cached_property
    def animation(self) -> FuncAnimation:
        """Made when it is needed: matplotlib warns of one that nobody looks at."""
        return FuncAnimation(self.figure, self._show, frames=self._frames, init_func=lambda: self._show(0))

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
            self.animation.save(target, writer=PillowWriter(fps=self.frames_per_second), dpi=DPI)
        return target

    def to_jshtml(self) -> str:
        """A piece of HTML that plays the film, pictures included."""
        with rc_context({"savefig.dpi": DPI}):
            html: str = self.animation.to_jshtml(fps=self.frames_per_second, default_mode="once")
        return html

    def _repr_html_(self) -> str:
        return self.to_jshtml()


class FilmCanvas(FigureCanvasAgg):
    """A canvas that draws a frame when it is saved, and not once more when its artists have changed."""

    def draw_idle(self, *arguments: Any, **options: Any) -> None:
        """Nothing: there is no window."""
