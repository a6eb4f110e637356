"""What a model of many rows copies: columns as they are sampled, and little else."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.families.rows.gamma_functions import log_factorial
from nutslite.model.record.specification import specification_of
from nutslite.posterior.assembly import equal_rows
from nutslite.posterior.assembly.equal_rows import merge_equal_rows
from nutslite.posterior.record.layout import Layout, Variable
from nutslite.posterior.targets.plan import make_plan

ROWS, COLUMNS = 150_000, 8  # more numbers than are looked at for exact fits
FORMULA = "y ~ " + " + ".join(f"x{place}" for place in range(COLUMNS))


def data(family: str, rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({f"x{place}": rng.normal(size=rows) for place in range(COLUMNS)})
    y = {"gaussian": rng.normal(size=rows), "bernoulli": rng.integers(0, 2, rows), "poisson": rng.poisson(2.0, rows)}
    return frame.assign(y=y[family])


def peak_of(work):
    """What was returned, and the largest memory meanwhile, in sizes of the columns."""
    tracemalloc.start()
    try:
        found = work()
        return found, tracemalloc.get_traced_memory()[1] / (8 * ROWS * COLUMNS)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("family", ["gaussian", "bernoulli", "poisson"])
def test_a_plan_copies_columns_once(family):
    frame = data(family)
    nl.Model(FORMULA, data(family, 40_000), family=family).plan()  # imports, and compiles
    model, peak = peak_of(lambda: nl.Model(FORMULA, frame, family=family))
    assert peak < 0.7  # a few numbers of each row
    _, peak = peak_of(model.plan)
    assert peak < 1.7  # the columns, centred


def test_the_response_is_not_copied():
    model = nl.Model(FORMULA, data("gaussian"))
    specification = specification_of(model)
    assert np.shares_memory(specification.posterior.assembled.data.y[0], specification.spec.design.response.values)


@pytest.mark.parametrize("family", ["bernoulli", "poisson"])
def test_small_whole_responses_are_kept_in_a_byte(family):
    frame = data(family)
    response = specification_of(nl.Model(FORMULA, frame, family=family)).spec.design.response
    assert response.as_held.dtype == np.uint8
    np.testing.assert_array_equal(response.values[0], frame["y"])
    assert response.values.dtype == np.float64


class TestLentColumns:
    """A design reads columns of the data that are float64 and follow one another where they are."""

    def test_columns_side_by_side_are_not_copied(self):
        frame = data("gaussian")
        design = specification_of(nl.Model(FORMULA, frame)).spec.design
        columns = frame[[f"x{place}" for place in range(COLUMNS)]].to_numpy().T
        np.testing.assert_array_equal(design.predictors["mu"].matrix, columns)
        assert np.shares_memory(design.predictors["mu"].matrix, frame["x3"].to_numpy())
        assert np.shares_memory(design.response.values, frame["y"].to_numpy())
        assert not design.predictors["mu"].matrix.flags.writeable
        assert not design.response.values.flags.writeable

    @pytest.mark.parametrize("formula", ["y ~ x1 + x0", "y ~ x0 + x2", "y ~ x0 + k", "y ~ x0:x1", "y ~ x0 + half(x1)"])
    def test_others_are_copied(self, formula):
        frame = data("gaussian", 300).assign(k=np.arange(300))
        own = {"half": lambda x: x / 2}
        matrix = specification_of(nl.Model(formula, frame, extra_namespace=own)).spec.design.predictors["mu"].matrix
        assert matrix.flags.writeable
        assert not any(np.shares_memory(matrix, frame[name].to_numpy()) for name in frame)

    def test_arrays_of_the_user_beside_the_data_are_copied(self):
        z = np.random.default_rng(2).normal(size=300)
        model = nl.Model("y ~ own(x0)", data("gaussian", 300), extra_namespace={"own": lambda x: z})
        assert not np.shares_memory(specification_of(model).spec.design.predictors["mu"].matrix, z)

    def test_what_the_user_writes_later_changes_no_model(self):
        frame = data("gaussian", 300)
        model = nl.Model("y ~ x0 + x1 + (x2|k)", frame.assign(k=np.arange(300) % 7))
        alone = nl.Model("y ~ x0 + x1", frame)
        design, before = specification_of(alone).spec.design, frame.copy()
        frame.loc[3, ["y", "x0"]] = 100.0
        frame["x1"] = 0.0
        frame.iloc[:, 2] = 7.0
        np.testing.assert_array_equal(design.response.values[0], before["y"])
        np.testing.assert_array_equal(design.predictors["mu"].matrix, before[["x0", "x1"]].to_numpy().T)
        assert specification_of(model).spec.design.response.values[0, 3] == before["y"][3]

    @pytest.mark.parametrize("family", ["gaussian", "t", "gamma", "beta", "wald", "lognormal", "vonmises"])
    def test_a_fit_writes_to_no_data(self, family):
        rng = np.random.default_rng(3)
        frame = pd.DataFrame({"y": rng.uniform(0.1, 0.9, size=300), "x": rng.normal(size=300)}).assign(z=0.5)
        frame["z"] += frame["x"] ** 2
        before = frame.copy()
        options = {"draws": 5, "tune": 5, "chains": 1, "random_seed": 1, "progressbar": False}
        model = nl.Model("y ~ x + z + (1|g)", frame.assign(g=np.arange(300) % 9), family=family)
        results = model.fit(compute_convergence_checks=False, **options)
        model.compute_log_likelihood(results)
        pd.testing.assert_frame_equal(frame, before)

    def test_workers_are_sent_no_frame(self):
        design = specification_of(nl.Model("y ~ x0", data("gaussian", 300))).spec.design
        assert design.lender.frame is not None
        sent = pickle.loads(pickle.dumps(design))
        assert sent.lender.frame is None
        np.testing.assert_array_equal(sent.response.values, design.response.values)

    def test_older_pandas_has_its_columns_copied(self, monkeypatch):
        monkeypatch.setattr("nutslite.formula.columns.data.copies_on_write", lambda: False)
        monkeypatch.setattr("nutslite.formula.columns.lent.copies_on_write", lambda: False)
        frame = data("gaussian", 300)
        design = specification_of(nl.Model("y ~ x0 + x1", frame)).spec.design
        assert design.lender.frame is None
        assert not np.shares_memory(design.response.values, frame["y"].to_numpy())
        assert not np.shares_memory(design.predictors["mu"].matrix, frame["x0"].to_numpy())


@pytest.mark.parametrize("family", ["bernoulli", "poisson"])
def test_a_pilot_makes_no_columns_of_an_intercept(family):
    frame = data(family)
    options = {"draws": 5, "chains": 2, "random_seed": 1, "progressbar": False, "compute_convergence_checks": False}
    nl.Model(FORMULA, data(family, 40_000), family=family).fit(**options)
    model = nl.Model(FORMULA, frame, family=family)
    model.plan()
    _, peak = peak_of(lambda: model.fit(**options))
    assert peak < 1.0


class TestEqualRows:
    def merged(self, **columns):
        frame = pd.DataFrame({"y": [0, 1, 1, 1] * 300, "x": [0.5, 0.5, -0.0, 2.0] * 300, **columns})
        model = nl.Model("y ~ x", frame, family="bernoulli")
        return merge_equal_rows(specification_of(model).posterior.assembled.data)

    def test_those_there_are_in_their_order(self):
        found = self.merged()
        assert found.y[0].tolist() == [0, 1, 1, 1]
        assert found.weights.tolist() == [300.0] * 4

    def test_zeros_of_either_sign_are_one(self):
        assert self.merged(x=[0.0, 1.0, 2.0, -0.0] * 300, y=[0, 1, 0, 0] * 300).y.shape[1] == 3

    def test_equal_hashes_of_different_rows_merge_nothing(self, monkeypatch):
        monkeypatch.setattr(equal_rows, "add_to_hashes", lambda hashes, column: None)
        assert self.merged() is None

    def test_the_posterior_is_that_of_all_rows(self):
        rng = np.random.default_rng(3)
        frame = pd.DataFrame({"x": rng.integers(0, 3, 2000).astype(float)})
        frame["y"] = (rng.random(2000) < 0.3 + 0.1 * frame["x"]).astype(int)
        model = nl.Model("y ~ x", frame, family="bernoulli")
        assembled = specification_of(model).posterior.assembled
        one, all_rows = (make_plan(assembled, "joint", merge=merge).target() for merge in (True, False))
        at = rng.normal(size=(5, one.dimension))
        np.testing.assert_allclose(one.log_densities(at, 1), all_rows.log_densities(at, 1), rtol=1e-12)


def test_draws_of_effects_are_kept_once():
    effects, values = np.arange(60.0).reshape(2, 3, 10), np.zeros((2, 3, 4))
    variables = (
        Variable("a", ("g",), "effects", np.arange(2, 9)),
        Variable("b", ("g",), "effects", np.array([4, 3, 2])),
        Variable("c", (), "effects", np.array(5)),
    )
    found = Layout(14, 4, variables, {}).unpack(values, effects)
    assert np.shares_memory(found["a"], effects)
    np.testing.assert_array_equal(found["a"], effects[..., 2:9])
    np.testing.assert_array_equal(found["b"], effects[..., [4, 3, 2]])
    np.testing.assert_array_equal(found["c"], effects[..., 5])


@pytest.mark.parametrize("counts", [[0.0, 3.0, 9_999.0], [1e6, 2.0, 0.0], [0.5, 2.0], []])
def test_log_factorials_by_either_way(counts):
    import math

    expected = [math.lgamma(count + 1.0) for count in counts]
    assert log_factorial(np.array(counts)).tolist() == expected


def test_rows_along_observations_take_no_memory():
    model = nl.Model("y ~ x0", data("gaussian"))
    results = model.fit(draws=10, chains=2, progressbar=False, compute_convergence_checks=False)
    index = results["observed_data"].indexes["__obs__"]
    assert isinstance(index, pd.RangeIndex)
