"""`fit(until="converged")`: fits that go on, by every method, within their budget, and nothing lost on the way."""

from __future__ import annotations

import contextlib
import logging
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_models import grouped_data

import nutslite as nl
from nutslite.exceptions import ArgumentError, ArgumentTypeError
from nutslite.model.fits import until
from nutslite.model.fits.fit_arguments import FitArguments
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.run.run import run
from nutslite.results.container.inference_data import get_group
from nutslite.results.diagnostics.chance_limits import BUDGET
from nutslite.results.diagnostics.measured import higher_target_accept, measured
from nutslite.results.diagnostics.report import sampling_report

SHORT: dict[str, Any] = {"draws": 30, "chains": 2, "random_seed": 5, "progressbar": False, "cores": 1}
UNTIL: dict[str, Any] = {**SHORT, "until": "converged", "budget": 40}
JOINT = ("b ~ x + (z|g)", {"family": "bernoulli"})
MARGINAL = ("y ~ x + (1|g)", {})


@pytest.fixture(autouse=True)
def told(caplog):
    """What is said, in place of showing it."""
    with caplog.at_level("INFO", "nutslite"):
        yield caplog


def model_of(case: tuple[str, dict[str, Any]]) -> nl.Model:
    return nl.Model(case[0], grouped_data(), **case[1])


@pytest.fixture(scope="module")
def model():
    return model_of(JOINT)


@pytest.fixture(scope="module")
def line():
    """Few parameters and a clear mode: independence Metropolis."""
    return nl.Model("b ~ x + z", grouped_data(400), family="bernoulli")


def posterior(results: Any) -> Any:
    return get_group(results, "posterior")


def draws_of(results: Any) -> int:
    return int(posterior(results).sizes["draw"])


def assert_same(results: Any, wanted: Any, groups: tuple[str, ...] = ("posterior", "sample_stats")) -> None:
    for group in groups:
        for name, values in get_group(wanted, group).data_vars.items():
            if not name.startswith("perf_counter"):
                np.testing.assert_array_equal(get_group(results, group)[name], values, err_msg=name)


def assert_converged(results: Any) -> None:
    draws = {name: values.values for name, values in posterior(results).data_vars.items()}
    assert not measured(draws).is_short
    assert posterior(results).attrs["converged"] == 1
    assert posterior(results).attrs["interrupted"] == 0


@pytest.mark.parametrize("case", [JOINT, MARGINAL], ids=["joint", "marginal"])
@pytest.mark.parametrize("pilot", [True, False])
def test_the_draws_are_those_of_a_longer_run(case, pilot, told):
    """NUTS: to the last bit, what was integrated out, statistics and warm-up too."""
    options = {"inference_method": "nuts", "pilot": pilot, "discard_tuned_samples": False, "max_treedepth": 8}
    results = model_of(case).fit(**UNTIL, **options)
    assert_converged(results)
    assert draws_of(results) > SHORT["draws"]
    wanted = model_of(case).fit(**{**SHORT, "draws": draws_of(results)}, **options)
    assert_same(results, wanted, ("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats"))
    said = posterior(results).attrs["until"]
    assert re.match(r"30 draws of each chain, (went on to \d+(, to \d+)*|anew).*: converged \(R-hat at most 1\.0", said)
    assert said in told.messages


def test_what_falls_short_says_what_it_would_take(model, told):
    """An estimate from 60 draws: two seeds of eight need more than it says."""
    short = {**SHORT, "random_seed": 1}
    results = model.fit(**short)
    assert "until" not in posterior(results).attrs
    (message,) = [text for text in told.messages if "effective sample size" in text]
    found = re.search(r'about draws=(\d+), or fit\(until="converged", budget=(\d+)\)', message)
    assert found
    assert int(found[2]) == int(np.ceil(int(found[1]) / 30))
    told.clear()
    assert_converged(model.fit(**{**short, "until": "converged", "budget": int(found[2])}))
    assert not [record for record in told.records if record.levelno >= logging.WARNING]


def test_the_default_is_one_run(model):
    results = model.fit(**SHORT)
    assert_same(results, model.fit(**SHORT, until=None, budget=BUDGET))
    assert draws_of(results) == SHORT["draws"]
    assert "converged" not in posterior(results).attrs


