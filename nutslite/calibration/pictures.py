"""Pictures of ranks: histograms, and empirical distribution functions less the uniform one. Needs matplotlib."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.scores.calibration.bands import ecdf_band, ecdf_counts
from nutslite.scores.calibration.uniformity import chi_squared_bins
from nutslite.scores.pictures.figures import BAND, REFERENCE, check_picture, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CountArray = NDArray[np.int64]

PER_ROW = 2  # elements side by side, each with two panels


def plot_ranks(
    columns: Mapping[str, CountArray], n_values: int, path: str | os.PathLike[str], *, max_rows: int = 8
) -> Path:
    """Save two panels per element: counts of ranks, and the ECDF's difference from uniform with its 95 % band.

    Parameters
    ----------
    columns : dict of ndarray, shape (simulations,)
        Ranks by label.
    n_values : int
        Ranks are below this.
    path : path-like
        Its ending decides the format; replaced if it exists.
    max_rows : int
        At most so many rows of two elements are drawn.

    Raises
    ------
    PlotsMissingError
        If matplotlib is not installed.
    DataError
        If the folder does not exist.
    """
    target = check_picture(path)
    if not target.parent.is_dir():
        raise DataError(f"Cannot save a picture to '{target}': there is no folder '{target.parent}'.")
    shown = list(columns)[: PER_ROW * max_rows]
    rows = -(-len(shown) // PER_ROW)
    figure = new_figure(11, 1.4 * rows + 0.4)
    axes = figure.subplots(rows, 2 * PER_ROW, squeeze=False)
    for panel in axes.flat:
        panel.tick_params(labelsize=6)
        panel.set_visible(False)
    for place, label in enumerate(shown):
        row, column = divmod(place, PER_ROW)
        histogram, difference = axes[row, 2 * column], axes[row, 2 * column + 1]
        _draw_histogram(histogram, columns[label], n_values)
        _draw_difference(difference, columns[label], n_values)
        for panel in (histogram, difference):
            panel.set_visible(True)
            panel.set_title(label, fontsize=7)
    if len(columns) > len(shown):
        figure.suptitle(f"{len(columns) - len(shown)} further quantities are not shown", fontsize=8)
    figure.savefig(target, dpi=90)
    return target


def _draw_histogram(axis: Axes, ranks: CountArray, n_values: int) -> None:
    """Counts of ranks in equal bins, around the count that is expected and three standard deviations of it."""
    bins = chi_squared_bins(ranks.size, n_values) or 1
    counts = np.bincount(ranks // (n_values // bins), minlength=bins)
    expected, share = ranks.size / bins, 1.0 / bins
    reach = 3.0 * np.sqrt(ranks.size * share * (1.0 - share))
    axis.axhspan(expected - reach, expected + reach, color=BAND)
    axis.bar((np.arange(bins) + 0.5) / bins, counts, width=0.9 / bins, color="C0")
    axis.axhline(expected, **REFERENCE)
    axis.set_xlim(0.0, 1.0)


def _draw_difference(axis: Axes, ranks: CountArray, n_values: int) -> None:
    """Empirical distribution function less the uniform one, in a band that holds all of it in 95 % of studies."""
    steps = np.arange(1, n_values) / n_values
    low, high = ecdf_band(ranks.size, n_values)
    axis.fill_between(steps, low / ranks.size - steps, high / ranks.size - steps, color=BAND, linewidth=0)
    axis.plot(steps, ecdf_counts(ranks, n_values) / ranks.size - steps, color="C3", linewidth=0.9)
    axis.axhline(0.0, **REFERENCE)
    axis.set_xlim(0.0, 1.0)
