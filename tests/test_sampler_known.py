"""Hard densities with known answers; benchmarks/sampler_study.py runs them longer and with more seeds."""

from __future__ import annotations

import numpy as np
import pytest
from known_targets import TARGETS, judge, judge_draws
from scipy import optimize, stats

HARD = ("funnel, centred", "Cauchy")


@pytest.mark.parametrize("name", TARGETS)
def test_gradients_are_those_of_the_densities(name):
    target = TARGETS[name]
    rng = np.random.default_rng(1)
    gradient = np.zeros(target.dimension)
    for _ in range(5):
        position = rng.normal(size=target.dimension)
        target.logdensity(position, gradient, target.data)
        found = optimize.approx_fprime(
            position, lambda x, target=target: target.logdensity(x, np.zeros(x.size), target.data), 1e-7
        )
        np.testing.assert_allclose(gradient, found, rtol=1e-3, atol=2e-4 * np.abs(found).max())


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in HARD])
def test_known_distributions_are_found_again(name):
    found = judge(TARGETS[name], draws=1000, seed=3)
    assert found.verdict != "FAIL", found
    assert found.r_hat < 1.03


@pytest.mark.parametrize("name", HARD)
def test_what_is_hard_is_run_through_and_seen(name):
    """NUTS explores a funnel's neck and Cauchy tails slowly: what must hold is that draws are finite and centred."""
    found = judge(TARGETS[name], draws=1000, seed=3)
    assert np.isfinite([found.z, found.r_hat]).all()
    assert found.verdict != "FAIL"
    if name == "funnel, centred":
        assert found.divergences > 0 or found.ess_share < 0.2 or found.verdict == "ok"


def exact_draws(name, rng, shape):
    """Independent draws of two of the targets."""
    if name == "two modes":
        x = rng.normal(size=(*shape, 3))
        x[..., 0] += np.where(rng.random(shape) < 0.5, -2.0, 2.0)
        return x
    x = rng.normal(size=(*shape, 2))
    return np.stack([x[..., 0], 0.5 * x[..., 0] ** 2 + 0.3 * x[..., 1]], axis=-1)


@pytest.mark.parametrize("name", ["two modes", "banana"])
def test_judgements_tell_right_draws_from_wrong_ones(name):
    target, rng = TARGETS[name], np.random.default_rng(4)
    right = exact_draws(name, rng, (4, 1000))
    assert judge_draws(target, right).verdict == "ok"
    assert judge_draws(target, 1.08 * right).verdict == "FAIL"
    assert judge_draws(target, right + 0.1).verdict == "FAIL"
    stuck = right.copy()
    stuck[0] = right[0, :1]
    assert judge_draws(target, stuck).verdict == "FAIL"


def test_uniform_functions_are_uniform():
    rng = np.random.default_rng(5)
    for name in ("two modes", "banana"):
        u = TARGETS[name].uniform(exact_draws(name, rng, (4000,)))
        for i in range(u.shape[1]):
            assert stats.kstest(u[:, i], "uniform").pvalue > 1e-3
