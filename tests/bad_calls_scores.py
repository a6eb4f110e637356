"""What is given to scores, and to predictions, that means nothing there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from bad_calls import BadCall
from scipy import stats

from nutslite import scores
from nutslite.exceptions import NutsliteError
from nutslite.scores import Prediction

RNG = np.random.default_rng(3)
Y, X, WEIGHTS = RNG.normal(5.0, 2.0, 5), RNG.normal(5.0, 2.0, (31, 5)), RNG.random(31)
LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
Q = np.sort(RNG.normal(size=(5, 5)), axis=1)
CODES = np.array([0, 1, 2, 3, 0, 1])
ROWS, MU, SIGMA = np.zeros(4), np.zeros(4), np.ones(4)
NORMAL = Prediction.from_normal(MU, SIGMA)
FIVE = Prediction.from_quantiles(Q, LEVELS)
HALVES = Prediction.from_interval(np.zeros(5), np.ones(5), 0.5)

WRONG: list[tuple[Any, tuple[str, ...]]] = [
    (lambda: scores.crps(Y, X.T), ("y has 5 rows, x has 5 x 31; draws come first: give x.T",)),
    (lambda: scores.crps(Y, np.zeros((4, 10, 5))), ("join chains by x.reshape(-1, 5)",)),
    (lambda: scores.crps(Y, np.where(X > 5, np.nan, X)), ("x must be finite; wrong in column",)),
    (lambda: scores.crps([1.0, np.inf], X[:, :2]), ("y must be finite; wrong in row 1 (1 of 2; the first is inf)",)),
    (lambda: scores.crps(Y, X, "fare"), ("estimator is one of 'fair', 'ecdf'; not 'fare'. Did you mean 'fair'",)),
    (lambda: scores.crps(Y, X[:1]), ("One draw a row has no spread",)),
    (lambda: scores.crps(Y, X, weights=np.ones(5)), ("weights have shape (5,), draws (31, 5)",)),
    (lambda: scores.crps(Y, X, weights=-WEIGHTS), ("weights must be finite and not negative",)),
    (lambda: scores.crps(Y, X, weights=np.eye(31)[0]), ("All weight is on one draw",)),
    (lambda: scores.crps(["a", "b"], X[:, :2]), ("y holds numbers, not",)),
    (lambda: scores.scaled_crps(Y, np.ones((4, 5))), ("row 0 predicts one value for certain",)),
    (lambda: scores.nll([[0.0, np.nan]]), ("log_density must not be nan; wrong in column 1",)),
    (lambda: scores.joint_nll(np.zeros((3, 4)), ["a"]), ("groups have shape (1,), log densities (3, 4)",)),
    (lambda: scores.dss(np.zeros(3), np.zeros((3, 3))), ("needs more than 3 draws; there are 3",)),
    (lambda: scores.dss(np.zeros(2), np.zeros((5, 2))), ("The predictive covariance is singular",)),
    (lambda: scores.variogram_score(np.zeros(2), np.zeros((5, 2)), p=0), ("p is the order of the variogram",)),
    (lambda: scores.pinball(Y[:4], Q[:4].T, LEVELS), ("Give q.T",)),
    (lambda: scores.pinball(Y, Q, LEVELS * 100), ("levels must lie between 0 and 1",)),
    (lambda: scores.pinball(Y, Q[:, 0], 90), ("levels lies between 0 and 1, not 90. For 90 per cent write 0.9",)),
    (lambda: scores.pinball(Y, Q[:, :2], [0.1, 0.1]), ("levels has a level twice",)),
    (lambda: scores.interval_score(Y, Q[:, 0], Q[:, 4], True), ("alpha is a number between 0 and 1, not True",)),
    (lambda: scores.interval_score(Y, Q[:3, 0], Q[:, 4], 0.1), ("Shapes do not fit: y (5,), lower (3,)",)),
    (lambda: scores.wis(Y, Q[:, :2], [0.1, 0.9]), ("needs the median and pairs of levels",)),
    (lambda: scores.wis(Y, Q[:, :3], [0.1, 0.5, 0.8]), ("needs the median and pairs of levels",)),
    (lambda: scores.conformalize(FIVE, Y, FIVE), ("5 rows to calibrate with", "0.9 of new rows takes 9 rows or more")),
    (lambda: scores.conformalize(FIVE, Y, FIVE, groups=list("aabbb")), ("2 groups to calibrate", "9 groups or more")),
    (lambda: scores.conformalize(FIVE, Y, HALVES), ("P has the levels 0.05, 0.25", "calibration has 0.25, 0.75")),
    (lambda: scores.conformalize(HALVES, Y[:4], HALVES), ("4", "5")),
    (lambda: scores.conformalize(HALVES, Y, HALVES, groups=list("ab")), ("groups has one label for each of 5 rows",)),
    (lambda: scores.conformalize(HALVES, [*Y[:4], np.nan], HALVES), ("y must be finite",)),
    (lambda: scores.conformalize(NORMAL, ROWS, NORMAL), ("P is a Prediction by quantiles", "from_quantiles")),
    (lambda: scores.conformalize(HALVES, Y, Q), ("calibration is a Prediction by quantiles",)),
    (lambda: scores.conformal_margins(Y, None), ("calibration is a Prediction by quantiles", "None")),
    (lambda: scores.evaluate(Y, HALVES).conformalize(NORMAL), ("P is a Prediction by quantiles",)),
    (lambda: scores.log_loss([0, 2], [0.1, 0.2]), ("y holds codes of 2 classes, 0 to 1; its largest is 2",)),
    (lambda: scores.log_loss([0, 1], [0.1, 1.2]), ("p must lie between 0 and 1; wrong in row 1 (1 of 2",)),
    (lambda: scores.brier([0, 1], [[0.5, 0.4], [0.5, 0.5]]), ("add up to one; 1 of 2 do not",)),
    (lambda: scores.brier(CODES, np.full((4, 6), 1 / 4)), ("Give p.T",)),
    (lambda: scores.entropy_split([0.1, 0.2]), ("(S, n) or (S, n, K), not (2,)",)),
    (lambda: scores.dirichlet_entropy_split([1.0, 2.0]), ("one column for each class",)),
    (
        lambda: scores.crps_gaussian([0.0, 1.0], 0.0, [1.0, -1.0]),
        ("sigma must be positive and finite; wrong in row 1",),
    ),
    (lambda: scores.crps_uniform(0.0, 1.0, 0.0), ("lower must be below upper",)),
    (lambda: scores.crps_gaussian([0.0, [1.0]], 0.0, 1.0), ("y is no rectangular array",)),
    (
        lambda: NORMAL.crps(ROWS[:3]),
        ("y has 3 rows, the prediction has 4: they must be the same rows in the same order",),
    ),
    (lambda: NORMAL.crps(ROWS[:, None]), ("y has one number a row, so shape (n,), not (4, 1)",)),
    (
        lambda: NORMAL.crps([1.0, np.nan, 2.0, np.nan]),
        ("y must be finite; wrong in rows 1, 3 (2 of 4; the first is nan",),
    ),
    (lambda: NORMAL.quantile(95), ("levels lies between 0 and 1, not 95. For 95 per cent write 0.95",)),
    (lambda: NORMAL.interval("wide"), ("prob is a number between 0 and 1, not 'wide'",)),
    (lambda: NORMAL.sample(size=0), ("size is how many draws to make",)),
    (lambda: NORMAL.can("crsp"), ("question is one of", "Did you mean 'crps'")),
    (lambda: Prediction(3), ("A Prediction is made by Prediction.from_draws",)),
    (lambda: Prediction.from_normal([0.0, 1.0], [1.0, 0.0]), ("sigma must be positive and finite; wrong in row 1",)),
    (lambda: Prediction.from_normal(np.zeros(3), np.ones(2)), ("Shapes do not fit: mu (3,), sigma (2,)",)),
    (
        lambda: Prediction.from_distribution("gausian", mu=0.0, sigma=1.0),
        ("no distribution 'gausian'. Did you mean 'gaus",),
    ),
    (lambda: Prediction.from_distribution("poisson"), ("The distribution 'poisson' needs mu",)),
    (lambda: Prediction.from_distribution("poisson", lam=[1.0]), ("has no argument 'lam'",)),
    (
        lambda: Prediction.from_distribution(3.0),
        ("takes the name of a distribution with its parameters, or an object",),
    ),
    (
        lambda: Prediction.from_distribution(stats.norm(), mu=1.0),
        ("An object has its parameters already; mu would be",),
    ),
    (
        lambda: Prediction.from_distribution(stats.norm(np.zeros((2, 2)))),
        ("Parameters of the object have shape (2, 2)",),
    ),
    (lambda: Prediction.from_mixture(mu=MU, sigma=SIGMA), ("a mixture have shape (components, rows), not (4,)",)),
    (lambda: Prediction.from_draws(ROWS), ("Draws have shape (draws, rows) or (chains, draws, rows), not (4,)",)),
    (lambda: Prediction.from_draws(np.zeros((5, 4)), draw_axis=7), ("draw_axis=7 is no axis",)),
    (lambda: Prediction.from_draws(np.zeros((1, 4))).sd(), ("One draw a row has no standard deviation",)),
    (lambda: Prediction.from_quantiles(np.zeros((3, 4)), [0.1, 0.5, 0.9]), ("Give q.T",)),
    (lambda: Prediction.from_interval([1.0], [0.0], 0.9), ("lower is above upper in row 0", "Are they exchanged")),
    (lambda: Prediction.from_interval([0.0], [1.0, 2.0], 0.9), ("lower has shape (1,), upper (2,)",)),
    (lambda: Prediction.from_interval([0.0], [1.0], 90), ("For 90 per cent write 0.9",)),
    (lambda: Prediction.from_probabilities([[0.2, 0.2]]), ("Probabilities of a row add up to one",)),
    (lambda: Prediction.from_probabilities([0.2], ["a"]), ("classes are 2 different labels",)),
    (lambda: Prediction.from_dirichlet([[1.0, 0.0]]), ("alpha must be positive and finite",)),
    (lambda: scores.crps(np.ma.masked_array(Y, Y > 5.0), X), ("y has masked values", "Leave these rows out")),
    (lambda: scores.crps(pd.array([1, None], dtype="Int64"), X[:, :2]), ("y must be finite; wrong in row 1",)),
    (lambda: scores.crps(Y + 0j, X), ("y holds numbers, not complex128",)),
    (lambda: scores.crps(pd.date_range("2020", periods=5), X), ("y holds numbers, not datetime64",)),
    (lambda: scores.crps("abc", X), ("y holds numbers, not text",)),
    (lambda: Prediction.from_distribution("categorical", p=[0.5]), ("from_probabilities",)),
    (lambda: Prediction.from_distribution("cumulative", p=[0.5]), ("from_probabilities",)),
    (lambda: Prediction.from_distribution(stats.multivariate_normal([0.0, 0.0])), ("predicts vectors",)),
    (
        lambda: Prediction.from_distribution(stats.norm(0, [1, -1])).crps([0, 0]),
        ("What the ppf of the", "wrong in column 1"),
    ),
    (lambda: Prediction.from_distribution(3), ("takes the name of a distribution",)),
    (lambda: Prediction.from_draws(X, estimator="pwm"), ("estimator is one of",)),
    (lambda: scores.pit_from_cdf([0.5], [0.6]), ("below is larger than cdf in 1 places",)),
    (lambda: scores.uniformity_test([0.5, 1.5]), ("u must lie between 0 and 1",)),
    (lambda: scores.uniformity_test([0.5], "pott"), ("Did you mean 'pot'",)),
    (lambda: scores.coverage_by([1, 0], [["a"], ["b"]]), ("by has one label for each row, a text or a number",)),
    (lambda: scores.coverage_by([1, 0], ["a", pd.NA]), ("by has no label in 1 rows, the first of them 1",)),
    (lambda: scores.coverage_by([1, 0], np.ma.masked_array([1, 2], [0, 1])), ("which are masked",)),
    (lambda: scores.coverage_by([1, 0], "ab"), ("a single text is none of these",)),
    (lambda: scores.calibration_error([0, 1], [[0.2, 0.3, 0.5]] * 2), ("confidence_error, top_label_error",)),
    (lambda: scores.smooth_ece([0, 1], [0.1, np.nan]), ("p must lie between 0 and 1",)),
    (lambda: scores.decompose([0.0, 1.0], [0.1, 0.2], level=0.5), ("level=0.5 is for quantiles",)),
    (lambda: scores.reliability([0.3], [0.2]), ("give simulated=",)),
    (lambda: scores.mean_with_error([1.0, 2.0], ["a"]), ("groups has one label for each of 2 rows",)),
    (lambda: scores.expected_range(lambda y, P: 0.0, Prediction.from_interval([0], [1], 0.9)), ("cannot be drawn",)),
    (lambda: scores.evaluate(ROWS, X), ("P is no Prediction: make one", "from_draws")),
    (lambda: scores.evaluate(ROWS, NORMAL, groups=["a", "b"]), ("groups has one label for each of 4 rows",)),
    (lambda: scores.evaluate(ROWS, NORMAL, by=np.arange(3)), ("by has one label for each of 4 rows",)),
    (lambda: scores.evaluate(ROWS, NORMAL, levels=[95]), ("For 95 per cent write 0.95",)),
    (lambda: scores.evaluate(ROWS, NORMAL, weights=[1, 1, 1, -1]), ("weights must be finite and not negative",)),
    (lambda: scores.evaluate(ROWS, NORMAL, joint="energy"), ("joint= scores all rows of a group", "groups=")),
    (lambda: scores.evaluate(ROWS, NORMAL, joint="enery", groups=CODES[:4]), ("Did you mean 'energy'",)),
    (lambda: scores.evaluate(ROWS, NORMAL, weights=SIGMA, sample_weight=SIGMA), ("give one of them",)),
    (lambda: scores.decompose_binned([0, 1], [0.1, 0.9], bins=0), ("bins is a whole number from 1",)),
    (lambda: scores.as_scorer("crsp"), ("Did you mean 'crps'",)),
    (lambda: scores.plot_pit([0.1, 0.9], groups=["a"]), ("groups has one label for each of 2 rows",)),
    (lambda: scores.compare({"a": 1.0, "b": 2.0}), ("reports is a dict of what evaluate() gave",)),
    (lambda: scores.stack({"a": [0.0, 1.0]}), ("two forecasts or more",)),
    (lambda: scores.stack({"a": [0.0], "b": [1.0]}, "crsp", y=[0.0]), ("Did you mean 'crps'",)),
    (lambda: Prediction.from_normal(np.zeros((2, 3, 4, 5)), 1.0), ("shape (components, rows), not (2, 3, 4, 5)",)),
]

CALLS = [BadCall(f"scores {k}: {words[0]}", call, NutsliteError, words) for k, (call, words) in enumerate(WRONG)]
