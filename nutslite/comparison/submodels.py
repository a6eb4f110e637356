"""Projections: draws of a smaller model that are, each for itself, as close as can be to those of a larger one.

For a draw of the reference model, whose rows have means mu, the smaller model's coefficients minimise the
Kullback-Leibler divergence from the former's distribution of responses to the latter's (Goutis and Robert 1998,
Biometrika 85:29-37). For the families here that is a maximum-likelihood fit to mu in place of the response.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

FloatArray = NDArray[np.float64]

FAMILIES = {"gaussian": "identity", "bernoulli": "logit", "binomial": "logit", "poisson": "log"}
"""Families, and the link that they must have."""

MOST_ROUNDS = 50
CONVERGED = 1e-10  # change of the mean log likelihood
RIDGE = 1e-9  # of the diagonal, so that collinear columns do not end the search


@dataclass(frozen=True)
class Reference:
    """The model that is to be imitated, at some draws.

    Attributes
    ----------
    family : str
    means : ndarray, shape (draws, n)
        Of responses, of binomial ones their probabilities.
    sigma : ndarray, shape (draws,)
        Of Gaussian responses; otherwise ones.
    trials : ndarray, shape (n,)
        Of binomial responses; otherwise ones.
    offset : ndarray, shape (n,)
    """

    family: str
    means: FloatArray
    sigma: FloatArray
    trials: FloatArray
    offset: FloatArray

    def some(self, draws: NDArray[np.int64]) -> Reference:
        """At fewer draws."""
        return Reference(self.family, self.means[draws], self.sigma[draws], self.trials, self.offset)


@dataclass(frozen=True)
class Projected:
    """A smaller model's draws.

    Attributes
    ----------
    coefficients : ndarray, shape (draws, columns)
    sigma : ndarray, shape (draws,)
    divergence : ndarray, shape (draws,)
        From the reference model, a row on average.
    """

    coefficients: FloatArray
    sigma: FloatArray
    divergence: FloatArray


def project(reference: Reference, columns: FloatArray) -> Projected:
    """Project all draws on some columns, shape (k, n)."""
    if reference.family == "gaussian":
        return _least_squares(reference, columns)
    coefficients = np.zeros((len(reference.means), len(columns)))
    eta = _start(reference)
    if len(columns):
        coefficients = _weighted_fit(columns, np.broadcast_to(reference.trials, eta.shape), eta - reference.offset)
    before = -np.inf
    for _ in range(MOST_ROUNDS):
        eta = coefficients @ columns + reference.offset
        means, slopes = _means(reference.family, eta)
        now = float(np.mean(_log_density(reference, eta)))
        if not len(columns) or abs(now - before) < CONVERGED * (1.0 + abs(now)):
            break
        before = now
        weights = np.maximum(slopes * reference.trials, 1e-300)
        residual = reference.trials * (reference.means - means)
        coefficients = coefficients + _weighted_fit(columns, weights, residual / weights)
    divergence = (_log_density(reference, _start(reference)) - _log_density(reference, eta)).mean(axis=1)
    return Projected(coefficients, reference.sigma, divergence)


def log_density(reference: Reference, projected: Projected, columns: FloatArray, y: FloatArray) -> FloatArray:
    """Of responses (n,) under projected draws, shape (draws, n)."""
    eta = projected.coefficients @ columns + reference.offset
    trials = reference.trials
    if reference.family == "gaussian":
        sigma = projected.sigma[:, None]
        return np.asarray(-0.5 * math.log(2.0 * math.pi) - np.log(sigma) - 0.5 * ((y - eta) / sigma) ** 2)
    if reference.family == "poisson":
        return _of("poisson", y, trials, eta) - gammaln(y + 1.0)
    choices = gammaln(trials + 1.0) - gammaln(y + 1.0) - gammaln(trials - y + 1.0)
    return _of(reference.family, y, trials, eta) + choices


def _least_squares(reference: Reference, columns: FloatArray) -> Projected:
    target = reference.means - reference.offset
    coefficients = np.asarray(np.linalg.lstsq(columns.T, target.T, rcond=None)[0].T, dtype=np.float64)
    missed = ((target - coefficients @ columns) ** 2).mean(axis=1)
    sigma = np.asarray(np.sqrt(reference.sigma**2 + missed), dtype=np.float64)
    return Projected(coefficients, sigma, np.asarray(np.log(sigma / reference.sigma), dtype=np.float64))


def _start(reference: Reference) -> FloatArray:
    """The reference model's own linear predictors."""
    means = reference.means
    if reference.family == "poisson":
        return np.log(np.maximum(means, 1e-300))
    inside = np.clip(means, 1e-15, 1.0 - 1e-15)
    return np.log(inside) - np.log1p(-inside)


def _means(family: str, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means of responses, of one trial, and their slopes."""
    if family == "poisson":
        means = np.exp(np.minimum(eta, 700.0))
        return means, means
    means = 0.5 * (1.0 + np.tanh(0.5 * eta))
    return means, means * (1.0 - means)


def _log_density(reference: Reference, eta: FloatArray) -> FloatArray:
    """Expected under the reference model."""
    return _of(reference.family, reference.trials * reference.means, reference.trials, eta)


def _of(family: str, y: FloatArray, trials: FloatArray, eta: FloatArray) -> FloatArray:
    if family == "poisson":
        return np.asarray(y * eta - np.exp(np.minimum(eta, 700.0)))
    return np.asarray(y * eta - trials * np.logaddexp(0.0, eta))


def _weighted_fit(columns: FloatArray, weights: FloatArray, target: FloatArray) -> FloatArray:
    """Weighted least squares (draws, k) of targets (draws, n) on columns (k, n)."""
    weighted = weights[:, None, :] * columns
    gram = weighted @ columns.T
    size = np.einsum("dkk->dk", gram)
    gram = gram + RIDGE * np.einsum("dk,kj->dkj", size, np.eye(len(columns)))
    right = weighted @ target[:, :, None]
    return np.asarray(np.linalg.solve(gram, right)[..., 0])
