"""A proposal that has the target's own shape along each axis: standard draws, each number bent by its own function.

A normal distribution at the mode fits the middle of a posterior. Where that is skew, or has longer or shorter tails, an
increasing function T of each standard number, along the axes of the normal distribution, makes the proposal so: T takes
the quantiles of a normal distribution to those of the density along the axis. Its slope gives the proposal's density
(Parno and Marzouk 2018, doi:10.1137/17M1134640, whose maps are triangular; this one is diagonal).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite.sampler.independence.proposals import (
    DefensiveMixture,
    Proposal,
    log_standard_density,
    multiply,
    standard_draws,
)

FloatArray = NDArray[np.float64]

REACH = 6.0  # standard deviations to either side that are looked at along an axis ...
LOOKS = 13  # ... at so many places
PIECES = 16  # straight pieces of the density between two of these
END, KNOTS = 4.0, 17  # of the increasing functions, in equal distances; they are straight beyond the ends
LOWEST = -50.0  # log density below which nothing matters
SLOWEST = 0.5  # rate at which a density falls beyond what is looked at, at least
SHARE = 0.05  # of wide draws: less than where nothing is known of the tails
STEEPEST = 3.0  # a cubic piece increases where its slopes are at most so many times the mean one (Fritsch, Carlson)
NEWTON_STEPS, SETTLED = 60, 1e-8  # which is squared by the step that finds it


@dataclass(frozen=True)
class AlongAxes(Proposal):
    """The law of c + F T(z), z a draw of the defensive mixture with center 0 and factor 1.

    Attributes
    ----------
    center, factor : ndarray, shapes (d,) and (d, d)
        c and the lower Cholesky factor F.
    places, slopes : ndarray, shape (d, KNOTS)
        T and its slope at knots from -END to END; cubic polynomials between (Hermite's), straight lines beyond.
    """

    center: FloatArray
    factor: FloatArray
    places: FloatArray
    slopes: FloatArray

    @functools.cached_property
    def _pieces(self) -> FloatArray:
        """Coefficients of T in t = (z - knot) / distance, shape (4, d, KNOTS + 1): a line, the cubics, a line."""
        apart = 2.0 * END / (KNOTS - 1)
        rise, first, last = np.diff(self.places), apart * self.slopes[:, :-1], apart * self.slopes[:, 1:]
        found = np.zeros((4, self.center.size, KNOTS + 1))
        found[0, :, 0], found[0, :, 1:] = self.places[:, 0], self.places
        found[1, :, 0], found[1, :, 1:] = first[:, 0], apart * self.slopes
        found[2, :, 1:-1] = 3.0 * rise - 2.0 * first - last
        found[3, :, 1:-1] = first + last - 2.0 * rise
        return found

    def numbers(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Draws of the mixture with center 0 and factor 1, shape (n, d)."""
        return standard_draws(rng, n, self.center.size, SHARE)

    def placed(self, numbers: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Draws (n, d) of these numbers and their log densities (n,)."""
        bent, slopes = self._bent(numbers)
        return self.center + multiply(self.factor, bent), self._log_density(numbers, slopes)

    def log_density(self, positions: FloatArray) -> FloatArray:
        """Log density at positions (n, d), shape (n,), without the normal distribution's constant."""
        z = self._straightened(multiply(np.asarray(np.linalg.inv(self.factor)), positions - self.center))
        return self._log_density(z, self._bent(z)[1])

    @staticmethod
    def _log_density(z: FloatArray, slopes: FloatArray) -> FloatArray:
        of_standard = log_standard_density(np.einsum("ni,ni->n", z, z), z.shape[1], SHARE)
        return of_standard - np.log(slopes).sum(axis=1)

    def _bent(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """T and its slope at numbers (n, d)."""
        apart = 2.0 * END / (KNOTS - 1)
        place = (z + END) / apart
        piece = np.clip(np.floor(place), -1.0, KNOTS - 1.0)
        t = place - np.maximum(piece, 0.0)
        index = (piece + 1.0).astype(np.intp) + np.arange(z.shape[1]) * (KNOTS + 1)
        a, b, c, d = (np.take(coefficients.ravel(), index) for coefficients in self._pieces)
        return a + t * (b + t * (c + t * d)), (b + t * (2.0 * c + 3.0 * t * d)) / apart

    def _straightened(self, bent: FloatArray) -> FloatArray:
        """The numbers (n, d) at which T is `bent`, by Newton's method within the piece."""
        apart = 2.0 * END / (KNOTS - 1)
        knots = np.linspace(-END, END, KNOTS)
        z = np.empty(bent.shape)
        for i, places in enumerate(self.places):
            left = (bent[:, i] - places[0]) / self.slopes[i, 0] - END
            right = (bent[:, i] - places[-1]) / self.slopes[i, -1] + END
            z[:, i] = np.interp(bent[:, i], places, knots)
            z[:, i] = np.where(bent[:, i] < places[0], left, np.where(bent[:, i] > places[-1], right, z[:, i]))
        low, high = np.floor(z / apart) * apart, np.ceil(z / apart) * apart
        outside = np.abs(z) >= END
        for _ in range(NEWTON_STEPS):
            value, slope = self._bent(z)
            moved = np.where(outside, z, np.clip(z - (value - bent) / slope, low, high))
            settled = np.abs(moved - z).max(initial=0.0) <= SETTLED
            z = moved
            if settled:
                break
        return z


def along_axes(log_densities: Callable[[FloatArray], FloatArray], normal: DefensiveMixture) -> AlongAxes | None:
    """With the shape of a target along the axes of a normal distribution at its mode; None where it has none there.

    Parameters
    ----------
    log_densities : callable
        The target's log densities (n,) at positions (n, d). It is called once, with 1 + 12 d positions.
    """
    d = normal.center.size
    looks = np.linspace(-REACH, REACH, LOOKS)
    beside = np.delete(looks, LOOKS // 2)
    steps = np.concatenate([np.zeros((1, d)), (np.eye(d)[:, None] * beside[None, :, None]).reshape(-1, d)])
    found = log_densities(normal.center + multiply(normal.factor, steps))
    if not np.isfinite(found[0]):
        return None
    heights = np.insert((found[1:] - found[0]).reshape(d, -1), LOOKS // 2, 0.0, axis=1)
    if not np.isfinite(heights[:, np.abs(looks) <= 0.5 * REACH]).all():
        return None
    # Cubics follow what differs from a parabola.
    off = np.maximum(np.nan_to_num(heights, nan=LOWEST, neginf=LOWEST, posinf=LOWEST), LOWEST) + 0.5 * looks**2
    points = np.linspace(-REACH, REACH, PIECES * (LOOKS - 1) + 1)
    curves = _between(off, points) - 0.5 * points**2
    places, slopes = (np.array(each) for each in zip(*(_quantiles(points, curve) for curve in curves), strict=True))
    rise = np.diff(places) * (KNOTS - 1) / (2.0 * END)
    if not (rise > 0.0).all() or not (np.maximum(slopes[:, 1:], slopes[:, :-1]) <= STEEPEST * rise).all():
        return None
    return AlongAxes(normal.center, normal.factor, places, slopes)


def _between(values: FloatArray, points: FloatArray) -> FloatArray:
    """`values` (d, LOOKS) at all points, by cubic polynomials (Catmull-Rom)."""
    slopes = np.gradient(values, axis=1)
    place = (points + REACH) * (LOOKS - 1) / (2.0 * REACH)
    k = np.minimum(place.astype(int), LOOKS - 2)
    t = place - k
    s = 1.0 - t
    left = s * s * ((1.0 + 2.0 * t) * values[:, k] + t * slopes[:, k])
    return np.asarray(left + t * t * ((1.0 + 2.0 * s) * values[:, k + 1] - s * slopes[:, k + 1]))


def _quantiles(points: FloatArray, logs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where a density, of which `logs` are the logarithms, has the quantiles of a normal one at the knots; slopes."""
    logs = logs - logs.max()
    density, apart = np.exp(logs), points[1] - points[0]
    pieces = 0.5 * (density[1:] + density[:-1]) * apart
    # beyond the ends it falls as it does there
    rates = np.maximum(np.array([logs[1] - logs[0], logs[-2] - logs[-1]]) / apart, SLOWEST)
    ends = density[[0, -1]] / rates
    total = pieces.sum() + ends.sum()
    below = np.log(np.cumsum(np.concatenate([ends[:1], pieces])) / total)
    above = np.log(np.cumsum(np.concatenate([ends[1:], pieces[::-1]])) / total)  # from the right
    knots = np.linspace(-END, END, KNOTS)
    shares, middle = _log_normal_shares(), KNOTS // 2
    lower, upper = shares[:middle], shares[middle::-1]
    left = np.interp(lower, below, points) + np.minimum(lower - below[0], 0.0) / rates[0]
    right = np.interp(upper, above, points[::-1]) - np.minimum(upper - above[0], 0.0) / rates[1]
    places = np.concatenate([left, right])
    at = np.interp(places, points, logs)
    at += rates[0] * np.minimum(places + REACH, 0.0) - rates[1] * np.maximum(places - REACH, 0.0)
    slopes = np.exp(-0.5 * knots**2 - at) * (total / math.sqrt(2.0 * math.pi))
    return places, slopes


@functools.cache
def _log_normal_shares() -> FloatArray:
    """Logarithms of the normal distribution function at the knots up to 0."""
    knots = np.linspace(-END, END, KNOTS)[: KNOTS // 2 + 1]
    return np.log([0.5 * math.erfc(-knot / math.sqrt(2.0)) for knot in knots])
