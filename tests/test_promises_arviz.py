"""What users of Bambi call on a fit, with whichever generation of ArviZ is installed, unchanged.

`az.summary`, `az.plot_trace`, `az.loo`, `az.compare` and netCDF are in test_model_results.py.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from small_models import grouped_data

import nutslite as nl
from nutslite.exceptions import NutsliteError
from nutslite.results.container.inference_data import arviz_major, get_group, group_names

pytest.importorskip("arviz")
matplotlib = pytest.importorskip("matplotlib")

first_generation = pytest.mark.skipif(arviz_major() >= 1, reason="a call of ArviZ 0.x")
second_generation = pytest.mark.skipif(arviz_major() < 1, reason="a call of ArviZ 1.x")


@functools.cache
def model() -> nl.Model:
    return nl.Model("y ~ x + c + (1|g)", grouped_data())


@functools.cache
def fitted() -> Any:
    """A fit with everything that ArviZ's functions ask for."""
    results = model().fit(
        draws=200,
        chains=2,
        random_seed=1,
        progressbar=False,
        idata_kwargs={"log_likelihood": True, "log_prior": True},
    )
    model().predict(results, kind="response", random_seed=1)
    return results


@pytest.fixture
def az() -> Iterator[Any]:
    """ArviZ, without a word from it or matplotlib about their own futures; pictures closed afterwards."""
    import matplotlib.pyplot as plt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield importlib.import_module("arviz")
    plt.close("all")


def test_the_kind_of_object(az: Any) -> None:
    results = fitted()
    assert isinstance(results, az.InferenceData) or arviz_major() >= 1
    assert list(results.posterior.data_vars)[:3] == ["Intercept", "x", "c"]
    assert results.posterior["x"].dims == ("chain", "draw")
    assert float(results.posterior["x"].mean()) == pytest.approx(float(nl.summary(results).loc["x", "mean"]), abs=6e-4)


@first_generation
def test_summary_of_the_first_generation(az: Any) -> None:
    table = az.summary(fitted(), var_names=["x", "c"])
    ours = nl.summary(fitted(), var_names=["x", "c"])
    assert list(table.columns) == list(ours.columns)
    assert list(table.index) == list(ours.index) == ["x", "c[v]", "c[w]"]
    np.testing.assert_allclose(
        table[["mean", "sd", "hdi_3%", "hdi_97%"]], ours[["mean", "sd", "hdi_3%", "hdi_97%"]], atol=0.0011
    )


@second_generation
def test_summary_of_the_second_generation(az: Any) -> None:
    table = az.summary(fitted(), var_names=["x", "c"], ci_prob=0.94, ci_kind="hdi", round_to=6)
    ours = nl.summary(fitted(), var_names=["x", "c"], round_to="none")
    assert list(table.index) == list(ours.index) == ["x", "c[v]", "c[w]"]
    np.testing.assert_allclose(table["mean"].astype(float), ours["mean"], atol=1e-5)
    np.testing.assert_allclose(table["hdi94_lb"].astype(float), ours["hdi_3%"], atol=0.02)


@first_generation
def test_plot_trace_of_the_guide(az: Any) -> None:
    axes = az.plot_trace(fitted(), compact=False, var_names=["Intercept", "x", "c", "sigma"])
    assert axes.shape == (5, 2)  # both coefficients of c have a row


@second_generation
def test_pictures_of_the_guide_in_the_second_generation(az: Any) -> None:
    assert az.plot_trace_dist(fitted(), var_names=["x", "c"]) is not None
    assert az.plot_trace(fitted(), var_names=["x", "c"]) is not None


@first_generation
def test_posterior_predictive_check_of_the_first_generation(az: Any) -> None:
    assert az.plot_ppc(fitted(), num_pp_samples=10) is not None


@second_generation
def test_posterior_predictive_check_of_the_second_generation(az: Any) -> None:
    assert az.plot_ppc_dist(fitted(), num_samples=10) is not None


EITHER = ("ecdf", "kde", "pit", "tstat", "loo_pit")
OF_EACH = {0: ("scatter", "p_value"), 1: ("hist", "coverage", "interval")}  # others want counts or events


@pytest.mark.parametrize("kind", [*EITHER, *OF_EACH[min(1, arviz_major())]])
def test_predictive_checks_in_one_line(az: Any, kind: str) -> None:
    before = get_group(fitted(), "posterior_predictive").copy(deep=True)
    assert model().pp_check(fitted(), kind) is not None
    assert get_group(fitted(), "posterior_predictive").identical(before)


def test_a_predictive_check_makes_the_predictions_that_are_missing(az: Any) -> None:
    results = nl.Model("y ~ x + c + (1|g)", grouped_data()).fit(
        draws=20, chains=2, random_seed=1, progressbar=False, compute_convergence_checks=False
    )
    assert model().pp_check(results, "loo_pit", random_seed=2) is not None
    assert not {"posterior_predictive", "log_likelihood"} & set(group_names(results))
    assert model().pp_check(results, "ecdf", draws=10) is not None


def test_a_predictive_check_that_there_is_not() -> None:
    other = OF_EACH[1 - min(1, arviz_major())][0]
    with pytest.raises(NutsliteError, match=f"kind='{other}' is a picture of ArviZ .* has: ecdf, kde"):
        model().pp_check(fitted(), other)
    with pytest.raises(NutsliteError, match=r"kind is one of .* Did you mean 'ecdf'"):
        model().pp_check(fitted(), "ecdff")


@pytest.mark.parametrize("name", ["plot_forest", "plot_rank", "plot_energy", "plot_autocorr", "plot_ess"])
def test_other_pictures(az: Any, name: str) -> None:
    if not hasattr(az, name):
        pytest.skip(f"this ArviZ has no {name}")
    arguments: dict[str, Any] = {} if name == "plot_energy" else {"var_names": ["x", "sigma"]}
    assert getattr(az, name)(fitted(), **arguments) is not None


def test_loo_waic_and_pointwise(az: Any) -> None:
    score = az.loo(fitted(), pointwise=True)
    elpd = float(score.elpd_loo if arviz_major() < 1 else score.elpd)
    assert -250 < elpd < -100
    assert len(np.ravel(score.pareto_k)) == 120


def test_extract_and_stack(az: Any) -> None:
    stacked = az.extract(fitted(), var_names=["x"])
    assert stacked.sizes["sample"] == 400


def test_divergences_and_energy_are_where_arviz_looks() -> None:
    stats = get_group(fitted(), "sample_stats")
    assert int(stats["diverging"].sum()) == 0
    assert stats["energy"].shape == (2, 200)
    assert {"lp", "acceptance_rate"} <= set(stats.data_vars)


def test_statistics_of_nuts_have_their_names() -> None:
    model = nl.Model("y ~ x + (1|g)", grouped_data())
    results = model.fit(draws=20, chains=2, inference_method="nuts", random_seed=1, progressbar=False)
    stats = get_group(results, "sample_stats")
    assert {"lp", "acceptance_rate", "step_size", "tree_depth", "n_steps"} <= set(stats.data_vars)


def test_log_likelihood_and_observed_data_match() -> None:
    results = fitted()
    assert get_group(results, "log_likelihood")["y"].dims == ("chain", "draw", "__obs__")
    assert get_group(results, "observed_data")["y"].dims == ("__obs__",)
    assert get_group(results, "posterior_predictive")["y"].dims == ("chain", "draw", "__obs__")
    assert list(get_group(results, "log_prior").data_vars)[:2] == ["Intercept", "x"]
