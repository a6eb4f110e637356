"""Predictions by a mixture: a deep ensemble, dropout with a spread of its own, a posterior with its likelihood.

Densities, cumulative probabilities and ``E|X - y|`` are averages of closed forms over the components, which are far
less noisy than one draw from each (Rao and Blackwell).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nutslite.exceptions import DataError
from nutslite.scores.kinds.kind import NOT_CLASSES, Kind
from nutslite.scores.numerics.checks import weights_of
from nutslite.scores.numerics.distribution import Distribution
from nutslite.scores.numerics.resampling import resampled
from nutslite.scores.numerics.search import whole_quantile
from nutslite.scores.pointwise.classes import EntropySplit, entropy_split
from nutslite.scores.pointwise.crps import deviation_and_difference
from nutslite.scores.pointwise.log_score import log_mean_exp

FloatArray = NDArray[np.float64]

EXACT = 100  # components up to which quantiles and differences of pairs are exact
PAIRS_EACH = 8  # other components that each component of a larger mixture is compared with
DRAWS = 4000  # at least, where draws of components serve
HALVINGS = 64
SEED = 20240229


class Mixture(Kind):
    """Components of one distribution of the register, parameters of shape (M, n), weights (M, 1), (M, n) or None."""

    name: ClassVar[str] = "a prediction by a mixture"
    refused: ClassVar[dict[str, str]] = {**NOT_CLASSES}

    def __init__(self, record: Distribution, parameters: list[FloatArray], weights: Any = None) -> None:
        shape = parameters[0].shape
        if len(shape) == 3:  # chains, draws, rows
            parameters = [parameter.reshape(-1, shape[2]) for parameter in parameters]
        elif len(shape) != 2 or 0 in shape:
            raise DataError(f"Parameters of a mixture have shape (components, rows), not {shape}.")
        self.record = record
        self.parameters = [np.array(parameter, dtype=np.float64) for parameter in parameters]
        self.size, self.n = self.parameters[0].shape
        self.weights = weights_of(weights, self.parameters[0].shape)
        self.whole, self.atoms = record.whole, record.atoms

    def why_not(self, question: str) -> str | None:
        """Of 0 and 1 there are probabilities, and of components with equal weights a split of their entropy."""
        binary = self.record.name == "bernoulli"
        if binary and (question == "probabilities" or (question == "entropy_split" and self.weights is None)):
            return None
        return super().why_not(question)

    def probabilities(self) -> FloatArray:
        """Of 1, the average of the components'."""
        return self._average(self.parameters[0])

    def entropy_split(self) -> EntropySplit:
        """Over components."""
        return entropy_split(self.parameters[0])

    def fewer(self, count: int) -> Mixture:
        """By so many of its components, evenly spaced, without weights."""
        chosen = resampled(self.weights, self.size, count)
        if chosen.ndim == 1:
            return Mixture(self.record, [parameter[chosen] for parameter in self.parameters])
        return Mixture(self.record, [np.take_along_axis(parameter, chosen, axis=0) for parameter in self.parameters])

    def _average(self, values: FloatArray) -> FloatArray:
        """Over components, of (M, n)."""
        return values.mean(axis=0) if self.weights is None else np.sum(self.weights * values, axis=0)

    def _rows(self, y: FloatArray) -> FloatArray:
        return np.broadcast_to(y, (self.size, self.n))

    def cdf(self, y: FloatArray) -> FloatArray:
        """Average of the components'."""
        return np.minimum(self._average(self.record.cdf(self._rows(y), *self.parameters)), 1.0)

    def log_density(self, y: FloatArray) -> FloatArray:
        """Log of the average density."""
        return log_mean_exp(self.record.log_density(self._rows(y), *self.parameters), self.weights)

    def mean(self) -> FloatArray:
        """Average of the components'."""
        return self._average(np.asarray(self.record.mean(*self.parameters)))

    def sd(self) -> FloatArray:
        """Root of the mean of variances and the variance of means."""
        return np.sqrt(np.sum(self.variance_split(), axis=0))

    def variance_split(self) -> tuple[FloatArray, FloatArray]:
        """Mean of the variances (aleatoric), and variance of the means (epistemic)."""
        means = np.asarray(self.record.mean(*self.parameters))
        within = self._average(np.asarray(self.record.sd(*self.parameters)) ** 2)
        return within, self._average((means - self._average(means)) ** 2)

    def quantile(self, levels: FloatArray) -> FloatArray:
        """Of the mixture's cdf up to 100 components; of draws from more."""
        if self.size > EXACT:
            x, weights = self._components()
            order = np.argsort(x, axis=0)
            share = np.full(x.shape, 1.0 / x.shape[0]) if weights is None else np.broadcast_to(weights, x.shape)
            x, places = (
                np.take_along_axis(x, order, axis=0),
                np.cumsum(np.take_along_axis(share, order, axis=0), axis=0),
            )
            chosen = np.array([(places < level - 1e-12).sum(axis=0) for level in levels]).clip(max=x.shape[0] - 1)
            return np.take_along_axis(x, chosen, axis=0).T
        return np.stack([self._exact_quantile(float(level)) for level in levels], axis=1)

    def _exact_quantile(self, level: float) -> FloatArray:
        q = np.full(self.n, level)
        if self.whole:
            return whole_quantile(q, self.cdf, self.mean(), self.sd())
        among = np.asarray(self.record.quantile(self._rows(q), *self.parameters))
        low, high = among.min(axis=0), among.max(axis=0)
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            below = self.cdf(middle) < level
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        found = 0.5 * (low + high)
        for atom in self.atoms:
            at = np.full(self.n, atom)
            found = np.where((self.cdf_below(at) < level) & (level <= self.cdf(at)), atom, found)
        return found

    def sample(self, rng: np.random.Generator, size: int) -> FloatArray:
        """Draws; rows of one draw come of one component, except where each row has its own weights."""
        if self.weights is not None and self.weights.shape[1] > 1:
            chosen = np.argmax(np.cumsum(self.weights, axis=0)[None] > rng.random((size, 1, self.n)), axis=1)
            given = [np.take_along_axis(parameter, chosen, axis=0) for parameter in self.parameters]
        else:
            share = None if self.weights is None else self.weights[:, 0]
            picked = rng.choice(self.size, size=size, p=share)
            given = [parameter[picked] for parameter in self.parameters]
        return np.asarray(self.record.random(rng, *given), dtype=np.float64)

    def _components(self) -> tuple[FloatArray, FloatArray | None]:
        """As many draws from every component, 4,000 or more in all, the same each time; and their weights."""
        each = math.ceil(DRAWS / self.size)
        given = [np.tile(parameter, (each, 1)) for parameter in self.parameters]
        x = np.asarray(self.record.random(np.random.default_rng(SEED), *given), dtype=np.float64)
        return x, None if self.weights is None else np.tile(self.weights, (each, 1)) / each

    def deviation(self, y: FloatArray) -> FloatArray:
        """``E|X - y|``, the average of the components'."""
        return self._average(self.record.deviation(self._rows(y), *self.parameters))

    def deviation_and_difference(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The former exact; the latter of pairs of normal components, else of draws from components."""
        deviation = self.deviation(y)
        if self.record.name == "gaussian":
            mu, sigma = self.parameters
            return deviation, normal_pairs(mu, sigma, self.weights)
        x, weights = self._components()
        return deviation, deviation_and_difference(y, x, "fair", weights)[1]


def normal_pairs(mu: FloatArray, sigma: FloatArray, weights: FloatArray | None) -> FloatArray:
    """``E|X - X'|`` of normal mixtures (M, n): Grimit, Gneiting, Berrocal and Johnson (2006), eq. 5.

    Each component meets all others up to 100 components, a fixed choice of eight above.
    """
    size = mu.shape[0]
    share = np.full(mu.shape, 1.0 / size) if weights is None else np.broadcast_to(weights, mu.shape)
    total = np.sum(share * share * sigma, axis=0) * (2.0 / math.sqrt(math.pi))  # a component and its like
    others, mass = np.zeros(mu.shape[1]), np.zeros(mu.shape[1])
    half = size // 2
    shifts = np.arange(1, half + 1)
    if size > EXACT:
        shifts = np.random.default_rng(SEED).choice(shifts, size=PAIRS_EACH, replace=False)
    for shift in shifts:
        pair = share * np.roll(share, shift, axis=0)
        if size % 2 == 0 and shift == half:
            pair = 0.5 * pair  # both directions are the same pairs
        gap = np.hypot(sigma, np.roll(sigma, shift, axis=0))
        z = (mu - np.roll(mu, shift, axis=0)) / gap
        absolute = z * special.erf(z * math.sqrt(0.5)) + math.sqrt(2.0 / math.pi) * np.exp(-0.5 * z * z)
        others += np.sum(pair * gap * absolute, axis=0)
        mass += pair.sum(axis=0)
    if size == 1:
        return total
    with np.errstate(invalid="ignore"):
        mean = np.where(mass > 0.0, others / mass, 0.0)
    return total + (1.0 - np.sum(share * share, axis=0)) * mean
