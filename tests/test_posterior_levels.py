"""Effects of one factor, integrated out or drawn level by level, beside quadrature, the joint density and NUTS."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from small_models import grouped_data

import nutslite as nl
from nutslite.posterior.density.joint import compiled_joint
from nutslite.posterior.independence import trials
from nutslite.posterior.integrals.pieces import Pieces, draw_from_pieces, fill_pieces
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.pilot.mode import Mode
from nutslite.posterior.pilot.nested_mode import nested_proposal
from nutslite.posterior.run.run import run
from nutslite.sampler.independence.proposals import fitness

NODES = 5
MODELS = {
    "bernoulli": {"formula": "b ~ x + (1|g)", "family": "bernoulli"},
    "probit": {"formula": "b ~ x + (1|g)", "family": "bernoulli", "link": "probit"},
    "cloglog": {"formula": "b ~ x + (1|g)", "family": "bernoulli", "link": "cloglog"},
    "binomial": {"formula": "p(s, trials) ~ c + (1|g)", "family": "binomial"},
    "poisson": {"formula": "k ~ x + c + (1|g)", "family": "poisson"},
    "negativebinomial": {"formula": "over ~ x + (1|g)", "family": "negativebinomial"},
    "hurdle_poisson": {"formula": "k ~ x + (1|g)", "family": "hurdle_poisson"},
    "gamma": {"formula": "pos ~ x + (1|g)", "family": "gamma", "link": "log"},
    "exponential": {"formula": "pos ~ x + (1|g)", "family": "exponential"},
    "weibull": {"formula": "pos ~ x + (1|g)", "family": "weibull"},
    "lognormal": {"formula": "pos ~ x + (1|g)", "family": "lognormal"},
    "hurdle_gamma": {"formula": "pos ~ x + (1|g)", "family": "hurdle_gamma"},
    "hurdle_lognormal": {"formula": "pos ~ x + (1|g)", "family": "hurdle_lognormal"},
    "exgaussian": {"formula": "y ~ x + (1|g)", "family": "exgaussian"},
    "skew_normal": {"formula": "y ~ x + (1|g)", "family": "skew_normal"},
    "sigma of rows": {"formula": "y ~ x + (1|g)\nsigma ~ z", "family": "gaussian"},
    "cumulative": {"formula": "c ~ x + (1|g)", "family": "cumulative", "categorical": ["c"]},
    "sratio": {"formula": "c ~ x + (1|g)", "family": "sratio", "categorical": ["c"]},
    "slopes": {"formula": "b ~ x + (0 + z|g)", "family": "bernoulli"},
    "offset and weights": {"formula": "weighted(k, w) ~ x + offset(o) + (1|g)", "family": "poisson"},
}


def model_of(name: str) -> nl.Model:
    settings = dict(MODELS[name])
    formula, categorical = settings.pop("formula").split("\n"), settings.pop("categorical", None)
    data = grouped_data()
    data["over"] = np.random.default_rng(1).poisson(data["k"] * np.random.default_rng(2).gamma(1.5, 1.5, len(data)))
    if categorical:
        data["c"] = data["c"].astype("category").cat.as_ordered()
    return nl.Model(nl.Formula(*formula), data, **settings)


def target_of(name: str):
    plan = model_of(name).plan()
    assert plan.by_levels, str(plan)
    return plan.levels_target(1)


def positions_of(launch) -> np.ndarray:
    """The mode, and modes given scales that are far from its own."""
    proposal = launch.proposal
    positions = np.tile(launch.center, (3, 1))
    others = np.delete(np.arange(launch.center.size), proposal.along)
    for row, node in ((1, 1), (2, -2)):
        positions[row, proposal.along] = proposal.nodes[node]
        positions[row, others] = proposal.centers[node]
    return positions


def joint(target, position, effects):
    """The joint log density, effects of all levels apart: `effects` (m, levels) raw."""
    data = (target.reference, target.priors, target.loglik)
    evaluate, scratch = compiled_joint(), np.empty(position.size + effects.shape[1])
    return np.array([evaluate(np.concatenate([position, raw]), scratch, data) for raw in effects])


@pytest.mark.parametrize("name", MODELS)
def test_the_integral_is_that_of_quadrature(name):
    """Level by level: the joint density as a function of one raw effect, the others where they are, is one factor."""
    target = target_of(name)
    launch = target.launch()
    levels = target.uniforms
    for position in positions_of(launch):
        log_density = target.log_densities(position[None], 1)[0]
        zero = joint(target, position, np.zeros((1, levels)))[0]
        total = zero
        for level in range(levels):
            at = np.zeros(levels)

            def density(raw, at=at, level=level, position=position, zero=zero):
                at[level] = raw
                return np.exp(joint(target, position, at[None])[0] - zero)

            far = 9.0 * np.exp(position[launch.proposal.along])  # standard deviations of the prior
            total += np.log(integrate.quad(density, -far, far, epsrel=1e-7, limit=200)[0])
        assert log_density == pytest.approx(total, abs=0.02)


@pytest.mark.parametrize("name", MODELS)
def test_draws_of_effects_have_the_density_that_they_count_with(name):
    """The ratio of the joint density and that of the draws has the integral as its mean."""
    target = target_of(name)
    launch = target.launch()
    rng = np.random.default_rng(2)
    for position in positions_of(launch):
        proposals = np.concatenate([np.tile(position, (1000, 1)), rng.random((1000, target.uniforms))], axis=1)
        ratios = target.log_densities(proposals, 1) - target.log_densities(position[None], 1)[0]
        assert ratios.std() < 0.15
        assert np.log(np.mean(np.exp(ratios))) == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize(
    ("formula", "settings"),
    [
        ("k ~ x + (x|g)", {"family": "poisson"}),
        ("k ~ x + (1|g) + (1|h)", {"family": "poisson"}),
        ("k ~ x + (1|g)", {"family": "zero_inflated_poisson"}),
        ("y ~ x + (1|g)", {"family": "t"}),
        ("pos ~ x + (1|g)", {"family": "gamma", "link": "inverse"}),
        ("b ~ x + (1|g)", {"family": "bernoulli", "link": "cauchit"}),
        ("k ~ x + (1|g)", {"family": "poisson", "priors": {"1|g": nl.Prior("Normal", mu=0, sigma=1)}}),
        (
            "k ~ x + (1|g)",
            {"family": "poisson", "priors": {"1|g": nl.Prior("Laplace", mu=0, b=nl.Prior("HalfNormal", sigma=1))}},
        ),
    ],
)
def test_other_models_are_left_to_nuts(formula, settings):
    assert not nl.Model(formula, grouped_data(), **settings).plan().by_levels


def test_what_is_asked_for_is_heeded():
    model = model_of("poisson")
    assert not model.plan(path="joint").by_levels
    for pilot in ("levels", "matrix", False):
        assert not model.plan(pilot=pilot).by_levels
    settings = Settings(draws=50, chains=2, random_seed=1, progressbar=False, inference_method="nuts", tune=50)
    assert run(model.plan(), settings).method == "nuts"


@pytest.mark.parametrize("name", ["bernoulli", "poisson", "slopes", "cumulative", "gamma"])
def test_the_same_posterior_as_nuts(name):
    plan = model_of(name).plan()
    own, other = (
        run(plan, Settings(draws=2000, chains=2, random_seed=3, progressbar=False, inference_method=method))
        for method in ("auto", "nuts")
    )
    assert own.method == "independence"
    assert "level by level" in own.remark
    for ours, theirs in ((own.values, other.values), (own.effects, other.effects)):
        ours, theirs = ours.reshape(4000, -1), theirs.reshape(4000, -1)
        varies = theirs.std(axis=0) > 0
        ours, theirs = ours[:, varies], theirs[:, varies]
        error = np.sqrt((ours.var(axis=0) + theirs.var(axis=0)) / 1200)
        assert np.all(np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) <= 4.5 * error)
        assert np.allclose(ours.std(axis=0), theirs.std(axis=0), rtol=0.2)


def test_far_from_the_nodes_integrals_are_those_of_a_search():
    """Left of the first node too, where standard deviations are smaller than at it."""
    data = grouped_data(200, 40)
    target = nl.Model("k ~ x + (1|g)", data, family="poisson").plan().levels_target(1)
    proposal, known = target.launch().proposal, target.modes
    positions = np.tile(proposal.center, (12, 1))
    positions[:, proposal.along] = np.linspace(-12.0, 1.5, 12)
    found = target.log_densities(positions, 1)
    target.modes = known._replace(nodes=np.empty(0))
    np.testing.assert_allclose(found, target.log_densities(positions, 1), atol=0.05)


@pytest.mark.parametrize("intercept", [0.0, 4.0, 8.0])
def test_counts_of_thousands(intercept):
    rng = np.random.default_rng(13)
    g, x = np.repeat(np.arange(15), 8), rng.normal(size=120)
    eta = intercept + 0.5 * x + rng.normal(size=15)[g]
    data = pd.DataFrame({"g": [f"g{i}" for i in g], "x": x, "y": rng.poisson(np.exp(eta)), "far": 1e3 * x})
    for formula in ("y ~ x + (1|g)", "y ~ x + (0 + far|g)"):
        launch = nl.Model(formula, data, family="poisson").plan().levels_target(1).launch()
        assert launch.proposal is not None
    plan = nl.Model("y ~ x + (1|g)", data, family="poisson").plan()
    assert run(plan, Settings(draws=50, random_seed=1, progressbar=False)).method == "independence"


@pytest.mark.slow
def test_the_same_draws_without_the_compiler():
    """A curvature that overflows is no error there either."""
    code = (
        "import nutslite as nl; from small_models import grouped_data; "
        "r = nl.Model('k ~ x + (1|g)', grouped_data(60, 9), family='poisson').fit("
        "draws=20, chains=2, random_seed=3, progressbar=False); "
        "print(r.posterior.attrs['inference_method'], float(r.posterior['1|g_sigma'].mean()))"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **extra}, cwd=Path(__file__).parent, capture_output=True,
            text=True, check=True,
        ).stdout.split()
        for extra in ({}, {"NUMBA_DISABLE_JIT": "1"})
    ]  # fmt: skip
    assert printed[0][0] == printed[1][0] == "independence"
    assert float(printed[0][1]) == pytest.approx(float(printed[1][1]), rel=1e-9)


def test_the_same_draws_whatever_the_cores():
    plan = model_of("poisson").plan()
    one, two = (run(plan, Settings(draws=100, random_seed=1, progressbar=False, cores=cores)) for cores in (1, 2))
    assert one.method == "independence"
    np.testing.assert_array_equal(one.values, two.values)
    np.testing.assert_array_equal(one.effects, two.effects)


def test_a_run_goes_on():
    plan = model_of("poisson").plan()
    settings = Settings(draws=100, random_seed=1, progressbar=False)
    first = run(plan, settings)
    longer = first.longer(160)
    assert longer.values.shape[1] == 160
    np.testing.assert_array_equal(longer.effects[:, :100], first.effects)


def test_where_the_proposal_does_not_fit_nuts_samples(monkeypatch):
    monkeypatch.setattr(trials, "LOWEST_ACCEPTANCE", 0.999)
    plan = model_of("poisson").plan()
    fit = run(plan, Settings(draws=50, chains=2, random_seed=1, progressbar=False))
    assert fit.method == "nuts"


class TestPieces:
    def filled(self, logs, slopes, points=41):
        n = logs.shape[1]
        pieces = Pieces(np.empty((points, n)), np.empty((2, n)), np.empty(n), np.empty(n))
        fill_pieces(logs.copy(), slopes.copy(), pieces)
        return pieces

    def normals(self, sd=0.6):
        x = np.arange(NODES)[:, None] - np.array([2.0, 2.2])
        return -0.5 * (x / sd) ** 2, -x / sd**2

    def test_the_integral_of_a_normal_density(self):
        pieces = self.filled(*self.normals())
        integrals = pieces.totals * np.exp(pieces.tops)
        np.testing.assert_allclose(integrals, 0.6 * np.sqrt(2 * np.pi), rtol=2e-3)

    def test_draws_have_the_density(self):
        pieces = self.filled(*self.normals())
        uniforms = (np.arange(4000) + 0.5) / 4000
        draws = np.array([draw_from_pieces(pieces, NODES, 0, u) for u in uniforms])
        assert np.all(np.diff(draws[:, 0]) > 0)
        by_differences = 1.0 / (np.diff(draws[:, 0]) * 4000)
        middle = 0.5 * (np.exp(draws[1:, 1]) + np.exp(draws[:-1, 1]))
        inside = slice(100, -100)
        np.testing.assert_allclose(by_differences[inside], middle[inside], rtol=0.02)
        assert stats.kstest(draws[:, 0], stats.norm(2.0, 0.6).cdf).statistic < 0.01

    @pytest.mark.parametrize("wrong", [-np.inf, np.nan, -1e9])
    def test_nodes_without_a_density(self, wrong):
        logs, slopes = self.normals()
        logs[0], slopes[0], logs[-1] = wrong, np.nan, wrong
        pieces = self.filled(logs, slopes)
        assert np.isfinite(pieces.totals).all()
        for uniform in (1e-12, 0.1, 0.5, 0.9, 1.0 - 1e-12):
            assert np.isfinite(draw_from_pieces(pieces, NODES, 1, uniform)).all()

    def test_tails_are_drawn_too(self):
        pieces = self.filled(*self.normals(2.5))
        low, high = (draw_from_pieces(pieces, NODES, 0, u)[0] for u in (1e-6, 1.0 - 1e-6))
        assert low < 0.0
        assert high > NODES - 1


def banana(positions):
    """Normal in the first coordinate; the second's place and width depend on it."""
    t, x = positions[:, 0], positions[:, 1]
    sd = np.exp(0.3 * t)
    return -0.5 * t**2 - 0.5 * ((x - t**2) / sd) ** 2 - np.log(sd)


