"""What is computed from draws stands at the chains and draws that it was computed from, whatever they are called."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray
from small_models import grouped_data

import nutslite as nl
from nutslite.posterior.record.inventory import SAMPLE_DIMS
from nutslite.results.container.inference_data import build_container, get_group, group_names
from nutslite.results.container.sample_axes import SampleAxes, thinned

NEW = pd.DataFrame({"x": [3.0, -1.0], "c": ["w", "v"], "g": ["g1", "g4"], "y": [0.0, 1.0]})
Change = Callable[[xarray.Dataset], xarray.Dataset]


@functools.cache
def fitted() -> tuple[nl.Model, Any]:
    model = nl.Model("y ~ x + c + (1|g)", grouped_data())
    return model, model.fit(draws=40, tune=50, chains=3, random_seed=1, progressbar=False)


def renamed(**labels: Any) -> Change:
    return lambda group: group.assign_coords(labels)


def joined(group: xarray.Dataset) -> xarray.Dataset:
    """Two fits end to end, with equal labels."""
    return xarray.concat([group, group.isel(draw=slice(10, 30))], "draw")


def stacked_chains(group: xarray.Dataset) -> xarray.Dataset:
    return xarray.concat([group, group.isel(chain=[0])], "chain")


CHANGES: dict[str, Change] = {
    "every tenth draw": lambda group: group.isel(draw=slice(None, None, 10)),
    "after a burn-in": lambda group: group.isel(draw=slice(25, None)),
    "one draw": lambda group: group.isel(draw=[7]),
    "one chain": lambda group: group.isel(chain=[2]),
    "one chain, without its dimension": lambda group: group.isel(chain=2),
    "one chain, without a trace of it": lambda group: group.isel(chain=2, drop=True),
    "one draw, without its dimension": lambda group: group.isel(draw=3),
    "two chains": lambda group: group.isel(chain=[0, 2]),
    "descending": lambda group: group.isel(draw=slice(None, None, -1)),
    "any order": lambda group: group.isel(draw=[30, 2, 17, 5], chain=[2, 0]),
    "drawn with replacement": lambda group: group.isel(draw=[3, 3, 9, 3]),
    "counted from one": renamed(draw=np.arange(1, 41), chain=[1, 2, 3]),
    "texts": renamed(chain=["a", "b", "c"]),
    "fractions": renamed(draw=np.linspace(0.0, 1.0, 40)),
    "dates": renamed(draw=pd.date_range("2026-01-01", periods=40)),
    "no labels": lambda group: group.drop_vars(["chain", "draw"]),
    "joined draws": joined,
    "joined chains": stacked_chains,
    "dimensions in another order": lambda group: group.transpose(..., "draw", "chain"),
    "levels in another order": lambda group: group.isel(g__factor_dim=slice(None, None, -1), c_dim=[1, 0]),
    "a level chosen by name": lambda group: group.isel(c_dim=[0, 1]).assign_coords(note="kept"),
    "further variables": lambda group: group.assign(square=group.x**2, note="mine", limit=3.0, w=("z", [1.0, 2.0])),
    "further coordinates": lambda group: group.assign_coords(temperature=("draw", np.linspace(1.0, 2.0, 40))),
}


def changed(change: Change) -> Any:
    """The posterior alone, changed, in a container."""
    return build_container({"posterior": change(get_group(fitted()[1], "posterior"))})


def mean_by_hand(posterior: xarray.Dataset, data: pd.DataFrame) -> xarray.DataArray:
    """The linear predictor, by labels of terms, in the order chain, draw, row as far as there are such."""
    rows = []
    for row in data.itertuples():
        eta = posterior["Intercept"] + posterior["x"] * row.x
        eta = eta + posterior["1|g"].sel(g__factor_dim=row.g)
        if row.c != "u":
            eta = eta + posterior["c"].sel(c_dim=row.c)
        rows.append(eta.drop_vars(["g__factor_dim", "c_dim"], errors="ignore").variable)
    joint = xarray.Variable.concat(rows, "__obs__")
    return joint.transpose(*[dim for dim in SAMPLE_DIMS if dim in joint.dims], "__obs__")


def assert_same_samples(group: xarray.Dataset, posterior: xarray.Dataset) -> None:
    for dim in SAMPLE_DIMS:
        assert (dim in group.dims) == (dim in posterior.dims)
        assert group.sizes.get(dim) == posterior.sizes.get(dim)
        assert (dim in group.coords) == (dim in posterior.coords)
        if dim in posterior.coords:
            assert group[dim].variable.equals(posterior[dim].variable)


@pytest.mark.parametrize("name", CHANGES)
def test_every_group_has_the_labels_of_the_draws(name: str) -> None:
    model, _ = fitted()
    results = changed(CHANGES[name])
    before = get_group(results, "posterior").copy(deep=True)
    model.predict(results, kind="response", random_seed=1)
    model.predict(results, data=NEW, kind="response", random_seed=1)
    model.compute_log_likelihood(results)
    model.compute_log_prior(results)
    posterior = get_group(results, "posterior")
    assert posterior.drop_vars("mu").drop_dims("__obs__").equals(before)
    np.testing.assert_allclose(
        posterior["mu"].values, mean_by_hand(before, grouped_data()).values, rtol=1e-9, atol=1e-9
    )
    predictions = get_group(results, "predictions")
    np.testing.assert_allclose(predictions["mu"].values, mean_by_hand(before, NEW).values, rtol=1e-9, atol=1e-9)
    for group in ("posterior_predictive", "predictions", "log_likelihood", "log_prior"):
        assert_same_samples(get_group(results, group), before)
        assert not any(bool(variable.isnull().any()) for variable in get_group(results, group).data_vars.values())
    log_prior = get_group(results, "log_prior")
    sigma = model.priors.terms["mu"]["x"].args["sigma"]
    expected = -0.5 * (before["x"] / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(log_prior["x"].values, expected.transpose(*log_prior["x"].dims).values)
    if name == "levels in another order":
        np.testing.assert_array_equal(log_prior["c"].c_dim, ["v", "w"])


def test_log_likelihood_of_a_chosen_draw_is_that_of_the_whole() -> None:
    model, results = fitted()
    whole = get_group(model.compute_log_likelihood(results, inplace=False), "log_likelihood")["y"]
    part = changed(CHANGES["any order"])
    model.compute_log_likelihood(part)
    labels = get_group(part, "log_likelihood")["y"]
    np.testing.assert_allclose(labels, whole.sel(chain=labels.chain, draw=labels.draw), rtol=1e-12)


@pytest.mark.parametrize("name", ["one chain", "one chain, without its dimension", "any order"])
def test_what_goes_through_a_file(name: str, tmp_path: Any) -> None:
    model, _ = fitted()
    results = changed(CHANGES[name])
    model.predict(results, data=NEW, kind="response", random_seed=1)
    again = nl.load(nl.save(results, tmp_path / "part.nc"))
    for group in group_names(results):
        assert get_group(again, group).equals(get_group(results, group))


@pytest.mark.parametrize("name", ["one chain, without its dimension", "dimensions in another order", "joined draws"])
def test_the_table_of_parts_of_a_fit(name: str) -> None:
    """Names, rows and means follow from the variables, wherever chain and draw stand."""
    results = changed(CHANGES[name])
    table = nl.summary(results, round_to="none")
    posterior = get_group(results, "posterior")
    assert table.loc["x", "mean"] == pytest.approx(float(posterior["x"].mean()))
    assert table.loc["c[w]", "mean"] == pytest.approx(float(posterior["c"].sel(c_dim="w").mean()))
    assert table.loc["1|g[g4]", "mean"] == pytest.approx(float(posterior["1|g"].sel(g__factor_dim="g4").mean()))


def test_aliases_are_known_where_attributes_were_lost() -> None:
    model = nl.Model("y ~ x + c + (1|g)", grouped_data())
    model.set_alias({"x": "slope", "c": "x", "1|g": "group"})  # one of them the name of another term
    results = changed(lambda group: group.rename({"x": "slope", "c": "x", "1|g": "group", "1|g_sigma": "group_sigma"}))
    with pytest.raises(nl.DataError, match="'x' has 2 element"):  # nothing says what these are
        model.predict(results)
    model.set_alias({"c": "levels"})
    results = changed(
        lambda group: group.rename({"x": "slope", "c": "levels", "1|g": "group", "1|g_sigma": "group_sigma"})
    )
    model.predict(results, data=NEW)
    model.compute_log_prior(results)
    expected = mean_by_hand(get_group(fitted()[1], "posterior"), NEW)
    np.testing.assert_allclose(get_group(results, "predictions")["mu"].values, expected.values, rtol=1e-9, atol=1e-9)
    assert {"slope", "levels", "group_sigma"} <= set(get_group(results, "log_prior").data_vars)


@pytest.mark.parametrize(
    "change",
    [
        lambda group: group.isel(c_dim=[0]),
        lambda group: group.assign_coords(c_dim=["v", "other"]),
        lambda group: group.isel(g__factor_dim=[0, 0, *range(1, 8)]),
    ],
)
def test_labels_of_another_model_are_refused(change: Change) -> None:
    with pytest.raises(nl.DataError, match="Give the results of this model"):
        fitted()[0].predict(changed(change))


def test_results_without_draws_are_refused() -> None:
    with pytest.raises(nl.DataError, match="no dimension 'chain' or 'draw'"):
        fitted()[0].predict(changed(lambda group: group.mean(("chain", "draw"))))


class TestFewerDraws:
    @pytest.mark.parametrize(("wanted", "each"), [(1, 1), (3, 1), (12, 4), (13, 5), (100, 34), (120, 40)])
    def test_evenly_spaced_with_their_labels(self, wanted: int, each: int) -> None:
        model, results = fitted()
        part = model.predict(results, data=NEW, draws=wanted, inplace=False)
        mu = get_group(part, "predictions")["mu"]
        assert mu.shape == (3, each, 2)
        gaps = np.diff(np.concatenate([[-40 / each / 2], mu.draw.values, [40 - 1 + 40 / each / 2]]))
        assert each == 1 or gaps.max() - gaps.min() <= 2
        whole = get_group(model.predict(results, data=NEW, inplace=False), "predictions")["mu"]
        np.testing.assert_array_equal(mu, whole.sel(draw=mu.draw))

    def test_a_copy_has_these_draws_alone(self) -> None:
        model, results = fitted()
        part = model.predict(results, kind="response", draws=30, inplace=False, random_seed=1)
        for group in ("posterior", "sample_stats", "posterior_predictive"):
            assert get_group(part, group).sizes["draw"] == 10
            assert get_group(part, group).draw.equals(get_group(part, "posterior").draw)
        chosen = get_group(part, "posterior").draw
        assert get_group(part, "posterior")["x"].equals(get_group(results, "posterior")["x"].sel(draw=chosen))
        assert get_group(results, "posterior").sizes["draw"] == 40

    def test_in_place_the_posterior_keeps_its_draws(self) -> None:
        model, _ = fitted()
        results = changed(lambda group: group)
        model.predict(results, kind="response", draws=30, random_seed=1)
        assert get_group(results, "posterior_predictive")["y"].sizes["draw"] == 10
        assert get_group(results, "posterior").sizes["draw"] == 40
        model.predict(results, data=NEW, draws=6)
        assert get_group(results, "predictions")["mu"].shape == (3, 2, 2)
        with pytest.raises(nl.DataError, match=r"draws=30.*inplace=False"):
            model.predict(results, draws=30)
        model.predict(results, draws=120)  # all of them
        assert "mu" in get_group(results, "posterior")

    @pytest.mark.parametrize("name", ["joined draws", "one chain, without its dimension", "no labels", "descending"])
    def test_of_any_draws(self, name: str) -> None:
        model, _ = fitted()
        results = changed(CHANGES[name])
        posterior = get_group(results, "posterior")
        part = model.predict(results, data=NEW, draws=5, inplace=False)
        few = thinned(posterior, get_group(part, "posterior").sizes["draw"])
        assert_same_samples(get_group(part, "predictions"), few)
        np.testing.assert_allclose(get_group(part, "predictions")["mu"].values, mean_by_hand(few, NEW).values)


def test_arrays_have_both_axes() -> None:
    group = xarray.Dataset({"a": (("draw", "z"), np.arange(6.0).reshape(3, 2)), "b": 2.0}, coords={"chain": 5})
    axes = SampleAxes.of(group)
    assert axes.array(group.a).shape == (1, 3, 2)
    np.testing.assert_array_equal(axes.array(group.b), np.full((1, 3), 2.0))
    assert axes.exist
    assert not SampleAxes.of(group[["b"]].drop_vars("chain")).exist
