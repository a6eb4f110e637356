"""Square roots of spectral densities: standard deviations of the weights of a Gaussian process's basis functions.

In one dimension, for the standard deviation sigma, the length scale l and the frequency w,

    squared exponential   S = sigma^2 sqrt(2 pi) l exp(-l^2 w^2 / 2)
    Matern 3/2            S = sigma^2 12 sqrt(3) l (3 + l^2 w^2)^-2
    Matern 5/2            S = sigma^2 (16 / 3) 5^(5/2) l (5 + l^2 w^2)^-3

so that the integral of S over w / (2 pi) is sigma^2. No root is taken for smaller than `LEAST` sigma: a scale that is
zero in doubles would have no logarithm, and what so narrow a weight adds to the process is nothing.

Sources: Solin and Sarkka (2020), Statistics and Computing 30; Riutort-Mayol et al. (2022), arXiv:2004.11408.
"""

from __future__ import annotations

import math

import numpy as np

from nutslite.posterior.record.node_table import EXP_QUAD, MATERN32
from nutslite.sampler.transition.compiling import uncounted

LEAST = 1e-60

_LOG_EXP_QUAD = 0.25 * math.log(2.0 * math.pi)
_LOG_MATERN32 = 0.5 * math.log(12.0 * math.sqrt(3.0))
_LOG_MATERN52 = 0.5 * math.log(16.0 / 3.0 * 5.0**2.5)


@uncounted
def _root(code, length, frequency):
    """The root at sigma = 1, and its logarithm's derivative by the length scale."""
    x = length * frequency
    half_log = 0.5 * np.log(length)
    if code == EXP_QUAD:
        root = np.exp(_LOG_EXP_QUAD + half_log - 0.25 * x * x)
        slope = 0.5 / length - 0.5 * x * frequency
    elif code == MATERN32:
        root = np.exp(_LOG_MATERN32 + half_log - np.log(3.0 + x * x))
        slope = 0.5 / length - 2.0 * x * frequency / (3.0 + x * x)
    else:
        root = np.exp(_LOG_MATERN52 + half_log - 1.5 * np.log(5.0 + x * x))
        slope = 0.5 / length - 3.0 * x * frequency / (5.0 + x * x)
    if root <= LEAST:
        return LEAST, 0.0
    return root, slope


@uncounted
def fill_spectral(code, values, inputs, n_inputs, out, n_out):
    """Overwrite the outputs; nothing is added to the log density.

    `inputs` are sigma and the length scale, then the frequency of each output, which is a fixed number.
    """
    for k in range(n_out):
        root, _ = _root(code, values[inputs[1]], values[inputs[2 + k]])
        values[out + k] = values[inputs[0]] * root
    return 0.0


@uncounted
def pull_back_spectral(code, values, adjoint, inputs, n_inputs, out, n_out):
    """Derivatives by sigma and the length scale; none by frequencies."""
    for k in range(n_out):
        root, slope = _root(code, values[inputs[1]], values[inputs[2 + k]])
        by_root = adjoint[out + k] * root
        adjoint[inputs[0]] += by_root
        adjoint[inputs[1]] += by_root * values[inputs[0]] * slope
