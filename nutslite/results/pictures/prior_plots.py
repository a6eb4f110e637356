"""A picture of the priors: one small density per variable. Needs matplotlib (``nutslite[plots]``)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite.exceptions import DataError, refuse_other
from nutslite.results.diagnostics import diagnostics
from nutslite.results.diagnostics.labels import as_columns, choose_names, element_labels
from nutslite.results.pictures.plots import density
from nutslite.scores.pictures.figures import check_figsize, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

KINDS = ("kde", "hist")
ESTIMATES = ("mean", "median")
PROB = 0.94  # of the interval
COLUMNS = 4  # pictures side by side
MOST_PANELS = 40
SHOWN_SHARE = 0.995  # a prior with heavy tails is shown without its farthest draws


@dataclass(frozen=True)
class Look:
    """How priors are shown; as for `Model.plot_priors`. What is None gets its default.

    Raises
    ------
    DataError, NutsliteError
        Where a value has no meaning.
    """

    kind: str = "kde"
    figsize: tuple[float, float] | None = None
    prob: float | None = None
    point_estimate: str | None = "mean"
    round_to: int | None = None
    bins: int | None = None

    def __post_init__(self) -> None:
        refuse_other("kind", self.kind, KINDS)
        if self.point_estimate is not None:
            refuse_other("point_estimate", self.point_estimate, ESTIMATES)
        if self.figsize is not None:
            check_figsize(self.figsize)
        if self.prob is None:
            object.__setattr__(self, "prob", PROB)
        elif isinstance(self.prob, bool) or not isinstance(self.prob, Real) or not 0.0 < self.prob < 1.0:
            raise DataError(f"hdi_prob (ci_prob) is a probability between 0 and 1, not {self.prob!r}.")
        for name, default, least in (("round_to", 2, 0), ("bins", 30, 1)):
            value = getattr(self, name)
            if value is None:
                object.__setattr__(self, name, default)
            elif isinstance(value, bool) or not isinstance(value, Integral) or value < least:
                raise DataError(f"{name} is a whole number of at least {least}, not {value!r}.")


def plot_priors(
    draws: Mapping[str, NDArray[Any]],
    *,
    dims: Mapping[str, Sequence[str]],
    coords: Mapping[str, Sequence[Any]],
    aliases: Mapping[str, str],
    var_names: str | Sequence[str] | None = None,
    filter_vars: str | None = None,
    look: Look | None = None,
) -> Figure:
    """Draw the density of every element of every variable, with a highest-density interval and a point estimate.

    Parameters
    ----------
    draws : dict of ndarray, shape (chains, draws, ...)
        nan where the prior is flat; such variables are left out, and a message says so.
    dims, coords : mappings
        To label elements.
    aliases : mapping
        By variable, the name to show.
    var_names, filter_vars
        As for `Model.plot_priors`.
    look : Look, optional

    Returns
    -------
    matplotlib.figure.Figure
        Notebooks show it; ``figure.savefig(path)`` writes it. Matplotlib's global state is left alone.

    Raises
    ------
    PlotsMissingError
        If matplotlib is not installed.
    DataError
        If there is nothing to draw, or a variable does not exist.
    """
    look = look or Look()
    shown = {aliases.get(name, name): name for name in draws}
    original = {name: alias for alias, name in shown.items()}
    wanted: Any = [var_names] if isinstance(var_names, str) else var_names
    if isinstance(wanted, list | tuple) and filter_vars is None:  # an alias and the name that it stands for will do
        wanted = [original.get(name, name) if isinstance(name, str) and name not in shown else name for name in wanted]
    panels = _panels(draws, shown, choose_names(list(shown), wanted, filter_vars), dims, coords)
    if not panels:
        raise DataError("No variable has a prior that can be drawn from: there is nothing to plot.")
    columns = min(COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = new_figure(*(look.figsize or (3.0 * columns, 2.3 * rows)))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (label, values) in zip(axes, panels.items(), strict=False):
        _draw(axis, label, values, look)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    return figure


def _panels(
    draws: Mapping[str, NDArray[Any]],
    shown: Mapping[str, str],
    names: Sequence[str],
    dims: Mapping[str, Sequence[str]],
    coords: Mapping[str, Sequence[Any]],
) -> dict[str, FloatArray]:
    """Draws of every element to show, by label."""
    panels: dict[str, FloatArray] = {}
    flat = []
    for alias in names:
        name = shown[alias]
        columns = as_columns(draws[name])
        if np.isnan(columns).any():
            flat.append(alias)
            continue
        labels = element_labels(name, np.shape(draws[name])[2:], dims, coords)
        for element, label in enumerate(labels):
            panels[f"{alias}{label[len(name) :]}"] = columns[:, :, element].ravel()
    if flat:
        log.info("Not shown, because their priors are flat or depend on a flat one: %s.", ", ".join(flat))
    if len(panels) > MOST_PANELS:
        log.info("Shown are the first %d of %d; var_names picks others.", MOST_PANELS, len(panels))
    return dict(list(panels.items())[:MOST_PANELS])


def _draw(axis: Axes, label: str, values: FloatArray, look: Look) -> None:
    """One panel."""
    tail = (1.0 - SHOWN_SHARE) / 2.0
    low, high = np.quantile(values, [tail, 1.0 - tail])
    inner = values[(values >= low) & (values <= high)]
    if look.kind == "hist":
        axis.hist(inner, bins=look.bins, density=True, color="C0", alpha=0.7)
    else:
        axis.plot(*density(inner), color="C0", linewidth=1.2)
    prob = PROB if look.prob is None else look.prob
    ends = diagnostics.hdi(values[None, :, None], prob)[0]
    axis.plot(np.clip(ends, low, high), [0.0, 0.0], color="black", linewidth=3, solid_capstyle="butt")
    text = f"{100 * prob:.3g} % HDI {ends[0]:.{look.round_to}f} to {ends[1]:.{look.round_to}f}"
    if look.point_estimate is not None:
        value = float(np.mean(values) if look.point_estimate == "mean" else np.median(values))
        text = f"{look.point_estimate} {value:.{look.round_to}f}, {text}"
    axis.set_title(label, fontsize=9)
    axis.set_xlabel(text, fontsize=7)
    axis.set_yticks([])
    axis.set_ylim(bottom=0)
    axis.tick_params(labelsize=7)
