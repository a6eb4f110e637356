"""Normals fitted to log densities: exact where these are normal, for any condition; draws and weights of several."""

from __future__ import annotations

import numpy as np
import pytest
from known_targets import funnel
from scipy import stats

from nutslite._pareto import smoothed
from nutslite.sampler.pathfinder.low_rank_normal import LowRankNormal, diagonal_normal
from nutslite.sampler.variational.batch_and_match import (
    DENSE,
    batch_and_match,
    batch_size,
    match_dense,
)
from nutslite.sampler.variational.candidates import DEGREES_OF_FREEDOM, candidates, resampled
from nutslite.sampler.variational.dense_normal import DenseNormal
from nutslite.sampler.variational.linear_response import linear_response
from nutslite.sampler.variational.low_rank_match import LOW_RANK, RANK, average_low_rank, match_low_rank
from nutslite.sampler.variational.mean_field import MeanField, fit_mean_field, fixed_draws


class Normal:
    """A normal density, nothing else known of it, and how often it was asked."""

    def __init__(self, mean, covariance):
        self.mean, self.covariance = mean, covariance
        self.precision = np.linalg.inv(covariance)
        self.sds = np.sqrt(np.diag(covariance))
        self.asked = 0

    def __call__(self, positions):
        self.asked += len(positions)
        gradients = -(positions - self.mean) @ self.precision
        return 0.5 * np.sum(gradients * (positions - self.mean), axis=1), gradients


@pytest.fixture
def target():
    """50 dimensions, condition number 1e6."""
    rng = np.random.default_rng(50)
    axes = np.linalg.qr(rng.normal(size=(50, 50)))[0]
    return Normal(rng.normal(size=50), (axes * np.geomspace(1.0, 1e-6, 50)) @ axes.T)


@pytest.fixture
def wide():
    """A covariance of diagonal and low rank."""
    rng = np.random.default_rng(1)
    loadings = rng.normal(size=(80, 3))
    return Normal(rng.normal(size=80), np.diag(rng.uniform(0.5, 2.0, 80)) + loadings @ loadings.T)


def standard(dimension):
    return DenseNormal(np.zeros(dimension), np.eye(dimension))


def khat(density, normals):
    drawn = candidates(normals, np.random.default_rng(1), 4000)
    return smoothed(density(drawn.positions)[0] - drawn.log_density)[1]


