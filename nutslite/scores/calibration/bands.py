"""Where an empirical distribution function should lie, all of it at once: exact bands and p-values, no simulation.

A band is that of Säilynoja, Bürkner and Vehtari (2022), Statistics and Computing 32:32 (arXiv:2103.10522): pointwise
binomial intervals of one level, which is the level at which the whole curve stays inside with the probability asked
for. Two things are done otherwise here. Of uniform values between two points the numbers are increments of a Poisson
process, given the total; the masses of these do not depend on what came before, so that a step is a convolution
(Moscovich and Nadler 2017, Statistics & Probability Letters 123:177-182). And the level is sought among the finitely
many at which the band changes, so that the band is the narrowest of its kind, to the last count.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._numba import kernel

FloatArray = NDArray[np.float64]
CountArray = NDArray[np.int64]

TIE = 1e-9  # relative difference of tail probabilities that are the same but for rounding
REACH = 8.5  # standard deviations of a count, beyond which (and SLACK more) its probability is below rounding
SLACK = 20
SMALLEST = 1e-17  # probability; others are rounding
MOST_EXACT = 20_000  # values; beyond, the pointwise level has reached its limit


class Tails(NamedTuple):
    """Two-sided tail probabilities of the counts that are possible but for rounding, at every point."""

    first: CountArray  # (points,): the count of column 0
    values: FloatArray  # (points, counts)


def ecdf_counts(ranks: CountArray, n_values: int) -> CountArray:
    """How many ranks are below 1, ..., n_values - 1: the empirical distribution function at these steps, in counts."""
    return np.cumsum(np.bincount(ranks, minlength=n_values))[:-1]


def ecdf_test(ranks: CountArray, n_values: int) -> float:
    """P-value of the empirical distribution function's largest excursion, for ranks 0, ..., n_values - 1.

    At every step the number of ranks below is binomial if ranks are uniform; the statistic is the smallest two-sided
    tail probability over all steps. Its p-value is exact (for independent ranks), not simulated.
    """
    return excursion_test(ecdf_counts(ranks, n_values), ranks.size, equal_steps(n_values))


def ecdf_band(n_ranks: int, n_values: int, probability: float = 0.95) -> tuple[CountArray, CountArray]:
    """Simultaneous band: with at least this probability all counts of `ecdf_counts` lie in it if ranks are uniform.

    Returns
    -------
    low, high : ndarray of int, shape (n_values - 1,)
        Smallest and largest counts inside.
    """
    return band_at(n_ranks, equal_steps(n_values), probability)


@functools.lru_cache(maxsize=64)
def equal_steps(n_values: int) -> tuple[float, ...]:
    """The points 1/n, ..., (n - 1)/n."""
    return tuple((np.arange(1, n_values) / n_values).tolist())


def excursion_test(counts: CountArray, n: int, points: tuple[float, ...]) -> float:
    """P-value of the counts of n uniform values that are at most the increasing `points`, each between 0 and 1."""
    tails = tail_probabilities(n, points)
    places = counts - tails.first
    width = tails.values.shape[1]
    seen = tails.values[np.arange(len(points)), np.clip(places, 0, width - 1)]
    smallest = float(np.where((places < 0) | (places >= width), 0.0, seen).min())
    return max(0.0, 1.0 - probability_inside(n, points, smallest))


@functools.lru_cache(maxsize=64)
def band_at(n: int, points: tuple[float, ...], probability: float = 0.95) -> tuple[CountArray, CountArray]:
    """Smallest and largest counts of n uniform values at most `points` that a simultaneous band holds.

    Parameters
    ----------
    n : int
        Number of values.
    points : tuple of float
        Increasing, each between 0 and 1.
    probability : float
        Of the whole curve being inside; as counts are whole numbers it is at least this. (Above 20,000 values the
        pointwise level is the one for 20,000, and the probability this within 0.001.)

    Returns
    -------
    low, high : ndarray of int, shape (points,)
    """
    return region(tail_probabilities(n, points), _level(min(n, MOST_EXACT), points, probability))


def _level(n: int, points: tuple[float, ...], probability: float) -> float:
    """The largest pointwise level whose region holds the curve with the probability; 0 holds it always.

    Found among the tail probabilities that occur, between one that is inside and one that is not. On the scale of
    logarithms the probability of leaving is nearly a straight line; probes fall a little to either side of its root.
    """
    values = tail_probabilities(n, points).values.ravel()
    levels = np.concatenate([[0.0], np.unique(values[values <= 1.0 - probability])])

    def excess(place: int) -> float:
        leaving = 1.0 - probability_inside(n, points, float(levels[place]))
        return math.log(max(leaving, SMALLEST) / (1.0 - probability))

    def log_level(place: int) -> float:
        return math.log(max(float(levels[place]), SMALLEST))

    inside, outside = 0, levels.size - 1
    below, above, side = math.log(SMALLEST), excess(outside), 1
    if above <= 0.0:
        return float(levels[-1])
    while outside - inside > 1:
        start, end = log_level(inside), log_level(outside)
        root = int(np.searchsorted(levels, math.exp(start + (end - start) * below / (below - above))))
        place = root + side * math.isqrt((outside - inside) // 4)
        place = min(max(place, inside + 1), outside - 1)
        found = excess(place)
        side = 1 if found <= 0.0 else -1
        if found <= 0.0:
            inside, below = place, min(found, -SMALLEST)
        else:
            outside, above = place, found
    return float(levels[inside])


@functools.lru_cache(maxsize=8)
def tail_probabilities(n: int, points: tuple[float, ...]) -> Tails:
    """Two-sided tail probability of every count at every point; counts left out have a probability below rounding."""
    shares = np.array(points)
    half = math.ceil(REACH * math.sqrt(n * float((shares * (1.0 - shares)).max()))) + SLACK
    width = min(n + 1, 2 * half + 1)
    modes = np.minimum(((n + 1) * shares).astype(np.int64), n)
    first = np.clip(modes - half, 0, n + 1 - width)
    values = np.empty((shares.size, width))
    _fill_tails(n, shares, modes, first, values)
    return Tails(first, values)


def region(tails: Tails, level: float) -> tuple[CountArray, CountArray]:
    """Smallest and largest count of every point whose tail probability exceeds `level`; high < low where none does."""
    inside = tails.values > level * (1.0 + TIE)
    some = inside.any(axis=1)
    low = tails.first + inside.argmax(axis=1)
    high = tails.first + inside.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
    return low, np.where(some, high, low - 1)


@functools.lru_cache(maxsize=4096)
def probability_inside(n: int, points: tuple[float, ...], level: float) -> float:
    """Probability that every point's tail probability exceeds `level`, for n independent uniform values."""
    low, high = region(tail_probabilities(n, points), level)
    if (high < low).any():
        return 0.0
    return float(min(1.0, _stays_inside(n, np.array(points), low, high)))


