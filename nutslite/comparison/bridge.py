"""The bridge between a posterior and a normal distribution: how large the posterior's normalising constant is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import SamplingError
from nutslite.scores.numerics.effective_size import effective_size, split_chains

FloatArray = NDArray[np.float64]
LogDensities = Callable[[FloatArray], FloatArray]

LOG_2PI = math.log(2.0 * math.pi)
MOST_ROUNDS = 1000
SETTLED = 1e-10  # relative change of the estimate from round to round


class Bridge(NamedTuple):
    """The logarithm of an integral, and its standard error."""

    log_integral: float
    error: float


class Normal:
    """A normal distribution with the mean and covariance of draws (n, dimension)."""

    def __init__(self, draws: FloatArray) -> None:
        self.mean = draws.mean(axis=0)
        try:
            self.factor = np.linalg.cholesky(np.atleast_2d(np.cov(draws, rowvar=False)))
        except np.linalg.LinAlgError:
            raise SamplingError("Draws do not move in every direction: their covariance has no inverse.") from None

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """So many draws, (n, dimension)."""
        return np.asarray(self.mean + rng.standard_normal((n, self.mean.size)) @ self.factor.T)

    def log_density(self, positions: FloatArray) -> FloatArray:
        """At each position, (n,)."""
        z = np.linalg.solve(self.factor, (positions - self.mean).T)
        constant = np.log(np.diag(self.factor)).sum() + 0.5 * self.mean.size * LOG_2PI
        return np.asarray(-0.5 * (z * z).sum(axis=0) - constant)


def bridge_twice(draws: FloatArray, log_densities: LogDensities, rng: np.random.Generator) -> Bridge:
    """The integral of a density by draws of it, each half of which serves once to find the normal distribution.

    Parameters
    ----------
    draws : ndarray, shape (chains, draws, dimension)
    log_densities : callable
        Of positions (n, dimension).
    rng : numpy.random.Generator

    Returns
    -------
    Bridge
        The mean of both integrals; the error takes their difference into account.
    """
    half = draws.shape[1] // 2
    first, second = draws[:, :half], draws[:, half : 2 * half]
    found = [_bridge(*halves, log_densities, rng) for halves in ((first, second), (second, first))]
    logs = np.array([one.log_integral for one in found])
    top = logs.max()
    errors = [one.error for one in found]
    known = 0.5 * math.hypot(*errors)
    return Bridge(float(top + np.log(np.exp(logs - top).mean())), max(known, 0.5 * float(np.ptp(logs))))


def _bridge(fitted: FloatArray, others: FloatArray, log_densities: LogDensities, rng: np.random.Generator) -> Bridge:
    """The optimal bridge of Meng and Wong (1996), Statistica Sinica 6:831-860, by their iteration."""
    chains, n, dimension = others.shape
    normal = Normal(fitted.reshape(-1, dimension))
    flat = others.reshape(-1, dimension)
    proposals = normal.draw(len(flat), rng)
    of_draws = log_densities(flat) - normal.log_density(flat)
    of_proposals = log_densities(proposals) - normal.log_density(proposals)
    of_proposals = np.where(np.isfinite(of_proposals), of_proposals, -np.inf)
    middle = float(np.median(of_draws))
    up, down = np.exp(of_draws - middle), np.exp(of_proposals - middle)
    effective = float(np.median(effective_size(split_chains(np.moveaxis(others, -1, 0)))))
    share = effective / (effective + len(proposals))
    ratio = 1.0
    for _ in range(MOST_ROUNDS):
        before = ratio
        ratio = float(np.mean(down / (share * down + (1.0 - share) * ratio)))
        ratio /= float(np.mean(1.0 / (share * up + (1.0 - share) * before)))
        if abs(ratio - before) <= SETTLED * ratio:
            break
    else:
        raise SamplingError("The bridge did not settle: draws and their normal distribution hardly overlap.")
    return Bridge(math.log(ratio) + middle, _error(up / ratio, down / ratio, share, (chains, n)))


def _error(up: FloatArray, down: FloatArray, share: float, shape: tuple[int, int]) -> float:
    """Standard error of the logarithm (Fruehwirth-Schnatter 2004, Econometrics Journal 7:143-167, equation 19).

    `up` and `down` are the posterior's density over the normal one, at draws of either.
    """
    of_normal = down / (share * down + 1.0 - share)
    of_posterior = 1.0 / (share * up + 1.0 - share)
    size = float(effective_size(split_chains(of_posterior.reshape(1, *shape)))[0])
    squared = of_normal.var() / of_normal.mean() ** 2 / of_normal.size
    squared += of_posterior.var() / of_posterior.mean() ** 2 / size
    return math.sqrt(squared)
