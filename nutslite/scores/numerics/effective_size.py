"""Effective sample size from autocorrelations, for many quantities at once.

Source: Vehtari et al. (2021), arXiv:1903.08008, section 3.2 and appendix A; the truncation by pairs is that of Geyer
(1992), Practical Markov chain Monte Carlo, Statistical Science 7(4).
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def effective_size(chains: FloatArray) -> FloatArray:
    """Effective number of draws for the mean of each quantity.

    Parameters
    ----------
    chains : ndarray, shape (quantities, chains, draws)
        At least two draws; split the chains first.

    Returns
    -------
    ndarray, shape (quantities,)
        For a quantity that never changes, the number of draws.

    Notes
    -----
    With the pair sums ``P_k = rho_2k + rho_(2k+1)``, cut before the first non-positive one (``P_K``) and made
    non-increasing, the autocorrelation time is ``-1 + 2 sum_(k<K) P_k + max(rho_2K, 0)``. It is at least
    ``1 / log10(draws)``, so that antithetic chains do not report absurd sizes.
    """
    n_chains, n_draws = chains.shape[1:]
    total = n_chains * n_draws
    covariance, means = _mean_autocovariance(chains)
    within = covariance[:, 0] * n_draws / (n_draws - 1.0)
    variance = covariance[:, 0].copy()
    if n_chains > 1:
        variance += np.var(means, axis=1, ddof=1)
    rho = 1.0 - (within[:, None] - covariance) / variance[:, None]
    rho[:, 0] = 1.0
    last = max(0, (n_draws - 3) // 2)  # the last pair that may be used
    pairs = rho[:, 0 : 2 * last + 2 : 2] + rho[:, 1 : 2 * last + 2 : 2]
    cut = _first_true(pairs <= 0.0, otherwise=last)
    pair_at_cut = np.take_along_axis(pairs, cut[:, None], axis=1)[:, 0]
    even_at_cut = np.take_along_axis(rho, 2 * cut[:, None], axis=1)[:, 0]
    sums = np.cumsum(np.minimum.accumulate(pairs, axis=1), axis=1)
    before_cut = np.where(cut > 0, np.take_along_axis(sums, np.maximum(cut - 1, 0)[:, None], axis=1)[:, 0], 0.0)
    time = -1.0 + 2.0 * before_cut + np.where(pair_at_cut >= 0, even_at_cut, np.maximum(even_at_cut, 0.0))
    size = total / np.maximum(time, 1.0 / np.log10(total))
    constant = chains.max(axis=(1, 2)) == chains.min(axis=(1, 2))
    return np.where(constant, float(total), size)


def split_chains(draws: FloatArray) -> FloatArray:
    """Both halves of every chain as chains of their own; of an odd number of draws the middle one is left out.

    Parameters
    ----------
    draws : ndarray, shape (quantities, chains, draws)

    Returns
    -------
    ndarray, shape (quantities, 2 * chains, draws // 2)
    """
    half = draws.shape[-1] // 2
    return np.concatenate((draws[..., :half], draws[..., -half:]), axis=1)


def _mean_autocovariance(chains: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Biased autocovariances at every lag averaged over chains, shape (quantities, draws), and the chain means.

    The power spectra are averaged before the one inverse transform, which gives the same by linearity.
    """
    n_draws = chains.shape[-1]
    means = chains.mean(axis=-1)
    length = _fast_length(2 * n_draws)
    spectrum = np.fft.rfft(chains - means[..., None], n=length, axis=-1)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
    return np.fft.irfft(power, n=length, axis=-1)[:, :n_draws] / n_draws, means


def _first_true(mask: NDArray[np.bool_], otherwise: int) -> NDArray[np.int64]:
    """Index of the first True of each row, or `otherwise` where a row has none."""
    return np.where(mask.any(axis=1), mask.argmax(axis=1), otherwise)


@functools.lru_cache(maxsize=32)
def _fast_length(length: int) -> int:
    """The smallest number with no prime factor above 5 that is at least `length`: Fourier transforms like those."""
    best = 1 << (length - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            quotient = -(-length // three)
            best = min(best, three << (quotient - 1).bit_length())
            three *= 3
        five *= 5
    return best
