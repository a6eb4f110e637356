"""Batch and match: the normal distribution whose score is nearest to that of a log density.

Cai, Modi, Pillaud-Vivien, Margossian, Gower, Blei and Saul (2024), Batch and match: black-box variational inference
with a score-based divergence, ICML, arXiv:2402.14758, algorithm 1. A step draws a batch of the present normal and finds
in closed form the normal that matches the gradients there, held back by a divergence from the present one. Of a normal
log density it is exact as soon as a batch has more draws than dimensions; there is no learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from nutslite.sampler.variational.dense_normal import DenseNormal

FloatArray = NDArray[np.float64]
Gradients = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""Log densities (n,) and their gradients (n, dimension) at positions (n, dimension)."""

MOST_STEPS = 40
FEWEST_STEPS, LOOK_BACK = 10, 5  # before it may end; between two averages that are compared
SETTLED, SETTLED_SIZE = 0.02, 0.05  # their difference: of means, in sds; of log determinants
ENOUGH = 5.0  # times as much is good enough where steps are used up
FEWEST_DRAWS, MOST_DRAWS = 32, 256  # of a batch; between them two for each dimension
FALLEN = 5.0  # of the lower bound of the evidence, more than chance does to it: the step was too long ...
SHORTER, MOST_SHORTENED = 0.1, 8  # ... and is tried again, held back ten times as much
MOST_HALVINGS = 10  # of the way from a draw without a density to the centre


class Normal(Protocol):
    """A normal distribution of any form of covariance."""

    @property
    def center(self) -> FloatArray:
        """Shape (dimension,)."""
        ...

    @property
    def sds(self) -> FloatArray:
        """Standard deviations, shape (dimension,)."""
        ...

    @property
    def log_size(self) -> float:
        """Half the logarithm of the covariance's determinant."""
        ...

    def draws(self, normals: FloatArray) -> FloatArray:
        """Draws (n, dimension) from standard normal numbers of that shape."""
        ...

    def log_density(self, positions: FloatArray) -> FloatArray:
        """Log density (n,) at positions (n, dimension), but for the constant that all normals share."""
        ...


N = TypeVar("N", bound=Normal)


@dataclass(frozen=True)
class Form(Generic[N]):
    """How normals of one form are matched to a batch, and averaged.

    Attributes
    ----------
    match : callable
        Takes the present normal, positions and gradients (n, dimension), and a rate; returns the next normal. Raises
        LinAlgError where rounding has the better of it.
    average : callable
        Takes normals; returns one with the mean of their means and of their covariances.
    """

    match: Callable[[N, FloatArray, FloatArray, float], N]
    average: Callable[[Sequence[N]], N]


@dataclass(frozen=True)
class Matched(Generic[N]):
    """The average of the last half of the steps' normals, and how it was found.

    Attributes
    ----------
    normal : DenseNormal or the like
    converged : bool
        Whether the average had settled.
    steps, gradients : int
    """

    normal: N
    converged: bool
    steps: int
    gradients: int


@dataclass(frozen=True)
class _Batch:
    """Draws of a normal, gradients there, and the lower bound of the evidence that they estimate."""

    positions: FloatArray
    gradients: FloatArray
    elbo: float
    evaluated: int


def batch_size(dimension: int) -> int:
    """How many draws a batch has: more than dimensions, as far as they are affordable."""
    return min(max(FEWEST_DRAWS, 2 * dimension), MOST_DRAWS)


