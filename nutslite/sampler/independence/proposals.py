"""A proposal distribution for independence Metropolis, refined by importance sampling, and how well it fits.

A normal distribution with the mode's curvature, and a small part of a wide t distribution beside it: the tails of the
t keep the ratio of target and proposal bounded, without which a chain would get stuck out there (a defensive mixture,
Hesterberg 1995).
"""

from __future__ import annotations

import functools
import itertools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

DEFENSIVE_SHARE = 0.1
DEFENSIVE_WIDTH = 1.5
DEGREES_OF_FREEDOM = 5.0
PRESENT_PER_DIMENSION = 10.0  # what the present covariance counts when moments of draws correct it
FEWEST_PER_DIMENSION = 20.0  # effective draws per dimension, below which their moments correct nothing
FEWEST_PER_NUMBER = 2.0  # effective draws for each number of a quadratic function, below which they correct nothing


class Proposal(ABC):
    """What proposes positions that do not depend on the chain's."""

    center: FloatArray
    """The mode, shape (d,)."""
    factor: FloatArray
    """Lower Cholesky factor of the covariance there, shape (d, d)."""

    @abstractmethod
    def numbers(self, rng: np.random.Generator, n: int) -> FloatArray:
        """The random numbers of `n` draws, a row for each: those of several chains may stand below each other."""

    @abstractmethod
    def placed(self, numbers: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Draws (n, d or more) of these numbers and their log densities (n,)."""

    @abstractmethod
    def log_density(self, positions: FloatArray) -> FloatArray:
        """Log densities (n,) at positions (n, d or more), without the constant of the normal distribution."""

    def drawn(self, rng: np.random.Generator, n: int) -> tuple[FloatArray, FloatArray]:
        """`n` draws and their log densities."""
        return self.placed(self.numbers(rng, n))

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        """`n` draws."""
        return self.drawn(rng, n)[0]


@dataclass(frozen=True)
class DefensiveMixture(Proposal):
    """(1 - e) Normal(center, F F') + e t(5; center, w^2 F F'): center (d,) and lower Cholesky factor F (d, d).

    Of the coordinates in `folded`, at which the target is the same at u and -u, only absolute values are drawn.
    """

    center: FloatArray
    factor: FloatArray
    folded: tuple[int, ...] = ()

    @functools.cached_property
    def _inverse(self) -> FloatArray:
        return np.asarray(np.linalg.inv(self.factor), dtype=float)

    def numbers(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Draws of the mixture with center 0 and factor 1, shape (n, d)."""
        return standard_draws(rng, n, self.center.size)

    def placed(self, numbers: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Draws (n, d) of these numbers and their log densities (n,)."""
        positions = self.center + multiply(self.factor, numbers)
        if self.folded:
            positions[:, self.folded] = np.abs(positions[:, self.folded])
            return positions, self.log_density(positions)
        return positions, log_standard_density(np.einsum("ni,ni->n", numbers, numbers), numbers.shape[1])

    def log_density(self, positions: FloatArray) -> FloatArray:
        """Log density at positions (n, d), shape (n,), without the normal distribution's constant.

        Of folded coordinates it is the sum over all signs that they may have had.
        """
        total = self._log_density(positions)
        if not self.folded:
            return total
        for signs in list(itertools.product((1.0, -1.0), repeat=len(self.folded)))[1:]:
            mirrored = positions.copy()
            mirrored[:, self.folded] *= signs
            total = np.logaddexp(total, self._log_density(mirrored))
        return total

    def _log_density(self, positions: FloatArray) -> FloatArray:
        z = multiply(self._inverse, positions - self.center)
        return log_standard_density(np.einsum("ni,ni->n", z, z), self.center.size)

    def refined(self, positions: FloatArray, log_weights: FloatArray) -> DefensiveMixture:
        """With the quadratic function that is nearest to the target's log density, by weighted draws (n, d).

        Nearest is what has the least squared difference on average over the target: least squares with the draws'
        weights. Where the target is normal, a few draws more than unknown numbers give it exactly, while mean and
        covariance of the draws have their errors. Few effective draws change nothing, nor does a function without a
        maximum.
        """
        d = self.center.size
        first, second = _pairs(d)
        weights = normalised(log_weights)
        if 1.0 / float(weights @ weights) < FEWEST_PER_NUMBER * (1 + d + first.size):
            return self
        known = weights > 0.0
        roots, positions = np.sqrt(weights[known]), positions[known]
        z = multiply(self._inverse, positions - self.center)
        columns = np.concatenate([np.ones((len(z), 1)), z, z[:, first] * z[:, second]], axis=1)
        log_densities = log_weights[known] + self.log_density(positions)
        numbers = np.linalg.lstsq(columns * roots[:, None], log_densities * roots, rcond=None)[0]
        precision = np.zeros((d, d))
        precision[first, second] = -numbers[1 + d :]
        precision += precision.T
        try:
            factor = np.linalg.cholesky(np.linalg.inv(precision))
        except np.linalg.LinAlgError:
            return self
        center = np.linalg.solve(precision, numbers[1 : 1 + d])
        return replace(self, center=self.center + self.factor @ center, factor=self.factor @ factor)

    def with_moments(self, positions: FloatArray, log_weights: FloatArray) -> DefensiveMixture:
        """With the mean and, where they are many, the covariance of weighted draws (n, d).

        It is as wide as the target where this has longer tails than a normal distribution, which the nearest quadratic
        function is not. A covariance of a few hundred draws comes out too narrow in some direction, where chains stick;
        so the present one counts as ten draws per dimension. Few effective draws change nothing.
        """
        weights, d = normalised(log_weights), self.center.size
        effective = 1.0 / float(weights @ weights)
        if effective < FEWEST_PER_DIMENSION * d:
            return self
        center = weights @ positions
        deviations = positions - center
        covariance = (deviations * weights[:, None]).T @ deviations
        present = PRESENT_PER_DIMENSION * d
        mixed = (effective * covariance + present * self.factor @ self.factor.T) / (effective + present)
        return replace(self, center=center, factor=np.asarray(np.linalg.cholesky(mixed), dtype=float))


def standard_draws(rng: np.random.Generator, n: int, d: int, share: float = DEFENSIVE_SHARE) -> FloatArray:
    """`n` draws (n, d) of the mixture with center 0 and factor 1, of which a `share` are the wide t's on average."""
    z = rng.standard_normal((n, d))
    wide = np.flatnonzero(rng.random(n) < share)
    stretch = np.sqrt(DEGREES_OF_FREEDOM / rng.chisquare(DEGREES_OF_FREEDOM, wide.size))
    z[wide] *= DEFENSIVE_WIDTH * stretch[:, None]
    return z


def log_standard_density(squares: FloatArray, d: int, share: float = DEFENSIVE_SHARE) -> FloatArray:
    """Its log density at points of these squared lengths, without the normal distribution's constant."""
    narrow = math.log1p(-share) - 0.5 * squares
    wide = (
        math.log(share)
        + math.lgamma(0.5 * (DEGREES_OF_FREEDOM + d))
        - math.lgamma(0.5 * DEGREES_OF_FREEDOM)
        + 0.5 * d * math.log(2.0 / DEGREES_OF_FREEDOM)
        - d * math.log(DEFENSIVE_WIDTH)
        - 0.5 * (DEGREES_OF_FREEDOM + d) * np.log1p(squares / (DEGREES_OF_FREEDOM * DEFENSIVE_WIDTH**2))
    )
    return np.logaddexp(narrow, wide)


@functools.cache
def _pairs(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All pairs of coordinates, with themselves, too."""
    return np.triu_indices(d)


def multiply(matrix: FloatArray, vectors: FloatArray) -> FloatArray:
    """`matrix` (d, d) times each of `vectors` (n, d); not by BLAS, whose threads cost more than so few numbers."""
    if matrix.size == 1:
        return np.asarray(matrix[0] * vectors)
    return np.asarray(np.einsum("ij,nj->ni", matrix, vectors))


def normalised(log_weights: FloatArray) -> FloatArray:
    """Weights that sum to one; what is not finite has none."""
    finite = np.where(np.isfinite(log_weights), log_weights, -np.inf)
    weights = np.exp(finite - finite.max())
    return np.asarray(weights / weights.sum())


@dataclass(frozen=True)
class Fitness:
    """How well a proposal fits a target, from the importance weights of its draws.

    Attributes
    ----------
    acceptance : float
        Expected acceptance of independence Metropolis with this proposal, in equilibrium.
    largest : float
        The largest weight as a multiple of the mean: about as many transitions would a chain stay at that draw.
    """

    acceptance: float
    largest: float


def fitness(log_weights: FloatArray) -> Fitness:
    """Fitness from the log weights (n,) of draws of the proposal; hopeless where none is finite."""
    if not np.isfinite(log_weights).any():
        return Fitness(0.0, math.inf)
    w = np.sort(normalised(log_weights))
    below = np.cumsum(w)
    # E min(1, w' / w), the current point drawn with probability w, the proposal uniformly: sum_i min(w_i, w_j) / n
    acceptance = float(np.sum(below + w * np.arange(w.size - 1, -1, -1))) / w.size
    return Fitness(acceptance, float(w[-1] * w.size))
