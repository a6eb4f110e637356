"""Proposals with a target's shape along its axes, and what finds tails that no draw of a proposal comes to."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from nutslite.sampler.independence.axes import AlongAxes, along_axes
from nutslite.sampler.independence.proposals import DefensiveMixture, fitness
from nutslite.sampler.independence.tails import has_heavier_tails

MATRIX = np.array([[1.0, 0.0], [0.5, 0.8]])
SHAPE = 4.0


def skew(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of two gamma variables, mixed by a matrix, up to a constant; the mode is log(SHAPE) of each."""
    u = positions @ np.linalg.inv(MATRIX).T
    return (SHAPE * u - np.exp(u)).sum(axis=1)


def at_mode() -> DefensiveMixture:
    return DefensiveMixture(MATRIX @ np.full(2, np.log(SHAPE)), MATRIX / np.sqrt(SHAPE))


def shaped() -> AlongAxes:
    found = along_axes(skew, at_mode())
    assert found is not None
    return found


def test_it_accepts_more_than_the_normal_distribution():
    rng = np.random.default_rng(1)
    accepted = []
    for proposal in (at_mode(), shaped()):
        positions, log_densities = proposal.drawn(rng, 20_000)
        accepted.append(fitness(skew(positions) - log_densities).acceptance)
    assert accepted[0] < 0.88
    assert accepted[1] > 0.97


def test_densities_of_draws_are_those_of_their_positions():
    """The way there knows the standard numbers; the way back finds them, far out, too."""
    proposal = shaped()
    positions, log_densities = proposal.drawn(np.random.default_rng(2), 3000)
    np.testing.assert_allclose(proposal.log_density(positions), log_densities, rtol=1e-9, atol=1e-9)
    z = np.array([[-9.0, 30.0], [0.0, 0.0], [-4.0, 4.0]])
    np.testing.assert_allclose(proposal._straightened(proposal._bent(z)[0]), z, rtol=1e-9, atol=1e-9)


def test_the_density_integrates_to_one():
    proposal = shaped()
    x = np.linspace(-8.0, 8.0, 801)
    grid = proposal.center + np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2) @ proposal.factor.T
    density = np.exp(proposal.log_density(grid)).reshape(801, 801) / (2.0 * np.pi)
    assert np.trapezoid(np.trapezoid(density, x), x) == pytest.approx(1.0, abs=2e-3)


def test_draws_have_the_density():
    """E[N / q] = 1 - whatever q is, if q is the density of the draws."""
    proposal = shaped()
    draws, log_densities = proposal.drawn(np.random.default_rng(5), 40_000)
    normal = stats.multivariate_normal(proposal.center, 0.5 * proposal.factor @ proposal.factor.T)
    constant = -np.log(2 * np.pi) - np.log(np.diag(proposal.factor)).sum()
    ratios = normal.pdf(draws) / np.exp(log_densities + constant)
    assert abs(ratios.mean() - 1.0) < 5 * ratios.std() / np.sqrt(ratios.size)


def test_its_slopes_are_those_of_its_curve():
    proposal = shaped()
    z = np.random.default_rng(3).normal(size=(200, 2)) * 3.0
    step = 1e-6
    slopes = (proposal._bent(z + step)[0] - proposal._bent(z - step)[0]) / (2.0 * step)
    np.testing.assert_allclose(proposal._bent(z)[1], slopes, rtol=1e-6)


@pytest.mark.parametrize(
    "target",
    [
        lambda q: np.full(len(q), np.nan),
        lambda q: np.where(q[:, 0] < -1.0, -np.inf, -0.5 * (q * q).sum(axis=1)),  # ends within the middle
    ],
)
def test_there_is_none_where_a_target_has_no_such_shape(target):
    assert along_axes(target, DefensiveMixture(np.zeros(2), np.eye(2))) is None


@pytest.mark.parametrize("proposal", [DefensiveMixture(np.zeros(2), np.eye(2)), shaped()])
def test_tails(proposal):
    """A target is within its own proposals' tails; one of a wider t with fewer degrees of freedom is not."""
    draws, log_densities = proposal.drawn(np.random.default_rng(1), 500)
    for target, found in (
        (lambda q: -0.5 * ((q - proposal.center) ** 2).sum(axis=1) * 9.0, False),
        (stats.multivariate_t(proposal.center, np.eye(2), df=1).logpdf, True),
    ):
        log_weights = target(draws) - log_densities
        assert has_heavier_tails(target, proposal, log_weights, 8.0) is found


def test_tails_that_are_longer_than_at_any_rate_are_seen():
    """The shape along axes is taken to fall exponentially beyond six standard deviations. This does not."""

    def target(positions: NDArray[np.float64]) -> NDArray[np.float64]:
        return -1.5 * np.log1p((positions**2).sum(axis=1))

    proposal = along_axes(target, DefensiveMixture(np.zeros(2), np.eye(2)))
    assert proposal is not None
    draws, log_densities = proposal.drawn(np.random.default_rng(1), 500)
    assert has_heavier_tails(target, proposal, target(draws) - log_densities, 8.0)
