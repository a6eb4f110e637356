"""`Pictured`: the pictures of a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, refuse_other, warn
from nutslite.scores.calibration.pit import counts_of
from nutslite.scores.kinds.censored import Censored
from nutslite.scores.kinds.draws import Draws
from nutslite.scores.kinds.prediction import Prediction
from nutslite.scores.kinds.probabilities import Dirichlet, Probabilities
from nutslite.scores.kinds.quantiles import Interval, Quantiles
from nutslite.scores.kinds.vectors import Vectors
from nutslite.scores.numerics.checks import levels_of, probability
from nutslite.scores.pictures.coverage import plot_coverage
from nutslite.scores.pictures.fan import plot_fan
from nutslite.scores.pictures.paper import above, several_axes
from nutslite.scores.pictures.pit import plot_pit, plot_pit_histogram, plot_shares_below
from nutslite.scores.pictures.reliability import plot_reliability
from nutslite.scores.pictures.running_mean import plot_scores
from nutslite.scores.pictures.sharpness import plot_probabilities, plot_sharpness

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from nutslite.scores.pictures.panel import Panels

FloatArray = NDArray[np.float64]

SIMULATIONS = 200  # for the band of a reliability diagram
AT_ONCE = 1 << 27  # draws of all rows that are weighed at a time
MAIN = ("nll", "crps", "wis", "log_loss", "brier")  # scores that are drawn, the first that there is
KINDS = ("ecdf", "histogram")
SEVERAL = (
    "Rows of several numbers are drawn by plot_scores and plot_sharpness; the table has what intervals hold of each."
)


def _simulated(prediction: Prediction) -> FloatArray:
    """What could have come, shape (SIMULATIONS, n); of weighted draws a few at a time, which take much memory."""
    rng, kind = np.random.default_rng(0), prediction.kind
    step = max(1, AT_ONCE // kind.x.size) if isinstance(kind, Draws) else SIMULATIONS
    sizes = [min(step, SIMULATIONS - start) for start in range(0, SIMULATIONS, step)]
    return np.concatenate([prediction.sample(rng, size) for size in sizes])


@public
class Pictured:
    """Pictures of a report. Each method draws on `ax`, or on a new figure, and gives back what it drew on.

    Bands of the transform and of coverage are those of as many independent rows as the report's groups are worth.
    """

    table: pd.DataFrame
    pointwise: pd.DataFrame
    observed: FloatArray
    whole: bool
    groups: NDArray[np.int64] | None
    weights: FloatArray | None
    confidence: float
    prediction: Prediction | None

    def plot(self) -> Panels:
        """The pictures that this kind of prediction has, on one new figure.

        Returns
        -------
        tuple of matplotlib.axes.Axes
            Its ``figure`` has them all; notebooks show it.
        """
        pictures = self._pictures()
        axes = several_axes(-(-len(pictures) // 2), min(2, len(pictures)))
        for ax, (name, draw) in zip(axes, pictures.items(), strict=False):
            draw(ax=ax)
            above(ax, name)
        for ax in axes[len(pictures) :]:
            ax.set_axis_off()
        return axes

    def plot_pit(self, kind: str = "ecdf", *, bins: int = 10, ax: Any = None) -> Axes:
        """Draw where observations fell in their forecasts: `plot_pit`, or `plot_pit_histogram`.

        Parameters
        ----------
        kind : {"ecdf", "histogram"}
            The distribution function less the uniform one, or a histogram; of counts averaged over the randomness of
            the transform.
        bins : int
            Of the histogram.
        ax : matplotlib.axes.Axes, optional
        """
        refuse_other("kind", kind, KINDS)
        self._say_unweighted()
        if isinstance(self._kind(), Quantiles | Interval) and kind == "ecdf":
            levels = self._kind().levels
            below = self.observed[:, None] <= self._kind().quantile(levels)
            return plot_shares_below(below, levels, self.groups, self.confidence, ax)
        if "pit" not in self.pointwise:
            raise ArgumentError(
                "Quantiles have no histogram of the transform: take kind='ecdf'."
                if isinstance(self._kind(), Quantiles | Interval)
                else "Probabilities of classes have no transform: take plot_reliability."
            )
        if kind == "ecdf":
            return plot_pit(self._column("pit"), groups=self.groups, confidence=self.confidence, ax=ax)
        return plot_pit_histogram(*self._stretches(), bins=bins, confidence=self.confidence, ax=ax)

    def plot_coverage(self, *, by: Any = None, ax: Any = None) -> Axes:
        """Draw the share of rows that intervals hold against their probability: `plot_coverage`.

        Parameters
        ----------
        by : array_like, shape (n,), optional
            Labels: one line each.
        ax : matplotlib.axes.Axes, optional
        """
        self._say_unweighted()
        if isinstance(self._kind(), Vectors):
            raise ArgumentError(SEVERAL)
        if "pit" in self.pointwise:
            return plot_coverage(self._column("pit"), by=by, groups=self.groups, confidence=self.confidence, ax=ax)
        held = self._by_level("coverage_")
        if not held:
            raise ArgumentError("This prediction has no intervals. Probabilities are drawn by plot_reliability.")
        covered = np.stack(list(held.values()), axis=1)
        return plot_coverage(covered, list(held), by=by, groups=self.groups, confidence=self.confidence, ax=ax)

    def plot_reliability(self, level: float | None = None, *, label: Any = None, ax: Any = None) -> Axes:
        """Draw what came against what was forecast: `plot_reliability`.

        Parameters
        ----------
        level : float, optional
            Of a quantile; by default means are drawn, or probabilities where these are forecast.
        label : object, optional
            Of several classes the one whose probability is drawn; by default the probability of the likeliest class,
            against whether it came.
        ax : matplotlib.axes.Axes, optional
        """
        prediction = self._of_seen()
        self._say_unweighted()
        if prediction.can("probabilities"):
            if level is not None:
                raise ArgumentError("level is of quantiles, and this prediction has probabilities of classes.")
            came, forecast = self._event(label)
            return plot_reliability(came, forecast, events=True, ax=ax)
        if label is not None:
            raise ArgumentError("label is one of several classes, and this prediction has none.")
        if level is None and not prediction.can("mean"):
            level = 0.5
        forecast = prediction.mean() if level is None else prediction.quantile(probability("level", level))
        simulated = _simulated(prediction) if prediction.can("sample") else None
        return plot_reliability(self.observed, forecast, level, simulated, events=False, ax=ax)

    def plot_fan(self, x: Any, *, levels: Sequence[float] = (0.5, 0.8, 0.95), ax: Any = None) -> Axes:
        """Draw predictive intervals against a predictor, with the observations: `plot_fan`.

        Parameters
        ----------
        x : array_like, shape (n,)
            Numbers or labels.
        levels : sequence of float
            Probabilities of the intervals; of quantiles that were given, all that there are.
        ax : matplotlib.axes.Axes, optional
        """
        prediction = self._of_seen()
        if prediction.can("probabilities"):
            raise ArgumentError("Probabilities of classes have no intervals: take plot_reliability or plot_scores.")
        if isinstance(prediction.kind, Quantiles | Interval):
            wanted = prediction.kind.levels
        else:
            tails = 0.5 - 0.5 * levels_of(levels)
            wanted = np.unique(np.round(np.concatenate([tails, [0.5], 1.0 - tails]), 12))
        return plot_fan(self.observed, x, prediction.quantile(wanted), wanted, ax=ax)

    def plot_sharpness(self, *, label: Any = None, ax: Any = None) -> Axes:
        """Draw how wide intervals are, and what they hold: `plot_sharpness`. Of probabilities their histogram.

        Parameters
        ----------
        label : object, optional
            Of several classes the one whose probability is drawn; by default the likeliest.
        ax : matplotlib.axes.Axes, optional
        """
        if self.prediction is not None and self.prediction.can("probabilities"):
            came, forecast = self._event(label)
            return plot_probabilities(forecast, float(came.mean()), "forecast probability", ax=ax)
        if label is not None:
            raise ArgumentError("label is one of several classes, and this prediction has none.")
        widths, held = self._by_level("width_"), self._by_level("coverage_")
        names = {prob: f"{100 * prob:.6g} %" for prob in widths}
        return plot_sharpness(
            {names[prob]: width for prob, width in widths.items()},
            notes={names[prob]: f"hold {100 * held[prob].mean():.3g} %" for prob in widths if prob in held},
            ax=ax,
        )

    def plot_scores(self, x: Any, score: str | None = None, *, window: float = 0.15, ax: Any = None) -> Axes:
        """Draw scores of rows against a predictor, with their running mean: `plot_scores`.

        Parameters
        ----------
        x : array_like, shape (n,)
            Numbers or labels.
        score : str, optional
            A column of `pointwise`; by default the log score where there is one, else the CRPS or what is next to it.
        window : float
            Share of the rows that a mean is over.
        ax : matplotlib.axes.Axes, optional
        """
        columns = [str(name) for name in self.pointwise.columns]
        name = next((each for each in MAIN if each in columns), columns[0]) if score is None else score
        refuse_other("score", name, columns)
        self._say_unweighted()
        return plot_scores(
            self._column(name), x, groups=self.groups, window=window, confidence=self.confidence, name=name, ax=ax
        )

    def _pictures(self) -> dict[str, Callable[..., Axes]]:
        """What `plot` draws, by title."""
        prediction = self.prediction
        if prediction is not None and prediction.can("probabilities"):
            return {"Reliability": self.plot_reliability, "Sharpness": self.plot_sharpness}
        if isinstance(self._kind(), Vectors):
            return {"Sharpness": self.plot_sharpness}
        found: dict[str, Callable[..., Axes]] = {}
        if "pit" in self.pointwise or isinstance(self._kind(), Quantiles):
            found["Place of what came"] = self.plot_pit
        if "pit" in self.pointwise or self._by_level("coverage_"):
            found["Coverage"] = self.plot_coverage
        if prediction is not None and (prediction.can("mean") or isinstance(prediction.kind, Quantiles)):
            found["Reliability"] = self.plot_reliability
        if self._by_level("width_"):
            found["Sharpness"] = self.plot_sharpness
        return found

    def _kind(self) -> Any:
        return None if self.prediction is None else self.prediction.kind

    def _known(self) -> Prediction:
        if self.prediction is None:
            raise ArgumentError(
                "This report has scores of rows, and no prediction: plot_pit, plot_coverage, plot_sharpness and "
                "plot_scores can be drawn of it."
            )
        return self.prediction

    def _of_seen(self) -> Prediction:
        prediction = self._known()
        if isinstance(prediction.kind, Censored):
            raise ArgumentError("Not all responses were seen, and none can be drawn: take plot_pit or plot_coverage.")
        if isinstance(prediction.kind, Vectors):
            raise ArgumentError(SEVERAL)
        return prediction

    def _say_unweighted(self) -> None:
        if self.weights is not None:
            warn("Pictures count every row once: the weights of rows are in the report's table, and not in them.")

    def _column(self, name: str) -> FloatArray:
        return self.pointwise[name].to_numpy(dtype=np.float64)

    def _by_level(self, start: str) -> dict[float, FloatArray]:
        """Columns such as ``coverage_90``, by probability."""
        found = {}
        for name in map(str, self.pointwise.columns):
            rest = name.removeprefix(start)
            if rest != name and rest.replace(".", "", 1).isdigit():
                found[round(float(rest) / 100.0, 12)] = self._column(name)
        return found

    def _event(self, label: Any) -> tuple[FloatArray, FloatArray]:
        """Whether an event came, and its probability: of class 1, of one of several classes, or of the likeliest."""
        prediction = self._known()
        p = prediction.probabilities()
        if p.ndim == 1:
            if label is not None:
                raise ArgumentError("label is one of several classes, and this prediction is of one event.")
            return self.observed, p
        if label is None:
            return (np.argmax(p, axis=1) == self.observed).astype(np.float64), p.max(axis=1)
        kind = prediction.kind
        assert isinstance(kind, Probabilities | Dirichlet)
        classes = list(range(p.shape[1])) if kind.classes is None else list(kind.classes)
        if label not in classes:
            raise ArgumentError(f"label is one of {', '.join(repr(each) for each in classes)}; not {label!r}.")
        code = classes.index(label)
        return (self.observed == code).astype(np.float64), p[:, code]

    def _stretches(self) -> tuple[FloatArray, FloatArray | None]:
        """Upper and lower ends of the stretch that each observation falls on; points of a continuous response."""
        if self.prediction is None:
            return self._column("pit"), None
        kind = self.prediction.kind
        if not (self.whole or kind.atoms or isinstance(kind, Censored)):
            return self._column("pit"), None
        if isinstance(kind, Draws) and kind.weights is None:
            less, equal = counts_of(self.observed, kind.x)
            draws = kind.x.shape[0]
            return (less + equal + 1.0) / (draws + 1.0), less / (draws + 1.0)
        return self.prediction.cdf(self.observed), self.prediction.cdf_below(self.observed)
