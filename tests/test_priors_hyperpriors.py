"""Common terms whose coefficients have hyperpriors: shared scales, posteriors against quadrature, names, centring."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_models import assembled_of

import nutslite as nl
from nutslite.model.record.specification import specification_of
from nutslite.posterior.pilot.pilot import scale_columns
from nutslite.posterior.points.points import PointMap
from nutslite.posterior.targets.target import JointTarget
from nutslite.priors.prior import Prior

SHRUNK = Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=1))


def data(n: int = 36) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    c = np.arange(n) % 6
    x = rng.normal(4.0, 1.0, n)
    y = np.array([0.0, 0.6, -0.4, 0.9, 0.1, -0.8])[c] + 0.3 * x + rng.normal(0.0, 0.5, n)
    return pd.DataFrame({"c": [f"c{i}" for i in c], "x": x, "y": y})


@pytest.fixture(scope="module")
def fitted() -> tuple[nl.Model, Any]:
    model = nl.Model("y ~ x + c", data(), priors={"c": SHRUNK, "sigma": Prior("HalfNormal", sigma=1)})
    return model, model.fit(draws=1000, chains=2, random_seed=1, progressbar=False)


def test_posterior_against_quadrature(fitted: tuple[nl.Model, Any]) -> None:
    """The scale of five coefficients and the residual's, all coefficients integrated out by NumPy."""
    model, results = fitted
    spec, frame = specification_of(model).spec, data()
    matrix = spec.design.predictors["mu"].matrix
    centred = matrix - matrix.mean(axis=1, keepdims=True)
    own = spec.priors.terms["mu"]
    fixed = np.vstack([np.ones(len(frame)), centred[:1]])
    sds = np.array([own["Intercept"].args["sigma"], own["x"].args["sigma"]])
    prior = (fixed.T * sds**2) @ fixed
    gap = frame["y"] - own["Intercept"].args["mu"]
    logs = np.linspace(-4.0, 2.0, 61)
    log_density, means = np.empty((logs.size, logs.size)), np.empty((logs.size, logs.size, 5))
    for i, scale in enumerate(np.exp(logs)):
        variances, vectors = np.linalg.eigh(prior + scale**2 * centred[1:].T @ centred[1:])
        rotated = vectors.T @ gap
        for j, sigma in enumerate(np.exp(logs)):
            total = variances + sigma**2
            log_density[i, j] = -0.5 * np.sum(np.log(total) + rotated**2 / total)
            log_density[i, j] += stats.halfnorm.logpdf([scale, sigma]).sum() + logs[i] + logs[j]
            means[i, j] = scale**2 * centred[1:] @ vectors @ (rotated / total)
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    for name, share in (("c_sigma", weights.sum(axis=1)), ("sigma", weights.sum(axis=0))):
        draws = np.asarray(results.posterior[name]).ravel()
        mean = share @ np.exp(logs)
        sd = np.sqrt(share @ np.exp(2 * logs) - mean**2)
        assert draws.mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(800))
        assert draws.std() == pytest.approx(sd, rel=0.15)
    draws = np.asarray(results.posterior["c"])
    expected = np.einsum("ij,ijc->c", weights, means)
    assert np.abs(draws.mean((0, 1)) - expected).max() < 5 * draws.std() / np.sqrt(800)


@pytest.mark.parametrize("ways", [{"plan": "joint"}, {"plan": "joint", "pilot": False, "target_accept": 0.9}])
def test_every_way_has_the_same_posterior(fitted: tuple[nl.Model, Any], ways: dict[str, Any]) -> None:
    model, exact = fitted
    assert "5 coefficients with hyperpriors are integrated out together" in " ".join(str(model.plan()).split())
    results = model.fit(draws=500, chains=2, random_seed=4, progressbar=False, **ways)
    one, other = nl.summary(exact), nl.summary(results)
    error = np.hypot(one["sd"] / np.sqrt(one["ess_bulk"]), other["sd"] / np.sqrt(other["ess_bulk"]))
    assert (np.abs(one["mean"] - other["mean"]) < 5.0 * error + 0.01).all()


def dims_of(priors: dict[str, Any], formula: str = "y ~ x + c", **settings: Any) -> dict[str, tuple[str, ...]]:
    return specification_of(nl.Model(formula, data(), priors=priors, **settings)).posterior.inventory.dims


