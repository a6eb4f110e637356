"""Checkpoints of models' runs: every path goes on to the last bit, with its first pilot, and knows whose file it is."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from small_models import grouped_data

from nutslite import Model
from nutslite._log import log
from nutslite.exceptions import SamplingError
from nutslite.posterior.marginal import large_chains
from nutslite.posterior.methods import large_independence
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.run.run import run

MODELS = {
    "joint": {"formula": "b ~ x + (x|g)", "family": "bernoulli"},
    "marginal": {"formula": "y ~ x + (x|g)"},
}
SETTINGS = {"draws": 60, "tune": 60, "chains": 2, "cores": 1, "random_seed": 7, "progressbar": False}


@pytest.fixture(autouse=True)
def quiet_and_in_many_blocks(monkeypatch):
    """So few draws have not converged; and a run should be more than three blocks."""
    monkeypatch.setattr("nutslite.sampler.worker.BLOCK_SECONDS", 0.0005)
    log.setLevel("ERROR")
    yield
    log.setLevel("INFO")


def fitted(path, model, plan, **changes):
    return run(plan, Settings(**{**SETTINGS, "checkpoint": path, **changes}))


def assert_same(fit, wanted):
    np.testing.assert_array_equal(fit.values, wanted.values)
    np.testing.assert_array_equal(fit.effects, wanted.effects)
    for name in wanted.stats.keys() - {"perf_counter_start"}:
        np.testing.assert_array_equal(fit.stats[name], wanted.stats[name], err_msg=name)
    assert fit.settings.tune == wanted.settings.tune


@pytest.mark.parametrize(
    ("name", "pilot"),
    [
        ("joint", True),
        ("joint", False),
        pytest.param("joint", "matrix", marks=pytest.mark.slow),
        ("marginal", True),
        ("marginal", False),
    ],
)
def test_a_model_goes_on_where_it_was(tmp_path, monkeypatch, name, pilot):
    settings = dict(MODELS[name])
    plan = Model(settings.pop("formula"), grouped_data(), **settings).plan(pilot=pilot)
    assert plan.path == name

    def stop(progress):
        if progress.done >= 70:
            raise KeyboardInterrupt

    wanted = fitted(None, settings, plan, discard_tuned_samples=False)
    path = tmp_path / "fit.ckpt"
    with contextlib.suppress(KeyboardInterrupt):  # which means that it came before the first draw
        assert fitted(path, settings, plan, discard_tuned_samples=False, callback=stop).interrupted
    target = "target.JointTarget" if name == "joint" else "marginal_target.MarginalTarget"
    monkeypatch.setattr(f"nutslite.posterior.targets.{target}.launch", None)  # there is no second pilot
    monkeypatch.setattr("nutslite.posterior.targets.matrix_target.MatrixTarget.launch", None)
    again = fitted(path, settings, plan, discard_tuned_samples=False)
    assert_same(again, wanted)
    np.testing.assert_array_equal(again.warmup[0], wanted.warmup[0])
    assert_same(fitted(path, settings, plan, discard_tuned_samples=False), wanted)


@pytest.mark.parametrize("name", MODELS)
def test_rotations_go_on_to_the_last_digit(tmp_path, name):
    settings = dict(MODELS[name])
    plan = Model(settings.pop("formula"), grouped_data(), **settings).plan()
    wanted = fitted(None, None, plan, inference_method="hmc")
    assert wanted.method == "hmc"
    path = tmp_path / "fit.ckpt"
    part = fitted(path, None, plan, inference_method="hmc", draws=7)
    np.testing.assert_array_equal(part.values, wanted.values[:, :7])
    assert_same(fitted(path, None, plan, inference_method="hmc"), wanted)
    with pytest.raises(SamplingError, match=r"trajectory|inference_method"):
        fitted(path, None, plan, inference_method="nuts")


@pytest.mark.slow
@pytest.mark.parametrize("formula", ["pos ~ x", "pos ~ x + (1|h)"])
def test_a_model_of_few_rows_goes_on_in_its_coordinates(tmp_path, monkeypatch, formula):
    """A mean that must be positive: its coordinates come from the file, without a second search."""
    data = grouped_data().iloc[:8].assign(h=list("aabbccdd"))
    plan = Model(formula, data, family="gamma", link="inverse").plan()
    wanted = fitted(None, None, plan, draws=41, inference_method="nuts")
    path = tmp_path / "fit.ckpt"
    fitted(path, None, plan, draws=21, inference_method="nuts")
    searches = []
    monkeypatch.setattr("nutslite.posterior.targets.target.JointTarget.launch_small", lambda *_: searches.append(1))
    assert_same(fitted(path, None, plan, draws=41, inference_method="nuts"), wanted)
    assert not searches


def test_the_large_path_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr("nutslite.posterior.marginal.prices.LARGE_RISK", -1e9)
    plan = Model("y ~ x + (1|g) + (1|h)", grouped_data(400, 40)).plan()
    assert plan.reduction is not None
    assert plan.reduction.large
    wanted = fitted(None, None, plan)
    path = tmp_path / "fit.ckpt"
    step, left = large_chains.EvaluatedChain.step, []

    def stopping(chain):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        step(chain)

    monkeypatch.setattr(large_chains.EvaluatedChain, "step", stopping)
    for steps, draws in (
        (4, 0),
        (large_independence.BURN_IN + 8, 16),
        (39, 60),
    ):  # in burn-in, in the first chain, the second
        left[:] = [None] * steps
        if draws == 0:
            with pytest.raises(KeyboardInterrupt):
                fitted(path, None, plan)
        else:
            part = fitted(path, None, plan)
            assert part.interrupted
            assert part.values.shape[1] == draws
            np.testing.assert_array_equal(part.values, wanted.values[: part.values.shape[0], :draws])
    monkeypatch.setattr(large_chains.EvaluatedChain, "step", step)
    monkeypatch.setattr(
        "nutslite.posterior.marginal.large_proposal.laplace_proposal", None
    )  # the mode is not sought again
    assert_same(fitted(path, None, plan), wanted)
    monkeypatch.setattr(large_chains.EvaluatedChain, "step", None)  # and a finished run needs no transition
    assert_same(fitted(path, None, plan), wanted)


@pytest.mark.parametrize("name", [*MODELS, "large", "large, interpolated"])
def test_more_draws_go_on_and_fewer_are_the_first(tmp_path, monkeypatch, name):
    """Whatever was asked for before, the draws are those of one run of that length, integrated parameters too."""
    if name == "large, interpolated":
        monkeypatch.setattr("nutslite.posterior.marginal.interpolation.FEWEST_COLUMNS", 1)
    if name.startswith("large"):
        monkeypatch.setattr("nutslite.posterior.marginal.prices.LARGE_RISK", -1e9)
        plan = Model("y ~ x + (1|g) + (1|h)", grouped_data(400, 40)).plan()
        assert plan.reduction.large
    else:
        settings = dict(MODELS[name])
        plan = Model(settings.pop("formula"), grouped_data(), **settings).plan()
    wanted = fitted(None, None, plan, draws=61, inference_method="nuts", discard_tuned_samples=name.startswith("large"))
    path = tmp_path / "fit.ckpt"
    for draws in (21, 61, 40, 1, 61):  # odd numbers: a transition of the large path makes two
        part = fitted(
            path, None, plan, draws=draws, inference_method="nuts", discard_tuned_samples=name.startswith("large")
        )
        np.testing.assert_array_equal(part.values, wanted.values[:, :draws])
        np.testing.assert_array_equal(part.effects, wanted.effects[:, :draws])
        if wanted.warmup is not None:
            np.testing.assert_array_equal(part.warmup[0], wanted.warmup[0])
        for statistic in wanted.stats.keys() - {"perf_counter_start"}:
            np.testing.assert_array_equal(part.stats[statistic], wanted.stats[statistic][:, :draws])
    assert_same(part, wanted)


def test_other_chains_are_refused(tmp_path):
    """Where chains start was drawn for all of them at once."""
    plan = Model("y ~ x + (1|g)", grouped_data()).plan()
    fitted(tmp_path / "fit.ckpt", None, plan)
    with pytest.raises(SamplingError, match=r"different are: chains \(2 there, 3 here\)"):
        fitted(tmp_path / "fit.ckpt", None, plan, chains=3)


def test_a_stored_fit_is_made_again_from_the_checkpoint(tmp_path, monkeypatch):
    """`file=` knows how many draws it has; `checkpoint=` beside it saves those that were made."""
    model = Model("y ~ x + (1|g)", grouped_data())
    given = {**SETTINGS, "file": tmp_path / "fit.nc", "checkpoint": tmp_path / "fit.ckpt"}
    first = model.fit(**given)["posterior"]
    more = model.fit(**{**given, "draws": 90})["posterior"]
    assert (first.sizes["draw"], more.sizes["draw"]) == (60, 90)
    for name in first.data_vars:
        np.testing.assert_array_equal(more[name].values[:, :60], first[name].values)
    monkeypatch.setattr("nutslite.model.fits.fitting._sampled", None)
    assert model.fit(**{**given, "draws": 90})["posterior"].sizes["draw"] == 90


def test_a_laplace_approximation_needs_no_checkpoint_and_says_so(tmp_path, caplog):
    log.setLevel("INFO")
    plan = Model("y ~ x", grouped_data()).plan()
    with caplog.at_level("WARNING", logger="nutslite"):
        fitted(tmp_path / "fit.ckpt", None, plan, inference_method="laplace", tune=None, cores=None)
    assert "no use for: checkpoint" in caplog.text
    assert not (tmp_path / "fit.ckpt").exists()


def test_another_plan_is_refused(tmp_path):
    model = Model("y ~ x + (1|g)", grouped_data())
    fitted(tmp_path / "fit.ckpt", None, model.plan())
    with pytest.raises(SamplingError, match="belongs to another run; different are: plan"):
        fitted(tmp_path / "fit.ckpt", None, model.plan("joint"))
