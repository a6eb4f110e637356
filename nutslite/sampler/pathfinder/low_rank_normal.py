"""Normal distributions whose covariance is a diagonal matrix and one of low rank, made of steps and their gradients.

The inverse Hessian of L-BFGS is H = diag(a) + B C B' with B = [diag(a) Y, S] for the last steps S and changes of
gradients Y (Byrd, Nocedal and Schnabel 1994, Mathematical Programming 63:129-156, equation 2.7). Divided by the roots
of a it is I + Q (L L' - I) Q' with orthonormal columns of Q, so that roots, solutions and determinants cost no more
than the low rank (Zhang, Carpenter, Gelman and Vehtari 2022, Journal of Machine Learning Research 23(306),
algorithm 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LowRankNormal:
    """N(center, D (I + Q (L L' - I) Q') D) with D = diag(scales).

    Attributes
    ----------
    center, scales : ndarray, shape (dimension,)
    basis : ndarray, shape (dimension, rank)
        Q, with orthonormal columns.
    factor : ndarray, shape (rank, rank)
        L, lower triangular.
    """

    center: FloatArray
    scales: FloatArray
    basis: FloatArray
    factor: FloatArray

    def draws(self, normals: FloatArray) -> FloatArray:
        """Draws (n, dimension) from standard normal numbers of that shape."""
        inner = normals @ self.basis
        return np.asarray(self.center + self.scales * (normals + (inner @ self.factor.T - inner) @ self.basis.T))

    def log_density(self, positions: FloatArray) -> FloatArray:
        """Log density (n,) at positions (n, dimension), but for the constant that all normals share."""
        scaled = (positions - self.center) / self.scales
        inner = scaled @ self.basis
        whole = scaled + (np.linalg.solve(self.factor, inner.T).T - inner) @ self.basis.T
        return np.asarray(-0.5 * np.sum(whole * whole, axis=1) - self.log_size)

    @property
    def log_size(self) -> float:
        """Half the logarithm of the covariance's determinant."""
        return float(np.log(self.scales).sum() + np.log(np.diag(self.factor)).sum())

    @property
    def sds(self) -> FloatArray:
        """Standard deviations, shape (dimension,)."""
        inner = np.sum((self.basis @ self.factor) ** 2 - self.basis**2, axis=1)
        return np.asarray(self.scales * np.sqrt(1.0 + inner))

    def times_covariance(self, vector: FloatArray) -> FloatArray:
        """The covariance times a vector (dimension,)."""
        scaled = self.scales * vector
        inner = self.basis.T @ scaled
        return np.asarray(self.scales * (scaled + self.basis @ (self.factor @ (self.factor.T @ inner) - inner)))

    def moved(self, gradient: FloatArray) -> LowRankNormal:
        """The normal of which `center` is a point with this gradient of the log density: one Newton step further."""
        center = self.center + self.times_covariance(gradient)
        return LowRankNormal(center, self.scales, self.basis, self.factor)


def diagonal_normal(center: FloatArray, scales: FloatArray) -> LowRankNormal:
    """The normal of independent numbers with these means and standard deviations, shapes (dimension,)."""
    return LowRankNormal(center, scales, np.zeros((center.size, 0)), np.zeros((0, 0)))


def from_steps(
    center: FloatArray, variances: FloatArray, steps: FloatArray, changes: FloatArray
) -> LowRankNormal | None:
    """The normal with the inverse Hessian of L-BFGS; None where rounding left it not positive definite.

    Parameters
    ----------
    variances : ndarray, shape (dimension,)
        The diagonal that the Hessian is begun with.
    steps, changes : ndarray, shape (n, dimension)
        Steps and the changes of the negative gradient along them, the oldest first.
    """
    scales = np.sqrt(variances)
    if not len(steps):
        return diagonal_normal(center, scales)
    products = steps @ changes.T
    inverse = np.linalg.inv(np.triu(products))
    n = len(steps)
    middle = np.zeros((2 * n, 2 * n))
    middle[:n, n:] = -inverse
    middle[n:, :n] = -inverse.T
    middle[n:, n:] = inverse.T @ (np.diag(np.diag(products)) + (changes * variances) @ changes.T) @ inverse
    basis, triangle = np.linalg.qr(np.concatenate([changes * scales, steps / scales]).T)
    inner = np.eye(len(triangle)) + triangle @ middle @ triangle.T
    try:
        return LowRankNormal(center, scales, basis, np.linalg.cholesky(0.5 * (inner + inner.T)))
    except np.linalg.LinAlgError:
        return None
