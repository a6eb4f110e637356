"""Calibration: uniform ranks where all is right, crooked ones where something is not; any executor, the same ranks."""

from __future__ import annotations

import math
import os
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nutslite._parallel import run_on
from nutslite.calibration import refit, simulation_based_calibration
from nutslite.calibration.refit import RefitTask, _ranks, _thinned, simulate_and_refit
from nutslite.calibration.simulation import prediction_task, simulate_data, with_response
from nutslite.exceptions import ArgumentError, DataError, NutsliteError, PriorError, SamplingError
from nutslite.formula.formula import Formula
from nutslite.model import Model
from nutslite.posterior.methods.settings import Settings
from nutslite.priors.prior import Prior

NARROW = {
    "Intercept": Prior("Normal", mu=0, sigma=1),
    "common": Prior("Normal", mu=0, sigma=1),
    "sigma": Prior("HalfNormal", sigma=1),
}
BINARY = {name: NARROW[name] for name in ("Intercept", "common")}


def small_data(n=40, seed=3):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "g": [f"g{i}" for i in rng.integers(0, 5, n)],
            "y": rng.normal(size=n),
            "k": rng.poisson(2.0, n),
            "unit": rng.uniform(0.1, 0.9, n),
            "s": rng.integers(0, 5, n),
            "trials": np.full(n, 6),
            "w": rng.uniform(0.5, 2, n),
        }
    )


def gaussian(formula="y ~ x + (1|g)", **options):
    prior = Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=1))
    return Model(formula, small_data(), priors={**NARROW, **({"1|g": prior} if "|" in formula else {})}, **options)


@pytest.fixture(scope="module")
def right():
    return simulation_based_calibration(gaussian(), 120, random_seed=1, draws=39)


def test_ranks_of_a_right_model_are_uniform(right):
    assert right.simulations == 120
    assert right.failures == ()
    assert right.rejected == 0
    assert right.ranks["1|g"].shape == (120, 5)
    assert set(right.ranks) == {"Intercept", "x", "sigma", "1|g_sigma", "1|g", "log_likelihood"}
    for ranks in right.columns.values():
        assert ranks.min() >= 0
        assert ranks.max() <= 39
    table = right.table()
    assert list(table.index) == list(right.columns)
    assert (table["p_ecdf"].loc[["Intercept", "x", "sigma", "1|g_sigma", "log_likelihood"]] > 1e-3).all()
    assert right.p_value > 1e-3
    assert (np.abs(table["mean_rank"] - 0.5) < 4.0 / np.sqrt(12 * 120)).all()
    assert "120 simulations" in str(right)


@pytest.mark.slow
def test_the_joint_path_is_calibrated_too():
    joint = simulation_based_calibration(gaussian(), 40, random_seed=2, draws=19, plan="joint")
    assert joint.p_value > 1e-3
    assert joint.simulations == 40


def test_fits_are_made_as_users_make_them(monkeypatch):
    """By independence Metropolis where it serves, unless something is asked for that only NUTS has."""
    right_run, methods = refit.run, []

    def noting(*arguments):
        fit = right_run(*arguments)
        methods.append(fit.method)
        return fit

    monkeypatch.setattr(refit, "run", noting)
    for options in ({}, {"inference_method": "nuts"}, {"target_accept": 0.9}):
        simulation_based_calibration(gaussian("y ~ x"), 1, random_seed=1, draws=9, thin=2, **options)
    assert methods == ["independence", "nuts", "nuts"]


@pytest.mark.parametrize(
    ("work", "task", "error", "words"),
    [
        (id, lambda: 0, ArgumentError, "cannot be sent to other processes: .*ThreadPoolExecutor"),
        (os._exit, 1, SamplingError, "The executor broke off"),
        (math.sqrt, -1.0, ValueError, "math domain error"),
    ],
)
def test_what_an_executor_cannot_do_is_said(work, task, error, words):
    with ProcessPoolExecutor(1) as executor, pytest.raises(error, match=words):
        list(run_on(executor, work, [(task,)]))


