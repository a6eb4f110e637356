"""Predictions of several numbers a row, by draws of them: counts of several outcomes, shares of a whole."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.scores.kinds.kind import NOT_CLASSES, NOT_MIXED, Kind
from nutslite.scores.numerics.checks import numbers, weights_of
from nutslite.scores.numerics.resampling import resampled
from nutslite.scores.pointwise.joint import distances
from nutslite.scores.pointwise.log_score import log_mean_exp

FloatArray = NDArray[np.float64]

MOST_DRAWS, FEWEST_DRAWS = 1000, 100  # of energy scores, whose time grows with the square
MOST_PAIRS = 2e8  # of draws, times rows

_NO_ORDER = "predicts several numbers a row, which have no order: energy_score is their CRPS."


class Vectors(Kind):
    """Draws x of shape (S, n, K); with log densities (S, n) of the observations y (n, K) given the parameters of each.

    Of other values than y the log density is nan: nobody knows it.
    """

    name: ClassVar[str] = "a prediction by draws of several numbers a row"
    refused: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("quantile", "interval", "cdf", "cdf_below", "crps", "scaled_crps"), _NO_ORDER),
        **NOT_CLASSES,
        **NOT_MIXED,
    }

    def __init__(
        self, x: Any, weights: Any = None, whole: bool | None = None, log_density: Any = None, y: Any = None
    ) -> None:
        x = numbers("x", x)
        if x.ndim not in (3, 4) or 0 in x.shape:
            raise DataError(f"Draws of vectors have shape (draws, n, K) or (chains, draws, n, K), not {x.shape}.")
        self.x = x.reshape(-1, *x.shape[-2:])
        self.n, self.size = self.x.shape[1:]
        self.weights = weights_of(weights, self.x.shape[:2])
        self.whole = bool(np.all(self.x == np.floor(self.x))) if whole is None else whole
        self._intervals: dict[float, tuple[FloatArray, FloatArray]] = {}
        self.y: FloatArray | None = None
        if (log_density is None) != (y is None):
            raise DataError("log_density and y go together: densities of what was observed.")
        if log_density is not None:
            logs = numbers("log_density", log_density, "no nan")
            if logs.reshape(-1, logs.shape[-1]).shape != self.x.shape[:2]:
                raise DataError(
                    f"log_density has shape {logs.shape}: one for each of {self.x.shape[:2]} draws and rows."
                )
            self.y = self.observed(y)
            self.known = log_mean_exp(logs.reshape(-1, self.n), self.weights)

    def why_not(self, question: str) -> str | None:
        """Densities are known where they were given."""
        if question == "log_density" and self.y is None:
            return "A prediction by draws does not say how likely a value between draws is: give log_density and y."
        return super().why_not(question)

    def observed(self, y: Any) -> FloatArray:
        """The observations, shape (n, K)."""
        values = numbers("y", y)
        if values.shape != (self.n, self.size):
            raise DataError(f"y has shape {values.shape}, the prediction {self.n} rows of {self.size} numbers each.")
        return values

    def log_density(self, y: FloatArray) -> FloatArray:
        """Log of the average density where y is what was observed, else nan."""
        assert self.y is not None  # callers ask `why_not`
        return np.where((y == self.y).all(axis=1), self.known, np.nan)

    def mean(self) -> FloatArray:
        """Means of draws, shape (n, K)."""
        return self._mean(self.x)

    def sd(self) -> FloatArray:
        """Standard deviations of draws, shape (n, K)."""
        return np.sqrt(self._mean((self.x - self.mean()) ** 2))

    def interval_of_each(self, prob: float) -> tuple[FloatArray, FloatArray]:
        """Ends, shape (n, K) each, of the central interval of each number by itself."""
        if prob not in self._intervals:
            ends = np.quantile(self._few, [0.5 - 0.5 * prob, 0.5 + 0.5 * prob], axis=0, method="weibull")
            self._intervals[prob] = (ends[0], ends[1])
        return self._intervals[prob]

    def _mean(self, values: FloatArray) -> FloatArray:
        if self.weights is None:
            return np.asarray(values.mean(axis=0))
        return np.asarray(np.sum(self.weights[..., None] * values, axis=0))

    def sample(self, rng: np.random.Generator, size: int) -> FloatArray:
        """Draws drawn again, shape (size, n, K); rows of one draw stay together, except where each has own weights."""
        if self.weights is None:
            return self.x[rng.integers(self.x.shape[0], size=size)]
        chosen = np.argmax(np.cumsum(self.weights, axis=0)[None] > rng.random((size, 1, self.weights.shape[1])), axis=1)
        return np.take_along_axis(self.x, np.broadcast_to(chosen, (size, self.n))[..., None], axis=0)

    @cached_property
    def _few(self) -> FloatArray:
        """Draws without weights, few enough for all pairs of them."""
        most = min(MOST_DRAWS, max(FEWEST_DRAWS, int(math.sqrt(MOST_PAIRS / self.n))))
        if self.weights is None and self.x.shape[0] <= most:
            return self.x
        chosen = resampled(self.weights, self.x.shape[0], most)
        return self.x[chosen] if chosen.ndim == 1 else np.take_along_axis(self.x, chosen[..., None], axis=0)

    @cached_property
    def _half_distances(self) -> FloatArray:
        """``E||X - X'||/2`` of different draws, shape (n,)."""
        draws = self._few.shape[0]
        if draws < 2:
            raise DataError("One draw has no spread: the energy score needs two or more.")
        found = [distances(np.ascontiguousarray(self._few[:, row])) for row in range(self.n)]
        return np.array(found) / (draws * (draws - 1.0))

    def energy(self, y: FloatArray) -> FloatArray:
        """Energy scores, shape (n,): the CRPS of vectors."""
        return np.asarray(np.linalg.norm(self._few - y, axis=2).mean(axis=0) - self._half_distances)
