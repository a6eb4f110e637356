"""Our diagnostics against ArviZ's (either generation), against theory, and at their edges."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from nutslite.exceptions import DataError
from nutslite.results.diagnostics import diagnostics
from nutslite.results.diagnostics.ranks import normal_scores
from nutslite.scores.numerics.effective_size import _fast_length


class ArvizOld:
    """ArviZ 0.2x by the names of the array functions of 1.x."""

    def __init__(self, arviz):
        arviz.Numba.disable_numba()  # its Numba branch of mcse("sd") fails with NumPy 2.4: float() of a 1-d array
        self.az = arviz

    def rhat(self, x):
        return self.az.rhat(x)

    def ess(self, x, method, prob=None):
        return self.az.ess(x, method=method, prob=prob)

    def mcse(self, x, method, prob=None):
        return self.az.mcse(x, method=method, prob=prob)

    def bfmi(self, x):
        return self.az.bfmi(x)

    def hdi(self, x, prob):
        return self.az.hdi(x.ravel(), hdi_prob=prob)


class ArvizNew:
    """The array functions of ArviZ 1.x."""

    def __init__(self, array_stats):
        self.stats = array_stats

    def rhat(self, x):
        return self.stats.rhat(x, chain_axis=0, draw_axis=1)

    def ess(self, x, method, prob=None):
        return self.stats.ess(x, chain_axis=0, draw_axis=1, method=method, prob=prob)

    def mcse(self, x, method, prob=None):
        return self.stats.mcse(x, chain_axis=0, draw_axis=1, method=method, prob=prob)

    def bfmi(self, x):
        return self.stats.bfmi(x, chain_axis=0, draw_axis=1)

    def hdi(self, x, prob):
        return self.stats.hdi(x.ravel(), prob=prob)


@pytest.fixture(scope="module")
def arviz():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from arviz_stats.base import array_stats
        except ImportError:
            return ArvizOld(pytest.importorskip("arviz"))
    return ArvizNew(array_stats)


def autoregressive(rng, correlation, chains, draws):
    noise = rng.normal(size=(chains, draws))
    out = np.empty_like(noise)
    out[:, 0] = noise[:, 0]
    for t in range(1, draws):
        out[:, t] = correlation * out[:, t - 1] + np.sqrt(1 - correlation**2) * noise[:, t]
    return out


def make_cases():
    rng = np.random.default_rng(20240607)
    cases = {
        "normal": rng.normal(size=(4, 1000)),
        "cauchy": rng.standard_cauchy(size=(4, 500)),
        "slow": autoregressive(rng, 0.95, 4, 800),
        "random walk": rng.normal(size=(3, 300)).cumsum(axis=1),
        "antithetic": autoregressive(rng, -0.9, 4, 400),
        "one chain apart": rng.normal(size=(4, 250)) + np.array([0.0, 0, 0, 3])[:, None],
        "other spread": rng.normal(size=(4, 250)) * np.array([1.0, 1, 1, 4])[:, None],
        "counts": rng.poisson(2.0, size=(4, 300)).astype(float),
        "binary": rng.integers(0, 2, size=(2, 200)).astype(float),
        "one chain": autoregressive(rng, 0.5, 1, 333),
        "odd": rng.normal(size=(2, 101)),
        "large numbers": 1e6 + rng.normal(size=(4, 200)),
    }
    for draws in range(4, 14):
        cases[f"{draws} draws"] = rng.normal(size=(2, draws))
    return cases


CASES = make_cases()


def close(ours, theirs, scale=1.0):
    np.testing.assert_allclose(ours, theirs, rtol=1e-10 * scale, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", CASES)
def test_equal_to_arviz(arviz, name):
    x = CASES[name]
    scale = 1e4 if name == "large numbers" else 1.0  # cancellation: 1e6 has been subtracted from the draws
    close(diagnostics.rhat(x), arviz.rhat(x))
    close(diagnostics.ess_bulk(x), arviz.ess(x, "bulk"))
    close(diagnostics.ess_tail(x), arviz.ess(x, "tail", prob=(0.05, 0.95)))
    close(diagnostics.ess_mean(x), arviz.ess(x, "mean"), scale)
    close(diagnostics.ess_quantile(x, 0.25), arviz.ess(x, "quantile", prob=0.25))
    close(diagnostics.mcse_mean(x), arviz.mcse(x, "mean"), scale)
    close(diagnostics.mcse_sd(x), arviz.mcse(x, "sd"), scale)
    close(diagnostics.mcse_quantile(x, 0.1), arviz.mcse(x, "quantile", prob=0.1))
    close(diagnostics.mcse_quantile(x, 0.5), arviz.mcse(x, "median"))
    close(diagnostics.e_bfmi(x), arviz.bfmi(x))
    close(diagnostics.hdi(x, 0.94), arviz.hdi(x, 0.94))


def test_one_pass_gives_the_same_as_single_functions():
    x = np.stack([CASES["normal"], CASES["normal"].cumsum(axis=1)], axis=-1).reshape(4, 1000, 2, 1)
    table = diagnostics.convergence(x)
    assert list(table) == list(diagnostics.DIAGNOSTICS)
    for name in ("mcse_mean", "mcse_sd", "ess_bulk", "ess_tail"):
        assert table[name].shape == (2, 1)
        np.testing.assert_array_equal(table[name], getattr(diagnostics, name)(x))
    np.testing.assert_array_equal(table["r_hat"], diagnostics.rhat(x))


def test_blocks_do_not_change_results(monkeypatch):
    x = np.random.default_rng(3).normal(size=(2, 50, 7, 3))
    whole = diagnostics.convergence(x)
    monkeypatch.setattr(diagnostics, "_BLOCK_NUMBERS", 400)
    parts = diagnostics.convergence(x)
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-13)


def test_effective_size_of_an_autoregression_is_known():
    # the integrated autocorrelation time of an AR(1) with correlation r is (1 + r) / (1 - r)
    rng = np.random.default_rng(1)
    for correlation in (0.0, 0.5, 0.8):
        sizes = [diagnostics.ess_mean(autoregressive(rng, correlation, 4, 2000)) for _ in range(10)]
        assert np.mean(sizes) == pytest.approx(8000 * (1 - correlation) / (1 + correlation), rel=0.1)


def test_bad_chains_are_seen():
    assert diagnostics.rhat(CASES["one chain apart"]) > 1.3
    assert diagnostics.rhat(CASES["other spread"]) > 1.05  # only the folded half can see this
    assert diagnostics.rhat(CASES["normal"]) < 1.01


def test_constants_nans_and_few_draws():
    constant = np.full((4, 100), 0.1)
    assert diagnostics.ess_bulk(constant) == 400
    assert np.isnan(diagnostics.rhat(constant))
    with_nan = np.random.default_rng(0).normal(size=(4, 100, 3))
    with_nan[2, 50, 1] = np.nan
    for function in (diagnostics.rhat, diagnostics.ess_bulk, diagnostics.mcse_sd):
        np.testing.assert_array_equal(np.isnan(function(with_nan)), [False, True, False])
    assert np.isnan(diagnostics.ess_bulk(np.zeros((4, 3))))
    assert np.isnan(diagnostics.rhat(with_nan[:1, :, 0]))
    assert np.isnan(diagnostics.e_bfmi(np.zeros((2, 1)))).all()


def test_tiny_scales_do_not_matter():
    x = CASES["slow"]
    tiny = diagnostics.convergence(x * 2.0**-60)
    for name, values in diagnostics.convergence(x).items():
        factor = 2.0**-60 if name.startswith("mcse") else 1.0
        np.testing.assert_allclose(tiny[name], values * factor, rtol=1e-12)


def test_intervals():
    x = np.arange(100.0).reshape(4, 25)
    np.testing.assert_allclose(diagnostics.eti(x, 0.5), np.quantile(x, [0.25, 0.75]))
    skewed = np.random.default_rng(2).exponential(size=(4, 1000, 2))
    intervals = diagnostics.hdi(skewed, 0.9)
    assert intervals.shape == (2, 2)
    assert (intervals[:, 0] < 0.02).all()  # the shortest interval of an exponential starts at 0
    inside = ((skewed >= intervals[:, 0]) & (skewed <= intervals[:, 1])).mean(axis=(0, 1))
    np.testing.assert_allclose(inside, 0.9, atol=1e-3)
    np.testing.assert_array_equal(diagnostics.hdi(np.array([[2.0, 1.0]]), 0.999), [1.0, 2.0])


def test_scores_share_ranks_between_equal_draws():
    scores = normal_scores(np.array([[[3.0, 1.0, 3.0, 2.0]]]))[0, 0]
    assert scores[0] == scores[2] > scores[3] > scores[1]
    from scipy.stats import norm

    np.testing.assert_allclose(scores, norm.ppf((np.array([3.5, 1, 3.5, 2]) - 0.375) / 4.25), rtol=1e-14)


def test_numbers_that_differ_in_their_last_digits_keep_their_order():
    from scipy.stats import norm, rankdata

    rng = np.random.default_rng(5)
    close = 1.0 + rng.permutation(400) * 2.0**-52
    draws = np.stack([close, -close, np.repeat(close[:200], 2), np.where(rng.random(400) < 0.5, 0.0, -0.0)])
    draws[3, :3] = [-np.inf, np.inf, -5e-324]
    ranks = rankdata(draws, axis=1)
    scores = normal_scores(draws.reshape(4, 4, 100)).reshape(4, 400)
    np.testing.assert_allclose(scores, norm.ppf((ranks - 0.375) / 400.25), rtol=1e-13, atol=1e-15)


def test_some_diagnostics_are_those_of_all():
    x = np.random.default_rng(6).normal(size=(4, 101, 3))
    whole = diagnostics.convergence(x)
    for names in (("r_hat",), ("ess_tail", "mcse_sd"), ("ess_bulk",)):
        diagnostics.convergence(np.zeros((2, 10)))  # so that nothing is known of these draws
        some = diagnostics.convergence(x, names)
        assert tuple(some) == names
        for name in names:
            np.testing.assert_array_equal(some[name], whole[name])


def test_fast_lengths():
    from scipy.fft import next_fast_len

    for length in range(2, 500):
        assert _fast_length(length) == next_fast_len(length, real=True)


def test_wrong_arguments_are_named():
    with pytest.raises(DataError, match=r"between 0 and 1, not 94"):
        diagnostics.hdi(np.zeros((4, 10)), 94)
    with pytest.raises(DataError, match="at least one draw"):
        diagnostics.rhat(np.zeros((4, 0)))
