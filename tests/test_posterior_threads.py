"""Threads within a chain: the same draws to the last bit, whoever computed which rows."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest
from small_models import assembled_of

from nutslite._numba import jit_disabled
from nutslite.model import Model
from nutslite.posterior.density.helper_threads import compiled_help, helped_chains
from nutslite.posterior.density.many_positions import values_and_gradients
from nutslite.posterior.density.plain import compiled_plain_many
from nutslite.posterior.record.model_data import reference_to
from nutslite.posterior.record.shared_work import DONE, NEXT, NOTHING_TO_DO, STOP, new_shared_work, parts_of
from nutslite.posterior.targets.target import JointTarget

ROWS = 13_000

needs_jit = pytest.mark.skipif(jit_disabled(), reason="without the JIT nothing runs beside anything")


def model(formula: str, family: str = "bernoulli", rows: int = ROWS) -> Model:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"x": rng.normal(size=rows), "z": rng.normal(size=rows)})
    frame["g"] = [f"g{i}" for i in rng.integers(0, 40, rows)]
    frame["b"] = (rng.random(rows) < 1.0 / (1.0 + np.exp(-0.5 * frame.x))).astype(int)
    frame["k"] = rng.poisson(np.exp(0.3 * frame.x))
    return Model(formula, frame, family=family)


@pytest.mark.parametrize(
    ("rows", "effects", "parts"), [(100, 0, 1), (8191, 0, 1), (8192, 0, 2), (10**7, 0, 16), (10**5, 10**4, 2)]
)
def test_parts_depend_on_the_model_alone(rows, effects, parts):
    assert parts_of(rows, effects) == parts


def test_parts_add_up_to_the_density_in_one_piece():
    target = JointTarget(assembled_of(model("b ~ x + z")))
    assert parts_of(target.rows, 0) > 1
    positions = np.random.default_rng(1).normal(0.0, 0.5, (5, target.dimension))
    values, gradients = np.empty(5), np.empty(positions.shape)
    compiled_plain_many()(positions, target.data, values, gradients)
    in_parts = values_and_gradients(target.logdensity, target.data, target.data_type, positions)
    np.testing.assert_allclose(in_parts[0], values, rtol=1e-12)
    np.testing.assert_allclose(in_parts[1], gradients, rtol=1e-9, atol=1e-9 * np.abs(gradients).max())


@needs_jit
def test_a_helper_computes_what_the_chain_would():
    target = JointTarget(assembled_of(model("k ~ x + (z|g)", "poisson")))
    record = target.model
    n_values = record.head.transforms.size + record.head.fixed.size
    shared = new_shared_work(target.rows, n_values, record.centring.size)
    shared.values[:] = 0.3
    shared.effects[:] = 0.1
    shared.signals[NEXT] = 0
    reference = reference_to(record._replace(shared=shared))
    assert not compiled_help()(reference, target.loglik, 10)  # nobody told it to stop
    assert shared.signals[DONE] == shared.totals.size
    assert np.isfinite(shared.totals).all()
    totals = shared.totals.copy()
    shared.signals[NEXT] = NOTHING_TO_DO
    shared.signals[STOP] = 1
    assert compiled_help()(reference, target.loglik, 10)
    np.testing.assert_array_equal(shared.totals, totals)


@needs_jit
def test_gradients_do_not_depend_on_helpers():
    target = JointTarget(assembled_of(model("k ~ x + (z|g)", "poisson")))
    positions = np.random.default_rng(2).normal(0.0, 0.3, (300, target.dimension))
    alone = values_and_gradients(target.logdensity, target.data, target.data_type, positions)
    with helped_chains(target.model, target.loglik, 1, 3) as models:
        data = (reference_to(models[0]), *target.data[1:])
        for _ in range(3):
            helped = values_and_gradients(target.logdensity, data, target.data_type, positions)
            np.testing.assert_array_equal(helped[0], alone[0])
            np.testing.assert_array_equal(helped[1], alone[1])
        assert sum("helper" in thread.name for thread in threading.enumerate()) >= 1
    assert not any("helper" in thread.name for thread in threading.enumerate())


@needs_jit
def test_draws_do_not_depend_on_helpers():
    fitted = model("k ~ x + (1|g)", "poisson")
    settings = {"chains": 1, "draws": 20, "tune": 20, "random_seed": 4, "progressbar": False}
    alone, helped = (fitted.fit(cores=cores, **settings) for cores in (1, 2))
    np.testing.assert_array_equal(alone.posterior["x"].values, helped.posterior["x"].values)
    np.testing.assert_array_equal(alone.sample_stats["lp"].values, helped.sample_stats["lp"].values)


@needs_jit
def test_no_helpers_where_there_is_nothing_to_share():
    target = JointTarget(assembled_of(model("b ~ x + z", rows=500)))
    with helped_chains(target.model, target.loglik, 1, 8) as models:
        assert models is None
    target = JointTarget(assembled_of(model("b ~ x + z")))
    with helped_chains(target.model, target.loglik, 4, 4) as models:
        assert models is None


@needs_jit
def test_helpers_end_when_the_chain_fails():
    target = JointTarget(assembled_of(model("b ~ x + z")))
    with pytest.raises(KeyboardInterrupt), helped_chains(target.model, target.loglik, 1, 2):
        raise KeyboardInterrupt
    assert not any("helper" in thread.name for thread in threading.enumerate())
