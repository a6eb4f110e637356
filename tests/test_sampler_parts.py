"""Replaceable parts: each draws known densities right; the usual ones, by address, draw the same to the last bit."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import doc_pages
import numpy as np
import pytest
from part_systems import COVARIANCE, MEAN, NORMAL_DATA, TARGETS, TWIN, correlated_normal
from sampler_targets import light_funnel
from test_checkpoint import assert_same, stop_at

import nutslite.sampler as sampler
from nutslite.exceptions import SamplingError, SettingError
from nutslite.results.diagnostics.diagnostics import ess_mean
from nutslite.sampler import (
    Integrator,
    MetricRule,
    Stage,
    StepSizeRule,
    Trajectory,
    Warmup,
    arrowhead_metric,
    centred_at,
    dense_metric,
    diagonal_metric,
    inverse_mass_matrix,
    low_rank_metric,
    normal_draws,
    sample,
    static,
    walnuts,
)
from nutslite.sampler.catalogue.low_rank import LOW_RANK, estimated_low_rank
from nutslite.sampler.catalogue.overlapping_windows import metric_of_gradient, overlapping_stages
from nutslite.sampler.choices import INTEGRATORS, METRIC_RULES, STEP_SIZE_RULES, TRAJECTORIES, WARMUPS
from nutslite.sampler.transition.step_size import LOG_AVERAGE, STEP_SIZE, new_adaptation

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = {"initial": np.zeros(3), "chains": 2, "cores": 1, "random_seed": 6}

CENTRED = [  # none of them is that of a target
    centred_at(diagonal_metric([0.6, 1.5, 1.0]), [0.3, -0.4, 1.0]),
    centred_at(dense_metric(1.3 * COVARIANCE), MEAN + 0.3),
    centred_at(arrowhead_metric(np.eye(1), np.full((2, 1), 0.3), np.ones((2, 1, 1))), MEAN),
]

REPLACED = [
    {"integrator": TWIN},
    *({"integrator": name} for name in INTEGRATORS if name != "leapfrog"),
    *({"trajectory": name} for name in TRAJECTORIES if name not in ("nuts", "rotation")),
    *({"trajectory": "rotation", "metric": metric} for metric in CENTRED),
    {"trajectory": static(7, varies=False), "integrator": "two_stage"},
    {"trajectory": walnuts(0.2), "integrator": "three_stage"},
    *({"step_size_rule": name} for name in STEP_SIZE_RULES if name != "dual_averaging"),
    {"metric": "low_rank"},
    {"metric": "low_rank", "warmup": "fisher", "trajectory": "walnuts"},
]


def name_of(options):
    return " ".join(str(getattr(part, "name", getattr(part, "kind", part))) for part in options.values())


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("options", REPLACED, ids=name_of)
def test_known_densities_are_drawn_right(options, target):
    assert_drawn_right(options, target)


def assert_drawn_right(options, target):
    """Means and second moments of independent standard normals, within Monte Carlo errors."""
    density, independent = TARGETS[target]
    result = sample(density, NORMAL_DATA, draws=800, tune=300, target_accept=0.9, **SETTINGS, **options)
    z = independent(result.positions)
    moments = [z[..., i] for i in range(3)] + [z[..., i] * z[..., j] for i in range(3) for j in range(i + 1)]
    expected = [0.0] * 3 + [float(i == j) for i in range(3) for j in range(i + 1)]
    for values, value in zip(moments, expected, strict=True):
        error = values.std() / math.sqrt(ess_mean(values))
        assert abs(values.mean() - value) < 4.5 * error
        assert error < 0.3
    np.testing.assert_array_equal(result.n_gradients, result.stats["n_steps"].sum(axis=1))
    assert 0.6 < result.stats["acceptance_rate"].mean() <= 1.0


def test_the_part_that_the_page_adds_is_one_like_others(monkeypatch):
    """The file and the tests of docs/sampler/changing_the_sampler.md, then a line in the catalogue."""
    names, lines = {"np": np, "funnel": light_funnel}, 0
    for cell in doc_pages.cells("sampler/changing_the_sampler"):
        if "YOSHIDA = Integrator" in cell.code or "def test_" in cell.code:
            exec(compile(cell.code, f"changing_the_sampler.md, line {cell.line}", "exec"), names)
            lines += cell.code.count("\n")
    assert 30 < lines < 60
    monkeypatch.setitem(INTEGRATORS, "yoshida", names["YOSHIDA"])
    assert_drawn_right({"integrator": "yoshida"}, "banana")
    with pytest.raises(SettingError, match=r"'yoshida', or of class Integrator.*Did you mean 'yoshida'"):
        sample(correlated_normal, NORMAL_DATA, integrator="yoshidda", **SETTINGS)


IDENTITY = """
import numpy as np, sys
sys.path.insert(0, "tests")
from part_systems import NORMAL_DATA, TARGETS, TWIN
from nutslite.sampler import sample
for density, _ in TARGETS.values():
    options = dict(initial=np.zeros(3), draws={draws}, tune={tune}, chains=1, random_seed=3, metric="dense")
    usual, replaced = (sample(density, NORMAL_DATA, **options, **more) for more in ({{}}, {{"integrator": TWIN}}))
    assert np.array_equal(usual.positions, replaced.positions)
    assert all(np.array_equal(usual.stats[name], replaced.stats[name]) for name in usual.stats)
    assert usual.stats["n_steps"].max() > 1
