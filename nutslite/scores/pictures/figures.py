"""What all pictures share: matplotlib, or the error without it; figures without a window; a look that prints well.

Nothing here touches matplotlib's global state, and matplotlib is imported when something is drawn, not before.
"""

from __future__ import annotations

import os
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nutslite.exceptions import DataError, NutsliteError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_INCHES = 1000.0  # of a side of a picture

# Told apart by people who see few colours, and, with the styles beside them, in black and white (Okabe and Ito 2008)
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
STYLES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
PALE = "#9EC9E2"  # areas
BAND = "0.85"  # where something lies that is as it should be
REFERENCE: dict[str, Any] = {"color": "black", "linewidth": 0.6}


class PlotsMissingError(NutsliteError, ImportError):
    """matplotlib is not installed."""


def need_matplotlib() -> None:
    """Say what to install where matplotlib is missing.

    Raises
    ------
    PlotsMissingError
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise PlotsMissingError('Pictures need matplotlib: pip install "nutslite[plots]"') from error


def new_figure(width: float, height: float, kind: type[Figure] | None = None) -> Figure:
    """A figure of so many inches that no window and no list of open figures knows of; of a `kind` of its own.

    Raises
    ------
    PlotsMissingError
        If matplotlib is not installed.
    """
    need_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = (kind or Figure)(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def check_figsize(figsize: Any) -> None:
    """Refuse what is no width and height in inches.

    Raises
    ------
    DataError
    """
    pair = isinstance(figsize, tuple | list | np.ndarray) and len(figsize) == 2
    if not pair or not all(isinstance(side, Real) and 0.0 < float(side) <= MOST_INCHES for side in figsize):
        raise DataError(f"figsize is width and height in inches, (8, 6) for example, not {figsize!r}.")


def check_picture(path: str | os.PathLike[str]) -> Path:
    """The path of a picture, if matplotlib knows its ending; where matplotlib is not installed, any.

    Raises
    ------
    DataError
    """
    target = Path(path)
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        return target
    known = FigureCanvasBase.get_supported_filetypes()
    if target.suffix.lower().removeprefix(".") not in known:
        raise DataError(f"'{target}': a picture's name ends in one of {', '.join(f'.{name}' for name in known)}.")
    return target
