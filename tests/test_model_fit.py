"""`Model.fit`: right posteriors on every path, the same draws for the same seed, settings honoured, errors readable."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _pytest.mark import ParameterSet
from small_models import GAUSSIAN, GENERAL, grouped_data, small_model

import nutslite as nl
from nutslite.families.user.built_in import family_names
from nutslite.formula.formula import Formula
from nutslite.results.container.inference_data import get_group, group_names
from nutslite.results.diagnostics.diagnostics import ess_mean

ROOT = Path(__file__).resolve().parent.parent
QUIET: dict[str, Any] = {"chains": 2, "random_seed": 1, "progressbar": False}
MOST_ERRORS = 4.5  # Monte Carlo errors by which two right answers may differ: once in 10^5 comparisons

SHARES = "np.minimum(np.maximum(2 * unit - 0.5, 0), 1)"
FAMILIES: dict[str, dict[str, Any]] = {
    "gaussian": {"formula": "y ~ x + (1|g)"},
    "t": {"formula": "y ~ x + (1|g)"},
    "laplace": {"formula": "y ~ x + (1|g)"},
    "asymmetriclaplace": {"formula": Formula("y ~ x", "b ~ z")},
    "elf": {"formula": "y ~ x"},
    "bernoulli": {"formula": "b ~ x + c + (z|g)"},
    "binomial": {"formula": "p(s, trials) ~ x + (1|g)"},
    "poisson": {"formula": "k ~ x + offset(o) + (1|g)"},
    "negativebinomial": {"formula": Formula("k ~ x + (1|g)", "alpha ~ z")},
    "zero_inflated_poisson": {"formula": "k ~ x + (1|g)"},
    "gamma": {"formula": "pos ~ x + (1|g)", "link": "log"},
    "lognormal": {"formula": Formula("pos ~ x", "sigma ~ z")},
    "wald": {"formula": "pos ~ x", "link": "log"},
    "weibull": {"formula": Formula("pos ~ x + (1|g)", "alpha ~ z")},
    "beta": {"formula": Formula("unit ~ x", "kappa ~ 1 + (1|g)")},
    "exponential": {"formula": "pos ~ x + (1|g)"},
    "exgaussian": {"formula": "y ~ x + (1|g)"},
    "vonmises": {"formula": "np.arctan(y) ~ x"},
    "beta_binomial": {"formula": "p(s, trials) ~ x + (1|g)"},
    "zero_inflated_binomial": {"formula": Formula("p(s, trials) ~ x", "psi ~ z")},
    "zero_inflated_negativebinomial": {"formula": "k ~ x"},
    "hurdle_poisson": {"formula": Formula("k ~ x + (1|g)", "psi ~ z")},
    "hurdle_negativebinomial": {"formula": "k ~ x"},
    "hurdle_gamma": {"formula": "np.maximum(y + 1, 0) ~ x + (1|g)"},
    "hurdle_lognormal": {"formula": "np.maximum(y + 1, 0) ~ x"},
    "zero_one_inflated_beta": {"formula": Formula(f"{SHARES} ~ x + (1|g)", "zoi ~ z")},
    "ordered_beta": {"formula": f"{SHARES} ~ x + (1|g)"},
    "skew_normal": {"formula": "y ~ x + (1|g)"},
    "shifted_lognormal": {"formula": "pos ~ x + (1|g)"},
    "discrete_weibull": {"formula": "k ~ x + (1|g)"},
}


def model_on_small_data(formula: Any = "y ~ x + (1|g)", **settings: Any) -> nl.Model:
    return nl.Model(formula, grouped_data(), **settings)


def draws_of(results: Any) -> dict[str, np.ndarray]:
    return {str(name): values.to_numpy() for name, values in get_group(results, "posterior").data_vars.items()}


def assert_same_draws(first: Any, second: Any) -> None:
    one, other = draws_of(first), draws_of(second)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def assert_same_posterior(first: Any, second: Any) -> None:
    """Means and standard deviations of all quantities agree within Monte Carlo error."""
    one, other = (nl.summary(results, round_to="none") for results in (first, second))
    assert list(one.index) == list(other.index)
    for value, error in (("mean", "mcse_mean"), ("sd", "mcse_sd")):
        apart = (one[value] - other[value]).abs() / np.hypot(one[error], other[error])
        assert apart.max() < MOST_ERRORS, f"{value} of {apart.idxmax()}: {apart.max():.1f} Monte Carlo errors apart"


def slow(*names: str) -> list[ParameterSet]:
    """Cases that are tried with the slow tests: their densities are compared in every run, in other files."""
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


class TestPosteriors:
    def test_every_family_is_tried(self) -> None:
        without_means = {
            "categorical",
            "cumulative",
            "sratio",
            "cratio",
            "acat",
            "quantiles",
        }  # files of their own try these
        without_means |= {"multinomial", "dirichlet_multinomial", "dirichlet"}
        assert set(FAMILIES) | without_means == set(family_names())

    @pytest.mark.parametrize("family", FAMILIES)
    def test_draws_predict_the_data_they_come_from(self, family: str) -> None:
        settings = FAMILIES[family]
        model = model_on_small_data(settings["formula"], family=family, link=settings.get("link"))
        results = model.fit(draws=100, tune=150, **QUIET)
        assert all(np.isfinite(values).all() for values in draws_of(results).values())
        model.predict(results, kind="response", random_seed=1)
        (observed,) = get_group(results, "observed_data").data_vars.values()
        (predicted,) = get_group(results, "posterior_predictive").data_vars.values()
        assert predicted.shape == (2, 100, 120)
        assert abs(predicted.median(("chain", "draw")).mean() - observed.mean()) < 0.6 * observed.std()
        assert abs(np.median(predicted) - np.median(observed)) < 0.5 * observed.std()

    @pytest.mark.parametrize(
        ("formula", "family", "link"), [("pos ~ x", "wald", None), ("k ~ x", "poisson", "identity")]
    )
    def test_links_that_allow_impossible_means(self, formula: str, family: str, link: str | None) -> None:
        """Draws around the mode may leave the parameter's range; chains start inside it all the same."""
        model = model_on_small_data(formula, family=family, link=link)
        for seed in range(2):
            options: dict[str, Any] = {**QUIET, "chains": 4, "random_seed": seed}
            results = model.fit(draws=20, tune=50, include_response_params=True, **options)
            assert get_group(results, "posterior")["mu"].min() > 0

    def test_without_any_term_the_spread_is_that_about_zero(self) -> None:
        """``y ~ 0``: the posterior of sigma by quadrature."""
        data = grouped_data()
        model = nl.Model("y ~ 0", data, priors={"sigma": nl.Prior("HalfNormal", sigma=2.0)})
        results = model.fit(draws=1000, **QUIET)
        (sigma,) = draws_of(results).values()
        grid = np.linspace(0.01, 6.0, 20_000)
        density = -len(data) * np.log(grid) - 0.5 * np.sum(data.y**2) / grid**2 - 0.125 * grid**2
        weight = np.exp(density - density.max())
        mean = np.sum(weight * grid) / weight.sum()
        sd = np.sqrt(np.sum(weight * (grid - mean) ** 2) / weight.sum())
        assert abs(sigma.mean() - mean) < MOST_ERRORS * sd / np.sqrt(ess_mean(sigma))
        predicted = model.predict(results, data=data.head(3), inplace=False)
        assert not get_group(predicted, "predictions")["mu"].any()

    def test_a_repeated_group_effect_is_there_once(self) -> None:
        """``(1|g) + (x|g)`` draws what ``(x|g)`` draws, to the last bit."""
        once, twice = (model_on_small_data(f"y ~ x + {bars}") for bars in ("(x|g)", "(1|g) + (x|g)"))
        assert_same_draws(*(model.fit(draws=50, tune=50, **QUIET) for model in (once, twice)))

    @pytest.mark.parametrize("pilot", [True, False])
    def test_a_posterior_in_closed_form(self, pilot: bool) -> None:
        """Normal priors and a known sigma: mean and covariance are those of ridge regression."""
        data = grouped_data()
        priors = {
            "Intercept": nl.Prior("Normal", mu=1.0, sigma=0.5),
            "x": nl.Prior("Normal", mu=0.3, sigma=0.2),
            "z": nl.Prior("Normal", mu=0.0, sigma=0.1),
            "sigma": 0.9,
        }
        model = nl.Model("y ~ x + z", data, priors=priors, center_predictors=False)
        results = model.fit(draws=2000, pilot=pilot, plan="joint", **QUIET)
        columns = np.column_stack([np.ones(len(data)), data.x, data.z])
        precision = columns.T @ columns / 0.9**2 + np.diag(1 / np.array([0.5, 0.2, 0.1]) ** 2)
        covariance = np.linalg.inv(precision)
        mean = covariance @ (columns.T @ data.y / 0.9**2 + np.array([1.0, 0.3, 0.0]) / np.array([0.5, 0.2, 0.1]) ** 2)
        table = nl.summary(results, round_to="none")
        assert list(table.index) == ["Intercept", "x", "z"]
        assert np.all(np.abs(table["mean"] - mean) < MOST_ERRORS * table["mcse_mean"])
        assert np.all(np.abs(table["sd"] - np.sqrt(np.diag(covariance))) < MOST_ERRORS * table["mcse_sd"])

    @pytest.mark.parametrize(
        "name",
        [
            "correlated slopes",
            "nested",
            "raw intercept",
            *slow("slopes", "crossed", "categorical slopes", "offset and weights", "group means"),
            *slow("fixed sigma, flat slopes"),
        ],
    )
    def test_both_paths_have_the_same_posterior(self, name: str) -> None:
        model = small_model(GAUSSIAN[name])
        marginal = model.fit(draws=1000, plan="marginal", **QUIET)
        joint = model.fit(draws=1500, tune=700, plan="joint", pilot=False, target_accept=0.97, **QUIET)
        assert_same_posterior(marginal, joint)

    @pytest.mark.parametrize("name", ["bernoulli", *slow("poisson with offset", "gamma, log")])
    def test_the_pilot_does_not_change_the_posterior(self, name: str) -> None:
        model = small_model(GENERAL[name])
        assert model.plan().pilot
        assert not model.plan(pilot=False).pilot
        with_pilot = model.fit(draws=1200, target_accept=0.95, **QUIET)
        without = model.fit(draws=1200, tune=800, pilot=False, target_accept=0.95, **QUIET)
        assert_same_posterior(with_pilot, without)

    @pytest.mark.parametrize(
        "name", ["group means", *slow("crossed and correlated", "poisson with offset", "every parameter modelled")]
    )
    def test_the_coordinates_that_the_pilot_chooses_do_not_change_the_posterior(self, name: str) -> None:
        model = small_model({**GAUSSIAN, **GENERAL}[name])
        options = {"draws": 1200, "plan": "joint", "target_accept": 0.95, "max_treedepth": 8, **QUIET}
        assert_same_posterior(model.fit(pilot="matrix", **options), model.fit(pilot="levels", **options))

    @pytest.mark.parametrize("formula", ["y ~ x", "y ~ x + (1|h)"])
    def test_the_pilot_shortens_the_warm_up(self, formula: str) -> None:
        options = {"draws": 5, "plan": "joint", "inference_method": "nuts", **QUIET}
        with_pilot = model_on_small_data(formula).fit(**options)
        without = model_on_small_data(formula).fit(pilot=False, **options)
        assert get_group(with_pilot, "posterior").attrs["tuning_steps"] < 1000
        assert get_group(without, "posterior").attrs["tuning_steps"] == 1000

    def test_centring_does_not_change_the_posterior(self) -> None:
        fits = [
            model_on_small_data(noncentered=noncentered).fit(
                draws=1500, tune=500, pilot=False, plan="joint", target_accept=0.97, **QUIET
            )
            for noncentered in (True, False)
        ]
        assert_same_posterior(*fits)


