"""A picture of the draws: densities on the left, traces on the right. Needs matplotlib (``nutslite[plots]``)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import DataError
from nutslite.results.diagnostics.labels import as_columns, choose_names, element_labels
from nutslite.scores.pictures.figures import check_picture, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]


@public
def plot_trace(
    draws: Mapping[str, NDArray[Any]],
    path: str | os.PathLike[str],
    *,
    var_names: str | Sequence[str] | None = None,
    dims: Mapping[str, Sequence[str]] | None = None,
    coords: Mapping[str, Sequence[Any]] | None = None,
    max_rows: int = 12,
    max_elements: int = 12,
    diverging: NDArray[Any] | None = None,
) -> Path:
    """Save a trace plot, one row per variable: density of every chain, and its draws in order.

    Draws without a window and without touching matplotlib's global state.

    Parameters
    ----------
    draws : dict of ndarray, shape (chains, draws, ...)
    path : path-like
        Picture to write; its ending (``.png``, ``.svg``, ``.pdf``) decides the format. Replaced if it exists.
    var_names : str or list of str, optional
        As for `nutslite.results.diagnostics.summary.summary`.
    dims, coords : mappings, optional
        To label single elements.
    max_rows, max_elements : int
        At most so many variables, and elements of a variable, are drawn; the picture says how many are left out.
    diverging : ndarray of bool, shape (chains, draws), optional
        Marked below the traces.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    PlotsMissingError
        If matplotlib is not installed.
    DataError
        If there is nothing to draw, or the folder does not exist.
    """
    target = check_picture(path)
    if not target.parent.is_dir():
        raise DataError(f"Cannot save a picture to '{target}': there is no folder '{target.parent}'.")
    names = choose_names(list(draws), var_names)
    if not names:
        raise DataError("There are no draws to plot.")
    shown = names[:max_rows]
    figure = new_figure(10, 1.7 * len(shown) + 0.4)
    axes = figure.subplots(len(shown), 2, squeeze=False)
    for (left, right), name in zip(axes, shown, strict=True):
        labels = element_labels(name, np.shape(draws[name])[2:], dims, coords)
        _draw_variable(left, right, as_columns(draws[name]), name, labels, max_elements, diverging)
    if len(names) > len(shown):
        figure.suptitle(f"{len(names) - len(shown)} further variables are not shown", fontsize=9)
    figure.savefig(target, dpi=110)
    return target


def _draw_variable(
    left: Axes,
    right: Axes,
    columns: FloatArray,
    name: str,
    labels: Sequence[str],
    max_elements: int,
    diverging: NDArray[Any] | None,
) -> None:
    """One row of the picture: colours tell elements apart, or the chains of a scalar."""
    n_chains, _, n_elements = columns.shape
    shown = min(n_elements, max_elements)
    for element in range(shown):
        for chain in range(n_chains):
            values = columns[chain, :, element]
            colour = f"C{(chain if n_elements == 1 else element) % 10}"
            label = labels[element] if n_elements > 1 and chain == 0 else None
            grid, heights = density(values)
            left.plot(grid, heights, color=colour, linewidth=1, label=label)
            right.plot(values, color=colour, linewidth=0.4, alpha=0.7)
    title = name if shown == n_elements else f"{name} (first {shown} of {n_elements})"
    left.set_title(title, fontsize=9)
    right.set_title(title, fontsize=9)
    left.set_yticks([])
    left.set_ylim(bottom=0)
    right.margins(x=0)
    for axis in (left, right):
        axis.tick_params(labelsize=8)
    if 1 < n_elements <= 6:
        left.legend(fontsize=6, frameon=False)
    if diverging is not None:
        places = np.flatnonzero(np.atleast_2d(np.asarray(diverging, dtype=bool)).any(axis=0))
        right.plot(places, np.full(places.size, right.get_ylim()[0]), "|", color="black", markersize=6)


def density(values: FloatArray, points: int = 200) -> tuple[FloatArray, FloatArray]:
    """Kernel density estimate with Silverman's bandwidth, reflected at the smallest and the largest draw.

    Reflection keeps the estimate of a scale parameter from leaking below zero.

    Parameters
    ----------
    values : ndarray, shape (draws,)
        Non-finite ones are left out.
    points : int
        Number of places to evaluate it at.

    Returns
    -------
    grid, heights : ndarray, shape (points,)
        All heights 0 if the values do not vary.
    """
    values = values[np.isfinite(values)]
    if values.size < 2 or np.ptp(values) == 0:
        centre = float(values[0]) if values.size else 0.0
        return centre + np.linspace(-0.5, 0.5, points), np.zeros(points)
    low, high = float(values.min()), float(values.max())
    quartiles = np.quantile(values, [0.25, 0.75])
    spread = min(values.std(), (quartiles[1] - quartiles[0]) / 1.34) or values.std()
    width = max(0.9 * spread * values.size**-0.2, (high - low) / points)
    grid = np.linspace(low, high, points)
    reflected = np.concatenate([values, 2 * low - values, 2 * high - values])
    # counts on a fine grid first: the cost does not grow with the number of draws
    cell = (high - low) / (points - 1) / 4
    reach = int(np.ceil(4 * width / cell))
    edges = low + (np.arange(-reach, 4 * (points - 1) + reach + 2) - 0.5) * cell
    counts = np.histogram(reflected, bins=edges)[0]
    offsets = np.arange(-reach, reach + 1) * cell
    weights = np.exp(-0.5 * (offsets / width) ** 2) / (width * np.sqrt(2 * np.pi)) / values.size
    return grid, np.convolve(counts, weights, mode="valid")[::4]
