"""Are ranks uniform? Pearson's chi-squared, and the largest excursion of the empirical distribution function.

Ranks are integers 0, ..., L: how many of L independent posterior draws lie below the parameter that made the data. The
second test and its bands are those of Säilynoja, Bürkner and Vehtari (2022), Statistics and Computing 32:32
(arXiv:2103.10522), with one difference: probabilities that their section 2.3 finds by optimisation are those of the
statistic itself, so that p-values come out of the same recursion.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
CountArray = NDArray[np.int64]

MOST_BINS = 20
FEWEST_PER_BIN = 5  # expected ranks in a bin, below which the chi-squared approximation is not trusted
TIE = 1e-9  # relative difference of tail probabilities that are the same but for rounding
BAND_BISECTIONS = 24


def chi_squared_bins(n_ranks: int, n_values: int) -> int:
    """Number of equal bins: the largest divisor of `n_values` that leaves enough expected ranks to each; at least 2.

    Returns 0 where even two bins would hold too few, or `n_values` has no divisor that serves.
    """
    most = min(MOST_BINS, n_ranks // FEWEST_PER_BIN)
    return max((bins for bins in range(2, most + 1) if n_values % bins == 0), default=0)


def chi_squared_test(ranks: CountArray, n_values: int) -> tuple[float, float]:
    """Pearson's statistic and p-value for ranks that should be uniform on 0, ..., n_values - 1.

    Returns (nan, nan) where there are too few ranks for the statistic's approximate distribution.
    """
    bins = chi_squared_bins(ranks.size, n_values)
    if bins == 0:
        return math.nan, math.nan
    counts = np.bincount(ranks // (n_values // bins), minlength=bins)
    expected = ranks.size / bins
    statistic = float(np.sum((counts - expected) ** 2) / expected)
    return statistic, chi_squared_tail(statistic, bins - 1)


def chi_squared_tail(x: float, degrees: int) -> float:
    """Probability that a chi-squared variable with so many degrees of freedom exceeds `x`.

    Q(1/2, x) = erfc(sqrt(x)), Q(1, x) = exp(-x), and Q(a + 1, x) = Q(a, x) + x^a exp(-x) / Gamma(a + 1) (DLMF 8.8.6).
    """
    if x <= 0.0:
        return 1.0
    half, a = 0.5 * x, 1.0 if degrees % 2 == 0 else 0.5
    total = math.exp(-half) if degrees % 2 == 0 else math.erfc(math.sqrt(half))
    while a < 0.5 * degrees:
        total += math.exp(a * math.log(half) - half - math.lgamma(a + 1.0))
        a += 1.0
    return min(1.0, total)


def ecdf_counts(ranks: CountArray, n_values: int) -> CountArray:
    """How many ranks are below 1, ..., n_values - 1: the empirical distribution function at these steps, in counts."""
    return np.cumsum(np.bincount(ranks, minlength=n_values))[:-1]


def ecdf_test(ranks: CountArray, n_values: int) -> float:
    """P-value of the empirical distribution function's largest excursion.

    At every step i the number of ranks below is binomial if ranks are uniform; the statistic is the smallest two-sided
    tail probability over all steps. Its p-value is exact (for independent ranks), not simulated.
    """
    counts = ecdf_counts(ranks, n_values)
    tails = _tail_probabilities(ranks.size, n_values)
    smallest = float(tails[np.arange(n_values - 1), counts].min())
    return 1.0 - _probability_inside(ranks.size, n_values, smallest)


@functools.lru_cache(maxsize=64)
def ecdf_band(n_ranks: int, n_values: int, probability: float = 0.95) -> tuple[CountArray, CountArray]:
    """Simultaneous band: with at least this probability all counts of `ecdf_counts` lie in it if ranks are uniform.

    Returns
    -------
    low, high : ndarray of int, shape (n_values - 1,)
        Smallest and largest counts inside.
    """
    below, above = 0.0, 1.0 - probability
    for _ in range(BAND_BISECTIONS):
        middle = 0.5 * (below + above)
        if _probability_inside(n_ranks, n_values, middle) >= probability:
            below = middle
        else:
            above = middle
    return _region(n_ranks, n_values, below)


@functools.lru_cache(maxsize=8)
def _tail_probabilities(n_ranks: int, n_values: int) -> FloatArray:
    """Two-sided tail probability of every count at every step, shape (n_values - 1, n_ranks + 1)."""
    shares = np.arange(1, n_values) / n_values
    mass = _binomial_mass(n_ranks, np.arange(n_ranks + 1)[None, :], shares[:, None])
    lower = np.cumsum(mass, axis=1)
    upper = np.cumsum(mass[:, ::-1], axis=1)[:, ::-1]
    return np.minimum(1.0, 2.0 * np.minimum(lower, upper))


def _region(n_ranks: int, n_values: int, tail: float) -> tuple[CountArray, CountArray]:
    """Smallest and largest count of every step whose tail probability exceeds `tail`."""
    inside = _tail_probabilities(n_ranks, n_values) > tail * (1.0 + TIE)
    return inside.argmax(axis=1), n_ranks - inside[:, ::-1].argmax(axis=1)


@functools.lru_cache(maxsize=4096)
def _probability_inside(n_ranks: int, n_values: int, tail: float) -> float:
    """Probability that every step's tail probability exceeds `tail`, for uniform ranks.

    Counts below steps are a Markov chain: of the ranks that are not yet below step i each is below step i + 1 with
    probability 1 / (n_values - i). The recursion follows it inside the region (section 2.3 of the paper).
    """
    if not (_tail_probabilities(n_ranks, n_values) > tail * (1.0 + TIE)).any(axis=1).all():
        return 0.0
    low, high = _region(n_ranks, n_values, tail)
    counts, weights = np.zeros(1, dtype=np.int64), np.ones(1)
    for step in range(n_values - 1):
        new = np.arange(low[step], high[step] + 1)
        left = n_ranks - counts
        added = new[None, :] - counts[:, None]
        weights = weights @ _binomial_mass(left[:, None], added, 1.0 / (n_values - step))
        counts = new
    return float(min(1.0, weights.sum()))


def _binomial_mass(trials: CountArray | int, successes: CountArray, probability: FloatArray | float) -> FloatArray:
    """Binomial probabilities, broadcast; 0 where successes are impossible. Probabilities are above 0 and below 1."""
    trials = np.asarray(trials)
    possible = (successes >= 0) & (successes <= trials)
    k = np.where(possible, successes, 0)
    table = _log_factorials(int(trials.max()))
    log_mass = table[trials] - table[k] - table[trials - k] + k * np.log(probability)
    log_mass = log_mass + (trials - k) * np.log1p(-np.asarray(probability))
    return np.where(possible, np.exp(log_mass), 0.0)


@functools.lru_cache(maxsize=8)
def _log_factorials(largest: int) -> FloatArray:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, largest + 1)))])
