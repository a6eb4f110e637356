"""Axes on a figure of their own, that notebooks show. Imported when something is drawn: this file needs matplotlib."""

from __future__ import annotations

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure

DPI = 200
PAGE_DPI = 110  # of figures with text of the usual size


class Panel(Axes):
    """Axes whose figure nobody else draws on: their text is small enough for a column of 80 mm."""

    def _repr_png_(self) -> bytes:
        assert isinstance(self.figure, Figure)
        return png(self.figure)


class Page(Figure):
    """A whole figure that notebooks show."""

    def _repr_png_(self) -> bytes:
        return png(self, PAGE_DPI)


class Panels(tuple[Axes, ...]):
    """Several of them on one figure; ``figure`` is it."""

    __slots__ = ()

    @property
    def figure(self) -> Figure:
        """The figure that they are on."""
        found = self[0].figure
        assert isinstance(found, Figure)
        return found

    def _repr_png_(self) -> bytes:
        return png(self.figure)


def png(figure: Figure, dpi: int = DPI) -> bytes:
    """A figure as PNG."""
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=dpi)
    return memory.getvalue()