class TestSeeds:
    @pytest.mark.parametrize("plan", ["marginal", "joint"])
    def test_draws_do_not_depend_on_the_number_of_threads(self, plan: str) -> None:
        model = model_on_small_data("y ~ x + (x|g)")
        options = {"draws": 40, "tune": 40, "chains": 4, "random_seed": 7, "progressbar": False, "plan": plan}
        first = model.fit(cores=1, **options)
        for cores in (2, 4, None):
            assert_same_draws(first, model.fit(cores=cores, **options))

    @pytest.mark.parametrize("plan", ["marginal", "joint"])
    def test_seeds_and_chains_differ(self, plan: str) -> None:
        model = model_on_small_data()
        options = {"draws": 30, "tune": 30, "chains": 3, "progressbar": False, "plan": plan}
        seeded = [draws_of(model.fit(random_seed=seed, **options)) for seed in (1, 2, None, None)]
        for name in seeded[0]:
            chains = [draws[name][chain].tobytes() for draws in seeded for chain in range(3)]
            assert len(set(chains)) == 12, name

    def test_whatever_seeds_numpy_seeds_a_fit(self) -> None:
        model = model_on_small_data()
        options = {"draws": 10, "tune": 10, "chains": 2, "progressbar": False}
        seeds: list[Callable[[], Any]] = [
            lambda: np.int64(3),
            lambda: [3, 4],
            lambda: np.random.SeedSequence(3),
            lambda: np.random.default_rng(3),
        ]
        for seed in seeds:
            assert_same_draws(model.fit(random_seed=seed(), **options), model.fit(random_seed=seed(), **options))
        assert_same_draws(model.fit(random_seed=3, **options), model.fit(random_seed=np.int64(3), **options))

    def test_a_model_can_be_fitted_again(self) -> None:
        """A pilot that chose other coordinates leaves the model as it was."""
        model = small_model(GENERAL["bernoulli"])
        options: dict[str, Any] = {"draws": 20, "tune": 20, **QUIET}
        first = model.fit(**options)
        model.fit(pilot=False, **options)
        assert_same_draws(first, model.fit(**options))

    def test_predictions_and_likelihoods_do_not_touch_the_draws(self) -> None:
        model = model_on_small_data()
        options: dict[str, Any] = {"draws": 20, "tune": 20, **QUIET}
        plain = model.fit(**options)
        more = model.fit(
            include_response_params=True,
            idata_kwargs={"log_likelihood": True},
            discard_tuned_samples=False,
            **options,
        )
        posterior = get_group(more, "posterior")
        assert get_group(plain, "posterior").equals(posterior.drop_vars("mu").drop_dims("__obs__", errors="ignore"))


