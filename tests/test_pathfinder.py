"""Pathfinder: exact where the density is normal, loud where its draws are not to be believed."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from known_targets import funnel
from scipy import stats
from small_models import GAUSSIAN, grouped_data, small_model

import nutslite as nl
from nutslite._pareto import smoothed
from nutslite.posterior.methods import pathfinder
from nutslite.posterior.targets.target import JointTarget
from nutslite.results.container.inference_data import get_group
from nutslite.sampler.pathfinder.lbfgs import climb
from nutslite.sampler.pathfinder.low_rank_normal import from_steps
from nutslite.sampler.pathfinder.paths import ELBO_DRAWS, find_path
from nutslite.sampler.pathfinder.whitening import Whitening
from nutslite.sampler.transition.metric import (
    arrowhead_metric,
    dense_metric,
    diagonal_metric,
    inverse_mass_matrix,
)
from nutslite.sampler.variational.candidates import candidates

FIT = {"draws": 250, "chains": 4, "random_seed": 1, "progressbar": False, "inference_method": "pathfinder"}


class Normal:
    """A normal density of any condition number, and nothing else known of it."""

    def __init__(self, dimension: int, condition: float) -> None:
        rng = np.random.default_rng(dimension)
        axes = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0]
        self.precision = (axes * np.geomspace(1.0, condition, dimension)) @ axes.T
        self.root = (axes * np.geomspace(1.0, condition, dimension) ** 0.5) @ axes.T
        self.mean = rng.normal(size=dimension)

    def __call__(self, position):
        gradient = -self.precision @ (position - self.mean)
        return float(0.5 * gradient @ (position - self.mean)), gradient

    def many(self, positions):
        scaled = (positions - self.mean) @ self.root
        return -0.5 * np.sum(scaled**2, axis=1)


def paths_of(evaluate, log_densities, dimension, history, starts=4):
    rng = np.random.default_rng(0)
    normals = rng.standard_normal((ELBO_DRAWS, dimension))
    points = rng.uniform(-2.0, 2.0, size=(starts, dimension))
    return [find_path(evaluate, log_densities, point, normals, history) for point in points]


def shape_of(paths, log_densities, n=4000):
    draws = candidates([path.normal for path in paths], np.random.default_rng(1), n)
    return smoothed(log_densities(draws.positions) - draws.log_density)[1]


class TestNormalTargets:
    def test_exact_where_the_history_is_as_long_as_the_dimension(self):
        """50 dimensions, condition number 1e6: mean and covariance to 1e-6, in units of the target."""
        target = Normal(50, 1e6)
        paths = paths_of(target, target.many, 50, history=60)
        for path in paths:
            covariance = np.array([path.normal.times_covariance(axis) for axis in np.eye(50)])
            np.testing.assert_allclose(target.root @ covariance @ target.root, np.eye(50), atol=1e-6)
            np.testing.assert_allclose(target.root @ (path.normal.center - target.mean), 0.0, atol=1e-6)
            assert path.elbo == pytest.approx(-0.5 * np.linalg.slogdet(target.precision)[1], abs=1e-6)
            assert path.gradients < 150
        assert shape_of(paths, target.many) < 0.2

    def test_a_short_history_is_enough_once_the_target_is_white(self):
        metric = dense_metric(np.linalg.inv(Normal(50, 1e6).precision))
        target = Normal(50, 1e6)
        whitening = Whitening(target.mean + 0.1, metric)

        def evaluate(z):
            value, gradient = target(whitening.positions(z[None])[0])
            return value, whitening.gradients(gradient[None])[0]

        paths = paths_of(evaluate, lambda z: target.many(whitening.positions(z)), 50, history=6)
        assert max(path.gradients for path in paths) < 20
        for path in paths:
            center = whitening.positions(path.normal.center[None])[0]
            np.testing.assert_allclose(target.root @ (center - target.mean), 0.0, atol=1e-4)  # where the path ended
            covariance = np.array([path.normal.times_covariance(axis) for axis in np.eye(50)])
            np.testing.assert_allclose(covariance, np.eye(50), atol=1e-6)
        assert shape_of(paths, lambda z: target.many(whitening.positions(z))) < 0.2

    def test_one_dimension(self):
        path = paths_of(lambda x: (float(-0.5 * x[0] ** 2 / 9), -x / 9), lambda x: -0.5 * x[:, 0] ** 2 / 9, 1, 6)[0]
        assert path.normal.center[0] == pytest.approx(0.0, abs=1e-8)
        assert path.normal.times_covariance(np.ones(1))[0] == pytest.approx(9.0)


class TestLowRankNormal:
    @pytest.fixture
    def normal(self):
        return [normal for _, normal in climb(Normal(12, 100.0), np.ones(12), 4)][5]

    def test_draws_have_its_covariance_and_density(self, normal):
        covariance = np.array([normal.times_covariance(axis) for axis in np.eye(12)])
        np.testing.assert_allclose(covariance, covariance.T, atol=1e-12)
        root = normal.draws(np.eye(12)) - normal.center
        np.testing.assert_allclose(root.T @ root, covariance, atol=1e-10)
        points = normal.draws(np.random.default_rng(0).normal(size=(20, 12)))
        wanted = stats.multivariate_normal(normal.center, covariance).logpdf(points)
        np.testing.assert_allclose(normal.log_density(points) - 6 * np.log(2 * np.pi), wanted, atol=1e-8)

    def test_it_is_what_the_recursion_of_bfgs_says(self):
        rng = np.random.default_rng(5)
        target, variances = Normal(7, 30.0), rng.uniform(0.5, 2.0, size=7)
        steps = rng.normal(size=(3, 7))
        changes = steps @ target.precision
        wanted = np.diag(variances)
        for step, change in zip(steps, changes, strict=True):
            turn = np.eye(7) - np.outer(step, change) / (step @ change)
            wanted = turn @ wanted @ turn.T + np.outer(step, step) / (step @ change)
        normal = from_steps(np.zeros(7), variances, steps, changes)
        np.testing.assert_allclose([normal.times_covariance(axis) for axis in np.eye(7)], wanted, atol=1e-9)

    def test_curvature_that_is_no_covariance_is_none(self):
        assert from_steps(np.zeros(2), np.ones(2), np.eye(2), -np.eye(2)) is None


@pytest.mark.parametrize("kind", ["none", "diagonal", "dense", "arrowhead", "no blocks"])
def test_whitening_and_its_gradient(kind):
    rng = np.random.default_rng(2)
    blocks = np.array([np.eye(2) * (2 + k) + 0.5 for k in range(3)])
    metric = {
        "none": lambda: None,
        "diagonal": lambda: diagonal_metric(rng.uniform(1, 2, 8)),
        "dense": lambda: dense_metric(np.cov(rng.normal(size=(8, 50)))),
        "arrowhead": lambda: arrowhead_metric(9 * np.eye(2) + 1, 0.4 * rng.normal(size=(6, 2)), blocks),
        "no blocks": lambda: arrowhead_metric(9 * np.eye(8) + 1, np.empty((0, 8)), np.empty((0, 1, 1))),
    }[kind]()
    whitening = Whitening(rng.normal(size=8), metric)
    root = whitening.positions(np.eye(8)) - whitening.center
    wanted = np.eye(8) if metric is None else inverse_mass_matrix(metric)
    np.testing.assert_allclose(root.T @ root, wanted, atol=1e-12)
    gradients = rng.normal(size=(3, 8))
    np.testing.assert_allclose(whitening.gradients(gradients), gradients @ root.T, atol=1e-12)
    assert whitening.log_size == pytest.approx(0.5 * np.linalg.slogdet(wanted)[1])


class TestDraws:
    def test_a_funnel_is_not_believed(self):
        def evaluate(position):
            gradient = np.empty(10)
            return float(funnel(position, gradient, None)), gradient

        def many(positions):
            return np.array([evaluate(position)[0] for position in positions])

        assert shape_of(paths_of(evaluate, many, 10, history=6, starts=2), many, 500) > 0.7

    def test_where_there_is_no_density_there_is_no_path(self):
        def nowhere(position):
            return -np.inf, np.full(2, np.nan)

        normals = np.zeros((ELBO_DRAWS, 2))
        assert find_path(nowhere, lambda z: np.full(len(z), -np.inf), np.zeros(2), normals) is None

    def test_half_a_normal_is_approximated_by_that_half(self):
        """Draws without a density do not spoil a lower bound: it is that of the others."""

        def evaluate(position):
            return float(-0.5 * position @ position) if position[0] > -0.5 else -np.inf, -position

        def many(positions):
            return np.where(positions[:, 0] > -0.5, -0.5 * np.sum(positions**2, axis=1), -np.inf)

        normals = np.random.default_rng(0).standard_normal((ELBO_DRAWS, 2))
        path = find_path(evaluate, many, np.ones(2), normals)
        assert path.elbo == pytest.approx(np.log(np.mean(normals[:, 0] > -0.5)), abs=1e-6)


def attributes_of(results):
    return get_group(results, "posterior").attrs


@pytest.fixture(scope="module")
def logistic():
    return small_model({"formula": "b ~ x + z", "family": "bernoulli"})


@pytest.fixture(scope="module")
def approximated(logistic):
    return logistic.fit(**FIT)


class TestModels:
    def test_results_say_that_they_approximate(self, approximated):
        attributes = attributes_of(approximated)
        assert attributes["inference_method"] == "pathfinder"
        assert attributes["khat"] < 0.7
        assert 900 < attributes["unique_draws"] <= 1000
        assert 0 < attributes["n_gradients"] < 300
        assert np.isfinite(attributes["elbo"])
        stats = get_group(approximated, "sample_stats")
        assert set(stats.data_vars) == {"lp", "log_q"}
        assert attributes["importance"] == "resample"

    @pytest.mark.parametrize("options", [{}, {"pilot": False}], ids=["pilot", "none"])
    def test_close_to_nuts(self, logistic, options):
        found = get_group(logistic.fit(**FIT, **options), "posterior")
        exact = get_group(logistic.fit(draws=500, chains=4, random_seed=1, progressbar=False), "posterior")
        for name in exact.data_vars:
            sd = float(exact[name].std())
            assert abs(float(found[name].mean() - exact[name].mean())) < 0.15 * sd
            assert float(found[name].std()) == pytest.approx(sd, rel=0.15)

    def test_what_is_integrated_out_is_drawn_exactly(self):
        model = small_model(GAUSSIAN["one factor"])
        assert model.plan().path == "marginal"
        found = get_group(model.fit(**FIT), "posterior")
        exact = get_group(model.fit(draws=500, chains=4, random_seed=1, progressbar=False), "posterior")
        for name in ("Intercept", "1|g", "sigma"):
            sd = exact[name].std(("chain", "draw"))
            assert float(abs((found[name] - exact[name]).mean(("chain", "draw")) / sd).max()) < 0.2

    @pytest.mark.parametrize("pilot", [True, "matrix", False])
    def test_group_effects_in_all_coordinates(self, pilot):
        model = small_model({"formula": "b ~ x + (1|g)", "family": "bernoulli"})
        posterior = get_group(model.fit(**{**FIT, "draws": 50}, pilot=pilot), "posterior")
        assert all(np.isfinite(posterior[name]).all() for name in posterior.data_vars)

    def test_the_same_draws_whatever_the_cores(self, logistic, approximated):
        again = get_group(logistic.fit(**FIT, cores=1), "posterior")
        assert again.equals(get_group(approximated, "posterior"))
        other = get_group(logistic.fit(**{**FIT, "random_seed": 2}), "posterior")
        assert not other.equals(again)

    def test_the_lines_before_and_after(self, logistic, caplog):
        with caplog.at_level(logging.INFO, logger="nutslite"):
            logistic.fit(**{**FIT, "progressbar": True})
        assert "Pathfinder: [Intercept, x, z]" in caplog.text
        assert "by Pathfinder (k-hat " in caplog.text

    def test_a_checkpoint_is_refused(self, logistic, tmp_path):
        with pytest.raises(nl.NutsliteError, match="checkpoint and inference_method='pathfinder' exclude each other"):
            logistic.fit(**FIT, checkpoint=tmp_path / "run.ckpt")

    def test_ctrl_c_goes_through(self, logistic, monkeypatch):
        def pressed(*arguments, **options):
            raise KeyboardInterrupt

        monkeypatch.setattr(pathfinder, "find_path", pressed)
        with pytest.raises(KeyboardInterrupt):
            logistic.fit(**FIT)

    def test_no_way_is_an_error_that_says_what_to_do(self, logistic, monkeypatch):
        monkeypatch.setattr(pathfinder, "find_path", lambda *arguments: None)
        with pytest.raises(nl.NutsliteError, match=r"found no normal distribution .* Use NUTS"):
            logistic.fit(**FIT)

    def test_draws_without_a_density_are_an_error(self, logistic, monkeypatch):
        target = JointTarget.log_densities
        monkeypatch.setattr(
            JointTarget,
            "log_densities",
            lambda self, z, cores: target(self, z, cores) if len(z) < 1000 else np.full(len(z), np.nan),
        )
        with pytest.raises(nl.NutsliteError, match="hardly any of its draws lie where the model has a density"):
            logistic.fit(**FIT)

    @pytest.mark.parametrize(
        ("formula", "rows", "options"),
        [
            ("y ~ x", 8, {"family": "t"}),
            ("k ~ x", 60, {"family": "poisson", "link": "identity"}),
            ("b ~ x", 60, {"family": "bernoulli", "potentials": [("x", lambda x: -x * x)]}),
        ],
        ids=["few rows", "a link with an edge", "a potential"],
    )
    def test_models_of_every_kind(self, formula, rows, options):
        model = nl.Model(formula, grouped_data().head(rows), **options)
        found = get_group(model.fit(**FIT), "posterior")
        exact = get_group(model.fit(draws=500, chains=4, random_seed=1, progressbar=False), "posterior")
        sd = float(exact["x"].std())
        assert abs(float(found["x"].mean() - exact["x"].mean())) < 0.3 * sd
        assert found.attrs["khat"] < 1.0

    @pytest.mark.parametrize("told", [True, False])
    def test_centred_schools_are_not_believed(self, told, caplog):
        """Eight groups of one row, whose effects are sampled as they are: a funnel."""
        schools = pd.DataFrame({"y": [28.0, 8, -3, 7, -1, 1, 18, 12], "s": list("ABCDEFGH")})
        model = nl.Model("y ~ 1 + (1|s)", schools, priors={"sigma": 12.0}, noncentered=False)
        with caplog.at_level(logging.WARNING, logger="nutslite"):
            results = model.fit(**FIT, plan="joint", pilot=False, compute_convergence_checks=told)
        assert attributes_of(results)["khat"] > 0.7
        assert ("approximation is not to be believed" in caplog.text) is told
