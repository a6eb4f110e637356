"""Draws moved to where they would be without a row, for rows whose importance weights cannot be relied on.

Paananen, Piironen, Buerkner and Vehtari (2021), Statistics and Computing 31:16, on implicitly adaptive importance
sampling. Draws are shifted, then stretched, then turned, until their weighted moments are their own; k-hat says after
each step whether it helped. Half of the draws move and half stay, and weights are those of the mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._parallel import available_cpus
from nutslite._pareto import smoothed
from nutslite.formula.rows import rows_of_design
from nutslite.posterior.points.packing import positions_of
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.targets.plan import make_plan
from nutslite.results.evaluation.predictive import Predictive, predictive
from nutslite.results.predictions.predict import pointwise_log_likelihood

if TYPE_CHECKING:
    from nutslite.results.predictions.response_draws import PredictionTask

FloatArray = NDArray[np.float64]

MOST_STEPS = 30
DRAWS_FOR_TURNING = 10  # draws for each dimension, where the whole covariance is matched


@dataclass(frozen=True)
class Matched:
    """What moved draws say of a row that they have not seen.

    Attributes
    ----------
    predictive : Predictive
        Of this row.
    weights : ndarray, shape (samples,)
        They add up to one.
    khat : float
    """

    predictive: Predictive
    weights: FloatArray
    khat: float


@dataclass(frozen=True)
class _Moved:
    """Positions that are ``matrix @ position + shift`` of the draws, and what follows at them."""

    positions: FloatArray
    matrix: FloatArray
    shift: FloatArray
    weights: FloatArray
    khat: float


class MomentMatching:
    """Moves draws of a posterior for one row after the other.

    Parameters
    ----------
    assembled : Assembled
    posterior : mapping of ndarray, shape (chains, draws, ...)
        Draws by the model's names.
    task : PredictionTask
    limit : float
        The k-hat below which nothing more is tried.
    random_seed : int or sequence of int
        Of draws of responses, where predictions are made of these.
    """

    def __init__(
        self,
        assembled: Assembled,
        posterior: Mapping[str, NDArray[Any]],
        task: PredictionTask,
        limit: float,
        random_seed: Any = 0,
    ) -> None:
        self.assembled, self.task, self.limit, self.random_seed = assembled, task, limit, random_seed
        self.shape = next(iter(posterior.values())).shape[:2]
        self.target: Any = make_plan(assembled, "joint", pilot=False).target()
        self.positions = positions_of(assembled, posterior)
        self.log_posterior = self._log_posterior(self.positions)

    def match(self, row: int) -> Matched:
        """Move the draws for a row; its place is among the rows that the model uses."""
        design = rows_of_design(self.assembled.spec.design, np.array([row]))
        dimension = self.positions.shape[1]

        def moved(positions: FloatArray, matrix: FloatArray, shift: FloatArray) -> _Moved:
            logs = self._log_posterior(positions) - self._log_likelihood(positions, design) - self.log_posterior
            log_weights, khat = _smoothed(logs)
            return _Moved(positions, matrix, shift, np.exp(log_weights), khat)

        found = moved(self.positions, np.eye(dimension), np.zeros(dimension))
        kinds: list[Callable[[_Moved], tuple[FloatArray, FloatArray]]] = [_shifted, _stretched]
        if len(self.positions) > DRAWS_FOR_TURNING * dimension:
            kinds.append(_turned)
        for _ in range(MOST_STEPS):
            if found.khat <= self.limit:
                break
            for kind in kinds:
                matrix, shift = kind(found)
                tried = moved(found.positions @ matrix.T + shift, matrix @ found.matrix, matrix @ found.shift + shift)
                if tried.khat < found.khat:
                    found = tried
                    break
            else:
                break
        return self._half(found, design)

    def _half(self, found: _Moved, design: Any) -> Matched:
        """Every second draw is moved, the others stay."""
        moves = np.arange(len(self.positions)) % 2 == 0
        positions = np.where(moves[:, None], found.positions, self.positions)
        back = np.linalg.solve(found.matrix, (self.positions - found.shift).T).T
        origins = np.where(moves[:, None], self.positions, back)
        log_posterior = self._log_posterior(positions)
        from_moved = self._log_posterior(origins) - np.linalg.slogdet(found.matrix)[1]
        named = self._named(positions)
        of_row = predictive(named, design, self.task, random_seed=self.random_seed)
        weights_of_row = 1.0 if design.weights is None else float(design.weights[0])
        logs = log_posterior - weights_of_row * of_row.log_likelihood[:, 0] - np.logaddexp(log_posterior, from_moved)
        log_weights, khat = _smoothed(logs)
        return Matched(of_row, np.exp(log_weights), khat)

    def _log_posterior(self, positions: FloatArray) -> FloatArray:
        logs = np.asarray(self.target.log_densities(np.ascontiguousarray(positions), available_cpus()))
        return np.where(np.isfinite(logs), logs, -np.inf)

    def _log_likelihood(self, positions: FloatArray, design: Any) -> FloatArray:
        return pointwise_log_likelihood(self._named(positions), design, self.task).reshape(-1)

    def _named(self, positions: FloatArray) -> dict[str, FloatArray]:
        values, effects = self.target.natural(positions.reshape(*self.shape, -1), np.random.default_rng(0))
        return self.assembled.layout.unpack(values, effects)


def _smoothed(logs: FloatArray) -> tuple[FloatArray, float]:
    return smoothed(np.where(np.isnan(logs), -np.inf, logs))


def _shifted(found: _Moved) -> tuple[FloatArray, FloatArray]:
    """Means become the weighted ones."""
    return np.eye(found.positions.shape[1]), found.weights @ found.positions - found.positions.mean(axis=0)


def _stretched(found: _Moved) -> tuple[FloatArray, FloatArray]:
    """Variances as well."""
    mean, weighted = found.positions.mean(axis=0), found.weights @ found.positions
    variance = found.weights @ (found.positions - weighted) ** 2
    matrix = np.diag(np.sqrt(variance / found.positions.var(axis=0)))
    return matrix, weighted - matrix @ mean


def _turned(found: _Moved) -> tuple[FloatArray, FloatArray]:
    """Covariances as well."""
    mean, weighted = found.positions.mean(axis=0), found.weights @ found.positions
    apart = found.positions - weighted
    try:
        target = np.linalg.cholesky((found.weights[:, None] * apart).T @ apart)
        own = np.linalg.cholesky(np.atleast_2d(np.cov(found.positions, rowvar=False, bias=True)))
    except np.linalg.LinAlgError:
        return _stretched(found)
    matrix = np.linalg.solve(own.T, target.T).T
    return matrix, weighted - matrix @ mean