class TestSettings:
    def test_numbers_of_draws(self) -> None:
        results = model_on_small_data().fit(
            draws=11, tune=23, chains=3, random_seed=1, progressbar=False, discard_tuned_samples=False
        )
        assert get_group(results, "posterior")["x"].shape == (3, 11)
        assert get_group(results, "warmup_posterior")["x"].shape == (3, 23)
        assert get_group(results, "warmup_sample_stats")["lp"].shape == (3, 23)
        assert get_group(results, "posterior").attrs["tuning_steps"] == 23

    @pytest.mark.parametrize("plan", ["marginal", "joint"])
    def test_no_warm_up(self, plan: str) -> None:
        results = model_on_small_data().fit(draws=5, tune=0, plan=plan, discard_tuned_samples=False, **QUIET)
        assert set(group_names(results)) == {"posterior", "sample_stats", "observed_data"}
        assert get_group(results, "posterior").attrs["tuning_steps"] == 0

    def test_the_default_length(self) -> None:
        results = model_on_small_data("y ~ x").fit(random_seed=1, progressbar=False)
        assert get_group(results, "posterior")["x"].shape == (4, 1000)

    def test_nuts_arguments_have_two_places(self) -> None:
        model = model_on_small_data()
        options: dict[str, Any] = {"draws": 30, "tune": 200, "plan": "joint", **QUIET}
        direct = model.fit(target_accept=0.95, max_treedepth=3, **options)
        assert_same_draws(direct, model.fit(nuts={"target_accept": 0.95, "max_treedepth": 3}, **options))
        assert get_group(direct, "sample_stats")["tree_depth"].max() == 3
        default = get_group(model.fit(**options), "sample_stats")["step_size"].mean()
        assert get_group(direct, "sample_stats")["step_size"].mean() < default

    @pytest.mark.parametrize("plan", ["marginal", "joint"])
    def test_the_callback_hears_of_every_transition(self, plan: str) -> None:
        reports: list[Any] = []
        model_on_small_data().fit(draws=40, tune=30, plan=plan, callback=reports.append, **QUIET)
        last = {report.chain: report for report in reports}
        assert {chain: (report.done, report.total) for chain, report in last.items()} == {0: (70, 70), 1: (70, 70)}
        assert {report.phase for report in reports} == {"warmup", "sampling"}

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"draws": 0}, "draws must be an integer of at least 1, not 0"),
            ({"draws": 2.5}, "draws must be an integer"),
            ({"tune": -1}, "tune must be an integer of at least 0, not -1"),
            ({"chains": 0}, "chains must be"),
            ({"cores": 0}, "cores must be"),
            ({"target_accept": 1.0}, "target_accept must be a number greater than 0 and less than 1"),
            ({"target_accept": "high"}, "target_accept must be a number"),
            ({"max_treedepth": 0}, "max_treedepth must be an integer from 1"),
            ({"max_treedepth": 2.5}, "max_treedepth must be an integer"),
            ({"random_seed": -1}, "random_seed must be a non-negative integer"),
            ({"random_seed": "one"}, "random_seed must be a non-negative integer"),
            ({"callback": 3}, "callback must be a function"),
            ({"plan": "margnal"}, "There is no plan 'margnal'"),
            ({"inference_method": "nust"}, "inference_method is one of .* Did you mean 'nuts'?"),
            ({"nuts": {"target_acept": 0.9}}, r"nuts=.* not 'target_acept'. Did you mean 'target_accept'\?"),
            ({"nuts": 0.9}, "nuts is a dict of target_accept, max_treedepth; not 0.9"),
            ({"nuts": {"max_treedepth": "deep"}}, "max_treedepth must be an integer"),
            ({"idata_kwargs": {"loglik": True}}, "idata_kwargs=.* not 'loglik'"),
        ],
    )
    def test_impossible_settings_are_refused_before_the_pilot(
        self, arguments: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            "nutslite.posterior.targets.plan.Plan.target", lambda self: pytest.fail("the fit had begun")
        )
        with pytest.raises(nl.NutsliteError, match=message):
            model_on_small_data("y ~ x").fit(**{**QUIET, **arguments})

    def test_errors_about_coordinates_name_them(self) -> None:
        model = model_on_small_data("k ~ 0 + z + (1|g)", family="poisson", link="identity")  # means of either sign
        with pytest.raises(nl.SamplingError, match=r"0: z, 1: 1\|g_sigma; then group effects.*link"):
            model.fit(pilot=False, **QUIET)

    def test_a_plan_that_cannot_serve_says_why(self) -> None:
        with pytest.raises(nl.SamplingError, match=r"plan='marginal' cannot serve this model: .*bernoulli"):
            model_on_small_data("b ~ x", family="bernoulli").fit(plan="marginal", **QUIET)

    def test_a_model_without_parameters(self) -> None:
        model = model_on_small_data("y ~ 0 + offset(o)", priors={"sigma": 1.0})
        with pytest.raises(nl.SamplingError, match="there is nothing to sample"):
            model.fit(**QUIET)

    def test_coefficients_alone_are_sampled_jointly(self) -> None:
        model = model_on_small_data("y ~ x", priors={"sigma": 1.0})
        assert model.plan().path == "joint"
        with pytest.raises(nl.SamplingError, match="no parameter would be left"):
            model.plan("marginal")

    def test_priors_that_do_not_fit_leave_the_model_as_it_was(self) -> None:
        model = model_on_small_data("y ~ x")
        before = str(model)
        with pytest.raises(nl.PriorError):
            model.set_priors({"x": "wid"})
        assert str(model) == before
        model.set_priors({"x": nl.Prior("Normal", mu=0, sigma=0.01)}, common=nl.Prior("Normal", mu=5, sigma=1))
        assert "x ~ Normal(mu: 0, sigma: 0.01)" in str(model)
        assert not model.built
        results = model.fit(draws=200, **QUIET)
        assert abs(get_group(results, "posterior")["x"].mean()) < 0.02
        assert model.built