def test_the_budget_is_respected_and_its_end_is_said(model, told):
    results = model.fit(**{**UNTIL, "budget": 2.5})
    assert draws_of(results) == 75
    attrs = posterior(results).attrs
    assert attrs["converged"] == 0
    assert "not converged, the budget of 2.5 times the draws asked for is spent" in attrs["until"]
    warned = [record.getMessage() for record in told.records if record.levelno >= logging.WARNING]
    assert attrs["until"] in warned
    (advice,) = [text for text in warned if "effective sample size" in text]
    assert re.search(r"about draws=\d+, or a larger budget", advice)
    assert 'until="converged"' not in advice
    told.clear()
    model.fit(**{**UNTIL, "budget": 2.5}, compute_convergence_checks=False)
    assert not [record for record in told.records if record.levelno >= logging.WARNING]


def test_a_fit_that_will_do_is_left_as_it_is(line):
    options = {**SHORT, "draws": 500}
    results = line.fit(**options, until="converged")
    assert_same(results, line.fit(**options))
    assert posterior(results).attrs["until"].startswith("500 draws of each chain: converged")


@pytest.mark.parametrize("cores", [1, 2])
def test_independence_metropolis_goes_on(line, cores):
    results = line.fit(**{**UNTIL, "cores": cores})
    assert posterior(results).attrs["inference_method"] == "independence"
    assert_converged(results)
    first = line.fit(**SHORT)
    for group in ("posterior", "sample_stats"):
        for name, values in get_group(first, group).data_vars.items():
            np.testing.assert_allclose(get_group(results, group)[name][:, :30], values, rtol=1e-12)
    long = posterior(line.fit(**{**SHORT, "draws": 1000}))
    for name in ("Intercept", "x", "z"):
        drawn, wanted = posterior(results)[name].values, long[name].values
        assert len(np.unique(drawn)) > 0.7 * drawn.size
        assert abs(drawn.mean() - wanted.mean()) < 5.0 * wanted.std() * np.sqrt(2.0 / drawn.size)


def test_slices_go_on(monkeypatch):
    monkeypatch.setattr("nutslite.posterior.independence.trials.LOWEST_ACCEPTANCE", 2.0)
    data = grouped_data().iloc[:9].assign(k=[0, 0, 1, 0, 0, 0, 2, 0, 0])
    few = nl.Model("k ~ x", data, family="negativebinomial")
    results = few.fit(**UNTIL)
    assert posterior(results).attrs["inference_method"] == "slice"
    assert_converged(results)
    first = posterior(few.fit(**SHORT))
    for name, values in first.data_vars.items():
        np.testing.assert_allclose(posterior(results)[name][:, :30], values, rtol=1e-12)


def test_the_large_path_goes_on(monkeypatch):
    monkeypatch.setattr("nutslite.posterior.marginal.prices.LARGE_RISK", -1e9)
    large = nl.Model("y ~ x + (1|g) + (1|h)", grouped_data(400, 40))
    assert large.plan().is_large
    results = large.fit(**UNTIL)
    assert_converged(results)
    assert draws_of(results) > 30
    assert_same(results, large.fit(**{**SHORT, "draws": draws_of(results)}))


def test_an_executor_has_the_same_draws(model):
    here = model.fit(**UNTIL, inference_method="nuts")
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(1) as processes:
        for executor in (threads, processes):
            assert_same(model.fit(**UNTIL, inference_method="nuts", executor=executor), here)


def test_ctrl_c_before_all_chains_have_gone_on_elsewhere_keeps_those_before(model, monkeypatch):
    called = []

    def first_only(executor, *arguments):
        called.append(1)
        part = sampled_on(executor, *arguments)
        if len(called) == 1:
            return part
        return until.replace(part, positions=part.positions[:1], interrupted=True)

    from nutslite.posterior.methods import nuts

    sampled_on = nuts.sampled_on
    monkeypatch.setattr(nuts, "sampled_on", first_only)
    results = model.fit(**UNTIL, inference_method="nuts", executor=ThreadPoolExecutor(1))
    assert posterior(results).attrs["interrupted"] == 1
    assert_same(results, model.fit(**SHORT, inference_method="nuts"))


def test_a_checkpoint_goes_on_and_is_read_again(model, tmp_path, monkeypatch):
    path = tmp_path / "fit.ckpt"
    results = model.fit(**UNTIL, checkpoint=path)
    assert_converged(results)
    assert_same(results, model.fit(**UNTIL, inference_method="nuts"))
    monkeypatch.setattr("nutslite.posterior.methods.nuts.first_state", None)
    assert_same(model.fit(**UNTIL, checkpoint=path), results)  # the same steps, all of them from the file
    longer = draws_of(results) + 7
    assert (
        draws_of(model.fit(**{**SHORT, "draws": longer}, checkpoint=path, compute_convergence_checks=False)) == longer
    )


