"""`Kind`: what every kind of prediction is asked, and how it says that it cannot answer."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentError
from nutslite.scores.numerics.checks import observations
from nutslite.scores.pointwise.classes import EntropySplit

FloatArray = NDArray[np.float64]

# What a prediction may be asked, in reading order
QUESTIONS = (
    "quantile",
    "interval",
    "cdf",
    "cdf_below",
    "log_density",
    "mean",
    "sd",
    "sample",
    "crps",
    "scaled_crps",
    "probabilities",
    "entropy_split",
    "variance_split",
)


class CannotSayError(ArgumentError):
    """A prediction of this kind says nothing of what is asked."""


class Kind:
    """A kind of prediction of n rows. Arguments of its methods are checked before: y has shape (n,), levels (K,).

    A new kind is one file with a subclass, and a constructor in `prediction.py`. Whatever it does not answer it lists
    in `refused`, with the reason and what to do instead.

    Attributes
    ----------
    name : str
        What the prediction consists of, in words.
    n : int
        Rows.
    whole : bool
        Whether what is predicted is a whole number.
    atoms : tuple of float
        Values with a probability of their own of what else is continuous; there `log_density` is its logarithm.
    refused : dict
        Of questions, why there is no answer: the end of a sentence that begins with the kind's name.
    """

    name: ClassVar[str] = ""
    refused: ClassVar[dict[str, str]] = {}
    n: int
    whole: bool = False
    atoms: tuple[float, ...] = ()

    def why_not(self, question: str) -> str | None:
        """Why a question has no answer, in a sentence; None where it has one."""
        if question in self.refused:
            return f"{self.name[:1].upper()}{self.name[1:]} {self.refused[question]}"
        return None

    def observed(self, y: Any) -> FloatArray:
        """The observations as numbers, one a row."""
        return observations(y, self.n)

    def quantile(self, levels: FloatArray) -> FloatArray:
        """Quantiles, shape (n, K)."""
        raise NotImplementedError

    def interval(self, prob: float) -> tuple[FloatArray, FloatArray]:
        """Ends of the central interval of a probability, each of shape (n,)."""
        found = self.quantile(np.array([0.5 - 0.5 * prob, 0.5 + 0.5 * prob]))
        return found[:, 0], found[:, 1]

    def cdf(self, y: FloatArray) -> FloatArray:
        """``P(X <= y)``."""
        raise NotImplementedError

    def cdf_below(self, y: FloatArray) -> FloatArray:
        """``P(X < y)``."""
        if self.whole:
            return self.cdf(np.ceil(y) - 1.0)
        at = self.cdf(y)
        if not self.atoms:
            return at
        return np.where(np.isin(y, self.atoms), np.maximum(at - np.exp(self.log_density(y)), 0.0), at)

    def log_density(self, y: FloatArray) -> FloatArray:
        """Log of the density, of whole numbers of the probability."""
        raise NotImplementedError

    def mean(self) -> FloatArray:
        """Means, shape (n,)."""
        raise NotImplementedError

    def sd(self) -> FloatArray:
        """Standard deviations, shape (n,)."""
        raise NotImplementedError

    def sample(self, rng: np.random.Generator, size: int) -> FloatArray:
        """Draws, shape (size, n)."""
        raise NotImplementedError

    def deviation_and_difference(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``E|X - y|`` and ``E|X - X'|``."""
        raise NotImplementedError

    def crps(self, y: FloatArray) -> FloatArray:
        """Continuous ranked probability score."""
        deviation, difference = self.deviation_and_difference(y)
        with np.errstate(invalid="ignore"):
            return np.where(np.isfinite(deviation), deviation - 0.5 * difference, np.inf)

    def probabilities(self) -> FloatArray:
        """Probabilities of classes, shape (n,) of 1 or (n, K)."""
        raise NotImplementedError

    def entropy_split(self) -> EntropySplit:
        """Entropy of classes, split."""
        raise NotImplementedError

    def variance_split(self) -> tuple[FloatArray, FloatArray]:
        """Mean of the variances, and variance of the means."""
        raise NotImplementedError


NOT_CLASSES = {
    "probabilities": "has no probabilities of classes: make the prediction by from_probabilities.",
    "entropy_split": "has no probabilities of classes: make the prediction by from_probabilities.",
}
NOT_MIXED = {
    "variance_split": "does not tell noise from ignorance: make the prediction by from_mixture, with the parameters "
    "of each "
    "draw or member."
}
