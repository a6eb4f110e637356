"""Draws that importance weights are to bring from normal distributions to the density that these approximate.

Half of them are of the normals themselves, half of t distributions with the same centres and scales, and all are
weighted against the mixture of both (a defensive mixture, Hesterberg 1995, Technometrics 37:185-194): where the density
has longer tails than the normals, the t's draws reach them. Of several normals none is weighted against its own alone:
one that misses a part of the density gives no large weights to draws there, where another has its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite.sampler.variational.batch_and_match import Normal

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

DEGREES_OF_FREEDOM = 5.0


@dataclass(frozen=True)
class Candidates:
    """Draws with the log density of what they are draws of, but for the constant that all normals share.

    Attributes
    ----------
    positions : ndarray, shape (n, dimension)
    log_density : ndarray, shape (n,)
    own : int
        So many, the first ones, are of the approximation itself.
    own_log_density : ndarray, shape (own,)
        Of the approximation.
    """

    positions: FloatArray
    log_density: FloatArray
    own: int
    own_log_density: FloatArray


def candidates(normals: Sequence[Normal], rng: np.random.Generator, n: int, tails: bool = True) -> Candidates:
    """At least n draws, as many of each normal.

    Parameters
    ----------
    normals : sequence of DenseNormal or the like
        With equal shares.
    rng : numpy.random.Generator
    n : int
    tails : bool
        Whether half of them are of t distributions.
    """
    d, df = normals[0].center.size, DEGREES_OF_FREEDOM
    each = -(-n // (len(normals) * (2 if tails else 1)))
    positions = np.concatenate([normal.draws(rng.standard_normal((each, d))) for normal in normals])
    own = len(positions)
    if tails:
        stretch = np.sqrt(df / rng.chisquare(df, (len(normals), each, 1)))
        wide = [
            normal.draws(rng.standard_normal((each, d)) * some) for normal, some in zip(normals, stretch, strict=True)
        ]
        positions = np.concatenate([positions, *wide])
    logs = np.array([normal.log_density(positions) for normal in normals])
    narrow = _mean(logs)
    if not tails:
        return Candidates(positions, narrow, own, narrow)
    sizes = np.array([normal.log_size for normal in normals])[:, None]
    of_t = math.lgamma(0.5 * (df + d)) - math.lgamma(0.5 * df) + 0.5 * d * math.log(2.0 / df)
    wider = _mean(of_t - sizes - 0.5 * (df + d) * np.log1p(-2.0 * (logs + sizes) / df))
    return Candidates(positions, _mean(np.array([narrow, wider])), own, narrow[:own])


def _mean(logs: FloatArray) -> FloatArray:
    """The logarithm of the mean over the first axis of what `logs` are the logarithms of."""
    return np.asarray(np.logaddexp.reduce(logs, axis=0) - math.log(len(logs)))


def resampled(log_weights: FloatArray, n: int, rng: np.random.Generator) -> IndexArray:
    """Indices (n,) of weighted draws, in random order; each as often as its weight says, up or down to a whole number.

    Parameters
    ----------
    log_weights : ndarray, shape (m,)
        Logarithms of weights that add up to one.
    """
    edges = np.cumsum(np.exp(log_weights))
    places = (np.arange(n) + rng.random()) / n
    chosen = np.minimum(np.searchsorted(edges, places * edges[-1], side="right"), edges.size - 1)
    return np.asarray(rng.permutation(chosen), dtype=np.int64)
