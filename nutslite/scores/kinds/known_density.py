"""Predictions by draws, with log densities of what was observed: what samplers store of a model that is not known."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.scores.kinds.draws import Draws
from nutslite.scores.numerics.checks import numbers, observations
from nutslite.scores.pointwise.log_score import log_mean_exp

FloatArray = NDArray[np.float64]


class DrawsWithDensity(Draws):
    """Draws x (S, n), and log densities (S, n) of the observations y (n,) given the parameters of each draw.

    Of other values than y the log density is nan: nobody knows it.
    """

    name: ClassVar[str] = "a prediction by draws with densities of the observations"
    refused: ClassVar[dict[str, str]] = {
        question: reason for question, reason in Draws.refused.items() if question != "log_density"
    }

    def __init__(self, x: Any, log_density: Any, y: Any, weights: Any = None, whole: bool | None = None) -> None:
        super().__init__(x, weights, whole)
        values = numbers("log_density", log_density, "no nan")
        values = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values
        self.y = observations(y, self.n)
        if values.shape != self.x.shape:
            raise DataError(f"log_density has shape {values.shape}, the draws {self.x.shape}: one for each draw.")
        self.known = log_mean_exp(values, self.weights)

    def by(self, x: FloatArray) -> Self:
        """The same prediction by other draws: of the one there was the densities were known."""
        other = super().by(x)
        other.known = np.full(self.n, np.nan)
        return other

    def log_density(self, y: FloatArray) -> FloatArray:
        """Log of the average density where y is what was observed, else nan."""
        return np.where(y == self.y, self.known, np.nan)
