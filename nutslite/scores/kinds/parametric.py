"""Predictions by a distribution whose parameters are known for each row."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.scores.kinds.kind import NOT_CLASSES, NOT_MIXED, Kind
from nutslite.scores.numerics.distribution import Distribution

FloatArray = NDArray[np.float64]


class Parametric(Kind):
    """A distribution of the register, with parameters of shape (n,)."""

    name: ClassVar[str] = "a prediction by one distribution a row"
    refused: ClassVar[dict[str, str]] = {**NOT_CLASSES, **NOT_MIXED}

    def __init__(self, record: Distribution, parameters: list[FloatArray]) -> None:
        if parameters[0].ndim > 1:
            raise DataError(f"Parameters have one number a row, so shape (n,), not {parameters[0].shape}.")
        self.record = record
        self.parameters = [np.atleast_1d(np.array(parameter, dtype=np.float64)) for parameter in parameters]
        self.n = self.parameters[0].size
        self.whole, self.atoms = record.whole, record.atoms

    def why_not(self, question: str) -> str | None:
        """Of 0 and 1 there are probabilities."""
        if question == "probabilities" and self.record.name == "bernoulli":
            return None
        return super().why_not(question)

    def probabilities(self) -> FloatArray:
        """Of 1."""
        return self.parameters[0]

    def quantile(self, levels: FloatArray) -> FloatArray:
        """By the inverse of the cdf."""
        shape = (self.n, levels.size)
        given = [np.broadcast_to(parameter[:, None], shape) for parameter in self.parameters]
        return np.asarray(self.record.quantile(np.broadcast_to(levels, shape), *given))

    def cdf(self, y: FloatArray) -> FloatArray:
        """In closed form."""
        return self.record.cdf(y, *self.parameters)

    def log_density(self, y: FloatArray) -> FloatArray:
        """In closed form."""
        return self.record.log_density(y, *self.parameters)

    def mean(self) -> FloatArray:
        """In closed form; nan where there is none."""
        return np.array(self.record.mean(*self.parameters))

    def sd(self) -> FloatArray:
        """In closed form; infinite or nan where there is none."""
        return np.array(self.record.sd(*self.parameters))

    def sample(self, rng: np.random.Generator, size: int) -> FloatArray:
        """Independent draws."""
        given = [np.broadcast_to(parameter, (size, self.n)) for parameter in self.parameters]
        return np.asarray(self.record.random(rng, *given), dtype=np.float64)

    def deviation_and_difference(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """In closed form."""
        difference = self.record.half_difference(*self.parameters)
        return self.record.deviation(y, *self.parameters), 2.0 * difference

    def crps(self, y: FloatArray) -> FloatArray:
        """In closed form."""
        return self.record.crps_of(y, *self.parameters)
