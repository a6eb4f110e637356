"""Estimating a metric from the draws (and gradients) of a warm-up window.

Windows are kept whole and their moments computed in two passes with NumPy: exacter than a running (Welford) update,
nothing to compile, and the result does not depend on how the window was cut into blocks of transitions.

All estimates are shrunk towards a small multiple of the identity as Stan does (Reference Manual, "HMC algorithm
parameters: Euclidean metric"): ``n / (n + 5) * estimate + 1e-3 * 5 / (n + 5)``.
"""

from __future__ import annotations

import numpy as np

from nutslite.exceptions import SettingTypeError
from nutslite.sampler.catalogue.low_rank import fisher_variances
from nutslite.sampler.parts.metric_kind import MetricRule
from nutslite.sampler.transition.logdensity import Matrix, Vector
from nutslite.sampler.transition.metric import Metric, dense_metric, diagonal_metric

PRIOR_DRAWS = 5.0
PRIOR_VARIANCE = 1e-3

MINIMUM_DRAWS = 3
"""Windows with fewer draws than this teach nothing and leave the metric as it is."""


class Window:
    """The latest draws and gradients of one chain's warm-up, as many as the next estimate takes."""

    def __init__(self) -> None:
        self._positions: list[Matrix] = []
        self._gradients: list[Matrix] = []

    def add(self, positions: Matrix, gradients: Matrix) -> None:
        """Append a block of draws, both ``(n, dim)``; the arrays are kept, not copied."""
        self._positions.append(positions)
        self._gradients.append(gradients)

    def keep_last(self, n_draws: int) -> None:
        """Forget all but the last draws: a new window begins."""
        if n_draws == 0:
            self._positions.clear()
            self._gradients.clear()
        elif n_draws < self.n_draws:
            self._positions = [np.concatenate(self._positions)[-n_draws:]]
            self._gradients = [np.concatenate(self._gradients)[-n_draws:]]

    @property
    def n_draws(self) -> int:
        """Draws in the window so far."""
        return sum(block.shape[0] for block in self._positions)

    def metric(self, rule: MetricRule) -> Metric | None:
        """The metric that a rule makes of the window, or None where it holds too few draws.

        Raises
        ------
        SettingTypeError
            If the rule makes something else.
        """
        if self.n_draws < MINIMUM_DRAWS:
            return None
        metric = rule.estimate(np.concatenate(self._positions), np.concatenate(self._gradients))
        if not isinstance(metric, Metric):
            raise SettingTypeError(f"MetricRule '{rule.name}': estimate must return a Metric, not {metric!r}.")
        return metric


def regularised(variances: Vector, n_draws: int) -> Vector:
    """Variances shrunk as Stan does; those that are not finite are replaced by what they are shrunk to."""
    weight = n_draws / (n_draws + PRIOR_DRAWS)
    known = np.where(np.isfinite(variances), variances, PRIOR_VARIANCE)
    return weight * known + (1.0 - weight) * PRIOR_VARIANCE


def regularised_covariance(positions: Matrix) -> Matrix:
    """Covariance of ``(n, dim)`` draws, shrunk as Stan does."""
    n_draws, dimension = positions.shape
    centred = positions - positions.mean(axis=0)
    covariance = centred.T @ centred / (n_draws - 1)
    weight = n_draws / (n_draws + PRIOR_DRAWS)
    return weight * covariance + (1.0 - weight) * PRIOR_VARIANCE * np.eye(dimension)


def gradient_informed_variances(positions: Matrix, gradients: Matrix) -> Vector:
    """``sqrt(var(draws) / var(gradients))``, the diagonal metric that nutpie adapts.

    For a normal density the variance of the gradient is the diagonal of the precision, so this is the geometric mean
    of the marginal and the conditional variance: it minimises the Fisher divergence between the density and a normal
    one with that diagonal covariance. Where gradients do not vary, the variance of the draws alone is used.
    """
    n_draws = positions.shape[0]
    return regularised(fisher_variances(positions, gradients), n_draws)


def _diagonal(positions: Matrix, gradients: Matrix) -> Metric:
    return diagonal_metric(regularised(positions.var(axis=0, ddof=1), positions.shape[0]))


def _gradient_informed(positions: Matrix, gradients: Matrix) -> Metric:
    return diagonal_metric(gradient_informed_variances(positions, gradients))


def _dense(positions: Matrix, gradients: Matrix) -> Metric:
    return dense_metric(regularised_covariance(positions))


DIAGONAL_RULE = MetricRule("diag", _diagonal, source="Stan Reference Manual")
DIAGONAL_GRADIENT_RULE = MetricRule("diag_grad", _gradient_informed, uses_gradients=True, source="nutpie")
DENSE_RULE = MetricRule("dense", _dense, source="Stan Reference Manual")
