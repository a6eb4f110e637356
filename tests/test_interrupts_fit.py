"""Ctrl-C at every moment of a fit: before there are draws it goes through, afterwards nothing is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from sampler_targets import independent_normals
from small_models import grouped_data

import nutslite as nl
from nutslite._log import log
from nutslite._numba import jit_disabled
from nutslite.calibration import refit, simulation_based_calibration
from nutslite.model.evaluation import refits
from nutslite.posterior.run.run import run
from nutslite.posterior.targets.target import JointTarget
from nutslite.results import fit as results_fit
from nutslite.results.container.inference_data import get_group
from nutslite.sampler import sample
from nutslite.sampler.interrupts import LAST_PRESS, careful_interrupts
from nutslite.sampler.progress import ProgressBar

pytestmark = pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is not signal.default_int_handler, reason="somebody else handles Ctrl-C here"
)
FIT = {"draws": 40, "tune": 40, "chains": 2, "random_seed": 1, "progressbar": False, "plan": "joint"}


@pytest.fixture(autouse=True)
def quiet_and_tidy():
    log.setLevel("ERROR")
    yield
    log.setLevel("INFO")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def press():
    signal.raise_signal(signal.SIGINT)


def pressing(function, times=1):
    """The function, with Ctrl-C just before it."""

    def pressed(*arguments, **options):
        for _ in range(times):
            press()
        return function(*arguments, **options)

    return pressed


@pytest.fixture(scope="module")
def model():
    return nl.Model("b ~ x + (1|g)", grouped_data(), family="bernoulli")


@pytest.fixture(scope="module")
def whole(model):
    return model.fit(**FIT)


def assert_whole(results, whole):
    attrs = get_group(results, "posterior").attrs
    assert attrs["interrupted"] == 0
    for name, values in get_group(whole, "posterior").data_vars.items():
        np.testing.assert_array_equal(get_group(results, "posterior")[name], values)


@pytest.mark.parametrize("method", ["nuts", "hmc"])
@pytest.mark.parametrize("moment", ["pilot", "compilation", "first report"])
def test_before_the_first_draw_it_goes_through(model, monkeypatch, moment, method):
    """Also after the short run that a launch may make, whose draws are none to keep."""
    options = {"inference_method": method}
    if moment == "pilot":
        monkeypatch.setattr(JointTarget, "launch", pressing(JointTarget.launch))
    elif moment == "compilation":
        monkeypatch.setattr("nutslite.posterior.methods.nuts.compiled_logdensity", pressing(None))
    else:
        options |= {"callback": lambda progress: press(), "tune": 1_000_000}
    with pytest.raises(KeyboardInterrupt):
        model.fit(**{**FIT, **options})


def test_while_draws_are_put_together(model, whole, monkeypatch):
    monkeypatch.setattr(JointTarget, "natural", pressing(JointTarget.natural))
    assert_whole(model.fit(**FIT), whole)


def test_while_results_are_named(model, whole, monkeypatch):
    monkeypatch.setattr(results_fit, "to_inference_data", pressing(results_fit.to_inference_data, times=2))
    assert_whole(model.fit(**FIT), whole)


def test_the_third_one_ends_at_once(model, monkeypatch):
    monkeypatch.setattr(JointTarget, "natural", pressing(JointTarget.natural, times=LAST_PRESS))
    with pytest.raises(KeyboardInterrupt):
        model.fit(**FIT)


def test_while_further_groups_are_added(model, whole, monkeypatch):
    monkeypatch.setattr("nutslite.results.added_groups.add_log_likelihood", pressing(None))
    assert_whole(model.fit(idata_kwargs={"log_likelihood": True}, **FIT), whole)


def test_in_the_progress_bar(model, monkeypatch):
    seen = []

    def bar(self, report):
        seen.append(report)
        if report.phase == "sampling":
            press()

    monkeypatch.setattr(ProgressBar, "__call__", bar)
    monkeypatch.setattr("nutslite.sampler.worker.BLOCK_SECONDS", 0.001)
    results = model.fit(**{**FIT, "progressbar": True, "draws": 20_000, "cores": 1})
    assert seen
    posterior = get_group(results, "posterior")
    assert posterior.attrs["interrupted"] == 1
    assert 0 < posterior.sizes["draw"] <= 20_000
    assert np.isfinite(posterior["x"]).all()


def test_in_another_thread_nothing_is_touched(model, whole):
    found = []
    thread = threading.Thread(target=lambda: found.append(model.fit(**FIT)))
    thread.start()
    thread.join()
    assert_whole(found[0], whole)


def test_a_handler_of_somebody_else_stays(model, whole):
    calls = []
    signal.signal(signal.SIGINT, lambda number, frame: calls.append(number))
    try:
        with careful_interrupts() as interrupts:
            press()
            assert calls == [signal.SIGINT]
            assert interrupts.pressed == 0
        assert_whole(model.fit(**FIT), whole)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.skipif(jit_disabled(), reason="needs a block of transitions that cannot be interrupted")
def test_the_second_one_does_not_wait_for_blocks():
    """One chain's block takes many seconds: the first Ctrl-C waits for it, the second takes what is finished."""

    def slow(position, gradient, data):
        total = 0.0
        if data[0][0] > 1e-3:  # once the test has said so
            for i in range(20_000_000):
                total += np.sin(float(i))
        gradient[:] = -position
        return -0.5 * np.sum(position * position) + 1e-300 * total

    switch = np.zeros(1)
    reports = []

    def listen(report):
        reports.append(report)
        if report.phase == "sampling" and switch[0] == 0.0:
            switch[0] = 1.0  # what is sampled from now on takes seconds a transition
            timer.start()

    def twice():
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.5)

    timer = threading.Timer(0.5, twice)
    started = time.monotonic()
    result = sample(
        slow, (switch,), initial=np.zeros(2), draws=1_000_000, tune=50, chains=2, cores=2, random_seed=1,
        callback=listen,
    )  # fmt: skip
    switch[0] = 0.0
    timer.join()
    assert time.monotonic() - started < 60
    assert result.interrupted
    assert np.all(result.draws_per_chain < 1_000_000)
    for chain, count in enumerate(result.draws_per_chain):
        assert np.isfinite(result.positions[chain, :count]).all()
        assert np.isnan(result.positions[chain, count:]).all()


