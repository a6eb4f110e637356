"""Arguments of `Model.fit` under the names of both generations of Bambi and of PyMC: honoured, or refused by name."""

from __future__ import annotations

import functools
import logging
from typing import Any

import numpy as np
import pytest
from small_models import GENERAL, grouped_data, small_model

import nutslite as nl
from nutslite.results.container.inference_data import get_group, group_names

QUIET: dict[str, Any] = {"chains": 2, "random_seed": 1, "progressbar": False}
SHORT: dict[str, Any] = {**QUIET, "draws": 10, "tune": 10, "compute_convergence_checks": False}


def model(formula: Any = "y ~ x + (1|g)", **settings: Any) -> nl.Model:
    return nl.Model(formula, grouped_data(), **settings)


def posterior(results: Any) -> Any:
    return get_group(results, "posterior")


class TestStart:
    """``start=`` and ``initvals=``: with no warm-up and a step of nearly zero, chains stay where they start."""

    @pytest.fixture(autouse=True)
    def small_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from nutslite.posterior.methods import nuts_start

        sample = nuts_start.sample
        monkeypatch.setattr(nuts_start, "sample", lambda *given, **options: sample(*given, step_size=1e-9, **options))

    def first_draw(self, plan: str, start: Any, **options: Any) -> dict[str, np.ndarray]:
        settings: dict[str, Any] = {**QUIET, "draws": 1, "tune": 0, "plan": plan, "compute_convergence_checks": False}
        results = model().fit(**{**settings, "start": start, **options})
        return {str(name): array.to_numpy()[:, 0] for name, array in posterior(results).data_vars.items()}

    @pytest.mark.parametrize("pilot", [True, False, "matrix"])
    def test_natural_values_by_name_whatever_the_coordinates(self, pilot: bool | str) -> None:
        effects = np.linspace(-1.0, 1.0, 9)
        start = {"Intercept": 0.5, "x": -0.2, "sigma": 2.5, "1|g_sigma": 0.7, "1|g": effects}
        found = self.first_draw("joint", start, pilot=pilot)
        for name, value in start.items():
            np.testing.assert_allclose(found[name], np.broadcast_to(value, found[name].shape), atol=1e-4, err_msg=name)

    def test_the_logarithm_of_a_scale_that_may_be_zero(self) -> None:
        found = self.first_draw("joint", {"1|g_sigma_log__": np.log(0.4), "1|g": np.linspace(-1.0, 1.0, 9)})
        np.testing.assert_allclose(found["1|g_sigma"], 0.4, atol=1e-4)
        np.testing.assert_allclose(found["1|g"], np.tile(np.linspace(-1.0, 1.0, 9), (2, 1)), atol=1e-4)

    @pytest.mark.parametrize("plan", ["joint", "marginal"])
    def test_what_is_not_named_starts_where_it_would(self, plan: str) -> None:
        found = self.first_draw(plan, {"sigma": 2.5})
        np.testing.assert_allclose(found["sigma"], 2.5, atol=1e-4)
        assert found["1|g_sigma"][0] != found["1|g_sigma"][1]

    def test_a_dict_for_each_chain(self) -> None:
        found = self.first_draw("joint", [{"sigma": 1.0, "x": 0.1}, {"sigma_log__": np.log(2.0)}])
        np.testing.assert_allclose(found["sigma"], [1.0, 2.0], atol=1e-4)
        assert found["x"][0] == pytest.approx(0.1, abs=1e-4)

    def test_initvals_is_the_same_argument(self) -> None:
        found = self.first_draw("joint", None, initvals={"sigma": 2.5})
        np.testing.assert_allclose(found["sigma"], 2.5, atol=1e-4)

    def test_a_folded_scale(self) -> None:
        fit = nl.Model("y ~ x + (1|h)", grouped_data()).fit
        results = fit(draws=1, tune=0, start={"1|h_sigma": 0.33}, compute_convergence_checks=False, **QUIET)
        np.testing.assert_allclose(posterior(results)["1|h_sigma"], 0.33, atol=1e-4)

    def test_correlations(self) -> None:
        fit = nl.Model("y ~ x + (x|g)", grouped_data(), correlated=True).fit
        start = {"1+x|g_corr": [0.4], "x|g": np.linspace(0, 1, 9)}
        for pilot in (True, False):
            options = {**QUIET, "plan": "joint", "compute_convergence_checks": False, "pilot": pilot}
            draw = posterior(fit(draws=1, tune=0, start=start, **options))
            np.testing.assert_allclose(draw["1+x|g_corr"], 0.4, atol=1e-4)
            np.testing.assert_allclose(draw["x|g"][0, 0], start["x|g"], atol=1e-4)

    def test_coefficients_that_are_integrated_out_are_said_to_have_no_start(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO, logger="nutslite"):
            self.first_draw("marginal", {"x": 0.3, "sigma": 1.0})
        assert "Starting values of x have no use" in caplog.text


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"sigmaa": 1.0}, "start: there is no free variable 'sigmaa'. Did you mean 'sigma'"),
        ({"sigma": -1.0}, "start: 'sigma' is -1.0, but must be between 0 and inf"),
        ({"1|g": [0.0, 1.0]}, r"start: '1\|g' is an array of shape \(9,\)"),
        ([{"x": 1.0}], "start has values for 1 chain.* chains=2"),
        ([{"x": 1.0}, {"y": 1.0}], r"start\[1\]: there is no free variable 'y'"),
        ("x", "start is a dict of values by name, or a list"),
    ],
)
def test_starting_values_that_are_none(start: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nutslite.posterior.targets.plan.Plan.target", lambda self: pytest.fail("the fit had begun"))
    with pytest.raises(nl.SamplingError, match=message):
        model().fit(**QUIET, start=start)


def test_a_start_without_density_names_the_argument_of_fit() -> None:
    impossible = nl.Model("k ~ x", grouped_data(), family="poisson", link="identity")
    with pytest.raises(nl.SamplingError, match=r"Give `fit` values to start from, start=\{\.\.\.\}"):
        impossible.fit(**QUIET, start={"Intercept": -50.0}, init="adapt_diag")


@functools.cache
def reference() -> Any:
    """The table of a longer run, its metric from the pilot."""
    results = small_model(GENERAL["bernoulli"]).fit(draws=3000, target_accept=0.9, plan="joint", **QUIET)
    return nl.summary(results, round_to="none")


@pytest.mark.parametrize(
    "init", ["adapt_diag", "jitter+adapt_diag", "jitter+adapt_diag_grad", "adapt_full", "jitter+adapt_full"]
)
def test_initialisations_by_the_names_of_pymc(init: str) -> None:
    """Another metric, the same posterior."""
    results = small_model(GENERAL["bernoulli"]).fit(draws=500, init=init, target_accept=0.9, **QUIET)
    assert posterior(results).attrs["tuning_steps"] == 1000
    table = nl.summary(results, round_to="none")
    apart = (table["mean"] - reference()["mean"]).abs() / np.hypot(table["mcse_mean"], reference()["mcse_mean"])
    assert apart.max() < 4.5


@pytest.mark.parametrize(
    ("init", "metric", "jitter"),
    [
        ("adapt_diag", "diag", 0.0),
        ("jitter+adapt_diag", "diag", 1.0),
        ("jitter+adapt_diag_grad", "diag_grad", 1.0),
        ("adapt_full", "dense", 0.0),
        ("jitter+adapt_full", "dense", 1.0),
    ],
)
@pytest.mark.parametrize("plan", ["joint", "marginal"])
def test_initialisations_choose_metric_and_spread(
    init: str, metric: str, jitter: float, plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nutslite.posterior.methods import nuts_start

    sample, seen = nuts_start.sample, {}
    monkeypatch.setattr(
        nuts_start, "sample", lambda *given, **options: seen.update(options) or sample(*given, **options)
    )
    model().fit(**SHORT, init=init, plan=plan)
    assert (seen["metric"], seen["adapt_metric"], seen["jitter"]) == (metric, True, jitter)
    assert np.ptp(seen["initial"], axis=0).max() == 0.0


@pytest.mark.parametrize("init", ["advi", "map", "adapt_diga"])
def test_initialisations_that_there_are_not(init: str) -> None:
    with pytest.raises(nl.NutsliteError, match="init is one of 'auto', 'adapt_diag'"):
        model().fit(**SHORT, init=init)


class TestNames:
    def test_older_names_of_arguments(self) -> None:
        first = model().fit(**SHORT, cores=1)
        same = model().fit(**SHORT, jobs=1, n_init=50_000, return_inferencedata=True)
        assert posterior(first).equals(posterior(same))
        with pytest.warns(FutureWarning, match="include_response_params") as caught:
            results = model().fit(**SHORT, include_mean=True)
        assert {item.filename for item in caught} == {__file__}
        assert "mu" in posterior(results)

    def test_methods_that_are_nuts(self) -> None:
        draws = [posterior(model().fit(**SHORT, inference_method=name)) for name in ("nuts", "pymc", "mcmc")]
        assert draws[0].equals(draws[1])
        assert draws[0].equals(draws[2])

    @pytest.mark.parametrize("name", ["nutpie", "numpyro", "blackjax", "nuts_numpyro"])
    def test_methods_of_other_programs(self, name: str) -> None:
        with pytest.raises(nl.NutsliteError, match=f"inference_method='{name}'.* There are 'nuts'.* and 'laplace'"):
            model().fit(**SHORT, inference_method=name)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"drawz": 10}, "fit has no argument 'drawz'. Did you mean 'draws'"),
            ({"target_acept": 0.9}, "Did you mean 'target_accept'"),
            ({"progress_bar": False}, "Did you mean 'progressbar'"),
            ({"initval": {}}, "Did you mean 'initvals'"),
        ],
    )
    def test_unknown_arguments_are_named(self, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(nl.NutsliteError, match=message) as caught:
            model().fit(**{**SHORT, **arguments})
        assert isinstance(caught.value, TypeError)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"start": {}, "initvals": {}}, "initvals and start are the same argument"),
            ({"cores": 1, "jobs": 1}, "jobs and cores are the same"),
            ({"return_inferencedata": False}, "fit always returns InferenceData"),
            ({"n_init": "many"}, "n_init is a whole number"),
            ({"step": object()}, "step: there are no step functions"),
            ({"progressbar": "combind"}, "progressbar is one of 'combined'.* Did you mean 'combined'"),
            ({"progressbar": 1.5}, "progressbar is True or False, not 1.5"),
            ({"idata_kwargs": {"dims": {}}}, "dims of the results follow from the formula"),
            ({"idata_kwargs": {"coords": {}}}, "coords of the results follow from the formula"),
        ],
    )
    def test_arguments_without_a_meaning(self, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(nl.NutsliteError, match=message):
            model().fit(**{**SHORT, **arguments})


class TestWhatComesBack:
    def test_offsets_on_request(self) -> None:
        """Standardised effects: effect = location + scale * offset."""
        priors = {"1|g": nl.Prior("Normal", mu=0.5, sigma=nl.Prior("Exponential", lam=1))}
        for plan in ("joint", "marginal"):
            draws = posterior(model(priors=priors).fit(**SHORT, omit_offsets=False, plan=plan))
            effects = 0.5 + draws["1|g_sigma"] * draws["1|g_offset"]
            np.testing.assert_allclose(effects.transpose(*draws["1|g"].dims), draws["1|g"], atol=1e-12)
        assert "1|g_offset" not in posterior(model().fit(**SHORT))

    def test_centred_terms_have_no_offsets(self) -> None:
        assert "1|g_offset" not in posterior(model(noncentered=False).fit(**SHORT, omit_offsets=False))

    def test_log_priors_on_request(self) -> None:
        results = model().fit(**SHORT, idata_kwargs={"log_prior": True, "log_likelihood": True})
        assert {"log_prior", "log_likelihood"} <= set(group_names(results))

    def test_no_checks(self, caplog: pytest.LogCaptureFixture) -> None:
        model().fit(**SHORT)
        assert caplog.messages == []
        model().fit(**{**SHORT, "compute_convergence_checks": True})
        assert "R-hat" in caplog.text or "effective sample size" in caplog.text


class TestLines:
    """What a fit says beside its progress bar; nothing with ``progressbar=False``."""

    def lines(self, caplog: pytest.LogCaptureFixture, fitted: nl.Model, **options: Any) -> list[str]:
        with caplog.at_level(logging.INFO, logger="nutslite"):
            fitted.fit(**{**SHORT, "progressbar": "combined", **options})
        return caplog.messages

    def test_nuts_and_its_variables(self, caplog: pytest.LogCaptureFixture) -> None:
        first, last = self.lines(caplog, model(), plan="joint")
        assert first == "NUTS: [Intercept, x, 1|g_sigma, sigma, 1|g_offset]"
        assert last.startswith("Sampling 2 chains for 10 tune and 10 draw iterations (20 + 20 draws total) took ")
        assert last.endswith(".")

    def test_what_is_drawn_exactly_is_told_apart(self, caplog: pytest.LogCaptureFixture) -> None:
        first = self.lines(caplog, model())[0]
        assert first == "NUTS: [1|g_sigma, sigma], then exact draws of [Intercept, x, 1|g]"

    def test_laplace(self, caplog: pytest.LogCaptureFixture) -> None:
        fitted = model("k ~ x", family="poisson")
        first = self.lines(caplog, fitted, inference_method="laplace", tune=None)[0]
        assert first == "Laplace approximation: [Intercept, x]"

    def test_silence(self, caplog: pytest.LogCaptureFixture) -> None:
        assert self.lines(caplog, model(), progressbar=False) == []
