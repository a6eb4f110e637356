"""Integrating coefficients and effects out: the joint density's integral, and exact draws of what was integrated."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import GAUSSIAN, GENERAL, assembled_of, grouped_data, small_model

from nutslite.exceptions import SamplingError
from nutslite.families.record.censoring import compiled_logliks
from nutslite.model import Model
from nutslite.posterior.assembly.coded_columns import common_columns
from nutslite.posterior.density.joint import compiled_joint
from nutslite.posterior.marginal import residuals
from nutslite.posterior.marginal.crossproducts import reduce_gaussian
from nutslite.posterior.marginal.marginal import compiled_marginal
from nutslite.posterior.marginal.recovery import recover
from nutslite.posterior.marginal.reduction import integrated_positions, why_not_reducible
from nutslite.posterior.nodes.program import with_derived
from nutslite.posterior.record.model_data import reference_to
from nutslite.priors.densities.densities import log_density_gradient


class Conditional:
    """The joint density at given remaining parameters is Gaussian in the rest: its mean, covariance and integral."""

    def __init__(self, model, reduction, remaining):
        assembled = assembled_of(model)
        data = assembled.data._replace(centring=np.ones_like(assembled.data.centring))
        kernel = compiled_logliks(model.family)
        position = np.zeros(assembled.layout.dimension)
        position[reduction.kept] = remaining
        linear = np.setdiff1d(np.arange(position.size), reduction.kept)

        priors = with_derived(data.head, log_density_gradient)

        def density(point):
            gradient = np.empty_like(point)
            return compiled_joint()(point, gradient, (reference_to(data), priors, kernel)), gradient[linear]

        at_zero = density(position)[1]
        precision = -np.array([density(position + unit)[1] - at_zero for unit in np.eye(position.size)[linear]])
        self.covariance = np.linalg.inv(0.5 * (precision + precision.T))
        position[linear] = self.covariance @ at_zero
        self.log_integral = density(position)[0] + 0.5 * np.linalg.slogdet(2 * np.pi * self.covariance)[1]
        self.n_head_linear = linear[linear < assembled.layout.n_head]
        # In the joint coordinates effects are location + raw.
        self.mean = position[linear] + np.concatenate(
            [np.zeros(self.n_head_linear.size), locations(assembled, data, remaining, reduction)]
        )


def locations(assembled, data, remaining, reduction):
    from nutslite.posterior.density.joint import natural_scale

    n_head = assembled.layout.n_head
    position = np.zeros((1, assembled.layout.dimension))
    position[0, reduction.kept] = remaining
    values, effects = np.empty((1, n_head + data.head.fixed.size)), np.empty((1, data.centring.size))
    natural_scale(position, data, values, effects)
    return effects[0]


@pytest.mark.parametrize("name", GAUSSIAN)
def test_density_is_the_joint_density_integrated(name):
    model = small_model(GAUSSIAN[name])
    reduction = reduce_gaussian(assembled_of(model))
    assert not isinstance(reduction, str), reduction
    rng = np.random.default_rng(7)
    for _ in range(3):
        remaining = rng.normal(0.0, 0.5, reduction.kept.size)
        priors = with_derived(reduction.data.head, log_density_gradient)
        data, gradient = (reduction.data, priors), np.empty_like(remaining)
        value = compiled_marginal()(remaining, gradient, data)
        np.testing.assert_allclose(value, Conditional(model, reduction, remaining).log_integral, rtol=1e-9)
        for i, unit in enumerate(np.eye(remaining.size) * 1e-5):
            upper = compiled_marginal()(remaining + unit, np.empty_like(remaining), data)
            lower = compiled_marginal()(remaining - unit, np.empty_like(remaining), data)
            np.testing.assert_allclose(gradient[i], (upper - lower) / 2e-5, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        *("correlated, three columns", "crossed", "group means", "raw intercept", "nested"),
        *("explained sds", "explained sds, correlated slopes"),
    ],
)
def test_recovered_draws_have_the_conditional_distribution(name):
    model = small_model(GAUSSIAN[name])
    reduction = reduce_gaussian(assembled_of(model))
    remaining = np.random.default_rng(8).normal(0.0, 0.3, reduction.kept.size)
    exact = Conditional(model, reduction, remaining)
    draws = 8000
    values, effects = recover(reduction, np.tile(remaining, (draws, 1)), np.random.default_rng(9))
    got = np.concatenate([values[:, exact.n_head_linear], effects], axis=1)
    sd = np.sqrt(np.diag(exact.covariance))
    z = (got.mean(axis=0) - exact.mean) / (sd / np.sqrt(draws))
    assert np.abs(z).max() < 4.5
    np.testing.assert_allclose(got.std(axis=0), sd, rtol=5 / np.sqrt(2 * draws))
    correlation = exact.covariance / np.outer(sd, sd)
    np.testing.assert_allclose(np.corrcoef(got.T), correlation, atol=6 / np.sqrt(draws))


@pytest.mark.parametrize("name", GENERAL)
def test_models_that_cannot_be_integrated_say_why(name):
    model = small_model(GENERAL[name])
    reason = why_not_reducible(assembled_of(model))
    assert isinstance(reason, str)
    assert reason in " ".join(model.plan().sentences)
    assert model.plan().path == "joint"
    with pytest.raises(SamplingError, match="cannot serve this model"):
        model.plan("marginal")


def test_levels_with_equal_design_share_one_class():
    reduction = reduce_gaussian(assembled_of(small_model(GAUSSIAN["one factor"])))
    sizes = np.bincount(small_model(GAUSSIAN["one factor"]).design.factors["g"].index)
    assert reduction.data.class_counts.size == np.unique(sizes).size
    assert reduction.data.class_counts.sum() == sizes.size


def test_an_unknown_plan_is_refused():
    with pytest.raises(SamplingError, match="auto, joint, marginal"):
        small_model(GAUSSIAN["one factor"]).plan("quick")


@pytest.mark.parametrize("formula", ["y ~ x + z", "weighted(y, w) ~ x*c + offset(o)", "y ~ 0 + x", "y ~ 1"])
def test_one_pass_over_the_data_gives_the_products_of_two(monkeypatch: pytest.MonkeyPatch, formula: str) -> None:
    assembled = assembled_of(Model(formula, grouped_data(500)))
    one = reduce_gaussian(assembled)
    monkeypatch.setattr(residuals, "CLOSE_FIT", np.inf)
    two = reduce_gaussian(assembled)
    size = np.sqrt(np.outer(np.diag(two.data.cross), np.diag(two.data.cross)))
    np.testing.assert_allclose(one.data.cross / size, two.data.cross / size, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(one.data.precision, two.data.precision)


@pytest.mark.parametrize(
    "formula", ["y ~ x + z + (1|g)", "weighted(y, w) ~ x + offset(o) + (1|g)", "y ~ 0 + x + (x|g)"]
)
def test_residuals_are_made_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch, formula: str) -> None:
    model = assembled_of(Model(formula, grouped_data(500))).data
    n_common = integrated_positions(model).size
    found = residuals.Residuals(model, n_common)
    columns = common_columns(model, 0)
    columns = np.concatenate([np.ones((n_common - len(columns), columns.shape[1])), columns])
    n, weights = columns.shape[1], model.weights if model.weights.size else 1.0
    wanted = model.y[0] - (model.offsets[0] if len(model.offsets) else 0.0)
    wanted = wanted - found.shift @ columns
    np.testing.assert_allclose(found[slice(0, n)], wanted, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found[slice(64, 100)], found[slice(0, n)][64:100])
    both = np.vstack([columns, wanted])
    np.testing.assert_allclose(found.products, (both * weights) @ both.T, rtol=1e-9, atol=1e-9)
    monkeypatch.setattr(residuals, "CHUNK_BYTES", 0)
    np.testing.assert_allclose(residuals.Residuals(model, n_common).products, found.products, rtol=1e-10, atol=1e-9)
