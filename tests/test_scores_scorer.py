"""Scorers for scikit-learn: minus the mean score, of any estimator that says how unsure it is."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from nutslite import scores
from nutslite.exceptions import ArgumentError, ArgumentTypeError, DataError
from nutslite.scores import Prediction

X = np.linspace(-1.0, 1.0, 40)[:, None]
Y = X[:, 0] + np.random.default_rng(2).normal(size=40)
EVENTS = np.where(Y > 0, "yes", "no")
LEVELS = np.array([0.05, 0.5, 0.95])


class Normal:
    """Means and standard deviations, as scikit-learn's Gaussian processes give them."""

    def predict(self, X, return_std=False):
        return (X[:, 0], np.ones(len(X))) if return_std else X[:, 0]


class Classifier:
    classes_ = np.array(["no", "yes"])

    def predict_proba(self, X):
        p = 1.0 / (1.0 + np.exp(-2.0 * X[:, 0]))
        return np.stack([1.0 - p, p], axis=1)


class Points:
    def predict(self, X):
        return X[:, 0]


def quantiles(estimator, X):
    return Prediction.from_quantiles(estimator.predict(X)[:, None] + [-1.6, 0.0, 1.6], LEVELS)


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("crps", lambda: scores.crps_gaussian(Y, X[:, 0], 1.0)),
        ("nll", lambda: -Prediction.from_normal(X[:, 0], np.ones(40)).log_density(Y)),
        ("scaled_crps", lambda: Prediction.from_normal(X[:, 0], np.ones(40)).scaled_crps(Y)),
        ("pinball_90", lambda: scores.pinball(Y, X[:, 0] + 1.2815515655446004, 0.9)),
        (lambda y, P: scores.squared_error(y, P.mean()), lambda: (Y - X[:, 0]) ** 2),
    ],
)
def test_minus_the_mean_of_the_score(score, expected):
    scorer = scores.as_scorer(score)
    assert scorer(Normal(), X, Y) == pytest.approx(-np.mean(expected()), rel=1e-12)
    weights = np.arange(40.0)
    weighted = -np.average(expected(), weights=weights)
    assert scorer(Normal(), X, Y, sample_weight=weights) == pytest.approx(weighted, rel=1e-12)


def test_classes_and_quantiles():
    p = Classifier().predict_proba(X)[:, 1]
    for name in ("brier", "log_loss", "rps"):
        given = scores.as_scorer(name)(Classifier(), X, EVENTS)
        columns = np.stack([1 - p, p], axis=1)
        assert given == pytest.approx(-getattr(scores, name)(EVENTS == "yes", columns).mean(), rel=1e-12)
    found = scores.as_scorer("interval_score_90", quantiles)(Points(), X, Y)
    assert found == pytest.approx(-scores.interval_score(Y, X[:, 0] - 1.6, X[:, 0] + 1.6, 0.1).mean(), rel=1e-12)


def test_scorers_are_pickled_and_shown():
    scorer = pickle.loads(pickle.dumps(scores.as_scorer("crps", quantiles)))
    assert "crps" in repr(scorer)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: scores.as_scorer("crsp"), ArgumentError, "no score 'crsp'. Did you mean 'crps'"),
        (lambda: scores.as_scorer("pinball_0"), ArgumentError, "no score 'pinball_0'"),
        (lambda: scores.as_scorer(3), ArgumentTypeError, "score is a name or a function"),
        (lambda: scores.as_scorer("crps", "normal"), ArgumentTypeError, "predict is a function of (estimator, X)"),
        (lambda: scores.as_scorer("crps")(Points(), X, Y), ArgumentError, "Points predicts single numbers"),
        (
            lambda: scores.as_scorer("crps", lambda model, X: model.predict(X))(Points(), X, Y),
            ArgumentTypeError,
            "gives a Prediction, and gave ndarray",
        ),
        (lambda: scores.as_scorer("crps")(Classifier(), X, EVENTS), ArgumentError, "predicts classes"),
        (lambda: scores.as_scorer(lambda y, P: 1.0)(Normal(), X, Y), DataError, "one number for each of 40 rows"),
    ],
)
def test_what_cannot_be_scored_is_said(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)


def test_cross_validation_of_scikit_learn():
    selection = pytest.importorskip("sklearn.model_selection")
    linear = pytest.importorskip("sklearn.linear_model")
    scorer = {"crps": scores.as_scorer("crps"), "nll": scores.as_scorer("nll")}
    found = selection.cross_validate(linear.BayesianRidge(), X, Y, cv=4, scoring=scorer)
    assert found["test_crps"].shape == (4,)
    assert (found["test_crps"] < 0.0).all()
    logistic = selection.cross_val_score(linear.LogisticRegression(), X, EVENTS, scoring=scores.as_scorer("log_loss"))
    own = selection.cross_val_score(linear.LogisticRegression(), X, EVENTS, scoring="neg_log_loss")
    np.testing.assert_allclose(logistic, own, rtol=1e-9)
    search = selection.GridSearchCV(linear.BayesianRidge(), {"max_iter": [1, 50]}, scoring=scores.as_scorer("crps"))
    assert search.fit(X, Y).best_score_ < 0.0
