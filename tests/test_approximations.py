"""Methods that approximate, on models: one record for all, near NUTS where k-hat is good, a warning where it is not."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from small_models import GAUSSIAN, grouped_data, small_model

import nutslite as nl
from nutslite.posterior.methods import meanfield, vi
from nutslite.posterior.methods.registry import INSTEAD, OTHER_NAMES, approximate_names
from nutslite.posterior.pilot import mode, pilot
from nutslite.results.container.inference_data import get_group
from nutslite.results.diagnostics.fitness import Fitness

FIT = {"draws": 250, "chains": 4, "random_seed": 1, "progressbar": False}
METHODS = approximate_names()
PLANS = ("marginal", "joint")
FITTED = ("vi", "meanfield")  # Pathfinder has tests of its own


def posterior_of(results):
    return get_group(results, "posterior")


@pytest.fixture(scope="module")
def logistic():
    return small_model({"formula": "b ~ x + z", "family": "bernoulli"})


@pytest.fixture(scope="module")
def exact(logistic):
    return posterior_of(logistic.fit(**{**FIT, "draws": 500}))


@pytest.fixture(scope="module")
def fits(logistic):
    return {name: logistic.fit(**FIT, inference_method=name) for name in METHODS}


def off(found, exact):
    """The largest error of a mean in sds, and of an sd as the logarithm of a ratio."""
    dims = ("chain", "draw")
    means = [abs((found[n] - exact[n]).mean(dims) / exact[n].std(dims)).max() for n in exact.data_vars]
    sds = [abs(np.log(found[n].std(dims) / exact[n].std(dims))).max() for n in exact.data_vars]
    return float(max(means)), float(max(sds))


def schools():
    """Eight groups of one row, whose effects are sampled as they are: a funnel."""
    data = pd.DataFrame({"y": [28.0, 8, -3, 7, -1, 1, 18, 12], "s": list("ABCDEFGH")})
    return nl.Model("y ~ 1 + (1|s)", data, priors={"sigma": 12.0}, noncentered=False)


FUNNEL = {**FIT, "draws": 1000, "plan": "joint", "pilot": False}


@pytest.mark.parametrize("name", METHODS)
class TestOneRecord:
    def test_what_it_says_of_itself(self, fits, name):
        attributes = posterior_of(fits[name]).attrs
        assert attributes["inference_method"] == name
        assert attributes["khat"] < 0.2
        assert attributes["khat_limit"] == 0.7
        assert attributes["converged"]
        assert 0 < attributes["n_gradients"] < 1000
        assert attributes["importance"] == "resample"
        assert attributes["unique_draws"] > 950

    def test_log_densities_of_every_draw(self, fits, name, logistic):
        """`lp` is the density that the model compiles, up to the constant by which coordinates differ; so is log_q."""
        stats = get_group(fits[name], "sample_stats")
        assert set(stats.data_vars) == {"lp", "log_q"}
        assert stats["lp"].shape == (4, 250)
        ratios = stats["lp"] - stats["log_q"]
        assert float(ratios.std()) < 0.5
        assert float(ratios.mean()) == pytest.approx(posterior_of(fits[name]).attrs["elbo"], abs=0.5)

    def test_near_nuts(self, fits, name, exact):
        mean, sd = off(posterior_of(fits[name]), exact)
        assert mean < 0.12
        assert sd < 0.12

    def test_summary_has_khat_in_the_place_of_r_hat(self, fits, name):
        table = nl.summary(fits[name])
        assert list(table.columns[-3:]) == ["mcse_mean", "mcse_sd", "khat"]
        assert (table["khat"] == round(posterior_of(fits[name]).attrs["khat"], 2)).all()
        assert "chosen by their weights" in " ".join(str(table).split())
        assert "khat" not in nl.summary(fits[name], kind="stats")

    def test_predictions_scores_and_likelihoods(self, fits, name, logistic):
        results = fits[name].copy()
        logistic.predict(results, kind="response", random_seed=1)
        assert get_group(results, "posterior_predictive")["b"].shape == (4, 250, 120)
        report = logistic.evaluate(results, random_seed=1)
        assert f"inference_method='{name}'" in " ".join(report.notes)
        logistic.compute_log_likelihood(results)
        assert get_group(results, "log_likelihood")["b"].shape == (4, 250, 120)

    def test_the_same_draws_of_a_seed_whatever_the_cores(self, fits, name, logistic):
        again = posterior_of(logistic.fit(**FIT, inference_method=name, cores=1))
        assert again.equals(posterior_of(fits[name]))
        other = posterior_of(logistic.fit(**{**FIT, "random_seed": 2}, inference_method=name, cores=2))
        assert not other.equals(again)

    def test_what_becomes_of_weights(self, name, logistic):
        options = {**FIT, "inference_method": name}
        kept = logistic.fit(**options, importance="weights")
        weights = get_group(kept, "sample_stats")["log_weight"].to_numpy()
        assert np.exp(weights).sum() == pytest.approx(1.0)
        assert posterior_of(kept).attrs["importance"] == "weights"
        plain = logistic.fit(**options, importance=None)
        assert set(get_group(plain, "sample_stats").data_vars) == {"lp", "log_q"}
        assert posterior_of(plain).equals(posterior_of(kept))
        assert "unique_draws" not in posterior_of(plain).attrs
        assert "k-hat" in str(nl.summary(plain)).split("\n\n")[-1]

    def test_what_is_integrated_out_is_drawn_exactly(self, name):
        model = small_model(GAUSSIAN["one factor"])
        found = posterior_of(model.fit(**FIT, inference_method=name))
        assert found.attrs["plan"] == "marginal"
        assert off(found, posterior_of(model.fit(**{**FIT, "draws": 500})))[0] < 0.2


class TestLaplace:
    def test_what_the_search_took(self):
        """The mode of a marginal density is found by values alone, of all parameters by gradients."""
        model = small_model(GAUSSIAN["one factor"])
        found = {plan: posterior_of(model.fit(**FIT, inference_method="laplace", plan=plan)) for plan in PLANS}
        assert found["marginal"].attrs["n_gradients"] == 0
        assert found["marginal"].attrs["n_values"] > 10
        assert found["joint"].attrs["n_gradients"] > 10
        assert all(each.attrs["converged"] for each in found.values())

    def test_a_search_that_ran_out_of_steps_is_told(self, monkeypatch, caplog):
        monkeypatch.setattr(pilot, "NEWTON_STEPS", 1)
        monkeypatch.setattr(pilot, "OUTER_STEPS", 1)
        with caplog.at_level(logging.WARNING, logger="nutslite"):
            results = small_model(GAUSSIAN["one factor"]).fit(**FIT, inference_method="laplace", plan="joint")
        assert not posterior_of(results).attrs["converged"]
        assert "had not ended when it had taken all its steps" in caplog.text

    def test_a_mode_says_whether_it_is_one(self, monkeypatch):
        seen = []

        def quartic(positions):
            seen.append(len(positions))
            return -np.sum(positions**4 + positions**2, axis=1)

        found = mode.find_mode(quartic, np.full(2, 3.0))
        assert found.settled
        assert found.evaluations == sum(seen)
        monkeypatch.setattr(mode, "MAX_NEWTON_STEPS", 1)
        assert not mode.find_mode(quartic, np.full(2, 3.0)).settled


class TestKinds:
    @pytest.mark.parametrize("name", FITTED)
    @pytest.mark.parametrize("pilot", [True, "matrix", False])
    def test_group_effects_in_all_coordinates(self, name, pilot):
        """Also without a pilot, from whose guess the posterior is far away."""
        model = small_model({"formula": "b ~ x + (1|g)", "family": "bernoulli"})
        found = posterior_of(model.fit(**FIT, inference_method=name, pilot=pilot))
        assert found.attrs["elbo"] == pytest.approx(-87.5, abs=2.5)
        assert all(np.isfinite(found[variable]).all() for variable in found.data_vars)

    @pytest.mark.parametrize("name", FITTED)
    @pytest.mark.parametrize(
        ("formula", "rows", "options"),
        [
            ("y ~ x", 8, {"family": "t"}),
            ("k ~ x", 60, {"family": "poisson", "link": "identity"}),
            ("b ~ x", 60, {"family": "bernoulli", "potentials": [("x", lambda x: -x * x)]}),
        ],
        ids=["few rows", "a link with an edge", "a potential"],
    )
    def test_models_of_every_kind(self, name, formula, rows, options):
        model = nl.Model(formula, grouped_data().head(rows), **options)
        found = posterior_of(model.fit(**FIT, inference_method=name))
        if name == "meanfield" and "link" in options:  # it ends where the first of its fixed draws meets the edge
            assert found.attrs["khat"] > 0.7
            assert not found.attrs["converged"]
            return
        exact = posterior_of(model.fit(**{**FIT, "draws": 500}))
        assert abs(float(found["x"].mean() - exact["x"].mean())) < 0.3 * float(exact["x"].std())
        assert found.attrs["khat"] < 1.0

    @pytest.mark.parametrize("name", FITTED)
    def test_many_parameters_have_a_covariance_of_low_rank(self, name, monkeypatch):
        """As if ten were more than a full covariance affords."""
        monkeypatch.setattr(vi, "MOST_DENSE", 10)
        monkeypatch.setattr(meanfield, "MOST_RESPONDING", 10)
        model = small_model({"formula": "b ~ x + (1|g)", "family": "bernoulli"})
        found = posterior_of(model.fit(**FIT, inference_method=name))
        exact = posterior_of(model.fit(**{**FIT, "draws": 500}))
        assert off(found, exact)[0] < (0.25 if name == "vi" else 1.0)
        assert found.attrs["converged"]
        if name == "meanfield":
            assert np.isnan(found.attrs["sampling_error"])

    @pytest.mark.parametrize("name", METHODS)
    def test_a_scale_that_may_be_zero(self, name):
        """Its density goes on below zero, evenly, and a normal distribution around zero is near that."""
        found = posterior_of(schools().fit(**FIT, inference_method=name))
        assert found.attrs["converged"]
        assert found.attrs["khat"] < found.attrs["khat_limit"]
        assert off(found, posterior_of(schools().fit(**{**FIT, "draws": 1000})))[0] < 0.15


class TestWarnings:
    @pytest.mark.parametrize("name", FITTED)
    @pytest.mark.parametrize("told", [True, False])
    def test_centred_schools_are_not_believed(self, name, told, caplog):
        with caplog.at_level(logging.WARNING, logger="nutslite"):
            results = schools().fit(**FUNNEL, inference_method=name, compute_convergence_checks=told)
        attributes = posterior_of(results).attrs
        assert attributes["khat"] > attributes["khat_limit"] or not attributes["converged"]
        assert ("not to be believed" in caplog.text) is told
        assert "are not to be believed. Use NUTS." in " ".join(str(nl.summary(results)).split())

    def test_bad_weights_are_used_where_that_is_asked_for(self):
        options = {**FUNNEL, "inference_method": "meanfield"}
        assert posterior_of(schools().fit(**options)).attrs["importance"] == "none"
        attributes = posterior_of(schools().fit(**options, importance="resample")).attrs
        assert attributes["khat"] > attributes["khat_limit"]
        assert attributes["importance"] == "resample"
        assert attributes["unique_draws"] < 4000

    def test_few_draws_have_a_lower_limit(self, logistic):
        results = logistic.fit(**{**FIT, "draws": 5, "chains": 2}, inference_method="laplace")
        assert posterior_of(results).attrs["khat_limit"] == pytest.approx(1 - 1 / np.log10(40))

    @pytest.mark.parametrize("name", ["advi", "fullrank_advi"])
    def test_other_names_say_what_runs(self, name, logistic, fits, caplog):
        with caplog.at_level(logging.INFO, logger="nutslite"):
            results = logistic.fit(**FIT, inference_method=name)
        assert INSTEAD[name] in caplog.text
        assert f"'{OTHER_NAMES[name]}' runs" in caplog.text
        assert posterior_of(results).equals(posterior_of(fits[OTHER_NAMES[name]]))

    @pytest.mark.parametrize("name", ["vi", "meanfield"])
    def test_a_checkpoint_is_refused(self, name, logistic, tmp_path):
        with pytest.raises(nl.NutsliteError, match=f"checkpoint and inference_method='{name}' exclude each other"):
            logistic.fit(**FIT, inference_method=name, checkpoint=tmp_path / "run.ckpt")

    @pytest.mark.parametrize("name", FITTED)
    def test_ctrl_c_goes_through(self, name, logistic, monkeypatch):
        def pressed(*arguments, **options):
            raise KeyboardInterrupt

        for module, function in ((vi, "batch_and_match"), (meanfield, "fit_mean_field")):
            monkeypatch.setattr(module, function, pressed)
        with pytest.raises(KeyboardInterrupt):
            logistic.fit(**FIT, inference_method=name)

    def test_no_mean_field_is_an_error_that_says_what_to_do(self, logistic, monkeypatch):
        monkeypatch.setattr(meanfield, "fit_mean_field", lambda *arguments: None)
        with pytest.raises(nl.NutsliteError, match=r"Mean field found no distribution .* Use NUTS"):
            logistic.fit(**FIT, inference_method="meanfield")


def test_results_from_elsewhere_have_no_verdict():
    assert Fitness.of({}) is None
    assert Fitness.of({"khat": 0.3}) is None
