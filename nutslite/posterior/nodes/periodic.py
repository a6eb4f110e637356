"""Standard deviations of the harmonics of a periodic Gaussian process.

The covariance sigma^2 exp(-2 sin^2(pi d / T) / l^2) is the sum over j of S_j cos(2 pi j d / T) with, for z = 1 / l^2,

    S_0 = sigma^2 exp(-z) I_0(z),      S_j = 2 sigma^2 exp(-z) I_j(z)

I_j the modified Bessel functions. Their ratios r_j = I_j / I_(j-1) = z / (2 j + z r_(j+1)) come from the end backwards,
and exp(-z) (I_0 + 2 I_1 + 2 I_2 + ...) = 1 gives them their size (Abramowitz and Stegun 9.6.26 and 9.6.37). As in
`spectral`, no standard deviation is smaller than `LEAST` sigma.

Sources: Solin and Sarkka (2014), AISTATS 33; Riutort-Mayol et al. (2022), arXiv:2004.11408, appendix B.
"""

from __future__ import annotations

import math

import numpy as np

from nutslite.posterior.nodes.spectral import LEAST
from nutslite.sampler.transition.compiling import uncounted

_LARGEST = 1e10  # of z: below a length scale of 1e-5 nothing changes any more
_SQRT_2 = math.sqrt(2.0)


@uncounted
def _argument(length):
    z = 1.0 / (length * length) if length > 1e-5 else _LARGEST
    return min(z, _LARGEST)


@uncounted
def _last(z, n_out):
    """Where the ratios begin: what lies beyond is below the rounding error."""
    return n_out + 20 + int(np.sqrt(90.0 * z))


@uncounted
def fill_periodic(values, inputs, n_inputs, out, n_out):
    """Overwrite the outputs, those of the orders 0, 1, ...; nothing is added to the log density.

    `inputs` are sigma and the length scale.
    """
    z = _argument(values[inputs[1]])
    ratio, tail = 0.0, 0.0
    for j in range(_last(z, n_out), 0, -1):
        ratio = z / (2.0 * j + z * ratio)
        tail = ratio * (1.0 + tail)
        if j < n_out:
            values[out + j] = ratio
    root = 1.0 / np.sqrt(1.0 + 2.0 * tail)
    values[out] = values[inputs[0]] * root
    for j in range(1, n_out):
        root *= np.sqrt(values[out + j])
        values[out + j] = values[inputs[0]] * max(_SQRT_2 * root, LEAST)
    return 0.0


@uncounted
def pull_back_periodic(values, adjoint, inputs, n_inputs, out, n_out):
    """Derivatives by sigma and the length scale."""
    sigma, length = values[inputs[0]], values[inputs[1]]
    z = _argument(length)
    ratio = 0.0
    for j in range(_last(z, n_out), 0, -1):
        ratio = z / (2.0 * j + z * ratio)
        k = j - 1
        if k < n_out:
            value = values[out + k]
            adjoint[inputs[0]] += adjoint[out + k] * value / sigma
            if value > sigma * LEAST and z < _LARGEST:
                adjoint[inputs[1]] += adjoint[out + k] * value * (z * (1.0 - ratio) - k) / length