def test_a_file_is_of_the_call(model, tmp_path, told):
    path = tmp_path / "fit.nc"
    results = model.fit(**UNTIL, file=path)
    told.clear()
    assert_same(model.fit(**UNTIL, file=path), results)
    assert "loaded instead of sampled" in told.text
    model.fit(**{**UNTIL, "budget": 1.5}, file=path)
    assert "different are: budget (40.0 there, 1.5 here)" in told.text
    model.fit(**SHORT, file=path)
    assert "until" in told.text.rpartition("different are:")[2]


# Divergences


def diverging(monkeypatch, often):
    """Let the first runs, so many of them, have a transition that diverged; returns the acceptances aimed at."""
    found, accepts = until.run, []

    def run_of(plan, settings, before_sampling=None):
        fit = found(plan, settings, before_sampling)
        accepts.append(fit.settings.target_accept)
        if len(accepts) <= often:
            fit.stats["diverging"][0, 3] = True
        return fit

    monkeypatch.setattr(until, "run", run_of)
    return accepts


def test_where_transitions_diverged_the_model_is_sampled_anew(model, monkeypatch, told):
    accepts = diverging(monkeypatch, 1)
    results = model.fit(**{**UNTIL, "progressbar": True})
    assert accepts == [0.9, 0.97]
    assert_converged(results)
    monkeypatch.undo()
    assert_same(results, model.fit(**{**SHORT, "draws": draws_of(results)}, target_accept=0.97))
    assert "anew with target_accept=0.97 because transitions diverged, went on to" in posterior(results).attrs["until"]
    assert "More would not help: sampling anew with target_accept=0.97." in told.text


def test_replaced_draws_count_as_made(model, monkeypatch):
    diverging(monkeypatch, 1)
    results = model.fit(**{**UNTIL, "budget": 3})
    assert draws_of(results) == 60  # and 30 before
    diverging(monkeypatch, 1)
    results = model.fit(**{**UNTIL, "budget": 1.9})  # too little for another run
    assert draws_of(results) == 30
    assert re.search(r"budget of 1.9 times.*spent \(.*, 1 divergence\)", posterior(results).attrs["until"])


def test_it_ends_where_no_higher_acceptance_is_left(model, monkeypatch, told):
    accepts = diverging(monkeypatch, 9)
    results = model.fit(**UNTIL)
    assert accepts == [0.9, 0.97, 0.99]
    assert "transitions diverge with target_accept=0.99 too" in posterior(results).attrs["until"]
    assert "Give scale parameters tighter priors or simplify the model." in told.text
    assert "Raise target_accept" not in told.text


def test_a_checkpoint_is_of_one_acceptance(model, monkeypatch, tmp_path):
    diverging(monkeypatch, 9)
    results = model.fit(**UNTIL, checkpoint=tmp_path / "fit.ckpt")
    assert "give another file, and target_accept=0.97" in posterior(results).attrs["until"]
    assert draws_of(results) == 30


def test_higher_acceptances():
    assert [higher_target_accept(accept) for accept in (0.6, 0.8, 0.95, 0.98)] == [0.9, 0.95, 0.99, 0.99]
    assert higher_target_accept(0.99) is None
    assert higher_target_accept(0.995) is None
    stats = {"diverging": np.ones((2, 50), dtype=bool)}
    (message,) = sampling_report({}, stats, target_accept=0.995)
    assert "Raise target_accept" not in message


# Nothing is lost


def raising(error):
    def raise_it(*arguments, **options):
        raise error

    return raise_it


class NotYet(until.Verdict):
    """A verdict that some draws never are enough, however many of them a machine has made."""

    converged = False


def pressing_when_it_goes_on(monkeypatch):
    """A callback that ends the run, once the first draws were judged."""
    judged = []

    def verdict_on(fit):
        judged.append(fit)
        return NotYet(**vars(found(fit)))

    found = until.verdict_on
    monkeypatch.setattr(until, "verdict_on", verdict_on)
    monkeypatch.setattr("nutslite.sampler.worker.BLOCK_SECONDS", 0.0005)

    def callback(progress):
        if judged and progress.done > 5:
            raise KeyboardInterrupt

    return callback


