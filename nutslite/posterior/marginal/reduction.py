"""What a reduced Gaussian model is, and which models can be reduced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite.families.links.codes import IDENTITY, is_custom
from nutslite.posterior.marginal.marginal import MarginalData
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.head import is_fixed
from nutslite.posterior.record.model_data import ModelData, has_derived_coefficients
from nutslite.priors.densities.codes import FLAT, NORMAL

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


@dataclass(frozen=True)
class Reduction:
    """A Gaussian model in cross-products.

    Attributes
    ----------
    data : MarginalData
        For the density over the remaining parameters.
    kept : ndarray of int
        Positions of the joint head that remain, in order.
    rest_targets : ndarray of int, shape (r,)
        Where the rest's columns go: an element of the joint `values`, or ``-1 - effect``.
    shift : ndarray, shape (r,)
        Added to drawn columns: the response was replaced by residuals of least squares, against cancellation.
    level_cross : ndarray, shape (L, q, r + 1)
        Z'W[rest, y] of every level of the eliminated factor.
    level_class : ndarray of int, shape (L,)
        Class of every level; empty if `large`.
    level_counts : ndarray, shape (L,)
        Z'WZ of every level; only if `large`.
    large : bool
        Whether the rest is so large that it is for `large_marginal`.
    level_targets : ndarray of int, shape (L, q)
        Effect of every level and column.
    level_shift : ndarray, shape (q,)
        Location of the effects' prior.
    n_values, n_effects : int
        Sizes of the joint model's `values` and `effects`.
    """

    data: MarginalData
    kept: IndexArray
    rest_targets: IndexArray
    shift: FloatArray
    level_cross: FloatArray
    level_class: IndexArray
    level_counts: FloatArray
    level_targets: IndexArray
    level_shift: FloatArray
    n_values: int
    n_effects: int
    large: bool


def why_not_reducible(assembled: Assembled) -> str | None:
    """In plain words why coefficients and effects cannot be integrated out, or None if they can."""
    model = assembled.data
    family = assembled.spec.family
    if family.kind != "gaussian":
        return f"the family is {family.name}, not gaussian"
    if model.links[0] != IDENTITY or is_custom(assembled.spec.links[family.parent.name]):
        return "the link of mu is not the identity"
    if model.predictors[1, md.VARIES]:
        return "sigma has a formula of its own"
    if has_derived_coefficients(model):
        return "a coefficient is computed from other parameters"
    for position in integrated_positions(model):
        if model.head.densities[position] not in (NORMAL, FLAT):
            return "a coefficient has a prior that is not Normal"
        given = is_fixed(model.head, model.head.arguments[position, :2])
        if model.head.densities[position] == NORMAL and not given.all():
            return "a coefficient's prior has a hyperparameter"
    for row in model.block_columns:
        if row[md.DENSITY] != NORMAL:
            return "effects have a prior that is not Normal"
        if not is_fixed(model.head, row[md.ARGUMENTS]):
            return "the location of effects has a prior"
    return None


def integrated_positions(model: ModelData) -> IndexArray:
    """Positions of the coefficients of mu, intercept first."""
    mu = model.predictors[0]
    coefficients = np.arange(mu[md.N_COEFFICIENTS]) + mu[md.COEFFICIENTS]
    intercept = [mu[md.INTERCEPT]] if mu[md.INTERCEPT] >= 0 else []
    return np.concatenate([np.array(intercept, dtype=np.int64), coefficients])
