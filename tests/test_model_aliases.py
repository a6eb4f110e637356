"""`Model.set_alias`: other names in descriptions, results, tables; predictions work all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_models import grouped_data

import nutslite as nl
from nutslite.formula.formula import Formula
from nutslite.results.container.inference_data import get_group

SHORT: dict[str, Any] = {
    "draws": 8, "tune": 8, "chains": 2, "random_seed": 1, "progressbar": False, "compute_convergence_checks": False,
}  # fmt: skip


def aliased(**aliases: Any) -> nl.Model:
    model = nl.Model("y ~ x + c + (x|g)", grouped_data(), correlated=True)
    model.set_alias(aliases or {"x": "slope", "1|g": "person", "sigma": "noise", "y": "score", "mu": "mean"})
    return model


def test_descriptions_carry_aliases() -> None:
    for text in (str(aliased()), aliased().describe("classic"), aliased()._repr_html_()):
        assert "slope" in text
        assert "person" in text
        assert "noise" in text
    assert "slope ~ Normal(" in str(aliased())
    assert "slope~" in aliased_graph()


def aliased_graph() -> str:
    model = aliased()
    model.build()
    return str(model.graph()).replace("\\n~\\n", "~")


def test_results_carry_aliases_and_hyperparameters_follow() -> None:
    plain = nl.Model("y ~ x + c + (x|g)", grouped_data(), correlated=True).fit(**SHORT, omit_offsets=False)
    results = aliased().fit(**SHORT, omit_offsets=False)
    before, after = get_group(plain, "posterior"), get_group(results, "posterior")
    names = {
        "x": "slope", "1|g": "person", "1|g_sigma": "person_sigma", "1|g_offset": "person_offset", "sigma": "noise",
    }  # fmt: skip
    assert list(after.data_vars) == [names.get(str(name), name) for name in before.data_vars]
    for name in before.data_vars:
        np.testing.assert_array_equal(after[names.get(str(name), name)], before[name])
    assert after["slope"].attrs["alias_of"] == "x"
    assert list(get_group(results, "observed_data").data_vars) == ["score"]
    assert list(nl.summary(results, var_names=["slope", "noise"]).index) == ["slope", "noise"]


def test_predictions_from_aliased_results() -> None:
    model, plain = aliased(), nl.Model("y ~ x + c + (x|g)", grouped_data(), correlated=True)
    results, expected = model.fit(**SHORT), plain.fit(**SHORT)
    for kind in ("response_params", "response"):
        model.predict(results, kind=kind, random_seed=3)
        plain.predict(expected, kind=kind, random_seed=3)
    model.compute_log_likelihood(results)
    plain.compute_log_likelihood(expected)
    model.compute_log_prior(results)
    plain.compute_log_prior(expected)
    for group, alias, name in [
        ("posterior", "mean", "mu"),
        ("posterior_predictive", "score", "y"),
        ("log_likelihood", "score", "y"),
        ("log_prior", "slope", "x"),
    ]:
        np.testing.assert_array_equal(get_group(results, group)[alias], get_group(expected, group)[name])
    np.testing.assert_array_equal(model.r2_score(results, summary=False), plain.r2_score(expected, summary=False))
    new = grouped_data(seed=2).assign(g="somebody new")
    model.predict(results, data=new, sample_new_groups=True, random_seed=1)


def test_results_can_be_read_by_a_model_without_aliases_and_from_disk(tmp_path: Any) -> None:
    results = aliased().fit(**SHORT)
    again = nl.load(nl.save(results, tmp_path / "fit.nc"))
    plain = nl.Model("y ~ x + c + (x|g)", grouped_data(), correlated=True)
    plain.predict(again)
    aliased().predict(results)
    np.testing.assert_array_equal(get_group(again, "posterior")["mu"], get_group(results, "posterior")["mean"])


def test_draws_of_the_prior() -> None:
    model = aliased()
    prior = model.prior_predictive(draws=5, random_seed=1)
    assert {"slope", "person", "noise"} <= set(get_group(prior, "prior").data_vars)
    assert list(get_group(prior, "prior_predictive").data_vars) == ["score"]
    for name in ("slope", "x"):
        assert list(get_group(model.prior_predictive(draws=5, var_names=name), "prior").data_vars) == ["slope"]


def test_aliases_by_parameter() -> None:
    model = nl.Model(Formula("y ~ x", "sigma ~ x"), grouped_data())
    model.set_alias({"mu": {"x": "effect", "Intercept": "start"}, "sigma": {"x": "spread"}})
    names = list(get_group(model.fit(**SHORT), "posterior").data_vars)
    assert names == ["start", "effect", "sigma_Intercept", "spread"]
    assert "spread ~ Normal(" in str(model)


def test_aliases_add_up_and_explicit_ones_win() -> None:
    model = nl.Model("y ~ x + (1|g)", grouped_data())
    model.set_alias({"1|g": "person", "1|g_sigma": "between"})
    model.set_alias({"x": "slope"})
    assert list(get_group(model.fit(**SHORT), "posterior").data_vars) == [
        "Intercept", "slope", "between", "sigma", "person",
    ]  # fmt: skip


def test_names_that_are_not_in_the_model_are_told() -> None:
    with pytest.warns(
        nl.NutsliteWarning, match="There is nothing called 'xx' in the model. Did you mean 'x'"
    ) as caught:
        aliased(xx="slope")
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("aliases", "message"),
    [
        ({"x": 3}, "The alias of 'x' is a text, not 3"),
        ({"x": ""}, "The alias of 'x' is a text"),
        ({"x": "sigma"}, "would both be called 'sigma'"),
        ({"x": "a", "c": "a"}, "'x' and 'c' would both be called 'a'"),
        ({"rho": {"x": "a"}}, "Aliases of 'rho' are a dict, but"),
        ({3: "a"}, "3 is no name"),
        (["x"], "Aliases are a dict"),
    ],
)
def test_aliases_that_are_none(aliases: Any, message: str) -> None:
    model = nl.Model("y ~ x + c", grouped_data())
    with pytest.raises(nl.DataError, match=message):
        model.set_alias(aliases)
