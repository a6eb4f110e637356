"""A log density that calls a function which arrives in its data."""

from __future__ import annotations

from nutslite._numba import kernel


@kernel
def unchanged(x):
    return x


@kernel
def doubled(x):
    return 2.0 * x


@kernel
def scaled_normal(position, gradient, data):
    """Independent normals of standard deviation ``data[0] / f(1)``."""
    scales, function = data
    total = 0.0
    for i in range(position.shape[0]):
        factor = function(1.0) / scales[i]
        gradient[i] = -position[i] * factor * factor
        total += position[i] * gradient[i]
    return 0.5 * total
