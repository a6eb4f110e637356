"""Chains that go on from where an earlier run ended: the draws of one longer run, whatever the sampler's parts."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest

from nutslite.exceptions import SamplingError, SettingError, SettingTypeError
from nutslite.sampler import sample, worker, workspaces
from nutslite.sampler.draws import joined
from nutslite.sampler.transition.metric import centred_at, diagonal_metric
from nutslite.sampler.transition.trajectory import new_workspace

RUN = {"initial": np.zeros(3), "tune": 150, "chains": 3, "random_seed": 4, "cores": 2}
SCALES = np.array([1.0, 0.2, 3.0])


def normal(position, gradient, data):
    gradient[:] = -position / data**2
    return -0.5 * np.sum((position / data) ** 2)


def drawn(draws, **options):
    return sample(normal, SCALES, draws=draws, **{**RUN, **options})


def assert_same(found, wanted):
    np.testing.assert_array_equal(found.positions, wanted.positions)
    for name in wanted.stats.keys() - {"perf_counter_start"}:
        np.testing.assert_array_equal(found.stats[name], wanted.stats[name], err_msg=name)
    for name in ("draws_per_chain", "n_gradients", "n_warmup_gradients", "step_sizes", "settings", "random_seed"):
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
    for ours, theirs in zip(found.divergences, wanted.divergences, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"metric": "dense", "save_warmup": True},
        {"target_accept": 0.3, "max_treedepth": 3},
        {"tune": 0, "step_size": 0.3},
        {"integrator": "two_stage"},
        pytest.param({"trajectory": "walnuts"}, marks=pytest.mark.slow),
        pytest.param({"metric": "low_rank", "warmup": "fisher"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_the_draws_are_those_of_a_longer_run(parts):
    whole = drawn(90, **parts)
    first = drawn(35, **parts)
    for draws in (1, 54):
        states = pickle.loads(pickle.dumps(first.states))
        first = first.followed_by(drawn(draws, states=states, **{**parts, "random_seed": 99}))
    assert_same(first, whole)
    if "save_warmup" in parts:
        np.testing.assert_array_equal(first.warmup_positions, whole.warmup_positions)


def test_states_are_left_as_they_were():
    first = drawn(20)
    before = pickle.dumps(first.states)
    ones = drawn(10, states=first.states).positions
    assert pickle.dumps(first.states) == before
    np.testing.assert_array_equal(drawn(10, states=first.states).positions, ones)


def test_chains_may_go_on_apart():
    first = drawn(20)
    apart = joined([drawn(15, states=first.states, only=[chain]) for chain in range(3)])
    assert_same(first.followed_by(apart), drawn(35))


def test_an_interrupted_run_has_no_states_and_may_follow():
    first = drawn(20)

    def stop(progress):
        raise KeyboardInterrupt

    more = drawn(50_000, states=first.states, callback=stop)
    assert more.interrupted
    assert more.states == ()
    assert more.rectangular().states == ()
    whole = first.followed_by(more).rectangular()
    assert whole.interrupted
    assert not np.isnan(whole.positions).any()
    # Which chains are kept depends on how far each had come when the run was stopped.
    beginnings = {chain.tobytes() for chain in first.positions}
    kept = [chain[:20].tobytes() for chain in whole.positions]
    assert kept
    assert set(kept) <= beginnings


def test_what_cannot_go_on_is_refused(tmp_path):
    first = drawn(5)
    for states, error, words in [
        (first.states[:2], SettingError, "There are states of 2 chains, and chains=3"),
        ((), SettingError, "An interrupted run has none"),
        (first, SettingTypeError, "Draws.states"),
        ([1, 2, 3], SettingTypeError, "Draws.states"),
    ]:
        with pytest.raises(error, match=words):
            drawn(5, states=states)
    with pytest.raises(SettingError, match="The states have 3 coordinates, the initial position 2"):
        sample(normal, SCALES[:2], draws=5, states=first.states, **{**RUN, "initial": np.zeros(2)})
    with pytest.raises(SettingError, match="A checkpoint goes on by itself"):
        drawn(5, states=first.states, checkpoint=tmp_path / "run.ckpt")
    with pytest.raises(SettingError, match="These are 3 chains, and 1 went on"):
        first.followed_by(drawn(5, states=first.states, only=[0]))


def test_chains_that_wait_have_no_memory_for_trajectories(monkeypatch):
    alive, sizes = [], []

    class Recorded(worker.ChainWorker):
        def __init__(self, **options):
            super().__init__(**options)
            alive.append(self)

        def _call(self, *arguments):
            sizes.append(sum(each._workspace.spans.shape[2] for each in alive))
            return super()._call(*arguments)

    monkeypatch.setattr(sys.modules["nutslite.sampler.sample"], "ChainWorker", Recorded)
    found = drawn(20, cores=1)
    assert set(sizes) == {3}  # of three chains with three coordinates, one runs
    assert [each._workspace.spans.shape[2] for each in alive] == [0, 0, 0]
    assert [state.position.tolist() for state in found.states] == found.positions[:, -1].tolist()


@pytest.mark.parametrize(
    ("trajectory", "rows"), [("nuts", (4 * 4, 12 * 5)), ("static", (2 * 4, 0)), ("rotation", (2 * 4, 0))]
)
def test_trajectories_that_go_one_way_have_two_points(monkeypatch, trajectory, rows):
    sizes, call = set(), worker.ChainWorker._call

    def recorded(self, *arguments):
        points, _, spans, _ = self._workspace
        scratch = getattr(self._problem.run_block, "_scratch", np.empty(0))
        sizes.add((points[:, :, 0].size, spans[:, :, 0].size, scratch.size))
        return call(self, *arguments)

    monkeypatch.setattr(worker.ChainWorker, "_call", recorded)
    metric = centred_at(diagonal_metric(np.ones(3)), np.zeros(3)) if trajectory == "rotation" else "diag"
    drawn(5, trajectory=trajectory, metric=metric)
    assert sizes == {(*rows, 0)}


def test_no_memory_for_trajectories_is_said_in_words(monkeypatch):
    def refuse(dimension, *options):
        if dimension:
            raise MemoryError
        return new_workspace(dimension, *options)

    monkeypatch.setattr(workspaces, "new_workspace", refuse)
    with pytest.raises(SamplingError, match="no memory for trajectories of 3 coordinates in 2 chains at a time"):
        drawn(5)


def test_chains_one_after_the_other_share_memory_for_trajectories(monkeypatch):
    pieces, call = [], worker.ChainWorker._call

    def recorded(self, *arguments):
        if not pieces or pieces[-1] is not self._workspace:
            pieces.append(self._workspace)
            assert not any(array.any() for array in self._workspace[2:])  # as new
        return call(self, *arguments)

    monkeypatch.setattr(worker.ChainWorker, "_call", recorded)
    found = drawn(20, cores=1)
    assert len({id(piece.points) for piece in pieces}) == 1
    monkeypatch.undo()
    np.testing.assert_array_equal(found.positions, drawn(20, cores=3).positions)
