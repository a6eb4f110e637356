"""Pictures of answers: lines with bands along numbers, points with bars beside categories."""

from __future__ import annotations

import math
from collections.abc import Sequence
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

    from nutslite.interpret.estimates import Estimates

STYLE = ("sharex", "sharey", "alpha", "xlabel", "ylabel", "title", "wrap", "main", "group", "panel")
MOST_PANELS = 60
DODGE = 0.5  # of the room of a category, which colours share
WIDE = 8  # values of a number from which on they are a line


@dataclass(frozen=True)
class _Places:
    """Which column of the table goes along, into colours, into panels; None where none does."""

    main: str | None
    group: str | None
    panel: str | None


def draw(estimates: Estimates, ax: Axes | Sequence[Axes] | None, *, points: bool = False, **style: Any) -> Figure:
    """What `Estimates.plot` does."""
    for name in style:
        if name not in STYLE:
            raise unknown_argument("plot", name, STYLE)
    table = estimates.summary.reset_index(drop=True)
    places = _places(estimates, table, style)
    panels = [None] if places.panel is None else list(dict.fromkeys(table[places.panel]))
    if len(panels) > MOST_PANELS:
        raise ArgumentError(f"'{places.panel}' has {len(panels)} values, and a picture {MOST_PANELS} panels at most.")
    figure, axes = _axes(ax, len(panels), style)
    for panel, one in zip(panels, axes, strict=False):
        part = table if panel is None else table[table[places.panel] == panel]
        _panel(estimates, part, places, one, float(style.get("alpha", 0.25)), points, panel)
        one.set_xlabel(style.get("xlabel", places.main or ""))
        one.set_ylabel(style.get("ylabel", _quantity(estimates)))
        if ax is None:
            one.label_outer()
        if panel is not None:
            one.set_title(f"{places.panel} = {_text(panel)}")
    if "title" in style:
        figure.suptitle(style["title"]) if len(panels) > 1 else axes[0].set_title(style["title"])
    return figure


def _places(estimates: Estimates, table: pd.DataFrame, style: dict[str, Any]) -> _Places:
    """As asked for, else the covariates of the question in their order, then terms, contrasts, categories."""
    extra = [name for name in ("term", "value", "hypothesis") if name in table and table[name].nunique() > 1]
    if estimates.category is not None:
        extra.append(estimates.category[0])
    order = [*(name for name in estimates.by if name in table), *extra]
    if not order:
        if len(table) > 1 and estimates.kind != "hypotheses":
            raise ArgumentError(
                "There is nothing to draw along: ask about covariates (conditional=), or about averages (by=)."
            )
        order = [name for name in ("term", "hypothesis") if name in table]
    chosen = {name: style.get(name) for name in ("main", "group", "panel")}
    for name in filter(None, chosen.values()):
        if name not in table:
            raise ArgumentError(f"The answers have no column '{name}'.{did_you_mean(name, [str(c) for c in table])}")
    rest = [name for name in order if name not in chosen.values()]
    if chosen["main"] is None and rest:
        chosen["main"] = rest.pop(0)
    if chosen["group"] is None and rest:
        chosen["group"] = rest.pop(0)
    if chosen["panel"] is None and rest:
        chosen["panel"] = rest.pop(0)
    if rest:
        raise ArgumentError(
            f"A picture has room for three columns, and these answers have more: {', '.join(order)}. Give some of them "
            "one value each, or average over them."
        )
    return _Places(chosen["main"], chosen["group"], chosen["panel"])


