"""Evidence beside exact answers, power scaling beside ArviZ, fits without rows through ArviZ."""

from __future__ import annotations

import math

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import nutslite as nl
from nutslite import comparison
from nutslite.comparison.sensitivity import distance
from nutslite.exceptions import ArgumentError, ArgumentTypeError, DataError, PriorError
from nutslite.results.container.inference_data import arviz_major

RNG = np.random.default_rng(1)
X = RNG.normal(size=20)
DATA = pd.DataFrame(
    {
        "x": X,
        "y": 1.0 + 0.5 * X + RNG.normal(size=20),
        "k": RNG.poisson(np.exp(0.3 + np.repeat([0.5, -0.5, 0.0, 0.2], 5))),
        "b": RNG.integers(0, 2, 20),
        "g": np.repeat(["p", "q", "r", "s"], 5),
        "o": pd.Categorical(np.repeat(["low", "mid", "high"], [9, 6, 5]), ["low", "mid", "high"], ordered=True),
    }
)
NORMAL = {"Intercept": nl.Prior("Normal", mu=0, sigma=2), "x": nl.Prior("Normal", mu=0, sigma=1)}


def fitted(formula, draws=2000, **options):
    model = nl.Model(formula, DATA, center_predictors=False, **options)
    return model, model.fit(draws=draws, random_seed=1, progressbar=False)


def normal_evidence(sigma, columns):
    """Of y under coefficients with the prior scales given by column."""
    covariance = sigma**2 * np.eye(20) + sum(scale**2 * np.outer(c, c) for c, scale in columns)
    return stats.multivariate_normal(np.zeros(20), covariance).logpdf(DATA["y"])


def close(evidence, exact):
    """Within three standard errors, which are small."""
    assert evidence.error < 0.1
    assert abs(evidence.log_evidence - exact) < 3.0 * evidence.error + 1e-6


@pytest.fixture(scope="module")
def linear():
    return fitted("y ~ x", priors={**NORMAL, "sigma": nl.Prior("HalfNormal", sigma=1)})


def test_gaussian_evidence_with_a_known_error_is_exact():
    found = comparison.bridge_sampling(*fitted("y ~ x", priors={**NORMAL, "sigma": 1.5}))
    assert found.dimension == 2
    close(found, normal_evidence(1.5, [(np.ones(20), 2), (X, 1)]))


def test_gaussian_evidence_beside_quadrature(linear):
    found = comparison.bridge_sampling(*linear)
    assert found.dimension == 1

    def integrand(sigma):
        logs = normal_evidence(sigma, [(np.ones(20), 2), (X, 1)]) + stats.halfnorm(scale=1).logpdf(sigma)
        return math.exp(logs + 30.0)

    close(found, math.log(integrate.quad(integrand, 0.2, 4.0)[0]) - 30.0)


@pytest.mark.slow
def test_evidence_of_counts_with_groups_beside_quadrature():
    """The joint density, group effects and all."""
    priors = {
        "Intercept": nl.Prior("Normal", mu=0, sigma=1),
        "1|g": nl.Prior("Normal", mu=0, sigma=nl.Prior("HalfNormal", sigma=1)),
    }
    found = comparison.bridge_sampling(*fitted("k ~ 1 + (1|g)", family="poisson", priors=priors))
    assert found.dimension == 6
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    counts = DATA["k"].to_numpy().reshape(4, 5)

    def given(intercept, sd):
        rate = np.exp(intercept + sd * nodes)
        logs = np.array([stats.poisson.logpmf(own[:, None], rate).sum(axis=0) for own in counts])
        return np.prod((weights * np.exp(logs)).sum(axis=1) / math.sqrt(2 * math.pi))

    def integrand(sd, intercept):
        density = stats.norm.pdf(intercept) * stats.halfnorm.pdf(sd)
        return 1e12 * density * given(intercept, sd)

    close(
        found, math.log(integrate.dblquad(integrand, -2.5, 3.0, 0.0, 5.0, epsabs=0.0, epsrel=1e-3)[0]) - math.log(1e12)
    )


def test_thresholds_that_increase_have_a_density_that_integrates_to_one():
    priors = {"threshold": nl.Prior("Normal", mu=0, sigma=2)}
    found = comparison.bridge_sampling(*fitted("o ~ 1", family="cumulative", priors=priors))

    def integrand(second, first):
        lower, upper = 1 / (1 + math.exp(-first)), 1 / (1 + math.exp(-second))
        prior = 2.0 * stats.norm.pdf(first, scale=2) * stats.norm.pdf(second, scale=2)
        return prior * lower**9 * (upper - lower) ** 6 * (1 - upper) ** 5

    exact = integrate.dblquad(integrand, -12, 12, lambda first: first, 14, epsabs=1e-16)[0]
    close(found, math.log(exact))