def test_the_seed_decides_and_not_the_executor(right):
    def run(executor, **options):
        return simulation_based_calibration(gaussian(), 6, executor, **{"random_seed": 1, "draws": 39, **options}).ranks

    with ProcessPoolExecutor(1) as processes, ThreadPoolExecutor(2) as threads:
        runs = [run(processes), run(threads), run(None)]
    for ranks in runs:
        for name, expected in right.ranks.items():
            if name == "log_likelihood":  # one simulation does not know how many there are
                assert ranks[name].shape == (6,)
            np.testing.assert_array_equal(ranks[name], expected[:6])
    assert not np.array_equal(run(None, random_seed=2)["x"], runs[2]["x"])


@pytest.mark.parametrize(
    ("change", "direction"),
    [
        (lambda x: x + 1.0 * x.std(axis=1, keepdims=True), "mean_rank low"),
        (lambda x: x.mean(axis=1, keepdims=True) + 0.5 * (x - x.mean(axis=1, keepdims=True)), "spread high"),
        pytest.param(
            lambda x: x.mean(axis=1, keepdims=True) + 2.0 * (x - x.mean(axis=1, keepdims=True)),
            "spread low",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_wrong_posterior_is_found(monkeypatch, change, direction):
    """Biased, too narrow and too wide: ranks of the slope tell each from a right one."""
    right_fit = refit._fit

    def wrong_fit(*arguments):
        fit, draws = right_fit(*arguments)
        return fit, {**draws, "x": change(draws["x"])}

    monkeypatch.setattr(refit, "_fit", wrong_fit)
    found = simulation_based_calibration(gaussian("y ~ x"), 150, random_seed=4, draws=39)
    row = found.table().loc["x"]
    assert row["p_ecdf"] < 1e-3
    assert found.p_value < 0.01
    assert found.table().loc["sigma", "p_ecdf"] > 1e-3
    column, side = direction.split()
    middle = 0.5 if column == "mean_rank" else 1.0
    assert (row[column] > middle) == (side == "high")


@pytest.mark.slow
def test_another_likelihood_is_found():
    """Data from the model, fitted with half the trials known to it: a likelihood that is not the data's."""
    model = Model("p(s, trials) ~ x", small_data(), "binomial", priors=BINARY)
    assembled = model.plan().assembled
    wrong = assembled.data._replace(weights=np.full(40, 0.4))
    task = RefitTask(replace(assembled, data=wrong), Settings(draws=39, chains=1))
    ranks = [simulate_and_refit(task, seed).ranks["x"] for seed in np.random.SeedSequence(1).spawn(80)]
    spread = np.mean((np.array(ranks) - 19.5) ** 2) / ((40**2 - 1) / 12)
    assert spread < 0.8  # four tenths of the information: posteriors are too wide


def test_simulated_data_come_from_the_model():
    model = Model("p(s, trials) ~ x + (1|g)", small_data(), "binomial", priors=BINARY)
    assembled = model.plan().assembled
    simulated = simulate_data(assembled, np.random.default_rng(5))
    response = simulated.assembled.spec.design.response
    assert np.all((response.values[0] >= 0) & (response.values[0] <= 6))
    np.testing.assert_array_equal(response.values[1], 6)
    np.testing.assert_array_equal(simulated.assembled.data.y[0], response.values[0])
    np.testing.assert_array_equal(simulated.assembled.data.matrix, assembled.data.matrix)
    assert simulated.assembled.spec.priors is assembled.spec.priors
    assert simulated.truth["1|g"].shape == (5,)
    assert simulated.rejected == 0
    original = assembled.spec.design.response.values[0]
    np.testing.assert_array_equal(original, small_data()["s"])  # the model is as it was


def test_simulated_responses_have_the_moments_of_the_truth():
    """y ~ Normal(1 + 2 x, 0.5): with parameters fixed by their priors."""
    priors = {
        "Intercept": Prior("Normal", mu=1, sigma=1e-9),
        "x": Prior("Normal", mu=2, sigma=1e-9),
        "sigma": Prior("Gamma", mu=0.5, sigma=1e-9),
    }
    model = Model("y ~ x", small_data(), priors=priors, center_predictors=False)
    assembled = model.plan().assembled
    rng = np.random.default_rng(0)
    drawn = np.array([simulate_data(assembled, rng).assembled.data.y[0] for _ in range(400)])
    z = (drawn - (1 + 2 * small_data()["x"].to_numpy())) / 0.5
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert abs(z.var() - 1) < 4 * np.sqrt(2 / z.size)


def test_the_new_response_is_prepared_and_nothing_is_scaled_anew():
    model = Model("k ~ x", small_data(), "poisson")
    assembled = model.plan().assembled
    other = with_response(assembled, np.arange(40.0))
    prepared = assembled.spec.family.prepare(np.arange(40.0)[None])
    np.testing.assert_array_equal(other.data.y, prepared)
    np.testing.assert_array_equal(other.data.head.fixed, assembled.data.head.fixed)


def many_zeros(response):
    return bool((response == 0).mean() > 0.5)


def test_responses_can_be_chosen_and_impossible_ones_are_drawn_anew():
    model = Model("k ~ x", small_data(), "poisson", priors=BINARY)
    chosen = simulation_based_calibration(model, 20, random_seed=1, draws=19, accept=many_zeros)
    assert chosen.rejected > 0
    assert "responses were rejected" in str(chosen)
    wide = Model("k ~ x", small_data(), "poisson", priors={"Intercept": Prior("Normal", mu=0, sigma=60)})
    simulated = [simulate_data(wide.plan().assembled, np.random.default_rng(seed)) for seed in range(20)]
    assert any(one.rejected for one in simulated)  # exp(60) is no count
    assert all(np.isfinite(one.assembled.data.y).all() for one in simulated)
    with pytest.raises(DataError, match="no possible response 'k' that `accept` accepts"):
        simulation_based_calibration(model, 1, random_seed=1, accept=lambda response: False)


def test_draws_that_are_correlated_are_thinned_more(monkeypatch):
    monkeypatch.setattr(refit, "ess_bulk", lambda draws: np.array(draws.shape[1] / 20.0))
    task = RefitTask(gaussian("y ~ x").plan().assembled, Settings(draws=9, chains=1))
    longer = simulate_and_refit(task, np.random.SeedSequence(1))
    assert longer.thin == 26  # from 4 by 9 draws with an effective size of 1.8, and a margin of 1.3
    assert longer.ess == pytest.approx(26 * 9 / 20)
    fixed = simulate_and_refit(RefitTask(task.assembled, task.settings, thin=2), np.random.SeedSequence(1))
    assert fixed.thin == 2


def test_correlated_draws_are_reported(monkeypatch, caplog):
    monkeypatch.setattr(refit, "ess_bulk", lambda draws: np.array(3.0))
    found = simulation_based_calibration(gaussian("y ~ x"), 2, random_seed=1, draws=9, thin=1)
    assert found.correlated.all()
    assert "In 2 of 2 simulations draws are correlated still" in caplog.text


def test_thinning_keeps_evenly_spaced_draws():
    draws = np.arange(41.0)[None, :, None]
    np.testing.assert_array_equal(_thinned(draws, 10)[:, 0], np.arange(3, 41, 4))
    np.testing.assert_array_equal(_thinned(draws, 41)[:, 0], np.arange(41))


def test_ranks_count_draws_below_and_share_ties():
    rng = np.random.default_rng(1)
    draws = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    assert list(_ranks(np.array([2.5, 0.0]), draws, rng)) == [2, 0]
    tied = [int(_ranks(np.array([5.0, 5.0]), draws, rng)[1]) for _ in range(400)]
    assert set(tied) == {0, 1, 2, 3}


def test_failed_fits_are_counted_and_said(monkeypatch, caplog):
    right_fit, calls = refit._fit, []

    def some_fail(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise SamplingError("no way down")
        return right_fit(*arguments)

    monkeypatch.setattr(refit, "_fit", some_fail)
    found = simulation_based_calibration(gaussian("y ~ x"), 4, random_seed=1, draws=9, thin=2)
    assert found.failures == ("no way down",)
    assert found.simulations == 3
    assert "1 of 4 simulated data sets could not be fitted" in caplog.text

    def all_fail(*arguments):
        raise SamplingError("no way down")

    monkeypatch.setattr(refit, "_fit", all_fail)
    with pytest.raises(SamplingError, match=r"None of 2 .* no way down"):
        simulation_based_calibration(gaussian("y ~ x"), 2, random_seed=1)


def test_what_cannot_be_calibrated_is_refused():
    with pytest.raises(PriorError, match="Flat"):
        simulation_based_calibration(Model("y ~ x", small_data(), priors={"x": Prior("Flat")}), 1)
    with pytest.raises(DataError, match=r"Leave weighted\(...\) out"):
        simulation_based_calibration(Model("weighted(y, w) ~ x", small_data()), 1)
    with pytest.raises(DataError, match="leave the potentials out"):
        simulation_based_calibration(Model("y ~ x", small_data(), potentials=[("x", lambda x: -(x**2))]), 1)
    for changes, words in (
        ({"n_simulations": 0}, "n_simulations must be an integer of at least 1"),
        ({"n_simulations": 2.0}, "n_simulations"),
        ({"draws": 0}, "draws"),
        ({"thin": 0}, "thin must be"),
        ({"random_seed": "one"}, "random_seed"),
        ({"plan": "quick"}, "quick"),
        ({"inference_method": "laplace"}, "inference_method is one of 'auto', 'nuts', 'hmc'; not 'laplace'"),
    ):
        with pytest.raises(NutsliteError, match=words):
            simulation_based_calibration(gaussian("y ~ x"), **{"n_simulations": 1, **changes})


def test_distributional_and_correlated_models_are_simulated_by_name():
    model = Model(
        Formula("y ~ x + (x|g)", "sigma ~ x + (1|g)"),
        small_data(),
        correlated=True,
        priors={name: Prior("Normal", mu=0, sigma=0.5) for name in BINARY},
    )
    found = simulation_based_calibration(model, 2, random_seed=1, draws=9, thin=1, tune=50)
    assert {"sigma_x", "sigma_1|g", "1+x|g_corr", "x|g_sigma"} <= set(found.ranks)
    assert found.ranks["x|g"].shape == (2, 5)
    assert "x|g[g3]" in found.columns


def test_tasks_are_pickled_small():
    task = RefitTask(gaussian().plan().assembled, Settings(draws=9, chains=1))
    again = pickle.loads(pickle.dumps(task))
    seed = np.random.SeedSequence(3)
    one, other = simulate_and_refit(task, seed), simulate_and_refit(again, np.random.SeedSequence(3))
    for name, ranks in one.ranks.items():
        np.testing.assert_array_equal(ranks, other.ranks[name])


def test_constants_take_part_in_simulation():
    model = Model("y ~ x", small_data(), priors={**NARROW, "sigma": 0.3})
    task = prediction_task(model.plan().assembled)
    assert task.constants == {"sigma": 0.3}
    found = simulation_based_calibration(model, 3, random_seed=1, draws=9, thin=1, plan="joint")
    assert "sigma" not in found.ranks


def test_a_picture_is_saved(right, tmp_path):
    pytest.importorskip("matplotlib")
    path = right.plot(tmp_path / "ranks.png", var_names="~1|g")
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(DataError, match="no folder"):
        right.plot(tmp_path / "nowhere" / "ranks.png")
    with pytest.raises(DataError, match="There is no variable"):
        right.table("slope")
