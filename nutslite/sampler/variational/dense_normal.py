"""Normal distributions with a full covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class DenseNormal:
    """N(center, L L').

    Attributes
    ----------
    center : ndarray, shape (dimension,)
    factor : ndarray, shape (dimension, dimension)
        L, lower triangular.
    """

    center: FloatArray
    factor: FloatArray

    @classmethod
    def of(cls, center: FloatArray, covariance: FloatArray) -> DenseNormal:
        """The normal with this mean and covariance.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the covariance is not positive definite.
        """
        return cls(center, np.asarray(np.linalg.cholesky(covariance), dtype=float))

    def draws(self, normals: FloatArray) -> FloatArray:
        """Draws (n, dimension) from standard normal numbers of that shape."""
        return np.asarray(self.center + normals @ self.factor.T)

    def log_density(self, positions: FloatArray) -> FloatArray:
        """Log density (n,) at positions (n, dimension), but for the constant that all normals share."""
        whole = np.linalg.solve(self.factor, (positions - self.center).T)
        return np.asarray(-0.5 * np.sum(whole * whole, axis=0) - self.log_size)

    @property
    def covariance(self) -> FloatArray:
        """L L'."""
        return np.asarray(self.factor @ self.factor.T)

    @property
    def sds(self) -> FloatArray:
        """Standard deviations, shape (dimension,)."""
        return np.asarray(np.sqrt(np.sum(self.factor * self.factor, axis=1)))

    @property
    def log_size(self) -> float:
        """Half the logarithm of the covariance's determinant."""
        return float(np.log(np.diag(self.factor)).sum())
