"""Matrix centring chooses coordinates, never the posterior: the joint density up to the Jacobian, for every model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_models import CENSORED, GAUSSIAN, GENERAL, small_model

from nutslite._numba import jit_disabled
from nutslite.exceptions import ArgumentError, SettingError
from nutslite.model import Model
from nutslite.posterior.density.block_effects import locations_and_scales, places_of
from nutslite.posterior.density.joint import compiled_joint
from nutslite.posterior.density.many_positions import values_and_gradients
from nutslite.posterior.density.sparse_pattern import columns_of_numbers
from nutslite.posterior.record import model_data as md
from nutslite.posterior.targets.matrix_target import MatrixTarget
from nutslite.sampler.constraints.cholesky import cholesky_constrain

ALL = {**GAUSSIAN, **GENERAL, **CENSORED}
NOT_SERVED = {
    "common terms only": "no group effects",
    "censored counts": "no group effects",
    "wald, log, weighted": "no group effects",
    "other priors": "not all group effects have normal priors",
    "explained sds": "explains standard deviations of effects",
    "explained sds, correlated slopes": "explains standard deviations of effects",
    "explained sds, correlated": "explains standard deviations of effects",
    "explained sds, other priors": "explains standard deviations of effects",
    "group location with a prior": "has no pilot: the location of effects has a prior",
    "hyperpriors, other densities": "has no pilot: the location of effects has a prior",
    "horseshoe, correlated groups": "has no pilot: scales are those of a horseshoe",
    "R2D2": "has no pilot: values sum to one",
    "bounds": "has no pilot: a prior has bounds and hyperpriors",
    "horseshoe, monotonic": "has no pilot: 'mo.c.' is a monotonic effect",
}
UNCHECKED = {"compute_convergence_checks": False}  # so few draws have not converged
MODELS = {name: settings for name, settings in ALL.items() if name not in NOT_SERVED}
_launched: dict[str, MatrixTarget] = {}


def launched(name):
    """A target in the coordinates of matrix centring."""
    if name not in _launched:
        target = small_model(MODELS[name]).plan("joint", pilot="matrix").target()
        target.launch()
        _launched[name] = target
    assert isinstance(_launched[name], MatrixTarget)
    assert _launched[name].centring is not None
    return _launched[name]


def coordinates_of(target, n=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, target.dimension))


def densities(target, coordinates):
    return values_and_gradients(target.logdensity, target.data, target.data_type, coordinates)


def log_jacobian(target, position):
    """log |d position / d coordinates| from the dense precision of coefficients and effects at the position's theta."""
    centring, n_head = target.centring, target.model.head.transforms.size
    rows, columns = centring.pattern.rows, columns_of_numbers(centring.pattern)
    rows, size = centring.members[rows], target.dimension
    precision = np.zeros((size, size))
    precision[rows, centring.members[columns]] = precision[centring.members[columns], rows] = centring.numbers
    values, _ = target.natural(target.own_positions(position[None])[None], np.random.default_rng(0))
    for block in target.model.blocks:
        scales = np.diag(locations_and_scales(target.model, block, values[0, 0])[1][0])
        covariance = scales @ correlations(target.model, block, position) @ scales
        for level in n_head + places_of(block):
            precision[np.ix_(level, level)] += np.linalg.inv(covariance)
    own = np.ix_(centring.members, centring.members)
    return np.linalg.slogdet(centring.stretch)[1] - 0.5 * np.linalg.slogdet(precision[own])[1]


