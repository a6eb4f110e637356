"""A proposal that is normal in all coordinates but one, given that one: nested Laplace approximations.

Along one coordinate t, a scale say, the others' conditional mode and curvature are followed from node to node.
Laplace's approximation there gives the marginal density of t, whatever its shape (Tierney and Kadane 1986, equation
4.1); given t the others are proposed by a defensive mixture around their mode. A curved or skew posterior, which no
one normal distribution fits, is often of this kind (Rue, Martino and Chopin 2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nutslite.sampler.independence.proposals import Proposal, log_standard_density, standard_draws

FloatArray = NDArray[np.float64]

PIECES = 16  # straight pieces of the density of t between two nodes
FLATTEST = 0.1  # rate at which its tails fall at least, by the distance of nodes
TAIL = 0.6  # rate of a tail, as a multiple of that between the last two nodes: the density may fall more slowly there


@dataclass(frozen=True)
class NestedProposal(Proposal):
    """Normal distributions of the other coordinates at nodes t_0 < ... < t_k of one, in equal distances.

    Attributes
    ----------
    along : int
        The coordinate t.
    center, factor : ndarray, shapes (d,) and (d, d)
        The mode and the Cholesky factor of the covariance there.
    nodes : ndarray, shape (k + 1,)
    heights : ndarray, shape (k + 1,)
        Log marginal density of t, up to a constant.
    centers : ndarray, shape (k + 1, d - 1)
        Modes of the others.
    factors : ndarray, shape (k + 1, d - 1, d - 1)
        Cholesky factors of their covariances, with logarithms on the diagonal.
    left : float
        Rate at which the proposal's density of t falls far to the left, at most. That of the logarithm of a scale falls
        at the rate 1 where its prior has a density at zero.
    """

    along: int
    center: FloatArray
    factor: FloatArray
    nodes: FloatArray
    heights: FloatArray
    centers: FloatArray
    factors: FloatArray
    left: float

    @cached_property
    def _others(self) -> NDArray[np.intp]:
        return np.delete(np.arange(self.center.size), self.along)

    @cached_property
    def _pieces(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Points, densities there, masses of the left tail, the pieces and the right tail; rates of the tails.

        The masses add up to one.
        """
        apart = self.nodes[1] - self.nodes[0]
        points = np.linspace(self.nodes[0], self.nodes[-1], PIECES * (self.nodes.size - 1) + 1)
        logs = _between(self.nodes, self.heights, points)
        density = np.exp(logs - logs.max())
        rises = np.array([self.heights[1] - self.heights[0], self.heights[-2] - self.heights[-1]])
        rates = np.maximum(TAIL * rises, FLATTEST) / apart
        rates[0] = min(rates[0], self.left)
        masses = np.concatenate(
            [[density[0] / rates[0]], 0.5 * (density[1:] + density[:-1]) * np.diff(points), [density[-1] / rates[1]]]
        )
        total = masses.sum()
        return points, density / total, masses / total, rates

    def numbers(self, rng: np.random.Generator, n: int) -> FloatArray:
        """A uniform number for t, then draws of the mixture with center 0 and factor 1, shape (n, d)."""
        return np.concatenate([rng.random((n, 1)), standard_draws(rng, n, self.center.size - 1)], axis=1)

    def placed(self, numbers: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Draws (n, d) of these numbers and their log densities (n,)."""
        t, z = self._drawn(numbers[:, 0]), numbers[:, 1:]
        center, factor = self._given(t)
        positions = np.empty(numbers.shape)
        positions[:, self.along] = t
        positions[:, self._others] = center + np.einsum("nij,nj->ni", factor, z)
        return positions, self._log_density(t, z, factor)

    def log_density(self, positions: FloatArray) -> FloatArray:
        """Log density at positions (n, d), shape (n,), without the normal distributions' constant."""
        t = positions[:, self.along]
        center, factor = self._given(t)
        z = positions[:, self._others] - center
        for i in range(z.shape[1]):
            z[:, i] = (z[:, i] - np.einsum("nj,nj->n", factor[:, i, :i], z[:, :i])) / factor[:, i, i]
        return self._log_density(t, z, factor)

    def _log_density(self, t: FloatArray, z: FloatArray, factor: FloatArray) -> FloatArray:
        """The same from standard draws z (n, d - 1) of the others, and the factors that they were multiplied with."""
        determinants = np.log(np.einsum("nii->ni", factor)).sum(axis=1)
        return self._log_marginal(t) - determinants + log_standard_density(np.einsum("ni,ni->n", z, z), z.shape[1])

    def _drawn(self, uniform: FloatArray) -> FloatArray:
        """Draws of t by inversion of its distribution function."""
        points, density, masses, rates = self._pieces
        below = np.cumsum(masses)
        place = np.minimum(np.searchsorted(below, uniform, side="right"), masses.size - 1)
        rest = np.clip(uniform - (below - masses)[place], 0.0, masses[place])
        share = np.maximum(rest / masses[place], 1e-300)
        left, right = place == 0, place == masses.size - 1
        k = np.clip(place - 1, 0, density.size - 2)
        a, b, width = density[k], density[k + 1], points[1] - points[0]
        root = np.sqrt(np.maximum(a * a + 2.0 * (b - a) * rest / width, 0.0))
        t = points[k] + 2.0 * rest / np.maximum(a + root, 1e-300)
        t = np.where(left, points[0] + np.log(share) / rates[0], t)
        return np.where(right, points[-1] - np.log(np.maximum(1.0 - share, 1e-300)) / rates[1], t)

    def _log_marginal(self, t: FloatArray) -> FloatArray:
        points, density, _, rates = self._pieces
        inside = np.log(np.interp(t, points, density))
        below, above = np.minimum(t - points[0], 0.0), np.maximum(t - points[-1], 0.0)
        return np.asarray(inside + rates[0] * below - rates[1] * above)

    def _given(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Centers (n, d - 1) and Cholesky factors (n, d - 1, d - 1) of the others; beyond the nodes the last ones'."""
        inside = np.clip(t, self.nodes[0], self.nodes[-1])
        factor = _between(self.nodes, self.factors, inside)
        diagonal = np.arange(factor.shape[1])
        factor[:, diagonal, diagonal] = np.exp(factor[:, diagonal, diagonal])
        return _between(self.nodes, self.centers, inside), factor


def _between(nodes: FloatArray, values: FloatArray, points: FloatArray) -> FloatArray:
    """`values` (k + 1, ...) at equally distant nodes, at points between these, by cubic polynomials (Catmull-Rom)."""
    slopes = np.gradient(values, axis=0)
    place = (points - nodes[0]) / (nodes[1] - nodes[0])
    k = np.clip(place.astype(int), 0, nodes.size - 2)
    t = (place - k).reshape(-1, *[1] * (values.ndim - 1))
    s = 1.0 - t
    return np.asarray(
        s * s * ((1.0 + 2.0 * t) * values[k] + t * slopes[k])
        + t * t * ((1.0 + 2.0 * s) * values[k + 1] - s * slopes[k + 1])
    )


@dataclass(frozen=True)
class WithUniforms(Proposal):
    """A proposal with uniform numbers behind its own, of which a target makes further coordinates.

    Its density is that of its own numbers.
    """

    own: NestedProposal
    uniforms: int

    @property
    def center(self) -> FloatArray:  # type: ignore[override]
        """The mode, without uniform numbers."""
        return self.own.center

    @property
    def factor(self) -> FloatArray:  # type: ignore[override]
        """Of the covariance at the mode."""
        return self.own.factor

    def numbers(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Those of its own, then uniform ones, shape (n, d + uniforms)."""
        return np.concatenate([self.own.numbers(rng, n), rng.random((n, self.uniforms))], axis=1)

    def placed(self, numbers: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Draws (n, d + uniforms) of these numbers and their log densities (n,)."""
        d = self.own.center.size
        positions, log_densities = self.own.placed(numbers[:, :d])
        return np.concatenate([positions, numbers[:, d:]], axis=1), log_densities

    def log_density(self, positions: FloatArray) -> FloatArray:
        """Log density at positions (n, d or more), shape (n,)."""
        return self.own.log_density(positions[:, : self.center.size])