def test_bayes_factors_and_probabilities(linear):
    with_slope = comparison.bridge_sampling(*linear)
    priors = {"Intercept": NORMAL["Intercept"], "sigma": nl.Prior("HalfNormal", sigma=1)}
    without = comparison.bridge_sampling(*fitted("y ~ 1", priors=priors))
    factor = comparison.bayes_factor(with_slope, without)
    assert factor["log_bayes_factor"] == with_slope.log_evidence - without.log_evidence
    assert factor["lower"] < factor["bayes_factor"] < factor["upper"]
    found = comparison.posterior_probabilities({"slope": with_slope, "none": without}, prior=[1, 3])
    assert found.sum() == pytest.approx(1.0)
    assert found["slope"] / found["none"] == pytest.approx(factor["bayes_factor"] / 3)
    counts = comparison.Evidence(0.0, 0.0, 1, "others")
    with pytest.raises(ArgumentError, match="different responses"):
        comparison.bayes_factor(with_slope, counts)
    with pytest.raises(ArgumentTypeError, match="bridge_sampling returned"):
        comparison.posterior_probabilities([3.0])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"priors": {**NORMAL, "x": nl.Prior("Flat")}}, PriorError, "prior of 'x' is flat"),
        ({"formula": "weighted(y, b + 1) ~ x"}, ArgumentError, "Weights"),
        ({"quantile": [0.1, 0.9], "family": "quantiles"}, ArgumentError, "working"),
    ],
)
def test_what_has_no_evidence_is_said(options, error, words):
    model, results = fitted(options.pop("formula", "y ~ x"), draws=100, **options)
    with pytest.raises(error, match=words):
        comparison.bridge_sampling(model, results)


def test_approximations_have_no_bridge():
    model = nl.Model("b ~ x", DATA, family="bernoulli")
    results = model.fit(draws=200, inference_method="laplace", random_seed=1, progressbar=False)
    with pytest.raises(ArgumentError, match="approximation"):
        comparison.bridge_sampling(model, results)


@pytest.mark.skipif(not hasattr(az, "psens"), reason="this ArviZ has power scaling elsewhere")
def test_power_scaling_beside_arviz(linear):
    model, results = linear
    found = comparison.power_scaling(model, results)
    assert list(found.table.index) == ["Intercept", "x", "sigma"]
    both = model.compute_log_prior(results, inplace=False)
    model.compute_log_likelihood(both)
    for component in ("prior", "likelihood"):
        theirs = az.psens(both, component=component)
        for name in found.table.index:
            assert found.table.loc[name, component] == pytest.approx(float(theirs[name]), rel=0.05, abs=2e-3)


def test_power_scaling_tells_conflicts_and_strong_priors():
    far = {**NORMAL, "x": nl.Prior("Normal", mu=-3, sigma=0.4), "sigma": nl.Prior("HalfNormal", sigma=1)}
    found = comparison.power_scaling(*fitted("y ~ x", priors=far))
    assert "disagree" in found.table.loc["x", "diagnosis"]
    assert "x" in found.verdict()
    narrow = {**NORMAL, "x": nl.Prior("Normal", mu=0.5, sigma=0.001)}
    found = comparison.power_scaling(*fitted("y ~ x", priors=narrow), "x")
    assert list(found.table.index) == ["x"]
    assert "strong" in found.table.loc["x", "diagnosis"]
    with pytest.raises(ArgumentError, match="there is no 'z'"):
        comparison.power_scaling(*fitted("y ~ x", draws=100), var_names="z")


def test_few_draws_have_no_power_scaling(linear):
    model, results = linear
    with pytest.raises(DataError, match="have 30: fit with draws="):
        comparison.power_scaling(model, results.isel(draw=slice(10), chain=slice(3)))


def test_the_distance_of_weighted_draws():
    x = RNG.normal(size=200)
    assert distance(x, np.full(200, 1 / 200)) == pytest.approx(0.0, abs=1e-7)
    up = np.where(x > 0, 1.0, 0.5)
    assert distance(x, up / up.sum()) == pytest.approx(distance(-x, up / up.sum()))
    assert 0.0 < distance(x, up / up.sum()) < 1.0


def test_arviz_fits_again_without_a_row():
    data = DATA.assign(y=np.where(DATA.index == 3, 9.0, DATA["y"]))
    settings = {"priors": {**NORMAL, "sigma": nl.Prior("HalfNormal", sigma=1)}, "center_predictors": False}
    model = nl.Model("y ~ x", data, **settings)
    results = model.fit(draws=500, random_seed=1, progressbar=False)
    wrapper = comparison.SamplingWrapper(model, results, draws=2000, random_seed=2)
    loo = az.loo(wrapper.idata_orig, pointwise=True)
    loo.pareto_k[:] = np.where(DATA.index == 3, 1.0, 0.0)
    options = {"pointwise": True} if arviz_major() >= 1 else {}
    again = az.reloo(wrapper, loo_orig=loo, **options)
    rest = nl.Model("y ~ x", data.drop(index=3), **settings)
    alone = rest.fit(draws=2000, random_seed=3, progressbar=False)
    rest.compute_log_likelihood(alone, data=data.loc[[3]])
    exact = np.log(np.exp(alone.log_likelihood["y"].to_numpy()).mean())
    found = again.elpd_i if arviz_major() >= 1 else again.loo_i
    assert float(found[3]) == pytest.approx(exact, abs=0.3)
    with pytest.raises(ArgumentError, match="20 rows"):
        wrapper.sel_observations(20)
