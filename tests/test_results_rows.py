"""Which group is about which rows, and of which type responses are."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_models import grouped_data

import nutslite as nl
from nutslite.results.added_groups import store_new_rows
from nutslite.results.container.inference_data import arviz_major, get_group, group_names
from nutslite.results.container.sample_axes import SampleAxes
from nutslite.results.predictions.predict import Prediction
from nutslite.results.predictions.response_draws import PredictionTask

SHORT: dict[str, Any] = {"draws": 15, "tune": 40, "chains": 2, "random_seed": 1, "progressbar": False}
OUTCOMES = {
    "poisson": ("k ~ x", "poisson"),
    "negativebinomial": ("k ~ x", "negativebinomial"),
    "zero_inflated_poisson": ("k ~ x", "zero_inflated_poisson"),
    "bernoulli": ("b ~ x", "bernoulli"),
    "outcomes in words": ("word ~ x", "bernoulli"),
    "a level of three": ("c['v'] ~ x", "bernoulli"),
    "Boolean": ("yes ~ x", "bernoulli"),
    "counts as fractions": ("kf ~ x", "poisson"),
    "binomial": ("p(s, trials) ~ x", "binomial"),
    "weighted": ("weighted(k, w) ~ x", "poisson"),
}
MEASUREMENTS = {
    "gaussian": ("y ~ x", "gaussian"),
    "whole numbers": ("k ~ x", "gaussian"),
    "gamma": ("pos ~ x", "gamma"),
    "beta": ("unit ~ x", "beta"),
}


def data() -> pd.DataFrame:
    frame = grouped_data()
    return frame.assign(
        word=np.where(frame.b == 1, "yes", "no"),
        yes=frame.b == 1,
        kf=frame.k.astype(float),
    )


@functools.cache
def fitted(formula: str, family: str) -> tuple[nl.Model, Any]:
    link = "log" if family == "gamma" else None
    model = nl.Model(formula, data(), family=family, link=link)
    return model, model.fit(**SHORT, compute_convergence_checks=False, inference_method="laplace")


@pytest.mark.parametrize("case", [*OUTCOMES, *MEASUREMENTS])
def test_types_of_responses(case: str) -> None:
    """Counts and outcomes are integers wherever they are, as in Bambi; measurements are not."""
    model, results = fitted(*(OUTCOMES | MEASUREMENTS)[case])
    name, expected = model.response_name, "int64" if case in OUTCOMES else "float64"
    own = model.predict(results, kind="response", inplace=False, random_seed=1)
    new = model.predict(results, kind="response", data=data().head(3), inplace=False, random_seed=1)
    prior = model.prior_predictive(draws=3, random_seed=1)
    groups = {
        "observed_data": (results, own, prior),
        "posterior_predictive": (own,),
        "predictions": (new,),
        "prior_predictive": (prior,),
    }
    for group, containers in groups.items():
        for container in containers:
            assert str(get_group(container, group)[name].dtype) == expected, group
    np.testing.assert_array_equal(get_group(results, "observed_data")[name], model.design.response.values[0])


def test_a_family_of_ones_own_may_draw_counts_as_floating_point_numbers() -> None:
    def logp(y: float, mu: float) -> float:
        return y * np.log(mu) - mu

    likelihood = nl.Likelihood(
        "Mine", ["mu"], "mu", logp=logp, support="count", random=lambda rng, mu: 1.0 * rng.poisson(mu)
    )
    model = nl.Model("k ~ 1", grouped_data(), nl.Family("mine", likelihood, "log"))
    prior = model.prior_predictive(draws=5, random_seed=1)
    assert get_group(prior, "prior_predictive")["k"].dtype == np.int64


class TestRows:
    def test_responses_come_with_the_parameters_of_their_rows(self) -> None:
        model, results = fitted("k ~ x", "poisson")
        own = model.predict(results, kind="response", inplace=False, random_seed=1)
        mean = model.predict(results, inplace=False)
        assert get_group(own, "posterior")["mu"].equals(get_group(mean, "posterior")["mu"])
        new = model.predict(results, kind="response", data=data().head(4), inplace=False, random_seed=1)
        assert list(get_group(new, "predictions").data_vars) == ["mu", "k"]
        assert get_group(new, "predictions").sizes["__obs__"] == 4
        assert "mu" not in get_group(new, "posterior")
        assert "posterior_predictive" not in group_names(new)

    def test_every_parameter_with_a_formula(self) -> None:
        model = nl.Model(nl.Formula("k ~ x", "alpha ~ z"), grouped_data(), "negativebinomial")
        results = model.fit(**SHORT, inference_method="laplace", compute_convergence_checks=False)
        model.predict(results, kind="response", data=grouped_data().head(2), random_seed=1)
        assert list(get_group(results, "predictions").data_vars) == ["mu", "alpha", "k"]
        prior = get_group(model.prior_predictive(draws=3, random_seed=1), "prior")
        assert prior["mu"].dims == prior["alpha"].dims == ("chain", "draw", "__obs__")
        only = model.prior_predictive(draws=3, var_names=["alpha", "x"], random_seed=1)
        assert set(get_group(only, "prior").data_vars) == {"alpha", "x"}

    @pytest.mark.parametrize("first", ["own", "new"])
    def test_nothing_of_other_rows_stays(self, first: str) -> None:
        model, fit = fitted("k ~ x", "poisson")
        results = model.predict(fit, inplace=False)
        rows = {"own": None, "new": data().head(5)}
        for which in (first, *rows, "new"):
            model.predict(results, kind="response", data=rows[which], random_seed=1)
        model.predict(results, data=data().head(2))
        sizes = {
            group: get_group(results, group).sizes["__obs__"]
            for group in group_names(results)
            if group != "sample_stats"
        }
        assert sizes == {
            "posterior": 120,
            "posterior_predictive": 120,
            "observed_data": 120,
            "predictions": 2,
            "predictions_constant_data": 2,
        }
        assert list(get_group(results, "predictions").data_vars) == ["mu"]

    def test_columns_that_new_rows_are_made_from(self, tmp_path: Any) -> None:
        frame = data().assign(
            day=pd.date_range("2026-01-01", periods=120).repeat(1),
            kind=pd.Categorical(data().c, categories=["w", "u", "v"]),
            **{"my col": np.arange(120.0)},
        )
        model = nl.Model("p(s, trials) ~ x + yes + kind + `my col` + trials + (1|g)", frame, "binomial")
        results = model.fit(**SHORT, inference_method="laplace", compute_convergence_checks=False)
        new = frame.iloc[[4, 2, 9]]
        model.predict(results, kind="response", data=new.drop(columns="s"), random_seed=1)
        columns = get_group(results, "predictions_constant_data")
        assert set(columns.data_vars) == {"x", "yes", "kind", "my col", "trials", "g"}
        for name in columns.data_vars:
            assert columns[name].dims == ("__obs__",)
            assert columns[name].values.tolist() == new[str(name)].tolist()
        assert columns["__row__"].values.tolist() == [4, 2, 9]
        again = nl.load(nl.save(results, tmp_path / "a.nc"))
        assert get_group(again, "predictions_constant_data").equals(columns)

    def test_columns_of_any_type_go_into_files(self, tmp_path: Any) -> None:
        rows = pd.DataFrame(
            {"x": np.array([1, 2], np.float16), "k": np.array([3, 2**63], np.uint64), "b": [True, False]}
        )
        rows = rows.assign(
            g=pd.Series(["a\0b", "\ud800"], dtype=object),
            i=pd.interval_range(0, 2),
            p=pd.period_range("2020", periods=2, freq="M"),
        )
        rows = rows.assign(
            n=pd.array([1, 2], "Int64"), d=pd.date_range("2020-01-01", periods=2, tz="UTC"), o=[2.5, "z"]
        )
        model = nl.Model("y ~ x", grouped_data())
        results = model.prior_predictive(draws=2)
        axes = SampleAxes.of(get_group(results, "prior"))
        task = PredictionTask(model.family, model.links)
        store_new_rows(
            results, Prediction({"mu": np.zeros((1, 2, 2))}, {}), axes, task, rows.set_index("o", drop=False)
        )
        again = get_group(nl.load(nl.save(results, tmp_path / "a.nc")), "predictions_constant_data")
        assert again["g"].values.tolist() == ["a\\0b", "\\ud800"]
        assert again["p"].values.tolist() == ["2020-01", "2020-02"]
        assert again["n"].values.tolist() == [1, 2]
        assert again["k"].values.tolist() == [3, 2**63]
        assert [str(again[name].dtype) for name in ("x", "b")] == ["float64", "bool"]
        assert again["__row__"].values.tolist() == again["o"].values.tolist() == ["2.5", "z"]

    def test_fits_with_parameters_are_about_their_own_rows(self) -> None:
        model = nl.Model("k ~ x", grouped_data(), "poisson")
        settings = {**SHORT, "inference_method": "laplace", "compute_convergence_checks": False}
        results = model.fit(**settings, include_response_params=True)
        model.predict(results, data=data().head(2), kind="response", random_seed=1)
        assert get_group(results, "posterior")["mu"].sizes["__obs__"] == 120
        share = model.r2_score(results, summary=False)
        np.testing.assert_array_equal(share, model.r2_score(model.fit(**settings), summary=False))


@pytest.mark.skipif(arviz_major() < 1, reason="these pictures came with ArviZ 1.0")
class TestPictures:
    @pytest.mark.parametrize("case", ["poisson", "binomial"])
    def test_rootogram(self, case: str) -> None:
        import arviz as az

        model, results = fitted(*OUTCOMES[case])
        own = model.predict(results, kind="response", inplace=False, random_seed=1)
        az.plot_ppc_rootogram(own)

    def test_predictive_distributions_are_compared_with_their_own_rows(self) -> None:
        import arviz as az

        model, results = fitted("k ~ x", "poisson")
        new = model.predict(results, kind="response", data=data().head(4), inplace=False, random_seed=1)
        with pytest.raises((KeyError, ValueError)):
            az.plot_ppc_dist(new)
        both = model.predict(new, kind="response", inplace=False, random_seed=1)
        az.plot_ppc_dist(both)
        az.plot_ppc_dist(model.predict(results, kind="response", draws=10, inplace=False, random_seed=1))
