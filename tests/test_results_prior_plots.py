"""`Model.plot_priors`: one panel per element, flat priors left out, errors before the model is built."""

from __future__ import annotations

import logging
import sys
from typing import Any

import numpy as np
import pytest
from small_models import grouped_data

import nutslite as nl

pytest.importorskip("matplotlib")


def built(formula: Any = "y ~ x + c + (x|g)", **settings: Any) -> nl.Model:
    model = nl.Model(formula, grouped_data(), **settings)
    model.build()
    return model


def titles(figure: Any) -> list[str]:
    return [axis.get_title() for axis in figure.axes if axis.axison]


def test_every_element_has_a_panel() -> None:
    figure = built().plot_priors(draws=300, random_seed=1)
    assert titles(figure) == ["Intercept", "x", "c[v]", "c[w]", "1|g_sigma", "x|g_sigma", "sigma"]


def test_the_picture_shows_draws_of_the_prior() -> None:
    figure = built(priors={"x": nl.Prior("Normal", mu=7, sigma=0.1)}).plot_priors(draws=2000, random_seed=1)
    axis = figure.axes[1]
    grid, heights = axis.lines[0].get_data()
    assert abs(grid[np.argmax(heights)] - 7.0) < 0.05
    assert axis.get_xlabel().startswith("mean 7.0")
    assert "94 % HDI 6.8" in axis.get_xlabel()


def test_group_effects_and_offsets_on_request() -> None:
    with_groups = titles(built().plot_priors(draws=50, random_seed=1, omit_group_specific=False))
    assert "1|g[g0]" in with_groups
    assert "1|g_offset[g0]" not in with_groups
    offsets = titles(
        built("y ~ x + (1|h)").plot_priors(draws=50, random_seed=1, omit_group_specific=False, omit_offsets=False)
    )
    assert "1|h_offset[h0]" in offsets


def test_variables_can_be_chosen_by_name_and_alias() -> None:
    model = built()
    assert titles(model.plot_priors(draws=50, var_names=["x", "sigma"])) == ["x", "sigma"]
    assert "x" not in titles(model.plot_priors(draws=50, var_names="~x"))
    model.set_alias({"x": "slope"})
    assert titles(model.plot_priors(draws=50, var_names=["slope"])) == ["slope"]
    assert titles(model.plot_priors(draws=50, var_names=["x"])) == ["slope"]
    with pytest.raises(nl.DataError, match="There is no variable 'slop'"):
        model.plot_priors(draws=50, var_names=["slop"])
    assert titles(model.plot_priors(draws=50, var_names="slo", filter_vars="like")) == ["slope"]
    assert titles(model.plot_priors(draws=50, var_names=["~_sigma$", "~^c"], filter_vars="regex")) == [
        "Intercept",
        "slope",
        "sigma",
    ]


def test_flat_priors_are_left_out_with_a_message(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="nutslite"):
        figure = built(
            "y ~ x + z + (1|g)", auto_scale=False, priors={"z": nl.Prior("Normal", mu=0, sigma=1)}
        ).plot_priors(draws=50, omit_group_specific=False)
    assert titles(figure)[0] == "z"
    assert not {"Intercept", "x", "1|g_sigma", "1|g[g0]"} & set(titles(figure))
    assert (
        "Not shown, because their priors are flat or depend on a flat one: Intercept, x, 1|g_sigma, 1|g." in caplog.text
    )


def test_only_flat_priors() -> None:
    model = built("y ~ x", auto_scale=False, priors={"sigma": 1.0})
    with pytest.raises(nl.DataError, match="nothing to plot"):
        model.plot_priors(draws=10)


def test_before_build_it_says_what_to_call() -> None:
    with pytest.raises(nl.NutsliteError, match=r"Model is not built yet! Call .build\(\) or .fit\(\)"):
        nl.Model("y ~ x", grouped_data()).plot_priors()


def test_histograms_estimates_and_sizes() -> None:
    figure = built("y ~ x").plot_priors(
        draws=100, kind="hist", bins=7, point_estimate="median", hdi_prob=0.5, round_to=1, figsize=(5, 2)
    )
    assert len(figure.axes[0].patches) == 7
    assert figure.axes[0].get_xlabel().startswith("median ")
    assert "50 % HDI" in figure.axes[0].get_xlabel()
    assert tuple(figure.get_size_inches()) == (5, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "kdee"}, "kind is one of 'kde', 'hist'; not 'kdee'. Did you mean 'kde'"),
        ({"point_estimate": "mode"}, "point_estimate is one of"),
        ({"hdi_prob": 0.9, "ci_prob": 0.9}, "hdi_prob and ci_prob are the same"),
        ({"hdi_prob": 1.5}, "prob"),
        ({"draws": 0}, "draws must be an integer"),
    ],
)
def test_arguments_without_a_meaning(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(nl.NutsliteError, match=message):
        built("y ~ x").plot_priors(**arguments)


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(nl.NutsliteError, match=r'pip install "nutslite\[plots\]"'):
        built("y ~ x").plot_priors(draws=10)
