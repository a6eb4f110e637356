"""A picture of the warm-up: how step size and metric came to be what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nutslite._calls import public
from nutslite.exceptions import SettingError
from nutslite.recording.chain_record import ChainRecord
from nutslite.recording.checks import check_chain
from nutslite.scores.pictures.figures import BAND, COLOURS, STYLES
from nutslite.scores.pictures.paper import SMALL, label, several_axes, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nutslite.scores.pictures.panel import Panels

NAMED = 6
"""So many coordinates have a colour and a name; more are grey."""


@public
def plot_warmup(record: ChainRecord) -> Panels:
    """Draw step size and metric over the warm-up, side by side.

    Left the step size of each transition, and the average that the draws use in the end. Right the standard deviation
    of each coordinate that the metric holds. Grey areas are windows whose draws teach the metric; at the end of each
    the metric changes, and the search for a step size begins anew.

    Parameters
    ----------
    record : ChainRecord

    Returns
    -------
    Panels
        Two Axes; ``figure`` is their figure.

    Raises
    ------
    PlotsMissingError
        If matplotlib is not installed.
    SettingError
        If the chain has no warm-up.
    """
    check_chain(record)
    if record.tune == 0:
        raise SettingError("This chain has no warm-up (tune=0): there is nothing to draw.")
    panels = several_axes(1, 2)
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    steps, metric = panels
    at, stats = np.arange(record.tune), record.stats
    for ax in panels:
        _draw_windows(ax, record)
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.set_xlim(0, record.tune)
    steps.plot(at, stats["step_size"][: record.tune], color=COLOURS[4], linewidth=0.7, label="in use")
    steps.plot(at, stats["step_size_bar"][: record.tune], color=COLOURS[0], linewidth=1.2, label="average")
    steps.legend(loc="best", frameon=False, fontsize=size(steps, SMALL))
    label(steps, "transition", "step size")
    deviations = np.sqrt(record.variances[: record.tune])
    few = record.dimension <= NAMED
    for i in range(record.dimension):
        look: dict[str, Any] = {"color": "0.5", "linewidth": 0.5, "alpha": 0.5}
        if few:
            look = {"color": COLOURS[i], "linestyle": STYLES[i], "linewidth": 1.2, "label": record.names[i]}
        metric.plot(at, deviations[:, i], drawstyle="steps-post", **look)
    if few:
        metric.legend(loc="best", frameon=False, fontsize=size(metric, SMALL))
    label(metric, "transition", "standard deviation in the metric")
    return panels


def _draw_windows(ax: Axes, record: ChainRecord) -> None:
    for first, last in record.windows:
        ax.axvspan(first, last, color=BAND, linewidth=0.0, zorder=0)
        ax.axvline(last, color="white", linewidth=1.2, zorder=0.5)
