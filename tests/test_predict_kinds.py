"""`predict(kind=...)` for means, linear predictors, quantiles and probabilities, beside the parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import nutslite as nl
from nutslite.exceptions import ArgumentError, DataError

RNG = np.random.default_rng(2)
DATA = pd.DataFrame(
    {
        "x": RNG.normal(size=24),
        "y": RNG.gamma(2.0, 1.5, 24),
        "k": RNG.integers(0, 5, 24),
        "n": 5,
        "c": np.resize(["a", "b", "c"], 24),
    }
)
NEW = pd.DataFrame({"x": [0.0, 1.0], "n": [5, 7]})


def fitted(formula, family, **options):
    model = nl.Model(formula, DATA, family=family, **options)
    return model, model.fit(draws=50, chains=2, random_seed=1, progressbar=False, compute_convergence_checks=False)


@pytest.fixture(scope="module")
def positive():
    return fitted("y ~ x", "lognormal")


def test_means_are_of_the_response(positive):
    model, results = positive
    found = model.predict(results, kind="mean", inplace=False).posterior
    sigma = found["sigma"].to_numpy()[..., None]
    assert np.allclose(found["y_mean"], np.exp(found["mu"].to_numpy() + 0.5 * sigma**2))
    assert found["y_mean"].dims == ("chain", "draw", "__obs__")
    assert "y_mean" not in results.posterior


def test_linear_predictors_and_quantiles_of_new_rows(positive):
    model, results = positive
    at = model.predict(results, kind="linpred", data=NEW, inplace=False).predictions
    slope, start = results.posterior["x"].to_numpy(), results.posterior["Intercept"].to_numpy()
    assert np.allclose(at["y_linpred"][..., 1], start + slope)
    found = model.predict(results, kind="quantile", quantile=0.9, data=NEW, inplace=False).predictions["y_quantile"]
    sigma = results.posterior["sigma"].to_numpy()
    assert np.allclose(found[..., 1], stats.lognorm.ppf(0.9, sigma, scale=np.exp(start + slope)))


def test_probabilities_and_counts():
    model, results = fitted("p(k, n) ~ x", "binomial")
    found = model.predict(results, kind="probability", data=NEW, inplace=False).predictions
    assert np.allclose(found["p(k, n)_probability"], found["p"])
    mean = model.predict(results, kind="mean", data=NEW, inplace=False).predictions["p(k, n)_mean"]
    assert np.allclose(mean, found["p"].to_numpy() * [5, 7])


def test_probabilities_of_categories_have_a_dimension():
    model, results = fitted("c ~ x", "categorical")
    found = model.predict(results, kind="probability", inplace=False).posterior
    assert found["c_probability"].sizes["c_dim"] == 3
    assert np.allclose(found["c_probability"].sum("c_dim"), 1.0)
    assert np.allclose(found["c_probability"], found["p"])


def test_what_does_not_fit_is_said(positive):
    model, results = positive
    with pytest.raises(DataError, match="categories"):
        model.predict(results, kind="probability")
    with pytest.raises(ArgumentError, match="needs quantile=") as caught:
        model.predict(results, kind="quantile")
    assert "target" not in str(caught.value)  # an argument of others
    with pytest.raises(ArgumentError, match="kind='quantile'"):
        model.predict(results, kind="mean", quantile=0.5)
    with pytest.raises(DataError, match="'linpred'"):
        model.predict(results, kind="linpredictor")


@pytest.mark.parametrize("family", ["elf", "asymmetriclaplace"])
def test_a_quantile_that_is_modelled_is_what_answers_are_about(family):
    """The mean of the working distribution is neither that quantile nor a mean of anything."""
    model, results = fitted("y ~ x", family, quantile=0.9)
    found = nl.interpret.predictions(model, results, newdata=NEW)
    at = model.predict(results, data=NEW, inplace=False).predictions["mu"]
    assert np.allclose(found.summary["estimate"], at.mean(("chain", "draw")))
    assert found.target == "quantile 0.9"