class TestBatchAndMatch:
    def test_exact_of_a_normal_density(self, target):
        found = batch_and_match(target, standard(50), DENSE, np.random.default_rng(1), batch_size(50))
        assert found.converged
        assert found.steps <= 60
        assert found.gradients == target.asked <= 5000
        error = found.normal.covariance - target.covariance
        assert np.linalg.norm(error) < 1e-6 * np.linalg.norm(target.covariance)
        np.testing.assert_allclose(found.normal.center, target.mean, rtol=1e-6)
        assert khat(target, [found.normal]) < 0.2

    def test_a_step_solves_its_equation(self):
        """S U S + S = V, equation 9 of the paper, and the mean that follows from S."""
        rng = np.random.default_rng(2)
        present = DenseNormal.of(rng.normal(size=4), np.cov(rng.normal(size=(4, 30))))
        z, g, rate = rng.normal(size=(7, 4)), rng.normal(size=(7, 4)), 3.0
        new = match_dense(present, z, g, rate)
        share, off = rate / (1 + rate), present.center - z.mean(axis=0)
        u = rate * np.cov(g.T, bias=True) + share * np.outer(g.mean(axis=0), g.mean(axis=0))
        v = present.covariance + rate * np.cov(z.T, bias=True) + share * np.outer(off, off)
        s = new.covariance
        np.testing.assert_allclose(s @ u @ s + s, v, atol=1e-12)
        center = present.center / (1 + rate) + share * (s @ g.mean(axis=0) + z.mean(axis=0))
        np.testing.assert_allclose(new.center, center)

    def test_the_same_step_of_low_rank(self):
        rng = np.random.default_rng(3)
        present = diagonal_normal(rng.normal(size=6), rng.uniform(0.5, 2.0, 6))
        z, g = rng.normal(size=(5, 6)), rng.normal(size=(5, 6))
        wanted = match_dense(DenseNormal(present.center, np.diag(present.scales)), z, g, 2.0)
        found = match_low_rank(present, z, g, 2.0)
        assert found.basis.shape[1] <= RANK
        np.testing.assert_allclose(found.center, wanted.center)
        np.testing.assert_allclose(found.sds, wanted.sds)

    def test_low_rank_finds_a_density_of_low_rank(self, wide):
        start = diagonal_normal(np.zeros(80), np.ones(80))
        found = batch_and_match(wide, start, LOW_RANK, np.random.default_rng(1), 128)
        np.testing.assert_allclose(found.normal.sds, wide.sds, rtol=0.02)
        assert (np.abs(found.normal.center - wide.mean) < 0.02 * wide.sds).all()
        assert khat(wide, [found.normal]) < 0.5

    def test_an_average_has_the_variances_of_its_parts(self):
        rng = np.random.default_rng(4)
        basis = np.linalg.qr(rng.normal(size=(9, 2)))[0]
        normals = [LowRankNormal(np.full(9, i), np.full(9, 1.0 + i), basis, (2.0 - i) * np.eye(2)) for i in (0.0, 1.0)]
        average = average_low_rank(normals)
        np.testing.assert_allclose(average.sds**2, np.mean([normal.sds**2 for normal in normals], axis=0))
        np.testing.assert_allclose(average.center, 0.5)

    def test_half_a_normal_is_matched_where_it_is(self):
        """Draws without a density are moved towards the centre, not handed on."""

        def half(positions):
            inside = positions[:, 0] > -1.0
            return np.where(inside, -0.5 * np.sum(positions**2, axis=1), -np.inf), -positions

        found = batch_and_match(half, standard(3), DENSE, np.random.default_rng(1), 32)
        assert found.converged
        np.testing.assert_allclose(found.normal.sds, 1.0, atol=1e-6)

    def test_a_step_too_long_is_taken_back(self):
        """Gradients that point away from a narrow density would throw the first steps far off."""

        def narrow(positions):
            return -np.sum(np.abs(50.0 * positions) ** 1.5, axis=1), -75.0 * np.sign(positions) * np.sqrt(
                np.abs(50.0 * positions)
            )

        start = DenseNormal(np.full(3, 5.0), np.eye(3))
        found = batch_and_match(narrow, start, DENSE, np.random.default_rng(1), 32)
        assert (np.abs(found.normal.center) < 0.02).all()
        assert (found.normal.sds < 0.1).all()

    def test_nowhere_a_density(self):
        def nowhere(positions):
            return np.full(len(positions), -np.inf), np.zeros(positions.shape)

        found = batch_and_match(nowhere, standard(2), DENSE, np.random.default_rng(1), 32)
        assert not found.converged
        assert found.steps == 0


class TestMeanField:
    def test_of_a_normal_density(self, target):
        """Scales are those given all other numbers, and linear response has the true ones, both to 1e-4."""
        start = MeanField(np.zeros(50), np.ones(50), fixed_draws(np.random.default_rng(1), 50))
        response = linear_response(target, fit_mean_field(target, start))
        assert response.converged
        np.testing.assert_allclose(response.field.scales, np.diag(target.precision) ** -0.5, rtol=1e-4)
        np.testing.assert_allclose(response.normal.sds, target.sds, rtol=1e-4)
        np.testing.assert_allclose(response.normal.covariance, target.covariance, atol=1e-4 * target.sds.max() ** 2)
        np.testing.assert_allclose(response.normal.center, target.mean, atol=1e-6)
        assert response.sampling_error < 0.5
        assert khat(target, [response.field.normal]) > 0.7
        assert khat(target, [response.normal]) < 0.2

    @pytest.mark.parametrize("dimension", [1, 30, 62, 100])
    def test_fixed_draws_have_the_moments_of_the_normal(self, dimension):
        draws = fixed_draws(np.random.default_rng(0), dimension)
        np.testing.assert_allclose(draws.mean(axis=0), 0.0, atol=1e-12)
        np.testing.assert_allclose(np.mean(draws**2, axis=0), 1.0)
        if dimension <= 62:
            np.testing.assert_allclose(draws.T @ draws / len(draws), np.eye(dimension), atol=1e-10)

    def test_the_error_by_the_fixed_draws_is_what_it_is_called(self):
        """Means of many fits to a skewed density, each with its own draws, differ by about as much."""

        def skewed(positions):  # the logarithm of a gamma variable of shape 2
            return np.sum(2.0 * positions - np.exp(positions), axis=1), 2.0 - np.exp(positions)

        found = []
        for seed in range(30):
            start = MeanField(np.zeros(1), np.ones(1), fixed_draws(np.random.default_rng(seed), 1))
            found.append(linear_response(skewed, fit_mean_field(skewed, start)))
        means = np.array([one.normal.center[0] for one in found])
        said = np.mean([one.sampling_error * one.normal.sds[0] for one in found])
        assert 0.02 * said < means.std(ddof=1) < 1.3 * said  # moments are held, so less than independent draws would

    def test_a_narrow_start_where_a_wide_one_has_no_density(self):
        def inside(positions):
            with np.errstate(invalid="ignore", divide="ignore"):
                left = 1.0 - positions**2
                return np.sum(np.where(left > 0, np.log(left), -np.inf), axis=1), -2.0 * positions / left

        start = MeanField(np.zeros(2), np.full(2, 3.0), fixed_draws(np.random.default_rng(0), 2))
        field = fit_mean_field(inside, start)
        assert (field.scales < 0.6).all()
        assert fit_mean_field(lambda z: (np.full(len(z), -np.inf), z), start) is None


