"""Profile likelihoods of generalized linear models: what the data say about one coefficient, the others maximised out.

Two ways with the same door. `GaussianProfile` is exact linear algebra; `KernelProfile` serves any family through its
kernel by Newton's method, where parameters without a formula (a shape, a scale) are maximised along with the
coefficients. Both see common effects only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import PriorError
from nutslite.families.record.family import Family
from nutslite.formula.design import Design
from nutslite.priors.newton import FamilyLikelihood, Maximum, maximise

FloatArray = NDArray[np.float64]

POINTS = 4
SMALLEST_RANGE = 0.05  # in standard errors: below, differences of log likelihoods would be rounding errors


@dataclass(frozen=True)
class Curve:
    """The profile log likelihood of a coefficient between zero and its maximum.

    Attributes
    ----------
    distances : ndarray, shape (points,)
        Values of the coefficient minus its maximum-likelihood estimate; the last is 0.
    drops : ndarray, shape (points,)
        Profile log likelihood minus its maximum: not positive, the last is 0.
    """

    distances: FloatArray
    drops: FloatArray


class Profile(Protocol):
    """What the scaling of priors asks of a likelihood."""

    rows: float  # observations, each counted by its weight

    def intercept(self) -> tuple[float, float]:
        """Estimate of the model of an intercept only, and its standard error times the square root of n."""
        ...

    def curve(self, columns: FloatArray, place: int) -> Curve:
        """Profile of the coefficient of ``columns[place]``; `columns` (p, n) are linearly independent."""
        ...


def make_profile(design: Design, family: Family, links: Mapping[str, str], fixed: Mapping[str, float]) -> Profile:
    """The likelihood of a model's parent parameter.

    Parameters
    ----------
    design : Design
    family : Family
    links : mapping of str to str
        Link name by parameter.
    fixed : mapping of str to float
        Parameters that the user fixed, on their natural scale.

    Raises
    ------
    PriorError
        Where there is nothing to maximise: the response does not vary.
    """
    predictor = design.predictors[family.parent.name]
    values = design.response.values
    weights = np.ones(values.shape[1]) if design.weights is None else design.weights
    offset = np.zeros(values.shape[1]) if predictor.offset is None else predictor.offset
    if family.kind == "gaussian" and links[family.parent.name] == "identity" and not fixed:
        return GaussianProfile(values[0] - offset, weights)
    return KernelProfile(FamilyLikelihood(family, links, values, weights, offset, fixed))


class GaussianProfile:
    """Least squares: over sigma, too, the profile log likelihood is -n/2 log of the sum of squares.

    Parameters
    ----------
    response, weights : ndarray, shape (n,)
    """

    def __init__(self, response: FloatArray, weights: FloatArray) -> None:
        self.rows = float(weights.sum())
        self._root = np.sqrt(weights)
        self._response = response * self._root
        self._columns: FloatArray | None = None
        self._solved: tuple[FloatArray, float, FloatArray] = (np.empty(0), 0.0, np.empty(0))

    def intercept(self) -> tuple[float, float]:
        """Mean of the response and its standard deviation, of which one degree of freedom is the mean's."""
        mean = float(self._response @ self._root / self.rows)
        squares = float(np.sum((self._response - mean * self._root) ** 2))
        if not squares > 1e-24 * mean**2 * self.rows:
            raise PriorError(
                "The response does not vary but for its last digits, so automatic_priors='mle' has nothing to go by. "
                "Give every term and parameter a prior of your own."
            )
        return mean, math.sqrt(squares / (self.rows - 1.0))

    def curve(self, columns: FloatArray, place: int) -> Curve:
        """See `Profile`."""
        if self._columns is not columns:
            self._columns, self._solved = columns, self._solve(columns)
        estimates, squares, lengths = self._solved
        distances = _distances(float(estimates[place]), math.sqrt(squares / (lengths[place] * self.rows)))
        return Curve(distances, -0.5 * self.rows * np.log1p(lengths[place] * distances**2 / squares))

    def _solve(self, columns: FloatArray) -> tuple[FloatArray, float, FloatArray]:
        """Estimates, residual sum of squares, and the squared length of each column orthogonal to the others."""
        self.intercept()  # whose error says more where the response does not vary
        basis, triangle = np.linalg.qr((columns * self._root).T)
        inverse = np.linalg.inv(triangle)
        projected = basis.T @ self._response
        squares = float(np.sum((self._response - basis @ projected) ** 2))
        if not squares > 1e-24 * float(self._response @ self._response):
            raise PriorError(
                "The common effects fit the response without error, so its likelihood has no maximum and "
                "automatic_priors='mle' cannot serve. Use automatic_priors='default', or indicate priors manually."
            )
        return inverse @ projected, squares, 1.0 / np.sum(inverse**2, axis=1)


class KernelProfile:
    """Any family, by Newton's method on its kernel.

    Parameters
    ----------
    likelihood : FamilyLikelihood
    """

    def __init__(self, likelihood: FamilyLikelihood) -> None:
        self.rows = float(likelihood.weights.sum())
        self._likelihood = likelihood
        self._columns: FloatArray = np.empty((0, 0))
        self._maximum: Maximum | None = None

    def intercept(self) -> tuple[float, float]:
        """See `Profile`; where a scale or shape was estimated, too, its degree of freedom is given back."""
        n = self.rows
        best = maximise(self._likelihood, np.ones((1, self._likelihood.offset.size)))
        variance = float(np.linalg.inv(best.information)[0, 0]) * n
        if self._likelihood.free:
            variance *= n / (n - 1.0)
        return float(best.coefficients[0]), math.sqrt(variance)

    def curve(self, columns: FloatArray, place: int) -> Curve:
        """See `Profile`. Refits without the column while its coefficient is held at one value after the other."""
        best = self._full(columns)
        estimate = float(best.coefficients[place])
        error = math.sqrt(float(np.linalg.inv(best.information)[place, place]))
        distances = _distances(estimate, error)
        others = np.delete(columns, place, axis=0)
        drops = np.zeros(POINTS)
        near = best
        for point in range(POINTS - 2, -1, -1):  # from the maximum outwards, each fit starting from the last
            held = (estimate + distances[point]) * columns[place]
            near = maximise(self._likelihood, others, held=held, near=near)
            drops[point] = min(math.fsum(near.loglik - best.loglik), 0.0)
        return Curve(distances, drops)

    def _full(self, columns: FloatArray) -> Maximum:
        """The fit to all columns, kept for the next coefficient."""
        if self._maximum is None or columns is not self._columns:
            self._maximum = maximise(self._likelihood, columns)
            self._columns = columns
        return self._maximum


def _distances(estimate: float, error: float) -> FloatArray:
    """Evenly from zero to the estimate, seen from the estimate; not nearer than rounding allows."""
    span = math.copysign(max(abs(estimate), SMALLEST_RANGE * error), estimate)
    return np.linspace(-span, 0.0, POINTS)