print("the same")
"""


@pytest.mark.parametrize(
    ("without_jit", "draws", "tune"),
    [
        pytest.param("1", 15, 25, id="plain Python"),
        pytest.param("0", 400, 300, id="compiled", marks=pytest.mark.slow),
    ],
)
def test_the_usual_parts_by_address_draw_the_same_to_the_last_bit(without_jit, draws, tune):
    """The slow twin of the sampler that is compiled as one piece."""
    done = subprocess.run(
        [sys.executable, "-c", IDENTITY.format(draws=draws, tune=tune)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": without_jit},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stdout == "the same\n", done.stderr


@pytest.mark.parametrize("rule", STEP_SIZE_RULES.values(), ids=lambda rule: rule.name)
@pytest.mark.parametrize("first", [0.01, 30.0])
def test_step_size_rules_find_the_target(rule, first):
    """Acceptance exp(-step), with noise: the step of acceptance 0.8 is -log 0.8."""
    restart, update = (getattr(each, "py_func", each) for each in (rule.restart, rule.update))
    state, rng = new_adaptation(first), np.random.default_rng(1)
    restart(state)
    for _ in range(3000):
        update(state, min(1.0, math.exp(-state[STEP_SIZE]) * rng.uniform(0.9, 1.1)), 0.8)
    assert math.exp(state[LOG_AVERAGE]) == pytest.approx(-math.log(0.8), rel=0.15)
    restart(state)
    assert state[LOG_AVERAGE] == pytest.approx(math.log(state[STEP_SIZE]))


class TestLowRank:
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 2)))[0]
    scales, variances = np.array([0.5, 1.0, 2.0, 1.0, 3.0, 0.1]), np.array([50.0, 0.02])
    metric = low_rank_metric(scales, basis, variances)
    full = np.diag(scales) @ (np.eye(6) + basis @ np.diag(variances - 1.0) @ basis.T) @ np.diag(scales)

    def test_is_what_it_says(self):
        np.testing.assert_allclose(inverse_mass_matrix(self.metric), self.full, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(self.metric.variances, np.diag(self.full), rtol=1e-12)
        draws = normal_draws(self.metric, np.random.default_rng(1), 200_000)
        np.testing.assert_allclose(np.cov(draws.T), self.full, atol=0.02 * np.abs(self.full).max())

    def test_velocity_and_momentum_belong_to_it(self):
        from nutslite.sampler.catalogue.low_rank import draw_low_rank_momentum, set_low_rank_velocity

        velocity_of, momentum_of = (getattr(f, "py_func", f) for f in (set_low_rank_velocity, draw_low_rank_momentum))
        velocity, columns = np.zeros(6), []
        for unit in np.eye(6):
            velocity_of(self.metric, unit, velocity)
            columns.append(velocity.copy())
        np.testing.assert_allclose(np.array(columns).T, self.full, rtol=1e-12, atol=1e-14)

        class Units:  # in place of random numbers: the momentum is linear in them
            def __init__(self, unit):
                self.numbers = iter(unit)

            def standard_normal(self):
                return next(self.numbers)

        factor = []
        for unit in np.eye(6):
            momentum = np.zeros(6)
            momentum_of(self.metric, Units(unit), momentum)
            factor.append(momentum)
        factor = np.array(factor).T
        np.testing.assert_allclose(factor @ factor.T, np.linalg.inv(self.full), rtol=1e-9, atol=1e-9)

    def test_a_normal_is_found_from_few_draws_and_gradients(self):
        """60 draws in 40 dimensions, where a covariance of draws is of no use."""
        rng = np.random.default_rng(2)
        basis = np.linalg.qr(rng.normal(size=(40, 3)))[0]
        truth = low_rank_metric(np.exp(rng.normal(size=40)), basis, [400.0, 100.0, 0.01])
        covariance = inverse_mass_matrix(truth)
        draws = rng.multivariate_normal(np.zeros(40), covariance, size=60)
        found = inverse_mass_matrix(estimated_low_rank(draws, -np.linalg.solve(covariance, draws.T).T))

        def condition(metric):
            values = np.linalg.eigvals(np.linalg.solve(metric, covariance)).real
            return values.max() / values.min()

        assert condition(found) < 0.2 * condition(np.diag(np.diag(covariance)))
        assert condition(found) < 0.05 * condition(np.cov(draws.T) * 60 / 65 + 1e-3 * 5 / 65 * np.eye(40))

    def test_what_never_moved_is_a_diagonal(self):
        still = estimated_low_rank(np.ones((5, 3)), np.zeros((5, 3)))
        assert still.kind == LOW_RANK
        np.testing.assert_array_equal(inverse_mass_matrix(still), np.eye(3))

    def test_is_given_or_adapts(self):
        given = low_rank_metric(np.ones(3), np.zeros((3, 0)), [])
        kept = sample(correlated_normal, NORMAL_DATA, metric=given, draws=5, tune=60, **SETTINGS)
        assert all(np.array_equal(a, b) for a, b in zip(kept.metrics[0], given, strict=True))
        adapted = sample(correlated_normal, NORMAL_DATA, metric=given, adapt_metric=True, draws=5, tune=400, **SETTINGS)
        np.testing.assert_allclose(inverse_mass_matrix(adapted.metrics[0]), COVARIANCE, atol=0.7)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (([1.0, 1.0], [[1.0], [1.0]], [2.0]), "orthonormal columns; np.linalg.qr"),
            (([1.0, 1.0], [[1.0]], [2.0]), r"got \(2,\), \(1, 1\) and \(1,\)"),
            (([1.0, 0.0], [[1.0], [0.0]], [2.0]), "Scales of a low-rank metric must be finite and positive; number 1"),
            (([1.0, 1.0], [[1.0], [0.0]], [-2.0]), "Variances of a low-rank metric"),
        ],
    )
    def test_what_is_none_is_refused(self, arguments, words):
        with pytest.raises(SettingError, match=words):
            low_rank_metric(*arguments)


@pytest.mark.parametrize("tune", [0, 1, 19, 20, 47, 100, 999, 10_000_000])
def test_overlapping_windows_fill_the_warm_up(tune):
    stages = overlapping_stages(tune)
    assert sum(stage.length for stage in stages) == tune
    done = 0
    for stage in stages:
        assert stage.looks_back <= done
        done += stage.length
    assert len(stages) < 1200
    assert overlapping_stages(tune, adapt_metric=False) == ((Stage(tune, False),) if tune else ())
    if tune == 999:
        assert [stage.searches for stage in stages if stage.learns_metric].count(True) == 1
        assert stages[5].length + stages[5].looks_back == 20
        assert not stages[-1].learns_metric


def test_the_first_metric_is_of_the_gradient():
    metric = metric_of_gradient(np.zeros(4), np.array([2.0, -0.5, 0.0, 1e300]))
    np.testing.assert_allclose(metric.variances, [0.5, 2.0, 1.0, 1e-10])
    seen = []

    def noted(position, gradient):
        seen.append((position, gradient))
        return diagonal_metric([1.0, 2.0, 3.0])

    only_guess = Warmup("guess", lambda tune, adapt_metric: (Stage(tune, False),), noted)
    options = {**SETTINGS, "initial": MEAN, "jitter": 0.0, "draws": 3, "integrator": TWIN}
    result = sample(correlated_normal, NORMAL_DATA, tune=5, warmup=only_guess, **options)
    np.testing.assert_array_equal(result.metrics[0].variances, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(seen[0], [MEAN, np.zeros(3)])
    given = sample(
        correlated_normal, NORMAL_DATA, tune=5, warmup=only_guess, metric=diagonal_metric(MEAN**2), **options
    )
    np.testing.assert_array_equal(given.metrics[0].variances, MEAN**2)
    assert len(seen) == 2  # once a chain, and not where a metric was given


def test_estimates_look_back_as_far_as_the_stage_says():
    sizes = []

    def estimate(positions, gradients):
        sizes.append((len(positions), len(gradients)))
        return diagonal_metric(np.ones(3))

    def stages(tune, adapt_metric):
        return Stage(6, True), Stage(4, True, 3), Stage(5, True, 10), Stage(2, False), Stage(4, True)

    rule = MetricRule("counted", estimate, uses_gradients=True)
    options = {**SETTINGS, "chains": 1, "integrator": TWIN}
    sample(correlated_normal, NORMAL_DATA, draws=1, tune=21, metric=rule, warmup=Warmup("mine", stages), **options)
    assert sizes == [(6, 6), (7, 7), (12, 12), (4, 4)]


@pytest.mark.parametrize("transition", [3, 45, 130, 220])
def test_an_interrupted_run_of_replaced_parts_goes_on(tmp_path, monkeypatch, transition):
    monkeypatch.setattr("nutslite.sampler.worker.BLOCK_SECONDS", 0.0002)
    options = {"draws": 60, "tune": 200, "warmup": "fisher", "metric": "low_rank", "trajectory": "walnuts", **SETTINGS}
    wanted = sample(correlated_normal, NORMAL_DATA, **options)
    sample(correlated_normal, NORMAL_DATA, checkpoint=tmp_path / "run", callback=stop_at(transition), **options)
    assert_same(sample(correlated_normal, NORMAL_DATA, checkpoint=tmp_path / "run", **options), wanted)
    with pytest.raises(SamplingError, match="different are: trajectory"):
        sample(correlated_normal, NORMAL_DATA, checkpoint=tmp_path / "run", **{**options, "trajectory": "nuts"})
    options["trajectory"] = walnuts(0.1)
    with pytest.raises(SamplingError, match="different are: trajectory"):  # the same name is not enough
        sample(correlated_normal, NORMAL_DATA, checkpoint=tmp_path / "run", **options)


def allocates(system, point, step_size):
    return np.zeros(3)[0]


def returns_nothing(system, point, step_size):
    point[0, 0] += step_size


def nothing(*arguments):
    raise AssertionError("it is not called")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"integrator": "leapfog"}, "integrator must be one of 'leapfrog', .* Did you mean 'leapfrog'"),
        ({"integrator": 4}, "integrator must be one of .* or of class Integrator, not 4"),
        ({"trajectory": "nut"}, "Did you mean 'nuts'"),
        ({"trajectory": TWIN}, "or of class Trajectory, not Integrator"),
        ({"step_size_rule": None}, "step_size_rule must be one of 'dual_averaging'"),
        ({"warmup": "stam"}, "Did you mean 'stan'"),
        ({"metric": "lowrank"}, "Did you mean 'low_rank'"),
        ({"metric": ["diag"]}, "metric must be 'diag', .* not list"),
        (
            {"warmup": Warmup("short", lambda tune, adapt_metric: (Stage(3, False),))},
            "of 100 transitions have 3 in all",
        ),
        ({"warmup": Warmup("odd", lambda tune, adapt_metric: (tune,))}, "must be of class Stage"),
        ({"metric": MetricRule("odd", lambda positions, gradients: 3)}, "estimate must return a Metric, not 3"),
        ({"metric": diagonal_metric(np.ones(3))._replace(kind=9)}, "no kind of metric number 9; there are 0 .diagonal"),
    ],
)
def test_impossible_parts_are_refused(changes, words):
    with pytest.raises(SamplingError, match=words):
        sample(correlated_normal, NORMAL_DATA, draws=5, tune=100, **SETTINGS, **{"integrator": TWIN, **changes})


@pytest.mark.skipif(bool(os.environ.get("NUMBA_DISABLE_JIT", "0") != "0"), reason="nothing is compiled")
@pytest.mark.parametrize("step", [allocates, returns_nothing])
def test_a_part_that_does_not_compile_is_named(step):
    with pytest.raises(SamplingError, match=r"The integrator 'mine' does not compile .* calls \w+\(System, array"):
        sample(correlated_normal, NORMAL_DATA, draws=5, integrator=Integrator("mine", step), **SETTINGS)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Integrator("", nothing), "Integrator needs a name, a text, not ''"),
        (lambda: Integrator("mine", 3), "Integrator 'mine': step must be a function, not 3"),
        (lambda: Integrator("mine", nothing, 0), "gradients must be an integer of at least 1, not 0"),
        (lambda: Integrator("mine", nothing, 1, (math.inf,)), "coefficients must be finite"),
        (lambda: Integrator("mine", nothing, 1, [1.0]), "coefficients must be a tuple of numbers"),
        (lambda: Trajectory("mine", nothing, n_scratch=-1), "n_scratch must be an integer of at least 0"),
        (lambda: Trajectory("mine", None), "transition must be a function"),
        (lambda: StepSizeRule("mine", nothing, None), "update must be a function"),
        (lambda: Warmup("mine", ()), "stages must be a function"),
        (lambda: Warmup("mine", nothing, 3), "first_metric must be a function"),
        (lambda: MetricRule("mine", None), "estimate must be a function"),
        (lambda: MetricRule("mine", nothing, kind=3), "kind must be a MetricKind or None, not 3"),
        (lambda: static(0), "steps must be a positive integer, not 0"),
        (lambda: static("many"), "steps must be a positive integer, not 'many'"),
    ],
)
def test_impossible_records_are_refused(make, words):
    with pytest.raises(SettingError, match=words):
        make()


def test_every_part_says_what_it_is_and_where_it_comes_from():
    for catalogue in (INTEGRATORS, TRAJECTORIES, STEP_SIZE_RULES, WARMUPS, METRIC_RULES):
        for name, part in catalogue.items():
            assert part.name == name
            assert part.source
            assert name in (sample.__doc__ or "")
    assert {"Integrator", "Trajectory", "StepSizeRule", "Warmup", "MetricRule"} <= set(sampler.__all__)
