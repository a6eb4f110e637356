"""A large marginal density between evaluations: polynomials, draws without factorisations, the same posterior."""

from __future__ import annotations

import functools
import math

import numpy as np
import pandas as pd
import pytest
from small_models import grouped_data
from test_known_covariances import assembled_of, known

from nutslite.model import Model
from nutslite.posterior.marginal import interpolation
from nutslite.posterior.marginal.crossproducts import reduce_gaussian
from nutslite.posterior.marginal.interpolation import Interpolation, degree, interpolated, is_within, terms
from nutslite.posterior.marginal.large_draws import LargeDraws, inverse_root
from nutslite.posterior.marginal.large_marginal import LargeMarginal
from nutslite.posterior.marginal.large_proposal import laplace_proposal, refined_proposal
from nutslite.posterior.methods import large_independence
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.pilot.start import starting_position
from nutslite.posterior.run.run import run
from nutslite.posterior.targets.target import density_of


@pytest.fixture
def large(monkeypatch):
    """Models of two factors are as if they were large."""
    monkeypatch.setattr("nutslite.posterior.marginal.prices.LARGE_RISK", -1e9)
    monkeypatch.setattr(interpolation, "FEWEST_COLUMNS", 1)


def crossed_plan(formula="y ~ x + (1|g) + (1|h)", **settings):
    """Of 40 and 15 levels, whose scales are well known."""
    data, rng = grouped_data(500, 40), np.random.default_rng(8)
    h = rng.integers(0, 15, len(data))
    data = data.assign(h=[f"h{i}" for i in h], y=data["y"] + 0.6 * rng.normal(size=15)[h])
    plan = Model(formula, data, **settings).plan()
    assert plan.reduction is not None
    assert plan.reduction.large
    return plan


@functools.cache
def density_and_proposal():
    plan = crossed_plan()
    density = LargeMarginal(plan.reduction, density_of(plan.reduction.data.head))
    rough = laplace_proposal(density, starting_position(plan.assembled)[plan.reduction.kept])
    return density, refined_proposal(density, rough, np.random.default_rng(1))


@pytest.mark.parametrize("d", range(1, 8))
def test_terms_are_all_products_up_to_the_degree(d):
    z = np.random.default_rng(d).normal(size=(5, d))
    made = terms(z)
    assert made.shape == (5, math.comb(d + degree(d), d))
    exponents = np.array([e for e in np.ndindex(*[degree(d) + 1] * d) if sum(e) <= degree(d)])
    wanted = np.prod(z[:, None, :] ** exponents, axis=2)
    np.testing.assert_allclose(np.sort(made, axis=1), np.sort(wanted, axis=1), rtol=1e-12)
    assert made.shape[1] <= interpolation.MOST_TERMS


def test_lanczos_applies_the_inverse_square_root():
    """Of a matrix of its own for each column, whatever its eigenvalues."""
    rng = np.random.default_rng(2)
    n, r = 6, 40
    matrices = []
    for spread in np.linspace(0.0, 1.5, n):
        q = np.linalg.qr(rng.normal(size=(r, r)))[0]
        matrices.append((q * np.exp(spread * rng.normal(size=r))) @ q.T)
    x = rng.normal(size=(r, n))
    found = inverse_root(lambda y: np.stack([m @ y[:, k] for k, m in enumerate(matrices)], axis=1), x)
    for k, matrix in enumerate(matrices):
        values, vectors = np.linalg.eigh(matrix)
        np.testing.assert_allclose(found[:, k], vectors @ ((vectors.T @ x[:, k]) / np.sqrt(values)), atol=2e-5)


class Units:
    """Stands in for random numbers: the units of all coordinates in turn, and no noise for levels."""

    def __init__(self):
        self.calls = 0

    def standard_normal(self, shape):
        self.calls += 1
        return np.eye(shape[0]) if self.calls == 1 else np.zeros(shape)