def _axes(given: Any, panels: int, style: dict[str, Any]) -> tuple[Figure, list[Axes]]:
    if given is not None:
        axes = list(np.ravel(np.asarray(given, dtype=object)))
        if len(axes) < panels:
            raise ArgumentError(f"The picture has {panels} panels, and {len(axes)} axes were given.")
        return axes[0].figure, axes
    columns = min(panels, int(style.get("wrap", 3)))
    rows = math.ceil(panels / columns)
    figure = new_figure(max(5.2, 3.0 * columns), 2.8 * rows if rows > 1 else 3.6)
    shared = {"sharex": style.get("sharex", True), "sharey": style.get("sharey", True)}
    axes = list(figure.subplots(rows, columns, squeeze=False, **shared).flat)
    for unused in axes[panels:]:
        unused.remove()
    return figure, axes[:panels]


def _panel(
    estimates: Estimates, table: pd.DataFrame, places: _Places, ax: Axes, alpha: float, points: bool, panel: Any
) -> None:
    groups = [None] if places.group is None else list(dict.fromkeys(table[places.group]))
    if len(groups) > len(COLOURS):
        raise ArgumentError(
            f"'{places.group}' has {len(groups)} values, and a picture {len(COLOURS)} colours: give it fewer values, "
            f"or panels of its own (panel='{places.group}')."
        )
    main = table[places.main] if places.main is not None else pd.Series([""] * len(table), index=table.index)
    numeric = pd.api.types.is_numeric_dtype(main.dtype) and not pd.api.types.is_bool_dtype(main.dtype)
    numeric = numeric and (main.nunique() > WIDE or main.dtype.kind == "f" or places.main in estimates.by)
    levels = list(dict.fromkeys(main))
    bounds = estimates.intervals.names()
    if points and estimates.points is not None:
        _points(estimates, places, ax, numeric, levels, groups, panel)
    for k, group in enumerate(groups):
        part = table if group is None else table[table[places.group] == group]
        colour, label = COLOURS[k], None if group is None else _text(group)
        x = main[part.index]
        if numeric:
            order = np.argsort(x.to_numpy(), kind="stable")
            part, across = part.iloc[order], x.to_numpy(dtype=float)[order]
            ax.plot(across, part["estimate"], color=colour, label=label, lw=1.6)
            for low, high in bounds:
                ax.fill_between(across, part[low], part[high], color=colour, alpha=alpha, lw=0.0)
            continue
        shift = 0.0 if len(groups) == 1 else DODGE * ((k + 0.5) / len(groups) - 0.5)
        across = np.array([levels.index(value) for value in x]) + shift
        for low, high in bounds:
            ax.vlines(across, part[low], part[high], color=colour, lw=1.6, alpha=0.8)
        ax.plot(across, part["estimate"], "o", color=colour, label=label, ms=5)
    if not numeric:
        names = [_text(level) for level in levels]
        ax.set_xticks(range(len(levels)), names, rotation=30 if sum(map(len, names)) > 45 else 0)
        ax.margins(x=0.08)
    if places.group is not None:
        ax.legend(title=places.group, frameon=False, fontsize="small")


def _points(
    estimates: Estimates, places: _Places, ax: Axes, numeric: bool, levels: list[Any], groups: list[Any], panel: Any
) -> None:
    """What was observed, in the colour of its group."""
    frame = estimates.points
    assert frame is not None
    response = frame.columns[-1]
    if places.main not in frame:
        return
    if panel is not None and places.panel in frame:
        frame = frame[frame[places.panel] == panel]
    for k, group in enumerate(groups):
        part = frame if group is None or places.group not in frame else frame[frame[places.group] == group]
        x = part[places.main]
        across = x if numeric else x.map({level: place for place, level in enumerate(levels)})
        ax.plot(across, part[response], ".", color=COLOURS[k], alpha=0.4, ms=4, zorder=0)
        if places.group not in frame:
            return


def _quantity(estimates: Estimates) -> str:
    """What stands beside the upright axis."""
    table, target = estimates.summary, estimates.target
    if estimates.target == "mean":
        target = f"{'probability' if estimates.category else 'mean'} of {estimates.response}"
    if "estimate_type" not in table:
        return target
    return f"{table['estimate_type'].iloc[0]} of {'the ' if estimates.target == 'mean' else ''}{target}"


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
