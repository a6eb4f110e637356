"""Limits of R-hat and effective size: the usual ones, and what chance alone does to the extremes of many parameters.

For independent draws of C chains and N draws each, split into 2 C halves of n = N / 2, the squared R-hat is
1 + (F - 1) / n, where F compares the variance between halves with that within them: about a chi-square number with
2 C - 1 degrees of freedom, divided by these. R-hat is the larger of two such numbers for each parameter. An effective
size sums autocorrelations, to which halves that differ by chance add about (F - 1) / n at each lag; it sums over some
sqrt(n) lags, and over more where they stand out from the noise of single lags. Both were held against independent
draws of up to 100,000 parameters (docs/checking_results.md). The extreme of m parameters is judged at a chance of
1 in 100 that any of them exceeds it (Bonferroni), which for correlated parameters errs towards silence.
"""

from __future__ import annotations

import functools
import math

MAX_R_HAT = 1.01  # Vehtari et al. (2021), section 4.1
MIN_ESS_PER_CHAIN = 100  # same, section 4: 400 for the usual four chains
BUDGET = 4.0  # times the draws asked for: how far `fit(until="converged")` goes by default
FEW_PARAMETERS = 10
FALSE_ALARMS = 0.01  # chance that independent draws exceed a limit anywhere
STATISTICS = 2  # of each parameter: its ranks and its distances from the median; its 5 % and its 95 % quantile


def limits(parameters: int, chains: int, draws: int) -> tuple[float, float]:
    """The R-hat above which, and the effective size below which, a run has a fault.

    The usual limits for few parameters. For many they give way to chance: to the extremes of as many parameters with
    independent draws. Runs of fewer draws in all than the usual size are too short, whatever chance does.

    Parameters
    ----------
    parameters, chains, draws : int
        `draws` of each chain.

    Returns
    -------
    r_hat, size : float
    """
    usual = float(MIN_ESS_PER_CHAIN * chains)
    if parameters <= FEW_PARAMETERS:
        return MAX_R_HAT, usual
    r_hat = max(MAX_R_HAT, largest_r_hat(parameters, chains, draws))
    return r_hat, min(usual, smallest_size(parameters, chains, draws)) if chains * draws >= usual else usual


def largest_r_hat(parameters: int, chains: int, draws: int) -> float:
    """The R-hat that none of so many parameters with independent draws exceeds, but in one run in a hundred."""
    ratio, half = _largest_ratio(parameters, chains, draws)
    return math.sqrt(1.0 + (ratio - 1.0) / half)


def smallest_size(parameters: int, chains: int, draws: int) -> float:
    """The effective size that none of so many parameters with independent draws falls below, but in one such run."""
    ratio, half = _largest_ratio(parameters, chains, draws)
    excess = ratio - 1.0
    lags = min(math.sqrt(half) * (1.0 + chains * excess**2 / half), half)
    return chains * draws / (1.0 + 2.0 * excess * lags / half)


def _largest_ratio(parameters: int, chains: int, draws: int) -> tuple[float, float]:
    """The largest variance between halves over that within, and the draws of a half."""
    half = max(draws // 2, 2)
    freedom, within = 2 * chains - 1, 2 * chains * (half - 1)
    number = _chi_square(FALSE_ALARMS / (STATISTICS * max(parameters, 1)), freedom)
    return number / freedom * (1.0 + number / (2.0 * within)), half  # the last factor: F's heavier tail


@functools.cache
def _chi_square(probability: float, freedom: int) -> float:
    """The number that a chi-square variable of an odd number of degrees of freedom exceeds with this probability."""
    low, high = 0.0, 1e4
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _exceeds(middle, freedom) > probability else (low, middle)
    return high


def _exceeds(number: float, freedom: int) -> float:
    """Probability that a chi-square variable of an odd number of degrees of freedom is larger."""
    total = math.erfc(math.sqrt(number / 2.0))
    term = math.sqrt(2.0 * number / math.pi) * math.exp(-number / 2.0)
    for k in range(1, freedom - 1, 2):
        total += term
        term *= number / (k + 2)
    return total
