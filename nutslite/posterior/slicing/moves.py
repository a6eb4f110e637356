"""What updates of chains go along: straight directions, curves from piece to piece, and jumps, as draws say.

Directions are coordinate axes, principal axes and, between them, differences of two draws, as in differential evolution
(ter Braak 2006): they point along ridges, and from one mode to another. All are fixed before the first draw that is
kept, so that each update leaves the posterior as it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.density.reciprocal import LEVELS_SHIFT
from nutslite.posterior.pilot.pieces import Lines
from nutslite.posterior.pilot.row_information import linear_predictors
from nutslite.posterior.record.model_data import (
    COLUMN_TABLE,
    EFFECT_START,
    EFFECT_STRIDE,
    N_COLUMNS,
    N_LEVELS,
    ModelData,
)
from nutslite.posterior.slicing.mixture import mixture_of
from nutslite.posterior.targets.marginal_target import MarginalTarget
from nutslite.posterior.targets.target import JointTarget
from nutslite.sampler.tempering import Mixture, no_mixture

FloatArray = NDArray[np.float64]

WIDTH = 2.5  # of a slice's first interval along an axis, in standard deviations
DIFFERENCES, STRETCHED = 16, 1.5  # differences for each parameter; a slice's first interval beside one of them
LOOKED_AT = 400  # draws at any power, for first intervals on curves ...
NARROWEST_WIDEST = (1.0, 3.0)  # ... beside means among the smallest, and among the largest
NARROW_WIDE = (0.3, 3.0)  # first intervals for logarithms of other parameters, and beside shifts of all levels
RIDGE = 1e-8


class Moves(NamedTuple):
    """What updates go along: straight directions (powers, k, dimension), and curves from piece to piece.

    `widths` (curves, 2) are logarithms of the smallest and largest first interval on each of `lines`; none where
    `widths` is empty.
    """

    directions: FloatArray
    widths: FloatArray
    mixture: Mixture


def moves_of(
    target: JointTarget | MarginalTarget, draws: FloatArray, lines: Lines | None, rng: np.random.Generator
) -> Moves:
    """What draws (chains, n, powers, dimension) say."""
    directions, mixture = _directions(draws, rng), no_mixture(target.dimension)
    if lines is not None:
        mixture = mixture_of(draws.reshape(-1, target.dimension), rng)
    return Moves(directions, _widths(target, draws, lines), mixture)


def _widths(target: JointTarget | MarginalTarget, draws: FloatArray, lines: Lines | None) -> FloatArray:
    """Of first intervals on the lines, from draws (chains, n, powers, dimension): logarithms (lines, 2)."""
    if lines is None or not isinstance(target, JointTarget):
        return np.empty((0, 2))
    flat = draws.reshape(1, -1, target.dimension)
    some = flat[:, np.linspace(0, flat.shape[1] - 1, LOOKED_AT).astype(int)]
    values, effects = target.natural(some, np.random.default_rng(0))
    rows = slice(0, target.rows)
    eta = np.array([linear_predictors(target.model, *one, rows) for one in zip(values[0], effects[0], strict=True)])
    widths = [_width(target.model, eta, effects[0], table, kind) for table, kind in zip(*lines[1:], strict=True)]
    return np.array(widths).reshape(-1, 2)


def _width(model: ModelData, eta: FloatArray, effects: FloatArray, table: int, kind: int) -> FloatArray:
    """Of a line, for predictors (draws, parameters, n) and effects (draws, n): from small steps to large ones."""
    if kind >= 0:  # small means to large ones
        sizes = np.quantile(np.abs(eta[:, kind]), (0.95, 0.05))
        return np.asarray(np.log(NARROWEST_WIDEST) - np.log(np.maximum(sizes, 1e-300)))
    if kind != LEVELS_SHIFT:
        return np.log(NARROW_WIDE)
    tables = model.blocks[:, COLUMN_TABLE]
    block = model.blocks[np.flatnonzero((tables <= table) & (table < tables + model.blocks[:, N_COLUMNS]))[0]]
    first = block[EFFECT_START] + table - block[COLUMN_TABLE]
    shifts = effects[:, first + np.arange(block[N_LEVELS]) * block[EFFECT_STRIDE]].mean(axis=1)
    sizes = np.quantile(np.abs(shifts - np.median(shifts)), (0.05, 0.95))
    return np.asarray(np.log(NARROW_WIDE) + np.log(np.maximum(sizes, 1e-300)))


def _directions(draws: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Of each power, (powers, k, dimension), from draws (chains, n, powers, dimension)."""
    each = [_from_draws(draws[:, :, k].reshape(-1, draws.shape[3]), rng) for k in range(draws.shape[2])]
    fewest = min(len(directions) for directions in each)
    return np.stack([directions[:fewest] for directions in each])


def _from_draws(draws: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Axes and differences of two of the draws (n, dimension), which take turns."""
    n, dimension = draws.shape
    straight = axes(np.cov(draws, rowvar=False).reshape(dimension, dimension))
    pairs = rng.integers(n, size=(DIFFERENCES * dimension, 2))
    differences = STRETCHED * (draws[pairs[:, 0]] - draws[pairs[:, 1]])
    differences = differences[np.abs(differences).max(axis=1) > 0.0]
    turned = straight[np.arange(len(differences)) % len(straight)]
    turns = np.stack([turned, differences], axis=1).reshape(-1, dimension)
    return np.ascontiguousarray(turns if len(turns) > 2 * len(straight) else straight)


def axes(covariance: FloatArray) -> FloatArray:
    """Coordinate axes, then principal axes, each as long as a slice's first interval."""
    scales = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    correlations = covariance / np.outer(scales, scales) + RIDGE * np.eye(scales.size)
    eigenvalues, vectors = np.linalg.eigh(correlations)
    axes = (vectors * np.sqrt(np.maximum(eigenvalues, RIDGE))).T * scales
    both = [np.diag(scales), axes] if scales.size > 1 else [axes]
    return np.ascontiguousarray(WIDTH * np.concatenate(both))
