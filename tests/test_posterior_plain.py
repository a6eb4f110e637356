"""Models without group effects: the functions of their own agree with the general ones."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import CENSORED, GAUSSIAN, GENERAL, assembled_of, small_model

from nutslite.posterior.density.joint import natural_scale
from nutslite.posterior.density.many_positions import values_and_gradients
from nutslite.posterior.density.plain import compiled_plain_many, compiled_plain_natural, is_plain
from nutslite.posterior.density.predictor import fill_eta, with_code_effects
from nutslite.posterior.pilot.row_information import linear_predictors
from nutslite.posterior.record import model_data as md
from nutslite.posterior.targets.target import JointTarget

MODELS = {**GAUSSIAN, **GENERAL, **CENSORED}


FURTHER = {
    "bernoulli": {"formula": "b ~ x + z", "family": "bernoulli"},
    "poisson": {"formula": "k ~ x + z + offset(o)", "family": "poisson"},
    "gamma": {"formula": "pos ~ x", "family": "gamma", "link": "log"},
    "flat intercept": {"formula": "y ~ 0 + x + z"},
}


def plain_targets():
    for name, specification in {**MODELS, **FURTHER}.items():
        target = JointTarget(assembled_of(small_model(specification)))
        if is_plain(target.model):
            yield name, target


def test_there_are_plain_models_of_several_families():
    assert len(list(plain_targets())) >= 5


def test_densities_and_gradients_are_those_of_the_general_function():
    rng = np.random.default_rng(3)
    for name, target in plain_targets():
        positions = target.launch().center + 0.1 * rng.normal(size=(70, target.dimension))
        expected = values_and_gradients(target.logdensity, target.data, target.data_type, positions)
        values, gradients = np.empty(70), np.empty(positions.shape)
        compiled_plain_many()(np.ascontiguousarray(positions), target.data, values, gradients)
        np.testing.assert_allclose(values, expected[0], rtol=1e-11, atol=1e-9, err_msg=name)
        scale = np.abs(expected[1]).max()
        np.testing.assert_allclose(gradients, expected[1], rtol=1e-9, atol=1e-10 * scale, err_msg=name)


def test_natural_scales_are_those_of_the_general_function():
    for name, target in plain_targets():
        positions = np.random.default_rng(1).normal(size=(5, target.dimension))
        width = target.model.head.transforms.size + target.model.head.fixed.size
        here, there, nothing = np.empty((5, width)), np.empty((5, width)), np.empty((5, 0))
        compiled_plain_natural()(positions, target.model.head, here)
        natural_scale(positions, target.model, there, nothing)
        np.testing.assert_array_equal(here, there, err_msg=name)


@pytest.mark.parametrize("name", MODELS)
def test_linear_predictors_in_numpy_are_those_of_the_kernels(name):
    target = JointTarget(assembled_of(small_model(MODELS[name])))
    model, n = target.model, target.rows
    rng = np.random.default_rng(4)
    values = rng.uniform(0.5, 1.5, model.head.transforms.size + model.head.fixed.size)
    effects = rng.normal(size=model.centring.size)
    eta = np.empty((model.predictors.shape[0], n))
    fill_eta(model, values, with_code_effects(model, values, effects), 0, n, eta)
    eta = np.where(model.predictors[:, [md.VARIES]] == 0, eta[:, :1], eta)
    np.testing.assert_allclose(linear_predictors(model, values, effects, slice(0, n)), eta, rtol=1e-12, atol=1e-12)
