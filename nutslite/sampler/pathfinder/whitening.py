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

    def gradient(self, gradient: FloatArray) -> FloatArray:
        """A gradient (dimension,) by position as one by z."""
        if not self._arrowhead:
            return np.asarray(self._scales * gradient)
        m, (blocks, q) = len(self._border), self._blocks.shape[:2]
        border = self._border @ (gradient[:m] - gradient[m:] @ self._coupling)
        inner = (self._blocks @ gradient[m:].reshape(blocks, q, 1)).ravel()
        return np.concatenate([border, inner])