class TestCandidates:
    def test_normals_alone_have_their_density(self):
        normals = [DenseNormal.of(np.full(3, i), np.eye(3) * (1.0 + i) + 0.3) for i in (0.0, 1.0)]
        drawn = candidates(normals, np.random.default_rng(0), 11, tails=False)
        assert len(drawn.positions) == drawn.own == 12
        wanted = [stats.multivariate_normal(n.center, n.covariance).logpdf(drawn.positions) for n in normals]
        constant = 1.5 * np.log(2 * np.pi)
        np.testing.assert_allclose(drawn.log_density, np.logaddexp(*wanted) - np.log(2) + constant)

    def test_with_tails_half_are_of_a_t(self):
        covariance = np.cov(np.random.default_rng(5).normal(size=(2, 9)))
        drawn = candidates([DenseNormal.of(np.ones(2), covariance)], np.random.default_rng(0), 4000)
        assert drawn.own == 2000
        t = stats.multivariate_t(np.ones(2), covariance, df=DEGREES_OF_FREEDOM).logpdf(drawn.positions)
        normal = stats.multivariate_normal(np.ones(2), covariance).logpdf(drawn.positions)
        constant = np.log(2 * np.pi)
        np.testing.assert_allclose(drawn.log_density, np.logaddexp(t, normal) - np.log(2) + constant)
        np.testing.assert_allclose(drawn.own_log_density, normal[:2000] + constant)
        squares = np.sum((drawn.positions[2000:] - 1.0) @ np.linalg.inv(covariance) * (drawn.positions[2000:] - 1.0), 1)
        assert stats.kstest(squares / 2.0, stats.f(2, DEGREES_OF_FREEDOM).cdf).pvalue > 1e-3

    def test_each_draw_is_kept_as_often_as_its_weight_says(self):
        weights = np.random.default_rng(0).dirichlet(np.full(40, 0.5))
        chosen = resampled(np.log(weights), 500, np.random.default_rng(1))
        counts = np.bincount(chosen, minlength=40)
        assert counts.sum() == 500
        assert (np.abs(counts - 500 * weights) <= 1.0 + 1e-9).all()
        assert (np.diff(chosen) < 0).any()


def test_a_funnel_is_not_believed():
    """No normal is near it, however it is fitted."""

    def ten(positions):
        gradients = np.empty(positions.shape)
        return np.array([funnel(p, g, None) for p, g in zip(positions, gradients, strict=True)]), gradients

    matched = batch_and_match(ten, standard(10), DENSE, np.random.default_rng(1), 32)
    assert khat(ten, [matched.normal]) > 0.7
    start = MeanField(np.zeros(10), np.ones(10), fixed_draws(np.random.default_rng(1), 10))
    assert khat(ten, [fit_mean_field(ten, start).normal]) > 0.7
