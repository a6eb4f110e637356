"""Square roots of spectral densities: standard deviations of the weights of a Gaussian process's basis functions.

In D dimensions, for the standard deviation sigma, length scales l_d and frequencies w_d, with x^2 = sum of (l_d w_d)^2,

    squared exponential   S = sigma^2 (2 pi)^(D/2) prod(l) exp(-x^2 / 2)
    Matern nu             S = sigma^2 2^D pi^(D/2) Gamma(nu + D/2) (2 nu)^nu / Gamma(nu)
                              prod(l) (2 nu + x^2)^-(nu + D/2)

so that the integral of S over w / (2 pi)^D is sigma^2. No root is taken for smaller than `LEAST` sigma: a scale that is
zero in doubles would have no logarithm, and what so narrow a weight adds to the process is nothing.

Sources: Rasmussen and Williams (2006), equations 4.11 and 4.15; Solin and Sarkka (2020), Statistics and Computing 30;
Riutort-Mayol et al. (2022), arXiv:2004.11408.
"""

from __future__ import annotations

import math

import numpy as np

from nutslite.posterior.record.node_table import EXP_QUAD, MATERN32
from nutslite.sampler.transition.compiling import uncounted

LEAST = 1e-60

_LOG_2PI = math.log(2.0 * math.pi)
_LOG_4PI = math.log(4.0 * math.pi)


@uncounted
def _dimensions(n_inputs, n_out):
    """D, of 1 + D + D n_out inputs."""
    return (n_inputs - 1) // (n_out + 1)


@uncounted
def _smoothness(code):
    return 1.5 if code == MATERN32 else 2.5


@uncounted
def _square(values, inputs, dimensions, k):
    """x^2 of output k."""
    total = 0.0
    for d in range(dimensions):
        x = values[inputs[1 + d]] * values[inputs[1 + dimensions * (k + 1) + d]]
        total += x * x
    return total


@uncounted
def _root(code, values, inputs, dimensions, square):
    """The root at sigma = 1."""
    log_root = 0.0
    for d in range(dimensions):
        log_root += 0.5 * np.log(values[inputs[1 + d]])
    if code == EXP_QUAD:
        log_root += 0.25 * (dimensions * _LOG_2PI - square)
    else:
        nu = _smoothness(code)
        power = nu + 0.5 * dimensions
        constant = 0.5 * dimensions * _LOG_4PI + math.lgamma(power) - math.lgamma(nu) + nu * np.log(2.0 * nu)
        log_root += 0.5 * (constant - power * np.log(2.0 * nu + square))
    return max(np.exp(log_root), LEAST)


@uncounted
def fill_spectral(code, values, inputs, n_inputs, out, n_out):
    """Overwrite the outputs; nothing is added to the log density.

    `inputs` are sigma and D length scales, then D frequencies of each output, which are fixed numbers.
    """
    dimensions = _dimensions(n_inputs, n_out)
    for k in range(n_out):
        square = _square(values, inputs, dimensions, k)
        values[out + k] = values[inputs[0]] * _root(code, values, inputs, dimensions, square)
    return 0.0


@uncounted
def pull_back_spectral(code, values, adjoint, inputs, n_inputs, out, n_out):
    """Derivatives by sigma and the length scales; none by frequencies."""
    dimensions = _dimensions(n_inputs, n_out)
    nu = _smoothness(code)
    for k in range(n_out):
        square = _square(values, inputs, dimensions, k)
        root = _root(code, values, inputs, dimensions, square)
        by_root = adjoint[out + k] * root
        adjoint[inputs[0]] += by_root
        if root <= LEAST:
            continue
        factor = 0.5 if code == EXP_QUAD else (nu + 0.5 * dimensions) / (2.0 * nu + square)
        for d in range(dimensions):
            length, frequency = values[inputs[1 + d]], values[inputs[1 + dimensions * (k + 1) + d]]
            slope = 0.5 / length - factor * length * frequency * frequency
            adjoint[inputs[1 + d]] += by_root * values[inputs[0]] * slope
