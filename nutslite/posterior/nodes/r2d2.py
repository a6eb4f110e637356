"""Scales of R2D2: of the variance that the columns explain, in units of the residual's, each coefficient has a share.

    scale_k = unit_k sigma sqrt(phi_k R2 / (1 - R2)).

Neither R2 nor 1 - R2 is taken for smaller than `LEAST`, and no share: a scale that is zero or infinite in doubles would
have no logarithm.

Source: Zhang et al. (2022), Journal of the American Statistical Association 117, equations 2 and 3.
"""

from __future__ import annotations

import numpy as np

from nutslite.sampler.transition.compiling import uncounted

LEAST = 1e-100


@uncounted
def fill_r2d2(values, inputs, n_inputs, out, n_out):
    """Overwrite the outputs; nothing is added to the log density.

    `inputs` are R2 and sigma, then unit and share of each output.
    """
    r2 = values[inputs[0]]
    root = values[inputs[1]] * np.sqrt(max(r2, LEAST) / max(1.0 - r2, LEAST))
    for k in range(n_out):
        values[out + k] = values[inputs[2 + 2 * k]] * root * np.sqrt(max(values[inputs[3 + 2 * k]], LEAST))
    return 0.0


@uncounted
def pull_back_r2d2(values, adjoint, inputs, n_inputs, out, n_out):
    """Derivatives by all inputs: those by logarithms are the scale, halved for R2's odds and the share."""
    r2 = values[inputs[0]]
    total = 0.0
    for k in range(n_out):
        by_log = adjoint[out + k] * values[out + k]
        total += by_log
        adjoint[inputs[2 + 2 * k]] += by_log / values[inputs[2 + 2 * k]]
        share = values[inputs[3 + 2 * k]]
        if share > LEAST:
            adjoint[inputs[3 + 2 * k]] += 0.5 * by_log / share
    adjoint[inputs[1]] += total / values[inputs[1]]
    if r2 > LEAST and 1.0 - r2 > LEAST:
        adjoint[inputs[0]] += 0.5 * total / (r2 * (1.0 - r2))