@pytest.mark.parametrize("cores", [1, 2])
def test_ctrl_c_while_it_goes_on_keeps_all_draws(model, monkeypatch, cores):
    callback = pressing_when_it_goes_on(monkeypatch)
    options = {**UNTIL, "draws": 60, "cores": cores}
    results = model.fit(**options, callback=callback)
    attrs = posterior(results).attrs
    assert attrs["interrupted"] == 1
    assert attrs["converged"] == 0
    assert "interrupted" in attrs["until"]
    assert posterior(results).sizes["chain"] == 2
    assert draws_of(results) >= 60
    assert not np.isnan(posterior(results)["x"]).any()
    wanted = model.fit(**{**SHORT, "draws": draws_of(results)}, inference_method="nuts")
    assert_same(results, wanted)


def test_ctrl_c_while_it_is_judged_ends_it(model, monkeypatch):
    import signal

    def pressed(fit):
        signal.raise_signal(signal.SIGINT)
        return found(fit)

    found = until.verdict_on
    monkeypatch.setattr(until, "verdict_on", pressed)
    results = model.fit(**UNTIL)
    assert posterior(results).attrs["interrupted"] == 1
    assert_same(results, model.fit(**SHORT))


def test_ctrl_c_reaches_chains_that_go_on(model, monkeypatch):
    """The signal itself, which is only noted while draws are put together."""
    import signal

    found, pressed = until.run, []

    def run_of(*arguments):
        fit = found(*arguments)

        def longer(draws):
            pressed.append(draws)
            signal.raise_signal(signal.SIGINT)
            return fit.longer(draws)

        return until.replace(fit, longer=longer)

    monkeypatch.setattr(until, "run", run_of)
    results = model.fit(**UNTIL)
    assert pressed == [60]
    assert posterior(results).attrs["interrupted"] == 1
    assert_same(results, model.fit(**SHORT))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), FloatingPointError("odd"), MemoryError("no room")])
@pytest.mark.parametrize("method", ["nuts", "auto"])
def test_what_fails_while_it_goes_on_leaves_the_draws_before(line, monkeypatch, told, error, method):
    target = "nutslite.posterior.methods.{}".format("nuts._sampled" if method == "nuts" else "independence._draws")
    module, name = target.rsplit(".", 1)
    import importlib

    found, calls = getattr(importlib.import_module(module), name), []

    def second(*arguments, **options):
        calls.append(1)
        if len(calls) > 1:
            raise error
        return found(*arguments, **options)

    monkeypatch.setattr(target, second)
    results = line.fit(**UNTIL, inference_method=method)
    monkeypatch.undo()
    attrs = posterior(results).attrs
    assert attrs["interrupted"] == 1
    assert "Kept the 30 draws of each chain" in told.text
    said = {"odd": "FloatingPointError: odd", "no room": "of memory"}.get(str(error), "interrupted")
    assert said in told.text
    wanted = "interrupted" if said == "interrupted" else "ended by an error"
    assert attrs["until"].startswith(f"30 draws of each chain: not converged, {wanted}")
    assert_same(results, line.fit(**SHORT, inference_method=method))


def test_ctrl_c_in_the_run_that_replaces_another_keeps_that(model, monkeypatch):
    found, runs = until.run, []

    def run_of(plan, settings, before_sampling=None):
        runs.append(settings.target_accept)
        if len(runs) > 1:
            raise KeyboardInterrupt
        fit = found(plan, settings, before_sampling)
        fit.stats["diverging"][0, 3] = True
        return fit

    monkeypatch.setattr(until, "run", run_of)
    results = model.fit(**UNTIL)
    assert runs == [None, 0.97]
    assert posterior(results).attrs["interrupted"] == 1
    assert draws_of(results) == 30


def test_where_it_cannot_be_judged_it_ends(model, monkeypatch, told):
    monkeypatch.setattr(until, "verdict_on", raising(FloatingPointError("odd")))
    results = model.fit(**UNTIL)
    assert draws_of(results) == 30
    assert "cannot be told (FloatingPointError: odd)" in told.text
    assert posterior(results).attrs["converged"] == 0


def test_draws_for_which_there_is_no_hope_are_not_made_longer(told):
    """The terms give the responses exactly."""
    data = pd.DataFrame({"x": np.arange(30.0), "y": 2.0 * np.arange(30.0)})
    with pytest.warns(nl.NutsliteWarning, match="exactly"):
        exact = nl.Model("y ~ x", data, priors={"sigma": nl.Prior("HalfNormal", sigma=1.0)})
    fit = run(exact.plan(), Settings(draws=30, chains=2, random_seed=5, progressbar=False))
    assert until.verdict_on(fit).hopeless == "sigma nears 0"
    results = exact.fit(**UNTIL)
    assert draws_of(results) == 30
    assert "not converged, sigma nears 0" in posterior(results).attrs["until"]


