"""Reliability diagrams: what came where something was forecast, beside what chance would leave of a right forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.scores.calibration.pit import checked_number
from nutslite.scores.calibration.reliability import Decomposition, Reliability, decompose, recalibrated, reliability
from nutslite.scores.numerics.checks import numbers, probability
from nutslite.scores.pictures.figures import BAND, COLOURS, REFERENCE
from nutslite.scores.pictures.paper import SMALL, above, axes_for, number, size, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]

FEW = 25  # distinct forecasts that are drawn as points too
BENEATH = 0.16  # height of the histogram
OUTERMOST = (0.005, 0.995)


@public
def plot_reliability(
    y: Any,
    forecast: Any,
    level: float | None = None,
    simulated: Any = None,
    *,
    events: bool | None = None,
    confidence: float = 0.9,
    bins: int = 20,
    seed: Any = 0,
    ax: Any = None,
) -> Axes:
    """Draw what came against what was forecast, with a band around the diagonal and a histogram of forecasts beneath.

    Recalibrated forecasts, by isotonic regression, are a rising line of steps: `reliability`. Where forecasts are
    right it lies in the grey band with the probability `confidence` at each forecast. Words say what the mean score
    consists of: `decompose`.

    ``f(x)`` of `recalibrated` against x: Dimitriadis, Gneiting and Jordan (2021), PNAS 118:e2016191118.

    Parameters
    ----------
    y : array_like, shape (n,)
        What came; of a probability 0 or 1.
    forecast : array_like, shape (n,)
        Probabilities, means, or quantiles of one level.
    level : float, optional
        Of the quantiles.
    simulated : array_like, shape (R, n), optional
        Draws from the prediction; without them means and quantiles have no band.
    events : bool, optional
        Whether forecasts are probabilities; by default where y is 0 or 1, they are within 0 to 1 and nothing is
        simulated.
    confidence : float
        Of the band.
    bins : int
        Of the histogram.
    seed : int or generator
    ax : matplotlib.axes.Axes, optional
        What to draw on; by default a new figure, 80 mm wide, that no list of open figures knows of.

    Returns
    -------
    matplotlib.axes.Axes
        The histogram is its ``child_axes[0]``.

    Raises
    ------
    PlotsMissingError
        If matplotlib is not installed.
    DataError
        Where shapes do not fit.
    """
    of_events = level is None and simulated is None and _are_events(y, forecast) if events is None else bool(events)
    if of_events or simulated is not None:
        found = reliability(y, forecast, level, simulated, confidence, seed=seed)
    else:
        found = _without_band(y, forecast, level)
    bins, banded = checked_number("bins", bins, 1, 1000), bool(np.isfinite(found.low).all())
    score = "pinball" if level is not None else "brier" if of_events else "squared_error"
    parts = decompose(y, forecast, score, level)
    ax = axes_for(ax, 3.3)
    low, high = (0.0, 1.0) if of_events else _span(found)
    if banded:
        _band(ax, found)
    ax.plot([low, high], [low, high], **REFERENCE, linestyle=(0, (4, 3)))
    few = {"marker": "o", "markersize": 3.0} if found.forecast.size <= FEW else {}
    ax.plot(found.forecast, found.recalibrated, color=COLOURS[0], linewidth=1.4, **few)
    ax.set(xlim=(low, high), ylim=(low, high))
    above(ax, _consists(parts, score))
    if banded:
        words(ax, f"grey: {100 * confidence:g} % band if calibrated", "lower right")
    _histogram(ax, np.repeat(found.forecast, found.rows), np.linspace(low, high, bins + 1), _name(level, of_events))
    ax.set_ylabel(_came(level, of_events), fontsize=size(ax))
    return ax


def _are_events(y: Any, forecast: Any) -> bool:
    y, forecast = numbers("y", y), numbers("forecast", forecast)
    return bool(np.isin(y, (0.0, 1.0)).all() and (forecast >= 0.0).all() and (forecast <= 1.0).all())


def _without_band(y: Any, forecast: Any, level: float | None) -> Reliability:
    """The curve alone, where nothing is known of what else could have come."""
    values = recalibrated(y, forecast, level)
    distinct, first, rows = np.unique(np.asarray(forecast, dtype=float), return_index=True, return_counts=True)
    nothing = np.full(distinct.size, np.nan)
    return Reliability(distinct, values[first], rows, nothing, nothing)


def _band(ax: Axes, found: Reliability) -> None:
    if found.forecast.size > 1:
        ax.fill_between(found.forecast, found.low, found.high, color=BAND, linewidth=0)
    else:
        ends = [found.low[0], found.high[0]]
        ax.plot(found.forecast[[0, 0]], ends, color=BAND, linewidth=6, solid_capstyle="butt")


def _consists(parts: Decomposition, score: str) -> str:
    """The score and what it consists of, in two lines of words."""
    names = {"brier": "Brier score", "squared_error": "squared error", "pinball": "pinball loss"}
    return (
        f"{names[score]} {number(parts.score)} = miscalibration {number(parts.miscalibration)}\n"
        f"\N{MINUS SIGN} discrimination {number(parts.discrimination)} + uncertainty {number(parts.uncertainty)}"
    )


def _name(level: float | None, events: bool) -> str:
    if level is not None:
        return f"forecast {100 * probability('level', level):g} % quantile"
    return "forecast probability" if events else "forecast mean"


def _came(level: float | None, events: bool) -> str:
    if level is not None:
        return f"{100 * level:g} % quantile of what came"
    return "share that came" if events else "mean of what came"


def _span(found: Reliability) -> tuple[float, float]:
    """Ends of both axes: all forecasts, and what came but for the outermost rows, which chance alone moves far."""
    came = np.quantile(np.repeat(found.recalibrated, found.rows), OUTERMOST)
    low, high = min(float(found.forecast[0]), came[0]), max(float(found.forecast[-1]), came[1])
    room = 0.03 * (high - low) or 0.5
    return low - room, high + room


def _histogram(ax: Axes, forecast: FloatArray, edges: FloatArray, name: str) -> None:
    """How often what was forecast, beneath the diagram."""
    beneath = ax.inset_axes((0.0, -BENEATH - 0.03, 1.0, BENEATH), sharex=ax)
    beneath.hist(forecast, bins=list(edges), color="0.45")
    beneath.set_yticks([])
    beneath.set_ylabel("rows", fontsize=size(ax, SMALL))
    beneath.set_xlabel(name, fontsize=size(ax))
    beneath.tick_params(labelsize=size(ax, SMALL) or ax.xaxis.get_ticklabels()[0].get_fontsize(), width=0.6, length=2.5)
    for side in ("top", "right", "left"):
        beneath.spines[side].set_visible(False)
    ax.tick_params(labelbottom=False)