class _StopWhen:
    """A callback that stops the run as Ctrl-C does."""

    def __init__(self, phase: str, chains: int = 1) -> None:
        self.phase, self.chains = phase, chains
        self.seen: set[int] = set()

    def __call__(self, report: Any) -> None:
        if report.phase == self.phase:
            self.seen.add(report.chain)
        if len(self.seen) >= self.chains:
            raise KeyboardInterrupt


class TestInterruption:
    @pytest.fixture(autouse=True)
    def short_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("nutslite.sampler.worker.BLOCK_SECONDS", 0.001)

    @pytest.mark.parametrize("plan", ["marginal", "joint"])
    def test_finished_draws_are_returned(self, plan: str, caplog: pytest.LogCaptureFixture) -> None:
        results = model_on_small_data().fit(
            draws=50_000,
            tune=50,
            chains=2,
            cores=2,
            random_seed=1,
            progressbar=False,
            plan=plan,
            callback=_StopWhen("sampling", chains=2),
            idata_kwargs={"log_likelihood": True},
            discard_tuned_samples=False,
        )
        posterior = get_group(results, "posterior")
        assert posterior.attrs["interrupted"] == 1
        assert 0 < posterior.sizes["draw"] < 50_000
        assert all(np.isfinite(values).all() for values in posterior.data_vars.values())
        shape = (posterior.sizes["chain"], posterior.sizes["draw"])
        assert get_group(results, "sample_stats")["lp"].shape == shape
        assert get_group(results, "log_likelihood")["y"].shape == (*shape, 120)
        assert f"Interrupted: kept the {shape[1]} finished draws of {shape[0]} of 2 chains." in caplog.messages

    def test_nothing_to_return_before_the_first_draw(self) -> None:
        model = model_on_small_data()
        with pytest.raises(KeyboardInterrupt):
            model.fit(draws=1000, tune=20_000, callback=_StopWhen("warmup"), plan="joint", **QUIET)
        assert "------" not in str(model)
        model.fit(draws=5, tune=5, **QUIET)

    def test_an_error_in_a_callback_is_said_and_costs_no_draws(self, caplog: pytest.LogCaptureFixture) -> None:
        def callback(report: Any) -> None:
            raise ZeroDivisionError("mine")

        results = model_on_small_data().fit(draws=20, tune=20, callback=callback, **QUIET)
        assert get_group(results, "posterior").sizes["draw"] == 20
        assert "Your callback callback failed" in caplog.text
        assert "ZeroDivisionError: mine" in caplog.text


