"""The general log density: any family, any formula for any parameter, one compiled function for all models."""

from __future__ import annotations

import numpy as np

from nutslite._numba import kernel
from nutslite.posterior.effects import add_effects_prior, fill_effects
from nutslite.posterior.head import add_head_priors, constrain_head, pull_back_head
from nutslite.posterior.predictor import add_loglik, fill_pointwise_loglik


@kernel
def joint_logdensity(position, gradient, data):
    """Log posterior density of the position, up to the evidence; `gradient` is overwritten.

    Parameters
    ----------
    position, gradient : (dimension,) float64
    data : tuple of ModelData and the family kernel

    Returns
    -------
    float
        Prior, likelihood and log-Jacobians, normalising constants included; -inf or nan where undefined.
    """
    model, loglik = data
    n_head = model.head.transforms.shape[0]
    values = np.empty(n_head + model.head.fixed.shape[0])
    adjoint = np.zeros(values.shape[0])
    effects = np.empty(position.shape[0] - n_head)
    gradient[:] = 0.0

    total = constrain_head(position, model.head, values)
    fill_effects(model, position, values, effects)
    total += add_loglik(model, loglik, values, effects, adjoint, gradient[n_head:])
    total += add_effects_prior(model, position, values, effects, adjoint, gradient)
    total += add_head_priors(model.head, values, adjoint)
    pull_back_head(position, model.head, adjoint, gradient)
    return total


@kernel
def natural_scale(positions, model, out_values, out_effects):
    """Overwrite `out_values` (draws, values) and `out_effects` (draws, effects) from `positions` (draws, dimension)."""
    for draw in range(positions.shape[0]):
        constrain_head(positions[draw], model.head, out_values[draw])
        fill_effects(model, positions[draw], out_values[draw], out_effects[draw])


@kernel
def pointwise_loglik(model, loglik, values, effects, out):
    """Overwrite `out` (draws, n) with log likelihoods, from natural-scale draws (see `natural_scale`)."""
    for draw in range(values.shape[0]):
        fill_pointwise_loglik(model, loglik, values[draw], effects[draw], out[draw])
