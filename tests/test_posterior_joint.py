"""The joint density: its gradient, its centring, and its parts against densities computed in other ways."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from small_models import CENSORED, GAUSSIAN, GENERAL, assembled_of, grouped_data, small_model

from nutslite.families.record.censoring import compiled_logliks
from nutslite.model import Model
from nutslite.posterior.density.joint import compiled_joint, natural_scale
from nutslite.posterior.nodes.program import with_derived
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.model_data import reference_to
from nutslite.priors.densities.densities import log_density_gradient
from nutslite.priors.prior import Prior

MODELS = {**GAUSSIAN, **GENERAL, **CENSORED}


def logdensity(model, data, position):
    gradient = np.empty_like(position)
    loglik = compiled_logliks(model.family, places=md.kernels_of(data))
    priors = with_derived(data.head, log_density_gradient)
    value = compiled_joint()(position, gradient, (reference_to(data), priors, loglik))
    return value, gradient


def central_differences(function, position, step=1e-5):
    steps = np.eye(position.size) * step
    return np.array([(function(position + e) - function(position - e)) / (2 * step) for e in steps])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("centring", ["as built", "mixed"])
def test_gradient_is_that_of_central_differences(name, centring):
    model = small_model(MODELS[name])
    assembled = assembled_of(model)
    data = assembled.data
    rng = np.random.default_rng(3)
    if centring == "mixed":
        scales = rng.uniform(0.3, 3.0, data.typical_scales.size)
        data = data._replace(centring=rng.uniform(0, 1, data.centring.size), typical_scales=scales)
    position = rng.normal(0.0, 0.3, assembled.layout.dimension)
    value, gradient = logdensity(model, data, position)
    assert np.isfinite(value)
    numeric = central_differences(lambda p: logdensity(model, data, p)[0], position)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-6 * np.abs(gradient).max())


@pytest.mark.parametrize("name", ["slopes", "correlated slopes", "other priors", "every parameter modelled"])
def test_centring_changes_coordinates_but_not_the_density_of_effects(name):
    """For equal effects, densities under two centrings differ by the log determinant of the map between them."""
    model = small_model(MODELS[name])
    assembled = assembled_of(model)
    rng = np.random.default_rng(4)
    n_head = assembled.layout.n_head
    head = rng.normal(0.0, 0.3, n_head)

    def effects_of(data, raw):
        values, effects = np.empty((1, n_head + data.head.fixed.size)), np.empty((1, raw.size))
        natural_scale(np.concatenate([head, raw])[None], data, values, effects)
        return effects[0]

    densities = []
    effects = rng.normal(0.0, 0.5, assembled.data.centring.size)
    for centring in (np.zeros(effects.size), np.ones(effects.size), rng.uniform(0, 1, effects.size)):
        data = assembled.data._replace(centring=centring)
        origin = effects_of(data, np.zeros(effects.size))
        matrix = np.array([effects_of(data, unit) - origin for unit in np.eye(effects.size)]).T
        raw = np.linalg.solve(matrix, effects - origin)
        value, _ = logdensity(model, data, np.concatenate([head, raw]))
        densities.append(value - np.linalg.slogdet(matrix)[1])
    np.testing.assert_allclose(densities, densities[0], rtol=1e-10)


def test_density_equals_one_computed_with_scipy():
    frame = grouped_data()
    priors = {
        "Intercept": Prior("Normal", mu=0, sigma=2),
        "x": Prior("Normal", mu=0, sigma=1),
        "1|g": Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=1)),
        "sigma": Prior("Exponential", lam=1),
    }
    model = Model("y ~ x + (1|g)", frame, priors=priors, noncentered=False, center_predictors=False)
    assembled = assembled_of(model)
    position = np.random.default_rng(5).normal(0.0, 0.4, assembled.layout.dimension)
    value, _ = logdensity(model, assembled.data, position)
    index = {v.name: v.index for v in assembled.layout.variables}
    tail = position[assembled.layout.n_head :]
    centred, slope = position[index["Intercept"]], position[index["x"]]
    log_scale, log_sigma = position[index["1|g_sigma"]], position[index["sigma"]]
    effects = tail[index["1|g"]]
    levels = sorted(frame["g"].unique())
    mu = centred + slope * (frame["x"] - frame["x"].mean()) + effects[[levels.index(g) for g in frame["g"]]]
    expected = (
        stats.norm.logpdf(frame["y"], mu, np.exp(log_sigma)).sum()
        + stats.norm.logpdf(centred - slope * frame["x"].mean(), 0, 2)
        + stats.norm.logpdf(slope)
        + stats.norm.logpdf(effects, 0, np.exp(log_scale)).sum()
        + stats.halfnorm.logpdf(np.exp(log_scale))
        + log_scale
        + stats.expon.logpdf(np.exp(log_sigma))
        + log_sigma
    )
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_undefined_points_give_no_finite_density_and_no_exception():
    model = small_model(GAUSSIAN["slopes"])
    position = np.zeros(assembled_of(model).layout.dimension)
    for bad in (np.nan, np.inf, -np.inf, 1e308):
        position[:] = bad
        value, _ = logdensity(model, assembled_of(model).data, position)
        assert not np.isfinite(value)