def test_one_number_for_all_columns_or_one_for_each() -> None:
    assert dims_of({"c": SHRUNK})["c_sigma"] == ()
    each = Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=[1, 1, 1, 2, 2]))
    assert dims_of({"c": each})["c_sigma"] == ("c_dim",)
    nested = Prior("Normal", mu=[0, 0, 1, 0, 0], sigma=Prior("HalfNormal", sigma=Prior("Exponential", lam=1)))
    found = dims_of({"c": nested})
    assert found["c_sigma"] == found["c_sigma_sigma"] == ()
    both = dims_of({"common": SHRUNK})
    assert both["x_sigma"] == both["c_sigma"] == ()
    model = assembled_of(nl.Model("y ~ x + c", data(), priors={"c": each}))
    assert sorted(sum(some.size for some in places) for places in scale_columns(model.data).values()) == [1] * 5
    model = assembled_of(nl.Model("y ~ x + c", data(), priors={"c": SHRUNK}))
    assert [sum(some.size for some in places) for places in scale_columns(model.data).values()] == [5]


@pytest.mark.parametrize("center", [True, False])
def test_the_density_is_what_scipy_says(center: bool) -> None:
    """The intercept's prior is that of centred columns, or of the raw intercept, as for any other coefficient."""
    frame = data()
    priors = {"x": SHRUNK, "Intercept": Prior("Normal", mu=0, sigma=2), "sigma": 0.7}
    assembled = assembled_of(nl.Model("y ~ x", frame, priors=priors, center_predictors=center, noncentered=False))
    target, points = JointTarget(assembled, use_pilot=False), PointMap(assembled)
    point = {"Intercept": 0.4, "x": -0.3, "x_sigma": 0.8}
    position = points.position(point, np.zeros(target.dimension))
    natural = points.natural(position)
    assert {name: float(natural[name]) for name in point} == pytest.approx(point)
    value = target.logdensity(position, np.empty(target.dimension), target.data)
    located = 0.4 - 0.3 * frame["x"].mean() if center else 0.4
    expected = (
        stats.norm.logpdf(frame["y"], 0.4 - 0.3 * frame["x"], 0.7).sum()
        + stats.norm.logpdf(located, 0.0, 2.0)
        + stats.norm.logpdf(-0.3, 0.0, 0.8)
        + stats.halfnorm.logpdf(0.8)
        + np.log(0.8)
    )
    assert value == pytest.approx(expected, rel=1e-12)


def test_predictions_and_new_data(fitted: tuple[nl.Model, Any]) -> None:
    model, results = fitted
    predicted = np.asarray(model.predict(results, data=data().iloc[:7], inplace=False).predictions["mu"])
    own = {name: np.asarray(results.posterior[name]) for name in ("Intercept", "x", "c")}
    matrix = specification_of(model).spec.design.predictors["mu"].matrix[:, :7]
    by_hand = own["Intercept"][..., None] + own["x"][..., None] * matrix[0] + own["c"] @ matrix[1:]
    np.testing.assert_allclose(predicted, by_hand, rtol=1e-10)


def test_vectors_have_one_for_each_predictor() -> None:
    frame = data().assign(k=lambda some: np.where(some["y"] > 1.5, "high", np.where(some["y"] > 0.5, "mid", "low")))
    model = nl.Model("k ~ x + c", frame, family="categorical", priors={"c": SHRUNK})
    results = model.fit(draws=50, tune=50, chains=1, random_seed=1, progressbar=False)
    assert results.posterior["c_sigma"].dims == ("chain", "draw", "k_reduced_dim")
    assert results.posterior["c"].dims == ("chain", "draw", "k_reduced_dim", "c_dim")


def test_a_potential_reads_the_intercept_as_results_have_it() -> None:
    """A narrow potential of the raw intercept moves it, although what is sampled is that of centred columns."""
    narrow = nl.Model(
        "y ~ x", data(), priors={"x": SHRUNK}, potentials=[("Intercept", lambda a: -50.0 * (a - 2.0) ** 2)]
    )
    results = narrow.fit(draws=300, chains=2, random_seed=1, progressbar=False)
    assert float(results.posterior["Intercept"].mean()) == pytest.approx(2.0, abs=0.3)
