"""`as_scorer`: scores as scikit-learn's model selection takes them. Nothing of scikit-learn is imported."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, ArgumentTypeError, DataError, did_you_mean
from nutslite.scores.calibration.calibration_error import row_weights
from nutslite.scores.kinds.prediction import Prediction
from nutslite.scores.pointwise.classes import brier, rps
from nutslite.scores.pointwise.quantile import interval_score, pinball

FloatArray = NDArray[np.float64]
Rows = Callable[[Any, Prediction], FloatArray]
Predict = Callable[[Any, Any], Prediction]

# What a score of rows is, by name
SCORES: dict[str, Rows] = {
    "nll": lambda y, P: -P.log_density(y),
    "log_loss": lambda y, P: -P.log_density(y),
    "crps": lambda y, P: P.crps(y),
    "scaled_crps": lambda y, P: P.scaled_crps(y),
    "brier": lambda y, P: brier(P.observed(y), P.probabilities()),
    "rps": lambda y, P: rps(P.observed(y), P.probabilities()),
}
_LEVELLED = re.compile(r"(pinball|interval_score)_(\d+(?:\.\d+)?)")
_KNOWN = (*SCORES, "pinball_90", "interval_score_90")


@public
@dataclass(frozen=True)
class Scorer:
    """A callable ``scorer(estimator, X, y)`` that gives minus the mean score: higher is better, as scikit-learn has it.

    Attributes
    ----------
    score : str or callable
    predict : callable or None
    """

    score: str | Rows
    predict: Predict | None = None

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Minus the mean score of an estimator's predictions.

        Parameters
        ----------
        estimator : object
            Fitted.
        X : array_like, shape (n, features)
        y : array_like, shape (n,)
        sample_weight : array_like, shape (n,), optional

        Returns
        -------
        float
        """
        predicted = predicted_by(estimator, X) if self.predict is None else self.predict(estimator, X)
        if not isinstance(predicted, Prediction):
            raise ArgumentTypeError(
                f"predict(estimator, X) gives a Prediction, and gave {type(predicted).__name__}: make one by "
                "Prediction.from_normal(mean, sd), from_quantiles(q, levels), from_draws(x) or the like."
            )
        rows = np.asarray(self._rows(y, predicted), dtype=np.float64)
        if rows.shape != (predicted.n,):
            raise DataError(f"score(y, prediction) gives one number for each of {predicted.n} rows, not {rows.shape}.")
        return -float(np.sum(row_weights(sample_weight, rows.size) * rows))

    def _rows(self, y: Any, predicted: Prediction) -> FloatArray:
        return (_score_of(self.score) if isinstance(self.score, str) else self.score)(y, predicted)


@public
def as_scorer(score: str | Rows = "crps", predict: Predict | None = None) -> Scorer:
    """A scorer for ``cross_val_score``, ``GridSearchCV`` and whatever takes ``scoring=`` in scikit-learn's manner.

    >>> from nutslite import scores
    >>> scorer = scores.as_scorer("crps", lambda model, X: scores.Prediction.from_normal(*model.predict(X)))
    >>> class Standard:
    ...     def predict(self, X):
    ...         return [0.0] * len(X), [1.0] * len(X)
    >>> round(scorer(Standard(), [[1.0], [2.0]], [0.0, 0.3]), 4)
    -0.2515

    Minus ``sum_i S(P_i, y_i) / n`` for a proper score S (Gneiting and Raftery 2007, JASA 102:359-378), which the true
    distribution makes largest.

    Parameters
    ----------
    score : str or callable
        ``nll``, ``log_loss``, ``crps``, ``scaled_crps``, ``brier``, ``rps`` of ordered classes; ``pinball_90`` or
        ``interval_score_90`` of any level; or a function of (y, prediction) with one loss a row, shape (n,).
    predict : callable, optional
        Of (estimator, X): the `Prediction` of these rows. By default probabilities of classes by ``predict_proba``, or
        normal distributions by ``predict(X, return_std=True)`` where an estimator has either.

    Returns
    -------
    Scorer
        Minus the mean score of the rows, because scikit-learn looks for the largest.

    Raises
    ------
    ArgumentError
        For an unknown score.
    """
    if isinstance(score, str):
        _score_of(score)
    elif not callable(score):
        raise ArgumentTypeError(f"score is a name or a function of (y, prediction), not {score!r}.")
    if predict is not None and not callable(predict):
        raise ArgumentTypeError(f"predict is a function of (estimator, X) that gives a Prediction, not {predict!r}.")
    return Scorer(score, predict)


def predicted_by(estimator: Any, X: Any) -> Prediction:
    """What an estimator predicts of rows, where it says how unsure it is.

    Raises
    ------
    ArgumentError
        Where it does not.
    """
    if hasattr(estimator, "predict_proba"):
        return Prediction.from_probabilities(
            np.asarray(estimator.predict_proba(X)), classes=getattr(estimator, "classes_", None)
        )
    if hasattr(estimator, "predict") and "return_std" in inspect.signature(estimator.predict).parameters:
        return Prediction.from_normal(*estimator.predict(X, return_std=True))
    raise ArgumentError(
        f"{type(estimator).__name__} predicts single numbers, which say nothing of how unsure it is: give predict=, a "
        "function of (estimator, X) that makes a Prediction, such as "
        "lambda model, X: Prediction.from_quantiles(model.predict(X, quantiles=levels), levels)."
    )


def _score_of(name: str) -> Rows:
    if name in SCORES:
        return SCORES[name]
    found = _LEVELLED.fullmatch(name)
    level = float(found[2]) / 100.0 if found else 0.0
    if found is None or not 0.0 < level < 1.0:
        raise ArgumentError(f"There is no score '{name}'.{did_you_mean(name, _KNOWN)} There are: {', '.join(_KNOWN)}.")
    if found[1] == "pinball":
        return lambda y, P: pinball(P.observed(y), P.quantile(level), level)
    return lambda y, P: interval_score(P.observed(y), *P.interval(level), 1.0 - level)
