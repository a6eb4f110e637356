"""A mixture of distributions fitted to draws by expectation and maximisation (Dempster, Laird and Rubin 1977)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.sampler.tempering import FREEDOM, Mixture, no_mixture

FloatArray = NDArray[np.float64]

MOST_COMPONENTS = 12
ROUNDS = 15
MOST_DRAWS = 4000
FEWEST = 5  # draws in a component, for each dimension
RIDGE = 1e-4  # of a component's covariance, beside that of all draws
EVEN = 0.3  # share of the weights that is the same for all components: rare pieces should be tried often


def mixture_of(draws: FloatArray, rng: np.random.Generator) -> Mixture:
    """Fitted to draws (n, dimension); without components where there are too few draws.

    Components begin at draws that are far from each other, so that a piece of few draws gets one of its own.
    """
    draws = draws[:: max(1, len(draws) // MOST_DRAWS)]
    n, dimension = draws.shape
    scales = np.maximum(draws.std(axis=0), 1e-12)
    points = (draws - draws.mean(axis=0)) / scales
    most = min(MOST_COMPONENTS, n // (FEWEST * dimension))
    if most < 1:
        return no_mixture(dimension)
    centers = _far_apart(points, most, rng)
    distances = ((points[:, None, :] - points[centers]) ** 2).sum(axis=2)
    shares = np.eye(most)[distances.argmin(axis=1)]
    for _ in range(ROUNDS):
        shares = shares[:, shares.sum(axis=0) >= FEWEST * dimension]
        if not shares.shape[1]:
            shares = np.ones((n, 1))
        weights, means, factors = _components(points, shares)
        logs = np.log(weights) - np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        whitened = np.array([np.linalg.solve(f, (points - m).T) for m, f in zip(means, factors, strict=True)])
        terms = logs[:, None] - 0.5 * (FREEDOM + dimension) * np.log1p((whitened**2).sum(axis=1) / FREEDOM)
        shares = np.exp(terms - terms.max(axis=0)).T
        shares /= shares.sum(axis=1, keepdims=True)
    weights = (1.0 - EVEN) * weights + EVEN / weights.size
    factors = factors * scales[:, None]
    logs = np.log(weights) - np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    return Mixture(
        np.cumsum(weights),
        logs,
        np.ascontiguousarray(draws.mean(axis=0) + scales * means),
        np.ascontiguousarray(factors),
    )


def _far_apart(points: FloatArray, n: int, rng: np.random.Generator) -> list[int]:
    """Indices of points, each drawn with odds of its squared distance from those before."""
    chosen = [int(rng.integers(len(points)))]
    distances = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < n and distances.max() > 0.0:
        chosen.append(int(rng.choice(len(points), p=distances / distances.sum())))
        distances = np.minimum(distances, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return chosen


def _components(points: FloatArray, shares: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weights (k,), means (k, dimension) and factors of covariances (k, dimension, dimension)."""
    sums = shares.sum(axis=0)
    means = np.einsum("nk,nd->kd", shares, points) / sums[:, None]
    covariances = np.array(
        [((points - m) * shares[:, [k]]).T @ (points - m) / sums[k] for k, m in enumerate(means)]
    ) + RIDGE * np.eye(points.shape[1])
    return sums / sums.sum(), means, np.asarray(np.linalg.cholesky(covariances), dtype=float)
