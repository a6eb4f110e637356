"""Hamiltonian Monte Carlo around the pilot's centre: the posterior of NUTS, in every kind of coordinates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_models import small_model
from test_posterior_matrix import GENERAL, UNCHECKED, nested_data, of_one_factor

from nutslite import Prior
from nutslite.model import Model
from nutslite.posterior.methods import nuts_start
from nutslite.posterior.targets.plan import MANY_PARAMETERS
from nutslite.results.diagnostics.diagnostics import ess_mean, rhat

QUIET = {"random_seed": 1, "progressbar": False, **UNCHECKED}


def nested():
    return Model("k ~ 1 + (1|o) + (1|i)", nested_data(), family="poisson")


WAYS = {
    "nested, matrix": (nested, {}),
    "nested, levels": (nested, {"pilot": "levels"}),
    "one factor, matrix": (lambda: of_one_factor(60, 5, 0.8), {"pilot": "matrix"}),
    "a dense metric": (lambda: small_model(GENERAL["bernoulli"]), {"plan": "joint", "pilot": "levels"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_draws_what_nuts_draws(way):
    """Means and spreads of every parameter and effect, within Monte Carlo errors of both."""
    make, options = WAYS[way]
    model = make()
    fits = [model.fit(draws=1500, inference_method=method, **options, **QUIET).posterior for method in ("hmc", "nuts")]
    assert [fit.attrs["inference_method"] for fit in fits] == ["hmc", "nuts"]
    compared = 0
    for name in fits[0].data_vars:
        one, other = (fit[name].values.reshape(*fit[name].shape[:2], -1) for fit in fits)
        for i in range(one.shape[2]):
            for power in (1, 2):
                centre = other[..., i].mean()
                a, b = ((part[..., i] - centre) ** power for part in (one, other))
                error = np.hypot(a.std() / np.sqrt(ess_mean(a)), b.std() / np.sqrt(ess_mean(b)))
                assert abs(a.mean() - b.mean()) < 5.0 * error, (name, i, power)
                compared += 1
            assert rhat(one[..., i]) < 1.02
    assert compared > 20


def test_the_default_rotates_for_many_parameters_alone():
    many, few = nested(), small_model(GENERAL["bernoulli"])
    sizes = [model.plan().assembled.layout.dimension for model in (many, few)]
    assert sizes[1] < MANY_PARAMETERS <= sizes[0]
    found = [model.fit(draws=20, chains=1, pilot="matrix", **QUIET) for model in (many, few)]
    assert [fit.posterior.attrs["inference_method"] for fit in found] == ["hmc", "nuts"]


@pytest.mark.parametrize(
    ("given", "method"), [({"max_treedepth": 8}, "nuts"), ({"target_accept": 0.8}, "hmc"), ({"tune": 50}, "hmc")]
)
def test_arguments_of_chains_mean_chains(given, method):
    """A depth is what only NUTS has."""
    assert nested().fit(draws=20, chains=1, **given, **QUIET).posterior.attrs["inference_method"] == method


def test_the_plan_says_who_samples():
    assert str(nested().plan()).startswith("HMC over all")
    assert str(nested().plan(pilot=False)).startswith("NUTS over all")
    assert str(small_model(GENERAL["bernoulli"]).plan("joint")).startswith("NUTS over all")


@pytest.fixture(scope="module")
def lasso():
    """Coefficients of which data say little, with a prior that has a kink where the pilot finds the mode."""
    rng = np.random.default_rng(16)
    x = rng.normal(size=(200, 60))
    data = pd.DataFrame(x, columns=[f"x{k}" for k in range(60)])
    data["y"] = (rng.uniform(size=200) < 1.0 / (1.0 + np.exp(-2.0 * x[:, 0] - x[:, 1]))).astype(int)
    formula = "y ~ " + " + ".join(data.columns[:60])
    return Model(formula, data, family="bernoulli", priors={"common": Prior("Laplace", mu=0, b=0.2)})


@pytest.mark.parametrize("given", [{}, {"tune": 900}])
def test_where_the_normal_is_poor_nuts_adapts(lasso, caplog, given):
    with caplog.at_level("INFO", logger="nutslite"):
        found = lasso.fit(**given, **QUIET)
    assert (
        "The pilot's normal distribution is not about the posterior: NUTS adapts a metric of its own."
        in caplog.messages
    )
    assert found.posterior.attrs["inference_method"] == "nuts"
    for name in ("x0", "x5", "x40"):
        values = found.posterior[name].values
        assert rhat(values) < 1.01
        assert ess_mean(values) > 1000


@pytest.mark.parametrize("options", [{"pilot": False}, {"init": "adapt_diag"}])
def test_without_a_centre_it_is_nuts(options, caplog):
    with caplog.at_level("INFO", logger="nutslite"):
        found = nested().fit(draws=20, tune=50, chains=1, inference_method="hmc", **options, **QUIET)
    assert found.posterior.attrs["inference_method"] == "nuts"
    assert "There is no pilot's normal distribution to turn around: NUTS samples." in caplog.messages


def test_a_depth_is_not_heeded_and_that_is_said(caplog):
    with caplog.at_level("WARNING", logger="nutslite"):
        nested().fit(draws=20, chains=1, max_treedepth=3, inference_method="hmc", **QUIET)
    assert "This plan (HMC) has no use for: max_treedepth." in caplog.messages


def test_statistics_have_the_columns_of_nuts():
    stats = nested().fit(draws=20, chains=1, inference_method="hmc", **QUIET).sample_stats
    assert (stats["n_steps"] >= 1).all()
    assert (stats["tree_depth"] == 0).all()
    assert not stats["reached_max_treedepth"].any()
    assert stats["energy"].std() > 0


def test_steps_of_many_parameters_may_be_shorter():
    """10,000 effects of counts have steps of 0.24, in a good normal."""
    assert nuts_start._shortest_angle(60) == nuts_start._shortest_angle(200) == 0.27
    assert nuts_start._shortest_angle(3200) == pytest.approx(0.135)
    assert 0.05 < nuts_start._shortest_angle(100_000) < 0.1


def test_thousands_of_effects_rotate():
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(4000), 5)
    y = rng.poisson(np.exp(0.5 + 0.5 * rng.normal(size=4000)[group]))
    model = Model("y ~ 1 + (1|g)", pd.DataFrame({"y": y, "g": group}), family="poisson", categorical=["g"])
    found = model.fit(draws=10, chains=1, pilot="levels", **QUIET)
    assert found.posterior.attrs["inference_method"] == "hmc"
