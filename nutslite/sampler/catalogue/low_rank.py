"""The low-rank metric: a diagonal, and few directions in which the density is much wider or narrower than it says.

    M^-1 = D (I + U (L - I) U') D,      D = diag(scales), U (dim, rank) orthonormal, L diagonal

Velocities and momenta cost 2 dim rank multiplications, where a dense metric costs dim**2. In the directions of U the
scaled density has variance L, in all others it is taken to have variance 1.

The estimate is that of Seyboldt, Carlson and Carpenter 2026, arXiv:2603.18845 (nutpie's): of all such metrics about the
one that minimises the Fisher divergence between the density and a normal one. D**2 is sqrt(var(draws) /
var(gradients)), coordinate by coordinate. In the space that scaled draws and gradients span, with C and G their second
moments, the variance S solves S G S = C: the geometric mean of C and the inverse of G. Its eigenvectors are kept where
the eigenvalue is beyond the cutoff. One thing differs: C and G are shrunk towards the identity as by `PRIOR_DRAWS`
draws, since a direction that few draws have not moved along is not therefore narrow.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nutslite.exceptions import SettingError
from nutslite.sampler.parts.metric_kind import MetricKind, MetricRule
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.logdensity import Matrix, Vector
from nutslite.sampler.transition.metric import Metric

LOW_RANK = 3
"""`Metric.kind`. Where its parts are: ``coupling`` is U' (rank, dim), ``scales`` scales (1, dim), ``factor``
(2, rank) has L - 1 and L**-0.5 - 1; ``covariance`` and the blocks are empty."""

CUTOFF = 2.0
"""Directions whose variance is between 1/2 and 2 are left to the diagonal."""

PRIOR_DRAWS = 1.0

ORTHONORMAL_WITHIN = 1e-8


def low_rank_metric(scales: npt.ArrayLike, directions: npt.ArrayLike, variances: npt.ArrayLike) -> Metric:
    """A low-rank metric.

    Parameters
    ----------
    scales : array (dim,)
        The diagonal of D: about standard deviations.
    directions : array (dim, rank)
        U, with orthonormal columns; the rank may be 0.
    variances : array (rank,)
        The diagonal of L: variances along the directions, of a density divided by `scales`.

    Raises
    ------
    SettingError
        If shapes disagree, directions are not orthonormal, or scales or variances not positive and finite.
    """
    scaling = np.array(scales, dtype=np.float64, ndmin=1)
    basis, spread = np.array(directions, dtype=np.float64), np.array(variances, dtype=np.float64, ndmin=1)
    if scaling.ndim != 1 or spread.ndim != 1 or basis.shape != (scaling.size, spread.size):
        raise SettingError(
            "A low-rank metric needs scales (dim,), directions (dim, rank) and variances (rank,); "
            f"got {scaling.shape}, {basis.shape} and {spread.shape}."
        )
    for name, values in (("Scales", scaling), ("Variances", spread)):
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0.0)))
        if bad.size:
            raise SettingError(
                f"{name} of a low-rank metric must be finite and positive; number {bad[0]} is {values[bad[0]]!r}."
            )
    if not np.allclose(basis.T @ basis, np.eye(spread.size), rtol=0.0, atol=ORTHONORMAL_WITHIN):
        raise SettingError(
            "Directions of a low-rank metric must be orthonormal columns; np.linalg.qr(directions)[0] makes them so."
        )
    diagonal = scaling**2 * (1.0 + basis**2 @ (spread - 1.0))
    none, blocks = np.zeros((0, 0)), np.zeros((0, 0, 0))
    factor = np.stack([spread - 1.0, spread**-0.5 - 1.0])
    across = np.ascontiguousarray(basis.T)
    return Metric(LOW_RANK, diagonal, none, factor, blocks, blocks.copy(), across, scaling[None, :].copy())


@uncounted
def set_low_rank_velocity(metric: Metric, momentum: Vector, velocity: Vector) -> None:
    """Velocity = D (y + U (L - I) U' y) with y = D momentum."""
    across, scales, factor = metric.coupling, metric.scales, metric.factor
    for i in range(momentum.shape[0]):
        velocity[i] = scales[0, i] * momentum[i]
    for direction in range(across.shape[0]):
        along = 0.0
        for i in range(momentum.shape[0]):
            along += across[direction, i] * scales[0, i] * momentum[i]
        along *= factor[0, direction]
        for i in range(momentum.shape[0]):
            velocity[i] += along * across[direction, i]
    for i in range(momentum.shape[0]):
        velocity[i] *= scales[0, i]


@uncounted
def draw_low_rank_momentum(metric: Metric, rng: np.random.Generator, momentum: Vector) -> None:
    """Momentum = D^-1 (z + U (L^-1/2 - I) U' z) with z standard normal.

    One direction after another, in place: orthonormal ones do not see what the others have added.
    """
    across, scales, factor = metric.coupling, metric.scales, metric.factor
    for i in range(momentum.shape[0]):
        momentum[i] = rng.standard_normal()
    for direction in range(across.shape[0]):
        along = 0.0
        for i in range(momentum.shape[0]):
            along += across[direction, i] * momentum[i]
        along *= factor[1, direction]
        for i in range(momentum.shape[0]):
            momentum[i] += along * across[direction, i]
    for i in range(momentum.shape[0]):
        momentum[i] /= scales[0, i]


def _inverse(metric: Metric) -> Matrix:
    across, scales = metric.coupling, metric.scales[0]
    inner = np.eye(metric.dimension) + (across.T * metric.factor[0]) @ across
    return np.asarray(scales[:, None] * inner * scales)


def _normal_draws(metric: Metric, rng: np.random.Generator, n: int) -> Matrix:
    across, scales = metric.coupling, metric.scales[0]
    z = rng.standard_normal((n, metric.dimension))
    return np.asarray((z + (z @ across.T) * (np.sqrt(1.0 + metric.factor[0]) - 1.0) @ across) * scales)


def fisher_variances(positions: Matrix, gradients: Matrix) -> Vector:
    """``sqrt(var(draws) / var(gradients))``: of all diagonal metrics the one of least Fisher divergence.

    Where gradients do not vary, the variance of the draws alone.
    """
    of_draws = positions.var(axis=0, ddof=1)
    of_gradients = gradients.var(axis=0, ddof=1)
    usable = np.isfinite(of_gradients) & (of_gradients > 0.0)
    return np.asarray(np.where(usable, np.sqrt(of_draws / np.where(usable, of_gradients, 1.0)), of_draws))


def estimated_low_rank(positions: Matrix, gradients: Matrix) -> Metric:
    """The low-rank metric that draws and their gradients suggest, both ``(n, dim)``."""
    n = positions.shape[0]
    diagonal = fisher_variances(positions, gradients)
    diagonal = np.where(np.isfinite(diagonal) & (diagonal > 0.0), diagonal, 1.0)
    scales = np.sqrt(diagonal)
    draws = (positions - positions.mean(axis=0)) / scales
    slopes = (gradients - gradients.mean(axis=0)) * scales
    if not (np.isfinite(draws).all() and np.isfinite(slopes).all()):
        return low_rank_metric(scales, np.zeros((scales.size, 0)), np.zeros(0))
    spans = [np.linalg.svd(part, full_matrices=False)[2].T for part in (draws, slopes)]
    basis = np.linalg.qr(np.concatenate(spans, axis=1))[0]
    of_draws, of_slopes = (_moments(part @ basis, n) for part in (draws, slopes))
    variances, vectors = np.linalg.eigh(_geometric_mean(of_draws, of_slopes))
    kept = (variances >= CUTOFF) | (variances <= 1.0 / CUTOFF)
    return low_rank_metric(scales, basis @ vectors[:, kept], variances[kept])


def _moments(inside: Matrix, n: int) -> Matrix:
    """Second moments of centred rows, shrunk towards the identity."""
    return np.asarray((inside.T @ inside + PRIOR_DRAWS * np.eye(inside.shape[1])) / (n - 1 + PRIOR_DRAWS))


def _geometric_mean(of_draws: Matrix, of_slopes: Matrix) -> Matrix:
    """S with S G S = C, symmetric: G^-1/2 (G^1/2 C G^1/2)^1/2 G^-1/2."""
    values, vectors = np.linalg.eigh(of_slopes)
    root, inverse_root = ((vectors * values**power) @ vectors.T for power in (0.5, -0.5))
    inner_values, inner_vectors = np.linalg.eigh(root @ of_draws @ root)
    inner = (inner_vectors * np.sqrt(np.maximum(inner_values, 0.0))) @ inner_vectors.T
    mean = inverse_root @ inner @ inverse_root
    return np.asarray(0.5 * (mean + mean.T))


LOW_RANK_KIND = MetricKind(LOW_RANK, "low rank", set_low_rank_velocity, draw_low_rank_momentum, _inverse, _normal_draws)

LOW_RANK_RULE = MetricRule(
    "low_rank",
    estimated_low_rank,
    uses_gradients=True,
    kind=LOW_RANK_KIND,
    source="Seyboldt, Carlson and Carpenter 2026, arXiv:2603.18845",
)