class TestNested:
    def proposal(self):
        return nested_proposal(banana, Mode(np.zeros(2), np.eye(2), 0.0), 0)

    def test_it_fits_what_no_normal_distribution_fits(self):
        proposal = self.proposal()
        positions = proposal.draw(np.random.default_rng(1), 4000)
        found = fitness(banana(positions) - proposal.log_density(positions))
        assert found.acceptance > 0.9
        assert found.largest < 3.0

    def test_its_density_is_one_and_that_of_its_draws(self):
        proposal = self.proposal()
        t, x = np.linspace(-9, 9, 721), np.linspace(-60, 120, 3601)
        grid = np.stack(np.meshgrid(t, x, indexing="ij"), axis=-1).reshape(-1, 2)
        density = np.exp(proposal.log_density(grid)).reshape(t.size, x.size) / np.sqrt(2 * np.pi)
        assert density.sum() * (t[1] - t[0]) * (x[1] - x[0]) == pytest.approx(1.0, abs=0.01)
        marginal = density.sum(axis=1) * (x[1] - x[0])
        drawn = proposal.draw(np.random.default_rng(2), 40_000)[:, 0]
        below = np.cumsum(marginal) * (t[1] - t[0])
        assert stats.kstest(drawn, lambda value: np.interp(value, t + 0.5 * (t[1] - t[0]), below)).statistic < 0.01

    def test_none_where_there_is_no_mode(self):
        assert nested_proposal(lambda p: np.full(len(p), np.nan), Mode(np.zeros(2), np.eye(2), 0.0), 0) is None
        assert nested_proposal(lambda p: p[:, 1] ** 2, Mode(np.zeros(2), np.eye(2), 0.0), 0) is None
