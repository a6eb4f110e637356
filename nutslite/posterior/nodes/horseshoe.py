"""Scales of the regularised horseshoe: small ones are tau times lambda, large ones end at the slab.

    scale_k = unit_k c t / sqrt(c^2 + t^2),    t = tau lambda_k,

with the slab's variance c^2. Its derivatives by t and by c are the cubes of scale / (unit t) and scale / (unit c).

Source: Piironen and Vehtari (2017), Electronic Journal of Statistics 11, equation 2.8.
"""

from __future__ import annotations

import numpy as np

from nutslite.sampler.transition.compiling import uncounted


@uncounted
def _shares(t, c):
    """The scale as parts of t and of c."""
    if t <= c:
        ratio = t / c
        of_t = 1.0 / np.sqrt(1.0 + ratio * ratio)
        return of_t, ratio * of_t
    ratio = c / t
    of_c = 1.0 / np.sqrt(1.0 + ratio * ratio)
    return ratio * of_c, of_c


@uncounted
def fill_horseshoe(values, inputs, n_inputs, out, n_out):
    """Overwrite the outputs; nothing is added to the log density.

    `inputs` are tau and the slab's variance, then unit and lambda of each output.
    """
    tau, c = values[inputs[0]], np.sqrt(values[inputs[1]])
    for k in range(n_out):
        t = tau * values[inputs[3 + 2 * k]]
        of_t, of_c = _shares(t, c)
        values[out + k] = values[inputs[2 + 2 * k]] * (t * of_t if t <= c else c * of_c)
    return 0.0


@uncounted
def pull_back_horseshoe(values, adjoint, inputs, n_inputs, out, n_out):
    """Derivatives by all inputs."""
    tau, c = values[inputs[0]], np.sqrt(values[inputs[1]])
    for k in range(n_out):
        unit, local = values[inputs[2 + 2 * k]], values[inputs[3 + 2 * k]]
        t = tau * local
        of_t, of_c = _shares(t, c)
        slope = adjoint[out + k]
        by_t = slope * unit * of_t**3
        adjoint[inputs[0]] += by_t * local
        adjoint[inputs[1]] += slope * unit * of_c**3 / (2.0 * c)
        adjoint[inputs[2 + 2 * k]] += slope * (t * of_t if t <= c else c * of_c)
        adjoint[inputs[3 + 2 * k]] += by_t * tau
