"""A model as a log density of a plain vector, for samplers and optimisers of others."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import nutslite as nl
from nutslite._numba import jit_disabled
from nutslite.exceptions import SettingError
from nutslite.sampler import CallbackDensity, sample


@functools.cache
def line_model() -> nl.Model:
    rng = np.random.default_rng(3)
    x = rng.normal(size=40)
    data = pd.DataFrame({"y": 1.0 + 2.0 * x + rng.normal(scale=0.5, size=40), "x": x})
    priors = {
        "Intercept": nl.Prior("Normal", mu=0.0, sigma=5.0),
        "x": nl.Prior("Normal", mu=0.0, sigma=5.0),
        "sigma": nl.Prior("HalfNormal", sigma=2.0),
    }
    return nl.Model("y ~ x", data, priors=priors, center_predictors=False)


def by_hand(intercept: float, slope: float, sigma: float) -> float:
    """Log posterior with the log-Jacobian of log(sigma), by SciPy's densities."""
    data = line_model().data
    likelihood = stats.norm.logpdf(data["y"], intercept + slope * data["x"], sigma).sum()
    prior = stats.norm.logpdf([intercept, slope], 0.0, 5.0).sum() + stats.halfnorm.logpdf(sigma, scale=2.0)
    return float(likelihood + prior + np.log(sigma))


def test_the_log_density_is_the_models():
    model = line_model()
    position = model.unconstrain({"Intercept": 0.8, "x": 1.7, "sigma": 0.6})
    value, gradient = model.logdensity(position)
    assert value == pytest.approx(by_hand(0.8, 1.7, 0.6), rel=1e-12)
    step = 1e-6
    for i in range(position.size):
        moved = step * np.eye(position.size)[i]
        rise = model.logdensity(position + moved)[0] - model.logdensity(position - moved)[0]
        assert gradient[i] == pytest.approx(rise / (2.0 * step), rel=1e-6, abs=1e-6)
    assert value == pytest.approx(model.backend.model.logp({"Intercept": 0.8, "x": 1.7, "sigma": 0.6}), rel=1e-12)


def test_the_layout_says_what_the_numbers_are():
    layout = line_model().layout
    assert layout.dimension == 3
    assert layout.names == ["Intercept_centered", "x", "sigma_log__"]
    assert layout["sigma"].unconstrained == "sigma_log__"
    assert [free.name for free in layout] == ["Intercept", "x", "sigma"]
    assert "3 numbers" in repr(layout)
    with pytest.raises(KeyError):
        layout["tau"]


def test_values_and_positions_go_both_ways():
    model = line_model()
    positions = np.random.default_rng(0).normal(size=(2, 5, 3))
    values = model.constrain(positions)
    assert values["sigma"].shape == (2, 5)
    np.testing.assert_allclose(values["sigma"], np.exp(positions[:, :, 2]), rtol=1e-14)
    np.testing.assert_allclose(model.unconstrain(values), positions, rtol=1e-12, atol=1e-12)
    one = model.constrain(positions[1, 2])
    assert one["x"] == values["x"][1, 2]
    np.testing.assert_allclose(model.unconstrain(one), positions[1, 2], rtol=1e-12)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda model: model.logdensity([0.0, 1.0]), "3 numbers"),
        (lambda model: model.constrain(np.zeros((4, 2))), "3 numbers"),
        (lambda model: model.unconstrain({"x": 1.0}), "Intercept, sigma"),
        (lambda model: model.unconstrain([1.0]), "dict"),
        (lambda model: model.unconstrain({"Intercept": 0.0, "x": 1.0, "sigma": -1.0}), "sigma"),
        (lambda model: sample(model.logdensity, initial=[0.0]), "3 numbers"),
    ],
)
def test_what_does_not_fit_is_told(ask, words):
    with pytest.raises(SettingError, match=words):
        ask(line_model())


def test_an_optimiser_of_scipy_finds_the_mode():
    model = line_model()
    density = model.logdensity
    found = optimize.minimize(density.negative, density.initial, jac=True, method="L-BFGS-B", options={"gtol": 1e-9})
    assert np.abs(density(found.x)[1]).max() < 1e-2
    alone = optimize.minimize(
        lambda p: -by_hand(p[0], p[1], np.exp(p[2])), density.initial, method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 2000},
    )  # fmt: skip
    values = model.constrain(found.x)
    np.testing.assert_allclose(
        [values["Intercept"], values["x"], values["sigma"]], [*alone.x[:2], np.exp(alone.x[2])], atol=1e-3
    )


def test_our_sampler_takes_it_and_results_are_those_of_fit():
    model = line_model()
    draws = sample(model.logdensity, initial=model.logdensity.initial, draws=300, tune=300, chains=2, random_seed=1)
    results = model.results_of(draws.positions, draws.stats)
    np.testing.assert_allclose(np.asarray(results["posterior"]["sigma"]), np.exp(draws.positions[:, :, 2]), rtol=1e-14)
    assert results["posterior"].attrs["formula"] == "y ~ x"
    assert nl.summary(results).loc["x", "mean"].item() == pytest.approx(2.0, abs=0.5)
    predicted = model.predict(results, inplace=False)
    assert predicted["posterior"]["mu"].shape == (2, 300, 40)
    with pytest.raises(nl.DataError, match="sample_stats"):
        model.results_of(draws.positions, {"lp": np.zeros((2, 3))})
    with pytest.raises(nl.DataError, match="chains, draws"):
        model.results_of(draws.positions[0])


@pytest.mark.skipif(jit_disabled(), reason="nothing compiles")
def test_as_a_function_of_c():
    density = line_model().logdensity
    callback = density.callback()
    position = density.initial + 0.1
    value, gradient = CallbackDensity(callback.address, callback.data).evaluate(position)
    assert value == density(position)[0]
    np.testing.assert_array_equal(gradient, density(position)[1])