def test_draws_have_the_conditional_covariance(large):
    """Far from the centre, where its factor is another: U^-1 A^-1/2 times its transpose is S^-1."""
    density, proposal = density_and_proposal()
    position = proposal.center + proposal.factor @ np.array([1.5, -2.0, 2.0])
    r = density.schur.shape[0] - 1
    drawn = LargeDraws(density, proposal.center).draw(np.tile(position, (r, 1)), np.zeros((r, r)), Units())
    targets = density.reduction.rest_targets
    rest = np.stack(
        [
            (drawn[0][:, t] if t >= 0 else drawn[1][:, -1 - t]) - density.reduction.shift[i]
            for i, t in enumerate(targets)
        ]
    )
    given = density.evaluate(position)[1]
    inverse = np.linalg.inv(np.triu(given.factor))
    np.testing.assert_allclose(rest @ rest.T, inverse @ inverse.T, rtol=1e-5, atol=1e-9)


def test_levels_are_drawn_given_the_rest(large):
    """Where the rest is the same, so are the means and variances of the eliminated factor's effects."""
    density, proposal = density_and_proposal()
    position = proposal.center + 0.5 * proposal.factor.sum(axis=1)
    given = density.evaluate(position)[1]
    n = 4000
    exact = density.draw(given, n, np.random.default_rng(1))
    means = np.tile(density.mean(given), (n, 1))
    drawn = LargeDraws(density, proposal.center).draw(np.tile(position, (n, 1)), means, np.random.default_rng(2))
    for one, other in zip(exact, drawn, strict=True):
        spread = one.std(axis=0)
        moves = spread > 1e-12
        errors = (one.mean(axis=0) - other.mean(axis=0))[moves] / (spread[moves] * math.sqrt(2.0 / n))
        assert np.abs(errors).max() < 5.0
        ratios = np.log(other.std(axis=0)[moves] / spread[moves])
        assert np.abs(ratios).max() < 5.0 / math.sqrt(n)
        np.testing.assert_allclose(one[:, ~moves], other[:, ~moves])


def test_polynomials_come_close(large):
    density, proposal = density_and_proposal()
    found = interpolated(density, proposal, np.random.default_rng(3), 1)
    assert found is not None
    positions = proposal.draw(np.random.default_rng(4), 60)
    positions = positions[is_within(found.standard(positions))]
    values = np.array([density.evaluate(position)[0] for position in positions])
    errors = found.log_density(positions) - values
    near = values > values.max() - 6.0
    assert np.abs(errors - np.median(errors))[near].max() < 0.02
    assert np.abs(found.mean(positions[:1]) - density.mean(density.evaluate(positions[0])[1])).max() < 1e-3


def test_beyond_what_is_known_is_no_density():
    empty = Interpolation(np.zeros(2), np.eye(2), np.zeros(45), np.zeros((45, 3)))
    np.testing.assert_array_equal(empty.log_density(np.array([[0.0, 0.0], [9.0, 0.0]])), [0.0, -np.inf])


@pytest.mark.parametrize(("limit", "value"), [("LARGEST_ERROR", 0.0), ("LARGEST_SHIFT", 0.0), ("REACH", -0.5)])
def test_what_is_not_close_is_not_taken(large, monkeypatch, limit, value):
    monkeypatch.setattr(interpolation, limit, value)
    density, proposal = density_and_proposal()
    assert interpolated(density, proposal, np.random.default_rng(3), 1) is None


def test_correlated_effects_are_evaluated(large):
    plan = crossed_plan("y ~ x + (1|g) + (x|h)", correlated=True)
    density = LargeMarginal(plan.reduction, density_of(plan.reduction.data.head))
    assert not interpolation.may_interpolate(density)


