"""In which coordinates group effects and their scales are sampled well, by what the data say of each effect.

Each effect gets a weight of centring (`effects`): that at which its raw number is equally wide whatever the scale. The
logarithm of a scale that may be zero has an endless left tail, where mixing is slow. So scales are sampled as bent
logarithms (`transforms.BENT_LOG`), also those that are clearly not zero, for which they are logarithms but for the
tail. The place and width of each are those of its own one-dimensional posterior, by quadrature over what the data say
of the effects. With such coordinates one fixed metric serves from a scale of zero to large ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.density.block_effects import places_of
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.model_data import ModelData
from nutslite.posterior.record.transforms import BENT_LOG, constrain, log_jacobian, unconstrain

FloatArray = NDArray[np.float64]
Density = Callable[..., float]

SDS_ABOVE = 0.5  # a typical scale is that far above the mean: few levels leave a long tail to the right
GRID = np.linspace(-6.0, 8.0, 281)  # of bent logarithms: from e^-42 to e^8 times a rough guess


@dataclass(frozen=True)
class Profile:
    """The posterior of one bent logarithm, approximately.

    Attributes
    ----------
    mean, variance : float
    typical : float
        The scale itself, somewhat above the mean.
    """

    mean: float
    variance: float
    typical: float


@dataclass(frozen=True)
class Coordinates:
    """What suits a model.

    Attributes
    ----------
    centring : ndarray, shape (n_effects,)
    typical_scales : ndarray, shape (n_block_columns,)
    bent : dict of int to Profile
        By position in the head: the scales of group effects.
    """

    centring: FloatArray
    typical_scales: FloatArray
    bent: Mapping[int, Profile]


def scale_columns(model: ModelData) -> dict[int, list[NDArray[np.int64]]]:
    """By position in the head, scales of group effects, and for each the effects of the columns that it scales."""
    out: dict[int, list[NDArray[np.int64]]] = {}
    for _, row, effects in _columns(model):
        scale = int(row[md.ARGUMENTS + row[md.SCALE_ARGUMENT]])
        if scale < model.head.transforms.size:
            out.setdefault(scale, []).append(effects)
    return out


def choose_coordinates(
    model: ModelData,
    density: Density,
    values: FloatArray,
    deviations: FloatArray,
    level_information: Sequence[FloatArray],
) -> Coordinates:
    """Weights of centring at the present scales, and how the scales are bent: all of them, which costs none of them.

    Parameters
    ----------
    model : ModelData
    density : callable
        Of the priors.
    values : ndarray
        The head on its natural scale, then its fixed numbers.
    deviations : ndarray, shape (n_effects,)
        Conditional modes of the effects, without their locations.
    level_information : sequence of ndarray, shape (levels, q, q)
        For each block, what the data say of the effects of each level.
    """
    information = _information_of_effects(model, values, level_information)
    scales = _scales_of_effects(model, values)
    strength = information * scales**2
    weights = strength / (1.0 + strength)
    centring, bent = np.ones(weights.size), {}  # effects whose scale is a fixed number stay centred
    for hyper, columns in scale_columns(model).items():
        at = np.concatenate(columns)
        estimates = deviations[at] / np.clip(weights[at], 1e-12, 1.0)
        bent[hyper] = _profile(model, density, values, hyper, information[at], estimates)
        centring[at] = weights[at]
    return Coordinates(centring, _typical_scales(model, values), bent)


def in_coordinates(model: ModelData, chosen: Coordinates, position: FloatArray, values: FloatArray) -> ModelData:
    """The model in these coordinates; the bent scales of `position` are moved there (overwritten)."""
    head = model.head
    transforms, bounds = head.transforms.copy(), head.bounds.copy()
    for hyper in chosen.bent:
        transforms[hyper] = BENT_LOG
        bounds[1, hyper] = values[hyper] - bounds[0, hyper]
        position[hyper] = unconstrain(BENT_LOG, values[hyper], bounds[0, hyper], bounds[1, hyper])
    head = head._replace(transforms=transforms, bounds=bounds)
    return model._replace(centring=chosen.centring, typical_scales=chosen.typical_scales, head=head)


def _columns(model: ModelData) -> list[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Number, row and effects of every column of group terms."""
    out = []
    for block in model.blocks:
        for c in range(block[md.N_COLUMNS]):
            column = int(block[md.COLUMN_TABLE]) + c
            effects = block[md.EFFECT_START] + c + np.arange(block[md.N_LEVELS]) * block[md.EFFECT_STRIDE]
            out.append((column, model.block_columns[column], effects))
    return out


def _scales_of_effects(model: ModelData, values: FloatArray) -> FloatArray:
    out = np.ones(model.centring.size)
    for _, row, effects in _columns(model):
        out[effects] = values[row[md.ARGUMENTS + row[md.SCALE_ARGUMENT]]]
    return out


def _typical_scales(model: ModelData, values: FloatArray) -> FloatArray:
    """The present scales; 1 for columns whose scale is a fixed number."""
    out = np.ones_like(model.typical_scales)
    for column, row, _ in _columns(model):
        scale = int(row[md.ARGUMENTS + row[md.SCALE_ARGUMENT]])
        if scale < model.head.transforms.size:
            out[column] = values[scale]
    return out


def _information_of_effects(model: ModelData, values: FloatArray, blocks: Sequence[FloatArray]) -> FloatArray:
    """What the data say of each effect where the others of its level are only known by their priors and the data."""
    out = np.zeros(model.centring.size)
    scales = _scales_of_effects(model, values)
    for block, information in zip(model.blocks, blocks, strict=True):
        q, places = int(block[md.N_COLUMNS]), places_of(block)
        own = np.maximum(np.einsum("lcc->lc", information), 0.0)
        if q > 1:
            prior = scales[places] ** -2.0
            whole = information + prior[:, :, None] * np.eye(q)
            try:
                np.linalg.cholesky(whole)
                own = np.maximum(1.0 / np.einsum("lcc->lc", np.linalg.inv(whole)) - prior, 0.0)
            except np.linalg.LinAlgError:  # a likelihood that is not concave: each effect by itself
                pass
        out[places] = own
    return out


def _log_likelihood(scale: float, information: FloatArray, estimates: FloatArray) -> float:
    """Log likelihood of a scale less that of zero, for normal effects estimated with given information."""
    strength = information * scale**2
    return 0.5 * float(np.sum(information * estimates**2 * strength / (1.0 + strength) - np.log1p(strength)))


def _profile(
    model: ModelData, density: Density, values: FloatArray, hyper: int, information: FloatArray, estimates: FloatArray
) -> Profile:
    """Posterior of one scale, all other parameters being what they are, over the bent logarithm of it."""
    head = model.head
    lower = head.bounds[0, hyper]
    size = values[hyper] - lower
    arguments = [values[i] for i in head.arguments[hyper]]
    partials = np.empty(5)
    logs = np.full(GRID.size, -np.inf)
    for k, u in enumerate(GRID):
        scale = constrain(BENT_LOG, u, lower, size)
        prior = density(head.densities[hyper], scale, *arguments, partials)
        if np.isfinite(prior):
            logs[k] = prior + log_jacobian(BENT_LOG, u, lower, size) + _log_likelihood(scale, information, estimates)
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    mean = float(shares @ GRID)
    variance = max(float(shares @ (GRID - mean) ** 2), 1e-4)
    typical = float(constrain(BENT_LOG, mean + SDS_ABOVE * np.sqrt(variance), lower, size))
    return Profile(mean, variance, typical)
