"""Predictions by draws: of a posterior predictive distribution, of an ensemble, of dropout passes."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError, refuse_other, warn
from nutslite.scores.kinds.kind import NOT_CLASSES, NOT_MIXED, Kind
from nutslite.scores.numerics.checks import numbers, weights_of
from nutslite.scores.numerics.resampling import resampled
from nutslite.scores.pointwise.crps import ESTIMATORS, deviation_and_difference

FloatArray = NDArray[np.float64]

FEW = 1000  # draws below which quantiles are Hyndman and Fan's type 6


class Draws(Kind):
    """Draws of shape (S, n), with weights or without."""

    name: ClassVar[str] = "a prediction by draws"
    refused: ClassVar[dict[str, str]] = {
        "log_density": "does not say how likely a value between draws is, and a density that is estimated from them "
        "makes "
        "a poor log score. Give log densities given each draw of the parameters to scores.nll, or these parameters to "
        "Prediction.from_mixture.",
        **NOT_CLASSES,
        **NOT_MIXED,
    }

    def __init__(self, x: Any, weights: Any = None, whole: bool | None = None, estimator: str = "fair") -> None:
        refuse_other("estimator", estimator, ESTIMATORS)
        self.x = _joined(x)
        self.n = self.x.shape[1]
        self.weights = weights_of(weights, self.x.shape)
        self.estimator = estimator
        self.whole = bool(np.all(self.x == np.floor(self.x))) if whole is None else whole

    def by(self, x: FloatArray) -> Self:
        """The same prediction by other draws, without weights."""
        other = copy.copy(self)
        other.x, other.weights = x, None
        return other

    def fewer(self, count: int) -> Self:
        """By so many of its draws, evenly spaced, without weights."""
        chosen = resampled(self.weights, self.x.shape[0], count)
        return self.by(self.x[chosen] if chosen.ndim == 1 else np.take_along_axis(self.x, chosen, axis=0))

    def quantile(self, levels: FloatArray) -> FloatArray:
        """Type 6 of Hyndman and Fan (1996) below 1,000 draws, else type 7; a warning where levels are out of reach.

        Central intervals between quantiles of type 7 are too narrow by ``2 (1 - 2 tau)/(S + 1)`` of coverage: those of
        a perfect ensemble of 20 that ought to hold 90 % hold 82 %.
        """
        n_draws = self.x.shape[0]
        outermost = float(np.min(np.minimum(levels, 1.0 - levels)))
        needed = int(np.ceil(1.0 / outermost - 1.0 - 1e-9))
        if n_draws < needed:
            warn(
                f"{n_draws} draws do not reach the level {outermost:.3g}, which needs {needed}: the outermost draws "
                "stand for it, and intervals are too narrow. Take more draws, or intervals of a lower probability."
            )
        if self.weights is not None:
            return self._weighted_quantile(levels)
        method: Any = "weibull" if n_draws < FEW else "linear"
        return np.asarray(np.quantile(self.x, levels, axis=0, method=method)).T

    def _weighted_quantile(self, levels: FloatArray) -> FloatArray:
        """Between sorted draws at cumulative weights times ``E/(E + 1)``, E effective: type 6 for equal weights."""
        weights = np.broadcast_to(self.weights, self.x.shape)  # type: ignore[arg-type]
        order = np.argsort(self.x, axis=0)
        x, weights = np.take_along_axis(self.x, order, axis=0), np.take_along_axis(weights, order, axis=0)
        effective = 1.0 / np.sum(weights**2, axis=0)
        places = np.cumsum(weights, axis=0) * (effective / (effective + 1.0))
        return np.stack([np.interp(levels, places[:, row], x[:, row]) for row in range(self.n)])

    def _share(self, which: NDArray[np.bool_]) -> FloatArray:
        if self.weights is None:
            return which.mean(axis=0)
        return np.minimum(np.sum(self.weights * which, axis=0), 1.0)

    def cdf(self, y: FloatArray) -> FloatArray:
        """Share of draws up to y."""
        return self._share(self.x <= y)

    def cdf_below(self, y: FloatArray) -> FloatArray:
        """Share of draws below y."""
        return self._share(self.x < y)

    def mean(self) -> FloatArray:
        """Means of draws."""
        return self.x.mean(axis=0) if self.weights is None else np.sum(self.weights * self.x, axis=0)

    def sd(self) -> FloatArray:
        """Standard deviations of draws, with S - 1, or what weights make of it, below the sum."""
        if self.x.shape[0] < 2:
            raise DataError("One draw a row has no standard deviation: give more draws.")
        if self.weights is None:
            return self.x.std(axis=0, ddof=1)
        squares = np.sum(np.broadcast_to(self.weights, self.x.shape) ** 2, axis=0)
        return np.sqrt(np.sum(self.weights * (self.x - self.mean()) ** 2, axis=0) / (1.0 - squares))

    def sample(self, rng: np.random.Generator, size: int) -> FloatArray:
        """Draws drawn again: rows of one draw stay together, except where each row has its own weights."""
        if self.weights is None:
            return self.x[rng.integers(self.x.shape[0], size=size)]
        if self.weights.shape[1] == 1:
            return self.x[rng.choice(self.x.shape[0], size=size, p=self.weights[:, 0])]
        chosen = np.argmax(np.cumsum(self.weights, axis=0)[None] > rng.random((size, 1, self.n)), axis=1)
        return np.take_along_axis(self.x, chosen, axis=0)

    def deviation_and_difference(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """By sorted draws."""
        return deviation_and_difference(y, self.x, self.estimator, self.weights)


def _joined(x: Any) -> FloatArray:
    """Draws as (S, n): chains joined, xarray's dimensions put in order by their names."""
    dims = getattr(x, "dims", None)
    if isinstance(dims, tuple) and hasattr(x, "transpose"):
        first = [name for name in ("chain", "draw", "sample") if name in dims]
        if not first:
            raise DataError(
                f"The draws' dimensions are {', '.join(map(str, dims))}: none is called chain, draw or sample."
            )
        x = x.transpose(*first, ...)
        lead = len(first)
        array = numbers("x", x)
        if array.ndim != lead + 1:
            raise DataError(f"Draws have one more dimension, the rows; these have {', '.join(map(str, dims))}.")
        return array.reshape(-1, array.shape[-1])
    array = numbers("x", x)
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise DataError(f"Draws have shape (draws, rows) or (chains, draws, rows), not {array.shape}.")
    return array.reshape(-1, array.shape[-1])
