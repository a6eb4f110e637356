"""Coordinates are chosen, never the posterior: folded scales, the pilot's centring, the large marginal density."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_models import GAUSSIAN, GENERAL, assembled_of, small_model

from nutslite.exceptions import NutsliteWarning
from nutslite.model import Model
from nutslite.posterior.marginal import prices
from nutslite.posterior.marginal.crossproducts import reduce_gaussian
from nutslite.posterior.marginal.large_marginal import LargeMarginal
from nutslite.posterior.marginal.marginal import compiled_marginal
from nutslite.posterior.marginal.recovery import recover
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.nodes.program import with_derived
from nutslite.posterior.pilot.arrowhead import arrowhead_variances, solve_arrowhead
from nutslite.posterior.pilot.information import InformationBuilder
from nutslite.posterior.pilot.mode import find_mode
from nutslite.posterior.pilot.pilot import run_pilot
from nutslite.posterior.pilot.row_information import row_information
from nutslite.posterior.pilot.start import starting_position
from nutslite.posterior.points.points import unconstrain_head
from nutslite.posterior.record.model_data import reference_to
from nutslite.posterior.record.transforms import BENT_LOG, FOLD, LOG, constrain, log_jacobian
from nutslite.posterior.run.run import run
from nutslite.posterior.targets.marginal_target import MarginalTarget
from nutslite.posterior.targets.target import JointTarget
from nutslite.priors.densities.densities import log_density_gradient
from nutslite.priors.prior import Prior
from nutslite.results.diagnostics.diagnostics import mcse_quantile, rhat


def no_group_differences():
    rng = np.random.default_rng(2)
    return pd.DataFrame({"y": rng.normal(size=60), "g": [f"g{i % 6}" for i in range(60)]})


def test_a_scale_that_may_be_zero_is_folded():
    target = MarginalTarget(*_assembled_and_reduced(Model("y ~ 1 + (1|g)", no_group_differences())))
    launch = target.launch()
    codes = target.data[0].head.transforms
    assert FOLD in codes
    assert LOG in codes  # sigma stays on the log scale
    assert np.linalg.eigvalsh(launch.information).min() > 0


def test_folding_changes_the_density_by_the_log_jacobian_only():
    target = MarginalTarget(*_assembled_and_reduced(Model("y ~ 1 + (1|g)", no_group_differences())))
    before = target.data
    target.launch()
    folded = target.data[0].head.transforms == FOLD
    rng = np.random.default_rng(3)
    for sign in (1.0, -1.0):
        position = rng.normal(0.0, 0.5, folded.size)
        size = target.data[0].head.bounds[1]
        moved = np.where(folded, sign * np.arcsinh(np.exp(position) / np.where(folded, size, 1.0)), position)
        gradient = np.empty_like(position)
        value = compiled_marginal()(position, np.empty_like(position), before)
        there = compiled_marginal()(moved, gradient, target.data)
        jacobians = [log_jacobian(FOLD, u, 0.0, c) for u, c in zip(moved[folded], size[folded], strict=True)]
        np.testing.assert_allclose(value - position[folded].sum(), there - sum(jacobians), rtol=1e-10)
        for i, unit in enumerate(np.eye(position.size) * 1e-6):
            upper = compiled_marginal()(moved + unit, np.empty_like(position), target.data)
            lower = compiled_marginal()(moved - unit, np.empty_like(position), target.data)
            np.testing.assert_allclose(gradient[i], (upper - lower) / 2e-6, rtol=1e-5, atol=1e-5)


def test_a_scale_that_may_be_zero_is_bent_where_effects_are_sampled():
    target = JointTarget(assembled_of(Model("y ~ 1 + (1|g)", no_group_differences())))
    launch = target.launch()
    bent = target.model.head.transforms == BENT_LOG
    assert bent.sum() == 1
    assert LOG in target.model.head.transforms  # sigma stays on the log scale
    assert 0.1 < 1.0 / np.sqrt(launch.information.border[bent, bent][0]) < 2.0
    scale = unconstrain_head(target.model.head.transforms, target.model.head.bounds, np.full(bent.size, 0.3))[bent]
    assert constrain(BENT_LOG, scale[0], 0.0, target.model.head.bounds[1, bent][0]) == pytest.approx(0.3, rel=1e-12)


@pytest.mark.parametrize("correlated", [False, True])
def test_every_scale_of_effects_is_bent_however_clear_it_is_that_it_is_not_zero(correlated):
    rng = np.random.default_rng(2)
    level, x = np.repeat(np.arange(20), 15), rng.normal(size=300)
    y = 5.0 * rng.normal(size=20)[level] + 3.0 * rng.normal(size=20)[level] * x + 0.1 * rng.normal(size=300)
    data = pd.DataFrame({"y": y, "x": x, "g": level.astype(str)})
    target = JointTarget(assembled_of(Model("y ~ x + (x|g)", data, correlated=correlated)))
    launch = target.launch()
    head = target.model.head
    bent = head.transforms == BENT_LOG
    names = {int(v.index): v.name for v in target.assembled.layout.variables if v.source != "effects" and not v.dims}
    assert {names[int(i)] for i in np.flatnonzero(bent)} == {"1|g_sigma", "x|g_sigma"}
    scales = [constrain(BENT_LOG, launch.center[i], 0.0, head.bounds[1, i]) for i in np.flatnonzero(bent)]
    np.testing.assert_allclose(scales, [5.0, 3.0], rtol=0.5)
    # Where a scale is clear its bent logarithm is as wide as its logarithm: 1 / sqrt(2 levels).
    widths = 1.0 / np.sqrt(np.diag(launch.information.border)[bent])
    np.testing.assert_allclose(widths, 1.0 / np.sqrt(40.0), rtol=0.4)


def test_bending_changes_the_density_by_the_log_jacobian_only():
    target = JointTarget(assembled_of(Model("y ~ 1 + (1|g)", no_group_differences())))
    target.launch()
    head = target.model.head
    bent = head.transforms == BENT_LOG
    straight = target.model._replace(head=head._replace(transforms=np.where(bent, LOG, head.transforms)))
    position = np.random.default_rng(3).normal(0.0, 0.5, target.dimension)
    at, size = int(bent.nonzero()[0][0]), head.bounds[1, bent][0]
    moved = position.copy()
    moved[at] = np.log(constrain(BENT_LOG, position[at], 0.0, size))
    gradient = np.empty_like(position)
    value = target.logdensity(position, gradient, target.data)
    there = target.logdensity(moved, np.empty_like(position), (reference_to(straight), target.priors, target.loglik))
    np.testing.assert_allclose(value - log_jacobian(BENT_LOG, position[at], 0.0, size), there - moved[at], rtol=1e-10)
    for i, unit in enumerate(np.eye(position.size) * 1e-6):
        upper = target.logdensity(position + unit, np.empty_like(position), target.data)
        lower = target.logdensity(position - unit, np.empty_like(position), target.data)
        np.testing.assert_allclose(gradient[i], (upper - lower) / 2e-6, rtol=1e-4, atol=1e-5)


def test_raw_effects_are_equally_wide_at_every_scale():
    rng = np.random.default_rng(8)
    level = np.repeat(np.arange(12), 10)
    y = 0.5 * rng.normal(size=12)[level] + rng.normal(size=120)
    model = Model("y ~ 0 + (1|g)", pd.DataFrame({"y": y, "g": level.astype(str)}))
    target = JointTarget(assembled_of(model))
    launch = target.launch()
    n_head = assembled_of(model).layout.n_head
    at = next(int(v.index) for v in assembled_of(model).layout.variables if v.name == "1|g_sigma")
    precisions = []
    for shift in (-3.0, 0.0, 3.0):  # of a log or bent log scale, far below and above
        position = launch.center.copy()
        position[at] += shift
        gradients = []
        for step in (-1e-3, 1e-3):
            position[n_head] += step
            gradient = np.empty_like(position)
            target.logdensity(position, gradient, target.data)
            gradients.append(gradient[n_head])
            position[n_head] -= step
        precisions.append((gradients[0] - gradients[1]) / 2e-3)
    np.testing.assert_allclose(precisions, precisions[1], rtol=0.05)


def _assembled_and_reduced(model):
    reduction = reduce_gaussian(assembled_of(model))
    assert not isinstance(reduction, str), reduction
    return assembled_of(model), reduction


@pytest.mark.parametrize("name", ["slopes", "correlated slopes", "crossed", "bernoulli", "poisson with offset", "t"])
def test_pilot_stops_at_a_conditional_mode(name):
    model = small_model({**GAUSSIAN, **GENERAL}[name])
    target = JointTarget(assembled_of(model))
    launch = target.launch()
    assert target.pilot is not None
    assert np.all((target.model.centring >= 0) & (target.model.centring <= 1))
    gradient = np.empty_like(launch.center)
    value = target.logdensity(launch.center, gradient, target.data)
    assert np.isfinite(value)
    information = launch.information
    hyper = [int(v.index) for v in assembled_of(model).layout.variables if v.name.endswith("_sigma") and not v.dims]
    gradient[hyper] = 0.0
    correlations = [v.index for v in assembled_of(model).layout.variables if v.source == "correlation"]
    for index in correlations:
        gradient[index] = 0.0
    step = solve_arrowhead(information, gradient)
    assert gradient @ step < 0.05  # the density could rise by less than this
    assert np.all(arrowhead_variances(information) > 0)


def test_pilot_reaches_the_mode_in_any_unit():
    """A coefficient of thousands is far away in numbers, and near in what it changes of a predictor in such a unit."""
    rng = np.random.default_rng(8)
    x = rng.normal(66.0, 4.0, 200)
    y = 1e4 * (1.5 * x - 80.0 + 10.0 * rng.standard_normal(200))
    flat = Prior("Flat")
    model = Model("y ~ x", {"y": y, "x": x}, priors={"Intercept": flat, "x": flat}, center_predictors=False)
    target = JointTarget(assembled_of(model))
    launch = target.launch()
    gradient = np.empty_like(launch.center)
    target.logdensity(launch.center, gradient, target.data)
    assert gradient @ solve_arrowhead(launch.information, gradient) < 0.05
    assert target.pilot.gradients < 50


def test_pilot_gives_up_where_it_cannot_serve():
    model = small_model(GENERAL["group location with a prior"])
    target = JointTarget(assembled_of(model))
    assert run_pilot(target.model, target.density, target.loglik, np.zeros(target.dimension)) is None
    assert "No pilot" in str(model.plan("joint"))


def test_no_pilot_where_effects_fit_every_row():
    """Eight rows and eight groups: the joint density grows without end as sigma goes to zero, where no mode is."""
    rng = np.random.default_rng(1)
    data = {"y": np.exp(rng.normal(0.0, 0.5, 8)), "g": np.arange(8)}
    t = Prior("StudentT", nu=4, mu=0, sigma=Prior("HalfNormal", sigma=1))
    with pytest.warns(NutsliteWarning, match="a level for every row"):
        model = Model("y ~ 1 + (1|g)", data, "lognormal", priors={"1|g": t, "sigma": Prior("Exponential", lam=1)})
    target = JointTarget(assembled_of(model))
    target.launch()
    assert target.pilot is None
    draws = model.fit(draws=200, tune=300, random_seed=1, progressbar=False, cores=1)
    sigma = np.asarray(draws.posterior["sigma"])
    assert np.median(np.median(sigma, axis=1)) > 0.2  # single chains may stay near zero for a while


def test_mode_of_a_correlated_normal():
    precision = np.array([[4.0, 1.5], [1.5, 1.0]])

    def log_densities(positions):
        deviations = positions - [1.0, -2.0]
        return -0.5 * np.einsum("mi,ij,mj->m", deviations, precision, deviations)

    mode = find_mode(log_densities, np.zeros(2))
    np.testing.assert_allclose(mode.position, [1.0, -2.0], atol=1e-5)
    np.testing.assert_allclose(mode.covariance, np.linalg.inv(precision), rtol=1e-5)


def test_mode_of_a_density_without_one_is_none():
    assert find_mode(lambda positions: positions.sum(axis=1), np.zeros(2)) is None


@pytest.fixture
def all_rests_are_large(monkeypatch):
    monkeypatch.setattr(prices, "LARGE_RISK", -1e9)


CROSSED = {"formula": "weighted(y, w) ~ x + offset(o) + (1|g) + (1|h)"}


def test_large_marginal_is_the_marginal_density(all_rests_are_large, monkeypatch):
    model = small_model(CROSSED)
    large = reduce_gaussian(assembled_of(model))
    monkeypatch.undo()
    small = reduce_gaussian(assembled_of(model))
    assert large.large
    assert not small.large
    density = LargeMarginal(large, log_density_gradient)
    rng = np.random.default_rng(4)
    for _ in range(4):
        position = rng.normal(0.0, 0.5, small.kept.size)
        value, given = density.evaluate(position)
        expected = compiled_marginal()(
            position, np.empty_like(position), (small.data, with_derived(small.data.head, log_density_gradient))
        )
        np.testing.assert_allclose(value, expected, rtol=1e-10)
    draws = 20_000
    values, effects = density.draw(given, draws, rng)
    expected_values, expected_effects = recover(small, np.tile(position, (draws, 1)), rng)
    for got, expected in ((values, expected_values), (effects, expected_effects)):
        sd = expected.std(axis=0)
        z = (got.mean(axis=0) - expected.mean(axis=0)) / np.maximum(sd * np.sqrt(2 / draws), 1e-12)
        assert np.abs(z).max() < 4.5
        np.testing.assert_allclose(got.std(axis=0), sd, rtol=0.04, atol=1e-12)


def test_a_large_marginal_density_folds_a_scale_near_zero(monkeypatch):
    """As the small one does, whose draws it has; on the log scale chains would stay in an endless tail."""
    rng = np.random.default_rng(3)
    g, h = rng.integers(0, 60, 400), rng.integers(0, 50, 400)
    y = 0.02 * rng.normal(size=60)[g] + 0.5 * rng.normal(size=50)[h] + rng.normal(size=400)
    model = Model("y ~ 1 + (1|g) + (1|h)", {"y": y, "g": g.astype(str), "h": h.astype(str)})
    settings = Settings(draws=2000, random_seed=1, progressbar=False, cores=1)
    small = run(model.plan(), settings)
    monkeypatch.setattr(prices, "LARGE_RISK", -1e9)
    plan = model.plan()
    assert plan.reduction.large
    large = run(plan, settings)
    assert large.stats["acceptance_rate"].mean() > 0.7
    scales = [fit.plan.assembled.layout.unpack(fit.values, fit.effects)["1|g_sigma"] for fit in (small, large)]
    assert all(rhat(scale) < 1.01 for scale in scales)
    for level in (0.05, 0.25, 0.5, 0.75, 0.95):
        ends = [float(np.quantile(scale, level)) for scale in scales]
        errors = [float(mcse_quantile(scale, level)) for scale in scales]
        assert abs(ends[0] - ends[1]) < 5.0 * np.hypot(*errors)


def crossed_data():
    """Two crossed factors with enough levels for their scales to have a shape near normal."""
    rng = np.random.default_rng(9)
    e, f = rng.integers(0, 40, 600), rng.integers(0, 15, 600)
    y = rng.normal(size=40)[e] + 0.7 * rng.normal(size=15)[f] + rng.normal(size=600)
    return pd.DataFrame({"y": y, "e": [f"e{i}" for i in e], "f": [f"f{i}" for i in f], "x": rng.normal(size=600)})


@pytest.mark.slow
def test_large_path_samples_the_same_posterior(all_rests_are_large, monkeypatch):
    model = Model("y ~ x + (1|e) + (1|f)", crossed_data())
    assert "independence Metropolis" in str(model.plan())
    from nutslite.results.diagnostics.summary import summary

    large = summary(model.fit(draws=1500, random_seed=1, progressbar=False), round_to="none")
    monkeypatch.undo()
    nuts = summary(model.fit(draws=1500, random_seed=1, progressbar=False, plan="marginal"), round_to="none")
    z = (large["mean"] - nuts["mean"]) / np.hypot(large["mcse_mean"], nuts["mcse_mean"])
    assert z.abs().max() < 4.5
    np.testing.assert_allclose(large["sd"], nuts["sd"], rtol=0.1)
    assert large["r_hat"].max() < 1.02


def test_large_runs_repeat_with_their_seed(all_rests_are_large):
    from nutslite.results.container.inference_data import get_group

    model = small_model(CROSSED)
    first, second = (model.fit(draws=6, chains=2, random_seed=5, progressbar=False) for _ in range(2))
    for name in ("x", "1|g", "1|g_sigma", "sigma"):
        np.testing.assert_array_equal(get_group(first, "posterior")[name], get_group(second, "posterior")[name])


def test_the_information_of_effects_in_two_predictors_is_symmetric():
    """Differences of derivatives differ in the eighth digit; a metric refuses a matrix that is not symmetric."""
    model = small_model(GENERAL["every parameter modelled"])
    target = JointTarget(model.plan("joint").assembled)
    builder = InformationBuilder(target.model, target.density, target.loglik)
    position = np.random.default_rng(1).normal(0.0, 0.3, target.dimension)
    values, effects = builder.natural(position)
    rows = row_information(target.model, target.loglik, values, effects)
    np.testing.assert_array_equal(rows, rows.swapaxes(0, 1))
    blocks = builder(position).blocks
    np.testing.assert_allclose(blocks, blocks.swapaxes(1, 2), rtol=1e-11, atol=1e-12 * np.abs(blocks).max())


def test_pilot_serves_heavy_tails_whose_likelihood_is_not_concave():
    """Gross outliers make the observed information of a t model indefinite away from the mode."""
    rng = np.random.default_rng(10)
    g = rng.integers(0, 20, 400)
    y = 1.0 + 0.6 * rng.normal(size=20)[g] + 0.5 * rng.standard_t(4, size=400)
    y[::25] += 40.0 * rng.choice([-1.0, 1.0], size=16)
    frame = pd.DataFrame({"y": y, "x": rng.normal(size=400), "g": g.astype(str)})
    target = Model("y ~ x + (x|g)", frame, family="t").plan().target()
    launch = target.launch()
    assert launch.information is not None
    assert np.median(target.model.centring[::2]) > 0.5
    gradient = np.empty(target.dimension)
    target.logdensity(launch.center, gradient, target.data)
    assert np.all(np.abs(gradient[target.model.head.transforms.size :]) < 1.0)  # the effects' conditional mode


def test_scales_start_at_the_spread_of_responses_under_other_links_too():
    """From sigma = 1 the search for a mode ran off in two of a hundred such data sets, of which this is one."""
    rng = np.random.default_rng(39)
    x = np.tile([0.02, 0.06, 0.11, 0.22, 0.56, 1.1], 10)
    data = pd.DataFrame({"per_x": 1 / x, "rate": 200 * x / (0.06 + x) + 8 * rng.normal(size=60)})
    model = Model("rate ~ per_x", data, "gaussian", link="inverse")
    assert starting_position(assembled_of(model))[-1] == pytest.approx(np.log(data["rate"].std(ddof=0)))
    results = model.fit(draws=100, random_seed=1, progressbar=False, cores=1, compute_convergence_checks=False)
    assert float(results.posterior["Intercept"].mean()) == pytest.approx(1 / 200, rel=0.05)
    assert float(results.posterior["sigma"].mean()) == pytest.approx(8, rel=0.2)