def test_the_posterior_is_the_one_of_evaluations(large, monkeypatch):
    settings = Settings(draws=1500, chains=4, random_seed=1, progressbar=False)
    drawn = run(crossed_plan(), settings)
    assert len(np.unique(drawn.values[:, :, 0])) > 0.95 * drawn.values[:, :, 0].size  # not two draws of a transition
    monkeypatch.setattr(interpolation, "FEWEST_COLUMNS", 10_000)
    exact = run(crossed_plan(), settings)
    for one, other in ((drawn.values, exact.values), (drawn.effects, exact.effects)):
        one, other = (np.reshape(each, (-1, each.shape[2])) for each in (one, other))
        spread = other.std(axis=0)
        moves = spread > 1e-12
        # those of evaluations are worth about 2,000 draws: two share their scales
        errors = (one.mean(axis=0) - other.mean(axis=0))[moves] / spread[moves]
        assert np.abs(errors).max() < 5.0 * math.sqrt(1 / 5000 + 1 / 2000)
        assert np.abs(np.log(one.std(axis=0)[moves] / spread[moves])).max() < 5.0 / math.sqrt(2000)
    np.testing.assert_allclose(np.median(drawn.stats["lp"]), np.median(exact.stats["lp"]), atol=0.25)


def test_effects_of_one_level_are_drawn(large, monkeypatch):
    """A covariance between levels that is known: all effects are those of one level, and none is eliminated."""
    monkeypatch.setattr("nutslite.posterior.marginal.crossproducts.WIDEST_ELIMINATED", 1)
    reduction = reduce_gaussian(assembled_of(known()))
    assert reduction.large
    assert reduction.level_counts.size == 0
    density = LargeMarginal(reduction, density_of(reduction.data.head))
    position = np.zeros(reduction.kept.size)
    r = density.schur.shape[0] - 1
    drawn = LargeDraws(density, position).draw(np.tile(position + 0.2, (r, 1)), np.zeros((r, r)), Units())
    given = density.evaluate(position + 0.2)[1]
    inverse = np.linalg.inv(np.triu(given.factor))
    rest = np.stack(
        [
            (drawn[0][:, t] if t >= 0 else drawn[1][:, -1 - t]) - reduction.shift[i]
            for i, t in enumerate(reduction.rest_targets)
        ]
    )
    np.testing.assert_allclose(rest @ rest.T, inverse @ inverse.T, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_polynomials_rise_nowhere_that_the_density_does_not(seed, monkeypatch):
    """With about one row a level they rose by dozens where no value held them, and chains stayed there."""
    rng = np.random.default_rng(3)
    n, levels, others = 320, 300, 120
    a, b = rng.integers(0, levels, n), rng.integers(0, others, n)
    a[:levels], b[:others] = np.arange(levels), np.arange(others)
    data = pd.DataFrame({"a": [f"a{i}" for i in a], "b": [f"b{i}" for i in b], "x": rng.normal(size=n)})
    y = 0.3 * data["x"] + 0.5 * rng.normal(size=levels)[a] + 0.5 * rng.normal(size=others)[b] + rng.normal(size=n)
    kept = []

    def keeping(density, proposal, *arguments):
        kept.append((density, proposal, found(density, proposal, *arguments)))
        return kept[-1][2]

    found = large_independence.interpolated
    monkeypatch.setattr(large_independence, "interpolated", keeping)
    model = Model("y ~ x + (1|a) + (1|b)", data.assign(y=y))
    model.fit(random_seed=seed, draws=50, chains=1, progressbar=False, compute_convergence_checks=False)
    ((density, proposal, polynomials),) = kept
    if polynomials is None:  # every draw is evaluated
        return
    positions = proposal.draw(np.random.default_rng(9), 40_000)
    weights = polynomials.log_density(positions) - proposal.log_density(positions)
    for place in np.argsort(weights)[-10:]:
        exact = [density.evaluate(each)[0] for each in (positions[place], proposal.center)]
        between = polynomials.log_density(np.stack([positions[place], proposal.center]))
        assert between[0] - between[1] < exact[0] - exact[1] + 1.0
