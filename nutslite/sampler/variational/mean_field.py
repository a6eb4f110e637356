"""Mean field: the normal of independent numbers with the highest lower bound of the evidence, over fixed draws.

Giordano, Ingram and Broderick (2024), Black box variational inference with a deterministic objective, Journal of
Machine Learning Research 25(18), algorithm 2. With the random numbers held fixed the bound is a smooth function of
means and log scales: it has a maximum, and whether that was reached can be seen. Of a normal density means are right,
and scales are those given all other numbers, s_i^2 = 1 / (precision)_ii, which are too small where numbers are
correlated. `linear_response` has those that are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite.sampler.pathfinder.lbfgs import climb
from nutslite.sampler.pathfinder.low_rank_normal import LowRankNormal, diagonal_normal
from nutslite.sampler.variational.batch_and_match import Gradients

FloatArray = NDArray[np.float64]

DRAWS = 30
MOST_MATCHED = 62  # dimensions up to which there are so many draws that their covariance can be exact
HISTORY = 10  # steps that the curvature is made of
NARROWER, MOST_NARROWED = 0.3, 10  # the first scales, where some draw of the start has no density


@dataclass(frozen=True)
class MeanField:
    """The maximum of the bound over `fixed` draws, or where the search for it ended.

    Attributes
    ----------
    center, scales : ndarray, shape (dimension,)
    fixed : ndarray, shape (draws, dimension)
        Standard normal numbers.
    """

    center: FloatArray
    scales: FloatArray
    fixed: FloatArray

    @property
    def normal(self) -> LowRankNormal:
        """With independent numbers."""
        return diagonal_normal(self.center, self.scales)

    @property
    def parameters(self) -> FloatArray:
        """Means, then logarithms of scales, shape (2 dimension,)."""
        return np.concatenate([self.center, np.log(self.scales)])

    def moved(self, parameters: FloatArray) -> MeanField:
        """The same draws with other parameters."""
        d = self.center.size
        return MeanField(parameters[:d], np.exp(parameters[d:]), self.fixed)

    def slopes(self, gradients: Gradients) -> tuple[float, FloatArray]:
        """The bound, but for a constant; and by draw the gradient of its part by parameters, (draws, 2 dimension)."""
        with np.errstate(over="ignore", invalid="ignore"):  # beyond the range of floats, or of a link
            values, slopes = gradients(self.center + self.scales * self.fixed)
            by_scale = slopes * self.scales * self.fixed + 1.0
            return float(values.mean() + np.log(self.scales).sum()), np.concatenate([slopes, by_scale], axis=1)


def fixed_draws(rng: np.random.Generator, dimension: int, draws: int = DRAWS) -> FloatArray:
    """Standard normal numbers (at least `draws`, dimension) with means of zero and variances of one.

    In few dimensions they are more than these, and their covariances are zero as well: a bound over them is that of a
    normal density exactly.
    """
    if dimension > MOST_MATCHED:
        numbers = rng.standard_normal((draws, dimension))
        numbers -= numbers.mean(axis=0)
        return np.asarray(numbers / np.sqrt(np.mean(numbers**2, axis=0)))
    numbers = rng.standard_normal((max(draws, dimension + 2), dimension))
    numbers -= numbers.mean(axis=0)
    root = np.linalg.cholesky(numbers.T @ numbers / len(numbers))
    return np.ascontiguousarray(np.linalg.solve(root, numbers.T).T)


def fit_mean_field(gradients: Gradients, start: MeanField) -> MeanField | None:
    """Climb from `start`; None where its draws have no density, however narrow.

    Parameters
    ----------
    gradients : callable
        Log densities (n,) and their gradients (n, dimension) at positions (n, dimension).
    start : MeanField
    """

    def evaluate(parameters: FloatArray) -> tuple[float, FloatArray]:
        with np.errstate(over="ignore", invalid="ignore"):
            bound, slopes = start.moved(parameters).slopes(gradients)
            return bound, slopes.mean(axis=0)

    for times in range(MOST_NARROWED):
        first = MeanField(start.center, start.scales * NARROWER**times, start.fixed)
        best = None
        for point, _ in climb(evaluate, first.parameters, HISTORY):
            best = point
        if best is not None:
            return start.moved(best.position)
    return None
