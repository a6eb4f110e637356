"""Predictions, likelihoods and draws of the prior as users ask a model for them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_models import grouped_data

import nutslite as nl
from nutslite.formula.formula import Formula
from nutslite.results.container.inference_data import get_group, group_names

QUIET: dict[str, Any] = {"draws": 100, "tune": 100, "chains": 2, "random_seed": 1, "progressbar": False}
SLOPES = "y ~ x + c + offset(o) + (x|g)"


@functools.cache
def fitted(formula: Any = SLOPES, **settings: Any) -> tuple[nl.Model, Any]:
    """A model and its results, which tests copy before they change them."""
    model = nl.Model(formula, grouped_data(), **settings)
    return model, model.fit(**QUIET)


def values(results: Any, name: str, group: str = "posterior") -> np.ndarray:
    """Draws with chains joined end to end."""
    array = get_group(results, group)[name].to_numpy()
    return array.reshape(-1, *array.shape[2:])


def by_hand(results: Any, data: pd.DataFrame, group: str = "posterior") -> np.ndarray:
    """The linear predictor of SLOPES from the reported quantities and the columns as they are."""
    levels = list(get_group(results, group)["g__factor_dim"].to_numpy())
    groups = np.array([levels.index(level) for level in data.g])
    draws = {name: values(results, name, group) for name in ("Intercept", "x", "c", "1|g", "x|g")}
    eta = draws["Intercept"][:, None] + draws["x"][:, None] * data.x.to_numpy()
    dummies = np.stack([data.c == "v", data.c == "w"]).astype(float)
    eta = eta + draws["c"] @ dummies + data.o.to_numpy()
    return eta + draws["1|g"][:, groups] + draws["x|g"][:, groups] * data.x.to_numpy()


class TestParameters:
    @pytest.mark.parametrize("center", [True, False])
    def test_own_rows(self, center: bool) -> None:
        model, results = fitted(center_predictors=center)
        predicted = model.predict(results, inplace=False)
        np.testing.assert_allclose(values(predicted, "mu"), by_hand(results, grouped_data()), rtol=1e-10, atol=1e-12)
        assert get_group(predicted, "posterior")["mu"].dims == ("chain", "draw", "__obs__")

    def test_new_rows(self) -> None:
        model, results = fitted()
        new = grouped_data(7, seed=5)
        predicted = model.predict(results, data=new, inplace=False)
        mu = values(predicted, "mu", "predictions")
        np.testing.assert_allclose(mu, by_hand(results, new), rtol=1e-10, atol=1e-12)
        without_response = new[["x", "c", "o", "g"]].to_dict("list")
        again = model.predict(results, data=without_response, inplace=False)
        np.testing.assert_array_equal(values(again, "mu", "predictions"), mu)

    def test_without_group_effects(self) -> None:
        model, results = fitted()
        new = grouped_data(7, seed=5).assign(g="unheard of")
        common = model.predict(results, data=new, inplace=False, include_group_specific=False)
        known = grouped_data(7, seed=5)
        posterior = get_group(results, "posterior")
        levels = list(posterior["g__factor_dim"].to_numpy())
        at = np.array([levels.index(level) for level in known.g])
        effects = values(results, "1|g")[:, at] + values(results, "x|g")[:, at] * known.x.to_numpy()
        expected = by_hand(results, known) - effects
        np.testing.assert_allclose(values(common, "mu", "predictions"), expected, rtol=1e-9, atol=1e-10)

    def test_every_modelled_parameter_is_on_its_natural_scale(self) -> None:
        model, results = fitted(Formula("k ~ x", "alpha ~ z"), family="negativebinomial")
        predicted = model.predict(results, inplace=False)
        data = grouped_data()
        for name, prefix, column in (("mu", "", "x"), ("alpha", "alpha_", "z")):
            intercept, slope = values(results, f"{prefix}Intercept"), values(results, f"{prefix}{column}")
            eta = intercept[:, None] + slope[:, None] * data[column].to_numpy()
            np.testing.assert_allclose(values(predicted, name), np.exp(eta), rtol=1e-9)


class TestPlaces:
    def test_in_place_or_in_a_copy(self) -> None:
        model, results = fitted()
        before = {group: get_group(results, group).copy(deep=True) for group in group_names(results)}
        copied = model.predict(results, kind="response", inplace=False, random_seed=1)
        assert type(copied) is type(results)
        assert set(group_names(copied)) == {*before, "posterior_predictive"}
        assert group_names(results) == list(before)
        assert all(get_group(results, group).identical(before[group]) for group in before)
        assert model.predict(copied) is None
        assert "mu" in get_group(copied, "posterior")
        assert "mu" not in get_group(results, "posterior")
        get_group(copied, "posterior")["Intercept"].to_numpy()[:] = 0.0
        assert all(get_group(results, group).identical(before[group]) for group in before)

    def test_later_predictions_replace_earlier_ones(self) -> None:
        model, results = fitted()
        own = model.predict(results, inplace=False)
        moved = model.predict(own, inplace=False)
        model.predict(moved, data=grouped_data(7, seed=5), kind="response")
        model.predict(moved, data=grouped_data(9, seed=5))
        assert list(get_group(moved, "predictions").data_vars) == ["mu"]  # responses were for other rows
        assert get_group(moved, "predictions").sizes["__obs__"] == 9
        model.predict(moved)
        assert get_group(moved, "posterior").equals(get_group(own, "posterior"))
        assert list(get_group(moved, "posterior").data_vars)[:3] == ["Intercept", "x", "c"]

    def test_predictions_from_saved_results(self, tmp_path: Any) -> None:
        model, results = fitted()
        loaded = nl.load(nl.save(results, tmp_path / "fit.nc"))
        first, second = (
            model.predict(each, kind="response", inplace=False, random_seed=3) for each in (results, loaded)
        )
        np.testing.assert_array_equal(
            values(first, "y", "posterior_predictive"), values(second, "y", "posterior_predictive")
        )

    @pytest.mark.parametrize(
        ("formula", "data", "options", "message"),
        [
            (SLOPES, {"g": "new"}, {}, r"a level of 'g' that the model was not fitted to: 'new'.*sample_new_groups"),
            (SLOPES, {"c": "other"}, {}, "'c' has the level 'other'"),
            (
                SLOPES,
                {"x": np.nan},
                {},
                r"The new data hold 120 incomplete rows; .*'x' \(120\).*leave these rows out\.$",
            ),
            (SLOPES, {"x": "text"}, {}, "'x' is categorical in the new data, and was numeric"),
            (SLOPES, {}, {"kind": "respones"}, "kind is .* not 'respones'. Did you mean 'response'"),
            ("y ~ x + z", {}, {}, "The posterior has no variable 'z': is it from another model"),
        ],
    )
    def test_what_cannot_be_predicted(
        self, formula: str, data: dict[str, Any], options: dict[str, Any], message: str
    ) -> None:
        _, results = fitted()
        model = nl.Model(formula, grouped_data())
        with pytest.raises(nl.DataError, match=message):
            model.predict(results, data=grouped_data().assign(**data), inplace=False, **options)

    @pytest.mark.parametrize("thing", [None, {}, 3, pd.DataFrame()])
    def test_results_of_nothing(self, thing: Any) -> None:
        model, _ = fitted()
        with pytest.raises(nl.DataError, match=r"what Model\.fit returned"):
            model.predict(thing)
        with pytest.raises(nl.DataError, match=r"what Model\.fit returned"):
            model.compute_log_likelihood(thing)


class TestResponses:
    def test_moments_and_seeds(self) -> None:
        model, results = fitted()
        first, again, other = (
            model.predict(results, kind="response", inplace=False, random_seed=seed) for seed in (1, 1, 2)
        )
        drawn = values(first, "y", "posterior_predictive")
        np.testing.assert_array_equal(drawn, values(again, "y", "posterior_predictive"))
        assert not np.array_equal(drawn, values(other, "y", "posterior_predictive"))
        standard = (drawn - by_hand(results, grouped_data())) / values(results, "sigma")[:, None]
        assert stats.kstest(standard.ravel(), "norm").pvalue > 1e-3

    def test_the_older_name(self) -> None:
        model, results = fitted()
        one = model.predict(results, kind="response", inplace=False, random_seed=1)
        two = model.posterior_predictive(results, inplace=False, random_seed=1)
        assert get_group(one, "posterior_predictive").equals(get_group(two, "posterior_predictive"))

    def test_trials(self) -> None:
        model, results = fitted("p(s, trials) ~ x + (1|g)", family="binomial")
        drawn = values(model.predict(results, kind="response", inplace=False), "p(s, trials)", "posterior_predictive")
        trials = grouped_data().trials.to_numpy()
        assert np.all((drawn >= 0) & (drawn <= trials))
        assert np.array_equal(drawn, np.round(drawn))
        new = pd.DataFrame({"x": [3.0, 3.0], "g": ["g1", "g1"], "trials": [1000, 10]})
        predicted = model.predict(results, data=new, inplace=False)
        model.predict(predicted, kind="response", data=new, random_seed=1)
        counts = values(predicted, "p(s, trials)", "predictions")
        p = values(predicted, "p", "predictions")
        assert counts[:, 0].max() > 10 >= counts[:, 1].max()
        standard = (counts - [1000, 10] * p) / np.sqrt([1000, 10] * p * (1 - p))
        assert abs(standard.mean()) < 4.5 / np.sqrt(standard.size)
        with pytest.raises(nl.DataError, match="trials"):
            model.predict(results, kind="response", data=new[["x", "g"]], inplace=False)
        model.predict(results, data=new[["x", "g"]], inplace=False)


class TestNewGroups:
    def test_effects_come_from_the_population(self) -> None:
        model, results = fitted("y ~ x + (x|g)", correlated=True)
        new = pd.DataFrame({"x": [0.0, 1.0, 0.0], "g": ["new", "new", "newer"]})
        predicted = model.predict(results, data=new, inplace=False, sample_new_groups=True, random_seed=4)
        common = values(results, "Intercept")[:, None] + values(results, "x")[:, None] * new.x.to_numpy()
        effects = values(predicted, "mu", "predictions") - common
        sigma_1, sigma_x = values(results, "1|g_sigma"), values(results, "x|g_sigma")
        first, slope = effects[:, 0] / sigma_1, (effects[:, 1] - effects[:, 0]) / sigma_x
        other = effects[:, 2] / sigma_1
        for standard in (first, slope, other):
            assert stats.kstest(standard, "norm").pvalue > 1e-3
        errors = 1 / np.sqrt(first.size)
        assert abs(np.corrcoef(first, other)[0, 1]) < 4.5 * errors
        # given the correlation of its draw, the slope less its regression on the intercept is standard normal, too
        correlation = values(results, "1+x|g_corr")[:, 0]
        rest = (slope - correlation * first) / np.sqrt(1 - correlation**2)
        assert stats.kstest(rest, "norm").pvalue > 1e-3
        assert abs(np.corrcoef(rest, first)[0, 1]) < 4.5 * errors

    def test_seeds_and_kinds(self) -> None:
        model, results = fitted()
        new = grouped_data(5, seed=5).assign(g="new")
        options: dict[str, Any] = {"data": new, "inplace": False, "sample_new_groups": True}
        one, same, other = (model.predict(results, random_seed=seed, **options) for seed in (1, 1, 2))
        one, same, other = (values(each, "mu", "predictions") for each in (one, same, other))
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)
        known = model.predict(results, data=new.assign(g="g1"), inplace=False, sample_new_groups=True, random_seed=1)
        expected = by_hand(results, new.assign(g="g1"))
        np.testing.assert_allclose(values(known, "mu", "predictions"), expected, rtol=1e-9, atol=1e-10)


LIKELIHOODS: dict[str, tuple[Any, dict[str, Any], Any]] = {
    "gaussian": ("y ~ x + (1|g)", {}, lambda d, p: stats.norm.logpdf(d.y, p["mu"], p["sigma"])),
    "weighted": (
        "weighted(y, w) ~ x",
        {},
        lambda d, p: d.w.to_numpy() * stats.norm.logpdf(d.y, p["mu"], p["sigma"]),
    ),
    "sigma modelled": (Formula("y ~ x", "sigma ~ z"), {}, lambda d, p: stats.norm.logpdf(d.y, p["mu"], p["sigma"])),
    "t": (
        "y ~ x",
        {"family": "t"},
        lambda d, p: stats.t.logpdf(d.y, p["nu"], p["mu"], p["sigma"]),
    ),
    "bernoulli": ("b ~ x", {"family": "bernoulli"}, lambda d, p: stats.bernoulli.logpmf(d.b, p["p"])),
    "binomial": (
        "p(s, trials) ~ x",
        {"family": "binomial", "link": "cloglog"},
        lambda d, p: stats.binom.logpmf(d.s, d.trials, p["p"]),
    ),
    "poisson": ("k ~ x", {"family": "poisson"}, lambda d, p: stats.poisson.logpmf(d.k, p["mu"])),
    "negativebinomial": (
        "k ~ x",
        {"family": "negativebinomial"},
        lambda d, p: stats.nbinom.logpmf(d.k, p["alpha"], p["alpha"] / (p["alpha"] + p["mu"])),
    ),
    "gamma": (
        "pos ~ x",
        {"family": "gamma", "link": "log"},
        lambda d, p: stats.gamma.logpdf(d.pos, p["alpha"], scale=p["mu"] / p["alpha"]),
    ),
    "beta": (
        Formula("unit ~ x", "kappa ~ z"),
        {"family": "beta"},
        lambda d, p: stats.beta.logpdf(d.unit, p["mu"] * p["kappa"], (1 - p["mu"]) * p["kappa"]),
    ),
}


class TestLogLikelihood:
    @pytest.mark.parametrize("name", LIKELIHOODS)
    def test_it_is_that_of_scipy(self, name: str) -> None:
        formula, settings, reference = LIKELIHOODS[name]
        model, results = fitted(formula, **settings)
        for data in (None, grouped_data(11, seed=3)):
            predicted = model.predict(results, data=data, inplace=False)
            assert model.compute_log_likelihood(predicted, data=data) is None
            response = model.design.response.name
            groups = ["posterior", *(["predictions"] if data is not None else [])]
            arrays = {
                str(key): values(predicted, str(key), group)
                for group in groups
                for key in get_group(predicted, group).data_vars
            }
            columns = {key: array if array.ndim > 1 else array[:, None] for key, array in arrays.items()}
            expected = reference(grouped_data() if data is None else data, columns)
            found = values(predicted, response, "log_likelihood")
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)

    def test_a_copy_is_returned_on_demand(self) -> None:
        model, results = fitted()
        copied = model.compute_log_likelihood(results, inplace=False)
        assert "log_likelihood" in group_names(copied)
        assert "log_likelihood" not in group_names(results)

    def test_new_rows_need_the_response(self) -> None:
        model, results = fitted()
        with pytest.raises(nl.DataError, match="lack the column 'y'"):
            model.compute_log_likelihood(results, data=grouped_data().drop(columns="y"))


def prior_draws(formula: Any, draws: int = 4000, **settings: Any) -> Any:
    return nl.Model(formula, grouped_data(), **settings).prior_predictive(draws=draws, random_seed=2)


def assert_moments(sample: np.ndarray, mean: float, sd: float) -> None:
    """Mean and standard deviation of independent normal draws within 4.5 standard errors."""
    n = sample.size
    assert abs(sample.mean() - mean) < 4.5 * sd / np.sqrt(n)
    assert abs(sample.std() - sd) < 4.5 * sd / np.sqrt(2 * n)


class TestPriorPredictive:
    priors = {  # noqa: RUF012
        "Intercept": nl.Prior("Normal", mu=2.0, sigma=0.5),
        "x": nl.Prior("Normal", mu=-1.0, sigma=0.3),
        "sigma": nl.Prior("HalfNormal", sigma=0.7),
    }

    def test_groups(self) -> None:
        drawn = prior_draws("y ~ x + c + (x|g)", draws=20)
        assert set(group_names(drawn)) == {"prior", "observed_data", "prior_predictive"}
        prior = get_group(drawn, "prior")
        model, results = fitted("y ~ x + c + (x|g)")
        assert list(prior.data_vars) == [*get_group(results, "posterior").data_vars, "mu"]
        eta = by_hand(drawn, grouped_data(), "prior") - grouped_data().o.to_numpy()
        np.testing.assert_allclose(values(drawn, "mu", "prior"), eta, rtol=1e-9, atol=1e-9)
        assert get_group(drawn, "prior_predictive")["y"].shape == (1, 20, 120)
        assert prior.sizes["g__factor_dim"] == 9
        again, other = (model.prior_predictive(draws=20, random_seed=seed) for seed in (2, 3))
        assert get_group(again, "prior").equals(prior)
        assert not get_group(other, "prior").equals(prior)

    @pytest.mark.parametrize("center", [True, False])
    def test_the_intercept_is_about_centred_predictors_or_raw_ones(self, center: bool) -> None:
        drawn = prior_draws("y ~ x", priors=self.priors, center_predictors=center)
        intercept, slope = values(drawn, "Intercept", "prior"), values(drawn, "x", "prior")
        assert_moments(slope, -1.0, 0.3)
        mean = grouped_data().x.mean()
        assert_moments(intercept + slope * mean if center else intercept, 2.0, 0.5)
        sigma = values(drawn, "sigma", "prior")
        assert stats.kstest(sigma, stats.halfnorm(scale=0.7).cdf).pvalue > 1e-3
        y = values(drawn, "y", "prior_predictive")
        standard = (y - intercept[:, None] - slope[:, None] * grouped_data().x.to_numpy()) / sigma[:, None]
        assert_moments(standard[:, 3], 0.0, 1.0)
        assert_moments(standard[:, 50], 0.0, 1.0)

    @pytest.mark.parametrize("eta", [None, 1.0, 3.0])
    def test_group_effects_and_their_correlation(self, eta: float | None) -> None:
        drawn = prior_draws("y ~ x + (x|g)", priors_cor={} if eta is None else {"g": eta})
        one = values(drawn, "1|g", "prior") / values(drawn, "1|g_sigma", "prior")[:, None]
        slope = values(drawn, "x|g", "prior") / values(drawn, "x|g_sigma", "prior")[:, None]
        assert_moments(one[:, 0], 0.0, 1.0)
        assert_moments(slope[:, 8], 0.0, 1.0)
        product = (one * slope).mean(axis=1)
        if eta is None:
            assert_moments(product, 0.0, 1 / 3)  # 9 products of independent normals
            return
        correlation = values(drawn, "1+x|g_corr", "prior")[:, 0]
        assert stats.kstest((correlation + 1) / 2, stats.beta(eta, eta).cdf).pvalue > 1e-3
        rest = (slope - correlation[:, None] * one) / np.sqrt(1 - correlation[:, None] ** 2)
        assert_moments(rest[:, 0], 0.0, 1.0)
        assert abs((rest * one).mean()) < 4.5 / np.sqrt(rest.size)

    def test_names_to_keep(self) -> None:
        model = nl.Model("y ~ x", grouped_data(), priors=self.priors)
        kept = model.prior_predictive(draws=5, var_names=["x", "y"], random_seed=1)
        assert list(get_group(kept, "prior").data_vars) == ["x"]
        assert list(get_group(kept, "prior_predictive").data_vars) == ["y"]
        only = model.prior_predictive(draws=5, var_names="sigma", random_seed=1)
        assert list(get_group(only, "prior").data_vars) == ["sigma"]
        assert "prior_predictive" not in group_names(only)
        with pytest.raises(nl.DataError, match=r"no variable 'sgma' in the model\. Did you mean 'sigma'"):
            model.prior_predictive(draws=5, var_names=["sgma"])

    @pytest.mark.parametrize("draws", [0, -1, 2.5, "10"])
    def test_impossible_numbers_of_draws(self, draws: Any) -> None:
        with pytest.raises(nl.SamplingError, match="draws must be an integer of at least 1"):
            nl.Model("y ~ x", grouped_data()).prior_predictive(draws=draws)

    def test_flat_priors_cannot_be_drawn_from(self) -> None:
        with pytest.raises(nl.PriorError, match="Flat"):
            nl.Model("y ~ x", grouped_data(), auto_scale=False).prior_predictive()
