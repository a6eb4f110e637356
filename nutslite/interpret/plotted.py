"""Questions that are answered with a picture at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nutslite._calls import public
from nutslite.exceptions import checked_options
from nutslite.interpret.comparison import comparisons
from nutslite.interpret.estimates import Estimates
from nutslite.interpret.prediction import predictions
from nutslite.interpret.slope import slopes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = ("sharex", "sharey", "alpha", "xlabel", "ylabel", "title", "wrap")
PLACES = ("main", "group", "panel")


@public
def plot_predictions(
    model: Any,
    idata: Any,
    conditional: Any = None,
    *,
    points: bool = False,
    fig_kwargs: Mapping[str, Any] | None = None,
    subplot_kwargs: Mapping[str, Any] | None = None,
    **options: Any,
) -> Figure:
    """Draw `predictions`.

    Parameters
    ----------
    model, idata, conditional, **options
        As for `predictions`.
    points : bool
        Whether to show observed responses too.
    fig_kwargs : dict, optional
        ``xlabel``, ``ylabel``, ``title``, ``alpha``, ``sharex``, ``sharey``, ``wrap`` (panels in a line).
    subplot_kwargs : dict, optional
        Which covariate goes where: ``main`` along, ``group`` in colours, ``panel`` side by side.

    Returns
    -------
    matplotlib.figure.Figure
    """
    return _drawn(predictions(model, idata, conditional, **options), points, fig_kwargs, subplot_kwargs)


@public
def plot_comparisons(
    model: Any,
    idata: Any,
    contrast: Any = None,
    conditional: Any = None,
    *,
    fig_kwargs: Mapping[str, Any] | None = None,
    subplot_kwargs: Mapping[str, Any] | None = None,
    **options: Any,
) -> Figure:
    """Draw `comparisons`; arguments as there and for `plot_predictions`."""
    found = comparisons(model, idata, contrast, conditional, **options)
    return _drawn(found, False, fig_kwargs, subplot_kwargs)


@public
def plot_slopes(
    model: Any,
    idata: Any,
    wrt: Any = None,
    conditional: Any = None,
    *,
    fig_kwargs: Mapping[str, Any] | None = None,
    subplot_kwargs: Mapping[str, Any] | None = None,
    **options: Any,
) -> Figure:
    """Draw `slopes`; arguments as there and for `plot_predictions`."""
    return _drawn(slopes(model, idata, wrt, conditional, **options), False, fig_kwargs, subplot_kwargs)


def _drawn(
    estimates: Estimates,
    points: bool,
    fig_kwargs: Mapping[str, Any] | None,
    subplot_kwargs: Mapping[str, Any] | None,
) -> Figure:
    style = checked_options("fig_kwargs", fig_kwargs, STYLE)
    places = checked_options("subplot_kwargs", subplot_kwargs, PLACES)
    return estimates.plot(points=points, **style, **places)