def test_counting_is_shared_by_nested_blocks():
    with careful_interrupts() as outer:
        with careful_interrupts() as inner:
            assert inner is outer
            with pytest.raises(KeyboardInterrupt):
                press()
        press()  # held since the first
        assert outer.pressed == 2
        with pytest.raises(KeyboardInterrupt):
            press()


def test_the_sampler_alone_keeps_its_draws_too():
    def at_the_end(report):
        if report.done == report.total and report.chain == 1:
            press()

    result = sample(
        independent_normals,
        (np.ones(2),),
        initial=np.zeros(2),
        draws=50,
        tune=50,
        chains=2,
        random_seed=1,
        callback=at_the_end,
        cores=1,
    )
    assert result.positions.shape == (2, 50, 2)


@pytest.mark.parametrize(
    "study",
    [lambda model: model.cross_validate(2, draws=50, chains=1), lambda model: simulation_based_calibration(model, 2)],
)
def test_a_study_of_many_fits_ends_with_the_fit_that_is_interrupted(monkeypatch, study):
    """Draws that an interrupted fit keeps are not taken for those of a whole one."""
    runs = []

    def interrupted(plan, settings):
        runs.append(replace(run(plan, settings), interrupted=True))
        return runs[-1]

    own = {"Intercept": nl.Prior("Normal", mu=0, sigma=1), "sigma": nl.Prior("HalfNormal", sigma=1)}
    monkeypatch.setattr(refits, "run", interrupted)
    monkeypatch.setattr(refit, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        study(nl.Model("y ~ 1", grouped_data(), priors=own))
    assert len(runs) == 1
