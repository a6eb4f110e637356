"""Ctrl-C, callbacks, errors in chains, and the progress bar."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from sampler_targets import correlated_normal, independent_normals

from nutslite.sampler import ChainProgress, sample
from nutslite.sampler.progress import ProgressBar

ROOT = Path(__file__).resolve().parent.parent
DATA = (np.ones(2),)
ENOUGH = 400_000  # a chain of so many draws does not end before the interruption is heard
LONG = {"initial": np.zeros(2), "draws": 10_000_000, "tune": 50, "chains": 2, "random_seed": 1}


def stop_after(n_reports):
    """A callback that stops the run at the n-th report from sampling of every chain."""
    seen = {0: 0, 1: 0}

    def callback(progress):
        seen[progress.chain] += progress.phase == "sampling"
        if min(seen.values()) >= n_reports:
            raise KeyboardInterrupt

    return callback


@pytest.fixture
def scarce_memory(monkeypatch):
    """Ten million draws are reserved but hardly touched; keep what a test touches small."""
    monkeypatch.setattr("nutslite.sampler.worker.BLOCK_SECONDS", 0.005)


@pytest.mark.usefixtures("scarce_memory")
def test_keyboard_interrupt_returns_the_finished_draws():
    arguments = {**LONG, "draws": ENOUGH}
    result = sample(independent_normals, DATA, callback=stop_after(3), cores=2, **arguments)
    assert result.interrupted
    assert np.all(result.draws_per_chain > 0)
    assert np.all(result.draws_per_chain < ENOUGH)
    assert result.positions.shape[1] == result.draws_per_chain.max()
    for chain, count in enumerate(result.draws_per_chain):
        assert np.all(np.isfinite(result.positions[chain, :count]))
        assert np.all(np.isnan(result.positions[chain, count:]))
        assert np.all(result.stats["n_steps"][chain, :count] > 0)
        assert np.all(result.stats["n_steps"][chain, count:] == 0)
    assert np.all(result.n_gradients >= result.draws_per_chain)


@pytest.mark.usefixtures("scarce_memory")
def test_an_interrupted_run_can_be_made_rectangular():
    def in_second_chain(progress):
        if progress.chain == 1 and progress.phase == "sampling":
            raise KeyboardInterrupt

    arguments = {**LONG, "draws": ENOUGH, "chains": 3}
    result = sample(independent_normals, DATA, callback=in_second_chain, cores=1, **arguments)
    assert result.interrupted
    assert result.draws_per_chain[0] == ENOUGH
    assert result.draws_per_chain[2] < ENOUGH  # at most begun
    tidy = result.rectangular()
    assert np.all(np.isfinite(tidy.positions))
    assert tidy.positions.shape[:2] == tidy.stats["lp"].shape
    assert tidy.positions.size >= 2 * ENOUGH
    assert len(tidy.metrics) == len(tidy.divergences) == tidy.step_sizes.size == tidy.positions.shape[0]
    complete = sample(independent_normals, DATA, initial=np.zeros(2), draws=10, tune=10, chains=2)
    assert complete.rectangular() is complete
    assert not complete.interrupted


def test_interruption_during_warmup_leaves_no_draws():
    def at_once(progress):
        raise KeyboardInterrupt

    result = sample(
        independent_normals, DATA, callback=at_once, initial=np.zeros(2), tune=2_000_000, draws=10, chains=2
    )
    assert result.interrupted
    assert result.positions.shape == (2, 0, 2)
    assert np.all(result.warmup_per_chain < 2_000_000)


def test_ctrl_c_in_a_process_of_its_own(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys
            import numpy as np
            from sampler_targets import independent_normals
            from nutslite.sampler import sample

            def say(progress):
                if progress.phase == "sampling":
                    print("sampling", flush=True)

            result = sample(independent_normals, (np.ones(2),), initial=np.zeros(2), draws=3_000_000, tune=50,
                            chains=2, random_seed=1, callback=say)
            print("interrupted", result.interrupted, (result.draws_per_chain > 0).any(), flush=True)
            """
        )
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "sampling"
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        rest, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert time.monotonic() - started < 20
    assert process.returncode == 0
    assert rest.strip().splitlines()[-1] == "interrupted True True"


def test_a_callback_that_fails_is_not_called_again(caplog):
    calls = []

    def broken(progress):
        calls.append(progress)
        raise ZeroDivisionError("mine")

    short = {**LONG, "draws": 500}
    result = sample(independent_normals, DATA, callback=broken, **short)
    assert len(calls) == 1
    assert "callback broken failed" in caplog.text
    assert "ZeroDivisionError: mine" in caplog.text
    assert not result.interrupted
    np.testing.assert_array_equal(result.positions, sample(independent_normals, DATA, **short).positions)


def breaks_when_told(position, gradient, data):
    if data[0][0] > 0.0:
        raise ValueError("far out")
    gradient[:] = -position
    return -0.5 * np.sum(position * position)


def test_an_error_in_a_chain_before_any_draw_arrives():
    with pytest.raises(ValueError, match="far out") as caught:
        sample(breaks_when_told, (np.ones(1),), **{**LONG, "draws": 100_000})
    assert any("chain" in note for note in caught.value.__notes__)


def test_an_error_in_a_chain_keeps_what_is_drawn(caplog):
    told = np.zeros(1)

    def tell(progress):
        told[0] = float(progress.phase == "sampling" and progress.chain == 1)

    result = sample(breaks_when_told, (told,), callback=tell, cores=1, **{**LONG, "draws": 50_000})
    assert result.interrupted
    assert "ended early by an error. ValueError: far out" in caplog.text
    kept = result.rectangular().positions
    assert kept.shape[:2] == (1, 50_000)  # the first chain was done, the second had begun
    assert np.isfinite(kept).all()


def test_reports_tell_how_far_each_chain_is():
    reports = []
    precision = np.array([[2.0, 0.5], [0.5, 1.0]])
    sample(
        correlated_normal,
        (np.zeros(2), precision),
        initial=np.zeros(2),
        draws=150,
        tune=150,
        chains=3,
        random_seed=1,
        progress=reports.append,
    )
    assert {report.chain for report in reports} == {0, 1, 2}
    for chain in range(3):
        own = [report for report in reports if report.chain == chain]
        assert [report.done for report in own] == sorted({report.done for report in own})
        assert own[-1].done == own[-1].total == 300
        assert own[0].phase == "warmup"
        assert own[-1].phase == "sampling"
        assert all(report.step_size > 0 and report.n_steps >= 1 for report in own)


def test_the_progress_bar_counts_all_chains(capsys):
    pytest.importorskip("tqdm")
    with ProgressBar(chains=2, transitions=100) as bar:
        bar(ChainProgress(0, "warmup", 50, 100, 0, 0.5, 2, 3.0))
        assert bar.summary() == "0 divergences, warm-up, step 0.5, 3 leapfrogs"
        bar(ChainProgress(1, "sampling", 100, 100, 1, 0.25, 2, 7.0))
        assert bar.summary() == "1 divergence, sampling 1/2, step 0.38, 5 leapfrogs"
    assert "150/200" in capsys.readouterr().err


def test_progress_true_shows_a_bar_and_the_default_shows_nothing(capsys):
    arguments = {"initial": np.zeros(2), "draws": 20, "tune": 20, "chains": 2}
    sample(independent_normals, DATA, **arguments)
    assert capsys.readouterr() == ("", "")
    sample(independent_normals, DATA, progress=True, **arguments)
    assert "80/80" in capsys.readouterr().err
