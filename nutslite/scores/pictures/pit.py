"""Pictures of the probability integral transform: its distribution function less the uniform one, its histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import DataError
from nutslite.scores.calibration.bands import band_at, equal_steps, excursion_test
from nutslite.scores.calibration.clusters import independent_rows
from nutslite.scores.calibration.coverage import coded, coverage_band
from nutslite.scores.calibration.pit import checked_number, pit_histogram
from nutslite.scores.numerics.checks import levels_of, numbers, probability
from nutslite.scores.pictures.figures import BAND, COLOURS, PALE, REFERENCE
from nutslite.scores.pictures.paper import above, axes_for, label, percent, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]

POINTS = 100  # steps at which the function is looked at


@public
def plot_pit(u: Any, *, groups: Any = None, confidence: float = 0.95, ax: Any = None) -> Axes:
    """Draw the empirical distribution function of the transform less the uniform one, in a simultaneous band.

    All of the line lies in the band with the probability `confidence` if forecasts are right and rows independent
    (exact, not simulated). A line that falls first and then rises: forecasts are too wide. One that rises first:
    too narrow. All above: what came is smaller than forecast. All below: larger.

    ``#{u_i <= t}/n - t``: Säilynoja, Bürkner and Vehtari (2022), Statistics and Computing 32:32; of groups Rao and
    Scott (1981), JASA 76:221.

    Parameters
    ----------
    u : array_like, shape (n,)
        Values of `pit`, or ``report.pointwise["pit"]``.
    groups : array_like, shape (n,), optional
        Labels of groups whose rows fall together: band and p-value are those of as many independent rows as these are
        worth (their number over the design effect; approximate).
    confidence : float
        Of the band.
    ax : matplotlib.axes.Axes, optional
        What to draw on; by default a new figure, 80 mm wide.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    PlotsMissingError
        If matplotlib is not installed.
    """
    u = transform(u)
    points = equal_steps(POINTS)
    steps = np.array(points)
    codes = None if groups is None else coded(groups, u.size, "groups")[1]
    below = u[:, None] <= steps
    share, n = below.mean(axis=0), independent_rows(below, steps, codes)
    low, high = band_at(n, points, probability("confidence", confidence))
    p_value = excursion_test(np.rint(share * n).astype(np.int64), n, points)
    ax = axes_for(ax)
    _difference(ax, steps, share, low / n, high / n, confidence)
    words(ax, f"p = {_short(p_value)}" if p_value >= 0.001 else "p < 0.001", "upper right")
    return ax


def plot_shares_below(
    below: Any, levels: Any, groups: NDArray[np.int64] | None = None, confidence: float = 0.95, ax: Any = None
) -> Axes:
    """The same where only quantiles are known: the share of rows below each, less its level.

    Parameters
    ----------
    below : array_like, shape (n, K)
        1 where an observation is at most the quantile, else 0.
    levels : array_like, shape (K,)
    groups : ndarray of int, shape (n,), optional
        Codes.
    """
    below, levels = numbers("below", below, "unit"), levels_of(levels)
    order = np.argsort(levels)
    low, high = coverage_band(independent_rows(below, levels, groups), levels[order], confidence)
    ax = axes_for(ax)
    _difference(ax, levels[order], below.mean(axis=0)[order], low, high, confidence, marker="o", markersize=3.5)
    return ax


@public
def plot_pit_histogram(
    cdf: Any, below: Any = None, *, bins: int = 10, confidence: float = 0.95, ax: Any = None
) -> Axes:
    """Draw the histogram of the transform, which is flat if forecasts are right.

    Of counts it is averaged over the randomness of the transform: `pit_histogram`. All bars end in the band with at
    least the probability `confidence` if forecasts are right and rows independent.

    Czado, Gneiting and Held (2009), Biometrics 65:1254, eq. 2.

    Parameters
    ----------
    cdf : array_like, shape (n,)
        ``P(Y <= y)``, or values of the transform.
    below : array_like, shape (n,), optional
        ``P(Y < y)``, of counts.
    bins : int
    confidence : float
        Of the band, all bars together.
    ax : matplotlib.axes.Axes, optional
        What to draw on; by default a new figure, 80 mm wide.

    Returns
    -------
    matplotlib.axes.Axes
    """
    bins, confidence = checked_number("bins", bins, 2, 1000), probability("confidence", confidence)
    heights = pit_histogram(cdf, below, bins)
    low, high = bar_band(int(np.shape(cdf)[-1]), bins, confidence)
    ax = axes_for(ax)
    edges = np.linspace(0.0, 1.0, bins + 1)
    ax.bar(edges[:-1], heights, width=1.0 / bins, align="edge", color=PALE, edgecolor="white", linewidth=0.6)
    ax.axhspan(low, high, color="0.3", alpha=0.25, linewidth=0.0)
    ax.axhline(1.0, **REFERENCE)
    above(ax, f"grey: {100 * confidence:g} % band if calibrated")
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(0.0, 1.08 * max(float(heights.max()), high))
    label(ax, "place of what came in its forecast", "rows, relative to expected")
    return ax


def bar_band(n: int, bins: int, confidence: float) -> tuple[float, float]:
    """Between which heights all bars of a histogram of n uniform values lie with at least this probability.

    Each bar is binomial; the probability of leaving is shared equally among them (Bonferroni).
    """
    from scipy.special import bdtr

    tail, share = 0.5 * (1.0 - confidence) / bins, 1.0 / bins
    below = bdtr(np.arange(n + 1), n, share)  # P(count <= k)
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1.0 - tail, side="left"))
    return low * bins / n, high * bins / n


def transform(u: Any) -> FloatArray:
    """Values of the transform, shape (n,), at least one.

    Raises
    ------
    DataError
    """
    u = numbers("u", u, "unit")
    if u.ndim != 1 or u.size == 0:
        raise DataError(f"u has one value of the transform for each row, shape (n,), not {u.shape}.")
    return u


def _difference(
    ax: Axes, steps: FloatArray, share: FloatArray, low: Any, high: Any, confidence: float, **look: Any
) -> None:
    """Shares less what is even, from 0 to 1, in the band."""
    x = np.concatenate([[0.0], steps, [1.0]])
    down, up, line = (np.concatenate([[0.0], each - steps, [0.0]]) for each in (low, high, share))
    ax.fill_between(x, down, up, color=BAND, linewidth=0)
    ax.axhline(0.0, **REFERENCE)
    ax.plot(x, line, color=COLOURS[0], linewidth=1.2, **look)
    ax.set_xlim(0.0, 1.0)
    reach = 1.35 * max(float(np.abs(each).max()) for each in (down, up, line))
    ax.set_ylim(-reach, reach)
    words(ax, f"grey: {100 * confidence:g} % band if calibrated", "lower left")
    percent(ax.yaxis)
    label(ax, "place of what came in its forecast", "rows below, less expected (%)")


def _short(p: float) -> str:
    return f"{p:.2f}" if p >= 0.1 else f"{p:.3f}"
