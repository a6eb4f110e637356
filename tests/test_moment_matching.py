"""Moved draws beside posteriors without a row that are known exactly."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import nutslite as nl
from nutslite.exceptions import ArgumentError
from nutslite.model.fits.after_fit import prediction_task
from nutslite.model.record.specification import specification_of
from nutslite.results.added_groups import named_posterior
from nutslite.results.container.inference_data import get_group
from nutslite.results.evaluation.moment_matching import MomentMatching
from nutslite.scores.importance import leave_one_out

ROW = 7


@pytest.fixture(scope="module")
def fitted():
    """Ten coefficients, twenty rows, a known error, and one row that decides about one of them."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(20, 8))
    x[ROW, 0] = 9.0
    y = x @ np.full(8, 0.3) + rng.normal(size=20)
    y[ROW] += 4.0
    data = pd.DataFrame({"y": y, **{f"x{j}": x[:, j] for j in range(8)}})
    priors = {name: nl.Prior("Normal", mu=0, sigma=3) for name in ("Intercept", *data.columns[1:])}
    formula = "y ~ " + " + ".join(data.columns[1:])
    model = nl.Model(formula, data, priors={**priors, "sigma": 1.0}, center_predictors=False)
    return model, model.fit(draws=1000, random_seed=5, progressbar=False)


def exact(model):
    """Log predictive density of the row under the posterior without it."""
    design = np.column_stack([np.ones(20), model.data.iloc[:, 1:]])
    rest = np.delete(np.arange(20), ROW)
    precision = design[rest].T @ design[rest] + np.eye(9) / 9.0
    mean = np.linalg.solve(precision, design[rest].T @ model.data["y"].to_numpy()[rest])
    sd = np.sqrt(1.0 + design[ROW] @ np.linalg.solve(precision, design[ROW]))
    return stats.norm.logpdf(model.data["y"][ROW], design[ROW] @ mean, sd)


def test_a_row_that_importance_sampling_cannot_leave_out(fitted):
    model, results = fitted
    specification = specification_of(model)
    task = prediction_task(specification)
    draws = named_posterior(get_group(results, "posterior"), task.coords, task.aliases).arrays
    model.compute_log_likelihood(results)
    plain = leave_one_out(results.log_likelihood["y"].to_numpy())
    assert plain.khat[ROW] > 0.7
    matching = MomentMatching(specification.posterior.assembled, draws, task, plain.limit)
    found = matching.match(ROW)
    assert found.khat < plain.limit
    assert found.weights.sum() == pytest.approx(1.0)
    log_density = np.log(found.weights @ np.exp(found.predictive.log_likelihood[:, 0]))
    assert log_density == pytest.approx(exact(model), abs=0.25)
    logs = results.log_likelihood["y"].to_numpy().reshape(-1, 20)[:, ROW]
    naive = np.log(plain.weights[:, ROW] @ np.exp(logs))
    assert abs(log_density - exact(model)) < abs(naive - exact(model))
    assert np.array_equal(matching.match(ROW).weights, found.weights)


def test_a_row_that_is_no_trouble_is_left_as_it_is(fitted):
    model, results = fitted
    specification = specification_of(model)
    task = prediction_task(specification)
    draws = named_posterior(get_group(results, "posterior"), task.coords, task.aliases).arrays
    found = MomentMatching(specification.posterior.assembled, draws, task, 10.0).match(0)
    logs = found.predictive.log_likelihood[:, 0]
    assert found.predictive.y[0] == model.data["y"][0]
    assert found.weights @ np.exp(logs) > 0.0


def test_evaluate_moves_draws_where_it_is_asked_to(fitted):
    model, results = fitted
    plain = model.evaluate(results)
    moved = model.evaluate(results, moment_match=True)
    assert plain.pointwise["khat"].iloc[ROW] > 0.7 > moved.pointwise["khat"].iloc[ROW]
    assert moved.pointwise["nll"].iloc[ROW] == pytest.approx(-exact(model), abs=0.25)
    others = np.delete(np.arange(20), ROW)
    good = others[plain.pointwise["khat"].to_numpy()[others] < 0.7]
    assert np.array_equal(plain.pointwise["nll"].to_numpy()[good], moved.pointwise["nll"].to_numpy()[good])
    assert any("moment matching" in note for note in moved.notes)
    with pytest.raises(ArgumentError, match="moment_match=True"):
        model.evaluate(results, kind="insample", moment_match=True)
