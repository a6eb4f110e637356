"""A simplex with its Dirichlet prior: k - 1 unconstrained numbers become k positive ones that sum to one.

The transform is the isometric log-ratio of `record.transforms`. With its log-Jacobian, the sum of log x plus half of
log k, the density of the unconstrained numbers is

    lgamma(sum alpha) - sum lgamma(alpha) + sum alpha log x + log(k) / 2.

Only log x enters it, which is finite where x itself is zero in doubles. Its derivative by log x, given that x sums to
one, is alpha - x sum alpha.

Sources: Egozcue et al. (2003), Mathematical Geology 35; the Dirichlet distribution in the Stan Functions Reference.
"""

from __future__ import annotations

import math

import numpy as np

from nutslite.sampler.transition.compiling import uncounted


@uncounted
def fill_simplex(values, inputs, n_inputs, out, n_out):
    """Overwrite the outputs; return the Dirichlet log density and the log-Jacobian.

    `inputs` are the unconstrained numbers, then the k concentrations, which are fixed numbers.
    """
    later = 0.0
    highest = -math.inf
    for i in range(n_out - 1, -1, -1):
        logarithm = later
        if i > 0:
            weight = values[inputs[i - 1]] / np.sqrt(i * (i + 1.0))
            logarithm -= i * weight
            later += weight
        values[out + i] = logarithm
        highest = max(highest, logarithm)
    total = 0.0
    for i in range(n_out):
        total += np.exp(values[out + i] - highest)
    log_total = highest + np.log(total)
    density = 0.5 * np.log(float(n_out))
    sum_of_alpha = 0.0
    for i in range(n_out):
        alpha = values[inputs[n_out - 1 + i]]
        log_x = values[out + i] - log_total
        density += alpha * log_x - math.lgamma(alpha)
        sum_of_alpha += alpha
        values[out + i] = np.exp(log_x)
    return density + math.lgamma(sum_of_alpha)


@uncounted
def pull_back_simplex(values, adjoint, inputs, n_inputs, out, n_out):
    """Derivatives by the unconstrained numbers, of the density and the log-Jacobian too; none by concentrations."""
    mean = 0.0
    sum_of_alpha = 0.0
    for i in range(n_out):
        mean += values[out + i] * adjoint[out + i]
        sum_of_alpha += values[inputs[n_out - 1 + i]]
    before = 0.0
    for i in range(n_out):
        x = values[out + i]
        by_log = x * (adjoint[out + i] - mean) + values[inputs[n_out - 1 + i]] - sum_of_alpha * x
        if i > 0:
            adjoint[inputs[i - 1]] += (before - i * by_log) / np.sqrt(i * (i + 1.0))
        before += by_log
