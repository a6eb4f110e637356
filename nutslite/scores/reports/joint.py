"""Scores of all rows of a group at once, as lines of a report: does a forecast know how the rows of a group move?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.scores.kinds.censored import Censored
from nutslite.scores.kinds.draws import Draws
from nutslite.scores.kinds.mixture import Mixture
from nutslite.scores.kinds.prediction import Prediction
from nutslite.scores.kinds.vectors import Vectors
from nutslite.scores.pointwise.joint import distances, normal_score, variogram

FloatArray = NDArray[np.float64]
CodeArray = NDArray[np.int64]

NAMES = ("energy", "variogram", "dss")
NOTES = {
    "energy": "CRPS of all rows of a group at once; mean over groups",
    "variogram": "of differences within groups, order 1/2; mean over groups",
    "dss": "Dawid and Sebastiani's, of mean and covariance of a group's rows; mean over groups",
}
MOST_DRAWS, FEWEST_DRAWS = 1000, 100
MOST_PAIRS = 5e8  # of draws, times rows
MOST_VARIOGRAM = 2e8  # draws times pairs of rows
ORDER = 0.5


def why_not_joint(prediction: Prediction) -> str | None:
    """Why a prediction says nothing of several rows at once; None where it does."""
    if prediction.can("probabilities"):
        return "joint= is about numbers, and this prediction is of classes."
    kind = prediction.kind
    if isinstance(kind, Vectors):
        return "joint= is about rows of one number each; those of this prediction have several, scored together."
    if isinstance(kind, Censored):
        return "joint= needs all responses of a group, and not all were seen."
    if isinstance(kind, Draws | Mixture) and kind.weights is not None and kind.weights.shape[1] > 1:
        return (
            "Draws have weights of their own for each row, so that nothing is known of several rows at once: give "
            "predictions of held-out rows, whose draws have one weight each or none."
        )
    return prediction.why_not("sample")


class Together:
    """Draws of all rows, by groups.

    Parameters
    ----------
    prediction : Prediction
    groups : ndarray of int, shape (n,)
        Codes 0, ..., G - 1.
    """

    def __init__(self, prediction: Prediction, groups: CodeArray) -> None:
        self.sizes = np.bincount(groups)
        self.order = np.argsort(groups, kind="stable")
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        pairs = float(np.sum(self.sizes.astype(np.float64) ** 2))
        most = min(math.sqrt(MOST_PAIRS / groups.size), MOST_VARIOGRAM / pairs, MOST_DRAWS)
        self.x = np.ascontiguousarray(_draws(prediction, max(FEWEST_DRAWS, int(most)))[:, self.order])

    def scores(self, name: str, y: FloatArray) -> FloatArray:
        """Scores of groups, shape (G,)."""
        return {"energy": self._energy, "variogram": self._variogram, "dss": self._dss}[name](y[self.order])

    def _parts(self) -> list[slice]:
        return [slice(start, start + size) for start, size in zip(self.starts, self.sizes, strict=True)]

    @cached_property
    def _half_distances(self) -> FloatArray:
        """``E||X - X'||/2`` of different draws."""
        draws = self.x.shape[0]
        if draws < 2:
            raise DataError("One draw has no spread: the energy score needs two or more.")
        found = [distances(np.ascontiguousarray(self.x[:, part])) for part in self._parts()]
        return np.array(found) / (draws * (draws - 1.0))

    @cached_property
    def _moments(self) -> list[FloatArray]:
        return [variogram(np.ascontiguousarray(self.x[:, part]), ORDER) for part in self._parts()]

    @cached_property
    def _normal(self) -> list[tuple[FloatArray, FloatArray]]:
        """Mean and covariance of the draws of each group."""
        if self.x.shape[0] <= self.sizes.max():
            raise DataError(
                f"The Dawid-Sebastiani score of a group of {self.sizes.max()} rows needs more than as many draws; "
                f"{self.x.shape[0]} are used."
            )
        return [(self.x[:, part].mean(axis=0), np.atleast_2d(np.cov(self.x[:, part].T))) for part in self._parts()]

    def _energy(self, y: FloatArray) -> FloatArray:
        squares = np.add.reduceat((self.x - y) ** 2, self.starts, axis=1)
        return np.asarray(np.sqrt(squares).mean(axis=0) - self._half_distances)

    def _variogram(self, y: FloatArray) -> FloatArray:
        found = []
        for part, moments in zip(self._parts(), self._moments, strict=True):
            observed = np.abs(y[part][:, None] - y[part]) ** ORDER
            found.append(float(np.sum((observed - moments) ** 2)))
        return np.array(found)

    def _dss(self, y: FloatArray) -> FloatArray:
        parts = zip(self._parts(), self._normal, strict=True)
        return np.array([normal_score(y[part] - mean, covariance) for part, (mean, covariance) in parts])


def group_weights(weights: FloatArray, groups: CodeArray) -> FloatArray:
    """Weights of groups that add up to one: the mean of their rows'. A group that is drawn twice counts twice."""
    each = np.bincount(groups, weights) / np.bincount(groups)
    return np.asarray(each / each.sum())


def _draws(prediction: Prediction, most: int) -> FloatArray:
    kind = prediction.kind
    if isinstance(kind, Draws) and kind.weights is None:
        return kind.x if kind.x.shape[0] <= most else kind.fewer(most).x
    return prediction.sample(np.random.default_rng(0), most)


def names_of(given: Sequence[str]) -> tuple[str, ...]:
    """The joint scores that are asked for, in the order of the report."""
    return tuple(name for name in NAMES if name in given)