class TestMessages:
    def test_what_is_wrong_with_a_fit_is_said(self, caplog: pytest.LogCaptureFixture) -> None:
        model_on_small_data().fit(draws=60, tune=5, max_treedepth=1, plan="joint", pilot=False, **QUIET)
        text = " ".join(record.message for record in caplog.records if record.levelno == logging.WARNING)
        assert "The chains disagree: R-hat is above" in text
        assert "effective sample size is below 200" in text
        assert "maximum tree depth of 1" in text

    def test_a_good_fit_is_silent(self, caplog: pytest.LogCaptureFixture) -> None:
        model_on_small_data("y ~ x").fit(draws=1000, **{**QUIET, "chains": 4})
        assert caplog.messages == []

    def test_users_see_messages_without_setting_up_logging(self) -> None:
        code = (
            "import logging, nutslite as nl\n"
            "model = nl.Model('admit ~ gre + gpa', nl.load_data('admissions'), family='bernoulli')\n"
            "model.fit(draws=2, tune=200, chains=1, progressbar=False, random_seed=1)\n"
            "logging.getLogger('nutslite').setLevel('ERROR')\n"
            "model.fit(draws=2, tune=200, chains=1, progressbar=False, random_seed=1)\n"
            "logging.getLogger('nutslite').setLevel('INFO')\n"
            "logging.basicConfig(format='mine: %(message)s')\n"
            "model.fit(draws=2, tune=200, chains=1, progressbar=False, random_seed=1)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True, env=os.environ
        )
        probability, short = "Modeling the probability that admit==1", "2 draw(s) per chain are too few"
        lines = done.stderr.splitlines()
        assert len(lines) == 4
        assert lines[0] == probability
        assert lines[1].startswith(short)
        assert lines[2] == f"mine: {probability}"
        assert lines[3].startswith(f"mine: {short}")

    def test_a_warning_about_priors_points_at_the_users_line(self) -> None:
        with pytest.warns(nl.NutsliteWarning, match=r"'xx'. Did you mean 'x'\? They are not used") as caught:
            nl.Model("y ~ x", grouped_data(), priors={"xx": nl.Prior("Normal", mu=0, sigma=1)})
        assert [warning.filename for warning in caught] == [__file__]

    def test_a_picked_level_is_named(self, caplog: pytest.LogCaptureFixture) -> None:
        model = model_on_small_data("c['v'] ~ x", family="bernoulli")
        with caplog.at_level(logging.INFO, logger="nutslite"):
            model.fit(draws=5, tune=5, **QUIET)
        assert "Modeling the probability that c==v" in caplog.messages