def test_its_record_holds_no_draws_twice_by_default(model):
    """What goes on keeps positions: where nothing will, it is let go."""
    from nutslite.model.fits.fitting import drawn, prepare
    from nutslite.model.record.specification import specification_of

    job = prepare(specification_of(model), FitArguments(**SHORT))
    assert drawn(job).longer is None


# Elsewhere


def test_many_fits_go_on_each_for_itself():
    data = grouped_data(300).assign(part=np.repeat(["a", "b", "c"], 100))
    options = {name: value for name, value in UNTIL.items() if name != "cores"}
    fits = nl.fit_many("b ~ x", data=data, by="part", family="bernoulli", fit=options)
    table = fits.table
    assert (table[["ess_bulk", "ess_tail"]].min() >= 200).all()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"until": "convergence"}, ArgumentError, "until is one of None, 'converged'; not 'convergence'"),
        ({"until": True}, ArgumentTypeError, "until is one of None, 'converged'"),
        ({"until": ["converged"]}, ArgumentTypeError, "until is one of None, 'converged'"),
        ({"budget": 8}, ArgumentError, "give until='converged' beside it"),
        ({"until": "converged", "budget": 1}, ArgumentError, "budget is a number above 1, not 1"),
        ({"until": "converged", "budget": 0.5}, ArgumentError, "budget is a number above 1"),
        ({"until": "converged", "budget": np.inf}, ArgumentError, "budget is a number above 1"),
        ({"until": "converged", "budget": np.nan}, ArgumentError, "budget is a number above 1"),
        ({"until": "converged", "budget": True}, ArgumentTypeError, "budget is a number above 1"),
        ({"until": "converged", "budget": "4"}, ArgumentTypeError, "budget is a number above 1"),
        ({"until": "converged", "budget": None}, ArgumentTypeError, "budget is a number above 1"),
        ({"until": "converged", "inference_method": "vi"}, ArgumentError, "no chains that could go on"),
        ({"until": "converged", "inference_method": "pathfinder"}, ArgumentError, "k-hat"),
    ],
)
def test_what_makes_no_sense_is_refused_before_it_samples(model, options, error, words):
    with pytest.raises(error, match=re.escape(words)):
        model.fit(**{**SHORT, "callback": raising(AssertionError("it sampled")), **options})


def test_fits_without_some_rows_do_not_go_on(line):
    from nutslite.comparison.wrapper import _fit_arguments

    for name, value in {"until": "converged", "budget": 3}.items():
        with pytest.raises(ArgumentError, match="do not go on"):
            _fit_arguments({name: value})


def test_without_tqdm_or_a_bar_nothing_changes(model):
    quiet = model.fit(**UNTIL)
    with contextlib.redirect_stderr(None):
        assert_same(model.fit(**{**UNTIL, "progressbar": True}), quiet)


def test_a_look_before_going_on_hardly_moves_means():
    """Autoregressive chains, judged and gone on as fits are: errors beside those of chains of a fixed length."""
    rng, memory, z = np.random.default_rng(8), 0.6, []
    for _ in range(400):
        chains = np.zeros((4, 400))
        chains[:, 0] = rng.normal(size=4)
        for t in range(1, 400):
            chains[:, t] = memory * chains[:, t - 1] + np.sqrt(1 - memory**2) * rng.normal(size=4)
        n = 100
        while (found := measured({"a": chains[:, :n]})).is_short and n < 400:
            n = min(int(np.ceil(min(max(until.MARGIN * found.draws_wanted, until.FEWEST * n), until.MOST * n))), 400)
        error = np.sqrt((1 + memory) / (1 - memory) / (4 * n))
        z.append(chains[:, :n].mean() / error)
    assert abs(np.mean(z)) < 4 / np.sqrt(len(z))
    assert 0.88 < np.std(z) < 1.12


def test_draws_that_are_wanted():
    rng = np.random.default_rng(1)
    good = measured({"a": rng.normal(size=(4, 500))})
    assert not good.is_short
    assert good.draws_wanted == 500
    short = measured({"a": rng.normal(size=(4, 50))})
    assert short.is_short
    assert 90 < short.draws_wanted < 200
    assert np.isinf(measured({"a": rng.normal(size=(4, 3))}).draws_wanted)
    apart = measured({"a": rng.normal(size=(4, 500)) + np.array([0, 0, 0, 0.6])[:, None]})
    assert apart.draws_for_r_hat == 1000
    assert apart.draws_wanted >= 1000
    assert measured({"a": np.full((4, 500), 2.0)}).draws_wanted == 500
