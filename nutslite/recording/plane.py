"""Two coordinates as a plane: which ones, how far the picture goes, contours of the density."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nutslite.exceptions import SettingError, SettingTypeError, did_you_mean
from nutslite.recording.transition_record import TransitionRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]
Coordinate = int | str

GRID = 50
"""Points along each axis at which the density is evaluated for contours."""

LEVELS = 0.5 * np.arange(0.5, 6.5, 0.5) ** 2
"""Contours are so far below the highest log density: a normal one at 0.5, 1, ..., 6 standard deviations."""

DEEPEST = 1e6
"""What is less dense than this, or has no density, is as deep."""

MARGIN = 0.35
"""Of the extent of an orbit, around it."""

FLOWN = 3.0
"""Dropped states further away than so many times the trajectory's extent are not in the picture."""


def chosen_coordinates(names: Sequence[str], wanted: Any, default: int, least: int, most: int) -> list[int]:
    """Places of the coordinates that were asked for, by number or by name; by default the first ones.

    Raises
    ------
    SettingError
        If they are too few or too many, or there is no such coordinate.
    """
    if wanted is None:
        wanted = range(min(default, len(names)))
    if isinstance(wanted, str) or not isinstance(wanted, Iterable):
        raise SettingTypeError(f"coordinates are a list of numbers or names, not {wanted!r}.")
    asked = list(wanted)
    places = [_place(names, item) for item in asked]
    if not least <= len(places) <= most or len(set(places)) < len(places):
        number = str(most) if least == most else f"{least} to {most}"
        raise SettingError(f"This picture has {number} different coordinates, of {len(names)}; asked for were {asked}.")
    return places


def _place(names: Sequence[str], item: Any) -> int:
    if isinstance(item, str):
        if item not in names:
            raise SettingError(f"There is no coordinate '{item}'.{did_you_mean(item, names)}")
        return list(names).index(item)
    try:
        place = operator.index(item)
    except TypeError as error:
        raise SettingTypeError(f"A coordinate is named by its number or its name, not by {item!r}.") from error
    if not 0 <= place < len(names):
        raise SettingError(f"There is no coordinate {place}: there are {len(names)}, numbered from 0.")
    return place


def checked_limits(limits: Any) -> tuple[Array, Array]:
    """Lower and upper ends (2,) from ``((left, right), (bottom, top))``.

    Raises
    ------
    SettingError
        If they are none.
    """
    try:
        ends = np.asarray(limits, dtype=np.float64)
    except (TypeError, ValueError):
        ends = np.empty(0)
    if ends.shape != (2, 2) or not np.isfinite(ends).all() or not (ends[:, 0] < ends[:, 1]).all():
        raise SettingError(f"limits are ((left, right), (bottom, top)), the smaller first, not {limits!r}.")
    return ends[:, 0], ends[:, 1]


def view_of(positions: Array, kept: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
    """Lower and upper ends (2,) of what a picture shows: the trajectory, and dropped states unless they flew away."""
    inside = positions[kept]
    low, high = inside.min(axis=0), inside.max(axis=0)
    reach = np.maximum(high - low, np.finfo(float).tiny)
    dropped = positions[~kept]
    near = np.isfinite(dropped).all(axis=1) & (np.abs(dropped - 0.5 * (low + high)) <= FLOWN * reach).all(axis=1)
    everything = np.concatenate([inside, dropped[near]])
    low, high = everything.min(axis=0), everything.max(axis=0)
    half = 0.5 * np.maximum(high - low, 0.5 * (high - low).max()) * (1.0 + 2.0 * MARGIN)
    half = np.where(half > 0.0, half, 1.0)  # one state alone
    return 0.5 * (low + high) - half, 0.5 * (low + high) + half


def draw_contours(ax: Axes, record: TransitionRecord, places: Sequence[int], low: Array, high: Array) -> None:
    """Contours of the log density over two coordinates; others stay where the transition started."""
    first, second = (np.linspace(low[axis], high[axis], GRID) for axis in range(2))
    position, values = record.position[0].copy(), np.empty((GRID, GRID))
    for row in range(GRID):
        for column in range(GRID):
            position[list(places)] = first[column], second[row]
            values[row, column] = record.logdensity(position)[0]
    known = np.concatenate([values[np.isfinite(values)], record.logp[record.kept]])
    depth = np.where(np.isfinite(values), known.max() - values, DEEPEST)
    ax.contour(first, second, np.minimum(depth, DEEPEST), levels=LEVELS, colors="0.75", linewidths=0.6, zorder=0)
