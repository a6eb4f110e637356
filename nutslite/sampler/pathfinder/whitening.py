"""Coordinates in which a normal distribution that is known already is the standard normal one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.sampler.transition.metric import DIAGONAL, Metric

FloatArray = NDArray[np.float64]


class Whitening:
    """position = center + A z with A A' the inverse mass matrix; without a metric, A is one.

    Parameters
    ----------
    center : ndarray, shape (dimension,)
    metric : Metric or None
    """

    def __init__(self, center: FloatArray, metric: Metric | None) -> None:
        self.center = center
        self._scales = np.ones(center.size) if metric is None else np.sqrt(metric.variances)
        self._arrowhead = metric is not None and metric.kind != DIAGONAL
        if metric is not None and self._arrowhead:
            self._coupling = metric.coupling
            self._border, self._blocks = np.linalg.inv(metric.factor), np.linalg.inv(metric.block_factors)

    def positions(self, z: FloatArray) -> FloatArray:
        """Positions (n, dimension) of z (n, dimension): x_A = L_A^-T z_A, x_D = L_D^-T z_D - G x_A, see `metric`."""
        if not self._arrowhead:
            return np.asarray(self.center + self._scales * z)
        m, (blocks, q) = len(self._border), self._blocks.shape[:2]
        border = z[:, :m] @ self._border
        inner = (z[:, m:].reshape(len(z), blocks, 1, q) @ self._blocks).reshape(len(z), blocks * q)
        return np.asarray(self.center + np.concatenate([border, inner - border @ self._coupling.T], axis=1))

    @property
    def log_size(self) -> float:
        """The logarithm of the determinant of A, whose sign is of no interest."""
        if not self._arrowhead:
            return float(np.log(self._scales).sum())
        diagonals = np.concatenate([np.diag(self._border), np.einsum("bqq->bq", self._blocks).ravel()])
        return float(np.log(np.abs(diagonals)).sum())

    def gradients(self, gradients: FloatArray) -> FloatArray:
        """Gradients (n, dimension) by position as ones by z."""
        if not self._arrowhead:
            return np.asarray(self._scales * gradients)
        n, m, (blocks, q) = len(gradients), len(self._border), self._blocks.shape[:2]
        border = (gradients[:, :m] - gradients[:, m:] @ self._coupling) @ self._border.T
        inner = (self._blocks @ gradients[:, m:].reshape(n, blocks, q, 1)).reshape(n, blocks * q)
        return np.concatenate([border, inner], axis=1)
