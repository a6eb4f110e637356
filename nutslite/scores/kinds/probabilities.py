"""Predictions by probabilities of classes, or by a Dirichlet distribution of them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError, did_you_mean
from nutslite.scores.kinds.kind import NOT_MIXED, CannotSayError, Kind
from nutslite.scores.numerics.checks import numbers
from nutslite.scores.pointwise.classes import (
    EntropySplit,
    checked_rows,
    codes_of,
    dirichlet_entropy_split,
    entropy_split,
)

FloatArray = NDArray[np.float64]

_NOT_NUMBERS = {
    "quantile": "predicts classes, which have no quantiles.",
    "interval": "predicts classes, which have no intervals.",
    "crps": "predicts classes: take scores.brier, or scores.rps where they are ordered.",
    "scaled_crps": "predicts classes: take scores.brier, or scores.rps where they are ordered.",
    **NOT_MIXED,
}


class Probabilities(Kind):
    """Probabilities of 1, shape (n,), or of K classes, (n, K), or of each draw of the parameters, (draws, n, K).

    What is predicted is a code 0, ..., K - 1; `classes` are the labels that stand for them in y.
    """

    name: ClassVar[str] = "a prediction by probabilities"
    refused: ClassVar[dict[str, str]] = _NOT_NUMBERS
    whole = True

    def __init__(self, p: Any, classes: Any = None) -> None:
        p = numbers("p", p, "unit")
        if p.ndim not in (1, 2, 3) or 0 in p.shape:
            raise DataError(f"p has shape (n,), (n, K) or (draws, n, K), not {p.shape}.")
        p = p if p.ndim == 1 else checked_rows(p)
        self.each = p if p.ndim == 3 else None
        self.p = p.mean(axis=0) if p.ndim == 3 else p
        self.n = self.p.shape[0]
        self.n_classes = 2 if self.p.ndim == 1 else self.p.shape[1]
        self.classes = _labels(classes, self.n_classes)

    def observed(self, y: Any) -> FloatArray:
        """Codes of the classes that came."""
        if self.classes is None:
            codes = codes_of(y, self.n_classes)
        else:
            given = np.asarray(y)
            places = {label: place for place, label in enumerate(self.classes.tolist())}
            unknown = [label for label in np.unique(given.astype(object)).tolist() if label not in places]
            if unknown:
                known = ", ".join(map(str, places))
                raise DataError(
                    f"y holds {unknown[0]!r}, which is none of the classes: {known}."
                    f"{did_you_mean(str(unknown[0]), places)}"
                )
            codes = np.array([places[label] for label in given.tolist()], dtype=np.int64)
        if codes.shape != (self.n,):
            raise DataError(f"y has shape {codes.shape}, the prediction {self.n} rows: they must be the same rows.")
        return codes.astype(np.float64)

    def _matrix(self) -> FloatArray:
        return self.p if self.p.ndim == 2 else np.stack([1.0 - self.p, self.p], axis=1)

    def probabilities(self) -> FloatArray:
        """Of 1, or of all classes; the mean over draws."""
        return self.p

    def cdf(self, y: FloatArray) -> FloatArray:
        """Probability of a code up to y: of ordered classes."""
        reached = np.arange(self.n_classes) <= y[:, None]
        return np.minimum(np.sum(self._matrix() * reached, axis=1), 1.0)

    def log_density(self, y: FloatArray) -> FloatArray:
        """Log of the probability of the class."""
        with np.errstate(divide="ignore"):
            if self.p.ndim == 1:
                return np.where(y == 1.0, np.log(self.p), np.log1p(-self.p))
            return np.log(self.p[np.arange(self.n), y.astype(np.int64)])

    def why_not(self, question: str) -> str | None:
        """Means are those of 0 and 1 only; a split needs draws."""
        if question in ("mean", "sd") and self.n_classes > 2:
            return "A prediction of more than two classes has no mean and no standard deviation."
        if question == "entropy_split" and self.each is None:
            return (
                "One set of probabilities has no epistemic part: give those of each draw or member, shape (draws, n, "
                "K), to "
                "from_probabilities."
            )
        return super().why_not(question)

    def mean(self) -> FloatArray:
        """Probability of 1."""
        return self._matrix()[:, 1]

    def sd(self) -> FloatArray:
        """``sqrt(p (1 - p))``."""
        return np.sqrt(self._matrix()[:, 1] * self._matrix()[:, 0])

    def sample(self, rng: np.random.Generator, size: int) -> FloatArray:
        """Codes."""
        steps = np.cumsum(self._matrix(), axis=1)[:, :-1]
        return np.sum(rng.random((size, self.n, 1)) >= steps, axis=2).astype(np.float64)

    def entropy_split(self) -> EntropySplit:
        """Over draws."""
        if self.each is None:
            raise CannotSayError(str(self.why_not("entropy_split")))
        return entropy_split(self.each)


class Dirichlet(Probabilities):
    """Concentrations of shape (n, K)."""

    name: ClassVar[str] = "a prediction by a Dirichlet distribution"

    def __init__(self, alpha: Any, classes: Any = None) -> None:
        alpha = numbers("alpha", alpha, "positive")
        if alpha.ndim != 2 or alpha.shape[1] < 2:
            raise DataError(
                f"alpha has one row for each observation and one column for each class, not shape {alpha.shape}."
            )
        super().__init__(alpha / alpha.sum(axis=1, keepdims=True), classes)
        self.alpha = alpha

    def why_not(self, question: str) -> str | None:
        """It knows its split."""
        return None if question == "entropy_split" else super().why_not(question)

    def entropy_split(self) -> EntropySplit:
        """In closed form."""
        return dirichlet_entropy_split(self.alpha)


def _labels(classes: Any, n_classes: int) -> NDArray[Any] | None:
    if classes is None:
        return None
    labels = np.asarray(classes, dtype=object)
    if labels.shape != (n_classes,) or len(set(labels.tolist())) != n_classes:
        raise DataError(f"classes are {n_classes} different labels in the order of the probabilities; not {classes!r}.")
    return labels
