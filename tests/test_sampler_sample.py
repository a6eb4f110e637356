"""The driver: known densities, the same draws from the same seed, statistics, settings and errors."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from sampler_targets import correlated_normal, half_line, independent_normals, light_funnel, nowhere_finite
from scipy import stats

from nutslite._numba import jit_disabled
from nutslite.exceptions import SamplingError
from nutslite.results.diagnostics.diagnostics import ess_bulk, rhat
from nutslite.sampler import (
    STATISTIC_NAMES,
    STATISTICS,
    arrowhead_metric,
    dense_metric,
    diagonal_metric,
    sample,
)

PRECISION = np.array([[2.0, 0.9, 0.0], [0.9, 1.0, -0.3], [0.0, -0.3, 0.5]])
MEAN = np.array([1.0, -20.0, 300.0])

needs_compilation = pytest.mark.skipif(jit_disabled(), reason="nothing is compiled under NUMBA_DISABLE_JIT=1")


@functools.cache
def normal_run(**changes):
    arguments = {"initial": (0.0, 0.0, 300.0), "draws": 300, "tune": 200, "chains": 4, "random_seed": 7}
    return sample(correlated_normal, (MEAN, PRECISION), **{**arguments, **changes})


def assert_moments(draws, mean, covariance):
    """Means, variances and correlations within 4.5 of their own standard errors (normal draws, measured ESS)."""
    scale = np.sqrt(np.diag(covariance))
    z = (draws.positions - mean) / scale
    correlation = covariance / np.outer(scale, scale)
    for i in range(z.shape[2]):
        assert rhat(z[:, :, i]) < 1.02
        assert abs(z[:, :, i].mean()) < 4.5 / math.sqrt(ess_bulk(z[:, :, i]))
        for j in range(i + 1):
            product = z[:, :, i] * z[:, :, j]
            error = product.std() / math.sqrt(ess_bulk(product))
            assert abs(product.mean() - correlation[i, j]) < 4.5 * error


@pytest.mark.parametrize("metric", ["diag_grad", "diag", "dense"])
def test_a_correlated_normal_is_recovered(metric):
    draws = normal_run(metric=metric, draws=2000, tune=500)
    assert_moments(draws, MEAN, np.linalg.inv(PRECISION))
    assert not draws.stats["diverging"].any()


def test_an_ill_conditioned_normal_is_recovered():
    variances = np.exp(np.linspace(-9.0, 9.0, 12))
    draws = sample(independent_normals, (variances,), initial=np.zeros(12), draws=1500, tune=600, random_seed=3)
    assert_moments(draws, np.zeros(12), np.diag(variances))


def test_fixed_metrics_leave_the_posterior_as_it_is():
    """Right or wrong, a metric changes the work and not the answer."""
    border, coupling, blocks = PRECISION[:1, :1], PRECISION[1:, :1], PRECISION[1:, 1:][None] + 0.5 * np.eye(2)
    for metric in (
        arrowhead_metric(border, coupling, blocks),
        dense_metric(np.diag([0.2, 3.0, 1.0])),
        diagonal_metric([0.3, 2.0, 2.0]),
    ):
        draws = sample(
            correlated_normal, (MEAN, PRECISION), initial=MEAN, metric=metric, draws=1500, tune=100, random_seed=1
        )
        assert_moments(draws, MEAN, np.linalg.inv(PRECISION))


def test_a_light_funnel_is_recovered():
    draws = sample(light_funnel, 0.0, initial=np.zeros(3), draws=4000, tune=1000, target_accept=0.95, random_seed=5)
    neck = draws.positions[:, :, 0]
    assert abs(neck.mean()) < 4.5 / math.sqrt(ess_bulk(neck))
    thinned = neck[:, :: max(1, int(np.ceil(neck.size / ess_bulk(neck))))].ravel()
    assert stats.kstest(thinned, "norm").pvalue > 1e-3
    standardised = draws.positions[:, :, 1] * np.exp(-0.5 * neck)
    assert standardised.std() == pytest.approx(1.0, abs=0.05)


def test_a_normal_is_drawn_without_bias_by_a_large_fixed_step_size():
    """A step so large that half of all steps are refused still leaves every distribution function right."""
    draws = sample(
        independent_normals,
        (np.ones(5),),
        initial=np.zeros(5),
        metric=diagonal_metric(np.ones(5)),
        tune=0,
        step_size=1.5,
        draws=20_000,
        random_seed=8,
    )
    assert np.all(draws.step_sizes == 1.5)
    assert draws.stats["acceptance_rate"].mean() < 0.7
    radius = np.sum(draws.positions**2, axis=2)
    thin = int(np.ceil(radius.size / ess_bulk(radius)))
    assert stats.kstest(radius[:, ::thin].ravel(), stats.chi2(5).cdf).pvalue > 1e-3


def test_the_same_seed_gives_the_same_draws_whatever_the_number_of_threads():
    reference = normal_run(cores=4)
    for cores in (1, 2, 3):
        again = normal_run(cores=cores)
        np.testing.assert_array_equal(again.positions, reference.positions)
        for name in STATISTIC_NAMES:
            np.testing.assert_array_equal(again.stats[name], reference.stats[name])
    assert not np.array_equal(normal_run(random_seed=8).positions, reference.positions)
    chains = reference.positions
    assert not any(np.array_equal(chains[0], chains[k]) for k in range(1, 4))


def test_the_length_of_blocks_does_not_change_the_draws(monkeypatch):
    reference = normal_run(cores=1)
    monkeypatch.setattr("nutslite.sampler.worker.BLOCK_SECONDS", 0.0)  # one transition at a time
    arguments = {"initial": (0.0, 0.0, 300.0), "draws": 300, "tune": 200, "chains": 4, "random_seed": 7}
    np.testing.assert_array_equal(
        sample(correlated_normal, (MEAN, PRECISION), **arguments).positions, reference.positions
    )


def test_the_recorded_seed_reproduces_a_run():
    def run(seed):
        return sample(
            independent_normals, (np.ones(2),), initial=[0.0, 0.0], draws=20, tune=20, chains=2, random_seed=seed
        )

    sequence = np.random.SeedSequence(12)
    for seed in (None, 5, [1, 2], sequence, sequence.spawn(1)[0], np.random.default_rng(3)):
        first = run(seed)
        recorded = first.random_seed
        again = run(recorded if isinstance(recorded, int) else list(recorded))
        np.testing.assert_array_equal(first.positions, again.positions)
    np.testing.assert_array_equal(run(sequence).positions, run(12).positions)
    with pytest.raises(SamplingError, match="random_seed"):
        run("seven")


def test_statistics_agree_with_one_another():
    draws = normal_run(save_warmup=True)
    found = draws.stats
    assert tuple(found) == STATISTIC_NAMES
    for statistic in STATISTICS:
        assert found[statistic.name].shape == (4, 300)
        assert found[statistic.name].dtype == statistic.dtype
    assert np.all((found["acceptance_rate"] > 0) & (found["acceptance_rate"] <= 1))
    assert np.all(found["n_steps"] >= 2 ** found["tree_depth"] - 1)
    assert np.all(found["n_steps"] < 2 ** (found["tree_depth"] + 1))
    assert np.all(np.abs(found["index_in_trajectory"]) <= found["n_steps"])
    assert np.all(np.abs(found["energy_error"]) <= np.abs(found["max_energy_error"]))
    assert np.all(found["energy"] >= -found["lp"])  # kinetic energy is not negative
    centred = draws.positions - MEAN
    lp = -0.5 * np.einsum("cdi,ij,cdj->cd", centred, PRECISION, centred)
    np.testing.assert_allclose(found["lp"], lp, rtol=1e-9, atol=1e-12)
    for chain in range(4):
        assert np.all(found["step_size"][chain] == draws.step_sizes[chain])
    np.testing.assert_array_equal(draws.n_gradients, found["n_steps"].sum(axis=1))
    assert draws.warmup_positions.shape == (4, 200, 3)
    np.testing.assert_array_equal(draws.n_warmup_gradients, draws.warmup_stats["n_steps"].sum(axis=1))
    assert len(np.unique(draws.warmup_stats["step_size"])) > 100  # it adapted
    assert draws.sampling_time > 0
    assert draws.warmup_time > 0
    assert normal_run().warmup_positions is None


def test_warmup_that_is_not_saved_gives_the_same_draws():
    np.testing.assert_array_equal(normal_run(save_warmup=True).positions, normal_run().positions)


def test_divergences_are_counted_and_located():
    draws = sample(half_line, 0.0, initial=[1.0], draws=500, tune=200, chains=2, jitter=0.5, random_seed=2)
    assert draws.stats["diverging"].any()
    assert np.all(draws.positions > 0)
    for chain in range(2):
        located = draws.divergences[chain]
        assert located.shape == (draws.stats["diverging"][chain].sum(), 1)
        assert np.all(located <= 0)  # it diverged where it left the support
    assert np.all(np.isinf(draws.stats["max_energy_error"][draws.stats["diverging"]]))


def test_max_treedepth_cuts_trajectories_short():
    arguments = {"initial": np.zeros(2), "tune": 0, "step_size": 0.001, "draws": 20, "chains": 1, "random_seed": 1}
    draws = sample(independent_normals, (np.ones(2),), max_treedepth=3, metric=diagonal_metric([1.0, 1.0]), **arguments)
    assert np.all(draws.stats["reached_max_treedepth"])
    assert np.all(draws.stats["n_steps"] == 7)
    assert np.all(draws.stats["tree_depth"] == 3)


def test_no_draws_and_no_warmup_are_possible():
    empty = sample(independent_normals, (np.ones(2),), initial=np.zeros(2), draws=0, tune=50, chains=2, random_seed=1)
    assert empty.positions.shape == (2, 0, 2)
    searched = sample(independent_normals, (np.ones(2),), initial=np.zeros(2), draws=9, tune=0, chains=1, random_seed=1)
    assert searched.positions.shape == (1, 9, 2)
    assert 0.2 < searched.step_sizes[0] < 10


def test_starting_points_are_jittered_until_they_are_finite():
    draws = sample(
        half_line, 0.0, initial=[-0.9], draws=10, tune=10, chains=3, random_seed=1
    )  # 5 % of attempts succeed
    assert np.all(draws.positions > 0)


def test_chains_start_where_they_are_told():
    initial = np.array([[0.5, 1.0], [-3.0, 2.0]])
    draws = sample(
        independent_normals,
        (np.ones(2),),
        initial=initial,
        draws=1,
        tune=0,
        step_size=1e-9,
        max_treedepth=1,
        chains=2,
        random_seed=1,
    )
    np.testing.assert_allclose(draws.positions[:, 0], initial, atol=1e-6)


def test_a_start_that_is_nowhere_finite_says_what_and_where():
    with pytest.raises(SamplingError) as caught:
        sample(nowhere_finite, 0.0, initial=[0.1, 1 / 3], chains=1, jitter=0.0)
    message = str(caught.value)
    assert "gradient is not finite in coordinate 1" in message
    assert "0.3333333333333333" in message
    assert "log density 0.0" in message
    assert "jitter is 0" in message
    with pytest.raises(SamplingError, match=r"100 positions.*log density is not finite"):
        sample(half_line, 0.0, initial=[-5.0], chains=2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"draws": -1}, "draws must be an integer of at least 0"),
        ({"tune": 1.5}, "tune"),
        ({"chains": 0}, "chains"),
        ({"cores": 0}, "cores"),
        ({"target_accept": 1.0}, "target_accept"),
        ({"target_accept": float("nan")}, "target_accept"),
        ({"max_treedepth": 31}, "max_treedepth must be an integer from 1 to 30"),
        ({"step_size": 0.0}, "step_size"),
        ({"jitter": -0.5}, "jitter must be a number at least 0"),
        ({"metric": "diag_gard"}, "Did you mean 'diag_grad'"),
        ({"metric": 3}, "Metric"),
        ({"metric": diagonal_metric([1.0])}, "1 coordinates"),
        ({"metric": arrowhead_metric(np.eye(1), [[0.0]], [[[1.0]]]), "adapt_metric": True}, "arrowhead"),
        ({"initial": [[0.0, 0.0]]}, "initial must have shape"),
        ({"initial": [0.0, np.inf]}, "coordinate 1 of chain 0"),
        ({"initial": "here"}, "initial"),
        ({"random_seed": -3}, "random_seed"),
    ],
)
def test_impossible_settings_are_refused(changes, words):
    with pytest.raises(SamplingError, match=words):
        sample(independent_normals, (np.ones(2),), **{"initial": [0.0, 0.0], **changes})


def test_an_improper_density_is_refused():
    def flat(position, gradient, data):
        gradient[0] = 0.0
        return 0.0

    with pytest.raises(SamplingError, match="no step size"):
        sample(flat, 0.0, initial=[0.0], chains=1)


def test_a_plain_function_serves_as_density():
    def standard_normal(position, gradient, data):
        gradient[:] = -data * position
        return -0.5 * data * np.sum(position * position)

    draws = sample(standard_normal, 4.0, initial=[0.0], draws=1000, random_seed=1)
    assert draws.positions.std() == pytest.approx(0.5, abs=0.05)


@needs_compilation
def test_densities_that_do_not_compile_are_explained():
    def wrong_type(position, gradient, data):
        return "high"

    def nonsense(position, gradient, data):
        return position.no_such_attribute

    with pytest.raises(SamplingError, match=r"'wrong_type' must return one float64"):
        sample(wrong_type, 0.0, initial=[0.0])
    with pytest.raises(SamplingError, match=r"(?s)'nonsense' does not compile.*no_such_attribute"):
        sample(nonsense, 0.0, initial=[0.0])
    with pytest.raises(SamplingError, match="cannot hand this data"):
        sample(independent_normals, object(), initial=[0.0])
    with pytest.raises(SamplingError, match="must be a function"):
        sample(3, 0.0, initial=[0.0])
