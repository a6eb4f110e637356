"""Methods as records: found by name, what each heeds and serves, and what is said about the rest."""

from __future__ import annotations

import logging
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import pytest
import scipy.linalg  # noqa: F401  # brings a library of its own
from small_models import grouped_data, small_model
from threadpoolctl import threadpool_info, threadpool_limits

import nutslite as nl
from nutslite._parallel.blas import one_blas_thread
from nutslite.posterior.marginal import prices
from nutslite.posterior.methods import independence, large_independence, registry, slices
from nutslite.posterior.methods.registry import NAMES, OTHER_NAMES, method_called, method_for
from nutslite.posterior.methods.settings import OPTIONAL, Settings
from nutslite.posterior.run.run import run
from nutslite.results.container.inference_data import get_group

GIVEN = {
    "tune": 5,
    "cores": 2,
    "target_accept": 0.9,
    "max_treedepth": 4,
    "callback": lambda progress: None,
    "discard_tuned_samples": False,
    "init": "adapt_diag",
    "start": {"sigma": 1.0},
    "checkpoint": "run.ckpt",
    "importance": "weights",
}
"""A value of each argument that only some methods heed."""


@pytest.fixture(scope="module")
def plan():
    return nl.Model("y ~ x", grouped_data()).plan()


@pytest.mark.parametrize("name", NAMES)
def test_the_record_of_a_name_is_whole(name, plan):
    method = method_called(name)
    assert method.name == name
    assert method.about
    assert method.title(plan)
    assert method.heeds <= set(OPTIONAL)
    assert method.refuses <= set(GIVEN)
    assert not method.refuses & method.heeds


def test_other_names_are_those_of_methods():
    assert set(OTHER_NAMES.values()) <= set(NAMES)


def test_every_optional_argument_is_tried():
    assert set(GIVEN) == set(OPTIONAL)
    assert Settings().given == ()
    assert Settings(**GIVEN).given == OPTIONAL


@pytest.mark.parametrize("name", OPTIONAL)
def test_what_the_default_does_not_heed_means_nuts(name, plan):
    heeded = name in method_called("auto").heeds
    assert method_for(plan, Settings(**{name: GIVEN[name]})).name == ("auto" if heeded else "nuts")


def test_a_large_density_has_one_method(monkeypatch):
    monkeypatch.setattr(prices, "LARGE_RISK", -1e9)
    large = nl.Model("y ~ x + (1|g) + (1|h)", grouped_data()).plan()
    assert large.is_large
    for name in NAMES:
        settings = Settings(inference_method=name)
        if method_called(name).approximate:
            with pytest.raises(nl.NutsliteError, match="plan='joint'"):
                method_for(large, settings)
        else:
            assert method_for(large, settings) is large_independence.METHOD


@pytest.mark.parametrize("risk", [prices.LARGE_RISK, -1e9], ids=["small", "large"])
def test_linear_algebra_has_one_thread_while_a_fit_runs(monkeypatch, risk):
    monkeypatch.setattr(prices, "LARGE_RISK", risk)
    large = nl.Model("y ~ x + (1|g) + (1|h)", grouped_data()).plan()
    seen = []

    def threads():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"):
        if set(threads()) != {2}:
            pytest.skip("the library of linear algebra cannot be told")
        run(large, Settings(draws=4, tune=4, chains=2, progressbar=False), lambda: seen.extend(threads()))
        assert set(seen) == {1}
        assert set(threads()) == {2}


def test_fits_that_overlap_give_linear_algebra_its_threads_back():
    def threads():
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    with threadpool_limits(2, user_api="blas"):
        if threads() != {2}:
            pytest.skip("the library of linear algebra cannot be told")
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert threads() == {1}
        second.__exit__(None, None, None)
        assert threads() == {2}


@pytest.mark.parametrize(
    ("formula", "rows", "options", "expected"),
    [
        ("y ~ x", 60, {}, "Independence Metropolis or NUTS"),
        ("y ~ x + (1|g)", 60, {}, "Independence Metropolis or NUTS"),
        ("b ~ x + (1|g)", 60, {"family": "bernoulli"}, "Independence Metropolis or NUTS"),
        ("b ~ x + (z|g)", 60, {"family": "bernoulli"}, "NUTS"),
        ("k ~ x", 8, {"family": "poisson"}, "Independence Metropolis or slice sampling"),
        ("y ~ x", 8, {}, "Independence Metropolis or slice sampling"),
    ],
)
def test_the_default_says_which_methods_may_draw(formula, rows, options, expected):
    plan = nl.Model(formula, grouped_data().head(rows), **options).plan()
    assert method_called("auto").title(plan) == expected


def test_methods_that_the_default_tries_say_what_they_do_not_serve():
    many = nl.Model("b ~ x + (z|g)", grouped_data(), family="bernoulli").plan()
    for method in (independence.METHOD, slices.METHOD):
        assert method.serves(many).endswith("use NUTS.")


@pytest.mark.parametrize("name", sorted(set(OPTIONAL) - {"start", "init"} - method_called("laplace").heeds))
def test_arguments_without_a_use_are_named(name, caplog, tmp_path):
    """All of them, by the names of `fit`, whatever the method."""
    model = nl.Model("y ~ x", grouped_data())
    given = {**GIVEN, "checkpoint": tmp_path / "run.ckpt"}[name]
    with caplog.at_level(logging.WARNING, logger="nutslite"):
        model.fit(draws=4, chains=1, inference_method="laplace", progressbar=False, random_seed=1, **{name: given})
    assert f"has no use for: {name}." in caplog.text


def test_the_guide_s_method_is_one(monkeypatch):
    """The file of docs/adding_a_method.md and its name in the registry are all that a method needs."""
    text = (Path(__file__).resolve().parent.parent / "docs" / "adding_a_method.md").read_text(encoding="utf-8")
    section = text.split("## The file")[1].split("\n## ")[0]
    code = textwrap.dedent("\n".join(line for line in section.splitlines() if line.startswith("    ") or not line))
    module = ModuleType("importance")
    exec(code, module.__dict__)
    monkeypatch.setitem(sys.modules, f"{registry.__package__}.importance", module)
    with pytest.raises(nl.NutsliteError, match="'importance'"):
        method_called("importance")
    monkeypatch.setattr(registry, "NAMES", (*NAMES, "importance"))

    model = small_model({"formula": "b ~ x + z", "family": "bernoulli"})
    options = {"draws": 500, "random_seed": 1, "progressbar": False}
    found = get_group(model.fit(inference_method="importance", **options), "posterior")
    exact = get_group(model.fit(**options), "posterior")
    assert found.attrs["inference_method"] == "importance"
    assert found.attrs["khat"] < 0.7
    for name in exact.data_vars:
        assert abs(float(found[name].mean() - exact[name].mean())) < 0.15 * float(exact[name].std())
    with pytest.raises(nl.NutsliteError, match=r"'nutpie': .* 'importance', draws of a normal"):
        model.fit(inference_method="nutpie")
