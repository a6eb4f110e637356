"""What a mean field knows of covariances, from how its means answer to small changes of the density.

Giordano, Broderick and Jordan (2018), Covariances, robustness, and variational Bayes, Journal of Machine Learning
Research 19(51): the covariance is the block of the means in the inverse of minus the Hessian of the bound by all
parameters, exact for a normal density. The same Hessian polishes the maximum, says how far away it is, and how much it
depends on the fixed draws (Giordano, Ingram and Broderick 2024, section 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite.sampler.variational.batch_and_match import Gradients
from nutslite.sampler.variational.dense_normal import DenseNormal
from nutslite.sampler.variational.mean_field import MeanField

FloatArray = NDArray[np.float64]

STEP = 1e-4  # of differences, in scales of the mean field
MOST_NEWTON_STEPS = 5
REACHED = 1e-8  # what another step of Newton's method would add to the bound


@dataclass(frozen=True)
class Response:
    """A mean field at its maximum, and its covariances by linear response.

    Attributes
    ----------
    field : MeanField
    normal : DenseNormal
        With the mean field's means and the covariance by linear response.
    left : float
        How much the bound may still rise, by Newton's method.
    sampling_error : float
        The largest standard error of a mean that the choice of the fixed draws makes, in standard deviations.
    """

    field: MeanField
    normal: DenseNormal
    left: float
    sampling_error: float

    @property
    def converged(self) -> bool:
        """Whether the maximum was reached."""
        return self.left <= REACHED


def linear_response(gradients: Gradients, field: MeanField) -> Response | None:
    """Polish the maximum and find the covariance; None where the bound has no maximum there.

    Takes one gradient for each draw and dimension.
    """
    d = field.center.size
    bound, slopes = field.slopes(gradients)
    curvature = _curvature(gradients, field, slopes[:, :d])
    if not _is_positive(curvature):
        return None
    inverse = np.linalg.inv(curvature)
    step = inverse @ slopes.mean(axis=0)
    for _ in range(MOST_NEWTON_STEPS):
        if slopes.mean(axis=0) @ step <= 2.0 * REACHED:
            break
        moved = field.moved(field.parameters + step)
        higher, found = moved.slopes(gradients)
        if not higher > bound:
            break
        field, bound, slopes = moved, higher, found
        step = inverse @ slopes.mean(axis=0)
    covariance = 0.5 * (inverse[:d, :d] + inverse[:d, :d].T)
    off = (slopes - slopes.mean(axis=0)) @ inverse[:, :d]
    errors = np.sqrt(np.mean(off**2, axis=0) / len(off) / np.diag(covariance))
    left = 0.5 * abs(float(slopes.mean(axis=0) @ step))
    return Response(field, DenseNormal.of(field.center, covariance), left, float(errors.max()))


def _is_positive(matrix: FloatArray) -> bool:
    """Whether a symmetric matrix is finite and positive definite."""
    try:
        return bool(np.isfinite(matrix).all() and np.isfinite(np.linalg.cholesky(matrix)).all())
    except np.linalg.LinAlgError:
        return False


def _curvature(gradients: Gradients, field: MeanField, slopes: FloatArray) -> FloatArray:
    """Minus the Hessian of the bound by all parameters, (2 dimension, 2 dimension).

    The density's own Hessian at every draw by differences of gradients; that by a log scale follows from it.

    Parameters
    ----------
    slopes : ndarray, shape (draws, dimension)
        Gradients of the log density at the draws.
    """
    d = field.center.size
    deviations = field.scales * field.fixed
    positions = field.center + deviations
    by_means, mixed, by_scales = np.empty((d, d)), np.empty((d, d)), np.empty((d, d))
    for j in range(d):
        step = STEP * field.scales[j]
        there = positions.copy()
        there[:, j] += step
        column = (gradients(there)[1] - slopes) / step
        by_means[:, j] = column.mean(axis=0)
        mixed[:, j] = (column * deviations[:, j : j + 1]).mean(axis=0)
        by_scales[:, j] = (deviations * column * deviations[:, j : j + 1]).mean(axis=0)
    by_scales[np.diag_indices(d)] += (slopes * deviations).mean(axis=0)
    whole = np.block([[by_means, mixed], [mixed.T, by_scales]])
    return np.asarray(-0.5 * (whole + whole.T))
