"""Recorded transitions: the chain's draws to the last bit, the leapfrog's own equations, the recursive NUTS's tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numba.core import event
from sampler_targets import RecursiveNuts, correlated_normal, light_funnel

from nutslite._calls import CallError
from nutslite._numba import jit_disabled
from nutslite.exceptions import SamplingError, SettingError, SettingTypeError
from nutslite.recording import Recorder, record_chain, record_fit, record_transition
from nutslite.recording.plain import plain
from nutslite.recording.transition_record import DEPTH, DIVERGENCE, SUB_TURN, U_TURN
from nutslite.sampler import arrowhead_metric, centred_at, dense_metric, diagonal_metric, inverse_mass_matrix, sample
from nutslite.sampler.transition.chain import run_block

ROOT = Path(__file__).resolve().parent.parent

COVARIANCE = np.array([[1.0, 0.8, 0.1], [0.8, 1.5, -0.2], [0.1, -0.2, 0.5]])
PRECISION = np.linalg.inv(COVARIANCE)
NORMAL = (np.zeros(3), PRECISION)
TUNE, DRAWS = 150, 60
FUNNEL = {"initial": np.zeros(3), "draws": DRAWS, "tune": TUNE, "random_seed": 8}

METRICS = {
    "identity": diagonal_metric([1.0, 1.0, 1.0]),
    "diagonal": diagonal_metric([0.5, 1.5, 2.0]),
    "dense": dense_metric(COVARIANCE + 0.2 * np.eye(3)),
    "arrowhead": arrowhead_metric([[1.5]], [[0.3], [-0.2]], [[[2.0]], [[1.0]]]),
}


@pytest.fixture(scope="module")
def funnel():
    return record_chain(light_funnel, 0.0, names=["scale", "a", "b"], **FUNNEL)


@pytest.fixture(scope="module")
def replays(funnel):
    return list(funnel)


def normal_chain(metric, **options):
    given = {"initial": np.array([0.5, -1.0, 0.3]), "jitter": 0.0, "draws": 25, "tune": 0, "step_size": 0.35}
    return record_chain(correlated_normal, NORMAL, **{**given, "random_seed": 3, "metric": metric, **options})


# ------------------------------------------------------------------------------------------------ the chain as it was


def test_the_chain_is_that_of_the_sampler_to_the_last_bit(funnel):
    drawn = sample(light_funnel, 0.0, chains=1, save_warmup=True, **FUNNEL)
    assert np.array_equal(funnel.draws, drawn.positions[0])
    assert np.array_equal(funnel.positions[:TUNE], drawn.warmup_positions[0])
    for name, values in drawn.stats.items():
        assert np.array_equal(funnel.stats[name][TUNE:], values[0]), name
        assert np.array_equal(funnel.stats[name][:TUNE], drawn.warmup_stats[name][0]), name
    assert np.array_equal(funnel.diverged_at[funnel.divergent >= TUNE], drawn.divergences[0])
    assert np.array_equal(funnel.variances[-1], drawn.metrics[0].variances)


def test_every_transition_ends_in_the_draw_to_the_last_bit(funnel, replays):
    assert len(replays) == len(funnel) == TUNE + DRAWS
    before = np.concatenate([[replays[0].position[0]], funnel.positions[:-1]])
    for record, start, draw in zip(replays, before, funnel.positions, strict=True):
        assert np.array_equal(record.position[0], start)
        assert np.array_equal(record.draw, draw)
        assert record.stats["n_steps"] == record.index.size - 1
        assert record.stats["lp"] == record.logp[record.row(record.selected)]
        assert record.stats["energy"] == record.energy[record.row(record.selected)]
        assert record.stats["diverging"] == (record.stopped == DIVERGENCE)
        assert record.stats["tree_depth"] == sum(doubling.counts for doubling in record.doublings)
        error = record.energy_error[1:]
        expected = np.mean(np.minimum(1.0, np.exp(-np.where(np.isnan(error), np.inf, error))))
        assert record.stats["acceptance_rate"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("center", [None, [0.3, -0.2, 0.1]], ids=["plain", "centred"])
@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_replayed_to_the_last_bit(name, center):
    metric = METRICS[name] if center is None else centred_at(METRICS[name], center)
    chain = normal_chain(metric)
    for record in chain:
        assert np.array_equal(record.draw, chain.positions[record.number])
        np.testing.assert_allclose(record.velocity, record.momentum @ inverse_mass_matrix(metric), rtol=1e-10)


def test_chains_of_a_run_are_recorded_whatever_the_cores():
    options = {"initial": np.zeros(3), "draws": 20, "tune": 30, "chains": 2, "random_seed": 4}
    recorder = Recorder()
    drawn = sample(correlated_normal, NORMAL, cores=2, recorder=recorder, **options)
    plainly = sample(correlated_normal, NORMAL, cores=1, **options)
    assert np.array_equal(drawn.positions, plainly.positions)
    assert len(recorder) == 2
    for chain in recorder:
        assert np.array_equal(chain.draws, plainly.positions[chain.chain])
        assert np.array_equal(chain[-1].draw, chain.positions[-1])
    with pytest.raises(IndexError, match="chain 2"):
        recorder[2]


def test_a_density_that_has_changed_since_is_noticed():
    precision = PRECISION.copy()
    chain = record_chain(
        correlated_normal, (np.zeros(3), precision), initial=np.zeros(3), draws=5, tune=0, step_size=0.3
    )
    assert chain[3].number == 3
    precision *= 1.5
    with pytest.raises(SamplingError, match="Transition 3, made again, does not end where it ended"):
        chain[3]


@pytest.mark.skipif(jit_disabled(), reason="nothing is compiled under NUMBA_DISABLE_JIT=1")
def test_recording_compiles_nothing_of_its_own():
    class Compilations(event.Listener):
        def __init__(self):
            self.names = []

        def on_start(self, happened):
            self.names.append(happened.data["dispatcher"].py_func.__name__)

        def on_end(self, happened):
            pass

    sample(light_funnel, 0.0, chains=1, **FUNNEL)
    with event.install_listener("numba:compile", Compilations()) as heard:
        chain = record_chain(light_funnel, 0.0, **FUNNEL)
        chain[20].logdensity(np.zeros(3))
    assert heard.names == []


def test_without_compilation_the_record_is_the_same():
    script = (
        "import json, numpy as np\n"
        "from sampler_targets import light_funnel\n"
        "from nutslite.recording import record_chain\n"
        "chain = record_chain(light_funnel, 0.0, initial=np.zeros(3), draws=6, tune=25, random_seed=8)\n"
        "print(json.dumps([chain.positions.tolist(), [r.index.tolist() for r in chain], chain[-1].energy.tolist()]))\n"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    positions, indices, energy = json.loads(ran.stdout)
    chain = record_chain(light_funnel, 0.0, initial=np.zeros(3), draws=6, tune=25, random_seed=8)
    np.testing.assert_allclose(chain.positions, positions, rtol=1e-9)
    assert [record.index.tolist() for record in chain] == indices
    np.testing.assert_allclose(chain[-1].energy, energy, rtol=1e-9)


# -------------------------------------------------------------------------------------------------- states of an orbit


def test_states_follow_the_leapfrog_equations(replays):
    for record in replays[::7]:
        order, step = record.orbit, record.step_size
        variances = record.metric.variances
        for before, after in pairwise(order):
            half = record.momentum[before] + 0.5 * step * record.gradient[before]
            np.testing.assert_allclose(record.position[after], record.position[before] + step * variances * half)
            np.testing.assert_allclose(record.momentum[after], half + 0.5 * step * record.gradient[after], rtol=1e-6)


def test_states_have_their_energies_and_gradients(replays):
    record = max(replays, key=lambda each: each.index.size)
    kinetic = 0.5 * np.sum(record.momentum**2 * record.metric.variances, axis=1)
    np.testing.assert_allclose(record.energy, kinetic - record.logp, rtol=1e-12)
    assert np.array_equal(np.sort(record.index), np.arange(record.index.min(), record.index.max() + 1))
    for row in range(0, record.index.size, 5):
        value, gradient = record.logdensity(record.position[row])
        assert value == record.logp[row]
        assert np.array_equal(gradient, record.gradient[row])
        for i in range(3):
            step = 1e-5 * np.eye(3)[i]
            above, below = (record.logdensity(record.position[row] + way * step)[0] for way in (1, -1))
            assert (above - below) / 2e-5 == pytest.approx(gradient[i], rel=1e-5, abs=1e-6)


# ------------------------------------------------------------------------------------------------------------ the tree


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("step_size", [0.1, 0.6])
def test_the_tree_is_that_of_the_recursive_algorithm(name, step_size):
    for record in normal_chain(METRICS[name], step_size=step_size, draws=12, max_treedepth=5):
        directions = sum((doubling.direction > 0) << doubling.number for doubling in record.doublings)
        reference = RecursiveNuts(PRECISION, inverse_mass_matrix(METRICS[name]), step_size, 5)
        reference.run(record.position[0], record.momentum[0], directions)
        np.testing.assert_allclose(record.position[1:], np.array(reference.visited), rtol=1e-7, atol=1e-9)
        assert record.stats["tree_depth"] == reference.depth
        assert (record.stopped == DEPTH) == (not reference.finished)
        likely = dict(zip(record.index.tolist(), record.probability, strict=True))
        assert {index for index, p in likely.items() if p > 0} == {
            i for i, p in reference.probabilities.items() if p > 0
        }
        for index, probability in reference.probabilities.items():
            assert likely[index] == pytest.approx(probability, rel=1e-6, abs=1e-12)
        assert np.sum(record.probability) == pytest.approx(1.0)


def test_every_node_of_the_tree_was_asked_and_answered_by_its_states(replays):
    """Each sub-trajectory judged again from the states alone: six products of a velocity and a sum of momenta."""
    for record in replays[::3]:
        for check in record.checks:
            way = record.doublings[check.doubling].direction
            rows = [record.row(index) for index in range(check.first, check.last + 1)][::way]
            half = 1 << (check.size.bit_length() - 2)
            products = []
            for some in (rows, rows[: half + 1], rows[half - 1 :]):
                rho = record.momentum[some].sum(axis=0)
                products += [record.velocity[some[0]] @ rho, record.velocity[some[-1]] @ rho]
            np.testing.assert_allclose(check.products, products, rtol=1e-6, atol=1e-8 * np.abs(products).max())
            assert check.turned == bool(check.reasons)
            weights = record.energy[0] - record.energy[rows]
            assert check.log_weight == pytest.approx(np.logaddexp.reduce(weights))
        for doubling in record.doublings:
            if doubling.counts:  # 2**k states have 2**k - 1 joins, and one with what was there
                within = [check for check in record.checks if check.doubling == doubling.number]
                assert len(within) == doubling.size
                assert [check.whole for check in within] == [False] * (doubling.size - 1) + [True]
                weights = record.energy[0] - record.energy[record.doubling == doubling.number]
                assert doubling.log_weight == pytest.approx(np.logaddexp.reduce(weights))


def test_choices_lead_to_the_draw(replays):
    for record in replays:
        chosen = 0
        for doubling in record.doublings:
            if doubling.taken:
                assert doubling.counts
                assert doubling.probability > 0.0
                chosen = doubling.candidate
        assert chosen == record.selected
        assert record.kept[record.row(chosen)]


def test_only_the_last_question_can_end_a_trajectory(replays):
    for record in replays:
        assert not any(check.turned for check in record.checks[:-1])
        assert not any(doubling.outcome != "complete" for doubling in record.doublings[:-1])
        dropped = record.doubling == record.doublings[-1].number
        assert record.kept[~dropped].all()
        assert record.kept[dropped].all() == record.doublings[-1].counts


# ---------------------------------------------------------------------------------------------------- why and where


def test_reasons_to_stop_are_told_apart(replays):
    found = {record.stopped: record for record in replays}
    assert {U_TURN, SUB_TURN} <= set(found)
    whole, within = found[U_TURN], found[SUB_TURN]
    assert whole.turn.whole
    assert (whole.turn.first, whole.turn.last) == (whole.index.min(), whole.index.max())
    assert "U-turn of the whole trajectory" in whole.explain()
    assert not within.turn.whole
    assert within.turn.doubling == within.doublings[-1].number
    assert f"U-turn of states {within.turn.first} to {within.turn.last}" in within.explain()
    assert "dropped" in within.explain()


def test_depth_stops():
    record = record_transition(
        correlated_normal, NORMAL, position=np.ones(3), step_size=0.01, max_treedepth=3, random_seed=1
    )
    assert record.stopped == DEPTH
    assert record.index.size == 8
    assert record.stats["reached_max_treedepth"]
    assert "max_treedepth = 3" in record.explain()


def test_divergence_stops_where_the_energy_breaks():
    record = record_transition(correlated_normal, NORMAL, position=np.ones(3), step_size=8.0, random_seed=2)
    assert record.stopped == DIVERGENCE
    assert record.turn is None
    assert record.energy_error[-1] > 1000.0
    assert (record.energy_error[:-1] <= 1000.0).all()
    assert not record.kept[-1]
    assert f"the step to state {record.index[-1]}" in record.explain()


def test_warmup_has_its_windows_and_their_metrics(funnel):
    assert funnel.windows == [(75, 100)]
    metrics = funnel.metrics
    assert len({id(metric) for metric in metrics[:100]}) == 1
    assert metrics[100] is not metrics[99]
    window = funnel.positions[75:100]
    expected = 25 / 30 * window.var(axis=0, ddof=1) + 1e-3 * 5 / 30
    np.testing.assert_allclose(funnel.variances[100], expected)
    assert (funnel.variances[:100] == 1.0).all()
    assert funnel.tune == TUNE


def test_energy_fraction_is_that_of_the_definition(funnel):
    energy = funnel.stats["energy"][TUNE:]
    assert funnel.e_bfmi == pytest.approx(np.mean(np.diff(energy) ** 2) / np.var(energy, ddof=1))


# ---------------------------------------------------------------------------------------------------------- as tables


def test_records_become_tables_and_arrays(funnel, tmp_path):
    record = funnel[TUNE + 5]
    states = record.frame()
    assert states["index"].is_monotonic_increasing
    assert states["selected"].sum() == 1
    np.testing.assert_array_equal(states[["scale", "a", "b"]].to_numpy(), record.position[record.orbit])
    np.testing.assert_array_equal(states["p[a]"], record.momentum[record.orbit, 1])
    assert len(record.tree()) == len(record.doublings)
    assert len(record.turns()) == len(record.checks)
    assert record.turns()["turned"].sum() == (record.turn is not None)
    np.savez(tmp_path / "transition.npz", **record.arrays())
    np.savez(tmp_path / "chain.npz", **funnel.arrays())
    with np.load(tmp_path / "transition.npz") as kept:
        np.testing.assert_array_equal(kept["energy"], record.energy)
    table = funnel.frame()
    assert table["phase"].value_counts().to_dict() == {"warmup": TUNE, "sampling": DRAWS}
    np.testing.assert_array_equal(table["b"], funnel.positions[:, 2])
    several = funnel.states([3, 4])
    assert several["transition"].unique().tolist() == [3, 4]
    assert [each.number for each in funnel[3:5]] == [3, 4]


# ------------------------------------------------------------------------------------------------------------ of models


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["marginal", "joint"])
def test_the_chains_of_a_fit_are_recorded(plan):
    import nutslite as nl

    model = nl.Model("Reaction ~ Days + (Days|Subject)", nl.load_data("sleepstudy"))
    options = {"draws": 25, "tune": 40, "chains": 2, "random_seed": 1, "plan": plan}
    chains = record_fit(model, **options)
    fitted = model.fit(
        **options, inference_method="nuts", cores=1, progressbar=False, compute_convergence_checks=False
    ).sample_stats
    for chain in chains:
        for name in ("lp", "energy", "step_size", "n_steps"):
            assert np.array_equal(chain.stats[name][40:], fitted[name].to_numpy()[chain.chain]), name
        assert np.array_equal(chain[50].draw, chain.positions[50])
        assert "sigma_log__" in chain.names


# ---------------------------------------------------------------------------------------------------------- bad calls


def test_a_function_that_is_not_there_cannot_be_watched():
    with pytest.raises(LookupError, match="know no sidestep"):
        plain(run_block, {"sidestep": lambda function: function})


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"chains": 2}, SettingError, "record_chain has no chains"),
        ({"checkpoint": "x"}, SettingError, "record_chain has no checkpoint"),
        ({"draws": 0, "tune": 0}, SettingError, "nothing to record"),
        ({"integrator": "fourth_order"}, SettingError, "the usual NUTS"),
        ({"names": ["a"]}, SettingError, "3 different ones"),
        ({"names": ["a", "b", "b"]}, SettingError, "3 different ones"),
        ({"names": "abc"}, SettingTypeError, "names are a list"),
        ({"stepsize": 1.0}, CallError, "record_chain has no argument 'stepsize'. Did you mean 'step_size'"),
    ],
)
def test_bad_calls_are_refused_before_anything_runs(options, error, words):
    with pytest.raises(error, match=words):
        record_chain(correlated_normal, NORMAL, initial=np.zeros(3), **options)


def test_transitions_that_are_not_there(funnel):
    with pytest.raises(IndexError, match="no transition 210"):
        funnel[TUNE + DRAWS]
    with pytest.raises(SettingTypeError, match="named by its number"):
        funnel["first"]
    with pytest.raises(SettingError, match="give the numbers"):
        funnel.states([])
    with pytest.raises(IndexError, match="but no 999"):
        funnel[0].row(999)


def test_a_recorder_and_a_checkpoint_exclude_each_other(tmp_path):
    with pytest.raises(SettingError, match="give one of the two"):
        sample(correlated_normal, NORMAL, initial=np.zeros(3), recorder=Recorder(), checkpoint=tmp_path / "run")


def test_a_fit_is_a_model_s():
    with pytest.raises(SettingTypeError, match="record_chain"):
        record_fit(correlated_normal)
