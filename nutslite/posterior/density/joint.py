"""The general log density: any family, any formula for any parameter, one compiled function for all models."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._awaited import EFFECTS, NATURAL, is_coming, wait_for
from nutslite._numba import MATRIX, VECTOR, kernel_with_signature
from nutslite._parallel import available_cpus, run_where_it_pays
from nutslite.families.record.censoring import LOGLIKS
from nutslite.posterior.density.effects import add_effects_prior, fill_group_effects
from nutslite.posterior.density.predictor import rows_loglik
from nutslite.posterior.density.shared_rows import add_loglik
from nutslite.posterior.nodes.program import DERIVED, PRIORS, derived_of, fill_derived, pull_back_derived
from nutslite.posterior.record.head import add_head_priors, constrain_head, pull_back_head
from nutslite.posterior.record.model_data import MODEL_REFERENCE, ModelData, reference_to
from nutslite.priors.densities.densities import density_at

FloatArray = NDArray[np.float64]

JOINT_DATA = types.Tuple([MODEL_REFERENCE, PRIORS, LOGLIKS])
"""Type of what the joint density receives: the record by reference, derived values and prior densities, the kernels."""


def compile_in_halves() -> None:
    """Compile what a density does with rows while another process compiles what it does with effects, if one does.

    To be called before a density is compiled that does both.
    """
    if is_coming(EFFECTS):
        places = (types.int64, types.int64)
        rows_loglik.compile((MODEL_REFERENCE, LOGLIKS, VECTOR, VECTOR, *places, VECTOR, VECTOR))  # type: ignore[attr-defined]
        wait_for(EFFECTS)


@functools.cache
def compiled_joint() -> Callable[..., float]:
    """`joint_logdensity`, compiled (or read from the disk cache) for the one type of data that all models have."""
    compile_in_halves()
    return kernel_with_signature(joint_logdensity, types.float64(VECTOR, VECTOR, JOINT_DATA))


def joint_logdensity(position: Any, gradient: Any, data: Any) -> float:
    """Log posterior density of the position, up to the evidence; `gradient` is overwritten.

    Parameters
    ----------
    position, gradient : (dimension,) float64
    data : tuple of ModelData by reference, derived values with prior densities (`PRIORS`) and the family's kernels

    Returns
    -------
    float
        Prior, likelihood and log-Jacobians, normalising constants included; -inf or nan where undefined.
    """
    model, (derived, address), loglik = data
    head, density = model.head, density_at(address)
    n_head = head.transforms.shape[0]
    values = np.empty(n_head + head.fixed.shape[0])
    adjoint = np.zeros(values.shape[0])
    effects = np.empty(position.shape[0] - n_head)
    for i in range(gradient.shape[0]):  # assigning to a slice takes longer to compile
        gradient[i] = 0.0

    total = constrain_head(position, head, values)
    total += fill_derived(head.nodes, derived, values)
    fill_group_effects(model, position, values, effects)
    total += add_loglik(model, loglik, values, effects, adjoint, gradient[n_head:])
    total += add_effects_prior(model, density, position, values, effects, adjoint, gradient)
    total += add_head_priors(head, density, values, adjoint, np.empty(5))
    pull_back_derived(head.nodes, derived, values, adjoint)
    pull_back_head(position, head, adjoint, gradient)
    return float(total)


def natural_scale(positions: FloatArray, model: ModelData, out_values: FloatArray, out_effects: FloatArray) -> None:
    """Overwrite `out_values` (draws, values) and `out_effects` (draws, effects) from `positions` (draws, dimension)."""
    convert, reference, derived = compiled_natural(), reference_to(model), derived_of(model.head)
    run_where_it_pays(
        lambda some: convert(positions[some], reference, derived, out_values[some], out_effects[some]),
        len(positions),
        available_cpus(),
    )


@functools.cache
def compiled_natural() -> Callable[..., None]:
    """`_natural_scale` for the one type of data that all models have."""
    wait_for(NATURAL)
    return kernel_with_signature(_natural_scale, types.void(MATRIX, MODEL_REFERENCE, DERIVED, MATRIX, MATRIX))


def _natural_scale(positions: Any, model: Any, derived: Any, out_values: Any, out_effects: Any) -> None:
    head = model.head
    for draw in range(positions.shape[0]):
        constrain_head(positions[draw], head, out_values[draw])
        fill_derived(head.nodes, derived, out_values[draw])
        fill_group_effects(model, positions[draw], out_values[draw], out_effects[draw])