def batch_and_match(
    gradients: Gradients,
    start: N,
    form: Form[N],
    rng: np.random.Generator,
    draws: int,
    most_steps: int = MOST_STEPS,
) -> Matched[N]:
    """Match normals to batches until their average settles.

    The rate begins at the number of draws times that of dimensions and falls with the steps, as in the paper. A step
    after which the evidence's lower bound has fallen is taken back and tried again with a lower rate.

    Parameters
    ----------
    gradients : callable
    start : DenseNormal or the like
    form : Form
    rng : numpy.random.Generator
    draws : int
        Of each batch.
    most_steps : int
    """
    present, batch = start, _batch(gradients, start, rng, draws)
    evaluated, held_back = batch.evaluated, 1.0
    path: list[N] = []
    averages: list[N] = []
    while len(path) < most_steps:
        for _ in range(MOST_SHORTENED):
            rate = held_back * draws * start.center.size / (len(path) + 1)
            moved, following = _moved(gradients, present, form, batch, rate, rng, draws)
            evaluated += 0 if following is None else following.evaluated
            if following is not None and following.elbo >= batch.elbo - _chance(batch, draws):
                break
            held_back *= SHORTER
        else:
            break
        present, batch = moved, following
        path.append(present)
        averages.append(form.average(path[len(path) // 2 :]))
        if len(path) >= FEWEST_STEPS and _has_settled(averages[-1 - LOOK_BACK], averages[-1]):
            return Matched(averages[-1], True, len(path), evaluated)
    if not averages:
        return Matched(start, False, 0, evaluated)
    compared = len(averages) > LOOK_BACK
    settled = compared and _has_settled(averages[-1 - LOOK_BACK], averages[-1], ENOUGH)
    return Matched(averages[-1], settled, len(path), evaluated)


def _batch(gradients: Gradients, normal: Normal, rng: np.random.Generator, draws: int) -> _Batch:
    """Draws of the normal; one without a density, or with an endless gradient, is moved halfway to the centre."""
    positions = normal.draws(rng.standard_normal((draws, normal.center.size)))
    values, slopes = gradients(positions)
    evaluated = draws
    for _ in range(MOST_HALVINGS):
        bad = np.flatnonzero(~(np.isfinite(values) & np.isfinite(slopes).all(axis=1)))
        if not bad.size:
            break
        positions[bad] = 0.5 * (positions[bad] + normal.center)
        values[bad], slopes[bad] = gradients(positions[bad])
        evaluated += bad.size
    good = np.isfinite(values) & np.isfinite(slopes).all(axis=1)
    elbo = float(values[good].mean()) + normal.log_size if good.sum() > 1 else -math.inf
    return _Batch(positions[good], slopes[good], elbo, evaluated)


def _moved(
    gradients: Gradients, present: N, form: Form[N], batch: _Batch, rate: float, rng: np.random.Generator, draws: int
) -> tuple[N, _Batch | None]:
    """The next normal and a batch of it; None for the batch where there is no such normal."""
    if len(batch.positions) < 2:
        return present, None
    try:
        moved = form.match(present, batch.positions, batch.gradients, rate)
    except np.linalg.LinAlgError:
        return present, None
    if not (np.isfinite(moved.center).all() and np.isfinite(moved.log_size)):
        return present, None
    return moved, _batch(gradients, moved, rng, draws)


def _chance(batch: _Batch, draws: int) -> float:
    """How far the lower bound may fall by chance: log densities of normals have a variance of half the dimension."""
    return FALLEN * (1.0 + math.sqrt(0.5 * batch.positions.shape[1] / draws))


def _has_settled(before: Normal, now: Normal, times: float = 1.0) -> bool:
    moved = float(np.max(np.abs(now.center - before.center) / now.sds))
    return moved < times * SETTLED and abs(now.log_size - before.log_size) < 0.5 * times * SETTLED_SIZE


def match_dense(present: DenseNormal, positions: FloatArray, gradients: FloatArray, rate: float) -> DenseNormal:
    """The normal that matches the gradients of a batch, held back (equations 9 to 12 of the paper).

    The covariance S that solves S U S + S = V is L (2 / (1 + (1 + 4 L'U L)^1/2)) L' with V = L L', whose root is that
    of a symmetric matrix.
    """
    mean, slope = positions.mean(axis=0), gradients.mean(axis=0)
    spread, bends = positions - mean, gradients - slope
    n, share = len(positions), rate / (1.0 + rate)
    off = present.center - mean
    u = rate / n * (bends.T @ bends) + share * np.outer(slope, slope)
    v = present.covariance + rate / n * (spread.T @ spread) + share * np.outer(off, off)
    root = np.linalg.cholesky(v)
    values, vectors = np.linalg.eigh(root.T @ u @ root)
    half = (root @ vectors) * np.sqrt(2.0 / (1.0 + np.sqrt(1.0 + 4.0 * np.maximum(values, 0.0))))
    covariance = half @ half.T
    return DenseNormal.of((1.0 - share) * present.center + share * (covariance @ slope + mean), covariance)


def average_dense(normals: Sequence[DenseNormal]) -> DenseNormal:
    """The normal with the mean of their means and of their covariances."""
    covariance = np.mean([normal.covariance for normal in normals], axis=0)
    return DenseNormal.of(np.mean([normal.center for normal in normals], axis=0), covariance)


DENSE = Form(match_dense, average_dense)
