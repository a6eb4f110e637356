"""Metrics: the mass matrix M of the kinetic energy, and what sampling a momentum and its velocity need of it.

Three kinds, told apart by an integer code, in one NamedTuple of arrays (so one compiled sampler serves all):

``DIAGONAL``   the inverse mass matrix is a vector of variances.
``DENSE``      the inverse mass matrix is a full covariance.
``ARROWHEAD``  the mass matrix itself is given: a dense border of m coordinates FIRST in the position vector, then
               n_blocks blocks of q coordinates each, coupled to the border but not to one another::

                   M = [[A, B'],      A (m, m), B (n_blocks * q, m), D block diagonal with blocks (q, q)
                        [B, D ]]

               With G = D^-1 B, S = A - B'G = L_A L_A' and D = L_D L_D', eliminating the blocks first,

                   velocity   x_A = S^-1 (p_A - G' p_D),    x_D = D^-1 p_D - G x_A
                   momentum   p_D = L_D z_D,                     p_A = G' p_D + L_A z_A

               both O(dim * m). A dense metric is the case without blocks.

A metric may have a `center`: then it stands for a normal distribution N(center, M^-1) that is about the posterior, and
`hamiltonian.leapfrog` follows the motion in that normal exactly.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nutslite.exceptions import SettingError
from nutslite.sampler.transition.compiling import uncounted, uncounted_inlined
from nutslite.sampler.transition.logdensity import Matrix, Vector

DIAGONAL, DENSE, ARROWHEAD = range(3)

NAMES = ("diagonal", "dense", "arrowhead")


_NO_CENTER = np.zeros(0)


class Metric(NamedTuple):
    """A metric as compiled code sees it; build one by `diagonal_metric`, `dense_metric` or `arrowhead_metric`.

    Attributes
    ----------
    kind : int
        DIAGONAL, DENSE or ARROWHEAD.
    variances : ndarray (dim,)
        Diagonal of the inverse mass matrix, for every kind.
    covariance : ndarray (m, m)
        Inverse mass matrix of the border, S^-1 (DENSE: all of it).
    factor : ndarray (m, m)
        Lower Cholesky factor L_A of S.
    block_inverses, block_factors : ndarray (n_blocks, q, q)
        D^-1 and its lower Cholesky factors L_D, block by block.
    coupling : ndarray (n_blocks * q, m)
        G = D^-1 B.
    scales : ndarray (0, 0)
        For kinds of metric beside these, which may need another row of numbers (`catalogue.low_rank`).
    center : ndarray (dim,) or (0,)
        Of the normal distribution that it stands for (`centred_at`); empty where it stands for none.
    """

    kind: int
    variances: Vector
    covariance: Matrix
    factor: Matrix
    block_inverses: npt.NDArray[np.float64]
    block_factors: npt.NDArray[np.float64]
    coupling: Matrix
    scales: Matrix
    center: Vector = _NO_CENTER

    @property
    def dimension(self) -> int:
        """Length of the position vector."""
        return int(self.variances.shape[0])


def diagonal_metric(variances: npt.ArrayLike) -> Metric:
    """A diagonal metric from the diagonal of the inverse mass matrix: the (estimated) posterior variances.

    Raises
    ------
    SettingError
        If a variance is not finite and positive; the message names its index.
    """
    vector = np.array(variances, dtype=np.float64, order="C", ndmin=1)
    if vector.ndim != 1:
        raise SettingError(f"A diagonal metric needs a vector of variances, not an array of shape {vector.shape}.")
    bad = np.flatnonzero(~(np.isfinite(vector) & (vector > 0)))
    if bad.size:
        raise SettingError(f"Variances of a metric must be finite and positive; number {bad[0]} is {vector[bad[0]]!r}.")
    square, cube = np.zeros((0, 0)), np.zeros((0, 0, 0))
    return Metric(DIAGONAL, vector, square, square.copy(), cube, cube.copy(), square.copy(), square.copy())


def dense_metric(covariance: npt.ArrayLike) -> Metric:
    """A dense metric from the inverse mass matrix: the (estimated) posterior covariance, shape (dim, dim).

    Raises
    ------
    SettingError
        If the matrix is not square, symmetric and positive definite.
    """
    matrix = np.array(covariance, dtype=np.float64, order="C")
    inverse_factor = np.linalg.inv(_cholesky(matrix, "the covariance of a dense metric"))
    # M = C^-T C^-1; the triangle of a QR factorisation of C^-1 is its Cholesky factor, without forming M
    factor = np.ascontiguousarray(np.transpose(np.linalg.qr(inverse_factor)[1]))
    cube, empty = np.zeros((0, 0, 0)), np.zeros((0, matrix.shape[0]))
    return Metric(DENSE, np.diag(matrix).copy(), matrix, factor, cube, cube.copy(), empty, np.zeros((0, 0)))


def arrowhead_metric(border: npt.ArrayLike, coupling: npt.ArrayLike, blocks: npt.ArrayLike) -> Metric:
    """An arrowhead metric from the parts of the mass matrix (an information matrix: the inverse of a covariance).

    Parameters
    ----------
    border : array (m, m)
        A, the mass matrix of the first m coordinates.
    coupling : array (n_blocks * q, m)
        B, between the blocks' coordinates (block after block) and the border.
    blocks : array (n_blocks, q, q)
        The diagonal blocks of D.

    Raises
    ------
    SettingError
        If shapes disagree or the matrix is not positive definite.
    """
    head = np.array(border, dtype=np.float64, order="C")
    body = np.array(blocks, dtype=np.float64, order="C")
    beside = np.array(coupling, dtype=np.float64, order="C")
    if body.ndim != 3 or head.ndim != 2 or beside.shape != (body.shape[0] * body.shape[1], head.shape[0]):
        raise SettingError(
            "An arrowhead metric needs border (m, m), coupling (n_blocks * q, m) and blocks (n_blocks, q, q); "
            f"got {head.shape}, {beside.shape} and {body.shape}."
        )
    n_blocks, q, m = body.shape[0], body.shape[1], head.shape[0]
    block_factors = np.ascontiguousarray(_cholesky(body, "the blocks of an arrowhead metric"))
    inverse_factors = np.linalg.inv(block_factors)
    block_inverses = np.ascontiguousarray(inverse_factors.transpose(0, 2, 1) @ inverse_factors)
    solved = (block_inverses @ beside.reshape(n_blocks, q, m)).reshape(n_blocks * q, m)
    schur = head - beside.T @ solved
    factor = _cholesky(0.5 * (schur + schur.T), "an arrowhead metric, once its blocks are eliminated,")
    inverse_factor = np.linalg.inv(factor)
    covariance = np.ascontiguousarray(inverse_factor.T @ inverse_factor)
    block_variances = np.diagonal(block_inverses, axis1=1, axis2=2).ravel()
    block_variances = block_variances + np.einsum("ri,ri->r", solved @ covariance, solved)
    variances = np.concatenate([np.diag(covariance), block_variances])
    return Metric(
        ARROWHEAD,
        variances,
        covariance,
        np.ascontiguousarray(factor),
        block_inverses,
        block_factors,
        np.ascontiguousarray(solved),
        np.zeros((0, 0)),
    )


def centred_at(metric: Metric, center: npt.ArrayLike) -> Metric:
    """The metric of a normal approximation N(center, M^-1) of the posterior, whose motion trajectories follow exactly.

    Steps are then limited by how far the posterior is from that normal, not by its dimension alone
    (`hamiltonian.rotate`).

    Raises
    ------
    SettingError
        If the centre is not of the metric's dimension or not finite, or the metric is none of the three kinds.
    """
    vector = np.array(center, dtype=np.float64, order="C")
    if vector.shape != (metric.dimension,) or not np.isfinite(vector).all():
        raise SettingError(f"A metric's centre must be a vector of {metric.dimension} finite numbers.")
    if metric.kind not in (DIAGONAL, DENSE, ARROWHEAD):
        raise SettingError(f"Only {', '.join(NAMES)} metrics can have a centre.")
    return metric._replace(center=vector)


def inverse_mass_matrix(metric: Metric) -> Matrix:
    """The whole inverse mass matrix, shape (dim, dim): for reports and tests, never used while sampling."""
    if metric.kind == DIAGONAL:
        return np.diag(metric.variances)
    m, dimension = metric.covariance.shape[0], metric.dimension
    full = np.zeros((dimension, dimension))
    full[:m, :m] = metric.covariance
    if metric.kind == DENSE:
        return full
    below = metric.coupling @ metric.covariance
    full[m:, :m], full[:m, m:] = -below, -below.T
    full[m:, m:] = below @ metric.coupling.T
    n_blocks, q = metric.block_inverses.shape[0], metric.block_inverses.shape[1]
    for block in range(n_blocks):
        rows = slice(m + block * q, m + (block + 1) * q)
        full[rows, rows] += metric.block_inverses[block]
    return full


def normal_draws(metric: Metric, rng: np.random.Generator, n: int) -> Matrix:
    """`n` draws ``(n, dim)`` from N(0, M^-1): starting points, where the metric comes from an approximate posterior.

    x_A = L_A^-T z and x_D = L_D^-T z - G x_A, in the words of the module.
    """
    if metric.kind == DIAGONAL:
        return rng.standard_normal((n, metric.dimension)) * np.sqrt(metric.variances)
    m, (n_blocks, q) = metric.factor.shape[0], metric.block_factors.shape[:2]
    border = rng.standard_normal((n, m)) @ np.linalg.inv(metric.factor)
    z = rng.standard_normal((n, n_blocks, 1, q))
    blocks = (z @ np.linalg.inv(metric.block_factors)).reshape(n, n_blocks * q)
    return np.concatenate([border, blocks - border @ metric.coupling.T], axis=1)


def _cholesky(matrix: npt.NDArray[np.float64], what: str) -> npt.NDArray[np.float64]:
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise SettingError(f"A mass matrix must be square; {what} has shape {matrix.shape}.")
    if not np.allclose(matrix, np.swapaxes(matrix, -1, -2), rtol=1e-8, atol=1e-12 * np.abs(matrix).max(initial=0.0)):
        raise SettingError(f"A mass matrix must be symmetric; {what} is not.")
    try:
        return np.linalg.cholesky(matrix).astype(np.float64, copy=False)
    except np.linalg.LinAlgError as error:
        raise SettingError(f"A mass matrix must be positive definite; {what} is not.") from error


@uncounted_inlined
def set_velocity(metric: Metric, momentum: Vector, velocity: Vector) -> None:
    """Velocity = M^-1 momentum. `velocity` (dim,) is overwritten."""
    if metric.kind == DIAGONAL:
        variances = metric.variances
        for i in range(momentum.shape[0]):
            velocity[i] = variances[i] * momentum[i]
    else:
        _set_arrowhead_velocity(metric, momentum, velocity)


@uncounted_inlined
def draw_momentum(metric: Metric, rng: np.random.Generator, momentum: Vector) -> None:
    """Momentum ~ N(0, M). `momentum` (dim,) is overwritten."""
    for i in range(momentum.shape[0]):
        momentum[i] = rng.standard_normal()
    if metric.kind == DIAGONAL:
        variances = metric.variances
        for i in range(momentum.shape[0]):
            momentum[i] /= math.sqrt(variances[i])
    else:
        _colour_arrowhead_momentum(metric, momentum)


@uncounted_inlined
def set_momentum(metric: Metric, velocity: Vector, momentum: Vector) -> None:
    """Momentum = M velocity, the inverse of `set_velocity`. `momentum` (dim,) is overwritten."""
    if metric.kind == DIAGONAL:
        variances = metric.variances
        for i in range(velocity.shape[0]):
            momentum[i] = velocity[i] / variances[i]
    else:
        _set_arrowhead_momentum(metric, velocity, momentum)


@uncounted
def _set_arrowhead_velocity(metric: Metric, momentum: Vector, velocity: Vector) -> None:
    covariance, factor = metric.covariance, metric.factor
    coupling, block_inverses = metric.coupling, metric.block_inverses
    m = covariance.shape[0]
    n_blocks, q = block_inverses.shape[0], block_inverses.shape[1]
    if n_blocks == 0:
        for i in range(m):
            velocity[i] = 0.0
        for j in range(m):
            for i in range(m):
                velocity[i] += covariance[j, i] * momentum[j]
    else:
        for i in range(m):
            velocity[i] = momentum[i]
        for row in range(n_blocks * q):
            for i in range(m):
                velocity[i] -= coupling[row, i] * momentum[m + row]
        for i in range(m):  # in place: forward with L_A, then backward
            for j in range(i):
                velocity[i] -= factor[i, j] * velocity[j]
            velocity[i] /= factor[i, i]
        for i in range(m - 1, -1, -1):
            velocity[i] /= factor[i, i]
            for j in range(i):
                velocity[j] -= factor[i, j] * velocity[i]
    for block in range(n_blocks):
        start = m + block * q
        for i in range(q):
            total = 0.0
            for j in range(q):
                total += block_inverses[block, i, j] * momentum[start + j]
            for j in range(m):
                total -= coupling[block * q + i, j] * velocity[j]
            velocity[start + i] = total


@uncounted
def _set_arrowhead_momentum(metric: Metric, velocity: Vector, momentum: Vector) -> None:
    """p_A = L_A L_A' x_A + G' p_D and p_D = L_D L_D' (x_D + G x_A), in the words of the module."""
    factor, block_factors, coupling = metric.factor, metric.block_factors, metric.coupling
    m = factor.shape[0]
    n_blocks, q = block_factors.shape[0], block_factors.shape[1]
    for i in range(m):
        momentum[i] = 0.0
    for j in range(m):
        total = 0.0
        for i in range(j, m):
            total += factor[i, j] * velocity[i]
        for i in range(j, m):
            momentum[i] += factor[i, j] * total
    for block in range(n_blocks):
        start = m + block * q
        for i in range(start, start + q):
            momentum[i] = 0.0
        for j in range(q):
            total = 0.0
            for i in range(j, q):
                row = block * q + i
                value = velocity[m + row]
                for k in range(m):
                    value += coupling[row, k] * velocity[k]
                total += block_factors[block, i, j] * value
            for i in range(j, q):
                momentum[start + i] += block_factors[block, i, j] * total
        for i in range(q):
            row = block * q + i
            for k in range(m):
                momentum[k] += coupling[row, k] * momentum[m + row]


@uncounted
def _colour_arrowhead_momentum(metric: Metric, momentum: Vector) -> None:
    """Turn standard normals into a momentum, in place: rows from the last to the first, as factors are lower."""
    factor, block_factors, coupling = metric.factor, metric.block_factors, metric.coupling
    m = factor.shape[0]
    n_blocks, q = block_factors.shape[0], block_factors.shape[1]
    for i in range(m - 1, -1, -1):
        total = 0.0
        for j in range(i + 1):
            total += factor[i, j] * momentum[j]
        momentum[i] = total
    for block in range(n_blocks):
        start = m + block * q
        for i in range(q - 1, -1, -1):
            total = 0.0
            for j in range(i + 1):
                total += block_factors[block, i, j] * momentum[start + j]
            momentum[start + i] = total
    for row in range(n_blocks * q):
        for i in range(m):
            momentum[i] += coupling[row, i] * momentum[m + row]