@kernel
def _fill_tails(n, points, modes, first, values):
    """Binomial masses outwards from the mode by their ratios, normalised by their sum; then sums from either side."""
    width = values.shape[1]
    upper = np.empty(width)
    for k in range(points.size):
        odds = points[k] / (1.0 - points[k])
        mode = modes[k] - first[k]
        row = values[k]
        row[mode] = 1.0
        for j in range(mode + 1, width):
            count = first[k] + j
            row[j] = row[j - 1] * ((n - count + 1) / count * odds)
        for j in range(mode - 1, -1, -1):
            count = first[k] + j
            row[j] = row[j + 1] * ((count + 1) / ((n - count) * odds))
        total = 0.0
        for j in range(width - 1, -1, -1):
            total += row[j]
            upper[j] = total
        below = 0.0
        for j in range(width):
            below += row[j]
            row[j] = min(1.0, 2.0 * min(below, upper[j]) / total)


@kernel
def _stays_inside(n, points, low, high):
    """Probability that the counts of n uniform values at most `points` are all from `low` to `high`."""
    widest, largest_step, previous = 1, 1.0 - points[-1], 0.0
    for k in range(points.size):
        widest = max(widest, high[k] - low[k] + 1)
        largest_step = max(largest_step, points[k] - previous)
        previous = points[k]
    weights, new = np.zeros(widest), np.zeros(widest)
    masses = np.empty(2 * _half_width(n * largest_step) + 1)
    weights[0] = 1.0
    start, size, previous = 0, 1, 0.0
    for k in range(points.size):
        fewest, n_masses = _poisson_masses(n * (points[k] - previous), masses)
        width = high[k] - low[k] + 1
        new[:width] = 0.0
        for i in range(size):
            shift = start + i + fewest - low[k]  # where the first mass falls
            weight = weights[i]
            for a in range(max(0, -shift), min(n_masses, width - shift)):
                new[shift + a] += weight * masses[a]
        weights, new = new, weights
        start, size, previous = low[k], width, points[k]
    fewest, n_masses = _poisson_masses(n * (1.0 - previous), masses)
    total = 0.0
    for i in range(size):
        a = n - (start + i) - fewest
        if 0 <= a < n_masses:
            total += weights[i] * masses[a]
    return total / _poisson_at_mean(n)


@kernel
def _half_width(rate):
    """How far from its mode a Poisson count is followed."""
    return int(REACH * math.sqrt(rate)) + SLACK


@kernel
def _poisson_masses(rate, out):
    """Fill `out` with probabilities of the Poisson counts that are possible but for rounding; the first, how many."""
    mode, half = int(rate), _half_width(rate)
    fewest = max(0, mode - half)
    size, place = mode + half - fewest + 1, mode - fewest
    out[place] = 1.0
    total = 1.0
    for j in range(place + 1, size):
        out[j] = out[j - 1] * (rate / (fewest + j))
        total += out[j]
    for j in range(place - 1, -1, -1):
        out[j] = out[j + 1] * ((fewest + j + 1) / rate)
        total += out[j]
    for j in range(size):
        out[j] /= total
    return fewest, size


@kernel
def _poisson_at_mean(n):
    """Probability that a Poisson count of mean n is n; by Stirling's series for large n, where logarithms cancel."""
    if n < 100:
        return math.exp(n * math.log(n) - n - math.lgamma(n + 1.0))
    z = 1.0 / n
    return math.exp(-z / 12.0 + z**3 / 360.0 - z**5 / 1260.0) / math.sqrt(2.0 * math.pi * n)
