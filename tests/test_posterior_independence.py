"""Independence Metropolis: densities of many positions, proposals and their fitness, and the same posterior as NUTS."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_models import CENSORED, GAUSSIAN, GENERAL, assembled_of, small_model

import nutslite as nl
from nutslite.posterior.density.many_positions import values_and_gradients
from nutslite.posterior.methods import independence
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.record.model_data import sorted_rows
from nutslite.posterior.run.run import run
from nutslite.posterior.targets.target import JointTarget, Launch
from nutslite.sampler.independence.independence import accept_or_stay
from nutslite.sampler.independence.proposals import DEFENSIVE_SHARE, DEFENSIVE_WIDTH, DefensiveMixture, fitness

MODELS = {**GAUSSIAN, **GENERAL, **CENSORED}
# few parameters, clear modes: where independence Metropolis is chosen by itself
SERVED = {
    "gaussian with common terms only": {"formula": "y ~ x + c"},
    "bernoulli": {"formula": "b ~ x + z", "family": "bernoulli"},
    "poisson": {"formula": "k ~ x + z + offset(o)", "family": "poisson"},
    "gamma": {"formula": "pos ~ x", "family": "gamma", "link": "log"},
}


def mixture(d: int, seed: int = 0) -> DefensiveMixture:
    rng = np.random.default_rng(seed)
    covariance = np.atleast_2d(np.cov(rng.normal(size=(d, 5 * d))))
    return DefensiveMixture(rng.normal(size=d), np.linalg.cholesky(covariance))


@pytest.mark.parametrize("name", MODELS)
def test_many_densities_are_those_of_the_gradient(name):
    model = small_model(MODELS[name])
    targets = [JointTarget(assembled_of(model))]
    plan = model.plan()
    if plan.reduction is not None:
        targets.append(plan.target())
    rng = np.random.default_rng(3)
    for target in targets:
        launch = target.launch()
        positions = np.abs(launch.center + 0.1 * rng.normal(size=(70, target.dimension)))
        values, _ = values_and_gradients(target.logdensity, target.data, target.data_type, positions)
        for cores in (1, 2):
            np.testing.assert_allclose(target.log_densities(positions, cores), values, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("name", ["one factor", "crossed", "correlated slopes"])
def test_sorted_rows_are_the_same_density(name):
    model = small_model({**MODELS[name], "n": 400})
    target = JointTarget(assembled_of(model))
    assert target.model.sorted_factor >= 0
    assert np.all(np.diff(target.model.levels[target.model.sorted_factor]) >= 0)
    positions = 0.3 * np.random.default_rng(1).normal(size=(3, target.dimension))
    here = values_and_gradients(target.logdensity, target.data, target.data_type, positions)
    target.model = assembled_of(model).data
    there = values_and_gradients(target.logdensity, target.data, target.data_type, positions)
    np.testing.assert_allclose(here[0], there[0], rtol=1e-12)
    np.testing.assert_allclose(here[1], there[1], rtol=1e-9, atol=1e-9)


def test_rows_of_many_levels_stay_as_they_are():
    data = assembled_of(small_model({"formula": "y ~ x + (1|g)", "n": 60})).data
    assert sorted_rows(data).sorted_factor == -1


@pytest.mark.parametrize("d", [1, 4])
def test_the_mixtures_density(d):
    proposal = mixture(d)
    points = np.random.default_rng(1).normal(size=(6, d)) * 3
    scale = proposal.factor @ proposal.factor.T
    normal = stats.multivariate_normal(proposal.center, scale).pdf(points)
    wide = stats.multivariate_t(proposal.center, DEFENSIVE_WIDTH**2 * scale, df=5).pdf(points)
    expected = np.log((1 - DEFENSIVE_SHARE) * normal + DEFENSIVE_SHARE * wide)
    constant = -0.5 * d * np.log(2 * np.pi) - np.log(np.diag(proposal.factor)).sum()
    np.testing.assert_allclose(proposal.log_density(points) + constant, expected, rtol=1e-10)


def test_draws_of_the_mixture_have_its_density():
    proposal = mixture(2)
    draws = proposal.draw(np.random.default_rng(5), 40_000)
    # E[N / q] = 1 - whatever q is, if q is the density of the draws
    normal = stats.multivariate_normal(proposal.center, proposal.factor @ proposal.factor.T)
    constant = -np.log(2 * np.pi) - np.log(np.diag(proposal.factor)).sum()
    ratios = normal.pdf(draws) / np.exp(proposal.log_density(draws) + constant)
    assert abs(ratios.mean() - 1.0) < 5 * ratios.std() / np.sqrt(ratios.size)


def test_folded_coordinates_have_the_densities_of_both_signs():
    """Absolute values are drawn, and their density integrates to one."""
    plain = DefensiveMixture(np.array([0.4]), np.array([[0.8]]))
    mixture = replace(plain, folded=(0,))
    grid = np.linspace(0.0, 60.0, 600_001)[:, None]
    density = np.exp(mixture.log_density(grid)) / (0.8 * np.sqrt(2.0 * np.pi))
    assert np.trapezoid(density, grid[:, 0]) == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_allclose(
        np.exp(mixture.log_density(grid)), np.exp(plain.log_density(grid)) + np.exp(plain.log_density(-grid))
    )
    draws = mixture.draw(np.random.default_rng(1), 1000)
    np.testing.assert_array_equal(draws, np.abs(plain.draw(np.random.default_rng(1), 1000)))
    target = -0.5 * (draws[:, 0] - 0.2) ** 2
    assert mixture.refined(draws, target - mixture.log_density(draws)).folded == (0,)


def test_fitness_of_weights():
    assert fitness(np.zeros(50)).acceptance == pytest.approx(1.0)
    assert fitness(np.zeros(50)).largest == pytest.approx(1.0)
    rng = np.random.default_rng(2)
    log_weights = rng.normal(size=300)
    w = np.exp(log_weights) / np.exp(log_weights).sum()
    expected = np.minimum(1.0, w[None, :] / w[:, None]).mean(axis=1) @ w
    assert fitness(log_weights).acceptance == pytest.approx(expected)
    assert fitness(log_weights).largest == pytest.approx(300 * w.max())
    assert fitness(np.full(9, -np.inf)).acceptance == 0.0


def test_refining_finds_a_normal_target():
    """Exactly, by some draws more than a quadratic function has numbers."""
    target = stats.multivariate_normal([0.7, -0.4], [[1.3, 0.4], [0.4, 0.6]])
    proposal = DefensiveMixture(np.zeros(2), np.eye(2))
    draws = proposal.draw(np.random.default_rng(1), 40)
    log_weights = target.logpdf(draws) - proposal.log_density(draws)
    log_weights[7] = -np.inf
    refined = proposal.refined(draws, log_weights)
    np.testing.assert_allclose(refined.center, target.mean, atol=1e-9)
    np.testing.assert_allclose(refined.factor @ refined.factor.T, target.cov, atol=1e-9)
    assert proposal.refined(draws[:10], np.zeros(10)) is proposal


def test_moments_of_draws_move_to_the_target():
    target = stats.multivariate_normal([0.7, -0.4], [[1.3, 0.4], [0.4, 0.6]])
    proposal = DefensiveMixture(np.zeros(2), np.eye(2))
    draws = proposal.draw(np.random.default_rng(1), 2000)
    moved = proposal.with_moments(draws, target.logpdf(draws) - proposal.log_density(draws))
    np.testing.assert_allclose(moved.center, target.mean, atol=0.08)
    np.testing.assert_allclose(moved.factor @ moved.factor.T, target.cov, atol=0.12)
    assert proposal.with_moments(draws[:20], np.zeros(20)) is proposal


def test_refining_keeps_a_proposal_where_there_is_no_maximum():
    proposal = DefensiveMixture(np.zeros(2), np.eye(2))
    draws = proposal.draw(np.random.default_rng(1), 200)
    saddle = 0.1 * (draws[:, 0] ** 2 - draws[:, 1] ** 2)
    assert proposal.refined(draws, saddle - proposal.log_density(draws)) is proposal


def test_refining_a_skewed_target_accepts_more():
    """The logarithms of gamma variables, whose mode and curvature are known."""
    proposal = DefensiveMixture(np.full(3, np.log(4.0)), 0.5 * np.eye(3))

    def weighted(mixture, n, seed):
        draws = mixture.draw(np.random.default_rng(seed), n)
        return draws, (4.0 * draws - np.exp(draws)).sum(axis=1) - mixture.log_density(draws)

    refined = proposal.refined(*weighted(proposal, 250, 1))
    before, after = (fitness(weighted(mixture, 20_000, 2)[1]) for mixture in (proposal, refined))
    assert after.acceptance > before.acceptance + 0.02
    assert after.largest < before.largest


def test_a_chain_over_known_weights_has_the_targets_distribution():
    """Proposals 0, 1, 2 with equal probability, target 1 : 2 : 5."""
    rng = np.random.default_rng(8)
    proposals = rng.integers(0, 3, 60_000)
    log_weights = np.log([1.0, 2.0, 5.0])[proposals]
    indices, acceptances = np.empty(proposals.size, dtype=np.int64), np.empty(proposals.size)
    state = np.array([-np.inf, -1.0])
    accept_or_stay(log_weights, np.log(rng.random(proposals.size)), state, indices, acceptances)
    shares = np.bincount(proposals[indices], minlength=3) / proposals.size
    np.testing.assert_allclose(shares, [1 / 8, 2 / 8, 5 / 8], atol=0.015)
    assert state[0] == log_weights[indices[-1]]


@pytest.mark.parametrize("name", SERVED)
def test_the_same_posterior_as_nuts(name):
    model = small_model(SERVED[name])
    plan = model.plan()
    independent = run(plan, Settings(draws=1500, random_seed=11, progressbar=False))
    nuts = run(plan, Settings(draws=1500, random_seed=11, progressbar=False, inference_method="nuts"))
    assert (independent.method, nuts.method) == ("independence", "nuts")
    for column in range(independent.values.shape[2]):
        a, b = independent.values[..., column].ravel(), nuts.values[..., column].ravel()
        if np.ptp(b) == 0.0:
            continue
        sd = b.std()
        assert abs(a.mean() - b.mean()) < 0.12 * sd
        assert abs(a.std() / sd - 1.0) < 0.1
        for q in (0.05, 0.5, 0.95):
            assert abs(np.quantile(a, q) - np.quantile(b, q)) < 0.15 * sd


def test_the_same_draws_whatever_the_cores():
    plan = small_model(SERVED["bernoulli"]).plan()
    one, two = (run(plan, Settings(draws=300, random_seed=4, progressbar=False, cores=cores)) for cores in (1, 2))
    np.testing.assert_array_equal(one.values, two.values)


@pytest.mark.parametrize("seed", [7, [1, 2, 3], np.random.SeedSequence(5).spawn(1)[0]])
def test_any_seed_serves(seed):
    plan = small_model(SERVED["bernoulli"]).plan()
    one, two = (run(plan, Settings(draws=50, random_seed=seed, progressbar=False)) for _ in range(2))
    np.testing.assert_array_equal(one.values, two.values)


def test_a_proposal_that_does_not_fit_gives_way_to_nuts():
    """Twelve groups of a logistic model: scales and effects together are far from normal."""
    plan = small_model({"formula": "b ~ x + (z|g)", "family": "bernoulli"}).plan()
    assert run(plan, Settings(draws=50, random_seed=1, progressbar=False)).method == "nuts"


@pytest.mark.parametrize(
    "asked",
    [
        {"tune": 100},
        {"target_accept": 0.9},
        {"max_treedepth": 5},
        {"discard_tuned_samples": False},
        {"inference_method": "nuts"},
    ],
)
def test_settings_of_nuts_mean_nuts(asked):
    plan = small_model(SERVED["bernoulli"]).plan()
    assert run(plan, Settings(draws=30, random_seed=1, progressbar=False, **asked)).method == "nuts"


def test_ctrl_c_keeps_the_blocks_that_are_done(monkeypatch, caplog):
    plan = small_model(SERVED["bernoulli"]).plan()
    monkeypatch.setattr(independence, "PROPOSALS_PER_BLOCK", 400)
    evaluate, calls, last = JointTarget.log_densities, [], np.inf

    def interrupted(self, positions, cores):
        calls.append(len(positions))
        if len(calls) >= last:
            raise KeyboardInterrupt
        return evaluate(self, positions, cores)

    monkeypatch.setattr(JointTarget, "log_densities", interrupted)
    whole = run(plan, Settings(draws=300, random_seed=4, progressbar=False))
    last = len(calls)  # which is the last block's
    calls.clear()
    with caplog.at_level("WARNING", logger="nutslite"):
        kept = run(plan, Settings(draws=300, random_seed=4, progressbar=False))
    n = kept.values.shape[1]
    assert kept.interrupted
    assert 0 < n < 300
    assert kept.stats["lp"].shape == (4, n)
    assert f"kept the {n} finished draws of 4 of 4 chains" in caplog.text
    assert np.isfinite(kept.values).all()
    assert not whole.interrupted


def test_ctrl_c_before_the_first_block_is_one(monkeypatch):
    plan = small_model(SERVED["bernoulli"]).plan()
    monkeypatch.setattr(independence, "Chain", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(plan, Settings(draws=30, random_seed=4, progressbar=False))


def _interrupt(*_):
    raise KeyboardInterrupt


def test_launches_that_say_little_have_no_proposal(monkeypatch):
    plan = small_model(SERVED["bernoulli"]).plan()
    monkeypatch.setattr(JointTarget, "launch", lambda self: Launch(np.zeros(self.dimension), None))
    assert run(plan, Settings(draws=30, random_seed=1, progressbar=False)).method == "nuts"


def test_nuts_reaches_tails_that_proposals_do_not():
    """A separated coefficient with a Cauchy prior: NUTS in the metric of the mode's curvature stayed below 34."""
    y = np.arange(200) % 2
    x = np.zeros(200)
    x[[1, 3]] = 1.0  # both ones
    priors = {"x": nl.Prior("Cauchy", alpha=0, beta=2.5), "Intercept": nl.Prior("Normal", mu=0, sigma=1.5)}
    model = nl.Model("y ~ x", pd.DataFrame({"y": y, "x": x}), "bernoulli", priors=priors)
    results = model.fit(random_seed=1, progressbar=False, compute_convergence_checks=False)
    assert results.posterior.attrs["inference_method"] == "nuts"
    drawn = results.posterior["x"].to_numpy()
    assert drawn.max() > 97.4  # the 99 % quantile of the exact posterior, by quadrature
    assert 0.9 < (drawn < 33.9).mean() < 0.98  # the 95 % quantile


def test_wide_metrics_are_in_the_units_of_the_data():
    """A coefficient of 1e-5: a metric that adapted from units of one took a hundred times as many steps."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"income": rng.normal(50_000, 12_000, 150), "x": rng.normal(size=150)})
    data["c"] = rng.poisson(np.exp(0.5 + 2e-5 * (data["income"] - 50_000) + 0.3 * data["x"]))
    options = {"draws": 200, "chains": 2, "random_seed": 1, "progressbar": False, "compute_convergence_checks": False}
    results = nl.Model("c ~ income + x", data, "negativebinomial").fit(inference_method="nuts", **options)
    assert int(results.sample_stats["n_steps"].sum()) < 6_000
    assert not results.sample_stats["diverging"].any()
