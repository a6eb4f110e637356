"""What standard deviations of groups' effects are times that of a group whose predictors are the means.

    factor_l = exp(sum over k of gamma_k w_lk)

The exponent is held within `LARGEST`, where a factor is neither zero nor infinite in doubles.

Source: Hedeker, Mermelstein and Demirtas (2008), Biometrics 64, 627-634.
"""

from __future__ import annotations

import numpy as np

from nutslite.formula.terms.level_sds import LARGEST
from nutslite.sampler.transition.compiling import uncounted


@uncounted
def _exponent(values, inputs, size, level):
    total = 0.0
    for k in range(size):
        total += values[inputs[k]] * values[inputs[size + level * size + k]]
    return total


@uncounted
def fill_level_factors(values, inputs, n_inputs, out, n_out):
    """Overwrite the outputs; nothing is added to the log density.

    `inputs` are the K gammas, then K predictors of each output, which are fixed numbers.
    """
    size = n_inputs // (n_out + 1)
    for level in range(n_out):
        values[out + level] = np.exp(min(max(_exponent(values, inputs, size, level), -LARGEST), LARGEST))
    return 0.0


@uncounted
def pull_back_level_factors(values, adjoint, inputs, n_inputs, out, n_out):
    """Derivatives by the gammas; none by predictors."""
    size = n_inputs // (n_out + 1)
    for level in range(n_out):
        if abs(_exponent(values, inputs, size, level)) >= LARGEST:
            continue
        by_log = adjoint[out + level] * values[out + level]
        for k in range(size):
            adjoint[inputs[k]] += by_log * values[inputs[size + level * size + k]]
