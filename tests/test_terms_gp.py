"""Exact Gaussian processes: the density by hand, posteriors by the formulas for normal vectors, draws at new places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import nutslite as nl
from nutslite.exceptions import DataError
from nutslite.formula.terms.gp import correlations, extend
from nutslite.model.record.specification import specification_of
from nutslite.priors.prior import Prior

TERM = "gp(x)"


def frame(n: int = 14) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    x = np.sort(rng.uniform(2.0, 8.0, n)).round(2)
    x[3] = x[2]  # rows at one place
    data = pd.DataFrame({"x": x, "z": rng.uniform(0.0, 1.0, n), "k": rng.poisson(2.0, n)})
    return data.assign(y=np.sin(x) + rng.normal(0.0, 0.3, n))


def covariance(one: Any, other: Any, ell: float, cov: str = "ExpQuad") -> np.ndarray:
    return correlations(cov, np.subtract.outer(np.asarray(one), np.asarray(other)) ** 2 / ell**2)


@pytest.mark.parametrize("cov", ["ExpQuad", "Exponential", "Matern32", "Matern52"])
def test_the_density_is_that_of_the_factor_times_normals(cov: str) -> None:
    data, term = frame(), f"gp(x, cov='{cov}')"
    density = nl.Model(f"k ~ {term}", data, family="poisson").backend.model
    rng = np.random.default_rng(1)
    start = {name: value + rng.normal(0.0, 0.3, np.shape(value)) for name, value in density.initial_point().items()}
    point = density.to_natural(start)
    places, rows = np.unique(data["x"], return_inverse=True)
    factor = np.linalg.cholesky(covariance(places, places, float(point[f"{term}_ell"]), cov) + 1e-10 * np.eye(13))
    values = point[f"{term}_sigma"] * factor @ point[f"{term}_z"]
    eta = point["Intercept"] + values[rows]
    moved = density.logp({**start, f"{term}_z": start[f"{term}_z"] * 0.9})
    other = point["Intercept"] + 0.9 * values[rows]
    found = density.logp(start) - moved
    expected = stats.poisson(np.exp(eta)).logpmf(data["k"]) - stats.poisson(np.exp(other)).logpmf(data["k"])
    expected = expected.sum() + stats.norm.logpdf(point[f"{term}_z"]).sum()
    expected -= stats.norm.logpdf(0.9 * point[f"{term}_z"]).sum()
    assert found == pytest.approx(float(expected), rel=1e-6)


@pytest.fixture(scope="module")
def fitted() -> tuple[nl.Model, Any]:
    """All but the values is known."""
    priors = {TERM: {"sigma": 1.2, "ell": 1.1}, "Intercept": Prior("Normal", mu=0, sigma=1e-3), "sigma": 0.3}
    model = nl.Model(f"y ~ {TERM}", frame(), priors=priors)
    return model, model.fit(draws=800, tune=300, chains=2, random_seed=2, progressbar=False)


def test_posterior_and_new_places_are_those_of_the_normal_vector(fitted: tuple[nl.Model, Any]) -> None:
    """As scikit-learn's GaussianProcessRegressor has them for a given kernel: mean and covariance."""
    model, results = fitted
    data, new = frame(), np.array([2.6, 4.7, 9.5])
    x = np.concatenate([data["x"], new])
    every = 1.44 * covariance(x, x, 1.1)
    gain = np.linalg.solve(every[:14, :14] + 0.09 * np.eye(14), every[:14]).T
    mean, cov = gain @ data["y"], every - gain @ every[:14]
    mu = np.asarray(model.predict(results, data=pd.DataFrame({"x": x}), inplace=False).predictions["mu"]).reshape(
        -1, 17
    )
    sd = np.sqrt(np.diag(cov))
    np.testing.assert_allclose((mu.mean(axis=0) - mean) / sd, 0.0, atol=0.2)
    np.testing.assert_allclose(mu.std(axis=0), sd, rtol=0.15)
    np.testing.assert_allclose(np.corrcoef(mu.T), cov / np.outer(sd, sd), atol=0.15)
    np.testing.assert_array_equal(mu[:, 2], mu[:, 3])
    assert results.posterior[f"{TERM}_z"].coords[f"{TERM}_place"].values.tolist() == sorted(set(data["x"]))


def test_draws_at_new_places_have_the_covariance_of_the_process() -> None:
    """Of the prior, at places of the data and others, of two columns with a length scale each."""
    rng = np.random.default_rng(3)
    known, new = np.array([[0.0, 0.0], [1.0, 0.5], [2.0, 0.0]]), np.array([[0.5, 0.2], [1.0, 0.5], [3.0, 1.0]])
    draws = {"z": rng.standard_normal((20_000, 3)), "ell": np.tile([1.0, 0.7], (20_000, 1))}
    constants = {"covariance": "Matern52", "places": known, "iso": False}
    values, index = extend("t", constants, {**draws, "sigma": np.full((20_000, 1), 2.0)}, new.T, rng)
    assert index[1] == 1
    scaled = np.concatenate([known, new[[0, 2]]]) / [1.0, 0.7]
    squares = np.sum((scaled[:, None] - scaled) ** 2, axis=2)
    np.testing.assert_allclose(np.cov(values.T), 4.0 * correlations("Matern52", squares), atol=0.15)
    with pytest.raises(DataError, match="at most 1,000 together"):
        extend("t", constants, draws, np.tile(np.linspace(5.0, 6.0, 1200), (2, 1)), rng)


def test_it_is_the_process_that_basis_functions_approximate() -> None:
    own = {"sigma": Prior("HalfNormal", sigma=1), "ell": Prior("InverseGamma", alpha=5, beta=8)}
    shared = {"Intercept": Prior("Normal", mu=0, sigma=1), "sigma": Prior("HalfNormal", sigma=1)}
    tables = []
    for term in (TERM, "hsgp(x, m=40, c=4)"):
        model = nl.Model(f"y ~ {term}", frame(), priors={term: own, **shared})
        results = model.fit(draws=400, tune=500, chains=2, random_seed=3, target_accept=0.9, progressbar=False)
        tables.append(nl.summary(results, var_names=[f"{term}_sigma", f"{term}_ell", "sigma"]))
    error = np.hypot(*(table["sd"].to_numpy() / np.sqrt(table["ess_bulk"].to_numpy()) for table in tables))
    assert (np.abs(tables[0]["mean"].to_numpy() - tables[1]["mean"].to_numpy()) < 5.0 * error + 0.02).all()


def test_what_results_hold_of_it(fitted: tuple[nl.Model, Any], tmp_path: Path) -> None:
    model, results = fitted
    model.compute_log_likelihood(results)
    assert np.isfinite(results.log_likelihood["y"]).all()
    model.save(tmp_path / "model")
    assert str(nl.Model.load(tmp_path / "model")) == str(model)
    free = nl.Model("y ~ gp(x, z, iso=False)", frame())
    prior = free.prior_predictive(draws=10, random_seed=1)
    assert prior.prior["gp(x, z, iso=False)_ell"].shape == (1, 10, 2)
    assert "exact Gaussian process" in " ".join(str(free.plan()).split())
    assert specification_of(free).spec.design.predictors["mu"].basis_terms[0].matrix.shape == (14, 14)
    free.graph()
