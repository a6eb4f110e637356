"""`model.backend.model`: the log density at points by name, against NumPy, differences, and itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from small_models import GAUSSIAN, GENERAL, grouped_data, small_model

import nutslite as nl
from nutslite.formula.formula import Formula
from nutslite.posterior.points.compiled_model import CompiledModel

ALL = {**GAUSSIAN, **GENERAL}
BOUNDED: dict[str, Any] = {
    "formula": "y ~ x + z",
    "priors": {
        "x": nl.Prior("Uniform", lower=-1, upper=2),
        "z": nl.Prior("Beta", alpha=2, beta=3),
        "sigma": nl.Prior("Pareto", alpha=2, m=0.3),
    },
}


def moved(model: CompiledModel, seed: int = 1) -> dict[str, np.ndarray]:
    """An unconstrained point somewhere near where chains start."""
    rng = np.random.default_rng(seed)
    return {name: value + rng.normal(0.0, 0.3, value.shape) for name, value in model.initial_point().items()}


def derivative(model: CompiledModel, point: dict[str, np.ndarray], name: str, at: int) -> float:
    """Central difference of logp by one unconstrained number."""

    def value(step: float) -> float:
        array = np.array(point[name], dtype=float).ravel()
        array[at] += step
        return model.logp({**point, name: array.reshape(np.shape(point[name]))})

    return (value(1e-5) - value(-1e-5)) / 2e-5


@pytest.mark.parametrize("name", ALL)
def test_gradient_is_the_derivative_of_logp(name: str) -> None:
    model = small_model(ALL[name]).backend.model
    point = moved(model)
    gradient = model.dlogp(point)
    assert list(gradient) == list(point) == model.value_vars
    for key, slopes in gradient.items():
        assert slopes.shape == point[key].shape
        for at in range(min(3, slopes.size)):
            assert derivative(model, point, key, at) == pytest.approx(np.ravel(slopes)[at], rel=1e-5, abs=1e-5), key


@pytest.mark.parametrize("name", [*ALL, "bounded"])
@pytest.mark.parametrize("noncentered", [True, False])
def test_natural_and_unconstrained_values_are_one_point(name: str, noncentered: bool) -> None:
    model = small_model({**{**ALL, "bounded": BOUNDED}[name], "noncentered": noncentered}).backend.model
    point = moved(model)
    natural = model.to_natural(point)
    assert set(natural) == {variable.name for variable in model.free_RVs}
    again = model.to_unconstrained(natural)
    for key, value in point.items():
        np.testing.assert_allclose(again[key], value, rtol=1e-9, atol=1e-10, err_msg=key)
    assert model.logp(natural) == pytest.approx(model.logp(point), rel=1e-12)


def test_logp_is_prior_likelihood_and_jacobians_written_out() -> None:
    data = grouped_data()
    model = nl.Model(
        "y ~ x + (1|g)",
        data,
        priors={
            "Intercept": nl.Prior("Normal", mu=1, sigma=2),
            "x": nl.Prior("StudentT", nu=3, mu=0, sigma=1),
            "1|g": nl.Prior("Normal", mu=0, sigma=nl.Prior("Exponential", lam=2)),
            "sigma": nl.Prior("HalfNormal", sigma=1.5),
        },
    )
    effects = np.linspace(-1, 1, 9)
    natural = {"Intercept": 0.4, "x": 0.3, "1|g_sigma": 0.7, "sigma": 0.8, "1|g": effects}
    mean = 0.4 + 0.3 * data.x + effects[data.g.str[1:].astype(int)]
    expected = (
        stats.norm.logpdf(data.y, mean, 0.8).sum()
        + stats.norm.logpdf(0.4 + 0.3 * data.x.mean(), 1, 2)  # of the intercept of centred predictors
        + stats.t.logpdf(0.3, 3)
        + stats.expon.logpdf(0.7, scale=1 / 2)
        + stats.halfnorm.logpdf(0.8, scale=1.5)
        + stats.norm.logpdf(effects / 0.7).sum()  # standardised effects are what is sampled
        + math.log(0.7)
        + math.log(0.8)
    )
    assert model.backend.model.logp(natural) == pytest.approx(expected, rel=1e-10)


def test_names_shapes_dims_and_coords() -> None:
    model = nl.Model(
        Formula("y ~ x + c + (x|g)", "sigma ~ z"), grouped_data(), correlated=True, priors={"x": nl.Prior("Flat")}
    ).backend.model
    assert {variable.name: variable.unconstrained for variable in model.free_RVs} == {
        "Intercept": "Intercept_centered",
        "x": "x",
        "c": "c",
        "1|g_sigma": "1|g_sigma_log__",
        "x|g_sigma": "x|g_sigma_log__",
        "1+x|g_corr": "1+x|g_corr_cholesky__",
        "sigma_Intercept": "sigma_Intercept_centered",
        "sigma_z": "sigma_z",
        "1|g": "1|g_offset",
        "x|g": "x|g_offset",
    }
    assert model.named_vars["c"].dims == ("c_dim",)
    assert model.named_vars["1|g_offset"] is model.named_vars["1|g"]
    assert model.named_vars["1|g"].shape == (9,)
    assert model.coords["c_dim"] == ["v", "w"]
    assert model.dims["1|g"] == model.named_vars_to_dims["1|g"] == ("g__factor_dim",)
    assert model.observed_RVs == ["y"]
    assert "1|g_sigma" in repr(model)


def test_spellings_of_bounds() -> None:
    model = small_model(BOUNDED).backend.model
    assert model.value_vars == ["Intercept_centered", "x_interval__", "z_logodds__", "sigma_lowerbound__"]
    natural = model.to_natural(moved(model))
    assert -1 < natural["x"] < 2
    assert 0 < natural["z"] < 1
    assert natural["sigma"] > 0.3


def test_a_point_may_mix_both_kinds_of_names() -> None:
    model = small_model(GAUSSIAN["one factor"]).backend.model
    point = moved(model)
    mixed = {name: value for name, value in point.items() if name != "sigma_log__"}
    assert model.logp({**mixed, "sigma": np.exp(point["sigma_log__"])}) == pytest.approx(model.logp(point))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigma_log__": None}, "The point says nothing of sigma. Start from initial_point"),
        ({"sigmaa": 1.0}, "there is no free variable 'sigmaa'. Did you mean 'sigma'"),
        ({"sigma": 1.0}, "'sigma' twice, as 'sigma' and as 'sigma_log__'"),
        ({"1|g_offset": np.zeros(3)}, r"'1\|g_offset' is an array of shape \(9,\).* not of shape \(3,\)"),
        ({"x": "much"}, "'x' is one number; not 'much'"),
        ({"x": np.nan}, "'x' is nan; start from finite"),
        ({"sigma_log__": None, "sigma": -1.0}, "'sigma' is -1.0, but must be between 0 and inf"),
    ],
)
def test_points_that_are_none(change: dict[str, Any], message: str) -> None:
    model = small_model(GAUSSIAN["one factor"]).backend.model
    point = {**model.initial_point(), **change}
    with pytest.raises(nl.SamplingError, match=message):
        model.logp({name: value for name, value in point.items() if value is not None})


def test_correlations_that_are_none() -> None:
    model = small_model(GAUSSIAN["correlated, three columns"]).backend.model
    natural = model.to_natural(model.initial_point())
    with pytest.raises(nl.SamplingError, match="are no correlations of 3 quantities"):
        model.logp({**natural, "1+x+z|g_corr": np.array([0.9, 0.9, -0.9])})


def test_backend_follows_the_model() -> None:
    model = small_model(GAUSSIAN["common terms only"])
    assert not model.built
    first = model.backend.model
    assert model.built
    assert model.backend.model is first
    model.set_priors({"x": nl.Prior("Normal", mu=0, sigma=0.1)})
    assert not model.built
    assert model.backend.model.logp(first.initial_point()) != first.logp(first.initial_point())
