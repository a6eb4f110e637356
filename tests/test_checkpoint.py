"""Checkpoints of the sampler: killed at any moment, damaged in any way, a run ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sampler_targets import correlated_normal, independent_normals

from nutslite import Family, Likelihood, Link, Prior
from nutslite.exceptions import SamplingError
from nutslite.families.rows.lazy import LazyKernel
from nutslite.sampler import sample
from nutslite.sampler.checkpoint.checkpoint import differences
from nutslite.sampler.checkpoint.digest import digest
from nutslite.sampler.checkpoint.record_log import MAGIC, RecordLog
from nutslite.sampler.worker import ChainWorker

ROOT = Path(__file__).resolve().parent.parent
DATA = (np.arange(1.0, 5.0),)
SETTINGS = {"initial": np.zeros(4), "draws": 400, "tune": 200, "chains": 2, "random_seed": 3, "cores": 1}


@pytest.fixture(autouse=True)
def many_blocks(monkeypatch):
    """These densities are so quick that a run would be three blocks."""
    monkeypatch.setattr("nutslite.sampler.worker.BLOCK_SECONDS", 0.0002)


@pytest.fixture(scope="module")
def uninterrupted():
    return sample(independent_normals, DATA, **SETTINGS)


def assert_same(result, wanted):
    """Equal to the last bit, state of the adaptation and all."""
    np.testing.assert_array_equal(result.positions, wanted.positions)
    for name, values in wanted.stats.items():
        np.testing.assert_array_equal(result.stats[name], values, err_msg=name)
    np.testing.assert_array_equal(result.step_sizes, wanted.step_sizes)
    for one, other in zip(result.metrics, wanted.metrics, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    for one, other in zip(result.divergences, wanted.divergences, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(result.n_warmup_gradients, wanted.n_warmup_gradients)
    assert result.random_seed == wanted.random_seed
    assert not result.interrupted


def stop_at(transition):
    """A callback that ends the run like Ctrl-C when a chain has come that far."""

    def callback(progress):
        if progress.done >= transition:
            raise KeyboardInterrupt

    return callback


@pytest.mark.parametrize("transition", [1, 80, 190, 201, 500])
def test_an_interrupted_run_goes_on_where_it_was(tmp_path, uninterrupted, transition):
    path = tmp_path / "run.ckpt"
    first = sample(independent_normals, DATA, checkpoint=path, callback=stop_at(transition), **SETTINGS)
    assert first.interrupted
    size = path.stat().st_size
    reports = []
    assert_same(sample(independent_normals, DATA, checkpoint=path, callback=reports.append, **SETTINGS), uninterrupted)
    assert path.stat().st_size >= size
    assert reports[0].done >= transition  # what was there is reported once
    finished = path.read_bytes()
    again = []
    assert_same(sample(independent_normals, DATA, checkpoint=path, callback=again.append, **SETTINGS), uninterrupted)
    assert path.read_bytes() == finished  # nothing was drawn
    assert len(again) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"metric": "diag_grad"},
        {"metric": "dense", "save_warmup": True},
        {"tune": 0, "step_size": 0.5},
        {"tune": 10, "adapt_metric": False},
    ],
    ids=str,
)
def test_every_adaptation_goes_on(tmp_path, options):
    settings = {**SETTINGS, **options}
    precision = np.array([[2.0, 0.5], [0.5, 1.0]])
    data, settings["initial"] = (np.zeros(2), precision), np.zeros(2)
    wanted = sample(correlated_normal, data, **settings)
    path = tmp_path / "run.ckpt"
    for transition in (60, 130, 220):
        sample(correlated_normal, data, checkpoint=path, callback=stop_at(transition), **settings)
    result = sample(correlated_normal, data, checkpoint=path, **settings)
    assert_same(result, wanted)
    if wanted.warmup_positions is not None:
        np.testing.assert_array_equal(result.warmup_positions, wanted.warmup_positions)


def test_divergences_are_kept(tmp_path):
    settings = {**SETTINGS, "initial": np.zeros(2)}
    wanted = sample(cliff, DATA, **settings)
    assert sum(len(part) for part in wanted.divergences) > 0
    sample(cliff, DATA, checkpoint=tmp_path / "run", callback=stop_at(300), **settings)
    assert_same(sample(cliff, DATA, checkpoint=tmp_path / "run", **settings), wanted)


def cliff(position, gradient, data):
    """Trajectories over the edge diverge."""
    gradient[:] = -position
    return -0.5 * np.sum(position * position) if position[0] < 1.0 else -np.inf


def assert_begins_like(result, wanted):
    """The first draws, their statistics and divergences are those of a longer run, and so is the adaptation."""
    chains, draws, _ = result.positions.shape
    np.testing.assert_array_equal(result.positions, wanted.positions[:, :draws])
    for name, values in wanted.stats.items():
        np.testing.assert_array_equal(result.stats[name], values[:, :draws], err_msg=name)
    np.testing.assert_array_equal(result.step_sizes, wanted.step_sizes)
    np.testing.assert_array_equal(result.n_gradients, wanted.stats["n_steps"][:, :draws].sum(axis=1))
    for chain in range(chains):
        n = int(wanted.stats["diverging"][chain, :draws].sum())
        np.testing.assert_array_equal(result.divergences[chain], wanted.divergences[chain][:n])
    assert not result.interrupted


def test_a_run_goes_on_to_more_draws_and_gives_its_first_ones(tmp_path):
    """As if each number of draws had been asked for at once; fewer draws cost none that are in the file."""
    settings = {**SETTINGS, "initial": np.zeros(2), "draws": 700}
    wanted = sample(cliff, DATA, **settings)
    assert all(len(part) > 3 for part in wanted.divergences)
    path = tmp_path / "run"
    sample(cliff, DATA, checkpoint=path, callback=stop_at(350), **{**settings, "draws": 90})
    sizes = []
    for draws in (90, 351, 12, 200, 0, 700, 350, 700):
        part = sample(cliff, DATA, checkpoint=path, **{**settings, "draws": draws})
        assert part.positions.shape[1] == draws
        assert_begins_like(part, wanted)
        sizes.append(path.stat().st_size)
    assert sizes == sorted(sizes)
    assert sizes[1] == sizes[4]
    assert sizes[5] == sizes[7]
    assert_same(part, wanted)


def test_fewer_draws_than_an_interrupted_run_has_leave_the_rest(tmp_path, monkeypatch):
    """One chain has more than is asked for, the other less: each goes on from where it was."""
    path = tmp_path / "run"
    run = ChainWorker.run

    def second_waits_for_the_end(self, stop, report):
        if self.chain == 1:
            stop.wait(60)
        run(self, stop, report)

    with monkeypatch.context() as patched:
        patched.setattr(ChainWorker, "run", second_waits_for_the_end)
        first = sample(independent_normals, DATA, checkpoint=path, callback=stop_at(590), **SETTINGS)
    assert first.draws_per_chain[0] > 300 > first.draws_per_chain[1]
    wanted = sample(independent_normals, DATA, **SETTINGS)
    assert_begins_like(sample(independent_normals, DATA, checkpoint=path, **{**SETTINGS, "draws": 300}), wanted)
    assert_same(sample(independent_normals, DATA, checkpoint=path, **SETTINGS), wanted)


def test_a_run_without_a_seed_takes_the_seed_of_its_file(tmp_path):
    settings = {**SETTINGS, "random_seed": None}
    first = sample(independent_normals, DATA, checkpoint=tmp_path / "run", callback=stop_at(250), **settings)
    second = sample(independent_normals, DATA, checkpoint=tmp_path / "run", **settings)
    assert second.random_seed == first.random_seed
    assert_same(second, sample(independent_normals, DATA, **{**SETTINGS, "random_seed": first.random_seed}))
    other = sample(independent_normals, DATA, **settings)
    assert not np.array_equal(other.positions, second.positions)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"tune": 201}, r"tune \(200 there, 201 here\)"),
        ({"random_seed": 4}, r"random_seed \(3 there, 4 here\)"),
        ({"target_accept": 0.9}, r"target_accept \(0.8 there, 0.9 here\)"),
        ({"initial": np.ones(4)}, "initial positions"),
        ({"metric": "dense"}, r"adaptation \(diag there, dense here\)"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_another_call_is_refused_by_name(tmp_path, change, named):
    path = tmp_path / "run.ckpt"
    sample(independent_normals, DATA, checkpoint=path, callback=stop_at(100), **SETTINGS)
    before = path.read_bytes()
    with pytest.raises(SamplingError, match=f"belongs to another run; different are: {named}.*delete the file"):
        sample(independent_normals, DATA, checkpoint=path, **{**SETTINGS, **change})
    assert path.read_bytes() == before


def test_other_data_and_another_density_are_refused(tmp_path):
    path = tmp_path / "run.ckpt"
    sample(independent_normals, DATA, checkpoint=path, callback=stop_at(100), **SETTINGS)
    with pytest.raises(SamplingError, match="different are: data\\."):
        sample(independent_normals, (DATA[0] + 1e-12,), checkpoint=path, **SETTINGS)

    def another(position, gradient, data):
        gradient[:] = -position
        return -0.5 * np.sum(position * position)

    with pytest.raises(SamplingError, match="different are: log density\\."):
        sample(another, DATA, checkpoint=path, **SETTINGS)


def test_another_version_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "run.ckpt"
    sample(independent_normals, DATA, checkpoint=path, callback=stop_at(100), **SETTINGS)
    monkeypatch.setattr("nutslite.__version__", "99.0")
    with pytest.raises(SamplingError, match=r"version of nutslite \(.* there, 99.0 here\)"):
        sample(independent_normals, DATA, checkpoint=path, **SETTINGS)


def test_a_file_cut_off_or_damaged_anywhere_costs_work_and_nothing_else(tmp_path, uninterrupted):
    path = tmp_path / "run.ckpt"
    sample(independent_normals, DATA, checkpoint=path, **SETTINGS)
    whole = path.read_bytes()
    chooser = random.Random(5)
    for _ in range(12):
        path.write_bytes(whole[: chooser.randrange(len(whole))])
        assert_same(sample(independent_normals, DATA, checkpoint=path, **SETTINGS), uninterrupted)
    for _ in range(12):
        damaged = bytearray(whole)
        damaged[chooser.randrange(len(MAGIC), len(whole))] ^= 1 << chooser.randrange(8)
        path.write_bytes(damaged)
        assert_same(sample(independent_normals, DATA, checkpoint=path, **SETTINGS), uninterrupted)


def test_a_file_that_is_no_checkpoint_is_left_as_it_is(tmp_path):
    path = tmp_path / "thesis.txt"
    path.write_text("three years of work")
    with pytest.raises(SamplingError, match="no checkpoint of nutslite and is left as it is"):
        sample(independent_normals, DATA, checkpoint=path, **SETTINGS)
    assert path.read_text() == "three years of work"


def test_impossible_places_are_refused_before_anything_is_drawn(tmp_path):
    with pytest.raises(SamplingError, match="is a folder"):
        sample(independent_normals, DATA, checkpoint=tmp_path, **SETTINGS)
    with pytest.raises(SamplingError, match="there is no folder"):
        sample(independent_normals, DATA, checkpoint=tmp_path / "absent" / "run", **SETTINGS)
    (tmp_path / "file").touch()
    with pytest.raises(SamplingError, match="there is no folder"):
        sample(independent_normals, DATA, checkpoint=tmp_path / "file" / "run", **SETTINGS)


def test_two_runs_cannot_share_a_checkpoint(tmp_path):
    pytest.importorskip("fcntl")
    path = tmp_path / "run.ckpt"
    with RecordLog(path), pytest.raises(SamplingError, match="in use by another run"):
        sample(independent_normals, DATA, checkpoint=path, **SETTINGS)


KILLED = textwrap.dedent(
    """
    import sys
    import numpy as np
    import nutslite.sampler.worker as worker
    from sampler_targets import independent_normals
    from nutslite.sampler import sample

    worker.BLOCK_SECONDS = 0.0005
    data = (np.arange(1.0, 5.0),)
    def say(progress):
        print(progress.done, flush=True)
    result = sample(independent_normals, data, initial=np.zeros(4), draws=20_000, tune=1000, chains=2, cores=2,
                    random_seed=3, checkpoint=sys.argv[1], callback=say)
    np.save(sys.argv[2], result.positions)
    """
)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_at_random_moments_a_run_ends_with_the_same_draws(tmp_path):
    """Killed in warm-up and while it samples, several times, the draws are those of one run to the last bit."""
    script = tmp_path / "run.py"
    script.write_text(KILLED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}

    def start(checkpoint, out):
        return subprocess.Popen(
            [sys.executable, script, checkpoint, out], stdout=subprocess.PIPE, text=True, env=environment
        )

    chooser = random.Random(11)
    sizes = []
    for transitions in (1, 7_000):  # the first in warm-up
        process = start(tmp_path / "run.ckpt", tmp_path / "killed.npy")
        for line in process.stdout:
            if int(line) >= transitions:
                break
        time.sleep(chooser.uniform(0.0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        sizes.append((tmp_path / "run.ckpt").stat().st_size)
    assert sizes == sorted(sizes)
    assert not (tmp_path / "killed.npy").exists()
    assert start(tmp_path / "run.ckpt", tmp_path / "killed.npy").communicate()
    assert start(tmp_path / "other.ckpt", tmp_path / "whole.npy").communicate()
    np.testing.assert_array_equal(np.load(tmp_path / "killed.npy"), np.load(tmp_path / "whole.npy"))


def test_digests_see_every_difference():
    def one(x):
        return x + 1

    def other(x):
        return x + 2

    same = [(one, one), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), (np.arange(3), np.arange(3)), ((1, "x"), [1, "x"])]
    different = [
        (one, other),
        (1, 1.0),
        (1, True),
        ("1", 1),
        (0.0, -0.0),
        (np.arange(3), np.arange(3.0)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        ([[1], [2]], [[1, 2]]),
        ({"a": 1}, {"a": 2}),
        (None, "None"),
        (np.array(["a", None], dtype=object), np.array(["a", "b"], dtype=object)),
    ]
    assert all(digest(a) == digest(b) for a, b in same)
    assert all(digest(a) != digest(b) for a, b in different)
    assert digest(np.arange(6).reshape(2, 3).T) == digest(np.arange(6).reshape(2, 3).T.copy())


def test_digests_are_the_same_in_every_process():
    module, value = "nutslite.sampler.checkpoint.digest", "{'x': [1, 2.5, None], 'y': ({'b'}, 'text')}"
    code = f"from {module} import digest; print(digest({value}))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**environment, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_digests_see_into_partial_functions_and_methods():
    def scaled(x, by):
        return x * by

    class Scaled:
        def __init__(self, by):
            self.by = by

        def value(self, x):
            return x * self.by

    for made in (lambda by: partial(scaled, by=by), lambda by: partial(scaled, by), lambda by: Scaled(by).value):
        assert digest(made(2.0)) == digest(made(2.0)) != digest(made(3.0))


def own_family(logp, random=None):
    return Family("mine", Likelihood("Mine", params=["mu"], parent="mu", logp=logp, random=random), "identity")


def test_digests_of_families_tell_every_function_apart():
    """Else a stored fit of another log density would be taken for this one's."""
    normal, other = (lambda y, mu: -((y - mu) ** 2)), (lambda y, mu: -abs(y - mu))
    assert digest(own_family(normal)) == digest(own_family(normal)) != digest(own_family(other))
    assert digest(own_family(normal, random=other)) != digest(own_family(normal))


def test_digests_name_the_modules_of_these_classes():
    """Moving one changes the digests of all models that have it: every stored fit would be made anew."""
    assert [kind.__module__ for kind in (Prior, Likelihood, LazyKernel)] == [
        "nutslite.priors.prior",
        "nutslite.families.user.likelihood",
        "nutslite.families.rows.lazy",
    ]


def test_digests_do_not_change_when_something_is_compiled():
    """Else a model would not know its own checkpoint any more after its first fit."""
    link = Link("mine", link=lambda p: p, linkinv=lambda x: x)
    for kernel in (LazyKernel(lambda: print), own_family(lambda y, mu: -abs(y - mu)).kernel):
        before = digest([kernel, link])
        kernel.build()
        link.kernels["convert"] = kernel.build()
        assert digest([kernel, link]) == before


def test_differences_name_what_is_short_only():
    long = "y ~ x" + " + z" * 40
    assert differences({"formula": long, "tune": None}, {"formula": "y ~ x", "tune": 5}) == [
        "formula",
        "tune (None there, 5 here)",
    ]
