"""Effective sample size from autocorrelations, for many quantities at once.

Source: Vehtari et al. (2021), arXiv:1903.08008, section 3.2 and appendix A; the truncation by pairs is that of Geyer
(1992), Practical Markov chain Monte Carlo, Statistical Science 7(4).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

DIRECT_LAGS = (4, 8, 16)
"""Lags that are summed directly, before it is seen which quantities need more: sixteen cost what a transform does."""


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
    """
    return Deviations.of(chains).effective_size()


@dataclass(frozen=True, eq=False)
class Deviations:
    """Chains of quantities, at least two draws each, as distances from their means.

    Attributes
    ----------
    means : ndarray, shape (quantities, chains)
    deviations : ndarray, shape (quantities, chains, draws)
    variance : ndarray, shape (quantities,)
        Mean squared deviation.
    constant : ndarray of bool, shape (quantities,)
        Whether a quantity never changes, in any chain.
    """

    means: FloatArray
    deviations: FloatArray
    variance: FloatArray
    constant: NDArray[np.bool_]

    @classmethod
    def of(cls, chains: FloatArray, overwrite: bool = False) -> Deviations:
        """From chains (quantities, chains, draws), which may be overwritten."""
        means = chains.mean(axis=-1)
        constant = (chains == chains[:, :1, :1]).all(axis=(1, 2))
        deviations = np.subtract(chains, means[..., None], out=chains if overwrite else None)
        return cls(means, deviations, _autocovariance(deviations, 0), constant)

    @property
    def within(self) -> FloatArray:
        """Unbiased variance in the chains, averaged over these."""
        n_draws = self.deviations.shape[-1]
        return self.variance * n_draws / (n_draws - 1.0)

    @property
    def between(self) -> FloatArray:
        """Variance of the chains' means; zero where there is one chain."""
        return np.var(self.means, axis=1, ddof=1) if self.means.shape[1] > 1 else np.zeros(len(self.means))

    def effective_size(self) -> FloatArray:
        """Effective number of draws for the mean of each quantity, shape (quantities,).

        Notes
        -----
        With the pair sums ``P_k = rho_2k + rho_(2k+1)``, cut before the first non-positive one (``P_K``) and made
        non-increasing, the autocorrelation time is ``-1 + 2 sum_(k<K) P_k + max(rho_2K, 0)``. It is at least
        ``1 / log10(draws)``, so that antithetic chains do not report absurd sizes.
        """
        total = self.deviations[0].size
        variance = self.variance + self.between
        size = np.full(len(variance), np.nan)
        varying = np.flatnonzero((variance > 0.0) & np.isfinite(variance))
        if varying.size:
            time = _autocorrelation_time(_rows(self.deviations, varying), self.within[varying], variance[varying])
            size[varying] = total / np.maximum(time, 1.0 / np.log10(total))
        return np.where(self.constant, float(total), size)


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


def _autocorrelation_time(deviations: FloatArray, within: FloatArray, variance: FloatArray) -> FloatArray:
    """Sums of autocorrelations up to the cut, of chains without their means, as `effective_size` says.

    Nearly independent draws are cut after a few lags, each of which is a sum over the draws. Where more are needed, a
    Fourier transform gives all of them.
    """
    n_draws = deviations.shape[-1]
    all_lags = 2 * max(0, (n_draws - 3) // 2) + 2  # with the last pair that may be used
    steps = [*(few for few in DIRECT_LAGS if few < all_lags), min(all_lags, DIRECT_LAGS[-1])]
    rho = np.full((len(deviations), steps[-1]), -1.0)
    rho[:, 0] = 1.0
    left, rows, start = deviations, np.arange(len(deviations)), 0
    for stop in dict.fromkeys(steps):
        for lag in range(max(start, 1), stop):
            rho[rows, lag] = 1.0 - (within[rows] - _autocovariance(left, lag)) / variance[rows]
        going = (rho[rows, start:stop:2] + rho[rows, start + 1 : stop : 2] > 0.0).all(axis=1)
        if not going.any():
            return _time_of(rho)
        left, rows, start = _rows(left, np.flatnonzero(going)), rows[going], stop
    time = _time_of(rho)
    if all_lags > rho.shape[1]:
        rho = 1.0 - (within[rows, None] - _autocovariances(left)[:, :all_lags]) / variance[rows, None]
        rho[:, 0] = 1.0
        time[rows] = _time_of(rho)
    return time


def _time_of(rho: FloatArray) -> FloatArray:
    """Autocorrelation times from autocorrelations, up to the last one of rows that have no cut."""
    pairs = rho[:, 0::2] + rho[:, 1::2]
    cut = _first_true(pairs <= 0.0, otherwise=pairs.shape[1] - 1)
    each = np.arange(len(rho))
    pair_at_cut, even_at_cut = pairs[each, cut], rho[each, 2 * cut]
    sums = np.cumsum(np.minimum.accumulate(pairs, axis=1), axis=1)
    before_cut = np.where(cut > 0, sums[each, cut - 1], 0.0)
    time: FloatArray = -1.0 + 2.0 * before_cut + np.where(pair_at_cut >= 0, even_at_cut, np.maximum(even_at_cut, 0.0))
    return time


def _rows(array: FloatArray, rows: NDArray[np.int64]) -> FloatArray:
    """Some rows of an array, in order; the array itself where these are all."""
    return array if rows.size == len(array) else array[rows]


def _autocovariance(deviations: FloatArray, lag: int) -> FloatArray:
    """Biased autocovariance at one lag averaged over chains, shape (quantities,)."""
    n_chains, n_draws = deviations.shape[1:]
    sums = np.einsum("qcn,qcn->q", deviations[..., lag:], deviations[..., : n_draws - lag])
    return np.asarray(sums / (n_chains * n_draws))


def _autocovariances(deviations: FloatArray) -> FloatArray:
    """... at every lag, shape (quantities, draws).

    The power spectra are averaged before the one inverse transform, which gives the same by linearity.
    """
    n_draws = deviations.shape[-1]
    length = _fast_length(2 * n_draws)
    spectrum = np.fft.rfft(deviations, n=length, axis=-1)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
    return np.fft.irfft(power, n=length, axis=-1)[:, :n_draws] / n_draws


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
