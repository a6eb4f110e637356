"""`stack`: weights of forecasts whose mixture has the best score, and the mixture itself.

Yao, Vehtari, Simpson and Gelman (2018), Bayesian Analysis 13(3):917-1007: stacking of predictive distributions for log
scores (their equation 4) and other proper scores (section 2.1), and pseudo-BMA weights averaged over a Bayesian
bootstrap (section 3.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, ArgumentTypeError, DataError, random_generator, refuse_other
from nutslite.scores.calibration.coverage import coded
from nutslite.scores.calibration.pit import checked_number
from nutslite.scores.comparing import scores_of_rows
from nutslite.scores.kinds.prediction import Prediction
from nutslite.scores.numerics.checks import numbers
from nutslite.scores.numerics.simplex import smallest_on_simplex, violation
from nutslite.scores.pointwise.crps import deviation_and_difference
from nutslite.scores.reports.report import Report

FloatArray = NDArray[np.float64]

SCORES = ("nll", "log_loss", "crps", "brier")
METHODS = ("stacking", "pseudo-bma+")
REPLICATES = 1000
DRAWS = 1000  # of each forecast, for the CRPS of mixtures


@public
@dataclass(frozen=True, eq=False)
class Stacked:
    """Weights of forecasts.

    Attributes
    ----------
    weights : dict of str to float
        Not negative; they add up to one.
    score : str
    method : str
    mean_score : float
        Of the mixture with these weights, on the rows that they were found from: too good for new ones.
    optimality : float
        How far the weights are from the conditions of optimality; rounding, of stacking. nan of pseudo-BMA+.
    """

    weights: dict[str, float]
    score: str
    method: str
    mean_score: float
    optimality: float

    def __str__(self) -> str:
        widest = max(len(name) for name in self.weights)
        lines = [f"{name:{widest}}  {weight:.3f}" for name, weight in self.weights.items()]
        said = f"Mean {self.score} of the mixture {self.mean_score:.4g}, on the rows that gave the weights"
        return "\n".join([*lines, f"{said} ({self.method})."])

    def predict(self, predictions: Mapping[str, Prediction], size: int = 1000, seed: Any = 0) -> Prediction:
        """The mixture of forecasts of any rows: probabilities are averaged, of others draws weighted.

        Parameters
        ----------
        predictions : dict of str to Prediction
            By the names that weights have.
        size : int
            Draws of each forecast.
        seed : int or generator

        Returns
        -------
        Prediction
        """
        used = {name: weight for name, weight in self.weights.items() if weight > 0.0}
        missing = [name for name in used if name not in predictions]
        if missing:
            raise ArgumentError(f"predictions has none for {', '.join(missing)}, which has a weight.")
        chosen = {name: _prediction(name, predictions[name]) for name in used}
        rows = {name: each.n for name, each in chosen.items()}
        if len(set(rows.values())) > 1:
            raise DataError(f"Predictions have different numbers of rows: {rows}.")
        if all(each.can("probabilities") for each in chosen.values()):
            mixed = sum(weight * chosen[name].probabilities() for name, weight in used.items())
            classes = getattr(next(iter(chosen.values())).kind, "classes", None)
            return Prediction.from_probabilities(mixed, classes)
        size, rng = checked_number("size", size, 1, 10**7), random_generator(seed)
        drawn = np.concatenate([chosen[name].sample(rng, size) for name in used])
        return Prediction.from_draws(drawn, np.repeat(list(used.values()), size) / size)


@public
def stack(
    given: Mapping[str, Any],
    score: str = "nll",
    *,
    y: Any = None,
    method: str = "stacking",
    groups: Any = None,
    log_jacobian: Mapping[str, Any] | None = None,
    seed: Any = 0,
) -> Stacked:
    """Find the weights of a mixture of forecasts that scores best.

    ``max_w sum_i log sum_k w_k p_k(y_i)``, or another proper score of the mixture, over ``w_k >= 0`` that add up to
    one: Yao, Vehtari, Simpson and Gelman (2018), Bayesian Analysis 13:917-1007.

    Parameters
    ----------
    given : dict of str to Report, array_like or Prediction
        For ``nll`` and ``log_loss`` reports of the same rows, or log densities of held-out rows, shape (n,), such as
        those of leave-one-out cross-validation. For ``crps`` and ``brier`` predictions, with `y`.
    score : {"nll", "log_loss", "crps", "brier"}
    y : array_like, shape (n,), optional
        Observations, for ``crps`` and ``brier``.
    method : {"stacking", "pseudo-bma+"}
        The latter weighs by exp of the sum of log densities, averaged over a Bayesian bootstrap of rows, or groups.
    groups : array_like, shape (n,), optional
        For the bootstrap.
    log_jacobian : dict of str to array_like, optional
        As for `compare`, with reports.
    seed : int or generator
        Of the bootstrap, and of draws for ``crps``.

    Returns
    -------
    Stacked
        Identical forecasts share their weight equally.

    Raises
    ------
    DataError
        Where forecasts are of different rows, or all hold one of them impossible.

    Examples
    --------
    >>> stack({"one": [-1.0, -3.0], "other": [-3.0, -1.0]}).weights
    {'one': 0.5, 'other': 0.5}
    """
    refuse_other("score", score, SCORES)
    refuse_other("method", method, METHODS)
    if not isinstance(given, Mapping) or len(given) < 2:
        raise ArgumentTypeError('Give a dict of two forecasts or more: {"mine": ..., "theirs": ...}.')
    names = list(given)
    if score in ("nll", "log_loss"):
        densities = _log_densities(given, score, log_jacobian)
        rows = _shares(given)
        function = _log_score(densities, rows)
    elif method == "pseudo-bma+":
        raise ArgumentError(f"Pseudo-BMA+ weighs by log densities: take score='nll', not '{score}'.")
    else:
        predictions = {name: _prediction(name, each) for name, each in given.items()}
        if y is None:
            raise ArgumentError(f"Stacking by '{score}' needs y, the observations, beside predictions of them.")
        make = _mean_crps if score == "crps" else _mean_brier
        function = make(predictions, y, random_generator(seed))
    if method == "stacking":
        w = smallest_on_simplex(function, len(names))
    else:
        w = _pseudo_bma(densities, None if groups is None else coded(groups, len(rows), "groups")[1], seed)
    value, gradient, _ = function(w)
    away = violation(w, gradient) if method == "stacking" else float("nan")
    return Stacked(dict(zip(names, w.tolist(), strict=True)), score, method, float(value), away)


def _prediction(name: str, given: Any) -> Prediction:
    if not isinstance(given, Prediction):
        raise ArgumentTypeError(
            f"'{name}' is a Prediction here, not {type(given).__name__}: crps and brier of a mixture need predictions, "
            "nll and log_loss take reports too."
        )
    return given


def _log_densities(given: Mapping[str, Any], score: str, log_jacobian: Mapping[str, Any] | None) -> FloatArray:
    """Shape (n, forecasts)."""
    if all(isinstance(each, Report) for each in given.values()):
        return -np.stack(list(scores_of_rows(given, score, log_jacobian).values()), axis=1)
    if log_jacobian:
        raise ArgumentError("log_jacobian goes with reports; add it to log densities yourself.")
    if any(isinstance(each, Report | Prediction) for each in given.values()):
        raise ArgumentTypeError("Give reports of all forecasts, or arrays of log densities of all, not some of each.")
    columns = [numbers(name, each, "no nan") for name, each in given.items()]
    shapes = {column.shape for column in columns}
    if len(shapes) > 1 or columns[0].ndim != 1 or columns[0].size == 0:
        raise DataError(f"Log densities are one number a row, of the same rows; shapes are {sorted(shapes)}.")
    return np.stack(columns, axis=1)


def _shares(given: Mapping[str, Any]) -> FloatArray:
    """Shares of rows: weights of reports, or equal ones."""
    first = next(iter(given.values()))
    if isinstance(first, Report):
        return np.full(first.n, 1.0 / first.n) if first.weights is None else first.weights
    n = np.shape(first)[0]
    return np.full(n, 1.0 / n)


def _log_score(densities: FloatArray, rows: FloatArray) -> Any:
    """``-sum_i r_i log sum_k w_k p_ik``, with the largest density of each row taken out first, so that none is 0."""
    largest = densities.max(axis=1)
    if not np.all(np.isfinite(largest)):
        wrong = np.flatnonzero(~np.isfinite(largest))
        raise DataError(f"All forecasts hold {wrong.size} observations impossible, the first in row {wrong[0]}.")
    p = np.exp(densities - largest[:, None])

    def function(w: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        mixed = p @ w
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = p / mixed[:, None]
            value = -float(np.sum(rows * (np.log(mixed) + largest)))
        weighted = rows[:, None] * ratio
        return value, -weighted.sum(axis=0), ratio.T @ weighted

    return function


def _mean_crps(predictions: Mapping[str, Prediction], y: Any, rng: np.random.Generator) -> Any:
    """``sum_k w_k E|X_k - y| - 1/2 sum_kl w_k w_l E|X_k - X_l|``, averaged over rows: by sorted draws."""
    given = list(predictions.values())
    observed = given[0].observed(y)
    if any(each.n != observed.size for each in given):
        raise DataError(f"y has {observed.size} rows, predictions {[each.n for each in given]}.")
    for question in ("crps", "sample"):
        for name, each in predictions.items():
            if not each.can(question):
                raise ArgumentError(f"'{name}': {each.why_not(question)}")
    fair = [each.kind.deviation_and_difference(observed) for each in given]
    x = [each.sample(rng, DRAWS) for each in given]
    plain = [deviation_and_difference(observed, each, "ecdf", None)[1] for each in x]
    distance = np.empty((observed.size, len(x), len(x)))
    for k in range(len(x)):
        distance[:, k, k] = fair[k][1]
        for m in range(k):
            pooled = deviation_and_difference(observed, np.concatenate([x[k], x[m]]), "ecdf", None)[1]
            distance[:, k, m] = distance[:, m, k] = 2.0 * pooled - 0.5 * (plain[k] + plain[m])
    linear = np.array([float(deviation.mean()) for deviation, _ in fair])
    hessian = -distance.mean(axis=0)
    return _quadratic(linear, hessian, 0.0)


def _mean_brier(predictions: Mapping[str, Prediction], y: Any, rng: np.random.Generator) -> Any:
    """``mean_i sum_c (sum_k w_k p_kic - 1{y_i = c})^2``; of one event's probability one term a row."""
    p = [each.probabilities() for each in predictions.values()]
    if len({each.shape for each in p}) > 1:
        raise DataError(f"Probabilities have different shapes: {[each.shape for each in p]}.")
    codes = next(iter(predictions.values())).observed(y)
    came = codes if p[0].ndim == 1 else (codes[:, None] == np.arange(p[0].shape[1])).astype(np.float64)
    flat, n = np.stack([each.ravel() for each in p], axis=1), codes.size
    linear = -2.0 * (came.ravel() @ flat) / n
    return _quadratic(linear, 2.0 * (flat.T @ flat) / n, float(np.sum(came**2)) / n)


def _quadratic(linear: FloatArray, hessian: FloatArray, constant: float) -> Any:
    def function(w: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        return constant + float(linear @ w + 0.5 * w @ hessian @ w), linear + hessian @ w, hessian

    return function


def _pseudo_bma(densities: FloatArray, codes: NDArray[np.int64] | None, seed: Any) -> FloatArray:
    """Weights proportional to exp of sums of log densities, averaged over Dirichlet weights of rows or groups."""
    rng = random_generator(seed)
    lowest = (
        densities[np.isfinite(densities)].min(initial=0.0) - 1e6
    )  # a forecast that is once impossible has no weight
    bounded = np.where(np.isfinite(densities), densities, lowest)
    sums = bounded if codes is None else np.stack([np.bincount(codes, column) for column in bounded.T], axis=1)
    shares = rng.dirichlet(np.ones(len(sums)), REPLICATES)
    totals = len(sums) * shares @ sums
    weights = np.exp(totals - totals.max(axis=1, keepdims=True))
    return np.asarray((weights / weights.sum(axis=1, keepdims=True)).mean(axis=0))
