"""Predictions of responses that were not all seen: of some is known that they are at least, at most, or between limits.

The log score of a row is minus the log density where the response was seen, and minus the log probability of what is
known of it elsewhere, which is proper where limits have nothing to do with the response given the predictors (Rindt,
Hu, Steinsaltz and Sejdinovic 2022, AISTATS, PMLR 151). They also show that the CRPS cut off at such limits is not
proper: scores that need the response itself are not made up here. A censored row's place in its forecast is drawn
uniformly from where it may be, which is uniform again if the forecast is right: randomised survival probabilities (Li,
Wu and Feng 2021, Statistics in Medicine 40:1482-1497).
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.scores.kinds.kind import NOT_CLASSES, NOT_MIXED, Kind
from nutslite.scores.numerics.checks import numbers, observations

FloatArray = NDArray[np.float64]

STATUSES = ("none", "left", "right", "interval")
_UNSEEN = "needs the responses, and not all were seen: take the log score and the transform (pit)."


class Censored(Kind):
    """Another kind of prediction, of responses with limits.

    Parameters
    ----------
    inner : Kind
        Of the responses as they are before some are censored.
    y : array_like, shape (n,)
        Responses, or what they are at most, at least; of intervals their upper ends.
    status : array_like of int, shape (n,)
        Places in `STATUSES`.
    lower : array_like, shape (n,)
        Lower ends of intervals, which these do not hold; of other rows anything finite.
    log_score : array_like, shape (n,)
        Log density or log probability of what is known of each row.
    """

    name: ClassVar[str] = "a prediction of censored responses"
    refused: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("mean", "sd", "crps", "scaled_crps"), _UNSEEN),
        **NOT_CLASSES,
        **NOT_MIXED,
    }

    def __init__(self, inner: Kind, y: Any, status: Any, lower: Any, log_score: Any) -> None:
        self.inner, self.n, self.whole, self.atoms = inner, inner.n, inner.whole, inner.atoms
        self.y, self.lower = observations(y, self.n), observations(lower, self.n)
        self.status = np.asarray(status, dtype=np.int64)
        self.known = numbers("log_score", log_score, "no nan")
        if self.status.shape != (self.n,) or self.known.shape != (self.n,):
            raise DataError(
                f"status has shape {self.status.shape}, log_score {self.known.shape}: one for each of {self.n} rows."
            )

    def by(self, inner: Kind) -> Self:
        """The same limits on another prediction."""
        other = copy.copy(self)
        other.inner = inner
        return other

    def why_not(self, question: str) -> str | None:
        """What the other prediction cannot say neither."""
        if question == "log_density":
            return None
        return super().why_not(question) or self.inner.why_not(question)

    def quantile(self, levels: FloatArray) -> FloatArray:
        """Of responses before they are censored."""
        return self.inner.quantile(levels)

    def log_density(self, y: FloatArray) -> FloatArray:
        """What is known of each row where y is what was observed, else nan."""
        return np.where(y == self.y, self.known, np.nan)

    def sample(self, rng: np.random.Generator, size: int) -> FloatArray:
        """Responses before they are censored."""
        return self.inner.sample(rng, size)

    def _unseen(self, y: FloatArray) -> list[NDArray[np.bool_]]:
        """Which responses are beyond their limits on the left, on the right, between them."""
        left, right, between = (self.status == place for place in (1, 2, 3))
        return [left & (y <= self.y), right & (y >= self.y), between & (self.lower < y) & (y <= self.y)]

    def cdf(self, y: FloatArray) -> FloatArray:
        """Upper end of the stretch of the distribution that a response falls on."""
        left, right, between = self._unseen(y)
        return np.where(right, 1.0, self.inner.cdf(np.where(left | between, self.y, y)))

    def cdf_below(self, y: FloatArray) -> FloatArray:
        """Lower end of that stretch."""
        left, right, between = self._unseen(y)
        seen = self.inner.cdf_below(np.where(right, self.y, y))
        if between.any():
            seen = np.where(between, self.inner.cdf(np.where(between, self.lower, y)), seen)
        return np.where(left, 0.0, seen)
