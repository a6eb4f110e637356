"""Pictures of answers: lines with bands along numbers, points with bars beside categories."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nutslite._calls import unknown_argument
from nutslite.exceptions import ArgumentError, did_you_mean
from nutslite.scores.pictures.figures import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE = ("sharex", "sharey", "alpha", "xlabel", "ylabel", "title", "wrap", "main", "group", "panel")
MOST_PANELS = 60
DODGE = 0.5  # of the room of a category, which colours share
SPREAD = 0.2  # ... and what was observed
GOLDEN = 0.618034  # parts of it, which never come together
MOST_LETTERS = 45  # below an axis, before names are turned


@dataclass(frozen=True)
class _Places:
    """Which column of the table goes along, into colours, into panels; None where none does."""

    main: str | None
    group: str | None
    panel: str | None


@dataclass(frozen=True)
class Drawing:
    """Answers as a picture shows them.

    Attributes
    ----------
    table : DataFrame
        Columns ``estimate`` and the ends of intervals, beside what tells lines apart.
    by : tuple of str
        Columns that were asked about, in the order of a picture: along, colour, panel.
    numbers : frozenset of str
        Columns along which answers are lines.
    category : str or None
        The column of categories of the answers.
    hypotheses : bool
        Whether lines of the table are hypotheses.
    quantity : str
        What stands beside the upright axis.
    bounds : list of tuple of str
        Columns of the lower and upper ends of each interval.
    points : DataFrame or None
        What was observed; the last column is the response.
    called : mapping
        What readers call columns, where that is not their name.
    """

    table: pd.DataFrame
    by: tuple[str, ...]
    numbers: frozenset[str]
    category: str | None
    hypotheses: bool
    quantity: str
    bounds: list[tuple[str, str]]
    points: pd.DataFrame | None
    called: Mapping[str, str]

    def on(self, ax: Axes | Sequence[Axes] | None, style: Mapping[str, Any]) -> Figure:
        """Draw on axes, or on a figure of its own.

        Raises
        ------
        ArgumentError
            For columns that there are not, and more of them than a picture has room for.
        """
        for name in style:
            if name not in STYLE:
                raise unknown_argument("plot", name, STYLE)
        places = self._places(style)
        self._check_apart(places, style)
        panels = [None] if places.panel is None else list(dict.fromkeys(self.table[places.panel]))
        if len(panels) > MOST_PANELS:
            raise ArgumentError(
                f"'{places.panel}' has {len(panels)} values, and a picture {MOST_PANELS} panels at most."
            )
        figure, axes = _axes(ax, len(panels), style)
        for panel, one in zip(panels, axes, strict=False):
            self._draw_panel(places, panel, one, float(style.get("alpha", 0.25)))
            one.set_xlabel(style.get("xlabel", self._called(places.main)))
            one.set_ylabel(style.get("ylabel", self.quantity))
            if ax is None:
                one.label_outer()
            if panel is not None:
                one.set_title(f"{self._called(places.panel)} = {_text(panel)}")
        if "title" in style:
            figure.suptitle(style["title"]) if len(panels) > 1 else axes[0].set_title(style["title"])
        return figure

    def _called(self, column: str | None) -> str:
        return "" if column is None else self.called.get(column, column)

    def _places(self, style: Mapping[str, Any]) -> _Places:
        """As asked for, else the covariates of the question in their order, then terms, contrasts, categories."""
        table = self.table
        order = [name for name in self.by if name in table]
        order += [name for name in ("term", "value", "hypothesis") if name in table and table[name].nunique() > 1]
        order += [] if self.category is None else [self.category]
        if not order:
            if len(table) > 1 and not self.hypotheses:
                raise ArgumentError(
                    "There is nothing to draw along: ask about covariates (conditional=), or about averages (by=)."
                )
            order = [name for name in ("term", "hypothesis") if name in table]
        chosen = {name: style.get(name) for name in ("main", "group", "panel")}
        for name in filter(None, chosen.values()):
            if name not in table:
                known = [str(column) for column in table]
                raise ArgumentError(f"The answers have no column '{name}'.{did_you_mean(name, known)}")
        rest = [name for name in dict.fromkeys(order) if name not in chosen.values()]
        for place in chosen:
            if chosen[place] is None and rest:
                chosen[place] = rest.pop(0)
        if rest:
            raise ArgumentError(
                f"A picture has room for three columns, and these answers have more: {', '.join(order)}. Give some of "
                "them one value each, or average over them."
            )
        return _Places(chosen["main"], chosen["group"], chosen["panel"])

    def _check_apart(self, places: _Places, style: Mapping[str, Any]) -> None:
        """Refuse answers of rows that would lie over each other, unless the user has said where they go."""
        columns = [name for name in (places.main, places.group, places.panel) if name is not None]
        different = self.table.drop_duplicates()
        if style.get("main") is None and different.duplicated(columns).any():
            places_of = different[columns].drop_duplicates()
            raise ArgumentError(
                f"The picture would show {len(different)} answers at {len(places_of)} places: "
                "average them (by=), or say which covariates may vary (conditional=)."
            )

    def _draw_panel(self, places: _Places, panel: Any, ax: Axes, alpha: float) -> None:
        table = self.table if panel is None else self.table[self.table[places.panel] == panel]
        groups = [None] if places.group is None else list(dict.fromkeys(self.table[places.group]))
        if len(groups) > len(COLOURS):
            raise ArgumentError(
                f"'{places.group}' has {len(groups)} values, and a picture {len(COLOURS)} colours: give it fewer "
                f"values, or panels of its own (panel='{places.group}')."
            )
        main = table[places.main] if places.main is not None else pd.Series([""] * len(table), index=table.index)
        numeric = places.main in self.numbers
        levels = list(dict.fromkeys(self.table[places.main])) if places.main is not None else [""]
        if self.points is not None and places.main in self.points:
            _draw_points(self.points, places, panel, groups, ax, None if numeric else levels)
        for k, group in enumerate(groups):
            part = table if group is None else table[table[places.group] == group]
            if part.empty:
                continue
            colour, label = COLOURS[k], None if group is None else _text(group)
            if numeric:
                part = part.sort_values(str(places.main), kind="stable")
                across = part[places.main].to_numpy(dtype=float)
                ax.plot(across, part["estimate"], color=colour, label=label, lw=1.6)
                for low, high in self.bounds:
                    ax.fill_between(across, part[low], part[high], color=colour, alpha=alpha, lw=0.0)
                continue
            shift = _shift(k, len(groups))
            across = np.array([levels.index(value) for value in main[part.index]]) + shift
            for low, high in self.bounds:
                # Lines, not a collection: the legend keeps clear of lines alone.
                ax.plot([across, across], [part[low], part[high]], color=colour, lw=1.6, alpha=0.8)
            ax.plot(across, part["estimate"], "o", color=colour, label=label, ms=5)
        if not numeric:
            names = [_text(level) for level in levels]
            ax.set_xticks(range(len(levels)), names, rotation=30 if sum(map(len, names)) > MOST_LETTERS else 0)
            ax.margins(x=0.08)
        if places.group is not None:
            ax.legend(title=self._called(places.group), frameon=False, fontsize="small")


def _axes(given: Any, panels: int, style: Mapping[str, Any]) -> tuple[Figure, list[Axes]]:
    if given is not None:
        axes = list(np.ravel(np.asarray(given, dtype=object)))
        if len(axes) < panels:
            raise ArgumentError(f"The picture has {panels} panels, and {len(axes)} axes were given.")
        return axes[0].figure, axes
    wrap = style.get("wrap", 3)
    if isinstance(wrap, bool) or not isinstance(wrap, int) or wrap < 1:
        raise ArgumentError(f"wrap is a number of panels in a line, 1 or more, not {wrap!r}.")
    columns = min(panels, wrap)
    rows = math.ceil(panels / columns)
    from nutslite.scores.pictures.panel import Page

    figure = new_figure(max(5.2, 3.0 * columns), 2.8 * rows if rows > 1 else 3.6, Page)
    shared = {"sharex": style.get("sharex", True), "sharey": style.get("sharey", True)}
    axes = list(figure.subplots(rows, columns, squeeze=False, **shared).flat)
    for unused in axes[panels:]:
        unused.remove()
    return figure, axes[:panels]


def _draw_points(
    points: pd.DataFrame, places: _Places, panel: Any, groups: list[Any], ax: Axes, levels: list[Any] | None
) -> None:
    """What was observed, in the colour of its group; along numbers `levels` is None."""
    assert places.main is not None
    response = points.columns[-1]
    if panel is not None and places.panel in points:
        points = points[points[places.panel] == panel]
    for k, group in enumerate(groups):
        part = points if group is None or places.group not in points else points[points[places.group] == group]
        x = part[places.main]
        across = x
        if levels is not None:  # beside each other, so that neither hides the other or the interval
            places_of = x.map({level: place for place, level in enumerate(levels)}).astype(float)
            shared = len(groups) if places.group in points else 1
            across = places_of + _shift(k, shared) + SPREAD / shared * (np.arange(len(x)) * GOLDEN % 1.0 - 0.5)
        ax.plot(across, part[response], ".", color=COLOURS[k], alpha=0.4, ms=4, zorder=0)
        if places.group not in points:
            return


def _shift(k: int, groups: int) -> float:
    """How far from its category's middle the k-th colour stands."""
    return 0.0 if groups == 1 else DODGE * ((k + 0.5) / groups - 0.5)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