def correlations(model, block, position):
    q, at = int(block[md.N_COLUMNS]), int(block[md.CORRELATION])
    factor = np.eye(q)
    if at >= 0:
        cholesky_constrain(np.ascontiguousarray(position[at : at + q * (q - 1) // 2]), factor)
    return factor @ factor.T


@pytest.mark.parametrize("name", MODELS)
def test_the_density_is_the_joint_one_and_the_jacobian(name):
    target = launched(name)
    coordinates = coordinates_of(target)
    values, _ = densities(target, coordinates)
    positions = target.joint_positions(coordinates)
    joint = [
        compiled_joint()(position, np.empty_like(position), (target.reference, target.priors, target.loglik))
        for position in positions
    ]
    assert np.isfinite(values).all()
    jacobians = [log_jacobian(target, position) for position in positions]
    np.testing.assert_allclose(values, np.array(joint) + jacobians, rtol=1e-10)
    np.testing.assert_allclose(values, target.log_densities(coordinates, 1), rtol=1e-14)


@pytest.mark.parametrize("name", ["nested", "crossed and correlated"])
def test_that_is_the_jacobian(name):
    target = launched(name)
    coordinates = coordinates_of(target, n=1)
    steps = 1e-5 * np.eye(target.dimension)
    upper, lower = (target.joint_positions(coordinates + sign * steps) for sign in (1.0, -1.0))
    by_differences = np.linalg.slogdet((upper - lower) / 2e-5)[1]
    assert by_differences == pytest.approx(log_jacobian(target, target.joint_positions(coordinates)[0]), abs=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_the_gradient_agrees_with_differences(name):
    target = launched(name)
    coordinates = coordinates_of(target, n=1, seed=1)
    _, gradients = densities(target, coordinates)
    step = 1e-4
    moved = [densities(target, coordinates + k * step * np.eye(target.dimension))[0] for k in (-2, -1, 1, 2)]
    slopes = (8.0 * (moved[2] - moved[1]) - (moved[3] - moved[0])) / (12.0 * step)
    np.testing.assert_allclose(gradients[0], slopes, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", MODELS)
def test_the_way_back_is_the_inverse(name):
    target = launched(name)
    coordinates = coordinates_of(target, seed=2)
    back = target.own_positions(target.joint_positions(coordinates))
    np.testing.assert_allclose(back, coordinates, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", MODELS)
def test_levels_and_matrix_have_the_same_density_at_the_same_point(name):
    """Natural values agree, and log densities but for the two Jacobians."""
    target = launched(name)
    levels = small_model(MODELS[name]).plan("joint", pilot="levels").target()
    levels.scale_tolerance = target.scale_tolerance
    levels.launch()
    assert levels.model.head.transforms.tolist() == target.model.head.transforms.tolist()
    rng = np.random.default_rng(3)
    coordinates = coordinates_of(target, n=2, seed=3)
    values, effects = target.natural(coordinates[None], rng)
    for k in range(2):
        position = position_at(levels, target.joint_positions(coordinates[k : k + 1])[0], effects[0, k])
        again, effects_again = levels.natural(position[None, None], rng)
        np.testing.assert_allclose(again[0, 0], values[0, k], rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(effects_again[0, 0], effects[0, k], rtol=1e-9, atol=1e-10)


def position_at(levels, joint, effects):
    """The position in the coordinates of weights per level, from that of centred effects: linear in raw effects."""
    n_head, out = levels.model.head.transforms.size, joint.copy()
    rng = np.random.default_rng(0)
    out[n_head:] = 0.0
    _, at_zero = levels.natural(out[None, None], rng)
    units = np.repeat(out[None], effects.size, axis=0)
    units[:, n_head:] = np.eye(effects.size)
    _, moved = levels.natural(units[None], rng)
    out[n_head:] = np.linalg.solve((moved[0] - at_zero[0, 0]).T, effects - at_zero[0, 0])
    return out


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, 1e300, -1e300])
def test_where_there_is_no_density_it_says_so(bad):
    """Scales that overflow, and coordinates that are no numbers: never an error, and never a number."""
    target = launched("crossed and correlated")
    for place in [*target.centring.hyper[:2], target.centring.members[0]]:
        coordinates = np.zeros((1, target.dimension))
        coordinates[0, place] = bad
        assert not densities(target, coordinates)[0][0] > -np.inf


@pytest.mark.parametrize("scale", [-12.0, 25.0])
def test_far_out_scales_have_a_density(scale):
    """Bent logarithms at e^-160 times the typical scale, and at e^25 times it."""
    target = launched("crossed")
    coordinates = np.zeros((1, target.dimension))
    coordinates[0, target.centring.hyper] = np.linalg.solve(target.centring.stretch, scale - target.centring.center)
    values, gradients = densities(target, coordinates)
    assert np.isfinite(values).all()
    assert np.isfinite(gradients).all()


@pytest.mark.parametrize("name", NOT_SERVED)
def test_models_that_it_does_not_serve_are_refused_with_the_reason(name):
    with pytest.raises(SettingError, match=NOT_SERVED[name]):
        small_model(ALL[name]).plan("joint", pilot="matrix")


def test_it_has_no_use_where_effects_are_integrated_out():
    with pytest.raises(SettingError, match="plan='joint'"):
        small_model(GAUSSIAN["crossed"]).plan(pilot="matrix")


def nested_data(outer=30, inner=4, rows=3):
    """Levels within levels, with a count for each row."""
    rng = np.random.default_rng(5)
    o, i = np.repeat(np.arange(outer), inner * rows), np.repeat(np.arange(outer * inner), rows)
    eta = 0.5 + 0.4 * rng.normal(size=outer)[o] + 0.6 * rng.normal(size=outer * inner)[i]
    return pd.DataFrame({"k": rng.poisson(np.exp(eta)), "o": [f"o{x}" for x in o], "i": [f"i{x}" for x in i]})


class TestPlan:
    """Which models take it by themselves, what the plan says, and who may force it."""

    def nested(self) -> Model:
        return Model("k ~ 1 + (1|o) + (1|i)", nested_data(), family="poisson")

    def test_nested_factors_take_it_and_the_plan_says_so(self):
        plan = self.nested().plan()
        assert isinstance(plan.target(), MatrixTarget)
        assert "matrix centring" in str(plan).replace("\n  ", " ")

    def test_each_way_can_be_forced(self):
        assert not isinstance(self.nested().plan(pilot="levels").target(), MatrixTarget)
        assert not isinstance(self.nested().plan(pilot=False).target(), MatrixTarget)
        assert isinstance(small_model(GENERAL["bernoulli"]).plan(pilot="matrix").target(), MatrixTarget)

    @pytest.mark.parametrize("name", ["bernoulli", "binomial, probit", "poisson with offset", "t"])
    def test_one_factor_and_crossed_ones_do_not(self, name):
        assert small_model(GENERAL[name]).plan("joint").structure is None

    def test_a_plan_that_was_given_has_chosen_already(self):
        model = self.nested()
        with pytest.raises(ArgumentError, match="exclude each other"):
            model.fit(plan=model.plan(), pilot="levels")

    def test_a_laplace_approximation_is_that_of_the_usual_coordinates(self):
        options = {"draws": 5, "chains": 1, "random_seed": 1, "progressbar": False, "inference_method": "laplace"}
        found, usual = (self.nested().fit(pilot=pilot, **options) for pilot in (True, "levels"))
        np.testing.assert_array_equal(found.posterior["1|o_sigma"], usual.posterior["1|o_sigma"])


def of_one_factor(levels: int, rows: int, sd: float) -> Model:
    """Yes or no, in levels of one factor."""
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(levels), rows)
    y = rng.random(g.size) < 1.0 / (1.0 + np.exp(-sd * rng.normal(size=levels)[g]))
    return Model("y ~ 1 + (1|g)", pd.DataFrame({"y": y.astype(int), "g": [f"g{x}" for x in g]}), family="bernoulli")


class TestOneFactor:
    """The pilot decides, by how well it knows the scales."""

    def launched(self, model: Model, **options: Any) -> Any:
        target = model.plan(**options).target()
        target.launch()
        return target

    def test_where_a_scale_is_little_known_it_moves(self):
        model = of_one_factor(60, 5, 0.8)
        assert model.plan().may_move
        assert "(matrix centring)" in str(model.plan()).replace("\n  ", " ")
        assert self.launched(model).centring is not None

    def test_where_scales_are_known_it_stays(self):
        target = self.launched(of_one_factor(300, 40, 1.0))
        assert isinstance(target, MatrixTarget)
        assert target.centring is None
        assert target.pilot is not None

    def test_where_a_factorisation_costs_too_much_it_stays(self, monkeypatch):
        monkeypatch.setattr("nutslite.posterior.marginal.prices.FACTOR_NUMBER", 1e6)
        assert self.launched(of_one_factor(60, 5, 0.8)).centring is None

    @pytest.mark.parametrize("pilot", [False, "levels"])
    def test_other_ways_can_be_forced(self, pilot):
        plan = of_one_factor(60, 5, 0.8).plan(pilot=pilot)
        assert not plan.may_move
        assert not isinstance(plan.target(), MatrixTarget)

    def test_crossed_factors_and_a_single_level_are_no_such_factors(self):
        assert not small_model(GENERAL["binomial, probit"]).plan("joint", pilot="levels").may_move
        data = nested_data()
        assert not Model("k ~ 1 + (1|o) + (1|i)", data, family="poisson").plan().may_move

    def test_it_draws_what_is_drawn_when_it_is_forced(self):
        model = of_one_factor(60, 5, 0.8)
        options = {"draws": 20, "chains": 1, "random_seed": 1, "progressbar": False, "inference_method": "nuts"}
        found, forced = (model.fit(pilot=pilot, **options) for pilot in (True, "matrix"))
        np.testing.assert_array_equal(found.posterior["1|g_sigma"], forced.posterior["1|g_sigma"])

    def test_a_run_goes_on_in_these_coordinates(self, tmp_path):
        model = of_one_factor(60, 5, 0.8)
        options = {"chains": 1, "random_seed": 1, "progressbar": False, "inference_method": "nuts"}
        options |= {"checkpoint": tmp_path / "fit.ckpt"}
        wanted = model.fit(draws=30, **{**options, "checkpoint": None})
        model.fit(draws=15, **options)
        found = model.fit(draws=30, **options)
        np.testing.assert_array_equal(found.posterior["1|g_sigma"], wanted.posterior["1|g_sigma"])


def test_few_parameters_are_sampled_by_nuts_as_well():
    """Of at most 40 parameters others are tried by independence Metropolis, which group effects are not."""
    model = small_model(GENERAL["bernoulli"])
    assert model.plan(pilot="matrix").assembled.layout.dimension < 40
    results = model.fit(draws=20, chains=1, pilot="matrix", random_seed=1, progressbar=False, **UNCHECKED)
    assert results.posterior.attrs["inference_method"] == "nuts"


def test_without_coordinates_it_is_the_usual_target(monkeypatch):
    monkeypatch.setattr("nutslite.posterior.targets.matrix_target.MatrixPilot.run", lambda self, position: None)
    model = Model("k ~ 1 + (1|o) + (1|i)", nested_data(), family="poisson")
    options = {"draws": 20, "tune": 20, "chains": 1, "random_seed": 1, "progressbar": False, **UNCHECKED}
    found, usual = model.fit(**options), model.fit(pilot="levels", **options)
    np.testing.assert_array_equal(found.posterior["1|o_sigma"], usual.posterior["1|o_sigma"])


SECOND_PROCESS = """
from numba.core import event

class Compilations(event.Listener):
    names = []
    def on_start(self, event): self.names.append(event.data["dispatcher"].py_func.__qualname__)
    def on_end(self, event): pass

event.register("numba:compile", listener := Compilations())
from test_posterior_matrix import short_fit
short_fit()
print(listener.names)
"""


def short_fit():
    """Every kernel of a fit."""
    model = Model("k ~ 1 + (1|o) + (1|i)", nested_data(), family="poisson")
    options = {"draws": 4, "tune": 4, "chains": 2, "random_seed": 1, "progressbar": False, **UNCHECKED}
    return model.fit(**options)


@pytest.mark.skipif(jit_disabled(), reason="nothing is compiled")
def test_a_second_process_compiles_nothing():
    short_fit()
    here = str(Path(__file__).parent)
    path = os.pathsep.join([here, str(Path(here).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", SECOND_PROCESS], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_two_threads_give_the_draws_of_one():
    """Chains share the constants, and no scratch."""
    model = Model("k ~ 1 + (1|o) + (1|i)", nested_data(), family="poisson")
    options = {"draws": 40, "tune": 20, "chains": 2, "random_seed": 3, "progressbar": False, **UNCHECKED}
    one, two = (model.fit(cores=cores, **options) for cores in (1, 2))
    for name in one.posterior:
        np.testing.assert_array_equal(one.posterior[name], two.posterior[name])
