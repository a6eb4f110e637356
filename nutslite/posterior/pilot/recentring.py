"""Better coordinates of scales and correlations for matrix centring, from a short run in those that the pilot found.

The pilot's mode of the scales takes effects to be normal given them. With twenty answers of yes or no to six effects it
lies four standard deviations below where the scales are, and a coordinate that bends there is none in which they are
about normal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.density.matrix_centring import MatrixCentring
from nutslite.posterior.record.model_data import ModelData
from nutslite.posterior.record.transforms import BENT_LOG, constrain, unconstrain

FloatArray = NDArray[np.float64]

RIDGE = 1e-3  # of a variance, added to it
BENDS = np.exp(np.linspace(-1.5, 3.0, 19))  # multiples of a scale's median at which its logarithm may bend

_constrained = np.vectorize(constrain, otypes=[float])
_unconstrained = np.vectorize(unconstrain, otypes=[float])


def recentred(
    model: ModelData, centring: MatrixCentring, positions: FloatArray
) -> tuple[ModelData, MatrixCentring, FloatArray]:
    """The model with its scales bent anew, the coordinates with theta's mean and covariance, the draws in the model.

    Parameters
    ----------
    positions : ndarray (m, dimension)
        Draws of the joint density; not changed.
    """
    positions, bounds = positions.copy(), model.head.bounds.copy()
    for place in centring.hyper:
        if model.head.transforms[place] == BENT_LOG:
            lower, size = bounds[0, place], bounds[1, place]
            scales = _constrained(BENT_LOG, positions[:, place], lower, size)
            bounds[1, place] = _least_skewed(scales, lower)
            positions[:, place] = _unconstrained(BENT_LOG, scales, lower, bounds[1, place])
    hyper = positions[:, centring.hyper]
    covariance = np.cov(hyper, rowvar=False).reshape(hyper.shape[1], hyper.shape[1])
    covariance += RIDGE * np.diag(np.diag(covariance))
    stretch = np.ascontiguousarray(np.linalg.cholesky(covariance))
    model = model._replace(head=model.head._replace(bounds=bounds))
    return model, centring._replace(center=hyper.mean(axis=0), stretch=stretch), positions


def _least_skewed(scales: FloatArray, lower: float) -> float:
    """Where the logarithm of a scale should bend: at that multiple of its median that makes its draws least skewed."""
    sizes = np.median(scales - lower) * BENDS
    bent = [_unconstrained(BENT_LOG, scales, lower, size) for size in sizes]
    return float(sizes[np.argmin([abs(_skewness(u)) for u in bent])])


def _skewness(draws: FloatArray) -> float:
    """The standardised third moment."""
    standard = (draws - draws.mean()) / draws.std()
    return float(np.mean(standard**3))
